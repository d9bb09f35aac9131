//! Where a network cuts octets.

use crate::random::Random;

/// Where a direction of a network cuts the octets.
#[derive(Clone, Debug)]
pub enum Cuts {
    /// Nowhere: what was sent together arrives together.
    Nowhere,
    /// Behind every octet.
    Everywhere,
    /// Once, behind this many octets.
    At(usize),
    /// Anywhere.
    Random(Random),
    /// Anywhere, but three of four pieces are whole.
    Seldom(Random),
}

impl Cuts {
    /// How many of `octets` waiting octets come next, when `before` have come.
    pub(crate) fn next(&mut self, before: usize, octets: usize) -> usize {
        match self {
            Cuts::Nowhere => octets,
            Cuts::Everywhere => octets.min(1),
            Cuts::At(position) if before < *position => octets.min(*position - before),
            Cuts::At(_) => octets,
            Cuts::Random(random) => {
                let most = *random.pick(&[1, 2, 8, 64, 1_024, octets]);
                octets.min(1 + random.below(most))
            }
            Cuts::Seldom(random) => {
                let most = if random.chance(3, 4) { usize::MAX } else { 1 + random.below(100) };
                octets.min(most)
            }
        }
    }
}

//! Where the choices of a run come from: a seed, or octets that somebody else chose, such as a fuzzer.

use crate::random::Random;

/// A source of choices.
#[derive(Clone, Debug)]
pub enum Choices {
    /// Without end, from a seed.
    Seed(Random),
    /// These octets, from the front.
    Octets {
        /// What was given.
        octets: Vec<u8>,
        /// How many have been used.
        at: usize,
    },
}

impl Choices {
    /// Choices that depend on `seed` alone.
    pub fn seeded(seed: u64) -> Choices {
        Choices::Seed(Random::new(seed))
    }

    /// Choices that octets make. When they are used up, the first choice is always taken.
    pub fn given(octets: &[u8]) -> Choices {
        Choices::Octets { octets: octets.to_vec(), at: 0 }
    }

    /// Whether no more choices are left.
    pub fn is_spent(&self) -> bool {
        matches!(self, Choices::Octets { octets, at } if *at >= octets.len())
    }

    /// What has not been used; nothing of a seed.
    pub fn rest(&self) -> &[u8] {
        match self {
            Choices::Seed(_) => &[],
            Choices::Octets { octets, at } => octets.get(*at..).unwrap_or_default(),
        }
    }

    /// Leaves octets out.
    pub fn skip(&mut self, count: usize) {
        if let Choices::Octets { at, .. } = self {
            *at = at.saturating_add(count);
        }
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        match self {
            Choices::Seed(random) => random.below(bound),
            Choices::Octets { octets, at } => {
                let width = if bound <= 256 { 1 } else { 2 };
                let number = octets.iter().skip(*at).take(width).fold(0, |number, octet| (number << 8) | usize::from(*octet));
                *at += width;
                number.checked_rem(bound).unwrap_or(0)
            }
        }
    }

    /// True in `parts` of `whole` cases.
    pub fn chance(&mut self, parts: usize, whole: usize) -> bool {
        self.below(whole) >= whole - parts
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

//! Contents that both ends can tell apart and check without holding them.

/// How many small files there are.
pub const FILES: usize = 16;

/// The length of the small file of this number: none, few octets, and some that need several reads.
pub fn length(number: usize) -> usize {
    number * number * number * 17
}

/// Octets of an endless content, from this position on.
pub fn pattern(position: u64, octets: usize) -> Vec<u8> {
    (position..).take(octets).map(octet).collect()
}

/// The octet at a position: differs from its neighbours, and from the one a block further on.
fn octet(position: u64) -> u8 {
    let [low, middle, high, ..] = position.to_le_bytes();
    low.wrapping_mul(31) ^ middle.wrapping_mul(17) ^ high
}

/// The content of the small file of this number.
pub fn file(number: usize) -> Vec<u8> {
    pattern(number as u64 * 1_000, length(number))
}

/// A checksum that every language here has: Adler-32 (RFC 1950 §8.2), with the number of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Octets so far.
    pub octets: u64,
    low: u32,
    high: u32,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { octets: 0, low: 1, high: 0 }
    }
}

impl Sum {
    /// Of these octets.
    pub fn of(octets: &[u8]) -> Sum {
        let mut sum = Sum::default();
        sum.add(octets);
        sum
    }

    /// Adds octets.
    pub fn add(&mut self, octets: &[u8]) {
        const MODULUS: u32 = 65_521;
        // As many octets as cannot overflow.
        for run in octets.chunks(5_552) {
            for octet in run {
                self.low += u32::from(*octet);
                self.high += self.low;
            }
            self.low %= MODULUS;
            self.high %= MODULUS;
        }
        self.octets += octets.len() as u64;
    }

    /// `octets checksum`, as the servers say it.
    pub fn text(&self) -> String {
        format!("{} {}", self.octets, (self.high << 16) | self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(Sum::of(b"Wikipedia").text(), format!("9 {}", 0x11e6_0398));
        let mut split = Sum::default();
        let octets = pattern(5, 20_000);
        octets.chunks(7).for_each(|part| split.add(part));
        assert_eq!(split, Sum::of(&octets));
        assert_ne!(Sum::of(&pattern(0, 20_000)), split);
    }
}

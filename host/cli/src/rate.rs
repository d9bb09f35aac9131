//! `--limit-rate`: how many octets of a transfer may move now.

use std::time::{Duration, Instant};

/// The octets that may move at once after a pause: a tenth of the octets of a second, so that octets move evenly.
const SLICES_PER_SECOND: u64 = 10;

/// One direction of one transfer.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    octets_per_second: u64,
    allowed: u64,
    since: Instant,
}

impl Rate {
    pub(crate) fn new(octets_per_second: u64, now: Instant) -> Self {
        Self { octets_per_second, allowed: Self::slice(octets_per_second), since: now }
    }

    fn slice(octets_per_second: u64) -> u64 {
        (octets_per_second / SLICES_PER_SECOND).max(1)
    }

    /// Octets that may move now.
    pub(crate) fn allowed(&mut self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.since).as_nanos();
        let earned = passed * u128::from(self.octets_per_second) / NANOSECONDS;
        // A part of an octet stays earned.
        let spent = earned * NANOSECONDS / u128::from(self.octets_per_second);
        self.since += Duration::from_nanos(u64::try_from(spent).unwrap_or(u64::MAX));
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        self.allowed = self.allowed.saturating_add(earned).min(Self::slice(self.octets_per_second));
        self.allowed
    }

    pub(crate) fn spend(&mut self, octets: u64) {
        self.allowed = self.allowed.saturating_sub(octets);
    }

    /// May nothing move before `next`?
    pub(crate) fn is_spent(&self) -> bool {
        self.allowed == 0
    }

    /// When a whole slice may move, nothing being allowed now.
    pub(crate) fn next(&self) -> Instant {
        let slice = u128::from(Self::slice(self.octets_per_second));
        let wait = (slice * NANOSECONDS).div_ceil(u128::from(self.octets_per_second));
        self.since + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
    }
}

const NANOSECONDS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_moves_than_the_rate_allows_and_no_less() {
        for rate in [1, 7, 1000, 1 << 20, 1 << 40] {
            let start = Instant::now();
            let (mut limit, mut now, mut moved) = (Rate::new(rate, start), start, 0_u64);
            while now < start + Duration::from_secs(20) {
                let octets = limit.allowed(now);
                limit.spend(octets);
                moved += octets;
                now = limit.next();
            }
            let expected = 20 * rate;
            assert!((expected..=expected + Rate::slice(rate) * 2).contains(&moved), "{moved} at {rate}");
        }
    }

    #[test]
    fn a_pause_saves_up_one_slice_at_most() {
        let start = Instant::now();
        let mut limit = Rate::new(1000, start);
        assert_eq!(limit.allowed(start + Duration::from_secs(100)), 100);
        limit.spend(30);
        assert_eq!(limit.allowed(start + Duration::from_secs(100)), 70);
    }
}

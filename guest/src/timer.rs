//! Moments as values. The core never reads a clock: every verb is told the time.

/// A moment on the caller's monotonic clock, in nanoseconds since any fixed moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment `span_ns` nanoseconds later; `None` when there is no deadline: `span_ns` is 2^63 or more, or none.
    pub fn after(self, span_ns: Option<u64>) -> Option<Instant> {
        match span_ns {
            Some(span) if span < 1 << 63 => self.0.checked_add(span).map(Instant),
            _ => None,
        }
    }

    /// Nanoseconds from `earlier` to this moment; 0 when the clock went backwards.
    pub fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_two_to_the_63_means_no_deadline() {
        assert_eq!(Instant(5).after(Some(1 << 63)), None);
        assert_eq!(Instant(5).after(None), None);
        assert_eq!(Instant(5).after(Some(7)), Some(Instant(12)));
        assert_eq!(Instant(u64::MAX).after(Some(1)), None);
    }

    #[test]
    fn a_clock_that_goes_backwards_gives_no_negative_span() {
        assert_eq!(Instant(3).since(Instant(9)), 0);
    }
}

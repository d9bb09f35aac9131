//! Whether an origin can be trusted with pipelines (RFC 9112 §9.3.2).

use super::limits::{BREAKS_MAX, ONE_AT_A_TIME_NS};
use crate::conn::Break;
use crate::timer::Instant;

/// The ends of its connections, as far as they have shown something.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Pipelines that broke without a declared end.
    breaks: u32,
    /// When the last one did.
    broke_at: Instant,
    /// Until when the origin is spoken to one request at a time.
    one_at_a_time_until: Option<Instant>,
}

impl Trust {
    /// A pipeline to the origin broke.
    pub(super) fn note_break(&mut self, broke: Break, now: Instant) {
        let long_ago = now.since(self.broke_at) >= ONE_AT_A_TIME_NS;
        self.breaks = match broke {
            Break::Declared => return,
            Break::Stalled => BREAKS_MAX,
            Break::Undeclared if long_ago => 1,
            Break::Undeclared => self.breaks + 1,
        };
        self.broke_at = now;
        if self.breaks >= BREAKS_MAX {
            self.breaks = 0;
            self.one_at_a_time_until = now.after(Some(ONE_AT_A_TIME_NS));
        }
    }

    /// Whether the origin has shown that it cannot be trusted with a pipeline.
    pub(super) fn is_one_at_a_time(&self, now: Instant) -> bool {
        self.one_at_a_time_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SECOND_NS;

    /// When an origin is spoken to one request at a time after these breaks, each at a second; the moment after the last one decides.
    fn distrusts(breaks: &[(Break, u64)]) -> bool {
        let mut trust = Trust::default();
        let mut last = Instant(0);
        for (broke, second) in breaks {
            last = Instant(second * SECOND_NS);
            trust.note_break(*broke, last);
        }
        trust.is_one_at_a_time(last)
    }

    #[test]
    fn two_breaks_within_ten_minutes_or_one_stall_take_the_trust_away_and_declared_ends_do_not() {
        use Break::{Declared, Stalled, Undeclared};
        for (breaks, expected) in [
            (&[(Undeclared, 1_000)][..], false),
            (&[(Undeclared, 1_000), (Undeclared, 1_599)], true),
            (&[(Undeclared, 1_000), (Undeclared, 1_600)], false),
            (&[(Undeclared, 1_000), (Undeclared, 1_600), (Undeclared, 1_601)], true),
            (&[(Stalled, 1)], true),
            (&[(Declared, 1), (Declared, 2), (Declared, 3)], false),
            (&[(Undeclared, 1_000), (Declared, 1_001), (Undeclared, 1_002)], true),
        ] {
            assert_eq!(distrusts(breaks), expected, "{breaks:?}");
        }
    }

    #[test]
    fn the_trust_comes_back_after_ten_minutes() {
        let mut trust = Trust::default();
        trust.note_break(Break::Stalled, Instant(SECOND_NS));
        let until = SECOND_NS + ONE_AT_A_TIME_NS;
        assert_eq!([until - 1, until].map(|at| trust.is_one_at_a_time(Instant(at))), [true, false]);
    }
}

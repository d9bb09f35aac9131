//! The deadlines of a poll's members, earliest first.

use crate::slab::Id;
use crate::timer::Instant;
use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

/// Stale entries that are kept before the heap is tidied.
const STALE_SPARE: usize = 256;

/// What becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A member of the poll.
    Member(Id),
    /// An origin that may connect again.
    Origin(Id),
}

/// A heap whose entries may be too early: most deadlines only move away, and the entry of one that has moved is put right when it comes up.
/// So a deadline that moves costs nothing, and one that is set a logarithm of their number.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Instant, Due)>>);

impl Timers {
    /// Has `due` come up at `at`, or before. `armed` is when it does so already.
    pub(super) fn arm(&mut self, due: Due, armed: &mut Option<Instant>, at: Option<Instant>) {
        if let Some(at) = at
            && armed.is_none_or(|armed| at < armed)
        {
            *armed = Some(at);
            self.0.push(Reverse((at, due)));
        }
    }

    /// Whether there are many more entries than `live_max` that count.
    pub(super) fn is_stale(&self, live_max: usize) -> bool {
        self.0.len() > 2 * live_max + STALE_SPARE
    }

    /// Begins anew, with these entries.
    pub(super) fn refill(&mut self, entries: impl Iterator<Item = (Instant, Due)>) {
        self.0.clear();
        self.0.extend(entries.map(Reverse));
    }

    /// The earliest entry.
    pub(super) fn first(&self) -> Option<(Instant, Due)> {
        self.0.peek().map(|Reverse(entry)| *entry)
    }

    /// Takes the earliest entry if its time is `until` or before.
    pub(super) fn take(&mut self, until: Instant) -> Option<(Instant, Due)> {
        self.first().filter(|(at, _)| *at <= until)?;
        self.0.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_moves_away_makes_no_new_entry_and_one_that_comes_nearer_does() {
        let mut timers = Timers::default();
        let (due, mut armed) = (Due::Member(Id::test(1)), None);
        timers.arm(due, &mut armed, Some(Instant(10)));
        timers.arm(due, &mut armed, Some(Instant(20)));
        assert_eq!((timers.first(), timers.0.len()), (Some((Instant(10), due)), 1));
        timers.arm(due, &mut armed, Some(Instant(5)));
        assert_eq!((timers.first(), timers.0.len()), (Some((Instant(5), due)), 2));
        timers.arm(due, &mut armed, None);
        assert_eq!(armed, Some(Instant(5)));
    }

    #[test]
    fn entries_come_in_their_order_and_not_before_their_time() {
        let mut timers = Timers::default();
        for at in [30, 10, 20] {
            timers.arm(Due::Origin(Id::test(at)), &mut None, Some(Instant(u64::from(at))));
        }
        assert_eq!(timers.take(Instant(9)), None);
        assert_eq!(timers.take(Instant(20)).map(|(at, _)| at), Some(Instant(10)));
        assert_eq!(timers.take(Instant(20)).map(|(at, _)| at), Some(Instant(20)));
        assert_eq!(timers.take(Instant(20)), None);
    }
}

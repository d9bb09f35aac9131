//! Moments and deadlines as values. The core never reads a clock: every verb is told the time.

use crate::exchanges::ExchangeId;
use crate::types::Timer;
use alloc::collections::VecDeque;

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

/// A deadline of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When it passes.
    pub at: Instant,
    /// Whose it is.
    pub exchange: ExchangeId,
    /// Which one it is: `queue`, `await-continue` or `total`. The others follow from the connection's state.
    pub timer: TimerOrder,
}

/// A [`Timer`] that can be put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerOrder {
    /// When to send content although no `100 (Continue)` came.
    AwaitContinue,
    /// When to give up waiting for a turn.
    Queue,
    /// When to give up altogether.
    Total,
}

impl From<TimerOrder> for Timer {
    fn from(timer: TimerOrder) -> Timer {
        match timer {
            TimerOrder::AwaitContinue => Timer::AwaitContinue,
            TimerOrder::Queue => Timer::Queue,
            TimerOrder::Total => Timer::Total,
        }
    }
}

/// The deadlines of all exchanges of a connection, earliest first.
///
/// An exchange that does not set one costs nothing here. Finding one is logarithmic in their number; with equal spans, the usual case, a
/// new one goes to the end.
#[derive(Debug, Default)]
pub struct DeadlineTable(VecDeque<Deadline>);

impl DeadlineTable {
    /// Adds a deadline; without effect when `at` is `None`.
    pub fn set(&mut self, exchange: ExchangeId, timer: TimerOrder, at: Option<Instant>) {
        let Some(at) = at else { return };
        let deadline = Deadline { at, exchange, timer };
        let place = self.place(&deadline);
        if self.0.get(place) != Some(&deadline) {
            self.0.insert(place, deadline);
        }
    }

    /// Removes what `set` added with the same values.
    pub fn clear(&mut self, exchange: ExchangeId, timer: TimerOrder, at: Option<Instant>) {
        let Some(at) = at else { return };
        let deadline = Deadline { at, exchange, timer };
        let place = self.place(&deadline);
        if self.0.get(place) == Some(&deadline) {
            self.0.remove(place);
        }
    }

    /// Where it stands, or would.
    fn place(&self, deadline: &Deadline) -> usize {
        self.0.partition_point(|before| before < deadline)
    }

    /// The earliest deadline.
    pub fn first(&self) -> Option<&Deadline> {
        self.0.front()
    }

    /// Takes the earliest deadline if it has passed.
    pub fn take_passed(&mut self, now: Instant) -> Option<Deadline> {
        self.0.pop_front_if(|deadline| deadline.at <= now)
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

    #[test]
    fn deadlines_come_in_their_order_and_cleared_ones_do_not_come() {
        let mut table = DeadlineTable::default();
        table.set(ExchangeId::test(2), TimerOrder::Total, Some(Instant(20)));
        table.set(ExchangeId::test(1), TimerOrder::Queue, Some(Instant(10)));
        table.set(ExchangeId::test(3), TimerOrder::Queue, Some(Instant(5)));
        table.set(ExchangeId::test(4), TimerOrder::Queue, None);
        table.clear(ExchangeId::test(3), TimerOrder::Queue, Some(Instant(5)));
        assert_eq!(table.first().map(|d| d.at), Some(Instant(10)));
        assert_eq!(table.take_passed(Instant(9)), None);
        assert_eq!(table.take_passed(Instant(30)).map(|d| d.exchange), Some(ExchangeId::test(1)));
        assert_eq!(table.take_passed(Instant(30)).map(|d| d.exchange), Some(ExchangeId::test(2)));
        assert_eq!(table.take_passed(Instant(30)), None);
    }
}

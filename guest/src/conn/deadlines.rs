//! The deadlines of exchanges that do not follow from what a connection does, earliest first.

use crate::exchange::ExchangeId;
use crate::timer::Instant;
use crate::types::Timer;
use alloc::collections::VecDeque;

/// A deadline of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    /// When it passes.
    pub(crate) at: Instant,
    /// Whose it is: an exchange of the connection, or a request of the pool.
    pub(crate) exchange: ExchangeId,
    /// Which one it is: `queue`, `await-continue` or `total`. The others follow from the connection's state.
    pub(crate) timer: TimerOrder,
}

/// A [`Timer`] that can be put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerOrder {
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

/// The deadlines of all exchanges of a connection, or of all that wait in a pool, earliest first.
///
/// An exchange that does not set one costs nothing here. Finding one is logarithmic in their number; with equal spans, the usual case, a
/// new one goes to the end.
#[derive(Debug, Default)]
pub(crate) struct DeadlineTable(VecDeque<Deadline>);

impl DeadlineTable {
    /// Adds those of an exchange whose turn is to come: see [`Exchange::ends`](crate::exchange::Exchange::ends).
    pub(crate) fn add(&mut self, exchange: ExchangeId, [queue, total]: [Option<Instant>; 2]) {
        self.set(exchange, TimerOrder::Queue, queue);
        self.set(exchange, TimerOrder::Total, total);
    }

    /// Removes what `add` added with the same values.
    pub(crate) fn remove(&mut self, exchange: ExchangeId, [queue, total]: [Option<Instant>; 2]) {
        self.clear(exchange, TimerOrder::Queue, queue);
        self.clear(exchange, TimerOrder::Total, total);
    }

    /// Adds a deadline; without effect when `at` is `None`.
    pub(crate) fn set(&mut self, exchange: ExchangeId, timer: TimerOrder, at: Option<Instant>) {
        let Some(at) = at else { return };
        let deadline = Deadline { at, exchange, timer };
        let place = self.place(&deadline);
        if self.0.get(place) != Some(&deadline) {
            self.0.insert(place, deadline);
        }
    }

    /// Removes what `set` added with the same values.
    pub(crate) fn clear(&mut self, exchange: ExchangeId, timer: TimerOrder, at: Option<Instant>) {
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
    pub(crate) fn first(&self) -> Option<&Deadline> {
        self.0.front()
    }

    /// Takes the earliest deadline if it has passed.
    pub(crate) fn take_passed(&mut self, now: Instant) -> Option<Deadline> {
        self.0.pop_front_if(|deadline| deadline.at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

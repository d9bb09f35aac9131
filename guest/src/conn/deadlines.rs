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
/// An exchange without deadlines costs nothing here. Each timer has a list: with equal spans of one timer, the usual case, a new deadline
/// goes to the end of the list. Finding a deadline is logarithmic in the number of deadlines.
#[derive(Debug, Default)]
pub(crate) struct DeadlineTable {
    lists: [List; TIMERS.len()],
}

/// The timers that have a list, in the order of the lists.
const TIMERS: [TimerOrder; 3] = [TimerOrder::AwaitContinue, TimerOrder::Queue, TimerOrder::Total];

/// The deadlines of one timer. A cleared deadline leaves an empty place: empty places are removed in front, and all empty places when most are.
#[derive(Debug, Default)]
struct List {
    /// The first one is not cleared.
    listed: VecDeque<Listed>,
    /// How many are cleared.
    cleared: usize,
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    at: Instant,
    exchange: ExchangeId,
    is_cleared: bool,
}

/// Cleared deadlines that stay, however few others there are.
const CLEARED_SPARE: usize = 16;

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
        if let (Some(at), Some(list)) = (at, self.lists.get_mut(timer as usize)) {
            list.set(at, exchange);
        }
    }

    /// Removes what `set` added with the same values.
    pub(crate) fn clear(&mut self, exchange: ExchangeId, timer: TimerOrder, at: Option<Instant>) {
        if let (Some(at), Some(list)) = (at, self.lists.get_mut(timer as usize)) {
            list.clear(at, exchange);
        }
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Deadline> {
        let firsts = self.lists.iter().zip(TIMERS).filter_map(|(list, timer)| {
            let Listed { at, exchange, .. } = *list.listed.front()?;
            Some(Deadline { at, exchange, timer })
        });
        firsts.min()
    }

    /// Takes the earliest deadline if it has passed.
    pub(crate) fn take_passed(&mut self, now: Instant) -> Option<Deadline> {
        let passed = self.first().filter(|first| first.at <= now)?;
        self.clear(passed.exchange, passed.timer, Some(passed.at));
        Some(passed)
    }
}

impl List {
    /// The place of a deadline, and the deadline if the list has the deadline.
    fn find(&mut self, at: Instant, exchange: ExchangeId) -> (usize, Option<&mut Listed>) {
        let place = self.listed.partition_point(|before| (before.at, before.exchange) < (at, exchange));
        (place, self.listed.get_mut(place).filter(|listed| (listed.at, listed.exchange) == (at, exchange)))
    }

    fn set(&mut self, at: Instant, exchange: ExchangeId) {
        match self.find(at, exchange) {
            (_, Some(listed)) => self.cleared -= usize::from(core::mem::take(&mut listed.is_cleared)),
            (place, None) => self.listed.insert(place, Listed { at, exchange, is_cleared: false }),
        }
    }

    fn clear(&mut self, at: Instant, exchange: ExchangeId) {
        if let (_, Some(listed)) = self.find(at, exchange)
            && !core::mem::replace(&mut listed.is_cleared, true)
        {
            self.cleared += 1;
            self.tidy();
        }
    }

    /// Removes cleared ones: all in front; and everywhere, once they are the most.
    fn tidy(&mut self) {
        if self.cleared > self.listed.len() / 2 + CLEARED_SPARE {
            self.listed.retain(|listed| !listed.is_cleared);
            self.cleared = 0;
        }
        while self.listed.pop_front_if(|listed| listed.is_cleared).is_some() {
            self.cleared -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

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

    #[test]
    fn deadlines_of_two_timers_with_spans_of_their_own_go_to_the_ends_of_their_lists() {
        let mut table = DeadlineTable::default();
        for number in 0..100 {
            let at = |span: u64| Some(Instant(u64::from(number) + span));
            table.add(ExchangeId::test(number), [at(50), at(1_000)]);
            let is_last = |timer: TimerOrder| {
                table.lists[timer as usize].listed.back().is_some_and(|last| last.exchange == ExchangeId::test(number))
            };
            assert!(is_last(TimerOrder::Queue) && is_last(TimerOrder::Total));
        }
        let passed = core::iter::from_fn(|| table.take_passed(Instant(1_000)));
        let timers = passed.map(|passed| passed.timer).collect::<alloc::vec::Vec<_>>();
        assert_eq!(timers, [&[TimerOrder::Queue; 100][..], &[TimerOrder::Total]].concat());
    }

    #[test]
    fn what_is_cleared_in_any_order_is_gone_and_leaves_little() {
        let (mut table, mut model) = (DeadlineTable::default(), BTreeSet::<(Instant, ExchangeId, TimerOrder)>::new());
        let mut state: u64 = 7;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (number, at) = ((state >> 33) as u32 % 300, Instant((state >> 43) % 50));
            let timer = TIMERS[(state >> 20) as usize % TIMERS.len()];
            let deadline = (at, ExchangeId::test(number), timer);
            match state >> 62 {
                0 => {
                    table.clear(deadline.1, deadline.2, Some(at));
                    model.remove(&deadline);
                }
                1 if state >> 60 == 4 => {
                    let passed = table.take_passed(at).map(|passed| (passed.at, passed.exchange, passed.timer));
                    let first = model.first().copied().filter(|(first, ..)| *first <= at);
                    assert_eq!(passed, first);
                    first.map(|first| model.remove(&first));
                }
                2 => {
                    table.set(deadline.1, deadline.2, Some(at));
                    model.insert(deadline);
                }
                _ => {
                    // Whichever there is, from anywhere.
                    let some = model.iter().nth(number as usize % model.len().max(1)).copied();
                    if let Some((at, exchange, timer)) = some {
                        table.clear(exchange, timer, Some(at));
                        model.remove(&(at, exchange, timer));
                    }
                }
            }
            assert_eq!(table.first().map(|first| (first.at, first.exchange)), model.first().map(|first| (first.0, first.1)));
            let (listed, cleared) =
                table.lists.iter().fold((0, 0), |sum, list| (sum.0 + list.listed.len(), sum.1 + list.cleared));
            assert_eq!(listed - cleared, model.len());
            assert!(listed <= 2 * model.len() + 3 * (2 * CLEARED_SPARE + 2), "{listed} for {}", model.len());
        }
    }
}

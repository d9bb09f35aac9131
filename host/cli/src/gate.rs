//! How fast new connections to one origin follow each other.
//!
//! A listening socket keeps connections that its program has not accepted, five of them with Python's; what comes beyond is dropped
//! without a word, and asked for again after a second. So few connections are new at once. More may be when the server answers on them as
//! fast as on the first: then nothing waits in that queue.

use std::time::{Duration, Instant};

/// New connections at first, and at least while none was dropped.
const NEW_MIN: usize = 4;
/// How many times as long as the fastest an answer may take before connections are taken to wait for each other.
const SLOWDOWN_MAX: u32 = 2;
/// After so many times the fastest answer without one, a connection is taken to have been accepted; within these bounds.
const ACCEPTED_AFTER: u32 = 8;
const ACCEPTED_AFTER_MIN: Duration = Duration::from_millis(30);
const ACCEPTED_AFTER_MAX: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// How many connections may be new at once.
    new_max: usize,
    /// The shortest time from the opening of a connection to the end of its first response.
    fastest: Option<Duration>,
}

/// May another connection be opened?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Now,
    At(Instant),
    /// When something happens on one of those that there are.
    Later,
}

impl Default for Gate {
    fn default() -> Self {
        Self { new_max: NEW_MIN, fastest: None }
    }
}

impl Gate {
    /// The first response on a connection took so long.
    pub(crate) fn answered(&mut self, time: Duration) {
        let fastest = self.fastest.map_or(time, |fastest| fastest.min(time));
        self.fastest = Some(fastest);
        match time <= fastest.saturating_mul(SLOWDOWN_MAX) {
            true => self.new_max += 1,
            false => self.new_max = self.new_max.saturating_sub(1).max(NEW_MIN.min(self.new_max)),
        }
    }

    /// A connection was dropped at first.
    pub(crate) fn narrow(&mut self) {
        self.new_max = (self.new_max / 2).max(1);
    }

    /// `unanswered`: the connections without a response, each with when it was established.
    pub(crate) fn entry(&self, unanswered: impl Iterator<Item = Option<Instant>>, now: Instant) -> Entry {
        let wait = self.fastest.map_or(ACCEPTED_AFTER_MIN, |fastest| {
            fastest.saturating_mul(ACCEPTED_AFTER).clamp(ACCEPTED_AFTER_MIN, ACCEPTED_AFTER_MAX)
        });
        let (mut new, mut next) = (0, None::<Instant>);
        for established in unanswered {
            let accepted = established.map(|since| since + wait);
            if accepted.is_none_or(|accepted| accepted > now) {
                new += 1;
                next = next.into_iter().chain(accepted).min();
            }
        }
        match next {
            _ if new < self.new_max => Entry::Now,
            Some(time) => Entry::At(time),
            None => Entry::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn few_are_new_at_once_and_time_lets_more_in() {
        let (gate, now) = (Gate::default(), Instant::now());
        let entry = |connecting: usize, established: usize, later: u64| {
            let all = vec![None; connecting].into_iter().chain(vec![Some(now); established]);
            gate.entry(all, now + milliseconds(later))
        };
        assert_eq!(entry(3, 0, 0), Entry::Now);
        assert_eq!(entry(4, 0, 1000), Entry::Later);
        assert_eq!(entry(3, 1, 0), Entry::At(now + milliseconds(30)));
        assert_eq!(entry(3, 1, 30), Entry::Now);
        assert_eq!(entry(3, 40, 30), Entry::Now);
    }

    #[test]
    fn it_opens_for_a_server_that_answers_evenly_and_not_for_one_that_slows_down() {
        let mut even = Gate::default();
        (0..30).for_each(|_| even.answered(milliseconds(100)));
        assert_eq!(even.new_max, NEW_MIN + 30);
        let mut slowing = Gate::default();
        slowing.answered(milliseconds(1));
        (0..30).for_each(|_| slowing.answered(milliseconds(5)));
        assert_eq!(slowing.new_max, NEW_MIN);
    }

    #[test]
    fn a_dropped_connection_halves_it() {
        let mut gate = Gate::default();
        let widths: Vec<usize> = (0..4)
            .map(|_| {
                gate.narrow();
                gate.new_max
            })
            .collect();
        assert_eq!(widths, [2, 1, 1, 1]);
        gate.answered(milliseconds(1));
        gate.answered(milliseconds(9));
        assert_eq!(gate.new_max, 2);
    }
}

//! How fast new connections to one origin follow each other.
//!
//! A listening socket keeps connections that its program has not accepted, five of them with Python's; what comes beyond is dropped
//! without a word, and asked for again after a second. So few connections are new at once. More may be when the server answers on them as
//! fast as on the first: then nothing waits in that queue.

use crate::settings::SECOND_NS;
use crate::slab::Id;
use crate::timer::Instant;
use alloc::vec::Vec;

/// New connections at first, and at least while none was dropped.
const NEW_MIN: usize = 4;
/// How many times as long as the fastest an answer may take before connections are taken to wait for each other.
const SLOWDOWN_MAX: u64 = 2;
/// After so many times the fastest answer without one, a connection is taken to have been accepted; within these bounds.
const ACCEPTED_AFTER: u64 = 8;
const ACCEPTED_AFTER_NS_MIN: u64 = 30_000_000;
const ACCEPTED_AFTER_NS_MAX: u64 = 500_000_000;
/// A connection that took longer was dropped at first: the system asks for it again after a second.
const DROPPED_NS: u64 = SECOND_NS;

/// The new connections of an origin: those that may stand in the queue of its server.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// How many there may be at once.
    new_max: usize,
    /// The shortest time from the opening of a connection to the end of its first response.
    fastest: Option<u64>,
    /// Those that there are, and some that are not new any more. Never more than there may be.
    new: Vec<Id>,
}

/// May another connection be opened?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Yes.
    Now,
    /// Then, which is later than now.
    At(Instant),
    /// When something happens on one of those that there are.
    Later,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate { new_max: NEW_MIN, fastest: None, new: Vec::new() }
    }
}

impl Gate {
    /// A connection is opened.
    pub(super) fn enter(&mut self, conn: Id) {
        self.new.push(conn);
    }

    /// The first response on a connection took so long, in nanoseconds.
    pub(super) fn answered(&mut self, took: u64) {
        let fastest = self.fastest.map_or(took, |fastest| fastest.min(took));
        self.fastest = Some(fastest);
        if took <= fastest.saturating_mul(SLOWDOWN_MAX) {
            self.new_max = self.new_max.saturating_add(1);
        } else {
            self.new_max = self.new_max.saturating_sub(1).max(NEW_MIN.min(self.new_max));
        }
    }

    /// A connection was established after so long, in nanoseconds: perhaps it was dropped at first.
    pub(super) fn established(&mut self, took: u64) {
        if took > DROPPED_NS {
            self.new_max = (self.new_max / 2).max(1);
        }
    }

    /// May another connection be opened? `stage`: when a connection was established, if it is; `None` for one that has answered or is closed.
    pub(super) fn entry(&mut self, stage: impl Fn(Id) -> Option<Option<Instant>>, now: Instant) -> Entry {
        let wait = self.fastest.map_or(ACCEPTED_AFTER_NS_MIN, |fastest| {
            fastest.saturating_mul(ACCEPTED_AFTER).clamp(ACCEPTED_AFTER_NS_MIN, ACCEPTED_AFTER_NS_MAX)
        });
        let accepted = |established: Instant| established.after(Some(wait));
        let mut next = None;
        self.new.retain(|conn| {
            let Some(established) = stage(*conn) else { return false };
            let accepted = established.and_then(accepted);
            let is_new = accepted.is_none_or(|at| at > now);
            next = next.into_iter().chain(accepted.filter(|_| is_new)).min();
            is_new
        });
        match next {
            _ if self.new.len() < self.new_max => Entry::Now,
            Some(at) => Entry::At(at),
            None => Entry::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    fn gate(new: u32) -> Gate {
        let mut gate = Gate::default();
        (0..new).for_each(|conn| gate.enter(Id::test(conn)));
        gate
    }

    #[test]
    fn few_are_new_at_once_and_time_lets_more_in() {
        let now = Instant(SECOND_NS);
        let entry = |connecting: u32, established: u32, later: u64| {
            let stage = |conn| {
                let conn = (0..).find(|other| Id::test(*other) == conn)?;
                Some((conn >= connecting).then_some(now))
            };
            gate(connecting + established).entry(stage, Instant(now.0 + later * MILLISECOND))
        };
        assert_eq!(entry(3, 0, 0), Entry::Now);
        assert_eq!(entry(4, 0, 1000), Entry::Later);
        assert_eq!(entry(3, 1, 0), Entry::At(Instant(now.0 + 30 * MILLISECOND)));
        assert_eq!(entry(3, 1, 30), Entry::Now);
        assert_eq!(entry(3, 40, 30), Entry::Now);
        assert_eq!(entry(4, 1, 30), Entry::Later, "the moment of the one that was established has passed");
    }

    #[test]
    fn those_that_have_answered_or_are_closed_are_not_new() {
        let mut gate = gate(9);
        assert_eq!(gate.entry(|conn| (conn != Id::test(8)).then_some(None), Instant(0)), Entry::Later);
        assert_eq!((gate.entry(|_| None, Instant(0)), gate.new.len()), (Entry::Now, 0));
    }

    #[test]
    fn it_opens_for_a_server_that_answers_evenly_and_not_for_one_that_slows_down() {
        let mut even = Gate::default();
        (0..30).for_each(|_| even.answered(100 * MILLISECOND));
        assert_eq!(even.new_max, NEW_MIN + 30);
        let mut slowing = Gate::default();
        slowing.answered(MILLISECOND);
        (0..30).for_each(|_| slowing.answered(5 * MILLISECOND));
        assert_eq!(slowing.new_max, NEW_MIN);
    }

    #[test]
    fn a_dropped_connection_halves_it() {
        let mut gate = Gate::default();
        let widths: Vec<usize> = (0..4)
            .map(|_| {
                gate.established(DROPPED_NS + 1);
                gate.new_max
            })
            .collect();
        assert_eq!(widths, [2, 1, 1, 1]);
        gate.established(DROPPED_NS);
        assert_eq!(gate.new_max, 1);
        gate.answered(MILLISECOND);
        gate.answered(9 * MILLISECOND);
        assert_eq!(gate.new_max, 2);
    }
}

//! The end of an episode: everybody does what is expected of them, every request has ended, and nothing is left.

use super::episode::Episode;
use super::network::{Dial, World};
use sandpiper_guest::PoolCounts;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{CloseReason, Ending};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Rounds in which everything has to come to its end.
const ROUNDS_MAX: usize = 4_000;

impl Episode {
    /// Ends the episode; gives how often requests ended in which way.
    ///
    /// # Panics
    /// When a request does not end, or something is left.
    pub fn finish(mut self) -> BTreeMap<String, u64> {
        if self.random.chance(1, 3) {
            self.abandon();
        } else {
            self.finish_in_order();
        }
        let (world, outcomes) = (Rc::clone(&self.world), std::mem::take(&mut self.outcomes));
        drop(self);
        let left = world.borrow().wires;
        assert_eq!(left, 0, "transports outlive everything");
        outcomes
    }

    /// The poll is dropped in the middle: what was streamed has failed, what was collected is heard of no more.
    fn abandon(&mut self) {
        self.poll.borrow_mut().close(self.now);
        self.close_own();
        let closed = self.world.borrow().sides.iter().all(|side| side.network.closed);
        assert!(closed, "a connection outlives its poll");
        let tokens: Vec<u64> = self.asked.keys().copied().collect();
        for token in tokens {
            while self.asked[&token].is_read() && self.asked[&token].outcome.is_none() {
                assert!(self.read_one(token, 100_000), "{token} has not ended");
            }
        }
        self.let_go();
    }

    fn close_own(&mut self) {
        for (shared, _) in self.own.drain(..) {
            let mut driver = shared.borrow_mut();
            driver.dropped = true;
            driver.conn.close(CloseReason::Dropped, self.now);
            driver.heed_wish();
        }
    }

    fn let_go(&mut self) {
        let tokens: Vec<u64> = self.asked.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.forget(token));
    }

    fn finish_in_order(&mut self) {
        for round in 0.. {
            if round == ROUNDS_MAX {
                self.report_stuck();
            }
            self.expected_of_the_peers();
            for (shared, inserted) in &self.own {
                if !inserted {
                    shared.borrow_mut().advance(self.now);
                }
            }
            let before = self.signs();
            self.turn();
            self.expected_of_the_caller();
            self.drain();
            self.observe();
            if self.unended().is_empty() {
                break;
            }
            if before == self.signs() && round % 4 == 3 {
                self.leap();
            }
        }
        self.audit();
        self.close_own();
        self.let_go();
        for _ in 0..ROUNDS_MAX {
            self.expected_of_the_peers();
            self.turn();
            let next = self.poll.borrow_mut().next_deadline();
            if next.is_none() && self.poll.borrow().connections().is_empty() {
                break;
            }
            self.leap();
        }
        self.check_nothing_left();
    }

    fn unended(&self) -> Vec<u64> {
        let unended = self.asked.iter().filter(|(_, asked)| asked.outcome.is_none() && !asked.forgotten);
        // What a removed connection of the caller's had collected, no poll tells.
        unended.filter(|(_, asked)| asked.pooled || !asked.collected).map(|(token, _)| *token).collect()
    }

    fn report_stuck(&mut self) {
        let mut poll = self.poll.borrow_mut();
        let unended: Vec<_> = self.unended().into_iter().map(|token| (token, &self.asked[&token])).collect();
        let infos: Vec<_> = self.origins.iter().map(|origin| poll.origin_info(origin, self.now)).collect();
        let connections: Vec<_> = poll.connections().iter().map(|shared| shared.borrow().conn.info()).collect();
        let tokens: Vec<u64> = unended.iter().map(|(token, _)| *token).collect();
        panic!("never end: {tokens:?}\n{infos:#?}\n{connections:#?}\n{:?}", self.bounds);
    }

    /// Something by which to see that nothing moves.
    fn signs(&self) -> (usize, usize, usize) {
        let world = self.world.borrow();
        let moved = |(said, heard): (usize, usize), side: &super::network::Side| {
            (said + side.network.delivered, heard + side.server.requests.found.len())
        };
        let (said, heard) = world.sides.iter().fold((0, 0), moved);
        (said, heard, self.unended().len())
    }

    fn leap(&mut self) {
        let next = self.poll.borrow_mut().next_deadline();
        let own = self.own.iter().filter_map(|(shared, _)| shared.borrow().deadline()).min();
        let soonest = next.into_iter().chain(own).min().unwrap_or(self.now);
        self.set_time(Instant(soonest.0.max(self.now.0 + 1_000_000)));
        for (shared, inserted) in &self.own {
            if !inserted {
                shared.borrow_mut().advance(self.now);
            }
        }
    }

    fn expected_of_the_peers(&mut self) {
        let random = &mut self.random;
        let World { sides, calm, now, .. } = &mut *self.world.borrow_mut();
        // Those that come from now on are accepted.
        *calm = true;
        for side in sides.iter_mut().filter(|side| !side.network.closed) {
            side.network.room = 1 << 20;
            if let Dial::Until(_, true) = side.dial {
                side.dial = Dial::Until(Some(*now), true);
            }
            for _ in 0..100 {
                side.answer(random, false);
            }
            if side.server.is_done || side.is_wrong() {
                side.end(Ending::Ended, None);
            }
        }
    }

    fn expected_of_the_caller(&mut self) {
        let tokens: Vec<u64> = self.asked.keys().copied().collect();
        for token in tokens {
            let asked = &self.asked[&token];
            if asked.outcome.is_some() {
                // What is left of its content would hold up those behind it.
                self.forget(token);
                continue;
            }
            if !asked.is_held() {
                continue;
            }
            if asked.to_write.is_some() && !asked.finished {
                self.write_one(token);
            }
            if self.asked[&token].is_read() {
                self.read_one(token, 100_000);
            }
        }
    }

    fn check_nothing_left(&mut self) {
        // The last of the caller's own connections.
        self.drain();
        let mut poll = self.poll.borrow_mut();
        let info = poll.info();
        let PoolCounts { opened, reused, retried, .. } = info.counts;
        let none =
            PoolCounts { connections: 0, connecting: 0, idle: 0, active: 0, outstanding: 0, queued: 0, opened, reused, retried };
        assert_eq!((info.counts, info.completions), (none, 0), "something is left");
        assert_eq!(
            (poll.next_deadline(), poll.watched(self.now).len(), poll.connections().len()),
            (None, 0, 0),
            "something is left"
        );
        assert!(!poll.has_something(), "something is to be reported");
        // Those that are streamed do not tell how often they were sent again.
        let streamed = self.asked.values().any(|asked| asked.pooled && !asked.collected);
        assert!(retried == self.retries || (streamed && retried > self.retries), "{retried} are counted, {} told", self.retries);
        let closed = self.world.borrow().sides.iter().all(|side| side.network.closed);
        assert!(closed, "a connection is forgotten");
    }
}

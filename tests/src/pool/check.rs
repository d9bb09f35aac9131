//! What must hold after every step.

use super::asked::{Asked, Hold};
use super::episode::Episode;
use super::network::{Dial, Side};
use sandpiper_guest::conn::ClientConn;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnState, Error, Failure};
use sandpiper_guest::{Event, OriginInfo};
use std::collections::BTreeSet;
use std::rc::Rc;

/// How often a request is sent again by itself, when no end was declared: for two pipelines that broke, and alone, behind an answer.
const RESENT_MAX: usize = 3;

/// The largest content of an answer in this network, and what is injected into it.
const CONTENT_OCTETS_MAX: u64 = 3_100;

impl Episode {
    /// Every limit holds, and what the peers have heard may be repeated was repeated.
    pub(super) fn observe(&mut self) {
        self.note_attempts();
        let infos = self.origin_infos();
        let (mut connections, mut idle) = (0, 0);
        for info in &infos {
            let counts = &info.counts;
            assert!(counts.connections <= self.bounds.per_origin_max, "too many connections of an origin: {counts:?}");
            connections += counts.connections;
            idle += counts.idle;
        }
        assert!(connections <= self.bounds.connections_max, "{connections} connections");
        assert!(idle <= self.bounds.idle_max, "{idle} idle connections");
        self.check_counts(&infos, connections);
        for shared in self.poll.borrow().connections() {
            let info = shared.borrow().conn.info();
            assert!(info.outstanding <= self.bounds.depth_max, "{} on one connection", info.outstanding);
            assert_ne!(info.closed_by, Some(Error::Internal));
        }
        if self.bounds.plain {
            self.check_progress(&infos, connections);
        }
    }

    fn origin_infos(&mut self) -> Vec<OriginInfo> {
        let mut poll = self.poll.borrow_mut();
        poll.settle(self.now);
        self.origins.iter().map(|origin| poll.origin_info(origin, self.now)).collect()
    }

    /// The counts agree with what was dialled, and with each other.
    fn check_counts(&self, infos: &[OriginInfo], connections: u32) {
        let poll = self.poll.borrow().info().counts;
        let world = self.world.borrow();
        let sum = |count: fn(&OriginInfo) -> u64| infos.iter().map(count).sum::<u64>();
        assert_eq!(poll.opened, world.sides.len() as u64 - self.dialled_for_caller);
        assert_eq!(poll.opened, sum(|info| info.counts.opened));
        assert_eq!(poll.reused, sum(|info| info.counts.reused));
        assert_eq!(poll.retried, sum(|info| info.counts.retried));
        assert!(poll.retried >= self.retries, "more was sent again than is counted");
        let inserted = self.own.iter().filter(|(_, inserted)| *inserted);
        let open: Vec<_> = inserted.filter(|(shared, _)| shared.borrow().conn.state() != ConnState::Closed).collect();
        assert_eq!(poll.connections, connections + u32::try_from(open.len()).expect("a count"));
        let own: BTreeSet<u64> = self.own.iter().map(|(shared, _)| shared.borrow().conn.id()).collect();
        for (info, origin) in infos.iter().zip(&self.origins) {
            let of_origin = world
                .sides
                .iter()
                .zip(1..)
                .filter(|(side, number)| side.port == origin.endpoint.port && !side.network.closed && !own.contains(number));
            let sides: Vec<_> = of_origin.map(|(side, _)| side).collect();
            let connecting = sides.iter().filter(|side| matches!(side.dial, Dial::Until(..))).count();
            let counts = (info.counts.connections as usize, info.counts.connecting as usize);
            assert_eq!(counts, (sides.len(), connecting), "of {:?}", origin.endpoint.port);
        }
    }

    /// What was taken in has not made more wait for a connection than may, beside those for which one is, or was, being opened; unless a
    /// connection has ended meanwhile, and those that it had wait again.
    pub(super) fn check_queue(&mut self, before: (u32, usize, u32)) {
        let (waiting, ended, opened) = self.standing();
        let most = before.0.max(self.bounds.queue_max) + self.bounds.connections_max + (opened - before.2);
        assert!(ended > before.1 || waiting <= most, "{waiting} wait, {before:?} waited before");
    }

    /// Requests that wait, connections that have ended or take no more, and that were dialled.
    pub(super) fn standing(&self) -> (u32, usize, u32) {
        let world = self.world.borrow();
        let closed = world.sides.iter().filter(|side| side.network.closed).count();
        let closing = self.poll.borrow().connections().iter().filter(|shared| shared.borrow().conn.is_closed()).count();
        (self.waiting_in_lines(), closed + closing, u32::try_from(world.sides.len()).expect("a count"))
    }

    /// Requests that no connection has.
    fn waiting_in_lines(&self) -> u32 {
        let poll = self.poll.borrow();
        let on_connections: usize = poll.connections().iter().map(|shared| shared.borrow().conn.queued()).sum();
        poll.info().counts.queued - u32::try_from(on_connections).expect("a count")
    }

    /// Nothing waits that could leave.
    fn check_progress(&self, infos: &[OriginInfo], connections: u32) {
        let poll = self.poll.borrow();
        for (info, origin) in infos.iter().zip(&self.origins) {
            let mut waiting = info.counts.queued;
            for shared in poll.connections() {
                let driver = shared.borrow();
                if driver.conn.authority() == origin.authority && !self.own.iter().any(|(own, _)| Rc::ptr_eq(own, &shared)) {
                    waiting -= u32::try_from(driver.conn.queued()).expect("a count");
                }
            }
            if waiting <= info.counts.connecting {
                continue;
            }
            let ready = poll.connections().iter().any(|shared| {
                let conn = &shared.borrow().conn;
                conn.authority() == origin.authority && conn.length() == 0 && conn.is_ready()
            });
            // What is sent again alone waits for a fresh connection.
            let alone = info.counts.retried > 0 && info.retry_after.is_some();
            assert!(!ready || alone || self.has_own(), "{waiting} wait beside an idle connection: {info:?}");
            if info.retry_after.is_some() && info.counts.connections > info.counts.connecting {
                // One that could not be established is not tried again at once while another works.
                continue;
            }
            let room = info.counts.connections < self.bounds.per_origin_max && connections < self.bounds.connections_max;
            // Of those that are sent again alone, each has its connection when the one before it has.
            let room = room && (info.counts.retried == 0 || info.counts.connecting == 0);
            // Few connections are new at once.
            let is_new = |conn: &ClientConn| conn.authority() == origin.authority && conn.responses() == 0;
            let room = room && !poll.connections().iter().any(|shared| is_new(&shared.borrow().conn));
            assert!(!room, "{waiting} wait although a connection may be opened: {info:?}");
        }
    }

    fn has_own(&self) -> bool {
        self.own.iter().any(|(_, inserted)| *inserted)
    }

    /// A request is heard again only when it may be.
    pub(super) fn note_attempts(&mut self) {
        let world = self.world.borrow();
        let is_lost = |side: &Side| side.server.is_ended || side.network.closed || side.is_wrong() || side.has_declared_end();
        // Two attempts may have been made since the last look: the one that was lost came first.
        let mut sides: Vec<(usize, &Side)> = world.sides.iter().enumerate().collect();
        sides.sort_by_key(|(_, side)| !is_lost(side));
        for (place, side) in sides {
            for token in side.server.requests.heard() {
                self.check_order(token, place, side);
                let asked = self.asked.get_mut(&token).unwrap_or_else(|| panic!("{token} was refused, and is sent"));
                if asked.attempts.contains(&place) {
                    continue;
                }
                if let Some(before) = asked.attempts.last().map(|before| &world.sides[*before]) {
                    assert!(is_lost(before), "{token} is sent again, and was not lost: {asked:?} before on {before:?}");
                    assert!(asked.pooled && asked.to_write.is_none(), "{token} is sent again");
                    let declared = before.has_declared_end() && !before.has_begun(token);
                    assert!(asked.idempotent || declared || before.is_wrong(), "{token} is repeated, and may not be: {asked:?}");
                    // It may have been sent again, and answered, since the last look.
                    let open = asked.outcome.is_none() || side.server.reply(token).is_some();
                    assert!(open && !asked.cancelled, "{token} had ended, and is sent again");
                }
                asked.attempts.push(place);
                // A connection whose end was declared has answered one of those before it.
                let undeclared = asked.attempts.iter().filter(|place| !world.sides[**place].has_declared_end()).count();
                let most = 1 + self.bounds.retries_max as usize + RESENT_MAX;
                assert!(undeclared <= most, "{token} is sent {undeclared} times");
            }
        }
    }

    /// A request that is heard for the first time on a connection waits there for none that was submitted later, and one that is ahead for none.
    fn check_order(&self, token: u64, place: usize, side: &Side) {
        let is_ahead = |token: u64| self.asked.get(&token).is_some_and(|asked| asked.ahead);
        if self.asked.get(&token).is_none_or(|asked| asked.attempts.contains(&place)) {
            return;
        }
        let before = side.server.requests.heard().take_while(|before| *before != token);
        for before in before.filter(|before| side.server.reply(*before).is_none()) {
            let in_order = !is_ahead(token) && (is_ahead(before) || before < token);
            assert!(in_order || !self.asked[&token].pooled, "{token} waits behind {before}");
        }
    }

    /// What is due is done, and what has something to report reports it.
    pub(super) fn audit(&mut self) {
        let mut told: BTreeSet<u64> = BTreeSet::new();
        {
            let mut poll = self.poll.borrow_mut();
            poll.settle(self.now);
            poll.looked();
            for event in poll.events(100_000) {
                if let Event::Exchange(event) = event {
                    told.insert(event.token);
                }
            }
            let next = poll.next_deadline();
            assert!(next.is_none_or(|at| at > self.now), "something is due at {next:?}, now is {:?}", self.now);
        }
        for (token, failure) in self.found() {
            let silent = !told.contains(&token) && !self.asked[&token].told && self.is_polled(token);
            assert!(!silent, "{token} has failed, and no wait says so: {failure:?}");
            self.fail(token, failure);
        }
        self.drain_held();
        self.check_deadlines();
    }

    fn is_polled(&self, token: u64) -> bool {
        let asked = &self.asked[&token];
        asked.waits().is_some() || asked.seat().is_some_and(|(shared, _)| shared.borrow().is_polled())
    }

    /// Streamed requests of which it is not known yet that they have failed.
    fn found(&self) -> Vec<(u64, Failure)> {
        let open = self.asked.iter().filter(|(_, asked)| asked.is_read() && asked.outcome.is_none());
        let failure = |(token, asked): (&u64, &Asked)| {
            let head = match asked.seat() {
                Some((shared, id)) => shared.borrow_mut().conn.head(id),
                None => asked.waits()?.head(),
            };
            Some((*token, head.err()?))
        };
        open.filter_map(failure).collect()
    }

    /// Takes all completions; their content is bounded.
    fn drain_held(&mut self) {
        let mut octets = 0;
        let held = self.poll.borrow().info().completions;
        let completions = self.poll.borrow_mut().take_completions(held, self.now);
        for completion in completions {
            octets += completion.outcome.as_ref().map_or(0, |response| response.content.len() as u64);
            self.complete(completion.unpacked());
        }
        let on_the_wire = u64::from(self.bounds.connections_max * self.bounds.depth_max + 3 * self.bounds.depth_max);
        let most = self.bounds.completion_octets_max.saturating_add((1 + on_the_wire) * CONTENT_OCTETS_MAX);
        assert!(octets <= most, "{octets} octets are held");
        self.drain();
    }

    /// No deadline has passed without an end.
    fn check_deadlines(&mut self) {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        for (token, asked) in &self.asked {
            let ended = asked.outcome.is_some() || asked.forgotten;
            if asked.collected && !ended && self.is_under_way(*token) {
                assert!(!passed(asked.total), "{token} goes on behind its deadline");
                // What the network does not take has had its turn.
                let of_port = |side: &&Side| side.port == asked.port;
                // So has what a connection took along that ended.
                let lost = |side: &Side| side.is_half_way() || (side.network.closed && !side.server.requests.found.is_empty());
                let stands = self.world.borrow().sides.iter().filter(of_port).any(lost);
                let had_its_turn = !asked.attempts.is_empty() || stands;
                assert!(!passed(asked.queue) || had_its_turn, "{token} waits behind its deadline: {asked:?}");
            }
        }
    }

    fn is_under_way(&self, token: u64) -> bool {
        self.asked[&token].pooled && !matches!(self.asked[&token].hold, Hold::Own(..))
    }
}

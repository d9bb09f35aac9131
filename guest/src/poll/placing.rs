//! Which connection carries the next request of an origin, and how it gets there.

use super::Poll;
use super::choice::{Choice, Pipeline, Room, choose};
use super::job::Seat;
use super::limits::HEAVY_OCTETS;
use super::line::Whom;
use super::member::{Role, Status};
use super::timers::Due;
use crate::conn::ClientConn;
use crate::driver::Driver;
use crate::exchange::asks;
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{Persistence, PersistenceLearnt, Reuse};
use alloc::rc::Rc;

/// What the request in front of a line asks of the connection that carries it.
struct Wanted {
    job: Id,
    pipelines: bool,
    reuse: Reuse,
    again: bool,
    /// See [`Job::rank`](super::job::Job::rank).
    rank: u64,
}

impl<N: Network> Poll<N> {
    /// Gives the requests that wait for an origin to its connections, in their order, as far as these can take them.
    pub(super) fn dispatch(&mut self, id: Id, now: Instant) {
        if let Some(known) = self.pool.origins.get_mut(id) {
            known.marked = false;
        }
        while !self.holds_back() {
            let Some(wanted) = self.wanted(id, Whom::All) else { break };
            match self.choose(id, &wanted, now) {
                Choice::Use(conn) => self.hand_over(wanted.job, conn, now),
                Choice::Open(_) => self.open(id, now),
                Choice::Wait if self.pass_by(id, &wanted, now) => {}
                Choice::Wait => break,
            }
        }
    }

    /// What the request in front asks for.
    fn wanted(&self, id: Id, whom: Whom) -> Option<Wanted> {
        let (id, job, exchange) = self.pool.origins.get(id)?.line.first(whom, &self.pool.jobs)?;
        let (pipelines, reuse) = (exchange.sending.pipelines, exchange.sending.reuse);
        Some(Wanted { job: id, pipelines, reuse, again: job.retries > 0, rank: job.rank(exchange) })
    }

    /// While the request in front waits for a fresh connection, the first one behind it that needs none has its turn. Returns whether it is
    /// placed, or a connection is opened for it.
    fn pass_by(&mut self, id: Id, front: &Wanted, now: Instant) -> bool {
        if !asks(front.reuse, Reuse::FRESH) {
            return false;
        }
        let Some(wanted) = self.wanted(id, Whom::NotFresh) else { return false };
        match self.choose(id, &wanted, now) {
            Choice::Use(conn) => self.hand_over(wanted.job, conn, now),
            Choice::Open(_) => self.open(id, now),
            Choice::Wait => return false,
        }
        true
    }

    fn choose(&mut self, id: Id, wanted: &Wanted, now: Instant) -> Choice<Id> {
        let fresh = asks(wanted.reuse, Reuse::FRESH);
        let idle = if fresh { self.idle_fresh(id) } else { self.take_idle(id) };
        // While another connection works, one that could not be established is not tried again at once.
        let backs_off = wanted.again || self.works(id);
        let yields = self.yields(id);
        let Some(known) = self.pool.origins.get_mut(id) else { return Choice::Wait };
        let retry_at = known.back_off.retry_at.filter(|at| backs_off && *at > now);
        self.timers.arm(Due::Origin(id), &mut known.armed, retry_at);
        let Some(known) = self.pool.origins.get(id) else { return Choice::Wait };
        let undecided = asks(wanted.reuse, Reuse::AWAIT_VERDICT) && known.members.iter().any(|conn| self.is_undecided(*conn));
        // A fresh one is for the request in front alone; after a failure, one shows whether the origin can be reached again.
        let comes = known.connecting >= if fresh || known.back_off.has_failed() { 1 } else { known.line.len() } || undecided;
        let alone = fresh || asks(wanted.reuse, Reuse::AHEAD) || yields || known.trust.is_one_at_a_time(now);
        let pipelines = known.members.iter().filter(|_| wanted.pipelines && !alone);
        let pipelines = pipelines.filter_map(|conn| self.pipeline(*conn, wanted.rank));
        let of_origin =
            known.open < self.limits.connections_per_origin_max || (fresh && known.open > known.connecting && idle.is_none());
        match choose(idle, pipelines, Room { may_open: of_origin && retry_at.is_none(), comes }) {
            Choice::Open(or) if !self.is_open(id, now) => or.map_or(Choice::Wait, Choice::Use),
            Choice::Open(or) if !self.make_room(id, now) => {
                if !self.is_full(id) {
                    self.starve(id);
                }
                or.map_or(Choice::Wait, Choice::Use)
            }
            choice => choice,
        }
    }

    /// The connection of an origin that has become idle last: the others may then be closed.
    fn take_idle(&mut self, id: Id) -> Option<Id> {
        loop {
            let conn = self.pool.origins.get_mut(id)?.idle.pop()?;
            if self
                .members
                .get(conn)
                .is_some_and(|member| member.status == Status::Idle && member.shared.borrow().conn.is_ready())
            {
                return Some(conn);
            }
        }
    }

    fn idle_fresh(&self, id: Id) -> Option<Id> {
        let unused = |conn: &&Id| {
            self.members.get(**conn).is_some_and(|member| {
                let conn = &member.shared.borrow().conn;
                member.status == Status::Idle && conn.requests() == 0 && conn.is_ready()
            })
        };
        self.pool.origins.get(id)?.members.iter().find(unused).copied()
    }

    fn is_undecided(&self, conn: Id) -> bool {
        self.members
            .get(conn)
            .is_some_and(|member| member.shared.borrow().conn.persistence_learnt() == PersistenceLearnt::Unknown)
    }

    /// A connection with requests that one more can join: none that was submitted before one of those. Behind a response that nobody reads
    /// before its own, it would wait for ever.
    fn pipeline(&self, conn: Id, rank: u64) -> Option<Pipeline<Id>> {
        let member = self.members.get(conn)?;
        let driver = member.shared.borrow();
        (member.newest < rank && driver.conn.takes_beside()).then(|| Pipeline {
            conn,
            length: driver.conn.length(),
            heavy: driver.conn.response_octets_left() > HEAVY_OCTETS,
        })
    }

    fn newest(&self, conn: Id) -> u64 {
        self.members.get(conn).map_or(0, |member| member.newest)
    }

    /// Moves a request of a line onto a connection.
    fn hand_over(&mut self, job: Id, conn: Id, now: Instant) {
        let Some(to) = self.members.get(conn).map(|member| Rc::clone(&member.shared)) else { return };
        let Some(exchange) = self.pool.leave_line(job) else { return };
        let rank = self.pool.jobs.get(job).map_or(0, |job| job.rank(&exchange));
        let mut driver = to.borrow_mut();
        let newest = if driver.conn.length() == 0 { 0 } else { self.newest(conn) };
        let reused = u64::from(driver.conn.requests() > 0 || driver.conn.length() > 0);
        self.pool.counts.reused += reused;
        let exchange = driver.conn.admit(exchange, now);
        driver.flag();
        drop(driver);
        if let Some(job) = self.pool.jobs.get_mut(job) {
            job.seat = Seat::Connection(to, exchange);
            if let Some(known) = self.pool.origins.get_mut(job.origin) {
                known.counts.reused += reused;
            }
        }
        if let Some(member) = self.members.get_mut(conn) {
            member.newest = newest.max(rank);
        }
        if self.status(conn) == Some(Status::Idle) {
            // It is not idle any more: the next request must not close it to make room.
            self.heed(conn, now);
        }
    }

    fn open(&mut self, id: Id, now: Instant) {
        let Some(known) = self.pool.origins.get_mut(id) else { return };
        let origin = Rc::clone(&known.origin);
        let ends_after = known.ends_after;
        let mut persistence = origin.settings.persistence;
        let shown = known.persistence == PersistenceLearnt::Pipelining;
        if persistence == Persistence::Learn && shown {
            persistence = Persistence::Assume;
        }
        let persistence = self.network.broken().expects(&origin.authority, persistence);
        match self.network.dial(&origin.endpoint) {
            Ok((number, link)) => {
                let settings = Rc::clone(&origin.settings);
                let mut conn = ClientConn::with_shared(number, origin.authority.clone(), settings, persistence, now);
                conn.join_pool(ends_after);
                conn.log_to(&self.log);
                let shared = Driver::new(conn, link);
                let conn = self.add(&shared, Role::Pooled(id));
                self.watch(conn);
                self.pool.open += 1;
                self.pool.connecting += 1;
                self.pool.counts.opened += 1;
                if let Some(known) = self.pool.origins.get_mut(id) {
                    known.open += 1;
                    known.connecting += 1;
                    known.counts.opened += 1;
                    known.members.push(conn);
                    known.gate.enter(conn);
                }
                shared.borrow_mut().advance(now);
            }
            Err(error) => self.fail_line(id, Whom::All, error, 0),
        }
    }
}

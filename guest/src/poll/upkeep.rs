//! What the pool learns when something has happened to one of its connections.

use super::Poll;
use super::line::{Entrance, Whom};
use super::member::{Role, Status};
use crate::conn::ClientConn;
use crate::driver::{Driver, Shared};
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{CloseReason, Error, PersistenceLearnt};

impl<N: Network> Poll<N> {
    /// Brings the pool up to date with one of its connections.
    pub(super) fn heed_pooled(&mut self, id: Id, origin: Id, driver: &mut Driver<N::Link>, now: Instant) {
        let conn = &mut driver.conn;
        conn.take_change();
        let resent = conn.take_resent();
        while let Some(exchange) = conn.take_unsent() {
            if let Some(job) = exchange.job {
                self.pool.enter_line(job, exchange, Entrance::Again);
            }
        }
        self.count_repeats(origin, resent);
        let status = Status::of(conn);
        let before = self.members.get_mut(id).map(|member| core::mem::replace(&mut member.status, status));
        // A closed connection shows nothing new.
        if before != Some(Status::Closed) {
            self.learn(origin, conn);
            self.note_answer(id, origin, conn, now);
        }
        if let Some(before) = before.filter(|before| *before != status) {
            self.change_status(id, origin, before, status);
            if before == Status::Connecting {
                self.end_connecting(origin, status, conn, now);
            }
            if let (Status::Closed, Some(Error::Closed(CloseReason::PeerOption)), Some(known)) =
                (status, conn.ended_by(), self.pool.origins.get_mut(origin))
            {
                known.ends_after = Some(conn.responses()).filter(|responses| *responses > 0);
            }
            if let (Status::Closed, Some(broke), Some(known)) = (status, conn.broke(), self.pool.origins.get_mut(origin)) {
                known.trust.note_break(broke, now);
            }
        }
        if conn.is_closed()
            && let Some(known) = self.pool.origins.get_mut(origin)
        {
            known.members.retain(|listed| *listed != id);
        }
        self.mark(origin);
    }

    /// Notes how long the first response of a connection took.
    fn note_answer(&mut self, id: Id, origin: Id, conn: &ClientConn, now: Instant) {
        let Some(member) = self.members.get_mut(id).filter(|member| !member.answered && conn.responses() > 0) else { return };
        member.answered = true;
        if let Some(known) = self.pool.origins.get_mut(origin) {
            known.gate.answered(now.since(conn.created()));
        }
    }

    fn learn(&mut self, origin: Id, conn: &ClientConn) {
        let Some(known) = self.pool.origins.get_mut(origin) else { return };
        known.version = conn.version().or(known.version);
        if conn.broke().is_some() {
            known.persistence = PersistenceLearnt::Unknown;
        } else if conn.version().is_some()
            && let shown @ (PersistenceLearnt::Pipelining | PersistenceLearnt::Sequential) = conn.persistence_learnt()
        {
            known.persistence = shown;
        }
    }

    /// A connection that has closed was forgotten, since nothing of it was to be reported: now there is something again.
    pub(super) fn take_in(&mut self, job: Id, shared: &Shared<N::Link>) {
        let driver = shared.borrow();
        let reports = !driver.is_polled() && driver.conn.may_report();
        let Some(origin) = self.pool.jobs.get(job).map(|job| job.origin).filter(|_| reports) else { return };
        drop(driver);
        let id = self.add(shared, Role::Pooled(origin));
        if let Some(member) = self.members.get_mut(id) {
            member.status = Status::Closed;
        }
    }

    fn change_status(&mut self, id: Id, origin: Id, before: Status, status: Status) {
        match before {
            Status::Connecting => self.pool.connecting = self.pool.connecting.saturating_sub(1),
            Status::Idle => {
                if let Some(member) = self.members.get_mut(id) {
                    member.idle_stamp = None;
                }
                let members = &self.members;
                self.pool.idle.removed(|id, stamp| members.get(id).is_some_and(|member| member.idle_stamp == Some(stamp)));
            }
            Status::Busy | Status::Closed => {}
        }
        match status {
            Status::Idle => {
                let stamp = self.pool.idle.add(id);
                if let Some(member) = self.members.get_mut(id) {
                    member.idle_stamp = Some(stamp);
                }
                if let Some(known) = self.pool.origins.get_mut(origin) {
                    known.list_idle(id);
                }
                self.unwatch(id);
                self.feed_starved();
            }
            Status::Busy | Status::Connecting => self.watch(id),
            Status::Closed => {
                self.pool.open = self.pool.open.saturating_sub(1);
                if let Some(known) = self.pool.origins.get_mut(origin) {
                    known.open = known.open.saturating_sub(1);
                }
                self.unwatch(id);
                self.feed_starved();
            }
        }
    }

    /// A connection is established, or could not be.
    fn end_connecting(&mut self, id: Id, status: Status, conn: &ClientConn, now: Instant) {
        let Some(known) = self.pool.origins.get_mut(id) else { return };
        known.connecting = known.connecting.saturating_sub(1);
        // A peer that closes before anything was asked of it is of no more use than one that refuses.
        let by_peer = |error: &Error| !matches!(error, Error::Closed(reason) if *reason != CloseReason::PeerEnded);
        let failed = conn.ended_by().filter(|error| status == Status::Closed && by_peer(error));
        let Some(error) = failed else {
            if status != Status::Closed {
                known.back_off.forget();
                known.gate.established(conn.connecting_took());
            }
            return;
        };
        known.back_off.fail(conn.created(), now);
        // One that works is of no use to those that need a fresh one.
        let whom = if self.works(id) { Whom::Fresh } else { Whom::All };
        self.fail_line(id, whom, error, conn.id());
    }

    /// Whether an origin has a connection that is established and takes requests.
    pub(super) fn works(&self, id: Id) -> bool {
        let works = |conn: &Id| matches!(self.status(*conn), Some(Status::Idle | Status::Busy));
        self.pool.origins.get(id).is_some_and(|known| known.members.iter().any(works))
    }
}

//! Room for connections: within the limits of an origin and in all, made by closing idle ones, and given to origins in turn.

use super::Poll;
use super::gate::Entry;
use super::member::{Role, Status};
use super::timers::Due;
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::CloseReason;
use alloc::rc::Rc;

impl<N: Network> Poll<N> {
    /// Whether another connection may be opened, after the one that has been idle for longest has been closed where that is what it takes.
    pub(super) fn make_room(&mut self, id: Id, now: Instant) -> bool {
        if self.is_full(id) {
            let known = self.pool.origins.get(id);
            let idle =
                known.and_then(|known| known.members.iter().find(|conn| self.status(**conn) == Some(Status::Idle)).copied());
            return idle.is_some_and(|conn| self.close_idle(conn, now));
        }
        if self.pool.open < self.limits.connections_max {
            return true;
        }
        self.idle_to_close(Some(id)).is_some_and(|conn| self.close_idle(conn, now))
    }

    /// Whether so few connections of the origin are new that there may be another one.
    pub(super) fn is_open(&mut self, id: Id, now: Instant) -> bool {
        let members = &self.members;
        let stage = |conn: Id| {
            let member = members.get(conn)?;
            match (member.status, member.shared.borrow().conn.opened()) {
                (Status::Closed, _) => None,
                _ if member.answered => None,
                (_, opened) => Some(opened),
            }
        };
        let Some(known) = self.pool.origins.get_mut(id) else { return false };
        match known.gate.entry(stage, now) {
            Entry::Now => true,
            Entry::At(at) => {
                self.timers.arm(Due::Origin(id), &mut known.armed, Some(at));
                false
            }
            Entry::Later => false,
        }
    }

    /// Whether the origin has as many connections as it may.
    pub(super) fn is_full(&self, id: Id) -> bool {
        self.pool.origins.get(id).is_some_and(|known| known.open >= self.limits.connections_per_origin_max)
    }

    pub(super) fn status(&self, conn: Id) -> Option<Status> {
        self.members.get(conn).map(|member| member.status)
    }

    /// The one that has been idle for longest, but none that is about to carry the first of the requests that it was opened for: two origins
    /// would take each other's place for ever.
    ///
    /// Nor one of an origin whose requests wait, unless the origin `id` has none, or two fewer than that: else they would take turns.
    fn idle_to_close(&mut self, id: Option<Id>) -> Option<Id> {
        self.longest_idle()?;
        let mut idle = self.pool.idle.around(0).filter(|(conn, stamp)| self.is_idle(*conn, *stamp));
        idle.find(|(conn, _)| !self.is_awaited(*conn) && self.may_take(id, *conn)).map(|(conn, _)| conn)
    }

    /// Whether an origin, or whichever it is, may have the place of an idle connection.
    fn may_take(&self, id: Option<Id>, conn: Id) -> bool {
        let Some(Role::Pooled(owner)) = self.members.get(conn).map(|member| member.role) else { return false };
        let own = id == Some(owner);
        self.pool
            .origins
            .get(owner)
            .is_none_or(|known| own || known.line.len() == 0 || id.is_some_and(|id| self.has_fewer(id, known.open)))
    }

    /// Whether an origin has no connection, or at least two fewer than another one that has so many.
    fn has_fewer(&self, id: Id, open: usize) -> bool {
        self.pool.origins.get(id).is_some_and(|known| known.open == 0 || open > known.open + 1)
    }

    fn is_awaited(&self, conn: Id) -> bool {
        self.members.get(conn).is_some_and(|member| {
            let Role::Pooled(origin) = member.role else { return false };
            let conn = &member.shared.borrow().conn;
            let waited_for = self.pool.origins.get(origin).is_some_and(|known| known.line.len() > 0);
            waited_for && conn.requests() == 0 && conn.is_ready()
        })
    }

    fn longest_idle(&mut self) -> Option<Id> {
        let members = &self.members;
        self.pool.idle.longest(|id, stamp| members.get(id).is_some_and(|member| member.idle_stamp == Some(stamp)))
    }

    fn close_idle(&mut self, conn: Id, now: Instant) -> bool {
        let Some(member) = self.members.get(conn) else { return false };
        let shared = Rc::clone(&member.shared);
        let mut driver = shared.borrow_mut();
        driver.conn.close(CloseReason::Idle, now);
        driver.heed_wish();
        drop(driver);
        self.heed(conn, now);
        true
    }

    /// Closes those idle for longest above the limit. Returns whether there were any: what waits for room has its turn then.
    pub(super) fn close_surplus(&mut self, now: Instant) -> bool {
        let mut closed = false;
        while self.pool.idle.count() > self.limits.idle_connections_max {
            let Some(conn) = self.longest_idle() else { break };
            closed |= self.close_idle(conn, now);
        }
        closed
    }

    /// Requests of this origin wait for room that only another origin's connection can make.
    pub(super) fn starve(&mut self, id: Id) {
        if let Some(known) = self.pool.origins.get_mut(id)
            && !core::mem::replace(&mut known.starved, true)
        {
            self.pool.starved.push_back(id);
        }
    }

    /// Whether an origin leaves its connections as they are, so that one becomes idle and makes room for another origin that waits for it.
    pub(super) fn yields(&self, id: Id) -> bool {
        let Some(open) = self.pool.origins.get(id).map(|known| known.open) else { return false };
        let waits = |other: &Id| *other != id && self.pool.origins.get(*other).is_some_and(|known| known.line.len() > 0);
        let waits = |other: &Id| waits(other) && self.has_fewer(*other, open);
        self.pool.open >= self.limits.connections_max && self.pool.starved.iter().any(waits)
    }

    pub(super) fn feed_starved(&mut self) {
        while let Some(id) = self.pool.starved.pop_front() {
            let Some(known) = self.pool.origins.get_mut(id) else { continue };
            known.starved = false;
            if known.line.len() > 0 {
                return self.mark(id);
            }
        }
    }

    /// Gives what room there still is to another origin that waits for it: the one that had its turn may not have needed it.
    pub(super) fn share_room(&mut self) {
        if self.pool.open < self.limits.connections_max || self.idle_to_close(None).is_some() {
            self.feed_starved();
        }
    }
}

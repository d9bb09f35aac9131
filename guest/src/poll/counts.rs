//! Connections and requests, counted.

use super::member::{Role, Status};
use super::origin::Origin;
use super::{Poll, count};
use crate::link::Network;
use crate::timer::Instant;
use crate::types::{ConnState, PersistenceLearnt};
use crate::wit::client::{OriginInfo, PollInfo, PoolCounts};
use alloc::rc::Rc;

impl<N: Network> Poll<N> {
    /// `poll.info`.
    pub fn info(&self) -> PollInfo {
        let mut counts = self.count(|_| true, self.pool.queued);
        (counts.opened, counts.reused, counts.retried) =
            (self.pool.counts.opened, self.pool.counts.reused, self.pool.counts.retried);
        PollInfo { counts, completions: count(self.completions.len()) }
    }

    /// `poll.origin-info`.
    pub fn origin_info(&mut self, origin: &Rc<Origin>, now: Instant) -> OriginInfo {
        let place = self.place_of(origin);
        let waiting = place.and_then(|id| self.pool.origins.get(id)).map_or(0, |known| known.line.len());
        let mut counts = self.count(|role| matches!(role, Role::Pooled(id) if Some(id) == place), waiting);
        let Some(known) = place.and_then(|id| self.pool.origins.get(id)) else {
            let persistence = PersistenceLearnt::Unknown;
            return OriginInfo { counts, version: None, persistence, connect_failures: 0, retry_after: None };
        };
        (counts.opened, counts.reused, counts.retried) = (known.counts.opened, known.counts.reused, known.counts.retried);
        OriginInfo {
            counts,
            version: known.version,
            persistence: known.persistence,
            connect_failures: known.back_off.failures,
            retry_after: known.back_off.retry_at.filter(|at| *at > now).map(|at| at.since(now)),
        }
    }

    /// Counts connections and their requests, beside so many that wait in lines.
    fn count(&self, belongs: impl Fn(Role) -> bool, waiting: usize) -> PoolCounts {
        let mut counts = PoolCounts {
            connections: 0,
            connecting: 0,
            idle: 0,
            active: 0,
            outstanding: 0,
            queued: count(waiting),
            opened: 0,
            reused: 0,
            retried: 0,
        };
        for (_, member) in self.members.iter().filter(|(_, member)| belongs(member.role)) {
            let conn = &member.shared.borrow().conn;
            counts.queued = counts.queued.saturating_add(count(conn.queued()));
            if conn.state() == ConnState::Closed {
                continue;
            }
            counts.connections += 1;
            counts.outstanding = counts.outstanding.saturating_add(conn.length().saturating_sub(count(conn.queued())));
            match Status::of(conn) {
                Status::Connecting => counts.connecting += 1,
                Status::Idle => counts.idle += 1,
                Status::Busy | Status::Closed => {}
            }
            counts.active += u32::from(conn.length() > 0);
        }
        counts
    }
}

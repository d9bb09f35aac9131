//! The pool: which connection carries a request, and what becomes of one that failed.

use super::choice::{Choice, Pipeline, Room, choose};
use super::job::{self, Job, Ticket};
use super::limits::{BACK_OFF_NS, BACK_OFF_NS_MAX, HEAVY_OCTETS, ORIGINS_MAX};
use super::member::{Role, Status};
use super::origin::{Known, Origin};
use super::timers::Due;
use super::{Poll, count};
use crate::conn::{ClientConn, Completed, ExchangeId};
use crate::driver::Driver;
use crate::exchange::{Exchange, asks};
use crate::failure;
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{
    CloseReason, ConnState, Delivery, Error, Failure, Limit, Misuse, Persistence, PersistenceLearnt, Request, RequestContent,
    RequestOptions, Reuse,
};
use crate::wit::client::{Completion, OriginInfo, PollInfo, PoolCounts};
use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;

/// What `submit-all` collects unless a request says otherwise.
const COLLECT_OCTETS_DEFAULT: u64 = 1 << 20;

/// What the request in front of a line asks of the connection that carries it.
struct Wanted {
    pipelines: bool,
    reuse: Reuse,
    again: bool,
}

impl<N: Network> Poll<N> {
    /// `poll.submit`.
    pub fn submit(
        poll: &Rc<RefCell<Poll<N>>>,
        origin: &Rc<Origin>,
        request: Request,
        token: u64,
        now: Instant,
    ) -> Result<Ticket<N>, Failure> {
        let mut this = poll.borrow_mut();
        let id = this.known(origin, now);
        let job = this.enter(id, request, token, now)?;
        this.dispatch(id, now);
        if let Some(surplus) = this.surplus(id) {
            this.jobs.remove(surplus);
            return Err(failure::refused(Error::LimitExceeded(Limit::QueueLength), 0, 0));
        }
        let entered = this.jobs.get_mut(job).ok_or_else(internal)?;
        let (member, exchange) = entered.place;
        let shared = this.members.get(member).map(|member| Rc::clone(&member.shared)).ok_or_else(internal)?;
        let seat = Rc::new(RefCell::new((shared, exchange)));
        if let Some(entered) = this.jobs.get_mut(job) {
            entered.seat = Rc::downgrade(&seat);
        }
        this.settle(now);
        Ok(Ticket { poll: Rc::downgrade(poll), job, seat })
    }

    /// `poll.submit-all`.
    pub fn submit_all(&mut self, origin: &Rc<Origin>, requests: Vec<Request>, first_token: u64, now: Instant) {
        let id = self.known(origin, now);
        let mut entered = 0;
        for (mut request, index) in requests.into_iter().zip(0..) {
            let options = request.options.get_or_insert_with(RequestOptions::default);
            options.collect_octets_max.get_or_insert(COLLECT_OCTETS_DEFAULT);
            let token = first_token.wrapping_add(index);
            match self.enter(id, request, token, now) {
                Ok(_) => entered += 1,
                Err(refusal) => self.complete(job::refused(token, refusal)),
            }
        }
        self.dispatch(id, now);
        let mut refused = Vec::new();
        // Those that waited before stay, also when they are more than may wait by now.
        for _ in 0..entered {
            let Some(job) = self.surplus(id) else { break };
            refused.extend(self.jobs.remove(job).map(|job| job.token));
        }
        for token in refused.into_iter().rev() {
            self.complete(job::refused(token, failure::refused(Error::LimitExceeded(Limit::QueueLength), 0, 0)));
        }
        self.settle(now);
    }

    /// `poll.cancel`.
    pub fn cancel(&mut self, token: u64, now: Instant) -> Result<(), Error> {
        // What has failed, and is about to be sent again, is given up too.
        self.settle(now);
        let found = self.jobs.iter().find(|(_, job)| job.token == token && job.collected).map(|(_, job)| job.place);
        let member = found.and_then(|(member, exchange)| Some((self.members.get(member)?, exchange)));
        let Some((member, exchange)) = member else { return Err(Error::ApiMisuse(Misuse::UnknownToken)) };
        let shared = Rc::clone(&member.shared);
        let mut driver = shared.borrow_mut();
        driver.conn.cancel(exchange, now);
        driver.advance(now);
        drop(driver);
        self.settle(now);
        Ok(())
    }

    /// The ticket of a streamed request was dropped.
    pub(super) fn forget_job(&mut self, job: Id) {
        if self.jobs.get(job).is_some_and(|job| !job.collected) {
            self.jobs.remove(job);
        }
    }

    /// `poll.network-changed`.
    pub fn network_changed(&mut self, now: Instant) {
        self.network.changed();
        for (_, member) in self.members.iter().filter(|(_, member)| matches!(member.role, Role::Pooled(_))) {
            let mut driver = member.shared.borrow_mut();
            driver.conn.retire(CloseReason::NetworkChanged, now);
            driver.heed_wish();
        }
        let origins: Vec<Id> = self.origins.iter().map(|(id, _)| id).collect();
        for id in origins {
            if let Some(known) = self.origins.get_mut(id) {
                known.failures = 0;
                known.retry_at = None;
            }
            self.mark(id);
        }
        self.settle(now);
    }

    /// Where the pool keeps what it knows about an origin.
    fn known(&mut self, origin: &Rc<Origin>, now: Instant) -> Id {
        self.uses += 1;
        let place = origin.place_in(self.id).filter(|id| self.origins.get(*id).is_some());
        let id = place.or_else(|| self.origins.iter().find(|(_, known)| known.origin.is_same(origin)).map(|(id, _)| id));
        let id = id.unwrap_or_else(|| {
            self.forget_origin(now);
            self.origins.insert(Known::new(Rc::clone(origin)))
        });
        origin.set_place(self.id, id);
        if let Some(known) = self.origins.get_mut(id) {
            known.used = self.uses;
        }
        id
    }

    /// Makes room for another origin, if need be: forgets the one that was not used for longest, if there is one without requests.
    fn forget_origin(&mut self, now: Instant) {
        if self.origins.count() < ORIGINS_MAX {
            return;
        }
        let unused = self.origins.iter().filter(|(_, known)| known.open == 0 && known.queued == 0);
        let Some((id, _)) = unused.min_by_key(|(_, known)| known.used) else { return };
        let line = self.origins.remove(id).and_then(|known| known.line);
        if let Some(member) = line.and_then(|line| self.members.remove(line)) {
            let mut driver = member.shared.borrow_mut();
            driver.leave();
            driver.conn.close(CloseReason::Dropped, now);
        }
    }

    /// The member that is the waiting line of an origin.
    fn line(&mut self, id: Id, now: Instant) -> Option<Id> {
        let known = self.origins.get(id)?;
        if let Some(line) = known.line {
            return Some(line);
        }
        let conn = ClientConn::line(known.origin.authority.clone(), known.origin.settings.clone(), now);
        let line = self.add(&Driver::new(conn, None), Role::Line(id));
        self.origins.get_mut(id)?.line = Some(line);
        Some(line)
    }

    /// Puts a request into the line of its origin.
    fn enter(&mut self, id: Id, request: Request, token: u64, now: Instant) -> Result<Id, Failure> {
        let line = self.line(id, now).ok_or_else(internal)?;
        let shared = self.members.get(line).map(|member| Rc::clone(&member.shared)).ok_or_else(internal)?;
        let collected = request.options.as_ref().is_some_and(|options| options.collect_octets_max.is_some());
        let streamed = matches!(request.content, RequestContent::Length(_) | RequestContent::UnknownLength);
        let kept = (self.limits.retries_max > 0 && collected && !streamed).then(|| request.clone());
        let mut driver = shared.borrow_mut();
        let exchange = driver.conn.send(request, token, now)?;
        let place = (line, exchange);
        let job = Job {
            token,
            origin: id,
            started: now,
            collected,
            request: kept,
            retries: 0,
            furthest: None,
            place,
            seat: Weak::new(),
        };
        let job = self.jobs.insert(job);
        driver.conn.assign(exchange, job);
        driver.flag();
        self.recount(id, &driver.conn);
        Ok(job)
    }

    /// Takes the last request of a line back when more wait than may; gives its job.
    fn surplus(&mut self, id: Id) -> Option<Id> {
        if self.queued <= self.limits.queue_length_max.saturating_add(self.connecting) {
            return None;
        }
        let line = self.origins.get(id)?.line?;
        let shared = Rc::clone(&self.members.get(line)?.shared);
        let mut driver = shared.borrow_mut();
        let last = driver.conn.last_waiting()?;
        let exchange = driver.conn.withdraw(last)?;
        self.recount(id, &driver.conn);
        exchange.job
    }

    /// Counts the requests in a line anew.
    fn recount(&mut self, id: Id, line: &ClientConn) {
        if let Some(known) = self.origins.get_mut(id) {
            self.queued = self.queued.saturating_sub(known.queued) + line.queued();
            known.queued = line.queued();
        }
    }

    /// The requests of an origin may have a turn.
    pub(super) fn mark(&mut self, id: Id) {
        if let Some(known) = self.origins.get_mut(id)
            && known.queued > 0
            && !core::mem::replace(&mut known.marked, true)
        {
            self.marked.push_back(id);
        }
    }

    pub(super) fn mark_all(&mut self) {
        let origins: Vec<Id> = self.origins.iter().map(|(id, _)| id).collect();
        origins.into_iter().for_each(|id| self.mark(id));
    }

    /// Whether so much is waiting to be taken that nothing more is sent.
    pub(super) fn holds_back(&self) -> bool {
        self.completion_octets > self.limits.completion_octets_max
    }

    /// Gives the requests that wait for an origin to its connections, in their order, as far as these can take them.
    pub(super) fn dispatch(&mut self, id: Id, now: Instant) {
        if let Some(known) = self.origins.get_mut(id) {
            known.marked = false;
        }
        while !self.holds_back() {
            let Some((line, wanted)) = self.wanted(id) else { break };
            match self.choose(id, &wanted, now) {
                Choice::Use(conn) => self.hand_over(line, conn, now),
                Choice::Open(_) => self.open(id, now),
                Choice::Wait => break,
            }
        }
    }

    /// What the request in front asks for.
    fn wanted(&self, id: Id) -> Option<(Id, Wanted)> {
        let line = self.origins.get(id)?.line?;
        let driver = self.members.get(line)?.shared.borrow();
        let (_, exchange) = driver.conn.waiting()?;
        let again = exchange.job.and_then(|job| self.jobs.get(job)).is_some_and(|job| job.retries > 0);
        Some((line, Wanted { pipelines: exchange.pipelines, reuse: exchange.reuse, again }))
    }

    fn choose(&mut self, id: Id, wanted: &Wanted, now: Instant) -> Choice<Id> {
        let fresh = asks(wanted.reuse, Reuse::FRESH);
        let idle = if fresh { self.idle_fresh(id) } else { self.take_idle(id) };
        let Some(known) = self.origins.get_mut(id) else { return Choice::Wait };
        // While another connection works, one that could not be established is not tried again at once.
        let backs_off = wanted.again || known.open > known.connecting;
        let retry_at = known.retry_at.filter(|at| backs_off && *at > now);
        self.timers.arm(Due::Origin(id), &mut known.armed, retry_at);
        let Some(known) = self.origins.get(id) else { return Choice::Wait };
        let undecided = asks(wanted.reuse, Reuse::AWAIT_VERDICT) && known.members.iter().any(|conn| self.is_undecided(*conn));
        let comes = known.connecting >= known.queued || undecided;
        let pipelines = known.members.iter().filter(|_| wanted.pipelines && !fresh).filter_map(|conn| self.pipeline(*conn));
        let of_origin =
            known.open < self.limits.connections_per_origin_max || (fresh && known.open > known.connecting && idle.is_none());
        match choose(idle, pipelines, Room { may_open: of_origin && retry_at.is_none(), comes }) {
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
            let conn = self.origins.get_mut(id)?.idle.pop()?;
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
        self.origins.get(id)?.members.iter().find(unused).copied()
    }

    fn is_undecided(&self, conn: Id) -> bool {
        self.members
            .get(conn)
            .is_some_and(|member| member.shared.borrow().conn.persistence_learnt() == PersistenceLearnt::Unknown)
    }

    fn pipeline(&self, conn: Id) -> Option<Pipeline<Id>> {
        let driver = self.members.get(conn)?.shared.borrow();
        driver.conn.takes_pipelined().then(|| Pipeline {
            conn,
            length: driver.conn.length(),
            heavy: driver.conn.response_octets_left() > HEAVY_OCTETS,
        })
    }

    /// Whether another connection may be opened, after the one that has been idle for longest has been closed where that is what it takes.
    fn make_room(&mut self, id: Id, now: Instant) -> bool {
        if self.is_full(id) {
            let known = self.origins.get(id);
            let idle =
                known.and_then(|known| known.members.iter().find(|conn| self.status(**conn) == Some(Status::Idle)).copied());
            return idle.is_some_and(|conn| self.close_idle(conn, now));
        }
        if self.open < self.limits.connections_max {
            return true;
        }
        self.idle_to_close().is_some_and(|conn| self.close_idle(conn, now))
    }

    /// Whether the origin has as many connections as it may.
    fn is_full(&self, id: Id) -> bool {
        self.origins.get(id).is_some_and(|known| known.open >= self.limits.connections_per_origin_max)
    }

    fn status(&self, conn: Id) -> Option<Status> {
        self.members.get(conn).map(|member| member.status)
    }

    /// The one that has been idle for longest, but none that is about to carry the first of the requests that it was opened for: two origins
    /// would take each other's place for ever.
    fn idle_to_close(&mut self) -> Option<Id> {
        self.longest_idle()?;
        let mut idle = self.idle.around(0).filter(|(id, stamp)| self.is_idle(*id, *stamp));
        idle.find(|(id, _)| !self.is_awaited(*id)).map(|(id, _)| id)
    }

    fn is_awaited(&self, conn: Id) -> bool {
        self.members.get(conn).is_some_and(|member| {
            let Role::Pooled(origin) = member.role else { return false };
            let conn = &member.shared.borrow().conn;
            let waited_for = self.origins.get(origin).is_some_and(|known| known.queued > 0);
            waited_for && conn.requests() == 0 && conn.is_ready()
        })
    }

    fn longest_idle(&mut self) -> Option<Id> {
        let members = &self.members;
        self.idle.longest(|id, stamp| members.get(id).is_some_and(|member| member.idle_stamp == Some(stamp)))
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
        while self.idle.count() > self.limits.idle_connections_max {
            let Some(conn) = self.longest_idle() else { break };
            closed |= self.close_idle(conn, now);
        }
        closed
    }

    /// Requests of this origin wait for room that only another origin's connection can make.
    fn starve(&mut self, id: Id) {
        if let Some(known) = self.origins.get_mut(id)
            && !core::mem::replace(&mut known.starved, true)
        {
            self.starved.push_back(id);
        }
    }

    fn feed_starved(&mut self) {
        while let Some(id) = self.starved.pop_front() {
            let Some(known) = self.origins.get_mut(id) else { continue };
            known.starved = false;
            if known.queued > 0 {
                return self.mark(id);
            }
        }
    }

    /// Gives what room there still is to another origin that waits for it: the one that had its turn may not have needed it.
    pub(super) fn share_room(&mut self) {
        if self.open < self.limits.connections_max || self.idle_to_close().is_some() {
            self.feed_starved();
        }
    }

    /// Moves the request in front of a line onto a connection.
    fn hand_over(&mut self, line: Id, conn: Id, now: Instant) {
        let (Some(from), Some(to)) = (self.members.get(line), self.members.get(conn)) else { return };
        let (from, to) = (Rc::clone(&from.shared), Rc::clone(&to.shared));
        let (mut from, mut driver) = (from.borrow_mut(), to.borrow_mut());
        let Some(exchange) = from.conn.waiting().map(|(id, _)| id).and_then(|id| from.conn.withdraw(id)) else { return };
        let reused = u64::from(driver.conn.requests() > 0);
        self.reused += reused;
        let job = exchange.job;
        let exchange = driver.conn.admit(exchange, now);
        driver.flag();
        drop(driver);
        if let Some(job) = job.and_then(|job| self.jobs.get_mut(job)) {
            job.move_to(conn, &to, exchange);
            if let Some(known) = self.origins.get_mut(job.origin) {
                known.reused += reused;
            }
            let origin = job.origin;
            self.recount(origin, &from.conn);
        }
        drop(from);
        if self.status(conn) == Some(Status::Idle) {
            // It is not idle any more: the next request must not close it to make room.
            self.heed(conn, now);
        }
    }

    /// Puts an exchange that never left back into the line, in front.
    fn put_back(&mut self, id: Id, exchange: Box<Exchange>, now: Instant) {
        let Some(line) = self.line(id, now) else { return };
        let Some(member) = self.members.get(line) else { return };
        let shared = Rc::clone(&member.shared);
        let mut driver = shared.borrow_mut();
        let job = exchange.job;
        let exchange = driver.conn.admit_first(exchange, now);
        driver.flag();
        if let Some(job) = job.and_then(|job| self.jobs.get_mut(job)) {
            job.move_to(line, &shared, exchange);
        }
        self.recount(id, &driver.conn);
        drop(driver);
        self.mark(id);
    }

    fn open(&mut self, id: Id, now: Instant) {
        let Some(known) = self.origins.get_mut(id) else { return };
        let origin = Rc::clone(&known.origin);
        let mut settings = origin.settings.clone();
        let shown = known.persistence == PersistenceLearnt::Pipelining;
        if settings.persistence == Persistence::Learn && shown {
            settings.persistence = Persistence::Assume;
        }
        if settings.persistence == Persistence::Assume && self.network.take_broken(&origin.authority) {
            settings.persistence = Persistence::Learn;
        }
        match self.network.dial(&origin.endpoint) {
            Ok(link) => {
                let number = self.network.next_connection();
                let mut conn = ClientConn::new(number, origin.authority.clone(), settings, now);
                conn.join_pool();
                let shared = Driver::new(conn, Some(link));
                let conn = self.add(&shared, Role::Pooled(id));
                self.watch(conn);
                self.open += 1;
                self.connecting += 1;
                self.opened += 1;
                if let Some(known) = self.origins.get_mut(id) {
                    known.open += 1;
                    known.connecting += 1;
                    known.opened += 1;
                    known.members.push(conn);
                }
                shared.borrow_mut().advance(now);
            }
            Err(error) => self.fail_line(id, error, now),
        }
    }

    /// Fails every request that waits for an origin.
    fn fail_line(&mut self, id: Id, error: Error, now: Instant) {
        let Some(line) = self.origins.get(id).and_then(|known| known.line) else { return };
        let Some(member) = self.members.get(line) else { return };
        let shared = Rc::clone(&member.shared);
        let mut driver = shared.borrow_mut();
        if let Error::TimedOut(_) = error {
            let tokens = driver.conn.waiting_tokens();
            self.note_timed_out(tokens);
        }
        driver.conn.fail_waiting(error, now);
        driver.flag();
        self.recount(id, &driver.conn);
    }

    /// Brings the pool up to date with one of its connections.
    pub(super) fn heed_pooled(&mut self, id: Id, origin: Id, driver: &mut Driver<N::Link>, now: Instant) {
        let conn = &mut driver.conn;
        conn.take_change();
        while let Some(exchange) = conn.take_unsent() {
            self.put_back(origin, exchange, now);
        }
        self.learn(origin, conn);
        let status = Status::of(conn);
        let before = self.members.get_mut(id).map(|member| core::mem::replace(&mut member.status, status));
        if let Some(before) = before.filter(|before| *before != status) {
            self.change_status(id, origin, before, status);
            if before == Status::Connecting {
                self.end_connecting(origin, status, conn.ended_by(), now);
            }
        }
        if conn.is_closed()
            && let Some(known) = self.origins.get_mut(origin)
        {
            known.members.retain(|listed| *listed != id);
        }
        self.mark(origin);
    }

    fn learn(&mut self, origin: Id, conn: &ClientConn) {
        let Some(known) = self.origins.get_mut(origin) else { return };
        known.version = conn.version().or(known.version);
        if conn.pipeline_broke() {
            known.persistence = PersistenceLearnt::Unknown;
        } else if conn.version().is_some()
            && let shown @ (PersistenceLearnt::Pipelining | PersistenceLearnt::Sequential) = conn.persistence_learnt()
        {
            known.persistence = shown;
        }
    }

    fn change_status(&mut self, id: Id, origin: Id, before: Status, status: Status) {
        match before {
            Status::Connecting => self.connecting = self.connecting.saturating_sub(1),
            Status::Idle => {
                if let Some(member) = self.members.get_mut(id) {
                    member.idle_stamp = None;
                }
                let members = &self.members;
                self.idle.removed(|id, stamp| members.get(id).is_some_and(|member| member.idle_stamp == Some(stamp)));
            }
            Status::Busy | Status::Closed => {}
        }
        match status {
            Status::Idle => {
                let stamp = self.idle.add(id);
                if let Some(member) = self.members.get_mut(id) {
                    member.idle_stamp = Some(stamp);
                }
                if let Some(known) = self.origins.get_mut(origin) {
                    known.list_idle(id);
                }
                self.unwatch(id);
                self.feed_starved();
            }
            Status::Busy | Status::Connecting => self.watch(id),
            Status::Closed => {
                self.open = self.open.saturating_sub(1);
                if let Some(known) = self.origins.get_mut(origin) {
                    known.open = known.open.saturating_sub(1);
                }
                self.unwatch(id);
                self.feed_starved();
            }
        }
    }

    /// A connection is established, or could not be.
    fn end_connecting(&mut self, id: Id, status: Status, ended_by: Option<Error>, now: Instant) {
        let Some(known) = self.origins.get_mut(id) else { return };
        known.connecting = known.connecting.saturating_sub(1);
        // A peer that closes before anything was asked of it is of no more use than one that refuses.
        let by_peer = |error: &Error| !matches!(error, Error::Closed(reason) if *reason != CloseReason::PeerEnded);
        let failed = ended_by.filter(|error| status == Status::Closed && by_peer(error));
        let Some(error) = failed else {
            if status != Status::Closed {
                known.failures = 0;
                known.retry_at = None;
            }
            return;
        };
        let doubled = BACK_OFF_NS.checked_shl(known.failures.min(32)).unwrap_or(BACK_OFF_NS_MAX);
        known.failures = known.failures.saturating_add(1);
        known.retry_at = now.after(Some(doubled.min(BACK_OFF_NS_MAX)));
        if known.open == known.connecting {
            self.fail_line(id, error, now);
        }
    }

    /// Brings the pool up to date with a waiting line.
    pub(super) fn heed_line(&mut self, origin: Id, driver: &mut Driver<N::Link>) {
        driver.conn.take_change();
        self.recount(origin, &driver.conn);
        self.mark(origin);
    }

    /// A collected request has ended, moves to another connection, or is sent again.
    pub(super) fn end_job(&mut self, id: Id, mut completed: Completed, conn: &ClientConn) {
        let connection = conn.id();
        let Some(job) = self.jobs.get_mut(id) else { return self.complete(job::completion(completed, connection, 0)) };
        // Of a connection that ended in order: each of them has answered something, so that this comes to an end.
        let in_order = |error| matches!(error, Error::Closed(_)) && conn.may_move(error);
        let moves = completed.request.is_some()
            && matches!(completed.outcome, Err(Failure { delivery: Delivery::NotSent, error, .. }) if in_order(error));
        if moves || job::may_repeat(job, &completed, self.limits.retries_max) {
            if let (false, Err(failed)) = (moves, &completed.outcome) {
                job.retry(*failed);
            }
            let origin = job.origin;
            if let Some(request) = completed.request.take().or_else(|| job.request.clone()) {
                if let (false, Some(known)) = (moves, self.origins.get_mut(origin)) {
                    known.retried += 1;
                    self.retried += 1;
                }
                return self.again.push((id, request));
            }
        }
        let retries = job.retries;
        completed.outcome = completed.outcome.map_err(|last| job.of_all_attempts(last));
        self.jobs.remove(id);
        self.complete(job::completion(completed, connection, retries));
    }

    /// Puts requests that are sent again into the lines of their origins, in front and in their order.
    pub(super) fn send_again(&mut self, now: Instant) {
        for (id, request) in core::mem::take(&mut self.again).into_iter().rev() {
            let Some(job) = self.jobs.get(id) else { continue };
            let (origin, token, started) = (job.origin, job.token, job.started);
            if let Err(refusal) = self.enter_again(origin, id, request, token, started, now) {
                let job = self.jobs.remove(id);
                let retries = job.as_ref().map_or(0, |job| job.retries);
                let completion = job::refused(token, job.map_or(refusal, |job| job.of_all_attempts(refusal)));
                self.complete(Completion { retries, ..completion });
            }
        }
    }

    fn enter_again(
        &mut self,
        origin: Id,
        job: Id,
        request: Request,
        token: u64,
        started: Instant,
        now: Instant,
    ) -> Result<(), Failure> {
        let line = self.line(origin, now).ok_or_else(internal)?;
        let shared = self.members.get(line).map(|member| Rc::clone(&member.shared)).ok_or_else(internal)?;
        let mut driver = shared.borrow_mut();
        let exchange: ExchangeId = driver.conn.send_again(request, token, started, now)?;
        driver.conn.assign(exchange, job);
        driver.flag();
        if let Some(job) = self.jobs.get_mut(job) {
            job.move_to(line, &shared, exchange);
        }
        self.recount(origin, &driver.conn);
        drop(driver);
        self.mark(origin);
        Ok(())
    }

    /// `poll.info`.
    pub fn info(&self) -> PollInfo {
        let mut counts = self.count(|_| true);
        (counts.opened, counts.reused, counts.retried) = (self.opened, self.reused, self.retried);
        PollInfo { counts, completions: count(self.completions.len()) }
    }

    /// `poll.origin-info`.
    pub fn origin_info(&mut self, origin: &Rc<Origin>, now: Instant) -> OriginInfo {
        let place = origin.place_in(self.id).filter(|id| self.origins.get(*id).is_some());
        let place = place.or_else(|| self.origins.iter().find(|(_, known)| known.origin.is_same(origin)).map(|(id, _)| id));
        let mut counts = self.count(|role| matches!(role, Role::Pooled(id) | Role::Line(id) if Some(id) == place));
        let Some(known) = place.and_then(|id| self.origins.get(id)) else {
            let persistence = PersistenceLearnt::Unknown;
            return OriginInfo { counts, version: None, persistence, connect_failures: 0, retry_after: None };
        };
        (counts.opened, counts.reused, counts.retried) = (known.opened, known.reused, known.retried);
        OriginInfo {
            counts,
            version: known.version,
            persistence: known.persistence,
            connect_failures: known.failures,
            retry_after: known.retry_at.filter(|at| *at > now).map(|at| at.since(now)),
        }
    }

    fn count(&self, belongs: impl Fn(Role) -> bool) -> PoolCounts {
        let mut counts = PoolCounts {
            connections: 0,
            connecting: 0,
            idle: 0,
            active: 0,
            outstanding: 0,
            queued: 0,
            opened: 0,
            reused: 0,
            retried: 0,
        };
        for (_, member) in self.members.iter().filter(|(_, member)| belongs(member.role)) {
            let conn = &member.shared.borrow().conn;
            counts.queued = counts.queued.saturating_add(count(conn.queued()));
            if matches!(member.role, Role::Line(_)) || conn.state() == ConnState::Closed {
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

fn internal() -> Failure {
    failure::refused(Error::Internal, 0, 0)
}

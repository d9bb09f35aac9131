//! The pool: which connection carries a request, and what becomes of one that failed.

use super::Poll;
use super::job::{self, Job, Ticket};
use super::limits::ORIGINS_MAX;
use super::member::Role;
use super::origin::{Known, Origin};
use crate::conn::{ClientConn, Completed, ExchangeId};
use crate::driver::Driver;
use crate::failure;
use crate::link::Network;
use crate::settings::Settings;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{CloseReason, Error, Failure, Limit, Misuse, PackedCompletion, Request, RequestContent};
use alloc::rc::{Rc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

impl<N: Network> Poll<N> {
    /// `poll.submit`.
    pub fn submit(
        poll: &Rc<RefCell<Poll<N>>>,
        origin: &Rc<Origin>,
        request: Request,
        token: u64,
        now: Instant,
    ) -> Result<Ticket<N>, Failure> {
        let mut submitted = Poll::submit_all(poll, origin, vec![request], token, now);
        submitted.pop().unwrap_or_else(|| Err(internal()))
    }

    /// `poll.submit-all`.
    pub fn submit_all(
        poll: &Rc<RefCell<Poll<N>>>,
        origin: &Rc<Origin>,
        requests: Vec<Request>,
        first_token: u64,
        now: Instant,
    ) -> Vec<Result<Ticket<N>, Failure>> {
        let mut this = poll.borrow_mut();
        // What calls have done may have left a connection idle.
        this.heed_all(now);
        let id = this.known(origin, now);
        let tokens = (0..).map(|index| first_token.wrapping_add(index));
        let entered = requests.into_iter().zip(tokens).map(|(request, token)| this.enter(id, request, token, None, now));
        let mut entered: Vec<Result<Id, Failure>> = entered.collect();
        this.dispatch(id, now);
        // Those that waited before stay, also when they are more than may wait by now.
        for job in entered.iter_mut().rev() {
            if job.as_ref().is_ok_and(|job| this.take_back(id, *job)) {
                *job = Err(failure::refused(Error::LimitExceeded(Limit::QueueLength), 0, 0));
            }
        }
        let tickets = entered.into_iter().map(|job| this.ticket(poll, job?)).collect();
        this.settle(now);
        tickets
    }

    /// The caller's hold on a request that was entered.
    fn ticket(&mut self, poll: &Rc<RefCell<Poll<N>>>, job: Id) -> Result<Ticket<N>, Failure> {
        let entered = self.pool.jobs.get_mut(job).ok_or_else(internal)?;
        let (member, exchange) = entered.place;
        let shared = self.members.get(member).map(|member| Rc::clone(&member.shared)).ok_or_else(internal)?;
        let seat = Rc::new(RefCell::new((shared, exchange)));
        entered.seat = Rc::downgrade(&seat);
        Ok(Ticket { poll: Rc::downgrade(poll), job, seat })
    }

    /// `poll.fetch-all`.
    pub fn fetch_all(
        &mut self,
        origin: &Rc<Origin>,
        requests: Vec<Request>,
        first_token: u64,
        collect_octets_max: u64,
        now: Instant,
    ) {
        self.heed_all(now);
        let id = self.known(origin, now);
        let mut entered = Vec::with_capacity(requests.len());
        for (request, index) in requests.into_iter().zip(0..) {
            let token = first_token.wrapping_add(index);
            match self.enter(id, request, token, Some(collect_octets_max), now) {
                Ok(job) => entered.push((job, token)),
                Err(refusal) => self.complete(job::refused(token, refusal)),
            }
        }
        self.dispatch(id, now);
        // Those that waited before stay, also when they are more than may wait by now.
        let refused: Vec<u64> =
            entered.into_iter().rev().filter(|(job, _)| self.take_back(id, *job)).map(|(_, token)| token).collect();
        for token in refused.into_iter().rev() {
            self.complete(job::refused(token, failure::refused(Error::LimitExceeded(Limit::QueueLength), 0, 0)));
        }
        self.settle(now);
    }

    /// `poll.cancel`. No request is sent in place of the cancelled one: the next wait does so.
    pub fn cancel(&mut self, token: u64, now: Instant) -> Result<(), Error> {
        self.heed_failed(now);
        let Some(place) = self.pool.jobs.with_token(token).next().map(|job| job.place) else {
            return Err(Error::ApiMisuse(Misuse::UnknownToken));
        };
        self.cancel_at(place, now);
        self.heed_all(now);
        Ok(())
    }

    /// `poll.cancel-all`. No request is sent in place of the cancelled ones: the next wait does so.
    pub fn cancel_all(&mut self, tokens: &[u64], now: Instant) -> usize {
        self.heed_failed(now);
        let named = self.pool.jobs.give_up(tokens);
        let (waiting, sent): (Vec<_>, Vec<_>) = named.into_iter().partition(|(member, _)| self.is_line(*member));
        let cancelled = waiting.len() + sent.len();
        // A place on a connection that becomes free is for none of those that wait.
        for place in waiting.into_iter().chain(sent) {
            self.cancel_at(place, now);
        }
        self.heed_all(now);
        cancelled
    }

    /// Brings requests that have failed, and are about to be sent again, to where they wait.
    pub(super) fn heed_failed(&mut self, now: Instant) {
        self.heed_all(now);
        self.send_again(now);
    }

    fn is_line(&self, member: Id) -> bool {
        self.members.get(member).is_some_and(|member| matches!(member.role, Role::Line(_)))
    }

    fn cancel_at(&mut self, (member, exchange): (Id, ExchangeId), now: Instant) {
        if let Some(member) = self.members.get(member) {
            let mut driver = member.shared.borrow_mut();
            driver.conn.cancel(exchange, now);
            driver.heed_wish();
        }
    }

    /// The ticket of a streamed request was dropped.
    pub(super) fn forget_job(&mut self, job: Id) {
        if self.pool.jobs.get(job).is_some_and(|job| job.collects.is_none()) {
            self.pool.jobs.remove(job);
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
        let origins: Vec<Id> = self.pool.origins.iter().map(|(id, _)| id).collect();
        for id in origins {
            if let Some(known) = self.pool.origins.get_mut(id) {
                known.back_off.forget();
            }
            self.mark(id);
        }
        self.settle(now);
    }

    /// `poll.shutdown`.
    pub fn shutdown(&mut self, now: Instant) {
        for (_, member) in self.members.iter().filter(|(_, member)| matches!(member.role, Role::Pooled(_))) {
            let mut driver = member.shared.borrow_mut();
            driver.conn.shutdown(now);
            driver.heed_wish();
        }
        self.settle(now);
    }

    /// Where the pool keeps what it knows about an origin.
    fn known(&mut self, origin: &Rc<Origin>, now: Instant) -> Id {
        self.pool.uses += 1;
        let place = origin.place_in(self.id).filter(|id| self.pool.origins.get(*id).is_some());
        let id = place.or_else(|| self.pool.origins.iter().find(|(_, known)| known.origin.is_same(origin)).map(|(id, _)| id));
        let id = id.unwrap_or_else(|| {
            self.forget_origin(now);
            self.pool.origins.insert(Known::new(Rc::clone(origin)))
        });
        origin.set_place(self.id, id);
        if let Some(known) = self.pool.origins.get_mut(id) {
            known.used = self.pool.uses;
        }
        id
    }

    /// Makes room for another origin, if need be: forgets the one that was not used for longest, if there is one without requests.
    fn forget_origin(&mut self, now: Instant) {
        if self.pool.origins.count() < ORIGINS_MAX {
            return;
        }
        let reports = |line: &Id| self.members.get(*line).is_some_and(|member| member.shared.borrow().conn.may_report());
        let is_unused = |known: &Known| known.open == 0 && known.queued == 0 && !known.line.as_ref().is_some_and(reports);
        let unused = self.pool.origins.iter().filter(|(_, known)| is_unused(known));
        let Some((id, _)) = unused.min_by_key(|(_, known)| known.used) else { return };
        let line = self.pool.origins.remove(id).and_then(|known| known.line);
        if let Some(member) = line.and_then(|line| self.members.remove(line)) {
            let mut driver = member.shared.borrow_mut();
            driver.leave();
            driver.conn.close(CloseReason::Dropped, now);
        }
    }

    /// The member that is the waiting line of an origin.
    pub(super) fn line(&mut self, id: Id, now: Instant) -> Option<Id> {
        let known = self.pool.origins.get(id)?;
        if let Some(line) = known.line {
            return Some(line);
        }
        let conn = ClientConn::line(known.origin.authority.clone(), Settings::clone(&known.origin.settings), now);
        let line = self.add(&Driver::new(conn, None), Role::Line(id));
        self.pool.origins.get_mut(id)?.line = Some(line);
        Some(line)
    }

    /// Puts a request into the line of its origin. `collects`: the most octets of content that are collected; `None`: the caller reads.
    fn enter(&mut self, id: Id, request: Request, token: u64, collects: Option<u64>, now: Instant) -> Result<Id, Failure> {
        let line = self.line(id, now).ok_or_else(internal)?;
        let shared = self.members.get(line).map(|member| Rc::clone(&member.shared)).ok_or_else(internal)?;
        let streamed = matches!(request.content, RequestContent::Length(_) | RequestContent::UnknownLength);
        let kept = (self.limits.retries_max > 0 && collects.is_some() && !streamed).then(|| request.clone());
        let mut driver = shared.borrow_mut();
        let exchange = driver.conn.submit(request, token, collects, now)?;
        let place = (line, exchange);
        let job = Job {
            token,
            origin: id,
            started: now,
            collects,
            request: kept,
            retries: 0,
            resent: 0,
            furthest: None,
            given_up: false,
            place,
            seat: Weak::new(),
        };
        let job = self.pool.jobs.insert(job);
        driver.conn.assign(exchange, job);
        driver.flag();
        self.recount(id, &driver.conn);
        Ok(job)
    }

    /// Takes a request that has just come in back, if it waits and more wait than may. Returns whether it did.
    fn take_back(&mut self, id: Id, job: Id) -> bool {
        if self.pool.queued <= self.limits.queue_length_max.saturating_add(self.pool.connecting) {
            return false;
        }
        let line = self.pool.origins.get(id).and_then(|known| known.line);
        let place = self.pool.jobs.get(job).map(|job| job.place).filter(|(member, _)| Some(*member) == line);
        let Some((member, exchange)) = place.and_then(|(member, exchange)| Some((self.members.get(member)?, exchange))) else {
            return false;
        };
        let shared = Rc::clone(&member.shared);
        let mut driver = shared.borrow_mut();
        let withdrawn = driver.conn.withdraw(exchange).is_some();
        if withdrawn {
            self.recount(id, &driver.conn);
            self.pool.jobs.remove(job);
        }
        withdrawn
    }

    /// Counts the requests in a line anew.
    pub(super) fn recount(&mut self, id: Id, line: &ClientConn) {
        if let Some(known) = self.pool.origins.get_mut(id) {
            self.pool.queued = self.pool.queued.saturating_sub(known.queued) + line.queued();
            known.queued = line.queued();
        }
    }

    /// The requests of an origin may have a turn.
    pub(super) fn mark(&mut self, id: Id) {
        if let Some(known) = self.pool.origins.get_mut(id)
            && known.queued > 0
            && !core::mem::replace(&mut known.marked, true)
        {
            self.pool.marked.push_back(id);
        }
    }

    pub(super) fn mark_all(&mut self) {
        let origins: Vec<Id> = self.pool.origins.iter().map(|(id, _)| id).collect();
        origins.into_iter().for_each(|id| self.mark(id));
    }

    /// Whether so much is waiting to be taken that nothing more is sent.
    pub(super) fn holds_back(&self) -> bool {
        self.completion_octets > self.limits.completion_octets_max
    }

    /// A collected request has ended, moves to another connection, or is sent again.
    pub(super) fn end_job(&mut self, id: Id, mut completed: Completed, conn: &ClientConn) {
        let connection = conn.id();
        let Some(job) = self.pool.jobs.get_mut(id) else { return self.complete(job::completion(completed, connection, 0)) };
        if let (true, Some(request)) = (job::may_repeat(job, &completed, self.limits.retries_max), job.request.clone()) {
            if let Err(failed) = &completed.outcome {
                job.retry(*failed, completed.resent);
            }
            let origin = job.origin;
            self.count_repeats(origin, 1);
            return self.pool.again.push((id, request));
        }
        let retries = job.retries + job.resent;
        completed.outcome = completed.outcome.map_err(|last| job.of_all_attempts(last));
        self.pool.jobs.remove(id);
        self.complete(job::completion(completed, connection, retries));
    }

    /// Requests of an origin are sent again.
    pub(super) fn count_repeats(&mut self, origin: Id, repeats: u64) {
        self.pool.counts.retried += repeats;
        if let Some(known) = self.pool.origins.get_mut(origin) {
            known.counts.retried += repeats;
        }
    }

    /// Puts requests that are sent again into the lines of their origins, in front and in their order.
    pub(super) fn send_again(&mut self, now: Instant) {
        for (id, request) in core::mem::take(&mut self.pool.again).into_iter().rev() {
            let Some(job) = self.pool.jobs.get(id) else { continue };
            let (origin, token, started) = (job.origin, job.token, job.started);
            if let Err(refusal) = self.enter_again(origin, id, request, token, started, now) {
                let job = self.pool.jobs.remove(id);
                let retries = job.as_ref().map_or(0, |job| job.retries + job.resent);
                let completion = job::refused(token, job.map_or(refusal, |job| job.of_all_attempts(refusal)));
                self.complete(PackedCompletion { retries, ..completion });
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
        let octets_max = self.pool.jobs.get(job).and_then(|job| job.collects).ok_or_else(internal)?;
        let line = self.line(origin, now).ok_or_else(internal)?;
        let shared = self.members.get(line).map(|member| Rc::clone(&member.shared)).ok_or_else(internal)?;
        let mut driver = shared.borrow_mut();
        let exchange: ExchangeId = driver.conn.send_again(request, token, octets_max, started, now)?;
        driver.conn.assign(exchange, job);
        driver.flag();
        if let Some(job) = self.pool.jobs.get_mut(job) {
            job.move_to(line, &shared, exchange);
        }
        self.recount(origin, &driver.conn);
        drop(driver);
        self.mark(origin);
        Ok(())
    }
}

fn internal() -> Failure {
    failure::refused(Error::Internal, 0, 0)
}

//! The pool: which connection carries a request, and what becomes of one that failed.

use super::Poll;
use super::job::{self, Job, Seat};
use super::limits::ORIGINS_MAX;
use super::line::{Entrance, refused};
use super::member::Role;
use super::origin::{Known, Origin};
use super::ticket::Ticket;
use crate::conn::Completed;
use crate::exchange::Exchange;
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{CloseReason, Error, Failure, Limit, Misuse, PackedCompletion, Request, RequestContent};
use alloc::boxed::Box;
use alloc::rc::Rc;
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
        submitted.pop().unwrap_or_else(|| Err(refused(Error::Internal)))
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
        let entered = this.enter_all(origin, requests, first_token, None, now);
        this.settle(now);
        entered.into_iter().map(|job| Ok(Ticket { poll: Rc::clone(poll), job: job? })).collect()
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
        let entered = self.enter_all(origin, requests, first_token, Some(collect_octets_max), now);
        for (job, index) in entered.into_iter().zip(0..) {
            if let Err(refusal) = job {
                self.complete(job::refused(first_token.wrapping_add(index), refusal));
            }
        }
        self.settle(now);
    }

    /// Puts requests into the line of an origin, and the first requests onto connections. Returns the requests, or the refusals, in order.
    fn enter_all(
        &mut self,
        origin: &Rc<Origin>,
        requests: Vec<Request>,
        first_token: u64,
        collects: Option<u64>,
        now: Instant,
    ) -> Vec<Result<Id, Failure>> {
        // What calls have done may have left a connection idle. What waits to be sent again holds on to its origin.
        self.heed_failed(now);
        let id = self.known(origin);
        let tokens = (0..).map(|index| first_token.wrapping_add(index));
        let entered = requests.into_iter().zip(tokens).map(|(request, token)| self.enter(id, request, token, collects, now));
        let mut entered: Vec<Result<Id, Failure>> = entered.collect();
        self.dispatch(id, now);
        // Those that waited before stay, also when they are more than may wait by now.
        for job in entered.iter_mut().rev() {
            if job.as_ref().is_ok_and(|job| self.take_back(*job)) {
                *job = Err(refused(Error::LimitExceeded(Limit::QueueLength)));
            }
        }
        entered
    }

    /// `poll.cancel`. No request is sent in place of the cancelled one: the next wait does so.
    pub fn cancel(&mut self, token: u64, now: Instant) -> Result<(), Error> {
        self.heed_failed(now);
        let Some((job, _)) = self.pool.jobs.with_token(token).next() else {
            return Err(Error::ApiMisuse(Misuse::UnknownToken));
        };
        self.cancel_job(job, now);
        self.heed_all(now);
        Ok(())
    }

    /// `poll.cancel-all`. No request is sent in place of the cancelled ones: the next wait does so.
    pub fn cancel_all(&mut self, tokens: &[u64], now: Instant) -> usize {
        self.heed_failed(now);
        let named = self.pool.jobs.give_up(tokens);
        let waits = |job: &Id| self.pool.jobs.get(*job).is_some_and(|job| job.waiting().is_some());
        let (waiting, sent): (Vec<_>, Vec<_>) = named.into_iter().partition(waits);
        let cancelled = waiting.len() + sent.len();
        // A place on a connection that becomes free is for none of those that wait.
        for job in waiting.into_iter().chain(sent) {
            self.cancel_job(job, now);
        }
        self.heed_all(now);
        cancelled
    }

    /// Brings requests that have failed, and are about to be sent again, to where they wait.
    pub(super) fn heed_failed(&mut self, now: Instant) {
        self.heed_all(now);
        self.send_again(now);
    }

    /// Cancels a request, wherever it is.
    pub(super) fn cancel_job(&mut self, job: Id, now: Instant) {
        self.fail_waiting(job, Error::Closed(CloseReason::Cancelled), 0);
        if let Some((shared, exchange)) = self.pool.jobs.get(job).and_then(Job::on_connection) {
            let mut driver = shared.borrow_mut();
            driver.conn.cancel(exchange, now);
            driver.heed_wish();
        }
    }

    /// The ticket of a streamed request was dropped.
    pub(super) fn forget_job(&mut self, id: Id, now: Instant) {
        let Some(job) = self.pool.jobs.get(id).filter(|job| job.collects.is_none()) else { return };
        let origin = job.origin;
        if let Some((shared, exchange)) = job.on_connection() {
            let mut driver = shared.borrow_mut();
            driver.conn.forget(exchange, now);
            driver.heed_wish();
        } else if self.pool.leave_line(id).is_some() {
            self.mark(origin);
        }
        self.pool.jobs.remove(id);
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

    /// The place of an origin that the pool knows.
    pub(super) fn place_of(&self, origin: &Rc<Origin>) -> Option<Id> {
        let place = origin.place_in(self.id).filter(|id| self.pool.origins.get(*id).is_some());
        place.or_else(|| self.pool.origins.iter().find(|(_, known)| known.origin.is_same(origin)).map(|(id, _)| id))
    }

    /// The place of an origin, which the pool knows from now on.
    fn known(&mut self, origin: &Rc<Origin>) -> Id {
        self.pool.uses += 1;
        let id = self.place_of(origin).unwrap_or_else(|| {
            self.forget_origin();
            self.pool.origins.insert(Known::new(Rc::clone(origin)))
        });
        origin.set_place(self.id, id);
        if let Some(known) = self.pool.origins.get_mut(id) {
            known.used = self.pool.uses;
        }
        id
    }

    /// Makes room for another origin, if need be: forgets the one that was not used for longest, if there is one without requests.
    fn forget_origin(&mut self) {
        if self.pool.origins.count() < ORIGINS_MAX {
            return;
        }
        let unused = self.pool.origins.iter().filter(|(_, known)| known.open == 0 && known.line.len() == 0);
        if let Some((id, _)) = unused.min_by_key(|(_, known)| known.used) {
            self.pool.origins.remove(id);
        }
    }

    /// Puts a request into the line of its origin. `collects`: the most octets of content that are collected; `None`: the caller reads.
    fn enter(&mut self, id: Id, request: Request, token: u64, collects: Option<u64>, now: Instant) -> Result<Id, Failure> {
        let streamed = matches!(request.content, RequestContent::Length(_) | RequestContent::UnknownLength);
        let kept = (self.limits.retries_max > 0 && collects.is_some() && !streamed).then(|| request.clone());
        let exchange = self.exchange(id, request, token, collects, now)?;
        self.pool.submitted += 1;
        let job = Job::new(token, id, self.pool.submitted, now, collects, kept);
        let job = self.pool.jobs.insert(job);
        self.pool.enter_line(job, exchange, Entrance::New);
        Ok(job)
    }

    /// The exchange of a request that comes into the line of an origin.
    fn exchange(
        &self,
        id: Id,
        request: Request,
        token: u64,
        collects: Option<u64>,
        now: Instant,
    ) -> Result<Box<Exchange>, Failure> {
        let known = self.pool.origins.get(id).ok_or_else(|| refused(Error::Internal))?;
        let Origin { authority, settings, .. } = &*known.origin;
        known.line.exchange(request, token, collects, (authority, settings), now)
    }

    /// Takes a request that has just come in back, if it waits and more wait than may. Returns whether it did.
    fn take_back(&mut self, job: Id) -> bool {
        if self.pool.queued <= self.limits.queue_length_max.saturating_add(self.pool.connecting) {
            return false;
        }
        self.pool.leave_line(job).is_some() && self.pool.jobs.remove(job).is_some()
    }

    /// The requests of an origin may have a turn.
    pub(super) fn mark(&mut self, id: Id) {
        if let Some(known) = self.pool.origins.get_mut(id)
            && known.line.len() > 0
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
    pub(super) fn end_job(&mut self, id: Id, mut completed: Completed, connection: u64) {
        let Some(job) = self.pool.jobs.get_mut(id) else { return self.complete(job::completion(completed, connection, 0)) };
        if let (true, Some(request)) = (job::is_repeated(job, &completed, self.limits.retries_max), job.request.clone()) {
            if let Err(failed) = &completed.outcome {
                job.retry(*failed, completed.resent);
            }
            job.seat = Seat::Nowhere;
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

    /// Puts requests that are sent again into the lines of their origins, in their order.
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
        let collects = self.pool.jobs.get(job).and_then(|job| job.collects);
        let mut exchange = self.exchange(origin, request, token, collects, now)?;
        exchange.started = started;
        self.pool.enter_line(job, exchange, Entrance::Again);
        self.mark(origin);
        Ok(())
    }
}

//! The pool of a `poll`: which connection carries a request, and what becomes of one that failed.

use super::clock;
use super::dial;
use super::driver::{Driver, Shared};
use super::poll::{Member, Poll, Role};
use crate::conn::{Completed, ExchangeId};
use crate::exchange::pipelines;
use crate::h1::encode;
use crate::pool::{Candidate, Choice, choose};
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnOptions, ConnState, Delivery, Endpoint, Error, Failure, Limit, Request, RequestContent};
use crate::wit::client::{self, Completion};
use crate::{failure, wit};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

/// The handle of an origin.
pub(crate) struct OriginHandle(pub(super) Rc<Origin>);

/// Where requests of a pool go.
pub(super) struct Origin {
    pub(super) endpoint: Endpoint,
    options: Option<ConnOptions>,
    authority: String,
}

impl client::GuestOrigin for OriginHandle {
    fn create(endpoint: Endpoint, options: Option<ConnOptions>) -> Result<client::Origin, Error> {
        Settings::checked(options.as_ref())?;
        dial::check(&endpoint)?;
        let authority = dial::authority(&endpoint);
        Ok(client::Origin::new(OriginHandle(Rc::new(Origin { endpoint, options, authority }))))
    }
}

/// A collected request of the pool.
pub(super) struct Job {
    pub(super) token: u64,
    pub(super) origin: Rc<Origin>,
    /// Kept only when it may, and can, be sent again: a streamed content is gone.
    pub(super) request: Option<Request>,
    pub(super) retries: u32,
}

/// Jobs under way, ordered by connection and exchange: a new one usually goes to the end.
#[derive(Default)]
pub(super) struct Jobs(VecDeque<(Place, Job)>);

/// A connection's id, and one of its exchanges.
pub(super) type Place = (u64, ExchangeId);

impl Jobs {
    fn insert(&mut self, place: Place, job: Job) {
        let index = self.0.partition_point(|(other, _)| *other < place);
        self.0.insert(index, (place, job));
    }

    fn remove(&mut self, place: Place) -> Option<Job> {
        let index = self.0.binary_search_by_key(&place, |(other, _)| *other).ok()?;
        self.0.remove(index).map(|(_, job)| job)
    }

    pub(super) fn place(&self, token: u64) -> Option<Place> {
        self.0.iter().find(|(_, job)| job.token == token).map(|(place, _)| *place)
    }
}

impl Poll {
    /// Takes the ends of collected exchanges from the members, and sends again what may be.
    pub(super) fn take_completed(&mut self) {
        let mut again = Vec::new();
        for member in &self.members {
            let mut driver = member.shared.borrow_mut();
            let connection = driver.conn.id();
            while let Some(completed) = driver.conn.take_completed() {
                match self.jobs.remove((connection, completed.id)) {
                    Some(job) if moves(&completed, driver.conn.requests()) => again.push((job, completed, false)),
                    Some(job) if may_repeat(&job, &completed, self.limits.retries_max) => again.push((job, completed, true)),
                    job => {
                        let retries = job.map_or(0, |job| job.retries);
                        self.completions.push_back(completion(completed, connection, retries));
                    }
                }
            }
        }
        for (job, completed, counts) in again {
            self.repeat(job, completed, counts);
        }
    }

    fn repeat(&mut self, mut job: Job, completed: Completed, counts: bool) {
        let Some(request) = completed.request.or_else(|| job.request.take()) else {
            return self.completions.push_back(refused(job.token, internal()));
        };
        if counts {
            job.retries += 1;
            self.retried += 1;
        }
        let token = job.token;
        if let Err(refusal) = self.submit_job(job, request) {
            self.completions.push_back(refused(token, refusal));
        }
        self.advance_pooled();
    }

    /// Forgets closed connections that have nothing more to report, and closes idle ones above the limit.
    pub(super) fn tidy(&mut self) {
        let now = clock::now();
        self.members.retain(|member| {
            let driver = member.shared.borrow();
            let gone = driver.dropped || matches!(member.role, Role::Pooled(_));
            !(gone && driver.conn.state() == ConnState::Closed && !driver.conn.may_report() && driver.conn.completed() == 0)
        });
        let mut idle: Vec<(Instant, usize)> = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            let busy = member.shared.borrow().conn.length() > 0;
            if busy {
                member.idle_since = now;
            } else if matches!(member.role, Role::Pooled(_)) {
                idle.push((member.idle_since, index));
            }
        }
        while idle.len() > self.limits.idle_connections_max {
            let oldest = idle.iter().enumerate().min_by_key(|(_, (since, _))| *since).map(|(place, _)| place);
            let Some(place) = oldest else { break };
            let (_, index) = idle.swap_remove(place);
            self.close_idle(index, now);
        }
    }

    fn close_idle(&mut self, index: usize, now: Instant) {
        if let Some(member) = self.members.get(index) {
            let mut driver = member.shared.borrow_mut();
            driver.conn.close(CloseReason::Idle, now);
            driver.heed_wish();
        }
    }

    pub(super) fn submit_job(&mut self, mut job: Job, request: Request) -> Result<(Shared, ExchangeId), Failure> {
        let streamed = matches!(request.content, RequestContent::Length(_) | RequestContent::UnknownLength);
        let kept = (self.limits.retries_max > job.retries && !streamed).then(|| request.clone());
        let (shared, id) = self.place(&job.origin, request, job.token)?;
        job.request = kept;
        let connection = shared.borrow().conn.id();
        self.jobs.insert((connection, id), job);
        Ok((shared, id))
    }

    /// Puts a request on the connection that the pool chooses for it.
    pub(super) fn place(&mut self, origin: &Rc<Origin>, request: Request, token: u64) -> Result<(Shared, ExchangeId), Failure> {
        let queued: u64 = self.members.iter().map(|member| member.shared.borrow().conn.queued() as u64).sum();
        let pooled = |member: &Member| matches!(&member.role, Role::Pooled(other) if Rc::ptr_eq(other, origin) || other.endpoint == origin.endpoint);
        let of_origin: Vec<usize> =
            (0..self.members.len()).filter(|index| self.members.get(*index).is_some_and(pooled)).collect();
        let candidates = of_origin.iter().filter_map(|index| self.members.get(*index)).map(|member| {
            let driver = member.shared.borrow();
            let accepts = !member.retired && !driver.conn.is_closed();
            Candidate { length: driver.conn.length(), accepts, ready: driver.conn.is_ready() }
        });
        let open = candidates.clone().filter(|candidate| candidate.accepts).count();
        let may_open = open < self.limits.connections_per_origin_max && (self.has_room() || self.oldest_idle().is_some());
        let plan = encode::plan(&request, &origin.authority, usize::MAX);
        let plan = plan.map_err(|error| failure::refused(error, 0, 0))?;
        let overridden = request.options.as_ref().and_then(|options| options.idempotent);
        let pipelines = pipelines(&plan, overridden);
        match choose(candidates, pipelines, may_open) {
            Choice::Use(index) => {
                if queued >= self.limits.queue_length_max as u64 {
                    return Err(failure::refused(Error::LimitExceeded(Limit::QueueLength), 0, 0));
                }
                let Some(member) = of_origin.get(index).and_then(|index| self.members.get(*index)) else {
                    return Err(internal());
                };
                let shared = Rc::clone(&member.shared);
                if shared.borrow().conn.requests() > 0 {
                    self.reused += 1;
                }
                send_on(shared, request, token)
            }
            Choice::Open => {
                self.make_room();
                let opened = Driver::connect(origin.endpoint.clone(), origin.options.as_ref());
                let shared = opened.map_err(|error| failure::refused(error, 0, 0))?;
                shared.borrow_mut().polled = true;
                self.opened += 1;
                self.add(Rc::clone(&shared), Role::Pooled(Rc::clone(origin)));
                send_on(shared, request, token)
            }
            Choice::Refuse => Err(failure::refused(Error::LimitExceeded(Limit::Connections), 0, 0)),
        }
    }

    /// The pool's connections that are not closed.
    fn open_pooled(&self) -> impl Iterator<Item = &Member> {
        let pooled = self.members.iter().filter(|member| matches!(member.role, Role::Pooled(_)));
        pooled.filter(|member| member.shared.borrow().conn.state() != ConnState::Closed)
    }

    fn has_room(&self) -> bool {
        self.open_pooled().count() < self.limits.connections_max
    }

    fn oldest_idle(&self) -> Option<&Member> {
        self.open_pooled().filter(|member| member.shared.borrow().conn.length() == 0).min_by_key(|member| member.idle_since)
    }

    /// Closes the connection that has been idle for longest if that is what it takes to open another.
    fn make_room(&self) {
        if let (false, Some(member)) = (self.has_room(), self.oldest_idle()) {
            let mut driver = member.shared.borrow_mut();
            driver.conn.close(CloseReason::Idle, clock::now());
            driver.heed_wish();
        }
    }

    pub(super) fn advance_pooled(&mut self) {
        for member in self.members.iter().filter(|member| matches!(member.role, Role::Pooled(_))) {
            member.shared.borrow_mut().advance();
        }
    }
}

/// Gives a request to a connection, which writes it when it next moves on: what is submitted together leaves together.
fn send_on(shared: Shared, request: Request, token: u64) -> Result<(Shared, ExchangeId), Failure> {
    let mut driver = shared.borrow_mut();
    let id = driver.conn.send(request, token, clock::now())?;
    drop(driver);
    Ok((shared, id))
}

/// Does a collected request only move to another connection? It never left, and the connection ended in order after having carried others:
/// so this comes to an end.
fn moves(completed: &Completed, requests: u64) -> bool {
    let in_order = |reason| !matches!(reason, CloseReason::Cancelled | CloseReason::Local | CloseReason::Dropped);
    completed.request.is_some()
        && requests > 0
        && matches!(&completed.outcome, Err(Failure { delivery: Delivery::NotSent, error: Error::Closed(reason), .. }) if in_order(*reason))
}

/// May a collected request that failed be sent again (RFC 9112 §9.3.1)?
fn may_repeat(job: &Job, completed: &Completed, retries_max: u32) -> bool {
    let Err(failed) = &completed.outcome else { return false };
    let cancelled = failed.error == Error::Closed(CloseReason::Cancelled);
    let by_delivery = match failed.delivery {
        Delivery::NotSent | Delivery::Unprocessed => true,
        Delivery::Unanswered => completed.idempotent,
        Delivery::ResponseStarted => false,
    };
    let by_error = !matches!(failed.error, Error::ApiMisuse(_) | Error::TimedOut(_) | Error::LimitExceeded(_) | Error::Denied(_));
    let kept = job.request.is_some() || completed.request.is_some();
    job.retries < retries_max && kept && by_delivery && by_error && !cancelled
}

fn completion(completed: Completed, connection: u64, retries: u32) -> Completion {
    let Completed { token, outcome, timing, .. } = completed;
    Completion { token, outcome, connection, retries, timing }
}

/// The completion of a request that never came onto a connection.
pub(super) fn refused(token: u64, failure: Failure) -> Completion {
    let connection = failure.connection;
    Completion { token, outcome: Err(failure), connection, retries: 0, timing: wit::NO_TIMING }
}

fn internal() -> Failure {
    failure::refused(Error::Internal, 0, 0)
}

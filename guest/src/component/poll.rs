//! The resource `poll`: one wait for many connections, and the pool.

use super::clock::{self, Alarm};
use super::driver::{Driver, Shared};
use super::send;
use super::{client_conn, dial};
use crate::conn::{Completed, ExchangeId};
use crate::exchange::pipelines;
use crate::h1::encode;
use crate::pool::{Candidate, Choice, choose};
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{
    CloseReason, ConnOptions, ConnState, Delivery, Endpoint, Error, Failure, Limit, Misuse, Request, RequestContent,
    RequestOptions,
};
use crate::wit::client::{self, Completion, ConnEvent, Event, ExchangeEvent, PollInfo, PollOptions};
use crate::{failure, wit};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

/// What `submit-all` collects unless a request says otherwise.
const COLLECT_OCTETS_DEFAULT: u64 = 1 << 20;

/// The handle of a poll.
pub(crate) struct Handle {
    poll: RefCell<Poll>,
}

struct Poll {
    limits: Limits,
    members: Vec<Member>,
    /// Where the next look at the members begins, so that each has its turn.
    turn: usize,
    /// Collected requests of the pool that are under way, by connection and exchange.
    jobs: Jobs,
    completions: VecDeque<Completion>,
    alarm: Alarm,
    opened: u64,
    reused: u64,
    retried: u64,
}

struct Limits {
    connections_max: usize,
    connections_per_origin_max: usize,
    queue_length_max: usize,
    idle_connections_max: usize,
    retries_max: u32,
}

/// A connection in the poll.
struct Member {
    shared: Shared,
    /// The caller's number for it, or the origin whose pool it is in.
    role: Role,
    /// No more requests of the pool go to it.
    retired: bool,
    idle_since: Instant,
}

enum Role {
    Inserted(u64),
    Pooled(Rc<Origin>),
}

/// The handle of an origin.
pub(crate) struct OriginHandle(Rc<Origin>);

/// Where requests of a pool go.
struct Origin {
    endpoint: Endpoint,
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
struct Job {
    token: u64,
    origin: Rc<Origin>,
    /// Kept only when it may, and can, be sent again: a streamed content is gone.
    request: Option<Request>,
    retries: u32,
}

/// Jobs under way, ordered by connection and exchange: a new one usually goes to the end.
#[derive(Default)]
struct Jobs(VecDeque<(Place, Job)>);

/// A connection's id, and one of its exchanges.
type Place = (u64, ExchangeId);

impl Jobs {
    fn insert(&mut self, place: Place, job: Job) {
        let index = self.0.partition_point(|(other, _)| *other < place);
        self.0.insert(index, (place, job));
    }

    fn remove(&mut self, place: Place) -> Option<Job> {
        let index = self.0.binary_search_by_key(&place, |(other, _)| *other).ok()?;
        self.0.remove(index).map(|(_, job)| job)
    }

    fn place(&self, token: u64) -> Option<Place> {
        self.0.iter().find(|(_, job)| job.token == token).map(|(place, _)| *place)
    }
}

impl client::GuestPoll for Handle {
    fn new(options: Option<PollOptions>) -> Handle {
        let poll = Poll {
            limits: Limits::new(options),
            members: Vec::new(),
            turn: 0,
            jobs: Jobs::default(),
            completions: VecDeque::new(),
            alarm: Alarm::default(),
            opened: 0,
            reused: 0,
            retried: 0,
        };
        Handle { poll: RefCell::new(poll) }
    }

    fn insert(&self, conn: client::ClientConnBorrow<'_>, token: u64) -> Result<(), Error> {
        let shared = Rc::clone(&conn.get::<client_conn::Handle>().shared);
        if core::mem::replace(&mut shared.borrow_mut().polled, true) {
            return Err(Error::ApiMisuse(Misuse::AlreadyInserted));
        }
        self.poll.borrow_mut().add(shared, Role::Inserted(token));
        Ok(())
    }

    fn remove(&self, conn: client::ClientConnBorrow<'_>) {
        let shared = &conn.get::<client_conn::Handle>().shared;
        self.poll.borrow_mut().members.retain(|member| {
            let removed = Rc::ptr_eq(&member.shared, shared);
            if removed {
                member.shared.borrow_mut().polled = false;
            }
            !removed
        });
    }

    fn wait(&self, timeout: Option<u64>, events_max: u32) -> Vec<Event> {
        let events_max = usize::try_from(events_max.max(1)).unwrap_or(usize::MAX);
        self.poll.borrow_mut().wait(timeout, events_max)
    }

    fn next_deadline(&self) -> Option<u64> {
        let poll = self.poll.borrow();
        let now = clock::now();
        poll.deadline().map(|at| at.since(now))
    }

    fn submit(&self, origin: client::OriginBorrow<'_>, request: Request, token: u64) -> Result<client::Send, Failure> {
        let origin = Rc::clone(&origin.get::<OriginHandle>().0);
        let mut poll = self.poll.borrow_mut();
        let collected = request.options.as_ref().is_some_and(|options| options.collect_octets_max.is_some());
        let (shared, id) = if collected {
            poll.submit_job(Job { token, origin, request: None, retries: 0 }, request)?
        } else {
            poll.place(&origin, request, token)?
        };
        shared.borrow_mut().advance();
        Ok(send::Handle::resource(&shared, id, token))
    }

    fn submit_all(&self, origin: client::OriginBorrow<'_>, requests: Vec<Request>, first_token: u64) {
        let origin = &origin.get::<OriginHandle>().0;
        let mut poll = self.poll.borrow_mut();
        for (mut request, index) in requests.into_iter().zip(0..) {
            let options = request.options.get_or_insert_with(RequestOptions::default);
            options.collect_octets_max.get_or_insert(COLLECT_OCTETS_DEFAULT);
            let token = first_token.wrapping_add(index);
            let job = Job { token, origin: Rc::clone(origin), request: None, retries: 0 };
            if let Err(refusal) = poll.submit_job(job, request) {
                poll.completions.push_back(refused(token, refusal));
            }
        }
        poll.advance_pooled();
    }

    fn cancel(&self, token: u64) -> Result<(), Error> {
        let mut poll = self.poll.borrow_mut();
        let found = poll.jobs.place(token);
        let member = found.and_then(|(conn, id)| Some((poll.member(conn)?, id)));
        let Some((shared, id)) = member else { return Err(Error::ApiMisuse(Misuse::UnknownToken)) };
        let mut driver = shared.borrow_mut();
        driver.conn.cancel(id, clock::now());
        driver.advance();
        drop(driver);
        poll.take_completed();
        Ok(())
    }

    fn completions(&self, completions_max: u32) -> Vec<Completion> {
        let mut poll = self.poll.borrow_mut();
        poll.take_completed();
        let count = usize::try_from(completions_max).unwrap_or(usize::MAX).min(poll.completions.len());
        (0..count).filter_map(|_| poll.completions.pop_front()).collect()
    }

    fn network_changed(&self) {
        let mut poll = self.poll.borrow_mut();
        let now = clock::now();
        for member in poll.members.iter_mut().filter(|member| matches!(member.role, Role::Pooled(_))) {
            member.retired = true;
            let mut driver = member.shared.borrow_mut();
            driver.conn.shutdown(now);
            driver.heed_wish();
        }
    }

    fn info(&self) -> PollInfo {
        self.poll.borrow().info()
    }
}

impl Limits {
    fn new(options: Option<PollOptions>) -> Limits {
        let of = |field: fn(&PollOptions) -> Option<u32>, default: u32, min: u32, max: u32| {
            options.as_ref().and_then(field).unwrap_or(default).clamp(min, max)
        };
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        Limits {
            connections_max: size(of(|o| o.connections_max, 1_024, 1, 65_536)),
            connections_per_origin_max: size(of(|o| o.connections_per_origin_max, 6, 1, 1_024)),
            queue_length_max: size(of(|o| o.queue_length_max, 65_536, 0, 1 << 20)),
            idle_connections_max: size(of(|o| o.idle_connections_max, 64, 0, 65_536)),
            retries_max: of(|o| o.retries_max, 0, 0, 16),
        }
    }
}

impl Poll {
    fn add(&mut self, shared: Shared, role: Role) {
        self.members.push(Member { shared, role, retired: false, idle_since: clock::now() });
    }

    fn member(&self, conn: u64) -> Option<Shared> {
        self.members.iter().map(|member| &member.shared).find(|shared| shared.borrow().conn.id() == conn).map(Rc::clone)
    }

    /// `poll.wait`: looks once without waiting if there is something to report already, else waits until there is.
    fn wait(&mut self, timeout: Option<u64>, events_max: usize) -> Vec<Event> {
        let mut now = clock::now();
        let until = now.after(timeout);
        loop {
            let pending = self.has_something();
            let idle = self.await_members(if pending { Some(now) } else { until }, now);
            now = clock::now();
            self.advance_due(now);
            self.take_completed();
            let events = self.events(events_max);
            self.tidy();
            let over = until.is_some_and(|until| until <= now);
            if !events.is_empty() || over || (idle && !pending) {
                return events;
            }
        }
    }

    fn has_something(&self) -> bool {
        !self.completions.is_empty() || self.members.iter().any(|member| member.shared.borrow().conn.may_report())
    }

    /// Waits until a member can move octets, a deadline passes, or `until`; moves the octets of those that can. Returns whether there was
    /// nothing to wait for.
    fn await_members(&mut self, until: Option<Instant>, now: Instant) -> bool {
        for member in &self.members {
            member.shared.borrow_mut().prepare_wait();
        }
        let drivers: Vec<_> = self.members.iter().map(|member| member.shared.borrow()).collect();
        let mut pollables = Vec::with_capacity(drivers.len() + 1);
        let mut owners = Vec::with_capacity(drivers.len() + 1);
        for (index, driver) in drivers.iter().enumerate() {
            driver.pollables(&mut pollables);
            owners.resize(pollables.len(), index);
        }
        let deadline = self.deadline().into_iter().chain(until).min();
        if pollables.is_empty() && deadline.is_none() {
            return true;
        }
        let ready = clock::wait(&pollables, deadline, now, &mut self.alarm);
        drop(pollables);
        drop(drivers);
        let mut last = None;
        for index in ready.into_iter().filter_map(|ready| owners.get(ready as usize).copied()) {
            if last.replace(index) != Some(index)
                && let Some(member) = self.members.get(index)
            {
                member.shared.borrow_mut().advance();
            }
        }
        false
    }

    fn advance_due(&mut self, now: Instant) {
        for member in &self.members {
            let mut driver = member.shared.borrow_mut();
            if driver.conn.deadline().is_some_and(|(at, _)| at <= now) {
                driver.advance();
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| Some(member.shared.borrow().conn.deadline()?.0)).min()
    }

    /// Changes of connections first, then exchanges, from the member whose turn it is on.
    fn events(&mut self, events_max: usize) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.completions.is_empty() {
            events.push(Event::Completions(u32::try_from(self.completions.len()).unwrap_or(u32::MAX)));
        }
        let count = self.members.len();
        for step in 0..count {
            if events.len() >= events_max {
                break;
            }
            let index = (self.turn + step) % count;
            let Some(member) = self.members.get(index) else { continue };
            let mut driver = member.shared.borrow_mut();
            let mut conn_token = 0;
            if let Role::Inserted(token) = member.role {
                conn_token = token;
            }
            if let (Some(change), Role::Inserted(token)) = (driver.conn.take_change(), &member.role) {
                let event = ConnEvent { token: *token, state: change.state, length: change.length, closed_by: change.closed_by };
                events.push(Event::Conn(event));
            }
            let room = events_max.saturating_sub(events.len());
            driver.conn.take_ready(room, |token, ready| {
                events.push(Event::Exchange(ExchangeEvent { conn_token, token, ready }));
            });
        }
        self.turn = if count == 0 { 0 } else { (self.turn + 1) % count };
        events
    }

    /// Takes the ends of collected exchanges from the members, and sends again what may be.
    fn take_completed(&mut self) {
        let mut again = Vec::new();
        for member in &self.members {
            let mut driver = member.shared.borrow_mut();
            let connection = driver.conn.id();
            while let Some(completed) = driver.conn.take_completed() {
                match self.jobs.remove((connection, completed.id)) {
                    Some(job) if may_repeat(&job, &completed, self.limits.retries_max) => again.push((job, completed)),
                    job => {
                        let retries = job.map_or(0, |job| job.retries);
                        self.completions.push_back(completion(completed, connection, retries));
                    }
                }
            }
        }
        for (job, completed) in again {
            self.repeat(job, completed);
        }
    }

    fn repeat(&mut self, mut job: Job, completed: Completed) {
        let Some(request) = completed.request.or_else(|| job.request.take()) else {
            return self.completions.push_back(refused(job.token, internal()));
        };
        job.retries += 1;
        self.retried += 1;
        let token = job.token;
        if let Err(refusal) = self.submit_job(job, request) {
            self.completions.push_back(refused(token, refusal));
        }
        self.advance_pooled();
    }

    /// Forgets closed connections that have nothing more to report, and closes idle ones above the limit.
    fn tidy(&mut self) {
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

    fn submit_job(&mut self, mut job: Job, request: Request) -> Result<(Shared, ExchangeId), Failure> {
        let streamed = matches!(request.content, RequestContent::Length(_) | RequestContent::UnknownLength);
        let kept = (self.limits.retries_max > job.retries && !streamed).then(|| request.clone());
        let (shared, id) = self.place(&job.origin, request, job.token)?;
        job.request = kept;
        let connection = shared.borrow().conn.id();
        self.jobs.insert((connection, id), job);
        Ok((shared, id))
    }

    /// Puts a request on the connection that the pool chooses for it.
    fn place(&mut self, origin: &Rc<Origin>, request: Request, token: u64) -> Result<(Shared, ExchangeId), Failure> {
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
        let may_open = open < self.limits.connections_per_origin_max && self.make_room();
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

    /// Whether the pool may open a connection; closes an idle one for it where that is what it takes.
    fn make_room(&self) -> bool {
        let pooled = self.members.iter().filter(|member| matches!(member.role, Role::Pooled(_)));
        let open = pooled.filter(|member| member.shared.borrow().conn.state() != ConnState::Closed);
        if open.clone().count() < self.limits.connections_max {
            return true;
        }
        let idle = open.filter(|member| member.shared.borrow().conn.length() == 0).min_by_key(|member| member.idle_since);
        if let Some(member) = idle {
            let mut driver = member.shared.borrow_mut();
            driver.conn.close(CloseReason::Idle, clock::now());
            driver.heed_wish();
            return true;
        }
        false
    }

    fn advance_pooled(&mut self) {
        for member in self.members.iter().filter(|member| matches!(member.role, Role::Pooled(_))) {
            member.shared.borrow_mut().advance();
        }
    }

    fn info(&self) -> PollInfo {
        let mut info = PollInfo {
            connections: 0,
            idle: 0,
            outstanding: 0,
            queued: 0,
            opened: self.opened,
            reused: self.reused,
            retried: self.retried,
            completions: u32::try_from(self.completions.len()).unwrap_or(u32::MAX),
        };
        for member in &self.members {
            let conn = &member.shared.borrow().conn;
            if conn.state() == ConnState::Closed {
                continue;
            }
            let queued = u32::try_from(conn.queued()).unwrap_or(u32::MAX);
            info.connections += 1;
            info.outstanding = info.outstanding.saturating_add(conn.length().saturating_sub(queued));
            info.queued = info.queued.saturating_add(queued);
            info.idle += u32::from(conn.length() == 0);
        }
        info
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let now = clock::now();
        for member in &self.members {
            let mut driver = member.shared.borrow_mut();
            driver.polled = false;
            if matches!(member.role, Role::Pooled(_)) {
                driver.conn.close(CloseReason::Dropped, now);
                driver.heed_wish();
            }
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
fn refused(token: u64, failure: Failure) -> Completion {
    let connection = failure.connection;
    Completion { token, outcome: Err(failure), connection, retries: 0, timing: wit::NO_TIMING }
}

fn internal() -> Failure {
    failure::refused(Error::Internal, 0, 0)
}

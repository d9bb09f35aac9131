//! The resource `poll`: one wait for many connections.

use super::clock::{self, Alarm};
use super::driver::Shared;
use super::pool::{Job, Jobs, Origin, OriginHandle, refused};
use super::{client_conn, send};
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Error, Failure, Misuse, Request, RequestOptions};
use crate::wit::client::{self, Completion, ConnEvent, Event, ExchangeEvent, PollInfo, PollOptions};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

/// What `submit-all` collects unless a request says otherwise.
const COLLECT_OCTETS_DEFAULT: u64 = 1 << 20;

/// The handle of a poll.
pub(crate) struct Handle {
    poll: RefCell<Poll>,
}

pub(super) struct Poll {
    pub(super) limits: Limits,
    pub(super) members: Vec<Member>,
    /// Where the next look at the members begins, so that each has its turn.
    turn: usize,
    /// Collected requests of the pool that are under way, by connection and exchange.
    pub(super) jobs: Jobs,
    pub(super) completions: VecDeque<Completion>,
    alarm: Alarm,
    pub(super) opened: u64,
    pub(super) reused: u64,
    pub(super) retried: u64,
}

pub(super) struct Limits {
    pub(super) connections_max: usize,
    pub(super) connections_per_origin_max: usize,
    pub(super) queue_length_max: usize,
    pub(super) idle_connections_max: usize,
    pub(super) retries_max: u32,
}

/// A connection in the poll.
pub(super) struct Member {
    pub(super) shared: Shared,
    /// The caller's number for it, or the origin whose pool it is in.
    pub(super) role: Role,
    /// No more requests of the pool go to it.
    pub(super) retired: bool,
    pub(super) idle_since: Instant,
}

pub(super) enum Role {
    Inserted(u64),
    Pooled(Rc<Origin>),
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
    pub(super) fn add(&mut self, shared: Shared, role: Role) {
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

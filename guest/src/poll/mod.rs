//! One wait for many connections, and a pool of them: without I/O, like the rest of the core.
//!
//! | file | holds |
//! |---|---|
//! | this one | the members, what was done to them, what they report |
//! | `member`, `idle`, `timers` | a connection in a poll; the idle ones; the deadlines |
//! | `stock`, `totals` | the pool: origins, requests, room; its counts |
//! | `pool`, `job`, `jobs`, `chain` | requests of the pool: how they come in, wherever they are, and how they end or are sent again; by token; lists of them |
//! | `line` | the requests of an origin that wait for a connection |
//! | `ticket` | the caller's hold on a request |
//! | `origin`, `trust`, `back_off`, `upkeep` | what is known about an origin; how it is learnt from what happens to its connections |
//! | `placing`, `choice`, `room`, `gate` | which connection carries a request; that decision alone; how many connections there may be, and how fast new ones follow each other |
//! | `counts` | connections and requests, counted |
//! | `limits` | the options, each with its value |
//!
//! # Theory of operation
//!
//! Whoever waits repeats: [`settle`](Poll::settle), wait until one of [`watched`](Poll::watched) can move octets or
//! [`next_deadline`](Poll::next_deadline) has passed, [`advance`](Poll::advance) those that can, [`looked`](Poll::looked), `settle`,
//! [`events`](Poll::events).
//!
//! No event walks over all members. What calls did to a member puts it into a list (`Attention`), what comes from outside names it, and
//! deadlines stand in a heap: `heed` then looks at that one member and brings every list up to date.
//!
//! Requests for an origin wait in its *line*. The exchange of a request that waits is with its job; it moves, as it is, to a connection that
//! can take it at once, and back, if it never left and that connection ends.

mod back_off;
mod chain;
mod choice;
mod counts;
mod gate;
mod idle;
mod job;
mod jobs;
mod limits;
mod line;
mod member;
mod origin;
mod placing;
mod pool;
mod room;
mod stock;
mod ticket;
mod timers;
mod totals;
mod trust;
mod upkeep;

pub use choice::{Choice, Pipeline, Room, choose};
use limits::{IDLE_LOOK_NS, IDLE_WATCHED_MIN};
pub use limits::{IDLE_WATCHED_MAX, Limits, ORIGINS_MAX};
pub use origin::Origin;
pub use ticket::{Ticket, info};

use crate::driver::{Attention, Driver, Shared};
use crate::link::Network;
use crate::log::Log;
use crate::slab::{Id, Slab};
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Error, LogEntry, Misuse, PackedCompletion, PackedHead};
use crate::wit::client::{ConnEvent, Event, ExchangeEvent, PollOptions, Readiness};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use job::{Job, completion};
use line::Whom;
use member::{Member, Reporter, Role};
use stock::Pool;
use timers::{Due, Timers};

static POLLS: AtomicU64 = AtomicU64::new(0);

/// Many connections.
#[derive(Debug)]
pub struct Poll<N: Network> {
    id: u64,
    network: N,
    limits: Limits,
    /// What happens on the connections of the pool.
    log: Log,
    members: Slab<Member<N::Link>>,
    attention: Attention,
    timers: Timers,
    /// Members that every wait looks at.
    watched: Vec<Id>,

    /// Members and requests that may have something to report, each once.
    reporting: VecDeque<Reporter>,
    /// How many of them, from the front, have not been asked since the last look.
    backlog: usize,
    /// Each with the octets that it holds.
    completions: VecDeque<(PackedCompletion, u64)>,
    completion_octets: u64,

    pool: Pool<N::Link>,
}

impl<N: Network> Poll<N> {
    /// A poll without connections; its pool opens them in `network`. The log of the pool begins at `now`.
    pub fn new(options: Option<&PollOptions>, network: N, now: Instant) -> Poll<N> {
        let limits = Limits::new(options);
        Poll {
            id: POLLS.fetch_add(1, Ordering::Relaxed) + 1,
            network,
            log: Log::new(limits.log_entries_max, now),
            limits,
            members: Slab::default(),
            attention: Attention::default(),
            timers: Timers::default(),
            watched: Vec::new(),
            reporting: VecDeque::new(),
            backlog: 0,
            completions: VecDeque::new(),
            completion_octets: 0,
            pool: Pool::default(),
        }
    }

    /// Where connections of the pool are opened.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// `log.take` of a poll.
    pub fn take_log(&mut self, entries_max: u32) -> Vec<LogEntry> {
        self.log.take(usize::try_from(entries_max).unwrap_or(usize::MAX))
    }

    /// `poll.insert`.
    pub fn insert(&mut self, shared: &Shared<N::Link>, token: u64) -> Result<(), Error> {
        if shared.borrow().is_polled() {
            return Err(Error::ApiMisuse(Misuse::AlreadyInserted));
        }
        let id = self.add(shared, Role::Inserted(token));
        self.watch(id);
        Ok(())
    }

    /// `poll.remove`.
    pub fn remove(&mut self, shared: &Shared<N::Link>) {
        let found = shared.borrow().member_of(&self.attention);
        if let Some(id) = found
            && self.members.get(id).is_some_and(|member| matches!(member.role, Role::Inserted(_)))
        {
            self.forget_member(id);
        }
    }

    fn add(&mut self, shared: &Shared<N::Link>, role: Role) -> Id {
        let id = self.members.insert(Member::new(Rc::clone(shared), role));
        shared.borrow_mut().join(&self.attention, id);
        id
    }

    fn forget_member(&mut self, id: Id) {
        self.unwatch(id);
        if let Some(member) = self.members.remove(id) {
            member.shared.borrow_mut().leave();
        }
    }

    /// Forgets entries of deadlines that have moved, when they are many.
    fn tidy_timers(&mut self) {
        if self.timers.is_stale(self.members.count() + self.pool.origins.count()) {
            let members = self.members.iter().filter_map(|(id, member)| Some((member.armed?, Due::Member(id))));
            let origins = self.pool.origins.iter().filter_map(|(id, known)| Some((known.armed?, Due::Origin(id))));
            self.timers.refill(members.chain(origins));
        }
    }

    fn watch(&mut self, id: Id) {
        if let Some(member) = self.members.get_mut(id)
            && member.watch_place.is_none()
        {
            member.watch_place = Some(self.watched.len());
            self.watched.push(id);
        }
    }

    fn unwatch(&mut self, id: Id) {
        let Some(place) = self.members.get_mut(id).and_then(|member| member.watch_place.take()) else { return };
        if place < self.watched.len() {
            self.watched.swap_remove(place);
        }
        if let Some(moved) = self.watched.get(place).and_then(|moved| self.members.get_mut(*moved)) {
            moved.watch_place = Some(place);
        }
    }

    /// Brings everything up to date with what was done: by calls, by `advance`, by time.
    pub fn settle(&mut self, now: Instant) {
        while let Some((at, due)) = self.timers.take(now) {
            self.come_due(at, due, now);
        }
        self.end_late(now);
        loop {
            self.heed_all(now);
            self.send_again(now);
            if self.pool.marked.is_empty() {
                self.share_room();
            }
            match self.pool.marked.pop_front() {
                Some(origin) => self.dispatch(origin, now),
                None if self.close_surplus(now) => {}
                None => break,
            }
        }
        self.tidy_timers();
    }

    /// Looks at every member to which something was done.
    fn heed_all(&mut self, now: Instant) {
        while let Some(id) = self.attention.take() {
            if let Some(member) = self.members.get(id) {
                member.shared.borrow_mut().catch_up(now);
            }
            self.heed(id, now);
        }
    }

    fn come_due(&mut self, at: Instant, due: Due, now: Instant) {
        match due {
            Due::Member(id) => {
                let Some(member) = self.members.get_mut(id) else { return };
                if member.armed == Some(at) {
                    member.armed = None;
                    let due = member.shared.borrow().deadline().is_some_and(|at| at <= now);
                    match due {
                        true => self.advance(id, now),
                        false => self.heed(id, now),
                    }
                }
            }
            Due::Origin(id) => {
                if let Some(known) = self.pool.origins.get_mut(id) {
                    known.armed.take_if(|armed| *armed == at);
                }
                self.mark(id);
            }
        }
    }

    /// Moves the octets of a member that can move some.
    pub fn advance(&mut self, id: Id, now: Instant) {
        if let Some(member) = self.members.get(id) {
            let mut driver = member.shared.borrow_mut();
            driver.known_to_change();
            driver.advance(now);
        }
        self.heed(id, now);
    }

    /// Looks at a member to which something was done.
    fn heed(&mut self, id: Id, now: Instant) {
        let Some(member) = self.members.get_mut(id) else { return };
        let shared = Rc::clone(&member.shared);
        let mut driver = shared.borrow_mut();
        driver.heeded();
        self.timers.arm(Due::Member(id), &mut member.armed, driver.deadline());
        let role = member.role;
        self.take_completed(&mut driver);
        match role {
            Role::Inserted(_) => {}
            Role::Pooled(origin) => self.heed_pooled(id, origin, &mut driver, now),
        }
        let Some(member) = self.members.get_mut(id) else { return };
        let reports = driver.conn.may_report();
        if reports && !member.reporting {
            member.reporting = true;
            self.reporting.push_back(Reporter::Member(id));
        }
        let gone = matches!(role, Role::Pooled(_)) || (matches!(role, Role::Inserted(_)) && driver.dropped);
        let over = gone && driver.conn.state() == ConnState::Closed && !reports;
        drop(driver);
        if over {
            self.forget_member(id);
        }
    }

    fn take_completed(&mut self, driver: &mut Driver<N::Link>) {
        let connection = driver.conn.id();
        while let Some(completed) = driver.conn.take_completed() {
            match completed.job {
                Some(job) => self.end_job(job, completed, connection),
                None => self.complete(completion(completed, connection, 0)),
            }
        }
    }

    fn complete(&mut self, completion: PackedCompletion) {
        let octets = octets(&completion);
        self.completion_octets += octets;
        self.completions.push_back((completion, octets));
    }

    /// Whether there is something to report, so that a wait must not wait.
    pub fn has_something(&self) -> bool {
        !self.completions.is_empty() || !self.reporting.is_empty() || !self.attention.is_empty()
    }

    /// Whether members have not been asked for events since the last look.
    pub fn has_backlog(&self) -> bool {
        self.backlog > 0
    }

    /// The members that a wait looks at: all but idle connections of the pool, and of those some, in turn; few of them while they were looked
    /// at a moment ago and others are busy.
    pub fn watched(&mut self, now: Instant) -> Vec<(Id, Shared<N::Link>)> {
        let rest = !self.watched.is_empty() && now.since(self.pool.idle_looked) < IDLE_LOOK_NS;
        let idle_max = if rest { IDLE_WATCHED_MIN } else { IDLE_WATCHED_MAX };
        if !rest {
            self.pool.idle_looked = now;
        }
        let shared = |id: &Id| Some((*id, Rc::clone(&self.members.get(*id)?.shared)));
        let mut watched: Vec<_> = self.watched.iter().filter_map(shared).collect();
        let idle = self.pool.idle.around(self.pool.idle_turn).filter(|(id, stamp)| self.is_idle(*id, *stamp));
        watched.extend(idle.take(idle_max).filter_map(|(id, _)| shared(&id)));
        self.pool.idle_turn = self.pool.idle_turn.wrapping_add(idle_max);
        watched
    }

    /// All connections.
    pub fn connections(&self) -> Vec<Shared<N::Link>> {
        self.members.iter().map(|(_, member)| Rc::clone(&member.shared)).collect()
    }

    fn is_idle(&self, id: Id, stamp: u64) -> bool {
        self.members.get(id).is_some_and(|member| member.idle_stamp == Some(stamp))
    }

    /// Every member has had its turn: what they have to report is given from here on.
    pub fn looked(&mut self) {
        self.backlog = self.reporting.len();
    }

    /// `poll.next-deadline`, as a moment.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        let of_lines = self.pool.deadlines.first().map(|deadline| deadline.at);
        self.next_timer().into_iter().chain(of_lines).min()
    }

    fn next_timer(&mut self) -> Option<Instant> {
        while let Some((at, due)) = self.timers.first() {
            let real = match due {
                Due::Member(id) => match self.members.get_mut(id) {
                    Some(member) if member.armed == Some(at) => {
                        let real = member.shared.borrow().deadline();
                        if real != Some(at) {
                            member.armed = None;
                            self.timers.take(at);
                            self.timers.arm(due, &mut member.armed, real);
                            continue;
                        }
                        true
                    }
                    _ => false,
                },
                Due::Origin(id) => self.pool.origins.get_mut(id).is_some_and(|known| {
                    if known.line.len() == 0 {
                        // It is armed again when a request has to wait.
                        known.armed.take_if(|armed| *armed == at);
                    }
                    known.armed == Some(at)
                }),
            };
            if real {
                return Some(at);
            }
            self.timers.take(at);
        }
        None
    }

    /// What there is to report: the completions, then the members, each in its turn; of a connection its change first.
    pub fn events(&mut self, events_max: usize) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.completions.is_empty() {
            events.push(Event::Completions(count(self.completions.len())));
        }
        for _ in 0..self.reporting.len() {
            if events.len() >= events_max {
                break;
            }
            let Some(reporter) = self.reporting.pop_front() else { break };
            self.backlog = self.backlog.saturating_sub(1);
            match reporter {
                Reporter::Member(id) => self.report(id, events_max, &mut events),
                Reporter::Waiting(id) => self.report_failed(id, &mut events),
            }
        }
        events
    }

    fn report(&mut self, id: Id, events_max: usize, events: &mut Vec<Event>) {
        let Some(member) = self.members.get_mut(id) else { return };
        let mut driver = member.shared.borrow_mut();
        let mut conn_token = 0;
        if let (Role::Inserted(token), change) = (member.role, driver.conn.take_change()) {
            conn_token = token;
            events.extend(change.map(|change| {
                let (state, length, closed_by) = (change.state, change.length, change.closed_by);
                Event::Conn(ConnEvent { token, state, length, closed_by })
            }));
        }
        let room = events_max.saturating_sub(events.len());
        driver.conn.take_ready(room, |token, ready| {
            events.push(Event::Exchange(ExchangeEvent { conn_token, token, ready }));
        });
        member.reporting = driver.conn.may_report();
        if member.reporting {
            self.reporting.push_back(Reporter::Member(id));
        } else if driver.conn.state() == ConnState::Closed {
            // It may be over now.
            driver.flag();
        }
    }

    fn report_failed(&mut self, id: Id, events: &mut Vec<Event>) {
        let Some(exchange) = self.pool.jobs.get_mut(id).and_then(Job::waiting_mut) else { return };
        exchange.in_ready_list = false;
        let (token, ready) = (exchange.token, exchange.readiness(false));
        if ready != Readiness::empty() {
            events.push(Event::Exchange(ExchangeEvent { conn_token: 0, token, ready }));
            self.report_waiting(id);
        }
    }

    /// `poll.take-completions`.
    pub fn take_completions(&mut self, completions_max: u32, now: Instant) -> Vec<PackedCompletion> {
        self.settle(now);
        let held_back = self.holds_back();
        let count = usize::try_from(completions_max).unwrap_or(usize::MAX).min(self.completions.len());
        let mut completions = Vec::with_capacity(count);
        while completions.len() < count
            && let Some((completion, octets)) = self.completions.pop_front()
        {
            self.completion_octets = self.completion_octets.saturating_sub(octets);
            completions.push(completion);
        }
        if held_back && !self.holds_back() {
            self.mark_all();
            self.settle(now);
        }
        completions
    }

    /// Leaves the inserted connections as they are, closes those of the pool, and fails what waits.
    pub fn close(&mut self, now: Instant) {
        let members: Vec<Id> = self.members.iter().map(|(id, _)| id).collect();
        for id in members {
            if let Some(member) = self.members.remove(id) {
                let mut driver = member.shared.borrow_mut();
                driver.leave();
                if !matches!(member.role, Role::Inserted(_)) {
                    driver.conn.leave_pool(now);
                    driver.heed_wish();
                }
            }
        }
        let origins: Vec<Id> = self.pool.origins.iter().map(|(id, _)| id).collect();
        for id in origins {
            self.fail_line(id, Whom::All, Error::Closed(CloseReason::Dropped), 0);
        }
    }
}

/// What a completion holds: content, heads and trailers.
fn octets(completion: &PackedCompletion) -> u64 {
    let Ok(response) = &completion.outcome else { return 0 };
    let head = |head: &PackedHead| head.octets.len() + size_of_val(head.places.as_slice());
    let heads = head(&response.head) + response.interim.iter().map(head).sum::<usize>();
    let trailers = response.trailers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    (response.content.len() + heads + trailers) as u64
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

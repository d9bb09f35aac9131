//! The resource `poll`: one wait for many connections.

use super::clock::{self, Alarm};
use super::names::Names;
use super::network::Sockets;
use super::wire::Shared;
use super::{client_conn, origin, send};
use crate::endpoint;
use crate::poll::{self, Poll};
use crate::timer::Instant;
use crate::types::{Error, Failure, Misuse, Request};
use crate::wit::client::{self, Completion, Event, OriginInfo, PackedCompletion, PollInfo, PollOptions};
use crate::wit::wasi::io::poll::Pollable;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

/// How long the addresses of a name are kept unless the caller says otherwise.
const NAMES_KEPT_NS: u64 = 60_000_000_000;

/// The handle of a poll.
pub(crate) struct Handle {
    pub(super) poll: Rc<RefCell<Poll<Sockets>>>,
    waiting: RefCell<Waiting>,
}

/// What a wait needs besides the connections.
#[derive(Default)]
struct Waiting {
    alarm: Alarm,
    waker: Option<Pollable>,
    woken: bool,
}

/// What came of a look at the connections.
#[derive(PartialEq, Eq)]
enum Looked {
    /// There was nothing to wait for.
    InVain,
    Done,
}

impl client::GuestPoll for Handle {
    fn new(options: Option<PollOptions>) -> Handle {
        let kept = options.as_ref().and_then(|options| options.names_kept).unwrap_or(NAMES_KEPT_NS);
        let sockets = Sockets { names: Rc::new(RefCell::new(Names::new(kept))) };
        let poll = Rc::new(RefCell::new(Poll::new(options.as_ref(), sockets)));
        Handle { poll, waiting: RefCell::default() }
    }

    fn insert(&self, conn: client::ClientConnBorrow<'_>, token: u64) -> Result<(), Error> {
        self.poll.borrow_mut().insert(&conn.get::<client_conn::Handle>().shared, token)
    }

    fn remove(&self, conn: client::ClientConnBorrow<'_>) {
        self.poll.borrow_mut().remove(&conn.get::<client_conn::Handle>().shared);
    }

    fn wait(&self, timeout: Option<u64>, events_max: u32) -> Vec<Event> {
        let events_max = usize::try_from(events_max.max(1)).unwrap_or(usize::MAX);
        wait(&mut self.poll.borrow_mut(), &mut self.waiting.borrow_mut(), timeout, events_max)
    }

    fn next_deadline(&self) -> Option<u64> {
        let mut poll = self.poll.borrow_mut();
        let now = clock::now();
        poll.settle(now);
        poll.next_deadline().map(|at| at.since(now))
    }

    fn submit(&self, origin: client::OriginBorrow<'_>, request: Request, token: u64) -> Result<client::Send, Failure> {
        let origin = &origin.get::<origin::Handle>().0;
        let ticket = Poll::submit(&self.poll, origin, request, token, clock::now())?;
        Ok(send::Handle::of_pool(ticket, token))
    }

    fn submit_all(&self, origin: client::OriginBorrow<'_>, requests: Vec<Request>, first_token: u64) {
        let origin = &origin.get::<origin::Handle>().0;
        self.poll.borrow_mut().submit_all(origin, requests, first_token, clock::now());
    }

    fn cancel(&self, token: u64) -> Result<(), Error> {
        self.poll.borrow_mut().cancel(token, clock::now())
    }

    fn cancel_all(&self, tokens: Vec<u64>) -> u32 {
        let cancelled = self.poll.borrow_mut().cancel_all(tokens, clock::now());
        u32::try_from(cancelled).unwrap_or(u32::MAX)
    }

    fn completions(&self, completions_max: u32) -> Vec<Completion> {
        self.packed_completions(completions_max).into_iter().map(PackedCompletion::unpacked).collect()
    }

    fn packed_completions(&self, completions_max: u32) -> Vec<PackedCompletion> {
        self.poll.borrow_mut().completions(completions_max, clock::now())
    }

    fn timed_out(&self, tokens_max: u32) -> Vec<u64> {
        let mut poll = self.poll.borrow_mut();
        poll.settle(clock::now());
        poll.timed_out(tokens_max)
    }

    fn resolve(&self, host: String, port: u16, addresses: Vec<String>) -> Result<(), Error> {
        let invalid = Error::ApiMisuse(Misuse::InvalidEndpoint);
        let addresses = endpoint::parse_addresses(&addresses)?;
        let poll = self.poll.borrow();
        let given = endpoint::is_host(&host) && poll.network().names.borrow_mut().give(host, port, addresses);
        if given { Ok(()) } else { Err(invalid) }
    }

    fn network_changed(&self) {
        self.poll.borrow_mut().network_changed(clock::now());
    }

    fn info(&self) -> PollInfo {
        let mut poll = self.poll.borrow_mut();
        poll.settle(clock::now());
        poll.info()
    }

    fn origin_info(&self, origin: client::OriginBorrow<'_>) -> OriginInfo {
        let mut poll = self.poll.borrow_mut();
        let now = clock::now();
        poll.settle(now);
        poll.origin_info(&origin.get::<origin::Handle>().0, now)
    }
}

impl Handle {
    /// `streams.wake-on`.
    pub(super) fn wake_on(&self, waker: Option<Pollable>) {
        self.waiting.borrow_mut().waker = waker;
    }
}

/// `poll.wait`: looks once without waiting if there may be something to report already, else waits until there is. What the last look has
/// found is given before there is another one.
fn wait(poll: &mut Poll<Sockets>, waiting: &mut Waiting, timeout: Option<u64>, events_max: usize) -> Vec<Event> {
    let mut now = clock::now();
    let until = now.after(timeout);
    poll.settle(now);
    if poll.has_backlog() {
        let events = poll.events(events_max);
        if !events.is_empty() {
            return events;
        }
    }
    loop {
        let pending = poll.has_something();
        let looked = look(poll, waiting, if pending { Some(now) } else { until }, now);
        now = clock::now();
        poll.settle(now);
        poll.looked();
        let mut events = Vec::new();
        if core::mem::take(&mut waiting.woken) {
            events.push(Event::Woken);
        }
        let room = events_max.saturating_sub(events.len());
        if room > 0 {
            events.append(&mut poll.events(room));
        }
        let over = until.is_some_and(|until| until <= now);
        if !events.is_empty() || over || (looked == Looked::InVain && !pending) {
            return events;
        }
    }
}

/// Waits until a connection can move octets, a deadline passes, `until`, or the waker is ready; moves the octets of those that can.
fn look(poll: &mut Poll<Sockets>, waiting: &mut Waiting, until: Option<Instant>, now: Instant) -> Looked {
    let watched = poll.watched(now);
    for (_, shared) in &watched {
        let driver = &mut *shared.borrow_mut();
        if let Some(wire) = &mut driver.link {
            wire.prepare_wait(&driver.conn);
        }
    }
    let drivers: Vec<_> = watched.iter().map(|(_, shared)| shared.borrow()).collect();
    let mut pollables = Vec::with_capacity(drivers.len() + 2);
    let mut owners = Vec::with_capacity(drivers.len() + 2);
    pollables.extend(waiting.waker.as_ref());
    owners.resize(pollables.len(), None);
    for (driver, owner) in drivers.iter().zip(&watched) {
        if let Some(wire) = &driver.link {
            wire.pollables(&driver.conn, &mut pollables);
        }
        owners.resize(pollables.len(), Some(owner));
    }
    let deadline = poll.next_deadline().into_iter().chain(until).min();
    if pollables.is_empty() && deadline.is_none() {
        return Looked::InVain;
    }
    let ready = clock::wait(&pollables, deadline, now, &mut waiting.alarm);
    drop(pollables);
    drop(drivers);
    let now = clock::now();
    let mut turn = Turn { operations: ready.len() };
    let mut last = None;
    for owner in ready.into_iter().filter_map(|ready| owners.get(ready as usize)) {
        match owner {
            None => waiting.woken = true,
            Some((id, _)) if last == Some(*id) => {}
            Some((id, shared)) => {
                last = Some(*id);
                turn.make_room(shared);
                poll.advance(*id, now);
            }
        }
    }
    Looked::Done
}

/// Operations on sockets for which a host answers truly, until it has turned to others: tokio, on which wasmtime's sockets stand, allows a task 128,
/// and says of the next ones that they are not ready. That many connections that are ready at once would never move.
const TURN_OPERATIONS_MAX: usize = 128;
/// Operations that one connection takes: its readiness, reading until nothing comes, and writing.
const CONNECTION_OPERATIONS: usize = 6;

/// What was asked of the host since it last turned to others.
struct Turn {
    operations: usize,
}

impl Turn {
    /// Lets the host turn to others, if it must before this connection has its own turn.
    fn make_room(&mut self, ready: &Shared) {
        self.operations += CONNECTION_OPERATIONS;
        if self.operations <= TURN_OPERATIONS_MAX {
            return;
        }
        self.operations = CONNECTION_OPERATIONS;
        let driver = ready.borrow();
        let mut pollables = Vec::new();
        if let Some(wire) = &driver.link {
            wire.pollables(&driver.conn, &mut pollables);
        }
        clock::turn(&pollables);
    }
}

/// Waits, for one exchange of the pool, until something has moved, and leaves what there is to report to the next `poll.wait`. Returns
/// whether there was something to wait for.
pub(super) fn turn(poll: &RefCell<Poll<Sockets>>) -> bool {
    let mut poll = poll.borrow_mut();
    let now = clock::now();
    poll.settle(now);
    let looked = look(&mut poll, &mut Waiting::default(), None, now);
    poll.settle(clock::now());
    looked == Looked::Done
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.poll.borrow_mut().close(clock::now());
    }
}

/// A request of the pool, wherever it is.
pub(super) type Ticket = poll::Ticket<Sockets>;

/// The connections of a poll, those of its pool with them.
pub(super) fn connections(handle: &Handle) -> Vec<Shared> {
    handle.poll.borrow().connections()
}

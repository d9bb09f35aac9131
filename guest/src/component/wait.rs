//! The wait of a poll, and of one exchange of its pool: until a connection can move octets, or a deadline passes.

use super::clock::{self, Alarm};
use super::network::Sockets;
use super::wire::Shared;
use crate::poll::{self, Poll};
use crate::timer::Instant;
use crate::wit::client::Event;
use crate::wit::wasi::io::poll::Pollable;
use alloc::vec::Vec;
use core::cell::RefCell;

/// A request of the pool, wherever it is.
pub(super) type Ticket = poll::Ticket<Sockets>;

/// The needs of a wait besides the connections.
#[derive(Default)]
pub(super) struct Waiting {
    alarm: Alarm,
    waker: Option<Pollable>,
    woken: bool,
}

/// The result of a look at the connections.
#[derive(PartialEq, Eq)]
enum Looked {
    /// There was nothing to wait for.
    InVain,
    Done,
}

impl Waiting {
    /// `streams.wake-on`.
    pub(super) fn wake_on(&mut self, waker: Option<Pollable>) {
        self.waker = waker;
    }
}

/// `poll.wait`: looks once without waiting if there may be something to report already, else waits until there is. What the last look has
/// found is given before there is another one.
pub(super) fn wait(poll: &mut Poll<Sockets>, waiting: &mut Waiting, timeout: Option<u64>, events_max: usize) -> Vec<Event> {
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
        driver.link.prepare_wait(driver.interest());
    }
    let drivers: Vec<_> = watched.iter().map(|(_, shared)| shared.borrow()).collect();
    let mut pollables = Vec::with_capacity(drivers.len() + 2);
    let mut owners = Vec::with_capacity(drivers.len() + 2);
    pollables.extend(waiting.waker.as_ref());
    owners.resize(pollables.len(), None);
    for (driver, owner) in drivers.iter().zip(&watched) {
        driver.link.pollables(driver.interest(), &mut pollables);
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

/// The operations that the host was asked for since it last turned to others.
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
        driver.link.pollables(driver.interest(), &mut pollables);
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

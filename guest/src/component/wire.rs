//! The transport of a connection, from its dialling to its end, over `wasi:sockets`.

use super::broken;
use super::clock::{self, Alarm};
use super::dial::{Dial, Dialled, Retired};
use super::transport::{Streams, Transport};
use crate::conn::ClientConn;
use crate::driver;
use crate::link::Link;
use crate::timer::Instant;
use crate::wit::wasi::io::poll::Pollable;
use alloc::vec::Vec;

/// A connection with its transport.
pub(super) type Driver = driver::Driver<Wire>;
/// The same, shared by the handles of its connection and of its exchanges, and by the poll that it is in.
pub(super) type Shared = driver::Shared<Wire>;

/// The transport of one connection.
pub(super) struct Wire {
    state: State,
    alarm: Alarm,
    /// Subscriptions whose pollables have not been given back.
    lent: usize,
    /// What such pollables may belong to, though it is not needed any more.
    retired: Vec<Retired>,
}

enum State {
    Dialling(Dial),
    Established(Transport),
    /// Shut down, and kept because its pollables are lent.
    Lent(Transport),
    Gone,
}

impl Link for Wire {
    fn advance(&mut self, conn: &mut ClientConn, now: Instant) {
        if let State::Dialling(dial) = &mut self.state {
            let dialled = dial.advance(conn, now);
            dial.take_retired(&mut self.retired);
            if self.lent == 0 {
                self.retired.clear();
            }
            match dialled {
                Dialled::Waiting => {}
                Dialled::Established(transport) => {
                    conn.established(transport.remote_address(), transport.local_address(), now);
                    self.state = State::Established(transport);
                }
                Dialled::Failed(error) => conn.end(error, now),
            }
        }
        if let State::Established(transport) = &mut self.state {
            transport.move_octets(conn, now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if let State::Dialling(dial) = &self.state { dial.deadline() } else { None }
    }

    fn is_behind(&self, conn: &ClientConn) -> bool {
        matches!(&self.state, State::Established(transport) if transport.is_behind(conn))
    }

    fn half_close(&mut self) {
        if let State::Established(transport) = &mut self.state {
            transport.half_close();
        }
    }

    fn close(&mut self, conn: &ClientConn) {
        if conn.pipeline_broke() && !matches!(self.state, State::Gone | State::Lent(_)) {
            broken::remember(conn.authority());
        }
        self.state = match core::mem::replace(&mut self.state, State::Gone) {
            State::Established(mut transport) | State::Lent(mut transport) if self.lent > 0 => {
                transport.shut_down();
                State::Lent(transport)
            }
            State::Dialling(mut dial) if self.lent > 0 => {
                dial.stop();
                dial.take_retired(&mut self.retired);
                State::Gone
            }
            _ => State::Gone,
        };
    }
}

impl Wire {
    /// A transport that is to be dialled.
    pub(super) fn dialling(dial: Dial) -> Wire {
        Wire::new(State::Dialling(dial))
    }

    /// A transport that is established.
    pub(super) fn established(transport: Transport) -> Wire {
        Wire::new(State::Established(transport))
    }

    fn new(state: State) -> Wire {
        Wire { state, alarm: Alarm::default(), lent: 0, retired: Vec::new() }
    }

    /// Takes the transport away.
    pub(super) fn take_streams(&mut self) -> Option<Streams> {
        match core::mem::replace(&mut self.state, State::Gone) {
            State::Established(transport) => Some(transport.into_streams()),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Whether pollables are lent.
    pub(super) fn lends(&self) -> bool {
        self.lent > 0
    }

    /// Adds fresh pollables for somebody else.
    pub(super) fn lend(&mut self, conn: &ClientConn, pollables: &mut Vec<Pollable>) {
        self.lent += 1;
        match &self.state {
            State::Dialling(dial) => dial.lend_pollables(pollables),
            State::Established(transport) => pollables.extend(transport.lend_pollables(conn)),
            State::Lent(_) | State::Gone => {}
        }
    }

    /// They were given back.
    pub(super) fn give_back(&mut self) {
        self.lent = self.lent.saturating_sub(1);
        if self.lent == 0 {
            self.retired.clear();
            if let State::Lent(_) = self.state {
                self.state = State::Gone;
            }
        }
    }

    /// Makes sure that there is something to wait for.
    pub(super) fn prepare_wait(&mut self, conn: &ClientConn) {
        if let State::Established(transport) = &mut self.state {
            transport.prepare_wait(conn);
        }
    }

    /// Adds what to wait for to `pollables`, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables<'a>(&'a self, conn: &ClientConn, pollables: &mut Vec<&'a Pollable>) {
        match &self.state {
            State::Dialling(dial) => dial.pollables(pollables),
            State::Established(transport) => pollables.extend(transport.pollables(conn)),
            State::Lent(_) | State::Gone => {}
        }
    }
}

/// Waits until octets of one connection can be moved or a deadline passes, then moves them. Gives the time.
pub(super) fn wait(driver: &mut Driver, now: Instant) -> Instant {
    driver.catch_up(now);
    let deadline = driver.deadline();
    if let Some(wire) = &mut driver.link {
        wire.prepare_wait(&driver.conn);
        let mut alarm = core::mem::take(&mut wire.alarm);
        let mut pollables = Vec::with_capacity(3);
        wire.pollables(&driver.conn, &mut pollables);
        clock::wait(&pollables, deadline, now, &mut alarm);
        wire.alarm = alarm;
    }
    let now = clock::now();
    driver.advance(now);
    now
}

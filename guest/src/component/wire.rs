//! The transport of a connection, from its dialling to its end, over `wasi:sockets`.

use super::broken;
use super::clock::{self, Alarm};
use super::dial::{Dial, Dialled};
use super::retired::Retired;
use super::secure::{Plan, Secured, Securing};
use super::socket::Socket;
use super::transport::{Layers, Transport};
use crate::conn::ClientConn;
use crate::driver;
use crate::link::Link;
use crate::timer::Instant;
use crate::types::{Error, Misuse};
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
    /// With what is to secure it then.
    Dialling(Dial, Option<Plan>),
    Securing(Securing),
    Established(Transport),
    Gone,
}

impl Link for Wire {
    fn advance(&mut self, conn: &mut ClientConn, now: Instant) {
        self.dial(conn, now);
        self.secure(conn, now);
        if let State::Established(transport) = &mut self.state {
            transport.move_octets(conn, now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if let State::Dialling(dial, _) = &self.state { dial.deadline() } else { None }
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
        if conn.broke().is_some() && !matches!(self.state, State::Gone) {
            broken::remember(conn.authority());
        }
        match core::mem::replace(&mut self.state, State::Gone) {
            State::Established(mut transport) => {
                transport.say_goodbye();
                if self.lent > 0 {
                    transport.shut_down();
                    self.retired.push(Retired::Transport(transport));
                }
            }
            State::Securing(mut securing) => {
                securing.give_up();
                if self.lent > 0 {
                    self.retired.push(Retired::Securing(securing));
                }
            }
            State::Dialling(mut dial, _) if self.lent > 0 => {
                dial.stop();
                dial.take_retired(&mut self.retired);
            }
            State::Dialling(..) | State::Gone => {}
        }
    }
}

impl Wire {
    /// A transport that is to be dialled, and secured as `plan` says.
    pub(super) fn dialling(dial: Dial, plan: Option<Plan>) -> Wire {
        Wire { state: State::Dialling(dial, plan), alarm: Alarm::default(), lent: 0, retired: Vec::new() }
    }

    /// A transport that is connected, and to be secured as `plan` says.
    pub(super) fn connected(socket: Socket, plan: Option<Plan>, conn: &mut ClientConn, now: Instant) -> Wire {
        let state = State::connected(socket, plan, conn, now);
        Wire { state, alarm: Alarm::default(), lent: 0, retired: Vec::new() }
    }

    fn dial(&mut self, conn: &mut ClientConn, now: Instant) {
        let State::Dialling(dial, plan) = &mut self.state else { return };
        let dialled = dial.advance(conn, now);
        dial.take_retired(&mut self.retired);
        if self.lent == 0 {
            self.retired.clear();
        }
        match dialled {
            Dialled::Waiting => {}
            Dialled::Connected(socket) => self.state = State::connected(socket, plan.take(), conn, now),
            Dialled::Failed(error) => conn.end(error, now),
        }
    }

    fn secure(&mut self, conn: &mut ClientConn, now: Instant) {
        let State::Securing(securing) = &mut self.state else { return };
        match securing.advance(now) {
            Secured::Waiting => {}
            Secured::Established(transport) => {
                conn.secured(now);
                let before = core::mem::replace(&mut self.state, State::Established(transport));
                if let (State::Securing(securing), 1..) = (before, self.lent) {
                    self.retired.push(Retired::Securing(securing));
                }
            }
            Secured::Failed(error) => conn.end(error, now),
        }
    }

    /// Takes the transport away.
    ///
    /// Errors: `api-misuse(secured)`.
    pub(super) fn take_socket(&mut self) -> Result<Socket, Error> {
        match core::mem::replace(&mut self.state, State::Gone) {
            State::Established(transport) if transport.is_secured() => {
                self.state = State::Established(transport);
                Err(Error::ApiMisuse(Misuse::Secured))
            }
            State::Established(transport) => transport.into_socket().ok_or(Error::Internal),
            other => {
                self.state = other;
                Err(Error::Internal)
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
            State::Dialling(dial, _) => dial.lend_pollables(pollables),
            State::Securing(securing) => securing.lend_pollables(pollables),
            State::Established(transport) => pollables.extend(transport.lend_pollables(conn.wants_octets() > 0)),
            State::Gone => {}
        }
    }

    /// They were given back.
    pub(super) fn give_back(&mut self) {
        self.lent = self.lent.saturating_sub(1);
        if self.lent == 0 {
            self.retired.clear();
        }
    }

    /// Makes sure that there is something to wait for.
    pub(super) fn prepare_wait(&mut self, conn: &ClientConn) {
        match &mut self.state {
            State::Established(transport) => transport.prepare_wait(conn.wants_octets() > 0),
            State::Securing(securing) => securing.prepare_wait(),
            State::Dialling(..) | State::Gone => {}
        }
    }

    /// Adds what to wait for to `pollables`, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables<'a>(&'a self, conn: &ClientConn, pollables: &mut Vec<&'a Pollable>) {
        match &self.state {
            State::Dialling(dial, _) => dial.pollables(pollables),
            State::Securing(securing) => securing.pollables(pollables),
            State::Established(transport) => pollables.extend(transport.pollables(conn.wants_octets() > 0)),
            State::Gone => {}
        }
    }
}

impl State {
    #[cfg_attr(not(any(feature = "tls", feature = "host-tls")), expect(unreachable_code, reason = "there is no plan"))]
    fn connected(socket: Socket, plan: Option<Plan>, conn: &mut ClientConn, now: Instant) -> State {
        let (remote, local) = (socket.remote_address(), socket.local_address());
        match plan {
            Some(plan) => {
                conn.connected(remote, local, now);
                State::Securing(plan.begin(socket, conn.id(), now))
            }
            None => {
                conn.established(remote, local, now);
                State::Established(Transport::new(Layers::Plain(socket)))
            }
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

//! The transport of a connection, from its dialling to its end, over `wasi:sockets`.

use super::clock::{self, Alarm};
use super::dial::{Dial, Dialled};
use super::retired::Retired;
use super::secure::{Plan, Secured, Securing};
use super::socket::Socket;
use super::transport::{Layers, Transport};
use crate::dial::{Broken, Progress};
use crate::driver::{self, Interest};
use crate::link::Link;
use crate::stream::{End, Read, Stream};
use crate::timer::Instant;
use crate::types::{Error, Misuse};
use crate::wit::wasi::io::poll::Pollable;
use alloc::vec::Vec;

/// A connection with its transport.
pub(super) type Driver = driver::Driver<Wire>;
/// A driver, shared by the handles of its connection and of its exchanges, and by the poll that it is in.
pub(super) type Shared = driver::Shared<Wire>;

/// Where pipelines broke, as all connections of the instance remember it.
pub(super) static BROKEN: Broken = Broken::new();

/// The transport of one connection.
pub(super) struct Wire {
    /// The number of the connection.
    connection: u64,
    state: State,
    alarm: Alarm,
    /// Subscriptions whose pollables have not been given back.
    lent: usize,
    /// Resources that are not needed any more, but such pollables may belong to them.
    retired: Vec<Retired>,
}

enum State {
    /// With what is to secure it then.
    Dialling(Dial, Option<Plan>),
    /// The caller has brought it along; `None` once it is taken from here.
    Given(Option<Socket>),
    Securing(Securing),
    Established(Transport),
    Gone,
}

impl Link for Wire {
    fn dial(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        self.connect(now, progress);
        self.secure(now, progress);
    }

    fn deadline(&self) -> Option<Instant> {
        if let State::Dialling(dial, _) = &self.state { dial.deadline() } else { None }
    }

    fn broken(&self) -> &Broken {
        &BROKEN
    }

    fn close(&mut self) {
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
                dial.give_up();
                self.retired.extend(dial.take_spent().into_iter().map(Retired::Spent));
            }
            State::Dialling(..) | State::Given(_) | State::Gone => {}
        }
    }
}

/// Before it is established, it neither has octets nor room.
impl Stream for Wire {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        self.transport().map_or(Ok(Read::Nothing), |transport| transport.read(octets_max))
    }

    fn has_ended(&self) -> bool {
        matches!(&self.state, State::Established(transport) if transport.has_ended())
    }

    fn was_answered(&mut self) -> bool {
        self.transport().is_none_or(Transport::was_answered)
    }

    fn room(&mut self) -> Result<usize, End> {
        self.transport().map_or(Ok(0), Transport::room)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        self.transport().map_or(Ok(()), |transport| transport.write(octets))
    }

    fn flush(&mut self) -> Result<bool, End> {
        self.transport().map_or(Ok(true), Transport::flush)
    }

    fn half_close(&mut self) {
        if let Some(transport) = self.transport() {
            transport.half_close();
        }
    }
}

impl Wire {
    /// The transport of a connection with this number, which is to be dialled, and secured as `plan` says.
    pub(super) fn dialling(connection: u64, dial: Dial, plan: Option<Plan>) -> Wire {
        Wire::new(connection, State::Dialling(dial, plan))
    }

    /// A transport that the caller has brought along.
    pub(super) fn connected(connection: u64, socket: Socket) -> Wire {
        Wire::new(connection, State::Given(Some(socket)))
    }

    /// No transport: nothing is dialled.
    pub(super) fn gone() -> Wire {
        Wire::new(0, State::Gone)
    }

    fn new(connection: u64, state: State) -> Wire {
        Wire { connection, state, alarm: Alarm::default(), lent: 0, retired: Vec::new() }
    }

    fn transport(&mut self) -> Option<&mut Transport> {
        if let State::Established(transport) = &mut self.state { Some(transport) } else { None }
    }

    fn connect(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        let (socket, plan) = match &mut self.state {
            State::Dialling(dial, plan) => {
                let dialled = dial.advance(now, progress);
                let spent = dial.take_spent();
                if self.lent > 0 {
                    self.retired.extend(spent.into_iter().map(Retired::Spent));
                }
                match dialled {
                    Dialled::Waiting => return,
                    Dialled::Connected(attempt, streams) => (attempt.into_socket(streams), plan.take()),
                    Dialled::Failed(error) => return progress.push(Progress::Failed(error)),
                }
            }
            State::Given(socket) => match socket.take() {
                Some(socket) => (socket, None),
                None => return,
            },
            State::Securing(_) | State::Established(_) | State::Gone => return,
        };
        progress.push(Progress::Connected { remote: socket.remote_address(), local: socket.local_address() });
        self.state = self.begin(socket, plan, now, progress);
    }

    #[cfg_attr(not(any(feature = "tls", feature = "host-tls")), expect(unreachable_code, reason = "there is no plan"))]
    fn begin(&self, socket: Socket, plan: Option<Plan>, now: Instant, progress: &mut Vec<Progress>) -> State {
        match plan {
            Some(plan) => State::Securing(plan.begin(socket, self.connection, now)),
            None => {
                progress.push(Progress::ESTABLISHED);
                State::Established(Transport::new(Layers::Plain(socket)))
            }
        }
    }

    fn secure(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        let State::Securing(securing) = &mut self.state else { return };
        match securing.advance(now) {
            Secured::Waiting => {}
            Secured::Established(transport, protocol) => {
                progress.extend([Progress::Secured, Progress::Established(protocol)]);
                let before = core::mem::replace(&mut self.state, State::Established(transport));
                if let (State::Securing(securing), 1..) = (before, self.lent) {
                    self.retired.push(Retired::Securing(securing));
                }
            }
            Secured::Failed(error) => progress.push(Progress::Failed(error)),
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
    pub(super) fn lend(&mut self, interest: Interest, pollables: &mut Vec<Pollable>) {
        self.lent += 1;
        match &self.state {
            State::Dialling(dial, _) => dial.lend_pollables(pollables),
            State::Securing(securing) => securing.lend_pollables(pollables),
            State::Established(transport) => pollables.extend(transport.lend_pollables(interest)),
            State::Given(_) | State::Gone => {}
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
    pub(super) fn prepare_wait(&mut self, interest: Interest) {
        match &mut self.state {
            State::Established(transport) => transport.prepare_wait(interest),
            State::Securing(securing) => securing.prepare_wait(),
            State::Dialling(..) | State::Given(_) | State::Gone => {}
        }
    }

    /// Adds what to wait for to `pollables`, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables<'a>(&'a self, interest: Interest, pollables: &mut Vec<&'a Pollable>) {
        match &self.state {
            State::Dialling(dial, _) => dial.pollables(pollables),
            State::Securing(securing) => securing.pollables(pollables),
            State::Established(transport) => pollables.extend(transport.pollables(interest)),
            State::Given(_) | State::Gone => {}
        }
    }
}

/// Waits until octets of one connection can be moved or a deadline passes, then moves them. Gives the time.
pub(super) fn wait(driver: &mut Driver, now: Instant) -> Instant {
    driver.catch_up(now);
    let (deadline, interest) = (driver.deadline(), driver.interest());
    let wire = &mut driver.link;
    wire.prepare_wait(interest);
    let mut alarm = core::mem::take(&mut wire.alarm);
    let mut pollables = Vec::with_capacity(3);
    wire.pollables(interest, &mut pollables);
    clock::wait(&pollables, deadline, now, &mut alarm);
    wire.alarm = alarm;
    let now = clock::now();
    driver.advance(now);
    now
}

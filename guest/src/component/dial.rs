//! From an endpoint to a connected socket: the name is looked up, the addresses race (RFC 8305).

use super::names::{Answer, Lookup, Names};
use super::retired::Retired;
use super::socket::{self, Socket};
use crate::address::Address;
use crate::conn::ClientConn;
use crate::endpoint;
use crate::timer::Instant;
use crate::types::{ConnectProblem, Denial, DnsProblem, Endpoint, Error, LogEvent};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::sockets::instance_network::instance_network;
use crate::wit::wasi::sockets::network::{ErrorCode, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use crate::wit::wasi::sockets::tcp::TcpSocket;
use crate::wit::wasi::sockets::tcp_create_socket::create_tcp_socket;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::IpAddr;

/// How long an address is tried before the next one joins the race (RFC 8305 §8).
const ATTEMPT_DELAY_NS: u64 = 250_000_000;

/// Addresses that are tried at once. A further one joins when one of them has failed: an attempt that runs is never ended for another, since
/// the first repetition of what the network has lost takes a second.
const ATTEMPTS_MAX: usize = 16;

/// How often a name is looked up when the resolver fails for now, and how long after the first time; doubled by each.
const LOOKUPS_MAX: u32 = 3;
const LOOKUP_DELAY_NS: u64 = 250_000_000;

/// An endpoint that is being connected to.
pub(super) struct Dial {
    names: Option<Rc<RefCell<Names>>>,
    host: String,
    port: u16,
    step: Step,
    lookups: u32,
    addresses: VecDeque<Address>,
    attempts: Vec<Attempt>,
    /// When the next address joins.
    next_at: Instant,
    /// What the last address that was tried failed with.
    failed: Option<Error>,
    retired: Vec<Retired>,
}

enum Step {
    /// The name is to be looked up.
    Name,
    /// The same, at this moment.
    Again(Instant),
    /// The addresses are arriving.
    Resolving(Rc<Lookup>),
    /// Addresses are being tried.
    Racing,
}

/// An address that is being tried. The order of the fields is the order in which they must be dropped: children first.
struct Attempt {
    ready: Pollable,
    socket: TcpSocket,
}

/// What came of moving on.
pub(super) enum Dialled {
    /// Something has to be waited for.
    Waiting,
    /// The socket.
    Connected(Socket),
    /// No address is left, or the name has none.
    Failed(Error),
}

impl Dial {
    /// Begins with an endpoint. `names`: what is known about names.
    ///
    /// Errors: `api-misuse(invalid-endpoint)`.
    pub(super) fn new(endpoint: &Endpoint, names: Option<Rc<RefCell<Names>>>) -> Result<Dial, Error> {
        let mut addresses = endpoint::check(endpoint)?;
        if let (true, Some(names)) = (endpoint.addresses.is_empty(), &names) {
            let given = names.borrow().given(&endpoint.host, endpoint.port);
            if !given.is_empty() {
                addresses = given;
            }
        }
        let step = if addresses.is_empty() { Step::Name } else { Step::Racing };
        Ok(Dial {
            names,
            host: endpoint.host.clone(),
            port: endpoint.port,
            step,
            lookups: 0,
            addresses: addresses.into(),
            attempts: Vec::new(),
            next_at: Instant(0),
            failed: None,
            retired: Vec::new(),
        })
    }

    /// Goes on as far as possible without waiting.
    pub(super) fn advance(&mut self, conn: &mut ClientConn, now: Instant) -> Dialled {
        loop {
            match &self.step {
                Step::Again(at) if *at > now => return Dialled::Waiting,
                Step::Name | Step::Again(_) => {
                    if let Err(error) = self.look_up(conn, now) {
                        return Dialled::Failed(error);
                    }
                }
                Step::Resolving(lookup) => {
                    let lookup = Rc::clone(lookup);
                    match lookup.outcome() {
                        None => return Dialled::Waiting,
                        Some(outcome) => {
                            self.retired.push(Retired::Lookup(lookup));
                            if let Err(error) = self.resolved(outcome, conn, now) {
                                return Dialled::Failed(error);
                            }
                        }
                    }
                }
                Step::Racing => return self.race(conn, now),
            }
        }
    }

    fn look_up(&mut self, conn: &mut ClientConn, now: Instant) -> Result<(), Error> {
        self.lookups += 1;
        let answer = match &self.names {
            Some(names) => names.borrow_mut().answer(&self.host, now)?,
            None => Answer::Running(Lookup::begin(&self.host)?),
        };
        match answer {
            Answer::Running(lookup) => self.step = Step::Resolving(lookup),
            Answer::Addresses(addresses) => self.take_addresses(addresses, conn, now),
        }
        Ok(())
    }

    fn resolved(&mut self, outcome: Result<Vec<Address>, Error>, conn: &mut ClientConn, now: Instant) -> Result<(), Error> {
        match outcome {
            Ok(addresses) => {
                if let Some(names) = &self.names {
                    names.borrow_mut().remember(&self.host, &addresses, now);
                }
                self.take_addresses(addresses, conn, now);
                Ok(())
            }
            Err(Error::Dns(DnsProblem::TemporaryFailure)) if self.lookups < LOOKUPS_MAX => {
                let delay = LOOKUP_DELAY_NS << (self.lookups - 1);
                self.step = Step::Again(Instant(now.0.saturating_add(delay)));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn take_addresses(&mut self, addresses: Vec<Address>, conn: &mut ClientConn, now: Instant) {
        conn.resolved(addresses.len(), now);
        self.addresses = alternating(addresses);
        self.step = Step::Racing;
    }

    /// Has the next address join when it is its turn, and looks who has arrived.
    fn race(&mut self, conn: &mut ClientConn, now: Instant) -> Dialled {
        loop {
            while self.is_due(now)
                && let Some(address) = self.addresses.pop_front()
            {
                self.attempt(address, conn, now);
            }
            if self.attempts.is_empty() {
                return Dialled::Failed(self.failed.unwrap_or(Error::Internal));
            }
            match self.arrived(conn, now) {
                Some(socket) => return Dialled::Connected(socket),
                None if self.attempts.is_empty() || (self.is_due(now) && !self.addresses.is_empty()) => {}
                None => return Dialled::Waiting,
            }
        }
    }

    /// Whether the next address joins.
    fn is_due(&self, now: Instant) -> bool {
        self.attempts.is_empty() || (self.next_at <= now && self.attempts.len() < ATTEMPTS_MAX)
    }

    /// The socket of the first address that is connected to; those that failed make way for the next.
    fn arrived(&mut self, conn: &mut ClientConn, now: Instant) -> Option<Socket> {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get(index) {
            match attempt.socket.finish_connect() {
                Err(ErrorCode::WouldBlock) => index += 1,
                Ok((input, output)) => {
                    let Attempt { ready, socket } = self.attempts.swap_remove(index);
                    drop(ready);
                    self.stop();
                    return Some(Socket::new(input, output, Some(socket)));
                }
                Err(code) => {
                    let attempt = self.attempts.swap_remove(index);
                    self.retire(attempt);
                    self.note_failure(connect_error(code), conn, now);
                    self.next_at = now;
                }
            }
        }
        None
    }

    fn attempt(&mut self, address: Address, conn: &mut ClientConn, now: Instant) {
        let address = with_port(address, self.port);
        conn.note(now, || LogEvent::Connecting(socket::text(address)));
        let started = create_tcp_socket(socket::family(&address)).and_then(|socket| {
            socket.start_connect(&instance_network(), address)?;
            Ok(socket)
        });
        match started {
            Ok(socket) => {
                self.attempts.push(Attempt { ready: socket.subscribe(), socket });
                self.next_at = Instant(now.0.saturating_add(ATTEMPT_DELAY_NS));
            }
            Err(code) => self.note_failure(connect_error(code), conn, now),
        }
    }

    fn note_failure(&mut self, error: Error, conn: &mut ClientConn, now: Instant) {
        self.failed = Some(error);
        conn.note(now, || LogEvent::ConnectFailed(error));
    }

    /// Gives up what is under way.
    pub(super) fn stop(&mut self) {
        for attempt in core::mem::take(&mut self.attempts) {
            self.retire(attempt);
        }
        if let Step::Resolving(lookup) = core::mem::replace(&mut self.step, Step::Racing) {
            self.retired.push(Retired::Lookup(lookup));
        }
        self.addresses.clear();
    }

    fn retire(&mut self, attempt: Attempt) {
        let Attempt { ready, socket } = attempt;
        drop(ready);
        self.retired.push(Retired::Socket(socket));
    }

    /// Adds what is not needed any more.
    pub(super) fn take_retired(&mut self, retired: &mut Vec<Retired>) {
        retired.append(&mut self.retired);
    }

    /// When to go on although nothing has come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Again(at) => Some(at),
            Step::Racing if !self.addresses.is_empty() && self.attempts.len() < ATTEMPTS_MAX => Some(self.next_at),
            Step::Name | Step::Resolving(_) | Step::Racing => None,
        }
    }

    /// Adds what to wait for.
    pub(super) fn pollables<'a>(&'a self, pollables: &mut Vec<&'a Pollable>) {
        if let Step::Resolving(lookup) = &self.step {
            pollables.push(lookup.ready());
        }
        pollables.extend(self.attempts.iter().map(|attempt| &attempt.ready));
    }

    /// Adds the same for somebody else, who must drop them before this is dropped.
    pub(super) fn lend_pollables(&self, pollables: &mut Vec<Pollable>) {
        if let Step::Resolving(lookup) = &self.step {
            pollables.push(lookup.subscribe());
        }
        pollables.extend(self.attempts.iter().map(|attempt| attempt.socket.subscribe()));
    }
}

/// The addresses in the resolver's order, but with the families alternating, so that one that leads nowhere does not hold up the other
/// (RFC 8305 §4).
fn alternating(addresses: Vec<Address>) -> VecDeque<Address> {
    let first_is_v6 = addresses.first().is_some_and(|address| address.ip.is_ipv6());
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.ip.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = VecDeque::new();
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return order;
        }
        order.extend([pair.0, pair.1].into_iter().flatten());
    }
}

fn with_port(Address { ip, scope }: Address, port: u16) -> IpSocketAddress {
    match ip {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) })
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments();
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address: (a, b, c, d, e, f, g, h), scope_id: scope })
        }
    }
}

fn connect_error(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => Error::Denied(Denial::Connect),
        ErrorCode::ConnectionRefused => Error::Connect(ConnectProblem::Refused),
        ErrorCode::RemoteUnreachable => Error::Connect(ConnectProblem::Unreachable),
        ErrorCode::Timeout => Error::Connect(ConnectProblem::TimedOut),
        ErrorCode::ConnectionReset | ErrorCode::ConnectionAborted => Error::Connect(ConnectProblem::Reset),
        ErrorCode::OutOfMemory | ErrorCode::NewSocketLimit => Error::Connect(ConnectProblem::Exhausted),
        _ => Error::Connect(ConnectProblem::Other),
    }
}

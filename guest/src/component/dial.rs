//! Names and addresses of `wasi:sockets`, for the dialling of a connection.

use super::socket::{self, Socket};
use crate::address::Address;
use crate::dial::{self, Dialler, Names};
use crate::endpoint::ADDRESSES_MAX;
use crate::types::{ConnectProblem, Denial, DnsProblem, Error};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use crate::wit::wasi::sockets::instance_network::instance_network;
use crate::wit::wasi::sockets::ip_name_lookup::{ResolveAddressStream, resolve_addresses};
use crate::wit::wasi::sockets::network::{ErrorCode, IpAddress};
use crate::wit::wasi::sockets::tcp::TcpSocket;
use crate::wit::wasi::sockets::tcp_create_socket::create_tcp_socket;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// An endpoint that is being connected to.
pub(super) type Dial = dial::Dial<Sockets>;
/// The result of moving on.
pub(super) type Dialled = dial::Dialled<Sockets>;
/// The names that the connections of a poll share.
pub(super) type SharedNames = Rc<RefCell<Names<Lookup>>>;

/// The sockets of one connection that is being dialled.
#[derive(Default)]
pub(super) struct Sockets {
    spent: Vec<Spent>,
}

/// A socket or look-up that is not needed any more, but may have pollables that are lent.
#[expect(dead_code, reason = "kept, not used")]
pub(super) enum Spent {
    /// An address that was tried.
    Socket(TcpSocket),
    /// A name that was looked up.
    Lookup(Rc<Lookup>),
}

/// A name that is being looked up. The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Lookup {
    ready: Pollable,
    stream: ResolveAddressStream,
    found: RefCell<Vec<Address>>,
    outcome: RefCell<Option<Result<(), Error>>>,
}

/// An address that is being connected to. The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Attempt {
    ready: Pollable,
    socket: TcpSocket,
}

impl Dialler for Sockets {
    type Lookup = Lookup;
    type Attempt = Attempt;
    type Streams = (InputStream, OutputStream);

    fn look_up(&mut self, name: &str) -> Result<Lookup, Error> {
        let stream = resolve_addresses(&instance_network(), name).map_err(lookup_error)?;
        Ok(Lookup { ready: stream.subscribe(), stream, found: RefCell::default(), outcome: RefCell::new(None) })
    }

    /// Each of the connections that wait for a look-up asks: what one of them has been told is kept for the others.
    fn found(&mut self, lookup: &Lookup) -> Option<Result<Vec<Address>, Error>> {
        let mut found = lookup.found.borrow_mut();
        let mut outcome = lookup.outcome.borrow_mut();
        while outcome.is_none() {
            match lookup.stream.resolve_next_address() {
                Ok(Some(address)) if found.len() < ADDRESSES_MAX => found.push(address.into()),
                Ok(_) if found.is_empty() => *outcome = Some(Err(Error::Dns(DnsProblem::NotFound))),
                Ok(_) => *outcome = Some(Ok(())),
                Err(ErrorCode::WouldBlock) => return None,
                Err(code) => *outcome = Some(Err(lookup_error(code))),
            }
        }
        outcome.map(|outcome| outcome.map(|()| found.clone()))
    }

    fn connect(&mut self, address: SocketAddr) -> Result<Attempt, Error> {
        let socket = create_tcp_socket(socket::family(&address)).map_err(connect_error)?;
        socket.start_connect(&instance_network(), socket::from_std(address)).map_err(connect_error)?;
        Ok(Attempt { ready: socket.subscribe(), socket })
    }

    fn outcome(&mut self, attempt: &mut Attempt) -> Option<Result<(InputStream, OutputStream), Error>> {
        match attempt.socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => None,
            outcome => Some(outcome.map_err(connect_error)),
        }
    }

    fn retire_lookup(&mut self, lookup: Rc<Lookup>) {
        self.spent.push(Spent::Lookup(lookup));
    }

    fn retire_attempt(&mut self, attempt: Attempt) {
        let Attempt { ready, socket } = attempt;
        drop(ready);
        self.spent.push(Spent::Socket(socket));
    }
}

impl Attempt {
    /// The socket, once the attempt has succeeded.
    pub(super) fn into_socket(self, (input, output): (InputStream, OutputStream)) -> Socket {
        let Attempt { ready, socket } = self;
        drop(ready);
        Socket::new(input, output, Some(socket))
    }
}

impl Dial {
    /// Takes what is not needed any more.
    pub(super) fn take_spent(&mut self) -> Vec<Spent> {
        core::mem::take(&mut self.dialler().spent)
    }

    /// Adds what to wait for.
    pub(super) fn pollables<'a>(&'a self, pollables: &mut Vec<&'a Pollable>) {
        pollables.extend(self.lookup().map(|lookup| &lookup.ready));
        pollables.extend(self.attempts().iter().map(|attempt| &attempt.ready));
    }

    /// Adds the same for somebody else, who must drop them before this is dropped.
    pub(super) fn lend_pollables(&self, pollables: &mut Vec<Pollable>) {
        pollables.extend(self.lookup().map(|lookup| lookup.stream.subscribe()));
        pollables.extend(self.attempts().iter().map(|attempt| attempt.socket.subscribe()));
    }
}

/// An answer of a look-up has no scope in WASI: the host adds the one that it was given.
impl From<IpAddress> for Address {
    fn from(address: IpAddress) -> Address {
        let ip = match address {
            IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
            IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
        };
        Address { ip, scope: 0 }
    }
}

fn lookup_error(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => Error::Denied(Denial::NameLookup),
        ErrorCode::TemporaryResolverFailure | ErrorCode::Timeout => Error::Dns(DnsProblem::TemporaryFailure),
        ErrorCode::NameUnresolvable | ErrorCode::InvalidArgument => Error::Dns(DnsProblem::NotFound),
        _ => Error::Dns(DnsProblem::PermanentFailure),
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

//! Everything that comes to an instance from outside: connections, names, randomness, the date.

use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;

use rustix::fd::BorrowedFd;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, Pollable};

use super::sockets::connection::Connection;
use super::sockets::usage::Descriptor;

/// The outside of one instance: this machine, a recording of this machine, or a replay in place of this machine.
pub(crate) trait Outside: Send {
    /// May a socket be bound to the address? A client has no need of a certain address.
    fn may_bind(&self, address: SocketAddr) -> bool {
        address.ip().is_unspecified() && address.port() == 0
    }

    /// Begins to connect a socket. A refused socket is closed.
    fn connect(&mut self, socket: Unconnected, to: SocketAddr) -> Result<Opening, ErrorCode>;

    /// Begins to look a name up.
    fn look_up(&mut self, name: &str) -> Result<LookingUp, ErrorCode>;

    /// The streams of a transport that the caller of `handshake` has for the authority.
    fn handshake(&mut self, authority: &str, streams: Streams) -> Streams;

    /// As many random octets as asked for.
    fn random(&mut self, octets: u64) -> wasmtime::Result<Vec<u8>>;

    /// The date.
    fn now(&mut self) -> Datetime;
}

/// An operation that takes time, as an operation of WASI with a `start-` and a `finish-`. A waiter asks `finish` when the operation
/// is ready.
pub(crate) trait Started<T>: Pollable {
    /// The outcome, once.
    ///
    /// # Errors
    /// `would-block`: no outcome yet.
    fn finish(&mut self) -> Result<T, ErrorCode>;
}

pub(crate) type Opening = Box<dyn Started<Box<dyn Established>>>;
pub(crate) type LookingUp = Box<dyn Started<Vec<IpAddr>>>;
pub(crate) type Streams = (DynInputStream, DynOutputStream);

/// A socket that can be connected.
pub(crate) struct Unconnected {
    pub(crate) socket: tokio::net::TcpSocket,
    pub(crate) family: IpAddressFamily,
    pub(crate) descriptor: Arc<Descriptor>,
}

/// An established connection, as the socket knows the connection.
pub(crate) trait Established: Send + Sync {
    fn local_address(&self) -> Result<SocketAddr, ErrorCode>;

    fn remote_address(&self) -> Result<SocketAddr, ErrorCode>;

    fn shut_down(&self, how: Shutdown);

    /// The streams of the connection, for the component.
    fn streams(&self) -> Streams;

    /// The connection, if calls may go straight to the connection, past the streams.
    fn connection(&self) -> Option<&Arc<Connection>> {
        None
    }

    /// The place where options are set.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

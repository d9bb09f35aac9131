//! What comes to an instance from outside: connections, names, chance, the date.

use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;

use rustix::fd::BorrowedFd;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, Pollable};

use super::sockets::connection::Connection;
use super::sockets::usage::Descriptor;

/// Where all of it comes from, for one instance: this machine, a recording that is made of it, or a replay that stands in its place.
pub(crate) trait Outside: Send {
    /// May a socket be bound to this address? A client has no need of a certain one.
    fn may_bind(&self, address: SocketAddr) -> bool {
        address.ip().is_unspecified() && address.port() == 0
    }

    /// Begins to connect a socket, which is closed where that is refused.
    fn connect(&mut self, socket: Unconnected, to: SocketAddr) -> Result<Opening, ErrorCode>;

    /// Begins to look a name up.
    fn look_up(&mut self, name: &str) -> Result<LookingUp, ErrorCode>;

    /// The streams of a transport that the caller of `handshake` has for this authority.
    fn handshake(&mut self, authority: &str, streams: Streams) -> Streams;

    /// As many random octets as are asked for.
    fn random(&mut self, octets: u64) -> wasmtime::Result<Vec<u8>>;

    /// The date.
    fn now(&mut self) -> Datetime;
}

/// Something that takes its time, as what WASI has a `start-` and a `finish-` for. Whoever waits for it asks `finish` when it is ready.
pub(crate) trait Started<T>: Pollable {
    /// The outcome, once.
    ///
    /// # Errors
    /// `would-block`: there is none yet.
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

/// An established connection, as its socket knows it.
pub(crate) trait Established: Send + Sync {
    fn local_address(&self) -> Result<SocketAddr, ErrorCode>;

    fn remote_address(&self) -> Result<SocketAddr, ErrorCode>;

    fn shut_down(&self, how: Shutdown);

    /// Its streams, for the component.
    fn streams(&self) -> Streams;

    /// The connection itself, where calls may go straight to it, past its streams.
    fn connection(&self) -> Option<&Arc<Connection>> {
        None
    }

    /// What options are set on.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

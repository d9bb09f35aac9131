//! Transports that leave an instance.

use std::fmt;

use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::sockets::socket::TcpSocket;

/// The transport of a connection, taken back from it, and what it had delivered.
pub struct Parts {
    /// Octets from the peer, after `unread`.
    pub input: DynInputStream,
    /// Octets to the peer. When it is dropped before all has left, the rest is thrown away, and the connection of a
    /// socket ends in a reset, so that the peer cannot take for whole what it has: wait for `cancel` first.
    pub output: DynOutputStream,
    /// The socket that the streams belong to; `None` for streams that were given to [`Client::handshake`](crate::Client::handshake). It closes
    /// when all three are dropped.
    pub socket: Option<TcpSocket>,
    /// Octets that were read from `input` and belong to nobody yet.
    pub unread: Vec<u8>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}

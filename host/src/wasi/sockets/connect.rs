//! Connecting a socket under the policy.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd};
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::address::{is_of_family, is_remote, is_unicast};
use super::code_of;
use super::connection::{Connection, SendHalf};
use super::streams::streams_of;
use super::transport::Transport;
use crate::policy::{Reach, Way};
use crate::wasi::outside::{Established, Opening, Streams, Unconnected};
use crate::wasi::running::Running;

/// Begins to connect. What comes of it, also what the policy says of an address that can be connected to, is for the end to tell.
///
/// # Errors
/// `invalid-argument`, or `access-denied` where the policy does not admit what cannot be connected to anyway.
pub(crate) fn start(unconnected: Unconnected, to: SocketAddr, reach: &Arc<Reach>) -> Result<Opening, ErrorCode> {
    let Unconnected { socket, family, descriptor } = unconnected;
    if !is_unicast(to.ip()) || !is_remote(to) || !is_of_family(to.ip(), family) {
        // What the policy says of it comes first: an address that stands for one that is denied is denied.
        return Err(if reach.may_connect(to) { ErrorCode::InvalidArgument } else { ErrorCode::AccessDenied });
    }
    let (reach, address) = (Arc::clone(reach), reach.scoped(to));
    Ok(Box::new(Running::new(async move {
        let transport = match reach.way_to(address) {
            Some(Way::Tcp) => socket.connect(address).await.map(Transport::tcp),
            Some(Way::Unix(unix)) => unix.connect().await.map(|stream| Transport::unix(stream, address)),
            None => Err(io::ErrorKind::PermissionDenied.into()),
        };
        let connection = Connection::new(transport.map_err(code_of)?, descriptor);
        Ok(Box::new(Arc::new(SendHalf(Arc::new(connection)))) as Box<dyn Established>)
    })))
}

impl Established for Arc<SendHalf> {
    fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.0.local_address().map_err(code_of)
    }

    fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.0.remote_address().map_err(code_of)
    }

    fn shut_down(&self, how: Shutdown) {
        self.0.shut_down(how);
    }

    fn streams(&self) -> Streams {
        streams_of(self)
    }

    fn connection(&self) -> Option<&Arc<Connection>> {
        Some(&self.0)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

//! TCP sockets.

use std::fmt;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};

use super::address::{is_of_family, is_unicast};
use super::code_of;
use super::usage::{Descriptor, Usage};
use crate::wasi::outside::{Established, Opening, Outside, Unconnected};

/// A socket of the component, which its streams belong to. The connection closes when it and its streams are dropped.
pub struct TcpSocket {
    pub(super) family: IpAddressFamily,
    phase: Phase,
    begun: Option<Begun>,
    descriptor: Arc<Descriptor>,
}

enum Phase {
    Fresh(tokio::net::TcpSocket),
    Connecting(Opening),
    Connected(Box<dyn Established>),
    Failed(ErrorCode),
}

/// What has to be finished.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Bind,
    Connect,
}

impl TcpSocket {
    pub(super) fn new(family: IpAddressFamily, usage: &Arc<Usage>) -> Result<Self, ErrorCode> {
        let socket = match family {
            IpAddressFamily::Ipv4 => tokio::net::TcpSocket::new_v4(),
            IpAddressFamily::Ipv6 => tokio::net::TcpSocket::new_v6(),
        };
        let socket = socket.map_err(code_of)?;
        if family == IpAddressFamily::Ipv6 {
            set_ipv6_v6only(&socket, true).map_err(|error| code_of(error.into()))?;
        }
        let descriptor = Arc::new(Descriptor::new(usage));
        Ok(Self { family, phase: Phase::Fresh(socket), begun: None, descriptor })
    }

    pub(super) fn start_bind(&mut self, address: SocketAddr, outside: &dyn Outside) -> Result<(), ErrorCode> {
        self.check_idle()?;
        let socket = match &self.phase {
            Phase::Fresh(socket) if !is_bound(socket) => socket,
            _ => return Err(ErrorCode::InvalidState),
        };
        if !is_unicast(address.ip()) || !is_of_family(address.ip(), self.family) {
            return Err(ErrorCode::InvalidArgument);
        }
        if !outside.may_bind(address) {
            return Err(ErrorCode::AccessDenied);
        }
        // As WASI has it: an address of a connection that was closed a while ago can be bound to.
        let _ = set_socket_reuseaddr(socket, true);
        socket.bind(address).map_err(code_of)?;
        self.begun = Some(Begun::Bind);
        Ok(())
    }

    pub(super) fn finish_bind(&mut self) -> Result<(), ErrorCode> {
        self.finish(Begun::Bind)
    }

    /// What comes of it is for [`finish_connect`](Self::finish_connect) to tell.
    pub(super) fn start_connect(&mut self, address: SocketAddr, outside: &mut dyn Outside) -> Result<(), ErrorCode> {
        self.check_idle()?;
        if !matches!(self.phase, Phase::Fresh(_)) {
            return Err(ErrorCode::InvalidState);
        }
        if let Phase::Fresh(socket) = std::mem::replace(&mut self.phase, Phase::Failed(ErrorCode::InvalidState)) {
            let unconnected = Unconnected { socket, family: self.family, descriptor: Arc::clone(&self.descriptor) };
            self.phase = Phase::Connecting(outside.connect(unconnected, address)?);
        }
        self.begun = Some(Begun::Connect);
        Ok(())
    }

    pub(super) fn finish_connect(&mut self) -> Result<&dyn Established, ErrorCode> {
        if self.begun != Some(Begun::Connect) {
            return Err(ErrorCode::NotInProgress);
        }
        if let Phase::Connecting(opening) = &mut self.phase {
            self.phase = match opening.finish() {
                Ok(established) => Phase::Connected(established),
                Err(ErrorCode::WouldBlock) => return Err(ErrorCode::WouldBlock),
                Err(code) => Phase::Failed(code),
            };
        }
        self.finish(Begun::Connect)?;
        self.connected()
    }

    /// The component is a client: no policy lets it listen.
    pub(super) fn start_listen(&self) -> Result<(), ErrorCode> {
        self.check_idle()?;
        match &self.phase {
            Phase::Fresh(socket) if is_bound(socket) => Err(ErrorCode::AccessDenied),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    pub(super) fn set_backlog(&self, connections: u64) -> Result<(), ErrorCode> {
        match &self.phase {
            _ if connections == 0 => Err(ErrorCode::InvalidArgument),
            Phase::Fresh(_) => Ok(()),
            Phase::Failed(code) => Err(*code),
            Phase::Connecting(_) | Phase::Connected(_) => Err(ErrorCode::InvalidState),
        }
    }

    pub(super) fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.phase {
            Phase::Fresh(socket) if is_bound(socket) => socket.local_addr().map_err(code_of),
            _ => self.connected()?.local_address(),
        }
    }

    pub(super) fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.connected()?.remote_address()
    }

    pub(super) fn shut_down(&self, how: Shutdown) -> Result<(), ErrorCode> {
        match &self.phase {
            Phase::Connected(established) if self.begun.is_none() => {
                established.shut_down(how);
                Ok(())
            }
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// From now on it is the embedder's.
    pub(crate) fn leave_instance(&self) {
        self.descriptor.count_no_more();
    }

    /// What options are set on.
    pub(super) fn fd(&self) -> Result<BorrowedFd<'_>, ErrorCode> {
        match &self.phase {
            Phase::Fresh(socket) => Ok(socket.as_fd()),
            _ => self.connected()?.fd().ok_or(ErrorCode::NotSupported),
        }
    }

    fn connected(&self) -> Result<&dyn Established, ErrorCode> {
        match &self.phase {
            Phase::Connected(established) => Ok(&**established),
            Phase::Failed(code) => Err(*code),
            Phase::Fresh(_) | Phase::Connecting(_) => Err(ErrorCode::InvalidState),
        }
    }

    fn check_idle(&self) -> Result<(), ErrorCode> {
        match self.begun {
            None => Ok(()),
            Some(_) => Err(ErrorCode::ConcurrencyConflict),
        }
    }

    fn finish(&mut self, what: Begun) -> Result<(), ErrorCode> {
        match self.begun.take_if(|begun| *begun == what) {
            Some(_) => Ok(()),
            None => Err(ErrorCode::NotInProgress),
        }
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket").field("remote_address", &self.remote_address().ok()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Pollable for TcpSocket {
    async fn ready(&mut self) {
        if let Phase::Connecting(opening) = &mut self.phase {
            opening.ready().await;
        }
    }
}

fn is_bound(socket: &tokio::net::TcpSocket) -> bool {
    socket.local_addr().is_ok_and(|address| address.port() != 0 || !address.ip().is_unspecified())
}

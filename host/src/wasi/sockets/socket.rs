//! TCP sockets.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};

use super::code_of;
use super::connection::{Connection, SendHalf};
use super::transport::Transport;
use super::usage::{Descriptor, Usage};
use crate::policy::{Reach, Way};

type Connecting = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

/// A socket of the component, which its streams belong to. The connection closes when it and its streams are dropped.
pub struct TcpSocket {
    pub(super) family: IpAddressFamily,
    phase: Phase,
    begun: Option<Begun>,
    descriptor: Arc<Descriptor>,
}

enum Phase {
    Fresh(tokio::net::TcpSocket),
    Connecting(Connecting),
    Connected(Arc<SendHalf>),
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

    pub(super) fn start_bind(&mut self, address: SocketAddr, reach: &Reach) -> Result<(), ErrorCode> {
        self.check_idle()?;
        let socket = match &self.phase {
            Phase::Fresh(socket) if !is_bound(socket) => socket,
            _ => return Err(ErrorCode::InvalidState),
        };
        if !is_unicast(address.ip()) || !is_of_family(address.ip(), self.family) {
            return Err(ErrorCode::InvalidArgument);
        }
        if !reach.may_bind(address) {
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

    /// What comes of it, also what the policy says of an address that can be connected to, is for
    /// [`finish_connect`](Self::finish_connect) to tell.
    pub(super) fn start_connect(&mut self, address: SocketAddr, reach: &Arc<Reach>) -> Result<(), ErrorCode> {
        self.check_idle()?;
        if !matches!(self.phase, Phase::Fresh(_)) {
            return Err(ErrorCode::InvalidState);
        }
        if !is_unicast(address.ip()) || !is_remote(address) || !is_of_family(address.ip(), self.family) {
            // What the policy says of it comes first: an address that stands for one that is denied is denied.
            return Err(if reach.may_connect(address) { ErrorCode::InvalidArgument } else { ErrorCode::AccessDenied });
        }
        let (reach, address) = (Arc::clone(reach), reach.scoped(address));
        if let Phase::Fresh(socket) = std::mem::replace(&mut self.phase, Phase::Failed(ErrorCode::Unknown)) {
            self.phase = Phase::Connecting(Box::pin(async move {
                match reach.way_to(address) {
                    Some(Way::Tcp) => socket.connect(address).await.map(Transport::tcp),
                    Some(Way::Unix(unix)) => unix.connect().await.map(|stream| Transport::unix(stream, address)),
                    None => Err(io::ErrorKind::PermissionDenied.into()),
                }
            }));
        }
        self.begun = Some(Begun::Connect);
        Ok(())
    }

    pub(super) fn finish_connect(&mut self) -> Result<Arc<SendHalf>, ErrorCode> {
        if self.begun != Some(Begun::Connect) {
            return Err(ErrorCode::NotInProgress);
        }
        if self.poll_connect(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Err(ErrorCode::WouldBlock);
        }
        self.finish(Begun::Connect)?;
        Ok(Arc::clone(self.connected()?))
    }

    fn poll_connect(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Phase::Connecting(connecting) = &mut self.phase {
            self.phase = match ready!(connecting.as_mut().poll(context)) {
                Ok(transport) => {
                    let connection = Connection::new(transport, Arc::clone(&self.descriptor));
                    Phase::Connected(Arc::new(SendHalf(Arc::new(connection))))
                }
                Err(error) => Phase::Failed(code_of(error)),
            };
        }
        Poll::Ready(())
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
            _ => self.connected()?.0.local_address().map_err(code_of),
        }
    }

    pub(super) fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.connected()?.0.remote_address().map_err(code_of)
    }

    pub(super) fn shut_down(&self, how: Shutdown) -> Result<(), ErrorCode> {
        match &self.phase {
            Phase::Connected(half) if self.begun.is_none() => {
                half.0.shut_down(how);
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
            _ => Ok(self.connected()?.0.as_fd()),
        }
    }

    fn connected(&self) -> Result<&Arc<SendHalf>, ErrorCode> {
        match &self.phase {
            Phase::Connected(half) => Ok(half),
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
        poll_fn(|context| self.poll_connect(context)).await;
    }
}

fn is_bound(socket: &tokio::net::TcpSocket) -> bool {
    socket.local_addr().is_ok_and(|address| address.port() != 0 || !address.ip().is_unspecified())
}

fn is_unicast(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !address.is_multicast() && address != Ipv4Addr::BROADCAST,
        IpAddr::V6(address) => !address.is_multicast(),
    }
}

fn is_remote(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_unspecified() && address.port() != 0
}

/// An IPv6 address that stands for an IPv4 one is of neither: whether it works depends on the system.
fn is_of_family(address: IpAddr, family: IpAddressFamily) -> bool {
    match address {
        IpAddr::V4(_) => family == IpAddressFamily::Ipv4,
        IpAddr::V6(address) => {
            let is_plain = address.to_ipv4().is_none() || [Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST].contains(&address);
            family == IpAddressFamily::Ipv6 && is_plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_one_family() {
        let is_of = |address: &str, family| is_of_family(address.parse().unwrap(), family);
        assert!(is_of("192.0.2.1", IpAddressFamily::Ipv4));
        assert!(!is_of("192.0.2.1", IpAddressFamily::Ipv6));
        for plain in ["2001:db8::1", "::1", "::"] {
            assert!(is_of(plain, IpAddressFamily::Ipv6), "{plain}");
            assert!(!is_of(plain, IpAddressFamily::Ipv4), "{plain}");
        }
        for mapped in ["::ffff:192.0.2.1", "::192.0.2.1"] {
            assert!(!is_of(mapped, IpAddressFamily::Ipv6), "{mapped}");
        }
    }

    #[test]
    fn nobody_connects_to_many_or_to_nothing() {
        assert!(!is_unicast("224.0.0.1".parse().unwrap()) && !is_unicast("::ffff:224.0.0.1".parse().unwrap()));
        assert!(!is_unicast("255.255.255.255".parse().unwrap()) && !is_unicast("ff02::1".parse().unwrap()));
        assert!(!is_remote("0.0.0.0:80".parse().unwrap()) && !is_remote("[::]:80".parse().unwrap()));
        assert!(!is_remote("192.0.2.1:0".parse().unwrap()) && is_remote("192.0.2.1:1".parse().unwrap()));
    }
}

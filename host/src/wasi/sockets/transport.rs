//! What the octets of a connection go over: TCP, or a Unix socket in its place.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use rustix::fd::{AsFd, BorrowedFd};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

pub(super) enum Transport {
    Tcp(TcpStream),
    /// With the address that the component has connected to.
    Unix(UnixStream, SocketAddr),
}

impl Transport {
    pub(super) fn tcp(stream: TcpStream) -> Self {
        // What the component writes is whole: Nagle's algorithm would hold its end back until the peer has acknowledged the rest.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream)
    }

    pub(super) fn unix(stream: UnixStream, address: SocketAddr) -> Self {
        Self::Unix(stream, address)
    }

    /// Of a Unix socket, the unspecified one.
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr(),
            Self::Unix(_, SocketAddr::V4(_)) => Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
            Self::Unix(_, SocketAddr::V6(_)) => Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)),
        }
    }

    pub(super) fn remote_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Unix(_, address) => Ok(*address),
        }
    }

    pub(super) fn try_io<R>(&self, interest: Interest, io: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        match self {
            Self::Tcp(stream) => stream.try_io(interest, io),
            Self::Unix(stream, _) => stream.try_io(interest, io),
        }
    }

    pub(super) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(octets),
            Self::Unix(stream, _) => stream.try_write(octets),
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            Self::Unix(stream, _) => stream.writable().await,
        }
    }

    pub(super) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Unix(stream, _) => stream.poll_read_ready(context),
        }
    }

    pub(super) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(context),
            Self::Unix(stream, _) => stream.poll_write_ready(context),
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream, _) => stream.as_fd(),
        }
    }
}

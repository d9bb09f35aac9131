//! The streams of an established transport, and the socket that they belong to.

use super::clock;
use crate::stream::{End, Read, Stream};
use crate::types::Ending;
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::wit::wasi::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use crate::wit::wasi::sockets::tcp::{ShutdownType, TcpSocket};
#[cfg(feature = "host-tls")]
use crate::wit::wasi::tls::types::ClientConnection;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Socket {
    pub(super) input: InputStream,
    pub(super) output: OutputStream,
    /// Whose streams they are, when the host does TLS.
    #[cfg(feature = "host-tls")]
    pub(super) secured: Option<ClientConnection>,
    /// `None`: the caller has given the streams.
    pub(super) socket: Option<TcpSocket>,
}

impl Socket {
    pub(super) fn new(input: InputStream, output: OutputStream, socket: Option<TcpSocket>) -> Socket {
        Socket {
            input,
            output,
            #[cfg(feature = "host-tls")]
            secured: None,
            socket,
        }
    }

    pub(super) fn remote_address(&self) -> Option<SocketAddr> {
        self.socket.as_ref()?.remote_address().ok().map(to_std)
    }

    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.socket.as_ref()?.local_address().ok().map(to_std)
    }

    /// Ready when octets have come.
    pub(super) fn input_ready(&self) -> Pollable {
        self.input.subscribe()
    }

    /// Ready when there is room.
    pub(super) fn output_ready(&self) -> Pollable {
        self.output.subscribe()
    }

    /// How the incoming direction has ended. A reset that a write has met first looks to the next read like an end in order.
    fn ending(&self) -> Ending {
        match self.output.check_write() {
            Err(StreamError::LastOperationFailed(_)) => Ending::Reset,
            Ok(_) | Err(StreamError::Closed) => Ending::Ended,
        }
    }

    fn shut_down(&self, how: ShutdownType) {
        if let Some(socket) = &self.socket {
            // A socket that is gone already is as good as shut down.
            let _ = socket.shutdown(how);
        }
    }

    /// Ends both directions, without freeing anything.
    pub(super) fn shut(&self) {
        self.shut_down(ShutdownType::Both);
    }
}

impl Stream for Socket {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        match self.input.read(octets_max as u64) {
            Ok(octets) if octets.is_empty() => Ok(Read::Nothing),
            Ok(octets) => Ok(Read::Octets(octets)),
            Err(StreamError::Closed) => Err(End::Transport(self.ending())),
            Err(StreamError::LastOperationFailed(_)) => Err(End::Transport(Ending::Reset)),
        }
    }

    /// An idle connection has room, unless the host says so of everything.
    fn was_answered(&mut self) -> bool {
        let answered = self.room() != Ok(0);
        if !answered {
            clock::turn(&[&self.output_ready()]);
        }
        answered
    }

    fn room(&mut self) -> Result<usize, End> {
        let room = self.output.check_write().map_err(output_end)?;
        Ok(usize::try_from(room).unwrap_or(usize::MAX))
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        self.output.write(octets).map_err(output_end)
    }

    #[cfg(not(feature = "host-tls"))]
    fn half_close(&mut self) {
        self.shut_down(ShutdownType::Send);
    }

    #[cfg(feature = "host-tls")]
    fn half_close(&mut self) {
        match &self.secured {
            Some(secured) => secured.close_output(),
            None => self.shut_down(ShutdownType::Send),
        }
    }
}

fn output_end(error: StreamError) -> End {
    End::Transport(match error {
        StreamError::Closed => Ending::Ended,
        StreamError::LastOperationFailed(_) => Ending::Reset,
    })
}

fn to_std(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(v4) => {
            let (a, b, c, d) = v4.address;
            SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), v4.port))
        }
        IpSocketAddress::Ipv6(v6) => {
            let (a, b, c, d, e, f, g, h) = v6.address;
            SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::new(a, b, c, d, e, f, g, h), v6.port, 0, v6.scope_id))
        }
    }
}

/// An address as WASI has it.
pub(super) fn from_std(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: v4.port(), address: (a, b, c, d) })
        }
        SocketAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.ip().segments();
            let (port, flow_info, scope_id) = (v6.port(), v6.flowinfo(), v6.scope_id());
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info, address: (a, b, c, d, e, f, g, h), scope_id })
        }
    }
}

/// The family of the socket that an address needs.
pub(super) fn family(address: &SocketAddr) -> IpAddressFamily {
    match address {
        SocketAddr::V4(_) => IpAddressFamily::Ipv4,
        SocketAddr::V6(_) => IpAddressFamily::Ipv6,
    }
}

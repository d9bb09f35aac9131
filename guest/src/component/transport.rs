//! An established transport, and what to wait for.

use crate::address;
use crate::conn::ClientConn;
use crate::timer::Instant;
use crate::types::Ending;
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::wit::wasi::sockets::network::{IpAddressFamily, IpSocketAddress};
use crate::wit::wasi::sockets::tcp::{ShutdownType, TcpSocket};
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads, and writes, in a row for one connection before others have their turn.
const MOVES_MAX: usize = 16;

/// Streams, and the socket that they belong to. The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Transport {
    input_ready: Option<Pollable>,
    output_ready: Option<Pollable>,
    input: InputStream,
    output: OutputStream,
    socket: Option<TcpSocket>,
    /// The last write found no room.
    output_full: bool,
}

/// A transport without its pollables.
pub(super) struct Streams {
    pub(super) input: InputStream,
    pub(super) output: OutputStream,
    pub(super) socket: Option<TcpSocket>,
}

impl Transport {
    pub(super) fn new(input: InputStream, output: OutputStream, socket: Option<TcpSocket>) -> Transport {
        Transport { input_ready: None, output_ready: None, input, output, socket, output_full: false }
    }

    pub(super) fn remote_address(&self) -> Option<String> {
        self.socket.as_ref()?.remote_address().ok().map(text)
    }

    pub(super) fn local_address(&self) -> Option<String> {
        self.socket.as_ref()?.local_address().ok().map(text)
    }

    /// Moves what can be moved without waiting, in both directions. Reading comes first: an idle connection may only be written to when
    /// nothing has come in.
    pub(super) fn move_octets(&mut self, conn: &mut ClientConn, now: Instant) {
        self.read(conn, now);
        self.write(conn, now);
    }

    fn read(&mut self, conn: &mut ClientConn, now: Instant) {
        let mut moves = 0;
        // A request that waits for the look has it before others have their turn.
        while moves < MOVES_MAX || conn.wants_look() {
            moves += 1;
            let octets_max = conn.wants_octets();
            if octets_max == 0 {
                return;
            }
            match self.input.read(octets_max as u64) {
                Ok(octets) if octets.is_empty() => return conn.nothing_to_receive(now),
                Ok(octets) => {
                    let more = octets.len() == octets_max;
                    conn.receive(octets, now);
                    if !more && !conn.wants_look() {
                        return;
                    }
                }
                Err(StreamError::Closed) => return conn.receive_end(self.ending(), now),
                Err(StreamError::LastOperationFailed(_)) => return conn.receive_end(Ending::Reset, now),
            }
        }
    }

    /// How the incoming direction has ended. A reset that a write has met first looks to the next read like an end in order.
    fn ending(&self) -> Ending {
        match self.output.check_write() {
            Err(StreamError::LastOperationFailed(_)) => Ending::Reset,
            Ok(_) | Err(StreamError::Closed) => Ending::Ended,
        }
    }

    fn write(&mut self, conn: &mut ClientConn, now: Instant) {
        self.output_full = false;
        for _ in 0..MOVES_MAX {
            let octets = conn.to_transmit();
            if octets.is_empty() {
                return;
            }
            let written = self.output.check_write().and_then(|room| {
                let room = usize::try_from(room).unwrap_or(usize::MAX);
                let octets = octets.get(..room).unwrap_or(octets);
                if !octets.is_empty() {
                    self.output.write(octets)?;
                }
                Ok(octets.len())
            });
            match written {
                Ok(0) => {
                    self.output_full = true;
                    return;
                }
                Ok(octets) => conn.transmitted(octets, now),
                Err(StreamError::Closed) => return conn.transmit_failed(Ending::Ended, now),
                Err(StreamError::LastOperationFailed(_)) => return conn.transmit_failed(Ending::Reset, now),
            }
        }
        // Its turn comes again as soon as others have had theirs.
        self.output_full = true;
    }

    /// Whether octets can be moved without anything having to happen first: calls have moved the connection on.
    pub(super) fn is_behind(&self, conn: &ClientConn) -> bool {
        conn.wants_look() || (!self.output_full && !conn.to_transmit().is_empty())
    }

    /// Makes sure that there is something to wait for.
    pub(super) fn prepare_wait(&mut self, conn: &ClientConn) {
        if conn.wants_octets() > 0 && self.input_ready.is_none() {
            self.input_ready = Some(self.input.subscribe());
        }
        if self.output_full && self.output_ready.is_none() {
            self.output_ready = Some(self.output.subscribe());
        }
    }

    /// What to wait for, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables(&self, conn: &ClientConn) -> impl Iterator<Item = &Pollable> {
        let input = self.input_ready.as_ref().filter(|_| conn.wants_octets() > 0);
        let output = self.output_ready.as_ref().filter(|_| self.output_full);
        input.into_iter().chain(output)
    }

    /// Fresh pollables for somebody else, who must drop them before this is dropped.
    pub(super) fn lend_pollables(&self, conn: &ClientConn) -> impl Iterator<Item = Pollable> {
        let input = (conn.wants_octets() > 0).then(|| self.input.subscribe());
        let output = self.output_full.then(|| self.output.subscribe());
        input.into_iter().chain(output)
    }

    /// Ends the sending direction.
    pub(super) fn half_close(&mut self) {
        if let Some(socket) = &self.socket {
            // A socket that is gone already is as good as half-closed.
            let _ = socket.shutdown(ShutdownType::Send);
        }
    }

    /// Ends both directions, without freeing anything.
    pub(super) fn shut_down(&mut self) {
        self.input_ready = None;
        self.output_ready = None;
        if let Some(socket) = &self.socket {
            let _ = socket.shutdown(ShutdownType::Both);
        }
    }

    pub(super) fn into_streams(self) -> Streams {
        let Transport { input_ready, output_ready, input, output, socket, .. } = self;
        drop((input_ready, output_ready));
        Streams { input, output, socket }
    }
}

/// An address as it is usually written.
pub(super) fn text(address: IpSocketAddress) -> String {
    address::text(to_std(address))
}

fn to_std(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(v4) => {
            let (a, b, c, d) = v4.address;
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), v4.port)
        }
        IpSocketAddress::Ipv6(v6) => {
            let (a, b, c, d, e, f, g, h) = v6.address;
            SocketAddr::new(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), v6.port)
        }
    }
}

/// The family of the socket that an address needs.
pub(super) fn family(address: &IpSocketAddress) -> IpAddressFamily {
    match address {
        IpSocketAddress::Ipv4(_) => IpAddressFamily::Ipv4,
        IpSocketAddress::Ipv6(_) => IpAddressFamily::Ipv6,
    }
}

//! What a transport reports while it is being established.

use crate::types::Error;
use core::net::SocketAddr;

/// One thing that has happened on the way to an established transport, in the order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The name has so many addresses.
    Resolved(usize),
    /// This address is being connected to.
    Trying(SocketAddr),
    /// An address could not be connected to; others may be.
    Refused(Error),
    /// The peer is connected to.
    Connected {
        /// The address of the peer, unless the caller has brought the transport along.
        remote: Option<SocketAddr>,
        /// The address of this side, likewise.
        local: Option<SocketAddr>,
    },
    /// TLS secures the transport.
    Secured,
    /// Octets of this protocol may be exchanged.
    Established(Negotiated),
    /// The transport cannot be established.
    Failed(Error),
}

impl Progress {
    /// Established without TLS.
    pub const ESTABLISHED: Progress = Progress::Established(Negotiated::Nothing);
}

/// The protocol that both sides have agreed on (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiated {
    /// None was negotiated: there is no TLS, or the peer has not answered with a protocol.
    Nothing,
    /// `http/1.1`.
    Http11,
}

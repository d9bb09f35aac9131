//! Where the octets of a connection come from and go to: the one difference between the component, which has sockets, and the tests, which
//! have none.

use crate::conn::ClientConn;
use crate::timer::Instant;
use crate::types::{Endpoint, Error};

/// The transport of one connection, from its dialling to its end.
pub trait Link {
    /// Goes on as far as possible without waiting: establishes the transport, or moves octets in both directions, and tells `conn`. Reading
    /// comes before writing: an idle connection may only be written to when nothing has come in.
    fn advance(&mut self, conn: &mut ClientConn, now: Instant);

    /// When `advance` has something to do although nothing has come: while dialling.
    fn deadline(&self) -> Option<Instant>;

    /// Whether `advance` has something to do although nothing has come: calls have moved the connection on.
    fn is_behind(&self, conn: &ClientConn) -> bool;

    /// Ends the sending direction.
    fn half_close(&mut self);

    /// Closes the transport. May be called again, without effect.
    fn close(&mut self, conn: &ClientConn);
}

/// What gives links.
pub trait Network {
    /// Its links.
    type Link: Link;

    /// Begins to dial an endpoint.
    ///
    /// Errors: `api-misuse(invalid-endpoint)`, `tls(unavailable)`.
    fn dial(&self, endpoint: &Endpoint) -> Result<Self::Link, Error>;

    /// Whether a pipeline to this authority broke since this was last asked (RFC 9112 §9.3.2).
    fn take_broken(&self, authority: &str) -> bool;

    /// The number of a new connection, never given before.
    fn next_connection(&self) -> u64;

    /// What is remembered of the network may be wrong from now on.
    fn changed(&self);
}

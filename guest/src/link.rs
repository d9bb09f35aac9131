//! Where the octets of a connection come from and go to: the one difference between the component, which has sockets, and the tests, which
//! have none.

use crate::dial::{Broken, Progress};
use crate::stream::Stream;
use crate::timer::Instant;
use crate::types::{Endpoint, Error};
use alloc::vec::Vec;

/// The transport of one connection, from its dialling to its end. As a stream, it moves octets once it has reported `Established`, and until
/// it is closed.
pub trait Link: Stream {
    /// Goes on with establishing the transport as far as possible without waiting. Adds what has happened to `progress`. Not called any more
    /// once that was `Established` or `Failed`.
    fn dial(&mut self, now: Instant, progress: &mut Vec<Progress>);

    /// When `dial` has something to do although nothing has come.
    fn deadline(&self) -> Option<Instant>;

    /// Closes the transport; called once.
    fn close(&mut self);

    /// Where pipelines broke, as all connections of its network remember it.
    fn broken(&self) -> &Broken;
}

/// Opens links.
pub trait Network {
    /// Its links.
    type Link: Link;

    /// Begins to dial an endpoint. Returns the number of the connection, which was never given before, and its link.
    ///
    /// Errors: `api-misuse(invalid-endpoint)`, `tls(unavailable)`.
    fn dial(&self, endpoint: &Endpoint) -> Result<(u64, Self::Link), Error>;

    /// Where pipelines broke, as all its connections remember it.
    fn broken(&self) -> &Broken;

    /// The network has changed: forget the addresses of names.
    fn changed(&self);
}

//! From a socket to TLS over it, one file for each build: what an endpoint asks for, and the handshake.

#[cfg(all(feature = "host-tls", not(feature = "tls")))]
mod by_host;
#[cfg(feature = "tls")]
mod inside;
#[cfg(not(any(feature = "tls", feature = "host-tls")))]
mod never;

#[cfg(all(feature = "host-tls", not(feature = "tls")))]
pub(super) use by_host::{Plan, Securing};
#[cfg(feature = "tls")]
pub(super) use inside::{KEY_LINES, Plan, Securing};
#[cfg(not(any(feature = "tls", feature = "host-tls")))]
pub(super) use never::{Plan, Securing};

use super::transport::Transport;
use crate::dial::Negotiated;
use crate::types::Error;

/// The result of going on with a handshake.
#[cfg_attr(not(any(feature = "tls", feature = "host-tls")), expect(dead_code, reason = "the other builds make them"))]
pub(super) enum Secured {
    /// Something has to be waited for.
    Waiting,
    /// The transport, and the protocol that both sides have agreed on.
    Established(Transport, Negotiated),
    /// The transport cannot be secured.
    Failed(Error),
}

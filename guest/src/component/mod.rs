//! The glue of the component: the only code that names `wasi`.
//!
//! | file | holds |
//! |---|---|
//! | `client_conn`, `send`, `origin`, `poll`, `packed`, `log`, `streams` | the exported resources and functions |
//! | `wait` | one wait for the connections of a poll |
//! | `network` | where connections are opened |
//! | `wire` | the transport of a connection, from its dialling to its end |
//! | `dial` | names that are looked up, addresses that are connected to |
//! | `secure/` | from a socket to TLS over it, one file for each build: inside, by the host, never |
//! | `socket`, `transport` | what carries octets, and what to wait for |
//! | `retired` | what is kept for those who wait on it |
//! | `handshakes`, `permitted` | handshakes that are remembered; what the host allows |
//! | `tls`, `tls_admin` | the exported interfaces of these names |
//! | `random` | randomness, for TLS |
//! | `clock` | the monotonic clock, and waiting on it |

mod client_conn;
mod clock;
mod dial;
#[cfg(any(feature = "tls", feature = "host-tls"))]
mod handshakes;
mod log;
mod network;
mod origin;
mod packed;
#[cfg(feature = "tls")]
mod permitted;
mod poll;
#[cfg(feature = "tls")]
pub(crate) mod random;
mod retired;
mod secure;
mod send;
mod socket;
mod streams;
#[cfg(any(feature = "tls", feature = "host-tls"))]
mod tls;
#[cfg(feature = "tls")]
mod tls_admin;
mod transport;
mod wait;
mod wire;

use crate::wit;
use sandpiper_allocator as _; // the global allocator

struct Component;

impl wit::client::Guest for Component {
    type ClientConn = client_conn::Handle;
    type Origin = origin::Handle;
    type Send = send::Handle;
    type Poll = poll::Handle;
}

#[allow(unsafe_code, unreachable_pub, reason = "generated: the exported functions")]
mod exports {
    use super::Component;
    crate::wit::export!(Component with_types_in crate::wit::generated);
}

/// No panic is reachable; this is what the language asks for. It says nothing: the code that formats messages would be a tenth of the
/// component.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

//! The glue of the component: the only code that names `wasi`.
//!
//! | file | holds |
//! |---|---|
//! | `client_conn`, `send`, `poll`, `streams` | the exported resources and functions |
//! | `pool` | `origin`, and what `poll` does with requests for one |
//! | `driver` | a connection with its transport: moves octets between the two |
//! | `dial` | from an endpoint to an established transport: names, addresses, one after the other |
//! | `transport` | an established transport, and what to wait for |
//! | `broken` | where a pipeline broke |
//! | `clock` | the monotonic clock, and waiting on it |

mod broken;
mod client_conn;
mod clock;
mod dial;
mod driver;
mod poll;
mod pool;
mod send;
mod streams;
mod transport;

use crate::wit;

struct Component;

impl wit::client::Guest for Component {
    type ClientConn = client_conn::Handle;
    type Origin = pool::OriginHandle;
    type Send = send::Handle;
    type Poll = poll::Handle;
}

#[allow(unsafe_code, unreachable_pub, reason = "generated: the exported functions")]
mod exports {
    use super::Component;
    crate::wit::export!(Component with_types_in crate::wit::generated);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// No panic is reachable; this is what the language asks for. It says nothing: the code that formats messages would be a tenth of the
/// component.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

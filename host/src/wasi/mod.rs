//! The interfaces of WASI that the component imports.

mod chance;
pub mod faults;
pub(crate) mod host_tls;
pub(crate) mod linker;
pub(crate) mod lookup;
mod names;
pub(crate) mod outside;
pub(crate) mod parts;
mod poll;
pub(crate) mod resolver;
mod running;
pub(crate) mod sockets;
pub(crate) mod state;
pub(crate) mod system;
mod timers;
#[cfg(feature = "host-tls")]
mod tls;
pub(crate) mod watch;

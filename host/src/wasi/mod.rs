//! The interfaces of WASI that the component imports.

pub mod faults;
pub(crate) mod lookup;
pub(crate) mod sockets;
pub(crate) mod state;
pub(crate) mod timers;
pub(crate) mod watch;

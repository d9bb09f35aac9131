//! TLS: inside the component, and the host's.

mod bounds;
#[cfg(feature = "sandboxed")]
mod connections;
mod matrix;
#[cfg(feature = "sandboxed")]
mod pool;
mod transport;

//! The pool: through the component, and with its model on the core alone.

#[cfg(feature = "sandboxed")]
mod bad_servers;
mod decisions;
mod handing_back;
#[cfg(feature = "sandboxed")]
mod log;
mod model;
#[cfg(feature = "sandboxed")]
mod names;
#[cfg(feature = "sandboxed")]
mod origins;
#[cfg(feature = "sandboxed")]
mod placing;
#[cfg(feature = "sandboxed")]
mod recovery;

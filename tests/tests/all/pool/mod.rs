//! The pool: through the component, and with its model on the core alone.

mod model;
#[cfg(feature = "sandboxed")]
mod names;
#[cfg(feature = "sandboxed")]
mod origins;
#[cfg(feature = "sandboxed")]
mod placing;
#[cfg(feature = "sandboxed")]
mod recovery;

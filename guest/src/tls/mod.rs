//! TLS in the sandbox.

pub mod provider;

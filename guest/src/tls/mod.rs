//! TLS as a stream over a stream: octets in, octets out, no I/O of its own.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | options, checked: what connections with equal options have in common, their sessions too |
//! | [`session`] | one connection: the handshake, then records |
//! | [`verifier`] | which certificates are accepted, and why others are not |
//! | [`problem`] | what rustls complains of, in the words of the WIT package |
//! | [`resumption`] | sessions to go on with, bounded |
//! | `info` | the record of a handshake |
//! | [`key_log`] | secrets, for those who may have them |
//! | [`provider`] | the cryptography |
//!
//! rustls has the protocol, through the interface without buffers of its own, and `rustls-webpki` checks the chain. The HTTP core knows
//! of neither.

pub mod config;
mod info;
pub mod key_log;
pub mod problem;
pub mod provider;
pub mod resumption;
pub mod session;
pub mod verifier;

pub use config::{Config, Configs};
pub use key_log::KeyLines;
pub use session::Session;

pub use crate::wit::tls::{CertificateRefusal, TlsInfo};

//! Servers with TLS on loopback, good and bad, and the matrix of what clients make of them.
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | what a client is told and what becomes of it: [`client::TlsClient`] is what a client under test implements |
//! | [`case`] | a server, what the client is told, what must come of it |
//! | [`cases`] | the cases |
//! | [`matrix`] | runs them, and writes the table |
//! | `component` | the component as a client |
//! | [`mod@reference`], [`curl`] | two clients that there were before |
//! | [`authority`], [`openssl`] | certificates |
//! | [`serving`] | a server on loopback that tells what it saw |
//! | [`server`], [`seal`], [`edit`] | one with TLS; records and messages that a library would not write |
//! | [`proxy`], [`raw`] | what stands in front of one and changes octets; servers that are none |
//! | [`real`] | servers as others made them |
//! | [`response`] | HTTP, as far as the clients here need it |
//! | [`between`] | the connection's own TLS and a server, with nothing but memory between them |

pub mod authority;
pub mod between;
pub mod case;
pub mod cases;
pub mod client;
#[cfg(feature = "sandboxed")]
pub mod component;
pub mod curl;
pub mod edit;
pub mod matrix;
pub mod openssl;
pub mod proxy;
pub mod raw;
pub mod real;
pub mod reference;
pub mod response;
pub mod seal;
pub mod server;
pub mod serving;

//! Scenarios: what a caller does and what its peer does, played on the sans-IO core with virtual time and every segmentation, and through
//! the component over real sockets. Both must tell the same story.
//!
//! | module | holds |
//! |---|---|
//! | [`scenario`] | plays a scenario in every world, and compares the transcripts; `scenarios!` |
//! | [`scenario::scene`], [`scenario::world`] | the verbs of scenarios, and what they act on |
//! | [`mod@scenario::native`] | the core, virtual time, a network that cuts octets anywhere |
//! | `scenario::sandboxed` | the component in wasmtime, on loopback sockets |
//! | [`scenario::story`] | results in words |
//! | [`scenario::script`] | scenarios as text, in `tests/peers` |
//! | [`net`] | the network in memory, under one connection |
//! | [`peer`] | what a strict server reads, independent of the client; servers on loopback that do what a test tells them |
//! | [`pool`] | the pool on the core, in a network of memory, with a model of what must be true |
//! | [`message`] | requests, options and responses in one expression |
//! | [`vectors`] | responses as files, of this project and of others, and what becomes of them |
//! | [`random`], [`choices`] | reproducible numbers; what a seed or a fuzzer chooses |
//! | [`memory`] | memory, counted |
//! | [`dialling`] | the race of addresses and the names, in a made internet |
//! | [`differential`] | the core beside other clients |
//! | [`program`], [`process`] | programs that are started, and those that run beside a test |
//! | `servers` | real servers, and what each can do through the component |
//! | `errands` | what callers commonly do with a server through the component |
//! | [`simulation`] | runs that a seed gives, and what must be true of them |
//! | [`tls`] | servers with TLS, good and bad, and the matrix of them |
//! | [`oracles`] | what must hold for any octets at all |

pub mod choices;
pub mod dialling;
pub mod differential;
#[cfg(feature = "sandboxed")]
pub mod errands;
pub mod memory;
pub mod message;
pub mod net;
pub mod oracles;
pub mod peer;
pub mod pool;
pub mod process;
pub mod program;
pub mod random;
pub mod scenario;
#[cfg(feature = "sandboxed")]
pub mod servers;
pub mod simulation;
pub mod tls;
pub mod vectors;

/// Tells that a test has nothing to test here. The line is seen although the test passes.
pub fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

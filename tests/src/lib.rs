//! Scenarios: what a caller does and what its peer does, played on the sans-IO core with virtual time and every segmentation, and through
//! the component over real sockets. Both must tell the same story.
//!
//! | module | holds |
//! |---|---|
//! | [`scenario`] | plays a scenario in every world, and compares the transcripts; `scenarios!` |
//! | [`scene`] | the verbs of scenarios |
//! | [`world`] | what they act on |
//! | [`native`] | the core, virtual time, a network that cuts octets anywhere |
//! | `sandboxed` | the component in wasmtime, on loopback sockets |
//! | `loopback` | servers in threads that do what a test tells them |
//! | [`peer`] | what a strict server reads, independent of the client |
//! | [`pool`] | the pool on the core, in a network of memory, with a model of what must be true |
//! | [`answer`] | what a peer answers when a seed decides |
//! | [`message`] | requests, options and responses in one expression |
//! | [`story`] | results in words |
//! | [`vectors`] | responses as files, of this project and of others, and what becomes of them |
//! | [`random`] | reproducible numbers |
//! | [`memory`] | memory, counted |
//! | [`differential`] | the core beside other clients |
//! | [`program`], [`process`] | programs that are started, and those that run beside a test |
//! | `servers` | real servers, and what each can do through the component |
//! | [`script`] | scenarios as text, in `tests/peers` |
//! | `server`, `errands` | a server for everything, and what callers commonly do with it through the component |
//! | [`simulation`] | runs that a seed gives, and what must be true of them |
//! | [`tls`] | servers with TLS, good and bad, and the matrix of them |
//! | [`oracles`] | what must hold for any octets at all |

pub mod answer;
pub mod differential;
#[cfg(feature = "sandboxed")]
pub mod errands;
#[cfg(feature = "sandboxed")]
pub mod loopback;
pub mod memory;
pub mod message;
pub mod native;
pub mod oracles;
pub mod peer;
pub mod pool;
pub mod process;
pub mod program;
pub mod random;
#[cfg(feature = "sandboxed")]
pub mod sandboxed;
pub mod scenario;
pub mod scene;
pub mod script;
#[cfg(feature = "sandboxed")]
pub mod server;
#[cfg(feature = "sandboxed")]
pub mod servers;
pub mod simulation;
pub mod story;
pub mod tls;
pub mod vectors;
pub mod world;

/// Tells that a test has nothing to test here. The line is seen although the test passes.
pub fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

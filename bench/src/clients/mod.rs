//! The clients that are measured.

mod core;
mod curl;
mod hyper;
mod pump;
mod sandpiper;
mod undici;
mod wasm_guest;

pub use self::core::{Core, connection, request as core_request};
pub use self::curl::Curl;
pub use self::hyper::Hyper;
pub use self::pump::{Line as PumpLine, Pump};
pub use self::sandpiper::{Sandpiper, sandbox};
pub use self::undici::Undici;
pub use self::wasm_guest::WasmGuest;

use crate::work::Work;
use std::net::SocketAddr;
use std::time::Instant;

/// The client that the others are compared with.
pub const REFERENCE: &str = "hyper";

/// One HTTP client, with the connections that it keeps from one run of a workload to the next.
pub trait Client {
    /// As it stands in tables.
    fn name(&self) -> &'static str;

    /// What was measured: version, and how it is used.
    fn about(&self) -> String;

    /// Is there something to learn from it about this workload?
    fn does(&self, work: &Work) -> bool;

    /// Does it work in this process, so that its time of the processor can be seen?
    fn is_in_this_process(&self) -> bool {
        true
    }

    /// Octets of the memory of an instance, where there is one.
    fn memory_octets(&mut self) -> usize {
        0
    }

    /// The most exchanges that one run may have.
    fn exchanges_max(&self) -> u32 {
        u32::MAX
    }

    /// Carries out so many exchanges, a multiple of `work.window()`, and gives the octets of all contents.
    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64>;
}

/// How long each exchange took, where that is of interest.
#[derive(Debug, Default)]
pub struct Times {
    pub wanted: bool,
    pub nanoseconds: Vec<u64>,
}

impl Times {
    /// When an exchange begins.
    pub fn begin(&self) -> Option<Instant> {
        self.wanted.then(Instant::now)
    }

    /// It has ended.
    pub fn end(&mut self, begun: Option<Instant>) {
        self.nanoseconds.extend(begun.map(|begun| u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)));
    }
}

/// What a client keeps from one run to the next; made anew for another workload.
struct Kept<T>(Option<(Key, T)>);

/// A workload by its name, how wide and deep it is, and its server.
type Key = (String, u32, u32, SocketAddr);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept(None)
    }
}

impl<T> Kept<T> {
    /// Has it been made for this?
    fn fits(&self, work: &Work, server: SocketAddr) -> bool {
        self.0.as_ref().is_some_and(|(key, _)| *key == key_of(work, server))
    }

    fn put(&mut self, work: &Work, server: SocketAddr, value: T) {
        self.0 = Some((key_of(work, server), value));
    }

    fn get(&mut self) -> anyhow::Result<&mut T> {
        self.0.as_mut().map(|(_, value)| value).ok_or_else(|| anyhow::anyhow!("nothing was kept"))
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

fn key_of(work: &Work, server: SocketAddr) -> Key {
    (work.name.clone(), work.connections, work.depth, server)
}

/// One client.
pub fn named(name: &str) -> anyhow::Result<Box<dyn Client>> {
    Ok(match name {
        "core" => Box::new(Core::default()),
        "curl" => Box::new(Curl::default()),
        "guest, sandpiper" => Box::new(WasmGuest::over_sandpiper()?),
        "guest, wasi:http" => Box::new(WasmGuest::over_wasi_http()?),
        "pump" => Box::new(Pump::default()),
        "sandpiper" => Box::new(Sandpiper::new()?),
        "undici" => Box::new(Undici::start()?),
        REFERENCE => Box::new(Hyper::new()?),
        _ => anyhow::bail!("no client has this name"),
    })
}

/// In the order of the tables.
const NAMES: [&str; 8] = [REFERENCE, "sandpiper", "core", "curl", "undici", "guest, sandpiper", "guest, wasi:http", "pump"];

/// All clients that there are here; what is missing is said on standard error.
pub fn all() -> Vec<Box<dyn Client>> {
    let client = |name| named(name).inspect_err(|reason| eprintln!("bench: {name} SKIPPED: {reason:#}")).ok();
    NAMES.into_iter().filter_map(client).collect()
}

//! Every test of the package, in one program.

use sandpiper_tests::memory::Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

mod basics;
#[cfg(feature = "sandboxed")]
mod bounded;
mod cancel;
mod closing;
#[cfg(feature = "sandboxed")]
mod connecting;
#[cfg(feature = "sandboxed")]
mod connections;
mod content;
mod cve;
mod deadlines;
#[cfg(feature = "sandboxed")]
mod differential;
mod documents;
mod early;
mod edges;
mod endings;
mod faults;
mod imports;
mod limits;
#[cfg(feature = "sandboxed")]
mod lookups;
#[cfg(feature = "sandboxed")]
mod many;
#[cfg(feature = "sandboxed")]
mod misuse;
#[cfg(feature = "sandboxed")]
mod nginx;
mod oracles;
mod peers;
mod pipelining;
#[cfg(feature = "sandboxed")]
mod pool;
mod pool_model;
#[cfg(feature = "sandboxed")]
mod pool_names;
#[cfg(feature = "sandboxed")]
mod recovery;
mod rows;
#[cfg(feature = "sandboxed")]
mod servers;
mod session_bounds;
mod sessions;
mod simulation;
#[cfg(feature = "sandboxed")]
mod soak;
#[cfg(feature = "sandboxed")]
mod tiny_memory;
#[cfg(feature = "sandboxed")]
mod tls_connections;
mod tls_matrix;
#[cfg(feature = "sandboxed")]
mod tls_pool;
#[cfg(feature = "sandboxed")]
mod torture;
mod tunnel;
#[cfg(feature = "sandboxed")]
mod turns;
mod unsolicited;
mod upload;
mod vectors;

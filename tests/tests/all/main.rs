//! Every test of the package, in one program.

use sandpiper_tests::memory::Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

mod connection;
#[cfg(feature = "sandboxed")]
mod hosts;
mod house;
mod pool;
#[cfg(feature = "sandboxed")]
mod servers;
mod tls;

//! This machine: its network under the policy, its randomness, its clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::random::random::Host as _;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::random::WasiRandomCtx;

use super::outside::{LookingUp, Opening, Outside, Streams, Unconnected};
use super::resolver::{LOOKUPS_MAX, Resolver, look_up};
use super::sockets::connect;
use crate::policy::Reach;

/// What an instance reaches of this machine.
pub(crate) struct System {
    reach: Arc<Reach>,
    resolver: Resolver,
    lookup_slots: Arc<Semaphore>,
    random: WasiRandomCtx,
}

impl System {
    pub(crate) fn new(reach: Arc<Reach>, resolver: Resolver) -> Self {
        Self { reach, resolver, lookup_slots: Arc::new(Semaphore::new(LOOKUPS_MAX)), random: WasiRandomCtx::default() }
    }
}

impl Outside for System {
    fn may_bind(&self, address: SocketAddr) -> bool {
        self.reach.may_bind(address)
    }

    fn connect(&mut self, socket: Unconnected, to: SocketAddr) -> Result<Opening, ErrorCode> {
        connect::start(socket, to, &self.reach)
    }

    fn look_up(&mut self, name: &str) -> Result<LookingUp, ErrorCode> {
        look_up(name, &self.reach, &self.resolver, &self.lookup_slots)
    }

    fn handshake(&mut self, _authority: &str, streams: Streams) -> Streams {
        streams
    }

    fn random(&mut self, octets: u64) -> wasmtime::Result<Vec<u8>> {
        self.random.get_random_bytes(octets)
    }

    fn now(&mut self) -> Datetime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
    }
}

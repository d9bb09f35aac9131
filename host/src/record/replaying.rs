//! What came from outside, played again.

use std::net::{IpAddr, SocketAddr};

use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::player::PlayedOpening;
use super::replay::Replay;
use crate::wasi::outside::{LookingUp, Opening, Outside, Started, Streams, Unconnected};

/// All that one instance is told from outside comes from the recording.
pub(super) struct Replaying {
    replay: Replay,
    instance: u64,
}

impl Replaying {
    pub(super) fn new(replay: Replay) -> Self {
        Self { instance: replay.begin_instance(), replay }
    }
}

impl Outside for Replaying {
    fn connect(&mut self, _socket: Unconnected, to: SocketAddr) -> Result<Opening, ErrorCode> {
        Ok(Box::new(PlayedOpening(self.replay.tcp(to))))
    }

    fn look_up(&mut self, name: &str) -> Result<LookingUp, ErrorCode> {
        let (outcome, looks_left) = self.replay.look_up(name);
        Ok(Box::new(PlayedLookup { outcome, looks_left }))
    }

    fn handshake(&mut self, authority: &str, _streams: Streams) -> Streams {
        self.replay.stream(authority).streams()
    }

    fn random(&mut self, octets: u64) -> wasmtime::Result<Vec<u8>> {
        Ok(self.replay.random(self.instance, octets))
    }

    fn now(&mut self) -> Datetime {
        let (seconds, nanoseconds) = self.replay.date(self.instance);
        Datetime { seconds, nanoseconds }
    }
}

/// A lookup that is answered when the component has asked in vain as often as it had then.
struct PlayedLookup {
    /// `None`: it has none, ever.
    outcome: Option<Result<Vec<IpAddr>, ErrorCode>>,
    looks_left: u64,
}

#[async_trait]
impl Pollable for PlayedLookup {
    async fn ready(&mut self) {
        if self.outcome.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

impl Started<Vec<IpAddr>> for PlayedLookup {
    fn finish(&mut self) -> Result<Vec<IpAddr>, ErrorCode> {
        match self.looks_left.checked_sub(1) {
            Some(left) => {
                self.looks_left = left;
                Err(ErrorCode::WouldBlock)
            }
            None => self.outcome.clone().unwrap_or(Err(ErrorCode::WouldBlock)),
        }
    }
}

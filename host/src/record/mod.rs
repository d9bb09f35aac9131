//! Records what crosses the boundary between the component and the network, and plays it back without a network.
//!
//! All inputs of a connection come in through a few functions of `wasi:sockets` and `wasi:io`. Recording shadows those that
//! establish a transport (`link`) and wraps the streams that they give (`recorder`); replaying answers them from the file
//! (`replay`), and so does the randomness and the date that TLS inside the component asks for (`chance`). Without either nothing is shadowed or wrapped. The file is described in `docs/reference/record.md`, and by `format`.

mod chance;
mod difference;
mod format;
mod link;
mod player;
mod recorder;
mod replay;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use crate::wasi::sockets::TcpSocket;
pub use difference::Difference;
pub(crate) use link::{Answer, answer, shadow};
use player::Player;
use recorder::Track;
pub use recorder::{RECORDING_OCTETS_DEFAULT, RECORDING_OCTETS_MAX, Recorder};
pub use replay::Replay;

/// Where the transports of a sandbox go to, or come from.
#[derive(Clone, Debug)]
pub(crate) enum Tape {
    Record(Recorder),
    Replay(Replay),
}

/// The tape of one instance, and what it knows of the sockets in the instance's table.
#[derive(Debug)]
pub(crate) struct Taped {
    pub(crate) tape: Tape,
    /// Counts the instances of the sandbox that were made, from 1.
    instance: u64,
    tracks: HashMap<u32, Arc<Track>>,
    players: HashMap<u32, Arc<Player>>,
}

impl Taped {
    pub(crate) fn new(tape: Tape) -> Self {
        let instance = match &tape {
            Tape::Record(recorder) => recorder.begin_instance(),
            Tape::Replay(replay) => replay.begin_instance(),
        };
        Self { tape, instance, tracks: HashMap::new(), players: HashMap::new() }
    }

    /// The socket is no longer in the table.
    pub(crate) fn forget(&mut self, socket: &Resource<TcpSocket>) {
        self.tracks.remove(&socket.rep());
        self.players.remove(&socket.rep());
    }
}

impl Tape {
    /// The streams of a transport that the caller of `handshake` gave: recorded, or replaced by recorded ones.
    pub(crate) fn handshake<S>(
        &self,
        authority: &str,
        stream: S,
        streams: impl FnOnce(S) -> (DynInputStream, DynOutputStream),
    ) -> (DynInputStream, DynOutputStream)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        match self {
            Self::Record(recorder) => {
                let track = recorder.begin_stream(authority);
                let (input, output) = streams(stream);
                track.wrap(input, output)
            }
            Self::Replay(replay) => replay.stream(authority).streams(),
        }
    }
}

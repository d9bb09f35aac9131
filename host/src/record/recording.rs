//! What comes from outside, recorded.

use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;

use rustix::fd::BorrowedFd;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::recorder::Recorder;
use super::track::Track;
use crate::wasi::outside::{Established, LookingUp, Opening, Outside, Started, Streams, Unconnected};

/// All that one instance is told from outside goes through this into the recording.
pub(super) struct Recording<O> {
    recorder: Recorder,
    instance: u64,
    outside: O,
}

impl<O> Recording<O> {
    pub(super) fn new(recorder: Recorder, outside: O) -> Self {
        Self { instance: recorder.begin_instance(), recorder, outside }
    }
}

impl<O: Outside> Outside for Recording<O> {
    fn may_bind(&self, address: SocketAddr) -> bool {
        self.outside.may_bind(address)
    }

    fn connect(&mut self, socket: Unconnected, to: SocketAddr) -> Result<Opening, ErrorCode> {
        let track = Track::tcp(&self.recorder, to);
        match self.outside.connect(socket, to) {
            Ok(opening) => Ok(Box::new(Recorded::new(opening, move |looks, outcome| opened(track, looks, outcome)))),
            Err(code) => {
                track.not_connected(0, code);
                Err(code)
            }
        }
    }

    fn look_up(&mut self, name: &str) -> Result<LookingUp, ErrorCode> {
        let record = self.recorder.begin_lookup(name);
        match self.outside.look_up(name) {
            Ok(looking_up) => Ok(Box::new(Recorded::new(looking_up, |looks, outcome: Result<Vec<IpAddr>, ErrorCode>| {
                record(looks, outcome.clone());
                outcome
            }))),
            Err(code) => {
                record(0, Err(code));
                Err(code)
            }
        }
    }

    fn handshake(&mut self, authority: &str, streams: Streams) -> Streams {
        let track = Track::handshake(&self.recorder, authority);
        track.wrap(self.outside.handshake(authority, streams))
    }

    fn random(&mut self, octets: u64) -> wasmtime::Result<Vec<u8>> {
        let drawn = self.outside.random(octets)?;
        self.recorder.random(self.instance, &drawn);
        Ok(drawn)
    }

    fn now(&mut self) -> Datetime {
        let now = self.outside.now();
        self.recorder.date(self.instance, now.seconds, now.nanoseconds);
        now
    }
}

type Outcome<T> = Result<T, ErrorCode>;
type End<T> = Box<dyn FnOnce(u64, Outcome<T>) -> Outcome<T> + Send>;

/// Something that was started, whose end is recorded, with how often it was asked for in vain.
struct Recorded<T> {
    started: Box<dyn Started<T>>,
    looks: u64,
    end: Option<End<T>>,
}

impl<T> Recorded<T> {
    fn new(started: Box<dyn Started<T>>, end: impl FnOnce(u64, Outcome<T>) -> Outcome<T> + Send + 'static) -> Self {
        Self { started, looks: 0, end: Some(Box::new(end)) }
    }
}

#[async_trait]
impl<T: Send + 'static> Pollable for Recorded<T> {
    async fn ready(&mut self) {
        self.started.ready().await;
    }
}

impl<T: Send + 'static> Started<T> for Recorded<T> {
    fn finish(&mut self) -> Outcome<T> {
        match self.started.finish() {
            Err(ErrorCode::WouldBlock) => {
                self.looks += 1;
                Err(ErrorCode::WouldBlock)
            }
            outcome => match self.end.take() {
                Some(end) => end(self.looks, outcome),
                None => outcome,
            },
        }
    }
}

fn opened(track: Arc<Track>, looks: u64, outcome: Outcome<Box<dyn Established>>) -> Outcome<Box<dyn Established>> {
    match outcome {
        Ok(established) => {
            track.connected(looks, established.local_address().ok(), established.remote_address().ok());
            Ok(Box::new(RecordedConnection { established, track }))
        }
        Err(code) => {
            track.not_connected(looks, code);
            Err(code)
        }
    }
}

/// An established connection with recorded streams. Calls do not go past these.
struct RecordedConnection {
    established: Box<dyn Established>,
    track: Arc<Track>,
}

impl Established for RecordedConnection {
    fn local_address(&self) -> Outcome<SocketAddr> {
        self.established.local_address()
    }

    fn remote_address(&self) -> Outcome<SocketAddr> {
        self.established.remote_address()
    }

    fn shut_down(&self, how: Shutdown) {
        self.track.shut_down(how);
        self.established.shut_down(how);
    }

    fn streams(&self) -> Streams {
        self.track.wrap(self.established.streams())
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.established.fd()
    }
}

//! One connection that is being recorded, and its streams.

use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError};

use super::format::{How, Line, Octets, name_of};
use super::recorder::Recorder;
use crate::types::nanoseconds;
use crate::wasi::outside::Streams;

/// One connection that is being recorded.
#[derive(Debug)]
pub(super) struct Track {
    recorder: Recorder,
    connection: u64,
    began: Instant,
    state: Mutex<Progress>,
}

/// How far a connection is.
#[derive(Debug, Default)]
struct Progress {
    written: u64,
    reads: u64,
    looks: u64,
    input_ended: bool,
    output_ended: bool,
}

impl Track {
    /// A connection to this address begins.
    pub(super) fn tcp(recorder: &Recorder, address: SocketAddr) -> Arc<Self> {
        Self::new(recorder, recorder.begin_connection(|connection| Line::Connect { connection, address }))
    }

    /// The caller has a transport for this authority.
    pub(super) fn handshake(recorder: &Recorder, authority: &str) -> Arc<Self> {
        let line = |connection| Line::Handshake { connection, authority: authority.to_owned() };
        Self::new(recorder, recorder.begin_connection(line))
    }

    fn new(recorder: &Recorder, connection: u64) -> Arc<Self> {
        Arc::new(Self { recorder: recorder.clone(), connection, began: Instant::now(), state: Mutex::default() })
    }

    /// It is established. `looks`: how often the component asked before, in vain.
    pub(super) fn connected(&self, looks: u64, local: Option<SocketAddr>, remote: Option<SocketAddr>) {
        self.write(|connection, time_ns| Line::Connected { connection, time_ns, looks, local, remote });
    }

    /// It cannot be established.
    pub(super) fn not_connected(&self, looks: u64, code: ErrorCode) {
        self.write(|connection, time_ns| Line::NotConnected { connection, time_ns, looks, error: name_of(code) });
    }

    /// The component itself ends directions of the transport: how they end is nothing that came from outside.
    pub(super) fn shut_down(&self, how: Shutdown) {
        let mut progress = self.progress();
        progress.input_ended |= how != Shutdown::Write;
        progress.output_ended |= how != Shutdown::Read;
    }

    /// The streams, recorded from now on.
    pub(super) fn wrap(self: &Arc<Self>, (input, output): Streams) -> Streams {
        let input = RecordedInput { inner: input, track: Arc::clone(self) };
        (Box::new(input), Box::new(RecordedOutput { inner: output, track: Arc::clone(self) }))
    }

    fn read(&self, outcome: &Result<Bytes, StreamError>) {
        let mut progress = self.progress();
        if progress.input_ended {
            return;
        }
        if outcome.as_ref().is_ok_and(Bytes::is_empty) {
            progress.looks += 1;
            return;
        }
        let (written, looks) = (progress.written, std::mem::take(&mut progress.looks));
        progress.reads += 1;
        progress.input_ended = outcome.is_err();
        self.write(|connection, time_ns| match outcome {
            Ok(octets) => Line::Read { connection, time_ns, written, looks, octets: Octets(octets.to_vec()) },
            Err(error) => Line::InputEnd { connection, time_ns, written, looks, how: How::of(error) },
        });
    }

    fn wrote(&self, octets: &Bytes) {
        if !octets.is_empty() {
            self.progress().written += octets.len() as u64;
            self.write(|connection, time_ns| Line::Write { connection, time_ns, octets: Octets(octets.to_vec()) });
        }
    }

    fn output_failed(&self, error: &StreamError) {
        let mut progress = self.progress();
        if !std::mem::replace(&mut progress.output_ended, true) {
            let (written, reads, how) = (progress.written, progress.reads, How::of(error));
            self.write(|connection, time_ns| Line::OutputEnd { connection, time_ns, written, reads, how });
        }
    }

    fn write(&self, line: impl FnOnce(u64, u64) -> Line) {
        let time_ns = nanoseconds(self.began.elapsed());
        self.recorder.write(&line(self.connection, time_ns));
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl How {
    fn of(error: &StreamError) -> Self {
        match error {
            StreamError::Closed => Self::Ended,
            StreamError::LastOperationFailed(_) | StreamError::Trap(_) => Self::Reset,
        }
    }
}

struct RecordedInput {
    inner: DynInputStream,
    track: Arc<Track>,
}

#[async_trait]
impl Pollable for RecordedInput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl InputStream for RecordedInput {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        let outcome = self.inner.read(size);
        if size > 0 {
            self.track.read(&outcome);
        }
        outcome
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

impl Drop for RecordedInput {
    fn drop(&mut self) {
        self.track.write(|connection, time_ns| Line::Close { connection, time_ns });
    }
}

struct RecordedOutput {
    inner: DynOutputStream,
    track: Arc<Track>,
}

impl RecordedOutput {
    fn note<T>(&self, outcome: Result<T, StreamError>) -> Result<T, StreamError> {
        outcome.inspect_err(|error| self.track.output_failed(error))
    }
}

#[async_trait]
impl Pollable for RecordedOutput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for RecordedOutput {
    fn write(&mut self, octets: Bytes) -> Result<(), StreamError> {
        let outcome = self.inner.write(octets.clone());
        self.note(outcome)?;
        self.track.wrote(&octets);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        let outcome = self.inner.flush();
        self.note(outcome)
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        let outcome = self.inner.check_write();
        self.note(outcome)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

//! Writes a recording: a line for everything that a transport does, when it does it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError};

use super::format::{How, Line, Octets, VERSION, Why, name_of};
use crate::error::HostError;

/// Octets that the file of a recording has at most, unless [`Recorder::create_with_limit`] says otherwise: 256 MiB.
pub const RECORDING_OCTETS_DEFAULT: u64 = 256 << 20;
/// Octets that the file of a recording can have at all: 1 GiB. A replay holds it in memory.
pub const RECORDING_OCTETS_MAX: u64 = 1 << 30;

/// The room that is always left for the last line.
const END_OCTETS: u64 = 64;

/// Writes what the transports of a [`Sandbox`](crate::Sandbox) do to a file, for [`Replay`](crate::Replay).
///
/// Each thing is written when it happens, in one write: what a crash leaves is a recording too. The file holds all octets of
/// all connections, credentials included; with TLS inside the component also the randomness that its keys are made of. It can be read
/// by its owner alone. Clones write to the same file.
#[derive(Clone)]
pub struct Recorder(Arc<Mutex<Sink>>);

struct Sink {
    path: PathBuf,
    file: File,
    octets_left: u64,
    instances: u64,
    connections: u64,
    lookups: u64,
    state: State,
}

/// Whether a recorder still writes.
#[derive(Clone, Debug)]
enum State {
    Writing,
    /// The limit has been reached, and the file says so.
    Full,
    /// The file cannot be written.
    Failed(Arc<str>),
}

impl Recorder {
    /// Makes the file, of [`RECORDING_OCTETS_DEFAULT`] at most; one that is there is replaced.
    ///
    /// # Errors
    /// [`HostError::Recording`]: the file cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, HostError> {
        Self::create_with_limit(path, RECORDING_OCTETS_DEFAULT)
    }

    /// Like [`Recorder::create`], with the octets that the file may have: 4096 to [`RECORDING_OCTETS_MAX`], else the nearest of
    /// these. What does not fit is not recorded, and the file ends with a line that says so; the connections go on.
    ///
    /// # Errors
    /// [`HostError::Recording`]: the file cannot be written.
    pub fn create_with_limit(path: impl AsRef<Path>, octets_max: u64) -> Result<Self, HostError> {
        let path = path.as_ref().to_owned();
        let file = create(&path).map_err(|error| trouble(&path, &error.to_string()))?;
        let octets_left = octets_max.clamp(4096, RECORDING_OCTETS_MAX) - END_OCTETS;
        let mut sink = Sink { path, file, octets_left, instances: 0, connections: 0, lookups: 0, state: State::Writing };
        sink.write(&Line::SandpiperRecording { version: VERSION });
        sink.check()?;
        Ok(Self(Arc::new(Mutex::new(sink))))
    }

    /// Is everything so far recorded?
    ///
    /// # Errors
    /// [`HostError::Recording`]: the file could not be written, or the limit was reached. What came later is missing.
    pub fn check(&self) -> Result<(), HostError> {
        self.sink().check()
    }

    /// Another instance was made; gives its number.
    pub(super) fn begin_instance(&self) -> u64 {
        let mut sink = self.sink();
        sink.instances += 1;
        sink.instances
    }

    /// An instance got random octets.
    pub(super) fn random(&self, instance: u64, octets: &[u8]) {
        self.sink().write(&Line::Random { instance, octets: Octets(octets.to_vec()) });
    }

    /// An instance asked for the date.
    pub(super) fn date(&self, instance: u64, seconds: u64, nanoseconds: u32) {
        self.sink().write(&Line::Date { instance, seconds, nanoseconds });
    }

    /// A connection to this address begins.
    pub(super) fn begin_tcp(&self, address: SocketAddr) -> Arc<Track> {
        self.begin(|connection| Line::Connect { connection, address })
    }

    /// The caller gives a transport for this authority.
    pub(super) fn begin_stream(&self, authority: &str) -> Arc<Track> {
        self.begin(|connection| Line::Handshake { connection, authority: authority.to_owned() })
    }

    fn begin(&self, line: impl FnOnce(u64) -> Line) -> Arc<Track> {
        let mut sink = self.sink();
        sink.connections += 1;
        let connection = sink.connections;
        sink.write(&line(connection));
        Arc::new(Track { recorder: self.clone(), connection, began: Instant::now(), state: Mutex::default() })
    }

    /// A lookup begins; gives what writes its end, and how often it was asked for in vain.
    pub(crate) fn begin_lookup(&self, name: &str) -> impl FnOnce(u64, Result<Vec<IpAddr>, ErrorCode>) + Send + use<> {
        let mut sink = self.sink();
        sink.lookups += 1;
        let (lookup, began, recorder) = (sink.lookups, Instant::now(), self.clone());
        sink.write(&Line::Lookup { lookup, name: name.to_owned() });
        move |looks, outcome| {
            let (addresses, error) = match outcome {
                Ok(addresses) => (addresses, None),
                Err(code) => (Vec::new(), Some(name_of(code))),
            };
            recorder.sink().write(&Line::Answers { lookup, time_ns: nanoseconds_since(began), looks, addresses, error });
        }
    }

    /// A panic while the lock was held cannot have left it half-changed.
    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sink = self.sink();
        f.debug_struct("Recorder").field("path", &sink.path).field("state", &sink.state).finish_non_exhaustive()
    }
}

impl Sink {
    fn write(&mut self, line: &Line) {
        if !matches!(self.state, State::Writing) {
            return;
        }
        let Ok(mut text) = serde_json::to_string(line) else {
            // Every line has a text.
            return;
        };
        text.push('\n');
        match self.octets_left.checked_sub(text.len() as u64) {
            Some(left) => {
                self.octets_left = left;
                self.put(&text);
            }
            None => self.end(Why::Limit, State::Full),
        }
    }

    fn put(&mut self, text: &str) {
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            self.state = State::Failed(error.to_string().into());
        }
    }

    /// The last line, for which there is always room.
    fn end(&mut self, why: Why, state: State) {
        if let Ok(text) = serde_json::to_string(&Line::End { why }) {
            self.put(&(text + "\n"));
        }
        if matches!(self.state, State::Writing) {
            self.state = state;
        }
    }

    fn check(&self) -> Result<(), HostError> {
        match &self.state {
            State::Writing => Ok(()),
            State::Full => Err(trouble(&self.path, "its limit is reached, and the rest was not recorded")),
            State::Failed(reason) => Err(trouble(&self.path, reason)),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if matches!(self.state, State::Writing) {
            self.end(Why::Complete, State::Full);
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

pub(super) fn trouble(path: &Path, reason: &str) -> HostError {
    HostError::Recording { path: path.display().to_string(), reason: reason.into() }
}

fn nanoseconds_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

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
    /// The component asked whether the connection is established; it is not.
    pub(super) fn look(&self) {
        self.progress().looks += 1;
    }

    pub(super) fn connected(&self, local: Option<SocketAddr>, remote: Option<SocketAddr>) {
        let looks = std::mem::take(&mut self.progress().looks);
        self.write(|connection, time_ns| Line::Connected { connection, time_ns, looks, local, remote });
    }

    pub(super) fn not_connected(&self, code: ErrorCode) {
        let looks = self.progress().looks;
        self.write(|connection, time_ns| Line::NotConnected { connection, time_ns, looks, error: name_of(code) });
    }

    /// The component itself ends directions of the transport: how they end is nothing that came from outside.
    pub(super) fn shut_down(&self, input: bool, output: bool) {
        let mut progress = self.progress();
        progress.input_ended |= input;
        progress.output_ended |= output;
    }

    /// The streams, recorded from now on.
    pub(super) fn wrap(self: Arc<Self>, input: DynInputStream, output: DynOutputStream) -> (DynInputStream, DynOutputStream) {
        let input = RecordedInput { inner: input, track: Arc::clone(&self) };
        (Box::new(input), Box::new(RecordedOutput { inner: output, track: self }))
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
        let time_ns = nanoseconds_since(self.began);
        self.recorder.sink().write(&line(self.connection, time_ns));
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

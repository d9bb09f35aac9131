//! Writes a recording: a line for everything that a transport does, when it does it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::format::{Line, Octets, VERSION, Why, name_of};
use crate::error::HostError;
use crate::types::nanoseconds;

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

    /// A connection begins; returns its number, which is in the line.
    pub(super) fn begin_connection(&self, line: impl FnOnce(u64) -> Line) -> u64 {
        let mut sink = self.sink();
        sink.connections += 1;
        let connection = sink.connections;
        sink.write(&line(connection));
        connection
    }

    /// Something happens on a connection.
    pub(super) fn write(&self, line: &Line) {
        self.sink().write(line);
    }

    /// A lookup begins; gives what writes its end, and how often it was asked for in vain.
    pub(super) fn begin_lookup(&self, name: &str) -> impl FnOnce(u64, Result<Vec<IpAddr>, ErrorCode>) + Send + use<> {
        let mut sink = self.sink();
        sink.lookups += 1;
        let (lookup, began, recorder) = (sink.lookups, Instant::now(), self.clone());
        sink.write(&Line::Lookup { lookup, name: name.to_owned() });
        move |looks, outcome| {
            let (addresses, error) = match outcome {
                Ok(addresses) => (addresses, None),
                Err(code) => (Vec::new(), Some(name_of(code))),
            };
            recorder.sink().write(&Line::Answers { lookup, time_ns: nanoseconds(began.elapsed()), looks, addresses, error });
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

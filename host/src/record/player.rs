//! One recorded connection as a transport.

use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError};

use super::difference::{Difference, Differences};
use super::format::How;
use super::script::{Addresses, Connection, Incoming, OutputEnd};
use crate::wasi::outside::{Established, Started, Streams};

/// How much longer than in the recording a connection may wait for something to happen that has to happen on its own side, such as
/// the rest of a request. Then it will not happen.
const STALL_GRACE: Duration = Duration::from_secs(2);
/// What may be written where the recording has nothing more: enough to find it out.
const BEYOND_OCTETS: usize = 4096;

/// One recorded connection, being played.
#[derive(Debug)]
pub(super) struct Player {
    differences: Differences,
    /// As the recording numbers it, from 1; 0: it is not in the recording.
    number: usize,
    recorded: Arc<Connection>,
    /// The end of the whole recording is missing.
    cut_off: bool,
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Questions whether it is established.
    opening_looks: u64,
    /// Octets that the component has written.
    written: usize,
    /// Reads that are done, and what is taken of the next.
    reads: usize,
    taken: usize,
    /// Reads that gave nothing, since one gave something.
    looks: u64,
    /// A read has given the end.
    input_ended: bool,
    /// It differs from the recording.
    failed: bool,
    /// The component has ended these directions.
    input_shut: bool,
    output_shut: bool,
    /// For how long something was waited for, since something happened.
    waited: Duration,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Opening,
    Input,
    Output,
}

impl Player {
    pub(super) fn new(differences: Differences, number: usize, recorded: Arc<Connection>, cut_off: bool) -> Self {
        Self { differences, number, recorded, cut_off, state: Mutex::default(), moved: Notify::new() }
    }

    /// Octets that the component has written.
    pub(super) fn written(&self) -> u64 {
        self.state().written as u64
    }

    /// The addresses of the established connection.
    fn addresses(&self) -> Option<Addresses> {
        self.recorded.opening?.ok()
    }

    /// Is it established, or can it not be? `None`: not yet, or never.
    fn open(&self) -> Option<Result<(), ErrorCode>> {
        let mut state = self.state();
        if state.failed {
            return Some(Err(ErrorCode::ConnectionAborted));
        }
        if state.opening_looks < self.recorded.opening_looks || self.recorded.opening.is_none() {
            state.opening_looks += 1;
            return None;
        }
        self.recorded.opening.map(|outcome| outcome.map(drop))
    }

    /// Its streams.
    pub(super) fn streams(self: &Arc<Self>) -> Streams {
        (Box::new(PlayedInput(Arc::clone(self))), Box::new(PlayedOutput(Arc::clone(self))))
    }

    fn read(&self, size: usize) -> Result<Bytes, StreamError> {
        let mut state = self.state();
        if state.failed {
            return Err(reset());
        }
        if state.input_shut {
            return Err(StreamError::Closed);
        }
        match self.next_read(&state) {
            Some(Incoming { looks, .. }) if state.looks < *looks && state.taken == 0 => Ok(state.look()),
            Some(Incoming { what: Err(how), .. }) => {
                state.input_ended = true;
                state.moved_on();
                drop(state);
                self.moved.notify_waiters();
                Err(how.error())
            }
            Some(Incoming { what: Ok(block), .. }) if size > 0 => {
                let octets = state.take(block, size);
                drop(state);
                self.moved.notify_waiters();
                Ok(octets)
            }
            _ => Ok(state.look()),
        }
    }

    /// What can be read now. An end stays.
    fn next_read(&self, state: &State) -> Option<&Incoming> {
        self.recorded.reads.get(state.reads).filter(|next| next.written <= state.written as u64)
    }

    /// Octets that may be written now: up to where something was read, so that it is read there again.
    fn room(&self, state: &State) -> Result<usize, StreamError> {
        if state.failed {
            return Err(reset());
        }
        if state.output_shut {
            return Err(StreamError::Closed);
        }
        if let Some(end) = self.output_end(state) {
            return Err(end.how.error());
        }
        let recorded = self.recorded.written.len();
        let next_read = self.recorded.reads.get(state.reads).filter(|_| !state.input_ended && !state.input_shut);
        match next_read {
            Some(next) => Ok(usize::try_from(next.written).unwrap_or(usize::MAX).saturating_sub(state.written)),
            None if state.written < recorded => Ok(recorded - state.written),
            None => Ok(BEYOND_OCTETS),
        }
    }

    fn output_end(&self, state: &State) -> Option<&OutputEnd> {
        let reads = state.reads as u64 + u64::from(state.input_ended);
        self.recorded.output_end.as_ref().filter(|end| end.written <= state.written as u64 && end.reads <= reads)
    }

    fn write(&self, octets: &[u8]) -> Result<(), StreamError> {
        let mut state = self.state();
        self.room(&state)?;
        let rest = &self.recorded.written[state.written..];
        if rest.starts_with(octets) {
            state.written += octets.len();
            state.moved_on();
            drop(state);
            self.moved.notify_waiters();
            return Ok(());
        }
        let cut_off = octets.starts_with(rest) && self.is_cut_off();
        let difference = match cut_off {
            true => Difference::CutOff { connection: self.number },
            false => Difference::written(self.number, state.written as u64, rest, octets),
        };
        drop(state);
        self.fail(difference);
        Err(reset())
    }

    fn is_cut_off(&self) -> bool {
        self.cut_off && !self.recorded.closed
    }

    fn fail(&self, difference: Difference) {
        self.differences.note(difference);
        self.state().failed = true;
        self.moved.notify_waiters();
    }

    fn is_ready(&self, side: Side) -> bool {
        let state = self.state();
        match side {
            Side::Opening => state.failed || self.recorded.opening.is_some(),
            Side::Input => state.failed || state.input_shut || self.next_read(&state).is_some(),
            Side::Output => self.room(&state).is_ok_and(|room| room > 0) || self.room(&state).is_err(),
        }
    }

    /// Waits until something can be done on this side, or nothing ever will that has to: then the connection fails.
    async fn ready(&self, side: Side) {
        // Everybody else has a turn, also where nothing has to be waited for.
        tokio::task::yield_now().await;
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.is_ready(side) {
                return;
            }
            match self.patience() {
                None => moved.await,
                Some((patience, stall)) => {
                    let waiting = Waiting { player: self, since: Instant::now() };
                    if tokio::time::timeout(patience, moved).await.is_err() {
                        drop(waiting);
                        return self.fail(stall);
                    }
                }
            }
        }
    }

    /// How much longer to wait, and what it is if nothing happens; `None`: as long as it takes, since the recorded connection
    /// waited too when it was closed.
    fn patience(&self) -> Option<(Duration, Difference)> {
        let (state, connection) = (self.state(), self.number);
        let (recorded, stall) = match self.recorded.reads.get(state.reads) {
            Some(next) if next.written > state.written as u64 => {
                let (octets, recorded_octets) = (state.written as u64, self.recorded.written.len() as u64);
                (next.since_last, Difference::NotWritten { connection, octets, recorded_octets })
            }
            Some(next) => (next.since_last, Difference::NotRead { connection, reads: state.reads }),
            None if self.is_cut_off() => (Duration::ZERO, Difference::CutOff { connection }),
            None => return None,
        };
        Some(((recorded + STALL_GRACE).saturating_sub(state.waited), stall))
    }

    /// A panic while the lock was held cannot have left it half-changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn look(&mut self) -> Bytes {
        self.looks += 1;
        Bytes::new()
    }

    fn take(&mut self, block: &Bytes, size: usize) -> Bytes {
        let end = block.len().min(self.taken.saturating_add(size));
        let octets = block.slice(self.taken..end);
        self.taken = end;
        if end == block.len() {
            (self.reads, self.taken, self.looks) = (self.reads + 1, 0, 0);
        }
        self.moved_on();
        octets
    }

    fn moved_on(&mut self) {
        self.waited = Duration::ZERO;
    }
}

/// A wait, which counts also when it is given up.
struct Waiting<'a> {
    player: &'a Player,
    since: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.player.state().waited += self.since.elapsed();
    }
}

impl How {
    fn error(self) -> StreamError {
        match self {
            Self::Ended => StreamError::Closed,
            Self::Reset => reset(),
        }
    }
}

fn reset() -> StreamError {
    StreamError::LastOperationFailed(wasmtime::Error::msg("the connection was reset"))
}

struct PlayedInput(Arc<Player>);
struct PlayedOutput(Arc<Player>);
/// The wait for a connection to be established.
pub(super) struct PlayedOpening(pub(super) Arc<Player>);

#[async_trait]
impl Pollable for PlayedInput {
    async fn ready(&mut self) {
        self.0.ready(Side::Input).await;
    }
}

#[async_trait]
impl InputStream for PlayedInput {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        self.0.read(size)
    }
}

#[async_trait]
impl Pollable for PlayedOutput {
    async fn ready(&mut self) {
        self.0.ready(Side::Output).await;
    }
}

#[async_trait]
impl OutputStream for PlayedOutput {
    fn write(&mut self, octets: Bytes) -> Result<(), StreamError> {
        self.0.write(&octets)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        self.0.room(&self.0.state())
    }
}

#[async_trait]
impl Pollable for PlayedOpening {
    async fn ready(&mut self) {
        self.0.ready(Side::Opening).await;
    }
}

impl Started<Box<dyn Established>> for PlayedOpening {
    fn finish(&mut self) -> Result<Box<dyn Established>, ErrorCode> {
        let opened = self.0.open().unwrap_or(Err(ErrorCode::WouldBlock));
        opened.map(|()| Box::new(Arc::clone(&self.0)) as Box<dyn Established>)
    }
}

impl Established for Arc<Player> {
    fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.addresses().and_then(|(local, _)| local).ok_or(ErrorCode::InvalidState)
    }

    fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.addresses().and_then(|(_, remote)| remote).ok_or(ErrorCode::InvalidState)
    }

    fn shut_down(&self, how: Shutdown) {
        let mut state = self.state();
        state.input_shut |= how != Shutdown::Write;
        state.output_shut |= how != Shutdown::Read;
        drop(state);
        self.moved.notify_waiters();
    }

    fn streams(&self) -> Streams {
        Player::streams(self)
    }
}

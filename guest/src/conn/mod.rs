//! One client connection: calls, octets and the time go in; octets, readiness and the next deadline come out.
//!
//! | file | verbs |
//! |---|---|
//! | `call` | the caller's: `send`, `write`, `finish`, `read`, `collect`, `cancel`, … |
//! | `dialling` | the way to an established transport |
//! | `transmit` | octets out: which request is written next |
//! | `apply` | octets in: what the protocol has heard, applied; and `settle`, with which every verb ends |
//! | `end` | how exchanges and the connection end, and with which delivery |
//! | `clock`, `deadlines` | deadlines |
//! | `entry` | how a request becomes an exchange, and the end of one that was collected; for the lines of a pool too |
//! | `moves` | the pool's: exchanges come onto a connection, and leave it for another one |
//! | `book`, `queue` | the exchanges, those of them that have not been written, and what has yet to be reported |
//!
//! Nothing here knows how a protocol puts requests onto a transport: that is behind [`Protocol`], which is told octets and
//! calls, and answers with values.
//!
//! Whoever drives a connection repeats: give it what the transport has (`receive`, `nothing_to_receive`, `receive_end`), hand over what
//! it wants to send (`to_transmit`, `transmitted`), do what `transport` says, and call `handle_timeout` at `deadline`. Every verb is legal at
//! any time and leaves the connection consistent.

mod apply;
mod book;
mod call;
mod clock;
mod deadlines;
mod dialling;
mod end;
mod entry;
mod facts;
mod moves;
mod queue;
#[cfg(test)]
mod tests;
mod transmit;

pub use crate::exchange::ExchangeId;
pub use crate::incoming::Break;
use crate::log::Log;
pub(crate) use deadlines::DeadlineTable;
pub use entry::Completed;
pub(crate) use entry::{check_queued_octets, exchange};

use crate::failure::Place;
use crate::incoming::{Expected, Scene};
use crate::protocol::Protocol;
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{ConnInfo, ConnState, Error, HttpVersion, LogEntry, Persistence, PersistenceLearnt, Phase};
use crate::wit::client::Readiness;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use book::Book;
use facts::Facts;
use moves::Moves;

/// What the transport should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportWish {
    /// Stay as it is.
    Keep,
    /// End the sending direction, once all octets have left.
    HalfClose,
    /// Close.
    Close,
}

/// A change of the connection that has not been reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnChange {
    /// The state now.
    pub state: ConnState,
    /// Unanswered requests now.
    pub length: u32,
    /// Why it takes no more requests.
    pub closed_by: Option<Error>,
}

/// One client connection.
#[derive(Debug)]
pub struct ClientConn {
    id: u64,
    authority: String,
    settings: Rc<Settings>,
    state: ConnState,
    /// Why no more requests are accepted; the first reason stays.
    ended_by: Option<Error>,
    protocol: Protocol,
    /// The exchanges.
    book: Book,
    /// The part of a pool in it.
    moves: Moves,
    facts: Facts,
    idle_since: Instant,
    /// The persistence that the log has last.
    learnt: PersistenceLearnt,
    /// The sending direction has been ended.
    half_closed: bool,
}

impl ClientConn {
    /// A connection whose transport is being established. `authority` is what `Host` says unless a request says otherwise.
    pub fn new(id: u64, authority: String, settings: Settings, now: Instant) -> ClientConn {
        let persistence = settings.persistence;
        ClientConn::with_shared(id, authority, Rc::new(settings), persistence, now)
    }

    /// The same with settings that others have too, but for what is expected of persistence.
    pub fn with_shared(id: u64, authority: String, settings: Rc<Settings>, persistence: Persistence, now: Instant) -> ClientConn {
        let protocol = Protocol::Undecided(Expected { persistence, ends_after: None });
        ClientConn {
            id,
            authority,
            state: ConnState::Connecting,
            ended_by: None,
            book: Book::new(Log::new(settings.log_entries_max, now).of(id)),
            moves: Moves::default(),
            facts: Facts::new(now),
            idle_since: now,
            learnt: protocol.learnt().persistence,
            half_closed: false,
            protocol,
            settings,
        }
    }

    fn scene(&self, now: Instant) -> Scene<'_> {
        self.book.scene(&self.settings, now)
    }

    /// Where a failure happens, when so many octets have come.
    fn place(&self, at: u64) -> Place {
        let waiting = if self.is_established() { Phase::Queued } else { Phase::Connecting };
        Place { connection: self.id, octets_received: at, waiting, declared: None }
    }

    /// Unique in the instance.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What `Host` says unless a request says otherwise.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the transport is established.
    pub fn is_established(&self) -> bool {
        self.protocol.is_decided()
    }

    /// Requests without a complete answer.
    pub fn length(&self) -> u32 {
        u32::try_from(self.book.queue.len() + self.protocol.outstanding()).unwrap_or(u32::MAX)
    }

    /// Requests that wait to be written.
    pub fn queued(&self) -> usize {
        self.book.queue.len()
    }

    /// Final responses completed so far.
    pub fn responses(&self) -> u64 {
        self.protocol.counts().responses
    }

    /// Requests written so far.
    pub fn requests(&self) -> u64 {
        self.protocol.counts().requests
    }

    /// Would the next idempotent request without streamed content be written at once?
    pub fn is_ready(&self) -> bool {
        self.state == ConnState::Open && self.book.queue.is_empty() && self.protocol.is_ready(self.scene(Instant(0)))
    }

    /// Whether no more requests are accepted.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, ConnState::Closing | ConnState::Closed)
    }

    /// Where it is in its life.
    pub fn state(&self) -> ConnState {
        self.state
    }

    /// Why no more requests are accepted.
    pub fn ended_by(&self) -> Option<Error> {
        self.ended_by
    }

    /// How it ended before all requests were answered that stood behind each other, if it did: the next connection to the same place must not
    /// begin with such requests.
    pub fn broke(&self) -> Option<Break> {
        self.protocol.learnt().broke
    }

    /// Octets of the response that is being received that are to come, as far as its length was declared.
    pub fn response_octets_left(&self) -> u64 {
        self.protocol.response_octets_left()
    }

    /// What has been learnt about persistence.
    pub fn persistence_learnt(&self) -> PersistenceLearnt {
        self.protocol.learnt().persistence
    }

    /// The version of the last response.
    pub fn version(&self) -> Option<HttpVersion> {
        self.protocol.learnt().version
    }

    /// The connection as it is now.
    pub fn info(&self) -> ConnInfo {
        let (counts, learnt) = (self.protocol.counts(), self.protocol.learnt());
        ConnInfo {
            id: self.id,
            state: self.state,
            closed_by: self.ended_by,
            remote_address: self.facts.remote_address.clone(),
            local_address: self.facts.local_address.clone(),
            version: learnt.version,
            persistence: learnt.persistence,
            queued: u32::try_from(self.book.queue.len()).unwrap_or(u32::MAX),
            outstanding: u32::try_from(self.protocol.outstanding()).unwrap_or(u32::MAX),
            requests: counts.requests,
            responses: counts.responses,
            octets_sent: counts.octets_sent,
            octets_received: counts.octets_received,
            resolved: self.facts.resolved,
            connected: self.facts.connected,
        }
    }

    /// From now on, what happens is noted in this log.
    pub fn log_to(&mut self, log: &Log) {
        self.book.log = log.of(self.id);
    }

    /// Takes up to `entries_max` entries of the log.
    pub fn take_log(&mut self, entries_max: u32) -> Vec<LogEntry> {
        self.book.log.take(usize::try_from(entries_max).unwrap_or(usize::MAX))
    }

    /// The change of state or length since this was last asked.
    pub fn take_change(&mut self) -> Option<ConnChange> {
        if !core::mem::take(&mut self.book.reports.changed) {
            return None;
        }
        Some(ConnChange { state: self.state, length: self.length(), closed_by: self.ended_by })
    }

    /// Whether `take_change` or `take_ready` could give something.
    pub fn may_report(&self) -> bool {
        self.book.reports.changed || !self.book.reports.ready.is_empty()
    }

    /// Adds up to `events_max` exchanges that are ready to `events`, as token and readiness. Those that were given stand behind the others
    /// the next time.
    pub fn take_ready(&mut self, events_max: usize, event: impl FnMut(u64, Readiness)) -> usize {
        self.book.take_ready(events_max, self.protocol.send_room(&self.settings) > 0, event)
    }
}

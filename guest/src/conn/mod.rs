//! One client connection: calls, octets and the time go in; octets, readiness and the next deadline come out.
//!
//! | file | verbs |
//! |---|---|
//! | `call` | the caller's: `send`, `write`, `finish`, `read`, `collect`, `cancel`, … |
//! | `dialling` | the way to an established transport |
//! | `transmit` | octets out: which request is written next, and as what |
//! | `receive` | octets in: heads, content, trailers, and what each means for the connection |
//! | `interim` | interim responses, and how many may come |
//! | `look` | whether an idle connection may be written to |
//! | `end` | how exchanges and the connection end, and with which delivery |
//! | `clock` | deadlines |
//! | `persistence` | what responses say about the connection's end |
//! | `pooled` | the pool's: exchanges move between its waiting line and its connections |
//! | `queue` | those that have not been written |
//!
//! Whoever drives a connection repeats: give it what the transport has (`receive`, `nothing_to_receive`, `receive_end`), hand over what
//! it wants to send (`to_transmit`, `transmitted`), do what `transport` says, and call `handle_timeout` at `deadline`. Every verb is legal at
//! any time and leaves the connection consistent.

mod call;
mod clock;
mod deadlines;
mod dialling;
mod end;
mod interim;
mod look;
mod persistence;
mod pooled;
mod queue;
mod receive;
mod transmit;

pub use crate::exchange::ExchangeId;
pub use call::Completed;
pub use pooled::Waiting;

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::exchange::Exchanges;
use crate::h1::chunked::ChunkDecoder;
use crate::h1::parse::{HeadParser, TrailerParser};
use crate::h1::state::{ReadSide, Shown, WriteSide, known_at_first};
use crate::log::Log;
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{ConnInfo, ConnState, Ending, Error, HttpVersion, LogEntry, Persistence, PersistenceLearnt};
use crate::wit::client::Readiness;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use deadlines::DeadlineTable;
use queue::Queue;

/// Entries of the list of exchanges to report that may be stale before it is tidied.
const READY_SPARE: usize = 64;

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

/// How a connection ended before all requests of a pipeline were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// One of the two sides had declared the end.
    Declared,
    /// The server ended it without a word.
    Undeclared,
    /// The server left a request unanswered.
    Stalled,
}

/// One client connection.
#[derive(Debug)]
pub struct ClientConn {
    id: u64,
    created: Instant,
    authority: String,
    settings: Rc<Settings>,

    state: ConnState,
    established: bool,
    /// When that was.
    opened: Option<Instant>,
    /// Why no more requests are accepted; the first reason stays.
    ended_by: Option<Error>,

    exchanges: Exchanges,
    /// Requests to write, in the order of `send`.
    queue: Queue,
    /// Its requests may move to other connections.
    pooled: bool,
    /// Of a waiting line: the connection for which its requests fail.
    failed_for: u64,
    /// Requests that can have no turn here, for the pool to take.
    unsent: VecDeque<ExchangeId>,
    /// How many of these were sent before; until the pool asks.
    resent: u64,
    /// Requests written, wholly or partly, whose responses are not complete (RFC 9112 §9.2).
    outstanding: VecDeque<ExchangeId>,
    /// How many of them, from the front, have left.
    departed: usize,
    queued_octets: u64,

    write: WriteSide,
    /// The exchange that keeps the write side busy.
    writer: Option<ExchangeId>,
    outbox: SendBuffer,
    /// How the transport ended that takes no more octets: its end is not an end in order.
    write_failed: Option<Ending>,
    /// The sending direction has been ended.
    half_closed: bool,

    read: ReadSide,
    inbox: ReceiveBuffer,
    /// The transport has ended behind what is in the inbox.
    ending: Option<Ending>,
    heads: HeadParser,
    trailers: TrailerParser,
    chunks: ChunkDecoder,
    /// Octets of length-framed content to come.
    content_left: u64,
    /// What the response that is being received shows about persistence.
    shown: Shown,
    /// It has the `close` option.
    close_declared: bool,
    known: PersistenceLearnt,
    /// After how many requests the server has ended the connection before this one.
    ends_after: Option<u64>,
    /// How it ended before a pipeline was answered, if not by the caller's wish.
    broke: Option<Break>,
    /// An idle connection has been read from until nothing came, so that a request may be written (RFC 9112 §9.2).
    looked: bool,
    /// Since when that cannot be seen, because something arrives of which nothing can be taken yet.
    look_stalled: Option<Instant>,
    /// Content held for callers.
    unread: usize,
    /// Octets thrown away for the exchange at the front.
    drained: u64,
    /// Empty lines let go behind the last response; none are before the first.
    empty_lines: usize,

    deadlines: DeadlineTable,
    /// When the first outstanding exchange became the first.
    turn_began: Instant,
    /// When an octet last came, or reading was resumed.
    progress: Instant,
    /// When an octet last left.
    left: Instant,
    /// The longest wait for a response so far, in nanoseconds.
    longest_wait: u64,
    idle_since: Instant,
    /// From `Keep-Alive` of the last response: how long it stays open, how many more requests it takes.
    peer_idle_ns: Option<u64>,
    peer_requests_left: Option<u64>,

    requests: u64,
    responses: u64,
    octets_received: u64,
    version: Option<HttpVersion>,
    resolved: Option<u64>,
    connected: Option<u64>,
    remote_address: Option<String>,
    local_address: Option<String>,

    log: Log,
    /// Exchanges that may have something to report; each stands here once.
    ready: VecDeque<ExchangeId>,
    /// Exchanges for `poll.completions` that have ended.
    completed: VecDeque<ExchangeId>,
    changed: bool,
}

impl ClientConn {
    /// A connection whose transport is being established. `authority` is what `Host` says unless a request says otherwise.
    pub fn new(id: u64, authority: String, settings: Settings, now: Instant) -> ClientConn {
        let persistence = settings.persistence;
        ClientConn::with_shared(id, authority, Rc::new(settings), persistence, now)
    }

    /// The same with settings that others have too, but for what is expected of persistence.
    pub fn with_shared(id: u64, authority: String, settings: Rc<Settings>, persistence: Persistence, now: Instant) -> ClientConn {
        let log = Log::new(settings.log_entries_max, now);
        let known = known_at_first(persistence);
        let chunks = receive::chunk_decoder(&settings);
        ClientConn {
            id,
            created: now,
            authority,
            settings,
            state: ConnState::Connecting,
            established: false,
            opened: None,
            ended_by: None,
            exchanges: Exchanges::default(),
            queue: Queue::default(),
            pooled: false,
            failed_for: 0,
            unsent: VecDeque::new(),
            resent: 0,
            outstanding: VecDeque::new(),
            departed: 0,
            queued_octets: 0,
            write: WriteSide::Idle,
            writer: None,
            outbox: SendBuffer::default(),
            write_failed: None,
            half_closed: false,
            read: ReadSide::Idle,
            inbox: ReceiveBuffer::default(),
            ending: None,
            heads: HeadParser::default(),
            trailers: TrailerParser::default(),
            chunks,
            content_left: 0,
            shown: Shown::Closes,
            close_declared: false,
            known,
            ends_after: None,
            broke: None,
            looked: false,
            look_stalled: None,
            unread: 0,
            drained: 0,
            empty_lines: receive::EMPTY_LINES_MAX,
            deadlines: DeadlineTable::default(),
            turn_began: now,
            progress: now,
            left: now,
            longest_wait: 0,
            idle_since: now,
            peer_idle_ns: None,
            peer_requests_left: None,
            requests: 0,
            responses: 0,
            octets_received: 0,
            version: None,
            resolved: None,
            connected: None,
            remote_address: None,
            local_address: None,
            log,
            ready: VecDeque::new(),
            completed: VecDeque::new(),
            changed: false,
        }
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
        self.established
    }

    /// Requests without a complete answer.
    pub fn length(&self) -> u32 {
        u32::try_from(self.queue.len() + self.outstanding.len()).unwrap_or(u32::MAX)
    }

    /// Requests that wait to be written.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Final responses completed so far.
    pub fn responses(&self) -> u64 {
        self.responses
    }

    /// Requests written so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Would the next idempotent request without streamed content be written at once?
    pub fn is_ready(&self) -> bool {
        self.established
            && self.state == ConnState::Open
            && self.write == WriteSide::Idle
            && self.queue.is_empty()
            && self.has_room()
            && self.inbox.is_empty()
            && self.ending.is_none()
            && self.peer_requests_left != Some(0)
            && (self.outstanding.is_empty() || self.may_pipeline())
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

    /// Whether a pipeline broke with it, and how: the next connection to the same place must not begin with one (RFC 9112 §9.3.2).
    pub fn broke(&self) -> Option<Break> {
        self.broke
    }

    /// What the transport should do now.
    pub fn transport(&self) -> TransportWish {
        match self.state {
            ConnState::Closed => TransportWish::Close,
            _ if self.outbox.is_empty() && !self.half_closed && self.wants_half_close() => TransportWish::HalfClose,
            _ => TransportWish::Keep,
        }
    }

    /// The transport has ended the sending direction.
    pub fn half_closed(&mut self) {
        self.half_closed = true;
    }

    /// Whether the sending direction is over: of a tunnel when the caller has finished it; else, where that is asked for, when all requests
    /// of a connection that takes no more have been written.
    fn wants_half_close(&self) -> bool {
        let last = self.outstanding.back().and_then(|id| self.exchanges.get(*id));
        if self.is_tunnel() {
            return last.is_some_and(|exchange| exchange.finished);
        }
        let may_switch = last.is_some_and(|exchange| exchange.plan.asked.connect || exchange.plan.asked.upgrade);
        let all_written = self.queue.is_empty() && self.writer.is_none() && !may_switch;
        self.settings.half_close && self.state == ConnState::Closing && all_written
    }

    /// The connection as it is now.
    pub fn info(&self) -> ConnInfo {
        ConnInfo {
            id: self.id,
            state: self.state,
            closed_by: self.ended_by,
            remote_address: self.remote_address.clone(),
            local_address: self.local_address.clone(),
            version: self.version,
            persistence: self.known,
            queued: u32::try_from(self.queue.len()).unwrap_or(u32::MAX),
            outstanding: u32::try_from(self.outstanding.len()).unwrap_or(u32::MAX),
            requests: self.requests,
            responses: self.responses,
            octets_sent: self.outbox.taken(),
            octets_received: self.octets_received,
            resolved: self.resolved,
            connected: self.connected,
        }
    }

    /// Takes up to `entries_max` entries of the log.
    pub fn take_log(&mut self, entries_max: u32) -> Vec<LogEntry> {
        self.log.take(usize::try_from(entries_max).unwrap_or(usize::MAX))
    }

    /// The change of state or length since this was last asked.
    pub fn take_change(&mut self) -> Option<ConnChange> {
        if !core::mem::take(&mut self.changed) {
            return None;
        }
        Some(ConnChange { state: self.state, length: self.length(), closed_by: self.ended_by })
    }

    /// Whether `take_change` or `take_ready` could give something.
    pub fn may_report(&self) -> bool {
        self.changed || !self.ready.is_empty()
    }

    /// Adds up to `events_max` exchanges that are ready to `events`, as token and readiness. Those that were given stand behind the others
    /// the next time.
    pub fn take_ready(&mut self, events_max: usize, mut event: impl FnMut(u64, Readiness)) -> usize {
        let room = self.has_room();
        let mut given = 0;
        for _ in 0..self.ready.len() {
            if given == events_max {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            let Some(exchange) = self.exchanges.get_mut(id) else { continue };
            let ready = exchange.readiness(room);
            exchange.in_ready_list = ready != Readiness::empty();
            if exchange.in_ready_list {
                event(exchange.token, ready);
                self.ready.push_back(id);
                given += 1;
            }
        }
        given
    }

    /// The exchange may have something to report.
    fn mark(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(id)
            && !exchange.in_ready_list
        {
            exchange.in_ready_list = true;
            self.ready.push_back(id);
        }
        // Without a poll nobody takes them from here.
        if self.ready.len() > READY_SPARE + 2 * self.exchanges.count() {
            self.ready.retain(|id| self.exchanges.get(*id).is_some());
        }
    }

    /// Whether the send buffer accepts content.
    fn has_room(&self) -> bool {
        self.outbox.len() < self.settings.limits.send_buffer_octets_max as u64
    }
}

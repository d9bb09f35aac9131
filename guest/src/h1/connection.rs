//! One HTTP/1.1 connection: requests out and responses in, in one order (RFC 9112 §9).
//!
//! `Writer`, `Reader` and `Persistence` are the three machines of table B. This file has what couples them: the list of the
//! requests that are outstanding, and which one of them is written and answered. `receive` has what is heard, `ending` the ways in which requests leave
//! the list without an answer, `deadline` the deadlines of the first one.

use super::framing::Framing;
use super::look::Look;
use super::persistence::Persistence;
use super::reader::{Reader, TransportEnd};
use super::state::{ReadInput, ReadSide};
use super::turn::Turn;
use super::writer::Writer;
use crate::exchange::{Exchange, ExchangeId, Exchanges, Reader as Whose, RequestHalf, asks};
use crate::incoming::{Begun, Counts, Departure, Expected, Learnt, Progress, Scene};
use crate::request::ContentKind;
use crate::settings::{READ_OCTETS_MAX, READ_OCTETS_SHORT, Settings};
use crate::table::Illegal;
use crate::timer::Instant;
use crate::types::{
    CloseReason, Error, FieldLine, HttpVersion, Incompatibility, Persistence as Expectation, PersistenceLearnt, Reuse,
};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A request that was written, wholly or partly, and its place in the outgoing octets.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) exchange: ExchangeId,
    /// Where it begins.
    pub(super) start: u64,
    /// Where its head ends.
    pub(super) head_end: u64,
    /// Where it ends; `None`: some of it has yet to be written.
    pub(super) end: Option<u64>,
    /// How many octets the connection had received when its first octet left: none of them can be of its response. `None`: none has left.
    pub(super) received_before: Option<u64>,
    /// The request was written behind another one that had no complete response.
    pub(super) is_behind: bool,
}

/// A consequence of a final head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The rest of the request is not wanted.
    Stop,
    /// The response is the last one.
    Close,
    /// The connection is a tunnel.
    Switch,
}

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct Connection {
    /// Requests without a complete response, in the order in which they were written (RFC 9112 §9.2).
    pub(super) outstanding: VecDeque<Outstanding>,
    /// How many of them, from the front, have left.
    pub(super) departed: usize,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) persistence: Persistence,
    pub(super) look: Look,
    pub(super) turn: Turn,
    /// The consequence of the head that was heard last: it comes before all other events.
    pub(super) after: Option<Consequence>,
    /// A table had no step.
    pub(super) illegal: bool,
}

impl Connection {
    /// A connection whose transport has just been established.
    pub fn new(expected: Expected, settings: &Settings, now: Instant) -> Connection {
        Connection {
            outstanding: VecDeque::new(),
            departed: 0,
            writer: Writer::new(),
            reader: Reader::new(settings),
            persistence: Persistence::new(expected),
            look: Look::Wanted,
            turn: Turn::new(now),
            after: None,
            illegal: false,
        }
    }

    /// Remembers that a table had no step: the next call of [`next`](Self::next) says so.
    pub(super) fn heed(&mut self, step: Result<(), Illegal>) {
        self.illegal |= step.is_err();
    }

    /// Exchanges on the wire.
    #[inline]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// The first outstanding exchange.
    pub(super) fn first<'a>(&self, scene: Scene<'a>) -> Option<&'a Exchange> {
        scene.exchanges.get(self.outstanding.front()?.exchange)
    }

    fn last<'a>(&self, scene: Scene<'a>) -> Option<&'a Exchange> {
        scene.exchanges.get(self.outstanding.back()?.exchange)
    }

    /// The knowledge that the responses have brought.
    #[inline(always)]
    pub fn learnt(&self) -> Learnt {
        let Persistence { known, version, broke, .. } = self.persistence;
        Learnt { persistence: known, version, idle_ns: self.persistence.idle_ns(), broke }
    }

    /// Requests, responses and octets so far.
    #[inline(always)]
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.persistence.requests,
            responses: self.persistence.responses,
            octets_sent: self.writer.outbox.taken(),
            octets_received: self.reader.received,
        }
    }

    /// The position behind the last octet that was taken.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Octets of the response that is being received that are to come, as far as its length was declared.
    pub fn response_octets_left(&self) -> u64 {
        if self.reader.state() == ReadSide::Content { self.reader.content_left } else { 0 }
    }

    // Requests out.

    /// How many octets of content the send buffer accepts.
    pub fn send_room(&self, settings: &Settings) -> u64 {
        (settings.limits.send_buffer_octets_max as u64).saturating_sub(self.writer.outbox.len())
    }

    /// Why the connection has nothing more to do, if so: both directions of the tunnel have ended, or the server takes no request any more,
    /// without having closed.
    #[inline]
    pub fn ends_with(&self, exchanges: &Exchanges) -> Option<Error> {
        if let Some(tunnel) = self.tunnel() {
            let tunnel = exchanges.get(tunnel).filter(|_| self.writer.outbox.is_empty())?;
            let is_over = tunnel.sending.is_finished() && tunnel.has_ended();
            return is_over.then_some(Error::Closed(CloseReason::Switched));
        }
        (self.outstanding.is_empty() && self.is_used_up()).then_some(Error::Closed(CloseReason::PeerOption))
    }

    fn is_used_up(&self) -> bool {
        self.persistence.peer_requests_left == Some(0)
    }

    /// A request waits for its turn: the peer may have said something since the last look (RFC 9112 §9.2).
    pub fn request_waits(&mut self) {
        if self.outstanding.is_empty() {
            self.look.again();
        }
    }

    /// Whether a queued request waits only for the transport to be read from until nothing comes.
    pub fn wants_look(&self, queued: usize) -> bool {
        self.outstanding.is_empty() && queued > 0 && self.look != Look::Done
    }

    fn may_write(&self, settings: &Settings) -> bool {
        self.writer.is_idle() && self.send_room(settings) > 0 && self.reader.end == TransportEnd::No && !self.is_used_up()
    }

    /// Whether a request can be written now.
    pub fn may_begin(&self, exchange: &Exchange, scene: Scene<'_>) -> bool {
        let its_turn = if self.outstanding.is_empty() {
            self.look == Look::Done && self.reader.inbox.is_empty()
        } else {
            exchange.sending.pipelines && self.may_pipeline(scene)
        };
        its_turn && self.may_write(scene.settings)
    }

    /// Whether the next idempotent request without streamed content could be written, if nothing has come unasked.
    pub fn is_ready(&self, scene: Scene<'_>) -> bool {
        self.may_write(scene.settings)
            && self.reader.inbox.is_empty()
            && (self.outstanding.is_empty() || self.may_pipeline(scene))
    }

    /// May a request be written behind those that are outstanding? One that may not be pipelined is always alone there, so that the last
    /// one speaks for all.
    fn may_pipeline(&self, scene: Scene<'_>) -> bool {
        self.persistence.known == PersistenceLearnt::Pipelining
            && !self.persistence.is_near_end()
            && self.outstanding.len() < scene.settings.pipeline_depth_max
            && self.last(scene).is_some_and(|last| {
                let sending = &last.sending;
                sending.pipelines && (!sending.holds_pipeline || last.receiving.head.is_some())
            })
    }

    /// Whether one more request that may be pipelined can leave with or behind those that there are; `last`: the last one that is queued.
    pub fn takes_beside(&self, last: Option<&Exchange>, scene: Scene<'_>) -> bool {
        match last {
            None => !self.outstanding.is_empty() && self.is_ready(scene),
            Some(last) => self.gathers(last, scene),
        }
    }

    /// Whether one more request that may be pipelined can leave together with those that wait for the look; `last` is the last of them.
    fn gathers(&self, last: &Exchange, scene: Scene<'_>) -> bool {
        let sending = &last.sending;
        sending.pipelines
            && !sending.holds_pipeline
            && !asks(sending.reuse, Reuse::FORBID)
            && scene.queued < scene.settings.pipeline_depth_max
            && self.wants_look(scene.queued)
            && self.persistence.peer_requests_left.is_none()
            && self.persistence.known == PersistenceLearnt::Pipelining
    }

    /// Writes the head of a request.
    pub fn begin(&mut self, id: ExchangeId, exchange: &Exchange, authority: &str, settings: &Settings, now: Instant) -> Begun {
        let checked = exchange.sending.checked;
        if checked.content == ContentKind::UnknownLength && self.persistence.version == Some(HttpVersion::Http10) {
            return Begun::Refused(Error::PeerIncompatible(Incompatibility::Http10Peer));
        }
        let close = self.closes_with(exchange, settings);
        let Ok((start, head_end)) = self.writer.begin(id, exchange, authority, close) else {
            return Begun::Refused(Error::Internal);
        };
        self.persistence.begin_request();
        let is_behind = !self.outstanding.is_empty();
        if !is_behind {
            let asked = self.reader.input(ReadInput::Asked);
            self.heed(asked);
            self.turn.pass(now);
            self.turn.progress = now;
        }
        self.outstanding.push_back(Outstanding { exchange: id, start, head_end, end: None, received_before: None, is_behind });
        if !close && !checked.closes {
            return Begun::Written;
        }
        self.persistence.close();
        Begun::Last
    }

    /// Whether a request is the last one of the connection, which the `close` option says (RFC 9112 §9.6).
    fn closes_with(&self, exchange: &Exchange, settings: &Settings) -> bool {
        settings.persistence == Expectation::Close
            || self.persistence.requests + 1 >= settings.limits.requests_max
            || asks(exchange.sending.reuse, Reuse::FORBID)
    }

    /// A copy of the head that was written last.
    pub fn last_head(&self) -> Vec<u8> {
        self.outstanding.back().map(|last| self.writer.outbox.copy(last.start, last.head_end)).unwrap_or_default()
    }

    /// Writes content of the exchange that is being written, or of the tunnel.
    pub fn content(&mut self, content: Vec<u8>) {
        self.writer.content(content);
    }

    /// Writes a copy of the whole content of the exchange that is being written.
    pub fn copy(&mut self, content: &[u8]) {
        self.writer.copy(content);
    }

    /// The request that is being written is complete.
    pub fn finish(&mut self, trailers: &[FieldLine]) {
        let finished = self.writer.finish(trailers);
        self.heed(finished);
        let end = self.writer.outbox.pushed();
        if let Some(last) = self.outstanding.back_mut() {
            last.end = Some(end);
        }
    }

    /// The exchange whose content may be written: the one that is being written, or the tunnel.
    pub fn writing(&self) -> Option<ExchangeId> {
        self.writer.exchange().or(self.tunnel())
    }

    /// The exchange that is being written.
    pub fn writer(&self) -> Option<ExchangeId> {
        self.writer.exchange()
    }

    /// The exchange to which the connection belongs, as a tunnel.
    #[inline]
    pub fn tunnel(&self) -> Option<ExchangeId> {
        let first = self.outstanding.front().filter(|_| self.reader.framing == Framing::Tunnel);
        first.map(|first| first.exchange)
    }

    /// Whether all requests have been written, and none of them makes the connection a tunnel.
    pub fn may_half_close(&self, scene: Scene<'_>) -> bool {
        self.writer.exchange().is_none() && !self.last(scene).is_some_and(|last| last.sending.may_switch())
    }

    /// The next octets for the transport.
    pub fn to_transmit(&self) -> &[u8] {
        self.writer.outbox.front()
    }

    /// The transport took octets.
    pub fn transmitted(&mut self, octets: usize, now: Instant) {
        self.writer.outbox.consume(octets);
        self.turn.left = now;
    }

    /// How far the sending of the requests has come since this was last asked.
    #[inline]
    pub fn next_departure(&mut self, now: Instant) -> Option<Departure> {
        if self.departed == self.outstanding.len() { None } else { self.depart(now) }
    }

    fn depart(&mut self, now: Instant) -> Option<Departure> {
        let taken = self.writer.outbox.taken();
        let leaving = self.outstanding.get_mut(self.departed).filter(|leaving| leaving.start < taken)?;
        let exchange = leaving.exchange;
        let has_begun = leaving.received_before.is_some();
        leaving.received_before.get_or_insert(self.reader.received);
        let Some(end) = leaving.end.filter(|end| *end <= taken) else {
            return (!has_begun).then_some(Departure { exchange, sent: None, is_over: false });
        };
        let sent = Some(end.saturating_sub(leaving.start));
        self.departed += 1;
        let is_over = self.reader.state() == ReadSide::Answered;
        if is_over {
            self.end_first(now);
        }
        Some(Departure { exchange, sent, is_over })
    }

    /// How far an exchange is on the wire; of one that is not there, nothing.
    pub fn progress(&self, id: ExchangeId) -> Option<Progress> {
        let position = self.outstanding.iter().position(|outstanding| outstanding.exchange == id)?;
        self.progress_at(position)
    }

    /// Since when an exchange is the first outstanding one; `None`: it is not.
    pub fn turn(&self, id: ExchangeId) -> Option<Instant> {
        self.outstanding.front().filter(|first| first.exchange == id).map(|_| self.turn.began)
    }

    pub(super) fn progress_at(&self, position: usize) -> Option<Progress> {
        let outstanding = self.outstanding.get(position)?;
        let end = outstanding.end.unwrap_or(u64::MAX);
        Some(Progress {
            octets_sent: self.writer.outbox.taken().min(end).saturating_sub(outstanding.start),
            in_trailers: self.reader.state() == ReadSide::Trailers,
        })
    }

    /// Why the rest of the request of an exchange is not written.
    pub fn stopped_by(&self, exchange: &Exchange) -> Error {
        match self.writer.failed {
            // The server may have refused nothing: its transport takes no more.
            Some(ending) if !self.refuses_rest(exchange) => Error::Incomplete(ending),
            _ => Error::Closed(CloseReason::EarlyResponse),
        }
    }

    /// Whether a final response, or the lack of one, makes the rest of its request unwanted.
    pub(super) fn refuses_rest(&self, exchange: &Exchange) -> bool {
        self.persistence.refuses_rest(exchange.receiving.head.as_ref().map(|head| head.status))
    }

    // Responses in.

    /// How many octets to read from the transport now; 0: none.
    pub fn wants_octets(&self, scene: Scene<'_>) -> usize {
        match self.reader.state() {
            ReadSide::Ended => 0,
            _ if self.reader.end != TransportEnd::No || self.is_paused(scene) => 0,
            ReadSide::Idle | ReadSide::Answered => READ_OCTETS_SHORT,
            ReadSide::Head if self.outstanding.len() <= 1 => READ_OCTETS_SHORT,
            _ => READ_OCTETS_MAX,
        }
    }

    /// How much content of the first outstanding exchange may be taken in before the caller reads some; all of it for a caller that takes it
    /// whole.
    pub(super) fn room_for_content(first: Option<&Exchange>, scene: Scene<'_>) -> usize {
        match first.map(|first| first.handle.reader) {
            Some(Whose::Caller) => scene.settings.limits.receive_buffer_octets_max.saturating_sub(scene.unread),
            _ => usize::MAX,
        }
    }

    /// Whether reading has stopped until the caller reads content.
    pub(super) fn is_paused(&self, scene: Scene<'_>) -> bool {
        matches!(self.reader.state(), ReadSide::Content | ReadSide::Tunnel)
            && Connection::room_for_content(self.first(scene), scene) == 0
    }

    /// The exchange whose content nobody reads, so that reading has stopped.
    pub fn paused_by(&self, scene: Scene<'_>) -> Option<ExchangeId> {
        self.outstanding.front().filter(|_| self.is_paused(scene)).map(|first| first.exchange)
    }

    /// The caller has read: the time that it took is not the peer's.
    pub fn resume(&mut self, now: Instant) {
        self.turn.progress = now;
    }

    /// Both halves of the first outstanding exchange are over.
    pub(super) fn end_first(&mut self, now: Instant) {
        self.outstanding.pop_front();
        self.departed = self.departed.saturating_sub(1);
        self.persistence.end_exchange();
        self.reader.allow_empty_lines();
        self.turn.pass(now);
        let input = if self.outstanding.is_empty() { ReadInput::Last } else { ReadInput::Next };
        let step = self.reader.input(input);
        self.heed(step);
        if self.outstanding.is_empty() {
            self.look.again();
        }
    }

    /// Whether nothing of the request of the first outstanding exchange is to come.
    pub(super) fn is_stopped(exchange: &Exchange) -> bool {
        exchange.sending.half == RequestHalf::Stopped
    }
}

//! Octets out: which request is written next, and as what (RFC 9112 §3, §6, §9.3.2).

use super::deadlines::TimerOrder;
use super::{ClientConn, ExchangeId};
use crate::buffer::COALESCE_OCTETS_MAX;
use crate::exchange::{RequestInput, asks};
use crate::h1::encode::{self, PlannedContent};
use crate::h1::state::{ReadInput, ReadSide, WriteInput, WriteSide};
use crate::timer::Instant;
use crate::types::{
    CloseReason, ConnState, Ending, Error, FieldLine, HttpVersion, Incompatibility, LogEvent, Persistence, PersistenceLearnt,
    RequestContent, Reuse,
};
use alloc::vec::Vec;

impl ClientConn {
    /// The next octets for the transport, as many as can leave in one write; empty when there are none.
    pub fn to_transmit(&self) -> &[u8] {
        if self.established { self.outbox.front() } else { &[] }
    }

    /// The transport took `octets` of [`to_transmit`](Self::to_transmit).
    pub fn transmitted(&mut self, octets: usize, now: Instant) {
        if octets == 0 {
            return;
        }
        self.outbox.consume(octets);
        self.left = now;
        self.log.add(now, None, || LogEvent::Wrote(octets as u64));
        self.note_departures(now);
        let tunnel = self.outstanding.front().copied().filter(|_| self.is_tunnel());
        if let Some(id) = self.writer.or(tunnel) {
            self.mark(id);
        }
        self.settle_tunnel(now);
        self.dispatch(now);
    }

    /// The transport takes no more octets. What it still delivers is read: the peer may have said why.
    pub fn transmit_failed(&mut self, ending: Ending, now: Instant) {
        let error = Error::Incomplete(ending);
        self.write_failed = Some(ending);
        self.stop_accepting(error, now);
        self.fail_unsent(error, now);
        if let Some(last) = self.outstanding.back().and_then(|id| self.exchanges.get_mut(*id))
            && last.wire_end.is_none_or(|end| end > self.outbox.taken())
        {
            last.request_input(RequestInput::Stop);
        }
        self.shut_write();
        self.fail_queued(error, now);
        // A response that is complete says nothing more.
        if self.outstanding.is_empty() || self.read == ReadSide::Answered {
            self.end(error, now);
        }
    }

    /// Writes every queued request whose turn has come.
    pub(super) fn dispatch(&mut self, now: Instant) {
        while let Some(id) = self.next_to_write() {
            self.queue.remove(id, &mut self.exchanges);
            self.begin_request(id, now);
        }
    }

    fn next_to_write(&self) -> Option<ExchangeId> {
        let id = self.queue.front()?;
        let exchange = self.exchanges.get(id)?;
        let may_write = self.established
            && self.state != ConnState::Closed
            && self.write == WriteSide::Idle
            && self.has_room()
            && self.ending.is_none()
            && self.peer_requests_left != Some(0);
        let its_turn = match self.outstanding.is_empty() {
            true => self.looked && self.inbox.is_empty(),
            false => exchange.pipelines && self.may_pipeline(),
        };
        (may_write && its_turn).then_some(id)
    }

    /// May a request be written behind those that are outstanding? One that may not be pipelined is always alone there, so that the last
    /// one speaks for all.
    pub(super) fn may_pipeline(&self) -> bool {
        let last = self.outstanding.back().and_then(|id| self.exchanges.get(*id));
        self.known == PersistenceLearnt::Pipelining
            && !self.is_near_end()
            && self.outstanding.len() < self.settings.pipeline_depth_max
            && last.is_some_and(|last| last.pipelines && (!last.holds_pipeline || last.head.is_some()))
    }

    /// Whether the server may end the connection with the next response, as it did before: what stood behind that would be sent again. One that
    /// has carried twice as many requests is not near any more.
    fn is_near_end(&self) -> bool {
        self.ends_after.is_some_and(|requests| (requests..2 * requests).contains(&self.requests))
    }

    fn begin_request(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        self.deadlines.clear(id, TimerOrder::Queue, exchange.started.after(exchange.deadlines.queue));
        if exchange.plan.content == PlannedContent::Chunked && self.version == Some(HttpVersion::Http10) {
            return self.fail_exchange(id, Error::PeerIncompatible(Incompatibility::Http10Peer), now);
        }
        let last = self.requests + 1 >= self.settings.limits.requests_max;
        let close = self.settings.persistence == Persistence::Close || last || asks(exchange.reuse, Reuse::FORBID);
        let Some(request) = &exchange.request else { return self.fail_exchange(id, Error::Internal, now) };
        exchange.wire_start = Some(self.outbox.pushed());
        self.outbox.append(|out| encode::head(request, &exchange.plan, &self.authority, close, out));
        exchange.wire_head_end = self.outbox.pushed();
        let octets = (exchange.wire_start.unwrap_or_default(), exchange.wire_head_end);
        self.log.add(now, Some(exchange.token), || LogEvent::RequestHead(self.outbox.copy(octets.0, octets.1)));
        let closes = close || exchange.plan.closes;
        let waits = exchange.plan.expects;
        exchange.request_input(if waits { RequestInput::HeadOnly } else { RequestInput::Head });
        self.become_outstanding(id, now);
        if closes {
            self.stop_accepting(Error::Closed(CloseReason::LocalOption), now);
            self.learn_closing(now);
            self.fail_queued(Error::Closed(CloseReason::LocalOption), now);
        }
        if waits {
            self.await_continue(id, now);
        } else {
            self.write_content(id, now);
        }
    }

    fn become_outstanding(&mut self, id: ExchangeId, now: Instant) {
        self.requests += 1;
        self.peer_requests_left = self.peer_requests_left.map(|left| left.saturating_sub(1));
        self.write_input(WriteInput::Begin);
        self.writer = Some(id);
        match self.outstanding.is_empty() {
            true => {
                self.read_input(ReadInput::Asked);
                self.turn_began = now;
                self.progress = now;
            }
            false => {
                if let Some(exchange) = self.exchanges.get_mut(id) {
                    exchange.is_behind = true;
                }
            }
        }
        self.outstanding.push_back(id);
    }

    fn await_continue(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.continue_since = Some(now);
        self.deadlines.set(id, TimerOrder::AwaitContinue, now.after(exchange.deadlines.await_continue));
    }

    /// `100 (Continue)` came, or the wait for it is over: the content follows.
    pub(super) fn proceed(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if let Some(since) = exchange.continue_since.take() {
            self.deadlines.clear(id, TimerOrder::AwaitContinue, since.after(exchange.deadlines.await_continue));
        }
        if exchange.request_input(RequestInput::Continue) {
            self.write_content(id, now);
        }
    }

    /// Writes the content, or waits for the caller to write it.
    fn write_content(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        match exchange.plan.content {
            PlannedContent::None => self.end_request(id, now),
            PlannedContent::Whole => {
                self.release_queued(id);
                self.write_whole(id, now);
                self.end_request(id, now);
            }
            PlannedContent::Length(_) | PlannedContent::Chunked => {
                self.mark(id);
                self.end_streamed(id, now);
            }
        }
    }

    /// Writes the content that is in the request. A short one stays in it too, where it may have to be written again.
    fn write_whole(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        let token = exchange.token;
        let Some(RequestContent::Whole(content)) = exchange.request.as_mut().map(|request| &mut request.content) else { return };
        let octets = content.len();
        if self.pooled && exchange.plan.idempotent && octets <= COALESCE_OCTETS_MAX {
            self.outbox.append(|out| out.extend_from_slice(content));
        } else {
            self.outbox.push(core::mem::take(content));
        }
        self.log.add(now, Some(token), || LogEvent::RequestContent(octets as u64));
    }

    /// Ends a streamed request if nothing of it is to come.
    pub(super) fn end_streamed(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        match (exchange.to_write, exchange.finished_early.take()) {
            (Some(0), _) => self.end_request(id, now),
            (None, Some(trailers)) => self.end_chunked(id, &trailers, now),
            _ => {}
        }
    }

    /// Writes the last chunk and the trailers.
    pub(super) fn end_chunked(&mut self, id: ExchangeId, trailers: &[FieldLine], now: Instant) {
        self.outbox.append(|out| encode::last_chunk(trailers, out));
        self.end_request(id, now);
    }

    /// Gives content that the caller writes to the send buffer.
    pub(super) fn write_piece(&mut self, id: ExchangeId, content: Vec<u8>, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.request_input(RequestInput::Content);
        let octets = content.len() as u64;
        self.log.add(now, Some(exchange.token), || LogEvent::RequestContent(octets));
        match &mut exchange.to_write {
            Some(left) => {
                *left = left.saturating_sub(octets);
                self.outbox.push(content);
                self.end_streamed(id, now);
            }
            // Copied, so that a chunk leaves in one write with its framing.
            None => self.outbox.append(|out| {
                encode::chunk_head(octets, out);
                out.extend_from_slice(&content);
                encode::chunk_end(out);
            }),
        }
    }

    /// The last octet of the request is in the send buffer.
    fn end_request(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if !exchange.request_input(RequestInput::End) {
            return self.end(Error::Internal, now);
        }
        exchange.wire_end = Some(self.outbox.pushed());
        self.log.add(now, Some(exchange.token), || LogEvent::RequestEnd);
        self.write_input(WriteInput::End);
        self.writer = None;
        // An upload whose last octets had left before its end was known.
        self.note_departures(now);
    }

    /// Notes which requests have left, and when.
    pub(super) fn note_departures(&mut self, now: Instant) {
        let taken = self.outbox.taken();
        while let Some(&id) = self.outstanding.get(self.departed) {
            let Some(exchange) = self.exchanges.get_mut(id) else { break };
            let begun = exchange.wire_start.is_some_and(|start| start < taken);
            if begun && exchange.timing.request_started.is_none() {
                exchange.timing.request_started = Some(now.since(exchange.started));
                exchange.received_before = self.octets_received;
            }
            if exchange.wire_end.is_none_or(|end| end > taken) {
                break;
            }
            exchange.timing.request_sent = Some(now.since(exchange.started));
            let repeats = self.pooled && exchange.plan.idempotent && exchange.has_whole_request();
            if !exchange.plan.asked.upgrade && !repeats {
                exchange.request = None;
            }
            self.departed += 1;
        }
        if self.read == ReadSide::Answered && self.departed > 0 {
            self.end_exchange(now);
            self.process(now);
        }
    }

    /// Nothing more is written, and what waits is forgotten.
    pub(super) fn shut_write(&mut self) {
        self.write_input(WriteInput::Shut);
        self.writer = None;
        self.outbox.clear();
    }

    /// Nothing more is written but the rest of the first outstanding request.
    pub(super) fn shut_write_behind_front(&mut self) {
        let front = self.outstanding.front().copied();
        match front
            .and_then(|id| self.exchanges.get(id))
            .filter(|exchange| exchange.is_leaving())
            .map(|exchange| exchange.wire_end)
        {
            None => self.shut_write(),
            Some(Some(end)) => {
                self.outbox.remove(end, self.outbox.pushed());
                self.write_input(WriteInput::Shut);
                self.writer = None;
            }
            // It is being written, and nothing stands behind it.
            Some(None) => {}
        }
    }

    pub(super) fn write_input(&mut self, input: WriteInput) {
        self.write = self.write.next(input).unwrap_or(self.write);
    }

    pub(super) fn read_input(&mut self, input: ReadInput) {
        self.read = self.read.next(input).unwrap_or(self.read);
    }
}

//! How exchanges and the connection end, and with which delivery (RFC 9112 §9.3.1, §9.6).

use super::deadlines::TimerOrder;
use super::pooled::strike;
use super::{ClientConn, ExchangeId};
use crate::exchange::{Exchange, Reader, RequestInput, ResponseHalf, ResponseInput};
use crate::failure::{is_local, of_all_attempts};
use crate::h1::encode::PlannedContent;
use crate::h1::parse::Fault;
use crate::h1::state::{ReadInput, ReadSide, WriteInput};
use crate::timer::Instant;
use crate::types::{
    CloseReason, ConnState, Delivery, Error, Failure, FieldLine, LogEvent, PersistenceLearnt, Phase, RequestContent,
};
use alloc::vec::Vec;

impl ClientConn {
    /// Accepts no more requests. The first reason stays.
    pub(super) fn stop_accepting(&mut self, reason: Error, now: Instant) {
        if matches!(self.state, ConnState::Closing | ConnState::Closed) {
            return;
        }
        self.state = ConnState::Closing;
        self.ended_by = Some(reason);
        self.changed = true;
        self.log.add(now, None, || LogEvent::Closing(reason));
    }

    /// It is known that the connection closes.
    pub(super) fn learn_closing(&mut self, now: Instant) {
        if self.known != PersistenceLearnt::Closing {
            self.known = PersistenceLearnt::Closing;
            self.log.add(now, None, || LogEvent::Learnt(PersistenceLearnt::Closing));
        }
    }

    /// Closes the connection if it accepts no more requests and all have been answered.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.state == ConnState::Closing && self.queue.is_empty() && self.outstanding.is_empty() {
            self.end(self.ended_by.unwrap_or(Error::Internal), now);
        } else if self.outstanding.is_empty() && self.peer_requests_left == Some(0) {
            self.end(Error::Closed(CloseReason::PeerOption), now);
        }
    }

    /// The transport could not be established, or the connection has failed: everything ends now.
    pub fn end(&mut self, error: Error, now: Instant) {
        if self.state == ConnState::Closed {
            return;
        }
        self.stop_accepting(error, now);
        // What was asked for first is the reason of the connection; what is happening now is the reason of its exchanges.
        self.fail_outstanding(0, error, None, now);
        self.fail_queued(error, now);
        self.state = ConnState::Closed;
        self.read_input(ReadInput::End);
        self.shut_write();
        self.inbox.consume(usize::MAX);
        self.changed = true;
        let reason = self.ended_by.unwrap_or(error);
        self.log.add(now, None, || LogEvent::Closed(reason));
    }

    /// The peer's octets were wrong: `fault.at` tells which one showed it.
    pub(super) fn end_at(&mut self, fault: Fault, now: Instant) {
        // Failures tell the position of the octet that showed the error.
        let received = self.octets_received;
        self.octets_received = received.saturating_sub(self.inbox.len().saturating_sub(fault.at) as u64);
        self.fail_outstanding(0, fault.error, None, now);
        self.fail_queued(fault.error, now);
        self.octets_received = received;
        self.end(fault.error, now);
    }

    /// The peer has ended its direction of the tunnel; the caller may still write.
    pub(super) fn end_tunnel_input(&mut self, now: Instant) {
        self.read_input(ReadInput::End);
        let Some(&id) = self.outstanding.front() else { return self.end(Error::Internal, now) };
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.timing.response_ended = Some(now.since(exchange.started));
        exchange.response_input(ResponseInput::End);
        self.mark(id);
        self.settle_tunnel(now);
    }

    /// Closes a tunnel that both sides have ended.
    pub(super) fn settle_tunnel(&mut self, now: Instant) {
        let Some(exchange) = self.outstanding.front().and_then(|id| self.exchanges.get(*id)) else { return };
        if self.is_tunnel() && exchange.finished && exchange.has_ended() && self.outbox.is_empty() {
            self.outstanding.clear();
            self.end(Error::Closed(CloseReason::Switched), now);
        }
    }

    /// The exchange has its whole response.
    pub(super) fn complete_response(&mut self, id: ExchangeId, trailers: Vec<FieldLine>, now: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id).filter(|exchange| exchange.reader != Reader::Nobody) else { return };
        exchange.response_input(ResponseInput::End);
        exchange.timing.response_ended = Some(now.since(exchange.started));
        self.log.add(now, Some(exchange.token), || LogEvent::End(trailers.clone()));
        exchange.trailers = trailers;
        self.mark(id);
    }

    /// The exchange has its whole response, and its request has left or is not wanted.
    pub(super) fn finish_exchange(&mut self, id: ExchangeId) {
        self.clear_deadlines(id);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if exchange.reader == Reader::Nobody {
            if exchange.forgotten {
                self.exchanges.remove(id);
            }
            return;
        }
        exchange.request = None;
        if matches!(exchange.reader, Reader::Completion(_)) {
            self.completed.push_back(id);
        }
        self.mark(id);
    }

    /// Fails the outstanding exchanges behind the one at the front, whose response is the last one; `declared`: the peer's word on those
    /// that were sent.
    pub(super) fn fail_behind_front(&mut self, error: Error, declared: Option<Delivery>, now: Instant) {
        self.fail_outstanding(1, error, declared, now);
    }

    /// Fails the outstanding exchanges of which no octet has left.
    pub(super) fn fail_unsent(&mut self, error: Error, now: Instant) {
        let taken = self.outbox.taken();
        let unsent = |id: &ExchangeId| self.exchanges.get(*id).is_some_and(|e| e.wire_start.is_none_or(|start| start >= taken));
        if let Some(first) = self.outstanding.iter().position(unsent) {
            self.fail_outstanding(first, error, None, now);
        }
    }

    /// Fails outstanding exchanges from the one at `first` on; `declared`: the peer's word on those that were sent.
    fn fail_outstanding(&mut self, first: usize, error: Error, declared: Option<Delivery>, now: Instant) {
        self.note_break(error, declared.is_some());
        let failing: Vec<ExchangeId> = self.outstanding.iter().skip(first).copied().collect();
        for (id, position) in failing.iter().zip(first..) {
            let known = self.delivery(*id);
            let delivery = match declared {
                Some(declared) if known != Delivery::NotSent => declared,
                _ => known,
            };
            match self.recovery(*id, position, error, delivery) {
                Some(recovery) => self.set_aside(*id, recovery, error, delivery),
                None => self.fail_with(*id, error, delivery, now),
            }
        }
        self.outstanding.truncate(first);
        self.departed = self.departed.min(first);
        for id in failing {
            self.drop_if_forgotten(id);
        }
    }

    /// Fails every queued exchange, or sets it aside for the pool.
    pub(super) fn fail_queued(&mut self, error: Error, now: Instant) {
        while let Some(id) = self.queue.pop_front(&mut self.exchanges) {
            match self.pooled && self.may_move(id, error) {
                true => self.unsent.push_back(id),
                false => self.fail_exchange(id, error, now),
            }
        }
    }

    /// Fails an exchange that is in neither list any more, or stays in its list to be drained.
    pub(super) fn fail_exchange(&mut self, id: ExchangeId, error: Error, now: Instant) {
        let delivery = self.delivery(id);
        self.fail_with(id, error, delivery, now);
        self.drop_if_forgotten(id);
    }

    /// Forgets an exchange that nobody can ask for any more, unless the wire still has to do with it.
    pub(super) fn drop_if_forgotten(&mut self, id: ExchangeId) {
        let listed = self.outstanding.contains(&id);
        if !listed && self.exchanges.get(id).is_some_and(|exchange| exchange.forgotten) {
            self.exchanges.remove(id);
        }
    }

    fn fail_with(&mut self, id: ExchangeId, error: Error, delivery: Delivery, now: Instant) {
        self.clear_deadlines(id);
        self.release_queued(id);
        let furthest = self.exchanges.get(id).and_then(|exchange| exchange.furthest);
        let failure = of_all_attempts(furthest, self.failure(id, error, delivery));
        let delivery = failure.delivery;
        if delivery == Delivery::NotSent {
            self.recover_request(id);
        }
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if !exchange.response_input(ResponseInput::Fail) {
            return;
        }
        if exchange.reader != Reader::Caller {
            exchange.content.clear();
        }
        exchange.request_input(RequestInput::Stop);
        exchange.failure = Some(failure);
        if delivery != Delivery::NotSent || exchange.is_streamed() {
            exchange.request = None;
        }
        self.log.add(now, Some(exchange.token), || LogEvent::Failed(failure));
        if matches!(exchange.reader, Reader::Completion(_)) && !exchange.forgotten {
            self.completed.push_back(id);
        }
        self.changed = true;
        self.mark(id);
    }

    /// Puts the content of a request that has not left back into it.
    pub(super) fn recover_request(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        let (Some(end), PlannedContent::Whole) = (exchange.wire_end, exchange.plan.content) else { return };
        let content = self.outbox.copy(exchange.wire_head_end, end);
        if content.len() as u64 != end.saturating_sub(exchange.wire_head_end) {
            exchange.request = None;
        } else if let Some(request) = &mut exchange.request {
            request.content = RequestContent::Whole(content);
        }
    }

    /// The content of a request no longer waits for its turn.
    pub(super) fn release_queued(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            self.queued_octets = self.queued_octets.saturating_sub(core::mem::take(&mut exchange.queued_octets));
        }
    }

    pub(super) fn clear_deadlines(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (started, spans) = (exchange.started, exchange.deadlines);
        self.deadlines.clear(id, TimerOrder::Queue, started.after(spans.queue));
        self.deadlines.clear(id, TimerOrder::Total, started.after(spans.total));
        if let Some(since) = exchange.continue_since {
            self.deadlines.clear(id, TimerOrder::AwaitContinue, since.after(spans.await_continue));
        }
    }

    /// What is known about whether the server can have acted on the request.
    fn delivery(&self, id: ExchangeId) -> Delivery {
        let Some(exchange) = self.exchanges.get(id) else { return Delivery::NotSent };
        let sent = exchange.wire_start.is_some_and(|start| start < self.outbox.taken());
        let first = self.outstanding.front() == Some(&id);
        if !sent {
            Delivery::NotSent
        } else if first && exchange.timing.response_started.is_some() {
            Delivery::ResponseStarted
        } else {
            Delivery::Unanswered
        }
    }

    fn phase(&self, id: ExchangeId) -> Phase {
        let Some(exchange) = self.exchanges.get(id) else { return Phase::Ended };
        let first = self.outstanding.front() == Some(&id);
        match exchange.receiving {
            ResponseHalf::Done if exchange.is_leaving() => Phase::SendingRequest,
            ResponseHalf::Done | ResponseHalf::Failed => Phase::Ended,
            ResponseHalf::Tunnel => Phase::Tunnel,
            ResponseHalf::Content if self.read == ReadSide::Trailers => Phase::ReceivingTrailers,
            ResponseHalf::Content => Phase::ReceivingContent,
            ResponseHalf::Head if exchange.wire_start.is_none() && !self.established && !self.is_line() => Phase::Connecting,
            ResponseHalf::Head if exchange.wire_start.is_none() => Phase::Queued,
            ResponseHalf::Head if first && exchange.timing.response_started.is_some() => Phase::ReceivingHead,
            ResponseHalf::Head if exchange.wire_end.is_none_or(|end| end > self.outbox.taken()) => Phase::SendingRequest,
            ResponseHalf::Head => Phase::AwaitingResponse,
        }
    }

    /// The failure that `error` is for an exchange as it stands now.
    pub(super) fn failure(&self, id: ExchangeId, error: Error, delivery: Delivery) -> Failure {
        let exchange = self.exchanges.get(id);
        let start = exchange.and_then(|exchange| exchange.wire_start).unwrap_or(u64::MAX);
        let end = exchange.and_then(|exchange| exchange.wire_end).unwrap_or(u64::MAX);
        Failure {
            error,
            delivery,
            phase: if self.is_line() && !is_local(&error) { Phase::Connecting } else { self.phase(id) },
            octets_sent: self.outbox.taken().min(end).saturating_sub(start),
            octets_received: self.octets_received,
            connection: if self.is_line() { self.failed_for } else { self.id },
        }
    }

    /// Ends one exchange before its time: cancelled, too late, or too large. The others live where the wire allows it.
    pub(super) fn give_up(&mut self, id: ExchangeId, error: Error, now: Instant) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        if exchange.has_ended() && !self.is_tunnel() {
            return;
        }
        let Some(start) = exchange.wire_start else {
            self.unlist(id);
            self.fail_exchange(id, error, now);
            self.changed = true;
            return self.settle_after(now);
        };
        if self.is_tunnel() {
            self.end(error, now);
        } else if start >= self.outbox.taken() {
            self.take_back(id, start, error, now);
        } else if exchange.wire_end.is_none() {
            self.abandon(id, error, now);
        } else {
            self.drain(id, error, now);
        }
    }

    /// No octet of the request has left: it is taken out of the send buffer, and what stands behind it moves up.
    fn take_back(&mut self, id: ExchangeId, start: u64, error: Error, now: Instant) {
        self.fail_with(id, error, Delivery::NotSent, now);
        let end = self.exchanges.get(id).and_then(|exchange| exchange.wire_end);
        let octets = end.unwrap_or(self.outbox.pushed()).saturating_sub(start);
        self.outbox.remove(start, start + octets);
        for other in &self.outstanding {
            let Some(other) = self.exchanges.get_mut(*other) else { continue };
            if other.wire_start.is_some_and(|position| position > start) {
                other.wire_start = other.wire_start.map(|position| position - octets);
                other.wire_head_end -= octets;
                other.wire_end = other.wire_end.map(|position| position - octets);
            }
        }
        if self.writer == Some(id) {
            self.writer = None;
            self.write_input(WriteInput::End);
        }
        strike(&mut self.outstanding, id);
        if self.outstanding.is_empty() {
            // It may have been written behind others, without a look.
            self.looked = false;
            self.read_input(ReadInput::Last);
            self.idle_since = now;
        }
        self.drop_if_forgotten(id);
        self.changed = true;
        self.settle_after(now);
    }

    /// The request has left in part: nothing can follow it on this connection. Those before it may still be answered.
    fn abandon(&mut self, id: ExchangeId, error: Error, now: Instant) {
        let delivery = self.delivery(id);
        self.fail_with(id, error, delivery, now);
        strike(&mut self.outstanding, id);
        self.departed = self.departed.min(self.outstanding.len());
        self.drop_if_forgotten(id);
        let reason = Error::Closed(CloseReason::Abandoned);
        self.stop_accepting(reason, now);
        self.learn_closing(now);
        self.shut_write();
        self.fail_queued(reason, now);
        self.settle(now);
    }

    /// The request has left: its response is read and thrown away, within bounds.
    fn drain(&mut self, id: ExchangeId, error: Error, now: Instant) {
        self.fail_exchange(id, error, now);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if error == Error::Closed(CloseReason::Cancelled) && exchange.reader == Reader::Caller {
            self.unread = self.unread.saturating_sub(exchange.content.len());
            exchange.content.clear();
        }
        exchange.reader = Reader::Nobody;
        exchange.nobody_since = now;
        self.progress = now;
        self.settle_after(now);
    }

    /// What was held back by the exchange that is gone may go on.
    fn settle_after(&mut self, now: Instant) {
        self.settle(now);
        self.dispatch(now);
    }

    /// Whether the connection belongs to one exchange, as a tunnel.
    pub(super) fn is_tunnel(&self) -> bool {
        self.outstanding.front().and_then(|id| self.exchanges.get(*id)).is_some_and(Exchange::is_tunnel)
    }
}

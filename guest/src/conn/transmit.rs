//! Octets out: which request is written next, and how far.

use super::deadlines::TimerOrder;
use super::{ClientConn, ExchangeId};
use crate::buffer::COALESCE_OCTETS_MAX;
use crate::exchange::RequestInput;
use crate::incoming::{Begun, Cut};
use crate::request::ContentKind;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Ending, Error, FieldLine, LogEvent, RequestContent};
use alloc::vec::Vec;

impl ClientConn {
    /// The next octets for the transport, as many as can leave in one write; empty when there are none.
    pub fn to_transmit(&self) -> &[u8] {
        self.protocol.to_transmit()
    }

    /// The transport took `octets` of [`to_transmit`](Self::to_transmit).
    pub fn transmitted(&mut self, octets: usize, now: Instant) {
        if octets == 0 {
            return;
        }
        self.protocol.transmitted(octets, now);
        self.book.log.add(now, None, || LogEvent::Wrote(octets as u64));
        if let Some(id) = self.protocol.writing() {
            self.book.mark(id);
        }
        self.settle(now);
    }

    /// The transport takes no more octets. What it still delivers is read: the peer may have said why.
    pub fn transmit_failed(&mut self, ending: Ending, now: Instant) {
        let Cut { closing, exchange, is_over } = self.protocol.transmit_failed(ending, &self.book.exchanges);
        let error = closing.reason;
        if let Some(cut) = exchange {
            self.book.request_input(cut, RequestInput::Stop);
        }
        self.apply_closing(closing, self.protocol.counts().octets_received, now);
        if is_over {
            self.end(error, now);
        }
        self.settle(now);
    }

    /// Writes the next queued request, if its turn has come. Returns whether it had.
    pub(super) fn begin_next(&mut self, now: Instant) -> bool {
        let Some(id) = self.book.queue.front() else { return false };
        let scene = self.book.scene(&self.settings, now);
        if !self.book.exchanges.get(id).is_some_and(|exchange| self.protocol.may_begin(exchange, scene)) {
            return false;
        }
        self.book.queue.remove(id, &mut self.book.exchanges);
        self.begin_request(id, now);
        true
    }

    fn begin_request(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        self.book.deadlines.clear(id, TimerOrder::Queue, exchange.started.after(exchange.deadlines.queue));
        let begun = self.protocol.begin(id, exchange, &self.authority, &self.settings, now);
        if let Begun::Refused(error) = begun {
            return self.refuse(id, error, now);
        }
        self.book.log.add(now, Some(exchange.token), || LogEvent::RequestHead(self.protocol.last_head()));
        let waits = exchange.sending.checked.expects;
        self.book.request_input(id, if waits { RequestInput::HeadOnly } else { RequestInput::Head });
        if begun == Begun::Last {
            let reason = Error::Closed(CloseReason::LocalOption);
            self.stop_accepting(reason, now);
            self.note_learnt(now);
            self.fail_queued(reason, self.protocol.counts().octets_received, now);
        }
        if waits {
            self.await_continue(id, now);
        } else {
            self.write_content(id, now);
        }
    }

    /// Fails a request whose turn has come in vain: no list has the exchange any more.
    fn refuse(&mut self, id: ExchangeId, error: Error, now: Instant) {
        self.fail_waiting_one(id, error, self.protocol.counts().octets_received, now);
        if error == Error::Internal {
            self.end(error, now);
        }
    }

    fn await_continue(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        exchange.sending.continue_since = Some(now);
        self.book.deadlines.set(id, TimerOrder::AwaitContinue, now.after(exchange.deadlines.await_continue));
    }

    /// Writes the content, or waits for the caller to write it.
    pub(super) fn write_content(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        match exchange.sending.checked.content {
            ContentKind::None => self.end_request(id, &[], now),
            ContentKind::Whole => {
                self.book.release_queued(id);
                self.write_whole(id, now);
                self.end_request(id, &[], now);
            }
            ContentKind::Length(_) | ContentKind::UnknownLength => {
                self.book.mark(id);
                self.end_streamed(id, now);
            }
        }
    }

    /// Writes the content that is in the request. A short one stays in it too, where it may have to be written again.
    fn write_whole(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        let sending = &mut exchange.sending;
        let Some(RequestContent::Whole(content)) = sending.request.as_mut().map(|request| &mut request.content) else { return };
        let octets = content.len();
        if self.moves.pooled && sending.checked.idempotent && octets <= COALESCE_OCTETS_MAX {
            self.protocol.copy(content);
        } else {
            sending.content_moved = octets > 0;
            self.protocol.content(core::mem::take(content));
        }
        self.book.log.add(now, Some(exchange.token), || LogEvent::RequestContent(octets as u64));
    }

    /// Ends a streamed request if nothing of it is to come.
    fn end_streamed(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        match (exchange.sending.to_write, exchange.sending.take_early_trailers()) {
            (Some(0), _) => self.end_request(id, &[], now),
            (None, Some(trailers)) => self.end_request(id, &trailers, now),
            _ => {}
        }
    }

    /// Writes content that the caller has given.
    pub(super) fn write_piece(&mut self, id: ExchangeId, content: Vec<u8>, now: Instant) {
        let octets = content.len() as u64;
        self.book.request_input(id, RequestInput::Content);
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        self.book.log.add(now, Some(exchange.token), || LogEvent::RequestContent(octets));
        self.protocol.content(content);
        if let Some(left) = &mut exchange.sending.to_write {
            *left = left.saturating_sub(octets);
            self.end_streamed(id, now);
        }
    }

    /// The content of the request is complete: the last octets of it are written.
    pub(super) fn end_request(&mut self, id: ExchangeId, trailers: &[FieldLine], now: Instant) {
        self.protocol.finish(trailers);
        self.book.request_input(id, RequestInput::End);
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        self.book.log.add(now, Some(exchange.token), || LogEvent::RequestEnd);
    }

    /// What the transport should do now.
    pub fn transport(&self) -> super::TransportWish {
        match self.state {
            ConnState::Closed => super::TransportWish::Close,
            _ if !self.half_closed && self.wants_half_close() && self.protocol.to_transmit().is_empty() => {
                super::TransportWish::HalfClose
            }
            _ => super::TransportWish::Keep,
        }
    }

    /// The transport has ended the sending direction.
    pub fn half_closed(&mut self) {
        self.half_closed = true;
    }

    /// Whether the sending direction is over: of a tunnel when the caller has finished it; else, where that is asked for, when all requests
    /// of a connection that takes no more have been written.
    fn wants_half_close(&self) -> bool {
        if let Some(tunnel) = self.protocol.tunnel() {
            return self.book.exchanges.get(tunnel).is_some_and(|exchange| exchange.sending.is_finished());
        }
        self.settings.half_close
            && self.state == ConnState::Closing
            && self.book.queue.is_empty()
            && self.protocol.may_half_close(self.scene(Instant(0)))
    }
}

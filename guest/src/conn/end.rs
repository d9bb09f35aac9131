//! How exchanges and the connection end, and with which delivery.

use super::moves::Recovery;
use super::{ClientConn, ExchangeId};
use crate::exchange::{Hold, Reader, RequestHalf};
use crate::failure::Place;
use crate::incoming::{Fault, GivenUp, Lost, Progress};
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Delivery, Error, LogEvent};
use alloc::vec::Vec;

impl ClientConn {
    /// Accepts no more requests. The first reason stays.
    pub(super) fn stop_accepting(&mut self, reason: Error, now: Instant) {
        if matches!(self.state, ConnState::Closing | ConnState::Closed) {
            return;
        }
        self.state = ConnState::Closing;
        self.ended_by = Some(reason);
        self.book.reports.changed = true;
        self.book.log.add(now, None, || LogEvent::Closing(reason));
    }

    /// Logs what the protocol has learnt about persistence.
    pub(super) fn note_learnt(&mut self, now: Instant) {
        let known = self.protocol.learnt().persistence;
        if self.learnt != known {
            self.learnt = known;
            self.book.log.add(now, None, || LogEvent::Learnt(known));
        }
    }

    /// The transport could not be established, or the connection has failed: everything ends now.
    pub fn end(&mut self, error: Error, now: Instant) {
        self.end_with(error, self.protocol.counts().octets_received, now);
    }

    /// The peer's octets were wrong: failures have the position of the octet that showed it.
    pub(super) fn end_at(&mut self, fault: Fault, now: Instant) {
        let at = self.protocol.position() + fault.at as u64;
        self.end_with(fault.error, at.min(self.protocol.counts().octets_received), now);
    }

    /// Ends everything; `at`: how many octets have shown the error.
    fn end_with(&mut self, error: Error, at: u64, now: Instant) {
        if self.state == ConnState::Closed {
            return;
        }
        self.stop_accepting(error, now);
        // The connection keeps its first close reason; its exchanges fail with the current error.
        let lost = self.protocol.close(error, &self.book.exchanges);
        self.fail_lost(lost, error, None, at, now);
        self.fail_queued(error, at, now);
        self.state = ConnState::Closed;
        self.book.reports.changed = true;
        let reason = self.ended_by.unwrap_or(error);
        self.book.log.add(now, None, || LogEvent::Closed(reason));
    }

    /// The exchange has its whole response, and its request has left or is not wanted.
    pub(super) fn finish_exchange(&mut self, id: ExchangeId, now: Instant) {
        self.note_learnt(now);
        self.idle_since = now;
        self.book.reports.changed = true;
        self.book.clear_deadlines(id);
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        if exchange.handle.reader == Reader::Nobody {
            return self.drop_if_forgotten(id);
        }
        exchange.sending.request = None;
        if matches!(exchange.handle.reader, Reader::Completion(_)) {
            self.book.reports.completed.push_back(id);
        }
        self.book.mark(id);
    }

    /// Fails exchanges that are not on the wire any more, or sets them aside for the pool; `declared`: the peer's word on those that were
    /// sent. `at`: how many octets have shown it.
    pub(super) fn fail_lost(&mut self, lost: Vec<Lost>, error: Error, declared: Option<Delivery>, at: u64, now: Instant) {
        let place = self.place(at);
        let ids: Vec<ExchangeId> = lost.iter().map(|lost| lost.exchange).collect();
        for lost in lost {
            match self.book.exchanges.get_mut(lost.exchange) {
                Some(exchange) if lost.is_heard => exchange.begin_response(now),
                Some(exchange) => exchange.timing.response_started = None,
                None => continue,
            }
            let Some(exchange) = self.book.exchanges.get(lost.exchange) else { continue };
            let failure = Place { declared, ..place }.failure(error, exchange, lost.progress);
            match self.recovery(exchange, lost.is_suspect, &failure) {
                Some(Recovery::Move) => {
                    if let Some(exchange) = self.book.exchanges.get_mut(lost.exchange) {
                        exchange.recover_request(lost.content);
                    }
                    self.set_aside(lost.exchange, Recovery::Move, failure);
                }
                Some(recovery) => self.set_aside(lost.exchange, recovery, failure),
                None => self.book.fail(lost.exchange, failure, lost.content, now),
            }
        }
        for id in ids {
            self.drop_if_forgotten(id);
        }
    }

    /// Fails every queued exchange, or sets it aside for the pool.
    pub(super) fn fail_queued(&mut self, error: Error, at: u64, now: Instant) {
        while let Some(id) = self.book.queue.pop_front(&mut self.book.exchanges) {
            match self.moves.pooled && self.may_move(id, error) {
                true => self.moves.unsent.push_back(id),
                false => self.fail_waiting_one(id, error, at, now),
            }
        }
    }

    /// Fails an exchange whose turn has not come, and that is in no list any more.
    pub(super) fn fail_waiting_one(&mut self, id: ExchangeId, error: Error, at: u64, now: Instant) {
        self.fail_with(id, error, Progress::default(), None, at, now);
        self.drop_if_forgotten(id);
    }

    fn fail_with(&mut self, id: ExchangeId, error: Error, progress: Progress, content: Option<Vec<u8>>, at: u64, now: Instant) {
        let Some(exchange) = self.book.exchanges.get(id) else { return };
        let failure = self.place(at).failure(error, exchange, progress);
        self.book.fail(id, failure, content, now);
    }

    /// Forgets an exchange that nobody can ask for any more, unless the wire still has to do with it.
    pub(super) fn drop_if_forgotten(&mut self, id: ExchangeId) {
        let is_forgotten = self.book.exchanges.get(id).is_some_and(|exchange| exchange.handle.hold == Hold::Forgotten);
        if is_forgotten && self.protocol.progress(id).is_none() {
            self.book.exchanges.remove(id);
        }
    }

    /// Ends one exchange before its time: cancelled, too late, or too large. The others live where the wire allows it.
    pub(super) fn give_up(&mut self, id: ExchangeId, error: Error, now: Instant) {
        self.give_up_at(id, error, self.protocol.counts().octets_received, now);
    }

    /// The same; `at`: how many octets have shown the error.
    pub(super) fn give_up_at(&mut self, id: ExchangeId, error: Error, at: u64, now: Instant) {
        let Some(exchange) = self.book.exchanges.get(id) else { return };
        if exchange.has_ended() && !exchange.is_tunnel() {
            return;
        }
        if exchange.sending.half == RequestHalf::Queued {
            self.unlist(id);
            self.book.reports.changed = true;
            return self.fail_waiting_one(id, error, at, now);
        }
        match self.protocol.give_up(id, self.book.scene(&self.settings, now)) {
            GivenUp::EndConnection => self.end(error, now),
            GivenUp::TakenBack(lost) => {
                self.fail_with(id, error, lost.progress, lost.content, at, now);
                self.drop_if_forgotten(id);
                self.idle_since = now;
                self.book.reports.changed = true;
            }
            GivenUp::Abandoned(lost, closing) => {
                self.fail_with(id, error, lost.progress, None, at, now);
                self.drop_if_forgotten(id);
                self.apply_closing(closing, at, now);
            }
            GivenUp::Drained(progress) => self.drain(id, error, progress, at, now),
        }
    }

    /// The request has left: its response is read and thrown away, within bounds.
    fn drain(&mut self, id: ExchangeId, error: Error, progress: Progress, at: u64, now: Instant) {
        self.fail_with(id, error, progress, None, at, now);
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        let handle = &mut exchange.handle;
        if error == Error::Closed(CloseReason::Cancelled) && handle.reader == Reader::Caller {
            self.book.unread = self.book.unread.saturating_sub(exchange.receiving.content.len());
            exchange.receiving.content.clear();
        }
        handle.reader = Reader::Nobody;
        handle.nobody_since = now;
    }
}

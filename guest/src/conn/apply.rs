//! Applies to the exchanges what a protocol has heard; and the one step in which a connection comes to rest.

use super::ClientConn;
use super::deadlines::TimerOrder;
use crate::exchange::{Exchange, ExchangeId, Finish, Reader, RequestHalf, RequestInput, ResponseInput};
use crate::incoming::{Closing, Departure, Fault, Incoming};
use crate::settings::SECOND_NS;
use crate::table::Illegal;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Ending, Error, FieldLine, Limit, LogEvent, PackedHead};
use alloc::vec::Vec;

/// How fast interim responses may come: as many octets as the heads of one exchange may have, in this time.
const INTERIM_REFILL_NS: u64 = 10 * SECOND_NS;

impl ClientConn {
    /// How many octets to read from the transport now; 0: none, the caller has to read content first, or nothing more is expected.
    pub fn wants_octets(&self) -> usize {
        if self.state == ConnState::Closed {
            return 0;
        }
        self.protocol.wants_octets(self.scene(Instant(0)))
    }

    /// The transport delivered octets: one or more.
    pub fn receive(&mut self, octets: Vec<u8>, now: Instant) {
        if octets.is_empty() || self.state == ConnState::Closed {
            return;
        }
        let count = octets.len() as u64;
        self.book.log.add(now, None, || LogEvent::Read(count));
        match self.protocol.receive(octets, self.book.scene(&self.settings, now)) {
            Ok(()) => self.settle(now),
            Err(error) => self.end(error, now),
        }
    }

    /// The transport delivers nothing more.
    pub fn receive_end(&mut self, ending: Ending, now: Instant) {
        if !self.protocol.is_decided() {
            return self.end(Error::Closed(CloseReason::PeerEnded), now);
        }
        self.protocol.receive_end(ending);
        self.settle(now);
    }

    /// Whether a queued request waits only for the transport to be read from until nothing comes.
    pub fn wants_read_first(&self) -> bool {
        self.protocol.wants_read_first(self.book.queue.len())
    }

    /// Something arrives of which the transport can deliver nothing yet.
    pub fn partly_received(&mut self, now: Instant) {
        self.protocol.partly_received(self.book.scene(&self.settings, now));
    }

    /// The transport has nothing to deliver now.
    pub fn nothing_to_receive(&mut self, now: Instant) {
        match self.protocol.nothing_to_receive(self.book.queue.len()) {
            Ok(()) => self.settle(now),
            Err(error) => self.end(error, now),
        }
    }

    /// Brings everything on as far as it goes without the peer or the caller: what was heard is applied, requests whose turn has come are
    /// written, and a connection that has nothing more to do is closed. Every verb ends with it.
    pub(super) fn settle(&mut self, now: Instant) {
        while self.state != ConnState::Closed && self.step(now) {}
    }

    /// One step. Returns whether there may be another one.
    fn step(&mut self, now: Instant) -> bool {
        if self.book.illegal {
            self.end(Error::Internal, now);
        } else if let Some(departure) = self.protocol.next_departure(now) {
            self.depart(departure, now);
        } else if let Some(error) = self.ends_with() {
            self.end(error, now);
        } else {
            return self.hear(now) || self.begin_next(now);
        }
        true
    }

    /// Why the connection has nothing more to do, if so.
    fn ends_with(&self) -> Option<Error> {
        if self.state == ConnState::Closing && self.length() == 0 {
            return Some(self.ended_by.unwrap_or(Error::Internal));
        }
        self.protocol.ends_with(&self.book.exchanges)
    }

    /// Applies what the protocol has heard, up to an end, of an exchange or of the connection. Returns whether there was one.
    fn hear(&mut self, now: Instant) -> bool {
        while self.state != ConnState::Closed {
            match self.protocol.next(self.book.scene(&self.settings, now)) {
                Ok(Some(incoming)) => {
                    let is_end = matches!(incoming, Incoming::End { .. } | Incoming::Closing(_));
                    self.apply(incoming, now);
                    if is_end {
                        return true;
                    }
                }
                Ok(None) => return false,
                Err(fault) => self.end_at(fault, now),
            }
        }
        true
    }

    fn apply(&mut self, incoming: Incoming, now: Instant) {
        match incoming {
            Incoming::Begun { exchange } => {
                if let Some(exchange) = self.book.exchanges.get_mut(exchange) {
                    exchange.begin_response(now);
                }
            }
            Incoming::Interim { exchange, head, octets } => self.apply_interim(exchange, head, octets, now),
            Incoming::Final { exchange, head, switches, stops } => self.apply_final(exchange, head, switches, stops, now),
            Incoming::Content { exchange, octets } => self.apply_content(exchange, octets, now),
            Incoming::End { exchange, trailers } => self.apply_end(exchange, trailers, now),
            Incoming::Closing(closing) => self.apply_closing(closing, self.protocol.position(), now),
        }
    }

    /// An interim response never completes an exchange (RFC 9110 §15.2).
    fn apply_interim(&mut self, id: ExchangeId, head: PackedHead, octets: usize, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        let limits = &self.settings.limits;
        let too_many = exchange.receiving.interim.heads.len() >= limits.interim_responses_max;
        if too_many || !admits_interim(exchange, octets as u64, limits.head_octets_max as u64, now) {
            return self.end_at(Fault { error: Error::LimitExceeded(Limit::InterimResponses), at: 0 }, now);
        }
        exchange.begin_response(now);
        let interim = &mut exchange.receiving.interim;
        interim.came = true;
        self.book.log.add(now, Some(exchange.token), || LogEvent::Interim(head.unpacked()));
        let proceeds = head.status == 100;
        if exchange.handle.reader != Reader::Nobody {
            interim.octets += octets;
            interim.heads.push(head);
            self.book.mark(id);
        }
        self.book.response_input(id, ResponseInput::Interim);
        if proceeds {
            self.proceed(id, now);
        }
    }

    fn apply_final(&mut self, id: ExchangeId, head: PackedHead, switches: bool, stops: bool, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        self.book.log.add(now, Some(exchange.token), || LogEvent::Head(head.unpacked()));
        exchange.begin_response(now);
        exchange.timing.response_head = Some(now.since(exchange.started));
        exchange.receiving.head = Some(head);
        if switches {
            // A tunnel has content of its own to finish.
            exchange.receiving.switched = true;
            exchange.sending.finish = Finish::Awaited;
        }
        self.book.response_input(id, if switches { ResponseInput::Switch } else { ResponseInput::Final });
        self.book.mark(id);
        if stops {
            self.book.request_input(id, RequestInput::Stop);
        }
        // A server that answers without having asked for the content may still read it.
        self.proceed(id, now);
    }

    /// Gives content to whoever reads the response.
    fn apply_content(&mut self, id: ExchangeId, mut piece: Vec<u8>, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        let octets = piece.len();
        let receiving = &mut exchange.receiving;
        self.book.illegal |= receiving.input(ResponseInput::Content) == Err(Illegal);
        receiving.content_octets += octets as u64;
        let excess = receiving.content_octets.saturating_sub(receiving.content_octets_max);
        self.book.log.add(now, Some(exchange.token), || LogEvent::Content(octets as u64));
        if excess > 0 && exchange.handle.reader != Reader::Nobody {
            if exchange.handle.reader == Reader::Caller {
                // What came before the limit stays readable, however it was cut up.
                let within = octets.saturating_sub(usize::try_from(excess).unwrap_or(usize::MAX));
                piece.truncate(within);
                self.book.unread += within;
                receiving.content.push(piece);
            }
            return self.refuse_excess(id, Limit::ContentOctets, excess, now);
        }
        match exchange.handle.reader {
            Reader::Caller => {
                receiving.content.push(piece);
                self.book.unread += octets;
                self.book.mark(id);
            }
            Reader::Collect(max) | Reader::Completion(max) => {
                let excess = ((receiving.content.len() + octets) as u64).saturating_sub(max);
                if excess > 0 {
                    return self.refuse_excess(id, Limit::CollectOctets, excess, now);
                }
                receiving.content.gather(piece);
            }
            Reader::Nobody => {
                receiving.drained += octets as u64;
                if receiving.drained > self.settings.limits.drain_octets_max {
                    self.end(Error::Closed(CloseReason::Abandoned), now);
                }
            }
        }
    }

    /// The content that has just been taken has `excess` octets too many. The failure has the position of the first of them.
    fn refuse_excess(&mut self, id: ExchangeId, limit: Limit, excess: u64, now: Instant) {
        let at = self.protocol.position().saturating_sub(excess.saturating_sub(1));
        self.give_up_at(id, Error::LimitExceeded(limit), at, now);
    }

    fn apply_end(&mut self, id: ExchangeId, trailers: Vec<FieldLine>, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        let (is_tunnel, is_over) = (exchange.is_tunnel(), !exchange.is_leaving());
        if is_tunnel || exchange.handle.reader != Reader::Nobody {
            exchange.timing.response_ended = Some(now.since(exchange.started));
            if !is_tunnel {
                self.book.log.add(now, Some(exchange.token), || LogEvent::End(trailers.clone()));
            }
            exchange.receiving.trailers = trailers;
            self.book.response_input(id, ResponseInput::End);
            self.book.mark(id);
        }
        if is_over && !is_tunnel {
            self.finish_exchange(id, now);
        }
    }

    /// No more requests have a turn. `at`: how many octets have shown that.
    pub(super) fn apply_closing(&mut self, closing: Closing, at: u64, now: Instant) {
        let Closing { reason, lost, declared } = closing;
        self.stop_accepting(reason, now);
        self.note_learnt(now);
        self.fail_lost(lost, reason, declared, at, now);
        self.fail_queued(reason, at, now);
        if reason == Error::Closed(CloseReason::Switched) {
            self.book.log.add(now, None, || LogEvent::Tunnel);
        }
    }

    fn depart(&mut self, departure: Departure, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(departure.exchange) else { return };
        let passed = now.since(exchange.started);
        exchange.timing.request_started.get_or_insert(passed);
        let Some(octets) = departure.sent else { return };
        exchange.timing.request_sent = Some(passed);
        exchange.sending.octets = octets;
        let repeats = self.moves.pooled && exchange.sending.checked.idempotent && exchange.has_whole_request();
        if !exchange.sending.checked.asked.upgrade && !repeats {
            exchange.sending.request = None;
        }
        if departure.is_over {
            self.finish_exchange(departure.exchange, now);
        }
    }

    /// The content of a request need not wait for `100 (Continue)` any longer.
    pub(super) fn proceed(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        if let Some(since) = exchange.sending.continue_since.take() {
            self.book.deadlines.clear(id, TimerOrder::AwaitContinue, since.after(exchange.deadlines.await_continue));
        }
        if exchange.sending.half == RequestHalf::Continue {
            self.book.request_input(id, RequestInput::Continue);
            self.write_content(id, now);
        }
    }
}

/// Counts an interim response of so many octets, unless that is more than the server may send by now.
fn admits_interim(exchange: &mut Exchange, octets: u64, octets_max: u64, now: Instant) -> bool {
    let interim = &mut exchange.receiving.interim;
    let passed = now.since(interim.since).min(INTERIM_REFILL_NS);
    let allowed = octets_max * passed / INTERIM_REFILL_NS;
    interim.since = now;
    interim.debt = interim.debt.saturating_sub(allowed) + octets;
    interim.debt <= octets_max
}

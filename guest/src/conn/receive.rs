//! Octets in: heads, content, trailers, and what each means for the connection (RFC 9112 §4 to §9).

use super::clock::sent_at;
use super::{ClientConn, ExchangeId};
use crate::exchange::{Exchange, Reader, RequestHalf, RequestInput, ResponseInput};
use crate::field;
use crate::h1::chunked::{ChunkDecoder, ChunkLimits, Decoded};
use crate::h1::framing::{Framing, response_framing};
use crate::h1::parse::{Fault, HeadLimits};
use crate::h1::state::{ReadInput, ReadSide, Shown, learn};
use crate::settings::{READ_OCTETS_MAX, READ_OCTETS_SHORT, Settings};
use crate::timer::Instant;
use crate::types::{
    CloseReason, ConnState, Ending, Error, FieldLine, Leniency, Limit, LogEvent, Misbehaviour, PackedHead, PersistenceLearnt,
    Request,
};
use alloc::vec::Vec;

/// What a parser says of octets that cannot begin a response.
const NOT_HTTP: Error = Error::PeerMisbehaved(Misbehaviour::NotHttp);

/// An empty line that some servers send behind a response is skipped this often (RFC 9112 §9.2 asks to discard such octets).
pub(super) const EMPTY_LINES_MAX: usize = 8;

pub(super) fn chunk_decoder(settings: &Settings) -> ChunkDecoder {
    let limits = ChunkLimits { extension_octets_max: settings.limits.chunk_extension_octets_max };
    ChunkDecoder::new(limits, settings.leniency)
}

impl ClientConn {
    /// How many octets to read from the transport now; 0: none, the caller has to read content first, or nothing more is expected.
    pub fn wants_octets(&self) -> usize {
        let open = self.established && self.state != ConnState::Closed && self.read != ReadSide::Ended && self.ending.is_none();
        match self.read {
            _ if !open || self.is_paused() => 0,
            ReadSide::Idle | ReadSide::Answered => READ_OCTETS_SHORT,
            ReadSide::Head if self.outstanding.len() <= 1 => READ_OCTETS_SHORT,
            _ => READ_OCTETS_MAX,
        }
    }

    /// The transport delivered octets: one or more.
    pub fn receive(&mut self, octets: Vec<u8>, now: Instant) {
        if octets.is_empty() || self.state == ConnState::Closed {
            return;
        }
        self.look_stalled = None;
        self.octets_received += octets.len() as u64;
        self.progress = now;
        self.log.add(now, None, || LogEvent::Read(octets.len() as u64));
        self.inbox.push(octets);
        self.process(now);
    }

    /// The transport delivers nothing more.
    pub fn receive_end(&mut self, ending: Ending, now: Instant) {
        if self.is_paused() && !self.inbox.is_empty() {
            // What came before the end comes first.
            self.ending = Some(ending);
            return;
        }
        let in_order = ending == Ending::Ended;
        match self.read {
            ReadSide::Ended => {}
            ReadSide::Idle => self.end(Error::Closed(CloseReason::PeerEnded), now),
            ReadSide::Tunnel if in_order => self.end_tunnel_input(now),
            ReadSide::Content if in_order && self.front_framing() == Some(Framing::UntilClose) && self.write_failed.is_none() => {
                self.end_response(Vec::new(), now);
                self.receive_end(ending, now);
            }
            ReadSide::Answered if in_order => {
                // The peer may still take the rest of the request.
                self.ending = Some(ending);
                let reason = Error::Closed(CloseReason::PeerEnded);
                self.stop_accepting(reason, now);
                self.fail_behind_front(reason, None, now);
                self.shut_write_behind_front();
                self.fail_queued(reason, now);
            }
            ReadSide::Head if in_order && self.is_http09_beginning() => {
                if let Some(&id) = self.outstanding.front()
                    && self.take_final(id, PackedHead::of_http09(), now).is_ok()
                {
                    self.process(now);
                    self.receive_end(ending, now);
                }
            }
            _ => self.end(Error::Incomplete(ending), now),
        }
    }

    /// Whether octets that might have become a status line are, now that nothing follows, the content of an HTTP/0.9 response.
    fn is_http09_beginning(&self) -> bool {
        let octets = self.inbox.octets();
        let first = self.outstanding.front().and_then(|id| self.exchanges.get(*id));
        let may_be = first.is_some_and(|first| self.responses == 0 && may_be_http09(first, self.settings.leniency));
        may_be && !octets.is_empty() && b"HTTP/".starts_with(octets)
    }

    /// Takes in as much of what has been received as the caller's reading allows.
    pub(super) fn process(&mut self, now: Instant) {
        loop {
            let advanced = match self.read {
                ReadSide::Idle | ReadSide::Answered => self.read_unsolicited(now),
                ReadSide::Head => self.read_head(now),
                ReadSide::Content => self.read_content(now),
                ReadSide::Trailers => self.read_trailers(now),
                ReadSide::Tunnel => self.read_tunnel(now),
                ReadSide::Ended => Ok(false),
            };
            match advanced {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => return self.end_at(fault, now),
            }
        }
        if !self.is_paused()
            && let Some(ending) = self.ending.take()
        {
            return self.receive_end(ending, now);
        }
        self.dispatch(now);
    }

    /// Octets with no request outstanding end the connection (RFC 9112 §9.2), unless they are an empty line behind a response, or the
    /// announcement of a time-out.
    fn read_unsolicited(&mut self, now: Instant) -> Result<bool, Fault> {
        while self.empty_lines < EMPTY_LINES_MAX && self.inbox.octets().starts_with(b"\r\n") {
            self.inbox.consume(2);
            self.empty_lines += 1;
        }
        match self.inbox.octets() {
            [] => Ok(false),
            b"\r" if self.empty_lines < EMPTY_LINES_MAX => Ok(false),
            octets => match is_request_timeout(octets) {
                Some(true) => {
                    self.end(Error::Closed(CloseReason::PeerOption), now);
                    Ok(false)
                }
                Some(false) => Err(Fault { error: Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets), at: 1 }),
                None => Ok(false),
            },
        }
    }

    fn read_head(&mut self, now: Instant) -> Result<bool, Fault> {
        let Some((id, exchange)) = self.outstanding.front().and_then(|id| Some((*id, self.exchanges.get_mut(*id)?))) else {
            return Err(Fault { error: Error::Internal, at: 0 });
        };
        if self.inbox.is_empty() {
            return Ok(false);
        }
        let position = self.octets_received.saturating_sub(self.inbox.len() as u64);
        if exchange.wire_start.is_none_or(|start| start >= self.outbox.taken()) || position < exchange.received_before {
            // Nobody can answer a request of which no octet has left, or had left when the answer came.
            return Err(Fault { error: Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets), at: 1 });
        }
        if exchange.timing.response_started.is_none() {
            exchange.timing.response_started = Some(now.since(exchange.started));
            let waited = sent_at(exchange).map_or(0, |sent| now.since(sent.max(self.turn_began)));
            self.longest_wait = self.longest_wait.max(waited);
        }
        let limits = HeadLimits {
            octets_max: self.settings.limits.head_octets_max.saturating_sub(exchange.interim_octets),
            field_lines_max: self.settings.limits.field_lines_max,
        };
        let may_be_http09 = self.responses == 0 && may_be_http09(exchange, self.settings.leniency);
        let parsed = match self.heads.parse(self.inbox.octets(), &limits, self.settings.leniency) {
            Err(Fault { error: NOT_HTTP, .. }) if may_be_http09 => Some((PackedHead::of_http09(), 0)),
            Err(fault) => {
                if fault.error == NOT_HTTP && !exchange.had_interim {
                    // What cannot begin a response does not show that the server has acted on the request.
                    exchange.timing.response_started = None;
                }
                return Err(fault);
            }
            Ok(parsed) => parsed,
        };
        let Some((head, octets)) = parsed else { return Ok(false) };
        self.inbox.consume(octets);
        self.version = Some(head.version);
        // Failures that follow from the head tell its end, however much came with it.
        let ahead = self.inbox.len() as u64;
        self.octets_received = self.octets_received.saturating_sub(ahead);
        let taken = if (100..200).contains(&head.status) && head.status != 101 {
            self.receive_interim(id, head, octets, now)
        } else {
            self.take_final(id, head, now)
        };
        self.octets_received += ahead;
        taken.map(|()| true)
    }

    fn take_final(&mut self, id: ExchangeId, head: PackedHead, now: Instant) -> Result<(), Fault> {
        let Some(exchange) = self.exchanges.get_mut(id) else { return Ok(()) };
        let refused = |error| Fault { error, at: 0 };
        let framing = response_framing(exchange.plan.asked, &head, self.settings.leniency).map_err(refused)?;
        let unsent = exchange.wire_end.is_none_or(|end| end > self.outbox.taken());
        // The switch takes effect after the request (RFC 9110 §7.8); one in the middle of it would take its rest for the new protocol.
        if head.status == 101 && (unsent || !is_offered(exchange.request.as_ref(), &head)) {
            return Err(refused(Error::PeerMisbehaved(Misbehaviour::UnsolicitedSwitch)));
        }
        self.log.add(now, Some(exchange.token), || LogEvent::Head(head.unpacked()));
        self.content_left = if let Framing::Length(octets) = framing { octets } else { 0 };
        exchange.framing = framing;
        exchange.timing.response_head = Some(now.since(exchange.started));
        self.note_persistence(&head, framing);
        let exchange_closes = self.shown == Shown::Closes;
        let Some(exchange) = self.exchanges.get_mut(id) else { return Ok(()) };
        exchange.response_input(if framing == Framing::Tunnel { ResponseInput::Switch } else { ResponseInput::Final });
        exchange.head = Some(head);
        // A tunnel has content of its own to finish.
        exchange.finished &= framing != Framing::Tunnel;
        self.mark(id);
        match framing {
            Framing::Tunnel => self.become_tunnel(now),
            _ if unsent && self.refuses_rest(id) => self.stop_upload(id, now),
            _ if exchange_closes => self.heed_close(now),
            _ => {}
        }
        // The server answers without having asked for the content, and may still read it.
        self.proceed(id, now);
        match framing {
            Framing::None | Framing::Length(0) => self.end_response(Vec::new(), now),
            Framing::Length(_) | Framing::UntilClose => self.read_input(ReadInput::Content),
            Framing::Chunked => {
                self.chunks = chunk_decoder(&self.settings);
                self.read_input(ReadInput::Content);
            }
            Framing::Tunnel => {}
        }
        Ok(())
    }

    /// Whether the final response of an exchange says that the rest of its request is not wanted: it is an error or a redirection, or has the
    /// `close` option (RFC 9110 §7.5, RFC 9112 §9.5). Any other one may come early, and the request goes on to its end.
    pub(super) fn refuses_rest(&self, id: ExchangeId) -> bool {
        let head = self.exchanges.get(id).and_then(|exchange| exchange.head.as_ref());
        self.close_declared || head.is_some_and(|head| head.status >= 300)
    }

    /// The rest of a request is not wanted, and the connection cannot be used again.
    fn stop_upload(&mut self, id: ExchangeId, now: Instant) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.request_input(RequestInput::Stop);
        }
        self.shown = Shown::Closes;
        let reason = Error::Closed(CloseReason::EarlyResponse);
        self.stop_accepting(reason, now);
        self.learn_closing(now);
        self.fail_behind_front(reason, None, now);
        self.shut_write();
        self.fail_queued(reason, now);
    }

    /// The connection belongs to this exchange from now on (RFC 9110 §7.8, §9.3.6).
    fn become_tunnel(&mut self, now: Instant) {
        self.stop_accepting(Error::Closed(CloseReason::Switched), now);
        self.fail_queued(Error::Closed(CloseReason::Switched), now);
        self.read_input(ReadInput::Switch);
        self.log.add(now, None, || LogEvent::Tunnel);
    }

    fn read_content(&mut self, now: Instant) -> Result<bool, Fault> {
        let room = self.room_for_content();
        if self.inbox.is_empty() || room == 0 {
            return Ok(false);
        }
        let within = self.inbox.len().min(room);
        match self.front_framing() {
            Some(Framing::Length(_)) => {
                let octets = within.min(usize::try_from(self.content_left).unwrap_or(usize::MAX));
                let piece = self.inbox.take(0..octets);
                self.content_left -= octets as u64;
                self.deliver(piece, now);
                if self.content_left == 0 && self.read == ReadSide::Content {
                    self.end_response(Vec::new(), now);
                }
                Ok(true)
            }
            Some(Framing::UntilClose) => {
                let piece = self.inbox.take(0..within);
                self.deliver(piece, now);
                Ok(true)
            }
            Some(Framing::Chunked) => self.read_chunk(within, now),
            _ => Err(Fault { error: Error::Internal, at: 0 }),
        }
    }

    fn read_chunk(&mut self, within: usize, now: Instant) -> Result<bool, Fault> {
        let octets = self.inbox.octets().get(..within).unwrap_or_default();
        let (consumed, decoded) = self.chunks.decode(octets)?;
        match decoded {
            Decoded::Partial => {
                self.inbox.consume(consumed);
                return Ok(consumed > 0);
            }
            Decoded::Data(range) => {
                let rest = consumed.saturating_sub(range.end);
                let piece = self.inbox.take(range);
                self.inbox.consume(rest);
                self.deliver(piece, now);
            }
            Decoded::Trailers => {
                self.inbox.consume(consumed);
                self.read_input(ReadInput::Trailers);
            }
        }
        Ok(true)
    }

    fn read_trailers(&mut self, now: Instant) -> Result<bool, Fault> {
        let limits = HeadLimits {
            octets_max: self.settings.limits.trailer_octets_max,
            field_lines_max: self.settings.limits.field_lines_max,
        };
        match self.trailers.parse(self.inbox.octets(), &limits, self.settings.leniency)? {
            Some((trailers, octets)) => {
                self.inbox.consume(octets);
                self.end_response(trailers, now);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn read_tunnel(&mut self, now: Instant) -> Result<bool, Fault> {
        let octets = self.inbox.len().min(self.room_for_content());
        if octets == 0 {
            return Ok(false);
        }
        let piece = self.inbox.take(0..octets);
        self.deliver(piece, now);
        Ok(true)
    }

    /// Gives content to whoever reads the response.
    fn deliver(&mut self, mut piece: Vec<u8>, now: Instant) {
        let Some(&id) = self.outstanding.front() else { return };
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if piece.is_empty() {
            return;
        }
        let octets = piece.len();
        exchange.content_octets += octets as u64;
        let excess = exchange.content_octets.saturating_sub(exchange.content_octets_max);
        self.log.add(now, Some(exchange.token), || LogEvent::Content(octets as u64));
        if excess > 0 && exchange.reader != Reader::Nobody {
            if exchange.reader == Reader::Caller {
                // What came before the limit stays readable, however it was cut up.
                let within = octets.saturating_sub(usize::try_from(excess).unwrap_or(usize::MAX));
                piece.truncate(within);
                self.unread += within;
                exchange.content.push(piece);
            }
            return self.refuse_excess(id, Limit::ContentOctets, excess, now);
        }
        match exchange.reader {
            Reader::Caller => {
                exchange.content.push(piece);
                self.unread += octets;
                self.mark(id);
            }
            Reader::Collect(max) | Reader::Completion(max) => {
                let excess = ((exchange.content.len() + octets) as u64).saturating_sub(max);
                if excess > 0 {
                    return self.refuse_excess(id, Limit::CollectOctets, excess, now);
                }
                exchange.content.gather(piece);
            }
            Reader::Nobody => {
                self.drained += octets as u64;
                if self.drained > self.settings.limits.drain_octets_max {
                    self.end(Error::Closed(CloseReason::Abandoned), now);
                }
            }
        }
    }

    /// The content that has just been taken has `excess` octets too many.
    fn refuse_excess(&mut self, id: ExchangeId, limit: Limit, excess: u64, now: Instant) {
        let received = self.octets_received;
        // Failures tell the position of the octet that showed the error: the first one too many.
        self.octets_received = received.saturating_sub(self.inbox.len() as u64 + excess - 1);
        self.give_up(id, Error::LimitExceeded(limit), now);
        self.octets_received = received;
    }

    /// The response of the first outstanding exchange is complete. The exchange is, too, once its request has left.
    pub(super) fn end_response(&mut self, trailers: Vec<FieldLine>, now: Instant) {
        let Some(&id) = self.outstanding.front() else { return self.end(Error::Internal, now) };
        let Some(exchange) = self.exchanges.get(id) else { return self.end(Error::Internal, now) };
        let is_cut = exchange.sending == RequestHalf::Stopped && exchange.reader != Reader::Nobody && !self.refuses_rest(id);
        if let (true, Some(ending)) = (is_cut, self.write_failed) {
            // The server has not said that it had enough.
            return self.end(Error::Incomplete(ending), now);
        }
        let leaves = exchange.is_leaving();
        self.complete_response(id, trailers, now);
        match leaves {
            true => {
                self.empty_lines = 0;
                self.read_input(ReadInput::Answered);
            }
            false => self.end_exchange(now),
        }
    }

    /// Both halves of the first outstanding exchange are over.
    pub(super) fn end_exchange(&mut self, now: Instant) {
        let Some(id) = self.outstanding.pop_front() else { return self.end(Error::Internal, now) };
        self.departed = self.departed.saturating_sub(1);
        self.responses += 1;
        self.drained = 0;
        self.empty_lines = 0;
        self.turn_began = now;
        if self.known != PersistenceLearnt::Closing {
            let known = learn(self.known, self.shown);
            if known != self.known {
                self.known = known;
                self.log.add(now, None, || LogEvent::Learnt(known));
            }
        }
        self.finish_exchange(id);
        if self.outstanding.is_empty() {
            self.read_input(ReadInput::Last);
            self.looked = false;
            self.idle_since = now;
        } else {
            self.read_input(ReadInput::Next);
        }
        self.changed = true;
        self.settle(now);
    }

    /// How much content may be taken in before the caller reads some; as much as there is for one who takes it whole.
    fn room_for_content(&self) -> usize {
        match self.front_reader() {
            Some(Reader::Caller) => self.settings.limits.receive_buffer_octets_max.saturating_sub(self.unread),
            _ => usize::MAX,
        }
    }

    /// Whether reading has stopped until the caller reads content.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.read, ReadSide::Content | ReadSide::Tunnel) && self.room_for_content() == 0
    }

    pub(super) fn front_framing(&self) -> Option<Framing> {
        self.outstanding.front().and_then(|id| self.exchanges.get(*id)).map(|exchange| exchange.framing)
    }

    fn front_reader(&self) -> Option<Reader> {
        self.outstanding.front().and_then(|id| self.exchanges.get(*id)).map(|exchange| exchange.reader)
    }
}

/// Whether a switch names a protocol, and only such as the request offered (RFC 9110 §7.8).
fn is_offered(request: Option<&Request>, head: &PackedHead) -> bool {
    let lines = request.into_iter().flat_map(|request| &request.fields);
    let offers =
        || lines.clone().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade")).flat_map(|(_, value)| field::members(value));
    field::contains(head, "upgrade")
        && field::list_members(head, "upgrade").all(|name| offers().any(|offer| offer.eq_ignore_ascii_case(name)))
}

/// Whether the first response of a connection may be one of HTTP/0.9: no interim response has come before it, and it is not asked for a head
/// alone or a tunnel, of which HTTP/0.9 has neither.
fn may_be_http09(exchange: &Exchange, leniency: Leniency) -> bool {
    let asked = exchange.plan.asked;
    leniency & Leniency::HTTP09 == Leniency::HTTP09 && !exchange.had_interim && !asked.head && !asked.connect
}

/// Whether octets begin with the status line of 408 (Request Timeout), which a server may send on an idle connection before it closes
/// it (RFC 9110 §15.5.9); `None`: that cannot be told yet.
fn is_request_timeout(octets: &[u8]) -> Option<bool> {
    let decided = ["HTTP/1.1 408 ", "HTTP/1.0 408 "].map(|line| {
        let compared = octets.len().min(line.len());
        octets.get(..compared) == line.as_bytes().get(..compared)
    });
    match decided.contains(&true) {
        false => Some(false),
        true if octets.len() >= "HTTP/1.1 408 ".len() => Some(true),
        true => None,
    }
}

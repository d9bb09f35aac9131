//! Octets become heads, content and ends, and what each means for the connection (RFC 9112 §4 to §9).

use super::connection::{Connection, Consequence, Outstanding};
use super::framing::{Framing, response_framing};
use super::look::Look;
use super::reader::{Piece, TransportEnd, Unsolicited};
use super::state::{ReadInput, ReadSide, Shown};
use crate::abnf::is_same_name;
use crate::exchange::{Exchange, Reader};
use crate::field;
use crate::incoming::{Closing, Fault, Incoming, Scene};
use crate::types::{CloseReason, Delivery, Ending, Error, FieldLine, Leniency, Misbehaviour, PackedHead, Request};
use alloc::vec::Vec;

/// What a parser says of octets that cannot begin a response.
const NOT_HTTP: Error = Error::PeerMisbehaved(Misbehaviour::NotHttp);

/// A broken invariant.
const INTERNAL: Fault = Fault { error: Error::Internal, at: 0 };

impl Connection {
    /// The transport delivered octets.
    pub fn receive(&mut self, octets: Vec<u8>, scene: Scene<'_>) {
        self.look.go_on();
        self.turn.progress = scene.now;
        self.reader.received += octets.len() as u64;
        self.reader.inbox.push(octets);
    }

    /// The transport delivers nothing more.
    pub fn receive_end(&mut self, ending: Ending) {
        self.reader.end = TransportEnd::Came(ending);
    }

    /// Something arrives of which the transport can deliver nothing yet.
    pub fn partly_received(&mut self, scene: Scene<'_>) {
        if self.wants_look(scene.queued) {
            self.look.stall(scene.now);
        }
    }

    /// The transport has nothing to deliver now: an idle connection may be written to.
    ///
    /// Errors: the beginning of something unsolicited has come, and a request waits: nobody waits for the rest of it.
    pub fn nothing_to_receive(&mut self, queued: usize) -> Result<(), Error> {
        self.look.go_on();
        if self.wants_look(queued) && !self.reader.inbox.is_empty() {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets));
        }
        self.look = Look::Done;
        Ok(())
    }

    /// Octets that have come and belong to nobody.
    pub fn take_octets(&mut self) -> Vec<u8> {
        self.reader.inbox.take_all()
    }

    /// Returns the next that was heard, as far as the caller's reading allows.
    ///
    /// Errors: the peer's octets were wrong, or `internal`: the connection has to end.
    #[inline]
    pub fn next(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        if self.has_nothing() {
            return Ok(None);
        }
        self.hear(scene)
    }

    /// Whether nothing has come that has not been said. Most calls find that.
    #[inline]
    fn has_nothing(&self) -> bool {
        self.reader.inbox.is_empty()
            && self.reader.end == TransportEnd::No
            && self.after.is_none()
            && !self.illegal
            && !self.reader.has_ended_content()
    }

    fn hear(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        if self.illegal {
            return Err(INTERNAL);
        }
        if let Some(consequence) = self.after.take() {
            return Ok(Some(Incoming::Closing(self.close_after(consequence, scene))));
        }
        let heard = match self.reader.state() {
            ReadSide::Idle | ReadSide::Answered => self.unasked(scene),
            ReadSide::Head => self.response_head(scene),
            ReadSide::Content | ReadSide::Tunnel => self.response_content(scene),
            ReadSide::Trailers => self.response_trailers(scene),
            ReadSide::Ended => Ok(None),
        };
        if self.reader.end != TransportEnd::No && matches!(heard, Ok(None)) {
            return self.end_of_transport(scene);
        }
        heard
    }

    fn unasked(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        match self.reader.unsolicited()? {
            Unsolicited::Nothing => Ok(None),
            Unsolicited::TimeOut => {
                let reason = Error::Closed(CloseReason::PeerOption);
                Ok(Some(Incoming::Closing(self.close_now(reason, scene.exchanges))))
            }
        }
    }

    fn response_trailers(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        match self.reader.trailers(scene.settings)? {
            Some(trailers) => self.end_response(trailers, scene),
            None => Ok(None),
        }
    }

    fn response_head(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        let (Some(first), Some(exchange)) = (self.outstanding.front(), self.first(scene)) else { return Err(INTERNAL) };
        if self.reader.inbox.is_empty() {
            return Ok(None);
        }
        if first.received_before.is_none_or(|before| self.reader.position() < before) {
            // Nobody can answer a request of which no octet has left, or had left when the answer came.
            return Err(Fault { error: Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets), at: 1 });
        }
        let id = first.exchange;
        let interim = &exchange.receiving.interim;
        let begins = self.turn.hear(exchange, scene.now);
        let (head, octets) = match self.reader.head(interim.octets, scene.settings) {
            Ok(None) => return Ok(begins.then_some(Incoming::Begun { exchange: id })),
            Ok(Some(parsed)) => parsed,
            Err(Fault { error: NOT_HTTP, .. }) if self.may_be_http09(exchange, scene.settings.leniency) => {
                (PackedHead::of_http09(), 0)
            }
            Err(fault) => {
                // What cannot begin a response does not show that the server has acted on the request.
                self.turn.heard &= fault.error != NOT_HTTP || interim.came;
                return Err(fault);
            }
        };
        self.reader.inbox.consume(octets);
        self.persistence.version = Some(head.version);
        if (100..200).contains(&head.status) && head.status != 101 {
            return Ok(Some(Incoming::Interim { exchange: id, head, octets }));
        }
        self.final_head(head, scene)
    }

    fn final_head(&mut self, head: PackedHead, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        let (Some(first), Some(exchange)) = (self.outstanding.front(), self.first(scene)) else { return Err(INTERNAL) };
        let refused = |error| Fault { error, at: 0 };
        let framing = response_framing(exchange.sending.checked.asked, &head, scene.settings.leniency).map_err(refused)?;
        let unsent = self.is_unsent(first);
        // The switch takes effect after the request (RFC 9110 §7.8); one in the middle of it would take its rest for the new protocol.
        if head.status == 101 && (unsent || !is_offered(exchange.sending.request.as_ref(), &head)) {
            return Err(refused(Error::PeerMisbehaved(Misbehaviour::UnsolicitedSwitch)));
        }
        let id = first.exchange;
        self.persistence.note(&head, framing, self.outstanding.len().saturating_sub(1));
        let switches = framing == Framing::Tunnel;
        let stops = !switches && unsent && self.persistence.refuses_rest(Some(head.status));
        self.after = if switches {
            Some(Consequence::Switch)
        } else if stops {
            Some(Consequence::Stop)
        } else {
            (self.persistence.shown == Shown::Closes).then_some(Consequence::Close)
        };
        let begun = self.reader.begin_content(framing, scene.settings);
        self.heed(begun);
        Ok(Some(Incoming::Final { exchange: id, head, switches, stops }))
    }

    fn is_unsent(&self, outstanding: &Outstanding) -> bool {
        outstanding.end.is_none_or(|end| end > self.writer.outbox.taken())
    }

    fn response_content(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        let Some(first) = self.outstanding.front() else { return Err(INTERNAL) };
        let exchange = first.exchange;
        let room = Connection::room_for_content(scene.exchanges.get(exchange), scene);
        loop {
            match self.reader.content(room)? {
                Piece::Partial => return Ok(None),
                Piece::Framing if self.reader.state() == ReadSide::Trailers => return self.response_trailers(scene),
                Piece::Framing => {}
                Piece::Content(octets) => return Ok(Some(Incoming::Content { exchange, octets })),
                Piece::End => return self.end_response(Vec::new(), scene),
            }
        }
    }

    /// The response of the first outstanding exchange is complete. The exchange is, too, once its request has left.
    fn end_response(&mut self, trailers: Vec<FieldLine>, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        let (Some(first), Some(exchange)) = (self.outstanding.front(), self.first(scene)) else { return Err(INTERNAL) };
        let id = first.exchange;
        let is_cut = Connection::is_stopped(exchange) && exchange.handle.reader != Reader::Nobody && !self.refuses_rest(exchange);
        if let (true, Some(ending)) = (is_cut, self.writer.failed) {
            // The server has not said that it had enough.
            return Ok(Some(Incoming::Closing(self.close_now(Error::Incomplete(ending), scene.exchanges))));
        }
        if exchange.is_leaving() {
            self.reader.allow_empty_lines();
            let answered = self.reader.input(ReadInput::Answered);
            self.heed(answered);
        } else {
            self.end_first(scene.now);
        }
        Ok(Some(Incoming::End { exchange: id, trailers }))
    }

    /// Ends what has to end with the transport, once all that came before has been taken.
    #[inline(never)]
    fn end_of_transport(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        let ending = match self.reader.end {
            TransportEnd::No | TransportEnd::Told(_) if self.reader.state() == ReadSide::Answered => return Ok(None),
            TransportEnd::No => return Ok(None),
            TransportEnd::Waits(_) if self.is_paused(scene) => return Ok(None),
            TransportEnd::Came(ending) if self.is_paused(scene) && !self.reader.inbox.is_empty() => {
                // What came before the end comes first.
                self.reader.end = TransportEnd::Waits(ending);
                return Ok(None);
            }
            TransportEnd::Came(ending) | TransportEnd::Waits(ending) | TransportEnd::Told(ending) => ending,
        };
        let in_order = ending == Ending::Ended;
        Ok(match self.reader.state() {
            ReadSide::Ended => None,
            ReadSide::Idle => Some(Incoming::Closing(self.close_now(Error::Closed(CloseReason::PeerEnded), scene.exchanges))),
            ReadSide::Tunnel if in_order => {
                let Some(exchange) = self.outstanding.front().map(|first| first.exchange) else { return Ok(None) };
                let ended = self.reader.input(ReadInput::End);
                self.heed(ended);
                Some(Incoming::End { exchange, trailers: Vec::new() })
            }
            ReadSide::Content if in_order && self.ends_with_transport() => self.end_response(Vec::new(), scene)?,
            ReadSide::Answered if in_order => {
                // The peer may still take the rest of the request.
                self.reader.end = TransportEnd::Told(ending);
                Some(Incoming::Closing(self.close_behind_first(Error::Closed(CloseReason::PeerEnded), None, scene)))
            }
            ReadSide::Head if in_order && self.is_http09(scene) => self.final_head(PackedHead::of_http09(), scene)?,
            _ => Some(Incoming::Closing(self.close_now(Error::Incomplete(ending), scene.exchanges))),
        })
    }

    fn ends_with_transport(&self) -> bool {
        self.reader.framing == Framing::UntilClose && self.writer.failed.is_none()
    }

    fn is_http09(&self, scene: Scene<'_>) -> bool {
        let may_be = self.first(scene).is_some_and(|first| self.may_be_http09(first, scene.settings.leniency));
        may_be && self.reader.is_http09_beginning()
    }

    /// Whether the first response of a connection may be one of HTTP/0.9: no interim response has come before it, and it is not asked for a
    /// head alone or a tunnel, of which HTTP/0.9 has neither.
    fn may_be_http09(&self, exchange: &Exchange, leniency: Leniency) -> bool {
        let asked = exchange.sending.checked.asked;
        self.persistence.responses == 0
            && leniency & Leniency::HTTP09 == Leniency::HTTP09
            && !exchange.receiving.interim.came
            && !asked.head
            && !asked.connect
    }

    /// Ends what has to end after the final head of the first outstanding exchange.
    #[inline(never)]
    fn close_after(&mut self, consequence: Consequence, scene: Scene<'_>) -> Closing {
        match consequence {
            Consequence::Switch => self.close_behind(Error::Closed(CloseReason::Switched), None, scene.exchanges),
            Consequence::Stop => {
                self.persistence.shown = Shown::Closes;
                self.persistence.close();
                let closing = self.close_behind(Error::Closed(CloseReason::EarlyResponse), None, scene.exchanges);
                let shut = self.writer.shut();
                self.heed(shut);
                closing
            }
            Consequence::Close => {
                // What stands behind it on the wire is unprocessed if the peer has declared the close (RFC 9112 §9.6); otherwise
                // nothing is known about it.
                let declared = self.persistence.close_declared;
                let until_close = self.reader.framing == Framing::UntilClose && !declared;
                let reason = if until_close { CloseReason::UntilClose } else { CloseReason::PeerOption };
                self.persistence.close();
                self.close_behind_first(Error::Closed(reason), declared.then_some(Delivery::Unprocessed), scene)
            }
        }
    }
}

/// Whether a switch names a protocol, and only such as the request offered (RFC 9110 §7.8).
fn is_offered(request: Option<&Request>, head: &PackedHead) -> bool {
    let lines = request.into_iter().flat_map(|request| &request.fields);
    let offers = || {
        lines.clone().filter(|(name, _)| is_same_name(name.as_bytes(), b"upgrade")).flat_map(|(_, value)| field::members(value))
    };
    field::contains(head, "upgrade")
        && field::list_members(head, "upgrade").all(|name| offers().any(|offer| is_same_name(offer, name)))
}

//! The protocol of a connection: one exhaustive enum, so that nothing that a connection asks is left unanswered by one of them.

use crate::dial::Negotiated;
use crate::exchange::{Exchange, ExchangeId, Exchanges};
use crate::h1;
use crate::h1::state::known_at_first;
use crate::incoming::{
    Begun, Closing, Counts, Cut, Departure, Expected, Fault, GivenUp, Incoming, Lapse, Learnt, Lost, Progress, Scene,
};
use crate::request::Checked;
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{Ending, Error, FieldLine, Misbehaviour, Request};
use alloc::vec::Vec;

/// The protocol that a connection speaks.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all connections are established: a box would be one more allocation for each"
)]
pub enum Protocol {
    /// Nothing yet: its transport is being established.
    Undecided(Expected),
    /// HTTP/1.1, and what is older.
    Http1(h1::Connection),
}

use Protocol::{Http1, Undecided};

/// Tells one protocol, or answers for one that is undecided.
macro_rules! ask {
    ($protocol:expr, $h1:ident => $answer:expr, $undecided:expr) => {
        match $protocol {
            Undecided(_) => $undecided,
            Http1($h1) => $answer,
        }
    };
}

#[expect(missing_docs, reason = "one for one the methods of `h1::Connection`, where each is documented")]
impl Protocol {
    /// Whether the head of a request has at most `octets_max` octets, whatever may carry it: in its longest form, which is that of HTTP/1.1.
    pub fn head_fits(request: &Request, checked: &Checked, authority: &str, octets_max: usize) -> bool {
        h1::encode::head_fits(request, checked, authority, octets_max)
    }

    /// The transport is established, and this protocol was agreed upon.
    pub fn decide(&mut self, negotiated: Negotiated, settings: &Settings, now: Instant) {
        // Both cases mean HTTP/1.1: if nothing was negotiated, no other protocol may be assumed.
        let (Negotiated::Nothing | Negotiated::Http11) = negotiated;
        if let Undecided(expected) = self {
            *self = Http1(h1::Connection::new(*expected, settings, now));
        }
    }

    /// A pool knows this of earlier connections.
    pub fn expect_end(&mut self, ends_after: Option<u64>) {
        if let Undecided(expected) = self {
            expected.ends_after = ends_after;
        }
    }

    pub fn is_decided(&self) -> bool {
        !matches!(self, Undecided(_))
    }

    pub fn outstanding(&self) -> usize {
        ask!(self, h1 => h1.outstanding(), 0)
    }

    pub fn progress(&self, id: ExchangeId) -> Option<Progress> {
        ask!(self, h1 => h1.progress(id), None)
    }

    pub fn turn(&self, id: ExchangeId) -> Option<Instant> {
        ask!(self, h1 => h1.turn(id), None)
    }

    #[inline(always)]
    pub fn counts(&self) -> Counts {
        ask!(self, h1 => h1.counts(), Counts::default())
    }

    #[inline(always)]
    pub fn learnt(&self) -> Learnt {
        match self {
            Undecided(expected) => {
                Learnt { persistence: known_at_first(expected.persistence), version: None, idle_ns: None, broke: None }
            }
            Http1(h1) => h1.learnt(),
        }
    }

    pub fn position(&self) -> u64 {
        ask!(self, h1 => h1.position(), 0)
    }

    pub fn response_octets_left(&self) -> u64 {
        ask!(self, h1 => h1.response_octets_left(), 0)
    }

    pub fn send_room(&self, settings: &Settings) -> u64 {
        ask!(self, h1 => h1.send_room(settings), 0)
    }

    pub fn request_waits(&mut self) {
        ask!(self, h1 => h1.request_waits(), ());
    }

    pub fn wants_read_first(&self, queued: usize) -> bool {
        ask!(self, h1 => h1.wants_look(queued), false)
    }

    pub fn may_begin(&self, exchange: &Exchange, scene: Scene<'_>) -> bool {
        ask!(self, h1 => h1.may_begin(exchange, scene), false)
    }

    pub fn takes_beside(&self, last: Option<&Exchange>, scene: Scene<'_>) -> bool {
        ask!(self, h1 => h1.takes_beside(last, scene), false)
    }

    pub fn is_ready(&self, scene: Scene<'_>) -> bool {
        ask!(self, h1 => h1.is_ready(scene), false)
    }

    pub fn begin(&mut self, id: ExchangeId, exchange: &Exchange, authority: &str, settings: &Settings, now: Instant) -> Begun {
        ask!(self, h1 => h1.begin(id, exchange, authority, settings, now), Begun::Refused(Error::Internal))
    }

    pub fn last_head(&self) -> Vec<u8> {
        ask!(self, h1 => h1.last_head(), Vec::new())
    }

    pub fn content(&mut self, content: Vec<u8>) {
        ask!(self, h1 => h1.content(content), ());
    }

    pub fn copy(&mut self, content: &[u8]) {
        ask!(self, h1 => h1.copy(content), ());
    }

    pub fn finish(&mut self, trailers: &[FieldLine]) {
        ask!(self, h1 => h1.finish(trailers), ());
    }

    pub fn writing(&self) -> Option<ExchangeId> {
        ask!(self, h1 => h1.writing(), None)
    }

    pub fn writer(&self) -> Option<ExchangeId> {
        ask!(self, h1 => h1.writer(), None)
    }

    pub fn tunnel(&self) -> Option<ExchangeId> {
        ask!(self, h1 => h1.tunnel(), None)
    }

    pub fn may_half_close(&self, scene: Scene<'_>) -> bool {
        ask!(self, h1 => h1.may_half_close(scene), false)
    }

    pub fn to_transmit(&self) -> &[u8] {
        ask!(self, h1 => h1.to_transmit(), &[])
    }

    pub fn transmitted(&mut self, octets: usize, now: Instant) {
        ask!(self, h1 => h1.transmitted(octets, now), ());
    }

    pub fn transmit_failed(&mut self, ending: Ending, exchanges: &Exchanges) -> Cut {
        let closing = Closing { reason: Error::Incomplete(ending), lost: Vec::new(), declared: None };
        ask!(self, h1 => h1.transmit_failed(ending, exchanges), Cut { closing, exchange: None, is_over: true })
    }

    pub fn stopped_by(&self, exchange: &Exchange) -> Error {
        ask!(self, h1 => h1.stopped_by(exchange), Error::Internal)
    }

    pub fn ends_with(&self, exchanges: &Exchanges) -> Option<Error> {
        ask!(self, h1 => h1.ends_with(exchanges), None)
    }

    pub fn next_departure(&mut self, now: Instant) -> Option<Departure> {
        ask!(self, h1 => h1.next_departure(now), None)
    }

    pub fn paused_by(&self, scene: Scene<'_>) -> Option<ExchangeId> {
        ask!(self, h1 => h1.paused_by(scene), None)
    }

    pub fn wants_octets(&self, scene: Scene<'_>) -> usize {
        ask!(self, h1 => h1.wants_octets(scene), 0)
    }

    pub fn resume(&mut self, now: Instant) {
        ask!(self, h1 => h1.resume(now), ());
    }

    /// Octets have come. Before the transport is established, nobody has asked for any.
    pub fn receive(&mut self, octets: Vec<u8>, scene: Scene<'_>) -> Result<(), Error> {
        ask!(self, h1 => {
            h1.receive(octets, scene);
            Ok(())
        }, Err(Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets)))
    }

    pub fn receive_end(&mut self, ending: Ending) {
        ask!(self, h1 => h1.receive_end(ending), ());
    }

    pub fn partly_received(&mut self, scene: Scene<'_>) {
        ask!(self, h1 => h1.partly_received(scene), ());
    }

    pub fn nothing_to_receive(&mut self, queued: usize) -> Result<(), Error> {
        ask!(self, h1 => h1.nothing_to_receive(queued), Ok(()))
    }

    pub fn take_octets(&mut self) -> Vec<u8> {
        ask!(self, h1 => h1.take_octets(), Vec::new())
    }

    pub fn next(&mut self, scene: Scene<'_>) -> Result<Option<Incoming>, Fault> {
        ask!(self, h1 => h1.next(scene), Ok(None))
    }

    pub fn deadline(&self, scene: Scene<'_>) -> Option<Lapse> {
        ask!(self, h1 => h1.deadline(scene), None)
    }

    pub fn give_up(&mut self, id: ExchangeId, scene: Scene<'_>) -> GivenUp {
        ask!(self, h1 => h1.give_up(id, scene), GivenUp::EndConnection)
    }

    pub fn close(&mut self, error: Error, exchanges: &Exchanges) -> Vec<Lost> {
        ask!(self, h1 => h1.close(error, exchanges), Vec::new())
    }
}

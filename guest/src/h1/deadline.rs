//! Deadlines of the first outstanding exchange (RFC 9112 §9.5), and of the look at an idle connection.

use super::connection::Connection;
use super::persistence::STALL;
use super::state::ReadSide;
use crate::exchange::{Exchange, ExchangeId, Reader};
use crate::incoming::{Ends, Lapse, Scene};
use crate::timer::Instant;
use crate::types::{CloseReason, Error, Misbehaviour, Timer};

impl Connection {
    /// The deadline that follows from what the connection does: of the first outstanding exchange, or of the look.
    pub fn deadline(&self, scene: Scene<'_>) -> Option<Lapse> {
        let Some(first) = self.outstanding.front() else { return self.look_deadline(scene) };
        let exchange = scene.exchanges.get(first.exchange)?;
        let id = first.exchange;
        if exchange.handle.reader == Reader::Nobody {
            let since = exchange.handle.nobody_since.max(self.turn.began);
            let at = since.after(exchange.deadlines.drain)?;
            let ends = Ends::Connection(Error::Closed(CloseReason::Abandoned));
            return Some(Lapse { at, timer: Timer::Drain, ends });
        }
        match self.reader.state() {
            ReadSide::Head | ReadSide::Content | ReadSide::Trailers | ReadSide::Answered => {}
            ReadSide::Idle | ReadSide::Tunnel | ReadSide::Ended => return None,
        }
        if self.is_paused(scene) {
            return None;
        }
        let between = |moved: Instant| lapse(moved.after(exchange.deadlines.between_octets)?, Timer::BetweenOctets, id);
        match exchange.sent_at() {
            // While the send buffer is empty the caller's content is awaited, or `100 (Continue)`, which has a deadline of its own.
            None if exchange.is_leaving() && self.writer.outbox.is_empty() => None,
            // Either direction shows that the peer is there.
            None => between(self.turn.progress.max(self.turn.left)),
            Some(sent) if !self.turn.heard => self.first_octet(exchange, sent, first.is_behind, id),
            // What is written behind it does not bring it on.
            Some(sent) => between(self.turn.progress.max(sent)),
        }
    }

    fn first_octet(&self, exchange: &Exchange, sent: Instant, is_behind: bool, id: ExchangeId) -> Option<Lapse> {
        let since = sent.max(self.turn.began);
        let first_octet = since.after(exchange.deadlines.first_octet);
        let stall = if is_behind { self.turn.stall_deadline(exchange, since) } else { None };
        match stall.filter(|stall| first_octet.is_none_or(|at| *stall <= at)) {
            Some(at) => Some(Lapse { at, timer: Timer::PipelineStall, ends: Ends::Connection(STALL) }),
            None => lapse(first_octet?, Timer::FirstOctet, id),
        }
    }

    /// When the look at an idle connection is given up: something that nobody has asked for has begun to come.
    fn look_deadline(&self, scene: Scene<'_>) -> Option<Lapse> {
        let at = self.look.deadline().filter(|_| self.wants_look(scene.queued))?;
        let ends = Ends::Connection(Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets));
        Some(Lapse { at, timer: Timer::BetweenOctets, ends })
    }
}

fn lapse(at: Instant, timer: Timer, exchange: ExchangeId) -> Option<Lapse> {
    Some(Lapse { at, timer, ends: Ends::Exchange(exchange) })
}

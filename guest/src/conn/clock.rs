//! Deadlines: which one is next, and what happens when it passes (RFC 9112 §9.5).

use super::ClientConn;
use super::deadlines::TimerOrder;
use crate::exchange::{Exchange, Reader};
use crate::h1::state::ReadSide;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Error, Misbehaviour, Timer};

/// How much earlier than the peer an idle connection is closed, so that no request is on its way when the peer closes it: 1 s, as much as
/// `Keep-Alive` can be off by rounding, but never more than half of its time.
const KEEP_ALIVE_MARGIN_NS: u64 = 1_000_000_000;

/// A request counts as lost in a pipeline at the earliest when it has waited this many times as long as any before it.
const STALL_WAITS: u64 = 4;

impl ClientConn {
    /// The next deadline, and which one it is.
    pub fn deadline(&self) -> Option<(Instant, Timer)> {
        if self.state == ConnState::Closed {
            return None;
        }
        let of_exchanges = self.deadlines.first().map(|deadline| (deadline.at, deadline.timer.into()));
        let mut next = of_exchanges;
        let mut or = |other: Option<(Instant, Timer)>| {
            if other.is_some_and(|(at, _)| next.is_none_or(|(first, _)| at < first)) {
                next = other;
            }
        };
        or(self.front_deadline());
        or(self.connect_deadline());
        or(self.look_deadline());
        or(self.idle_deadline());
        or(self.lifetime_deadline());
        next
    }

    /// Does what is due at `now`. May be called too early, without effect.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(passed) = self.deadlines.take_passed(now) {
            match passed.timer {
                TimerOrder::AwaitContinue => self.proceed(passed.exchange, now),
                TimerOrder::Queue | TimerOrder::Total => {
                    self.give_up(passed.exchange, Error::TimedOut(passed.timer.into()), now);
                }
            }
        }
        if let Some((at, _)) = self.connect_deadline()
            && at <= now
        {
            return self.end(Error::TimedOut(Timer::Connect), now);
        }
        if let Some((at, _)) = self.look_deadline()
            && at <= now
        {
            return self.end(Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets), now);
        }
        // One that is given up before any of it has left makes room for the next, which has waited as long.
        while let Some((at, timer)) = self.front_deadline()
            && at <= now
        {
            match (timer, self.outstanding.front().copied()) {
                (Timer::Drain, _) | (_, None) => self.end(Error::Closed(CloseReason::Abandoned), now),
                // A request was lost in the pipeline, and those behind it with it.
                (Timer::PipelineStall, _) => self.end(Error::TimedOut(Timer::PipelineStall), now),
                (timer, Some(id)) => self.give_up(id, Error::TimedOut(timer), now),
            }
        }
        // What an exchange that was given up had held back.
        self.process(now);
        if let Some((at, _)) = self.idle_deadline()
            && at <= now
        {
            self.end(Error::Closed(CloseReason::Idle), now);
        }
        if let Some((at, _)) = self.lifetime_deadline()
            && at <= now
        {
            self.retire(CloseReason::Lifetime, now);
        }
    }

    fn connect_deadline(&self) -> Option<(Instant, Timer)> {
        let waiting = !self.established && self.state != ConnState::Closed;
        let at = self.created.after(self.settings.deadlines.connect).filter(|_| waiting)?;
        Some((at, Timer::Connect))
    }

    fn idle_deadline(&self) -> Option<(Instant, Timer)> {
        let idle = self.established && self.state == ConnState::Open && self.length() == 0;
        let peer = self.peer_idle_ns.map(|peer| peer - KEEP_ALIVE_MARGIN_NS.min(peer / 2));
        let span = match (self.settings.deadlines.idle, peer) {
            (Some(own), Some(peer)) => Some(own.min(peer)),
            (own, peer) => own.or(peer),
        };
        let at = self.idle_since.after(span).filter(|_| idle)?;
        Some((at, Timer::Idle))
    }

    fn lifetime_deadline(&self) -> Option<(Instant, Timer)> {
        let at = self.opened?.after(self.settings.deadlines.lifetime).filter(|_| self.state == ConnState::Open)?;
        Some((at, Timer::Lifetime))
    }

    /// The deadline of the first outstanding exchange that follows from what the connection does.
    fn front_deadline(&self) -> Option<(Instant, Timer)> {
        let exchange = self.exchanges.get(*self.outstanding.front()?)?;
        if exchange.reader == Reader::Nobody {
            let since = exchange.nobody_since.max(self.turn_began);
            return Some((since.after(exchange.deadlines.drain)?, Timer::Drain));
        }
        let between = |moved: Instant| Some((moved.after(exchange.deadlines.between_octets)?, Timer::BetweenOctets));
        match self.read {
            ReadSide::Head | ReadSide::Content | ReadSide::Trailers | ReadSide::Answered => {}
            ReadSide::Idle | ReadSide::Tunnel | ReadSide::Ended => return None,
        }
        if self.is_paused() {
            return None;
        }
        match sent_at(exchange) {
            // While the send buffer is empty the caller's content is awaited, or `100 (Continue)`, which has a deadline of its own.
            None if exchange.is_leaving() && self.outbox.is_empty() => None,
            // Either direction shows that the peer is there.
            None => between(self.progress.max(self.left)),
            Some(sent) if exchange.timing.response_started.is_none() => {
                let since = sent.max(self.turn_began);
                let first_octet = since.after(exchange.deadlines.first_octet).map(|at| (at, Timer::FirstOctet));
                let stall = self.stall_deadline(exchange, since).map(|at| (at, Timer::PipelineStall));
                stall.into_iter().chain(first_octet).min_by_key(|(at, _)| *at)
            }
            // What is written behind it does not bring it on.
            Some(sent) => between(self.progress.max(sent)),
        }
    }

    /// When a request that was sent behind another one, and has been the first since `since`, counts as lost.
    fn stall_deadline(&self, exchange: &Exchange, since: Instant) -> Option<Instant> {
        let span = exchange.deadlines.pipeline_stall.filter(|_| exchange.is_behind)?;
        since.after(Some(span.max(self.longest_wait.saturating_mul(STALL_WAITS))))
    }
}

/// When the last octet of a request left.
pub(super) fn sent_at(exchange: &Exchange) -> Option<Instant> {
    exchange.timing.request_sent.map(|sent| Instant(exchange.started.0.saturating_add(sent)))
}

//! Deadlines: which one is next, and what happens when it passes.

use super::ClientConn;
use super::deadlines::TimerOrder;
use crate::incoming::{Ends, Lapse};
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Error, Timer};

impl ClientConn {
    /// The next deadline, and which one it is.
    pub fn deadline(&self) -> Option<(Instant, Timer)> {
        if self.state == ConnState::Closed {
            return None;
        }
        let of_exchanges = self.book.deadlines.first().map(|deadline| (deadline.at, deadline.timer.into()));
        let mut next = of_exchanges;
        let mut or = |other: Option<(Instant, Timer)>| {
            if other.is_some_and(|(at, _)| next.is_none_or(|(first, _)| at < first)) {
                next = other;
            }
        };
        or(self.lapse().map(|lapse| (lapse.at, lapse.timer)));
        or(self.connect_deadline().map(|at| (at, Timer::Connect)));
        or(self.idle_deadline().map(|at| (at, Timer::Idle)));
        or(self.lifetime_deadline().map(|at| (at, Timer::Lifetime)));
        next
    }

    /// Does what is due at `now`. May be called too early, without effect.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        while let Some(passed) = self.book.deadlines.take_passed(now) {
            match passed.timer {
                TimerOrder::AwaitContinue => self.proceed(passed.exchange, now),
                TimerOrder::Queue | TimerOrder::Total => {
                    self.give_up(passed.exchange, Error::TimedOut(passed.timer.into()), now);
                }
            }
            self.settle(now);
        }
        if is_due(self.connect_deadline()) {
            self.end(Error::TimedOut(Timer::Connect), now);
        }
        // One that is given up before any of it has left makes room for the next, which has waited as long.
        while let Some(lapse) = self.lapse().filter(|lapse| lapse.at <= now && self.state != ConnState::Closed) {
            match lapse.ends {
                Ends::Connection(error) => self.end(error, now),
                Ends::Exchange(id) => self.give_up(id, Error::TimedOut(lapse.timer), now),
            }
            self.settle(now);
        }
        if is_due(self.idle_deadline()) {
            self.end(Error::Closed(CloseReason::Idle), now);
        }
        if is_due(self.lifetime_deadline()) {
            self.retire(CloseReason::Lifetime, now);
        }
    }

    fn lapse(&self) -> Option<Lapse> {
        self.protocol.deadline(self.scene(Instant(0)))
    }

    fn connect_deadline(&self) -> Option<Instant> {
        let waiting = !self.is_established() && self.state != ConnState::Closed;
        self.facts.created.after(self.settings.deadlines.connect).filter(|_| waiting)
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let idle = self.is_established() && self.state == ConnState::Open && self.length() == 0;
        let span = match (self.settings.deadlines.idle, self.protocol.learnt().idle_ns) {
            (Some(own), Some(peer)) => Some(own.min(peer)),
            (own, peer) => own.or(peer),
        };
        self.idle_since.after(span).filter(|_| idle)
    }

    fn lifetime_deadline(&self) -> Option<Instant> {
        self.facts.opened?.after(self.settings.deadlines.lifetime).filter(|_| self.state == ConnState::Open)
    }
}

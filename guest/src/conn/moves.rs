//! How exchanges come onto a connection of a pool, and leave it for another one.

use super::{ClientConn, ExchangeId};
use crate::exchange::{Exchange, Hold, Reader};
use crate::failure::{ends_all, of_all_attempts};
use crate::table::Illegal;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Delivery, Error, Failure, Reuse};
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// The part of a pool in a connection.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The requests of the connection may move to other ones.
    pub(super) pooled: bool,
    /// Requests that can have no turn here, for the pool to take.
    pub(super) unsent: VecDeque<ExchangeId>,
    /// How many of these were sent before; until the pool asks.
    resent: u64,
}

/// How an outstanding exchange goes to another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// None of it has left.
    Move,
    /// It is sent again.
    Resend,
    /// It is sent again, on a connection that has carried none: it may be what ended this one.
    ResendAlone,
}

impl ClientConn {
    /// From now on, requests that have no turn any more because the connection ends are set aside: see [`take_unsent`](Self::take_unsent).
    /// `ends_after`: after so many requests the server has ended an earlier connection, and said so.
    pub fn join_pool(&mut self, ends_after: Option<u64>) {
        self.moves.pooled = true;
        self.protocol.expect_end(ends_after);
    }

    /// Ends that, since the pool is dropped: the connection closes, and every exchange that was to move fails with it.
    pub fn leave_pool(&mut self, now: Instant) {
        let reason = CloseReason::Dropped;
        self.moves.pooled = false;
        for id in core::mem::take(&mut self.moves.unsent) {
            self.fail_waiting_one(id, Error::Closed(reason), self.protocol.counts().octets_received, now);
        }
        self.close(reason, now);
    }

    /// Whether one more request that may stand beside others can leave with or behind those that it has.
    pub fn takes_beside(&self) -> bool {
        let last = self.book.queue.back().and_then(|id| self.book.exchanges.get(id));
        self.state == ConnState::Open && self.protocol.takes_beside(last, self.scene(Instant(0)))
    }

    /// Takes the last of the exchanges that were set aside.
    pub fn take_unsent(&mut self) -> Option<Box<Exchange>> {
        let id = self.moves.unsent.pop_back()?;
        self.book.clear_deadlines(id);
        let exchange = self.book.exchanges.remove(id)?;
        self.book.queued_octets = self.book.queued_octets.saturating_sub(exchange.sending.queued_octets);
        self.book.reports.changed = true;
        Some(exchange)
    }

    /// How many of its requests were set aside to be sent again since this was last asked.
    pub fn take_resent(&mut self) -> u64 {
        core::mem::take(&mut self.moves.resent)
    }

    /// Takes over an exchange; its deadlines run on. It is written if its turn has come.
    pub fn admit(&mut self, exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        self.protocol.request_waits();
        let id = self.book.enqueue(exchange, now);
        self.book.queue.push_back(id, &mut self.book.exchanges);
        self.settle(now);
        id
    }

    /// Takes an exchange out of the lists of those that have not been written.
    pub(super) fn unlist(&mut self, id: ExchangeId) {
        self.book.queue.remove(id, &mut self.book.exchanges);
        if !self.moves.unsent.is_empty() {
            self.moves.unsent.retain(|listed| *listed != id);
        }
    }

    /// May a request that never left move to another connection when this one ends with `error`? Only if this one has carried others, or
    /// was there before the request: so it comes to an end.
    pub(super) fn may_move(&self, id: ExchangeId, error: Error) -> bool {
        let was_before = || self.book.exchanges.get(id).is_some_and(|exchange| self.was_before(exchange));
        ends_all(error) && (self.protocol.counts().requests > 0 || was_before())
    }

    /// Whether the connection was established before the request was submitted: the next one will not be.
    fn was_before(&self, exchange: &Exchange) -> bool {
        self.facts.opened.is_some_and(|at| at < exchange.started)
    }

    /// Whether, and how, an exchange that was on the wire moves to another connection, in place of this failure (RFC 9110 §9.2.2).
    ///
    /// That comes to an end: every connection that ends takes one of its exchanges with it, the suspect, or has answered one before. A suspect
    /// that moves goes onto a fresh connection, which has answered none.
    pub(super) fn recovery(&self, exchange: &Exchange, is_suspect: bool, failure: &Failure) -> Option<Recovery> {
        let is_wanted = exchange.handle.reader != Reader::Nobody && exchange.handle.hold != Hold::Forgotten;
        if !self.moves.pooled || !is_wanted || exchange.is_streamed() || !ends_all(failure.error) {
            return None;
        }
        let answered = self.protocol.counts().responses > 0;
        let recovery = match failure.delivery {
            Delivery::NotSent => (answered || !is_suspect || self.was_before(exchange)).then_some(Recovery::Move),
            Delivery::Unprocessed => Some(Recovery::Resend),
            Delivery::Unanswered if !exchange.sending.checked.idempotent => None,
            Delivery::Unanswered if !is_suspect => (answered || exchange.resent == 0).then_some(Recovery::Resend),
            Delivery::Unanswered => answered.then_some(Recovery::ResendAlone),
            Delivery::ResponseStarted => None,
        };
        recovery.filter(|recovery| *recovery == Recovery::Move || exchange.has_whole_request())
    }

    /// Takes an exchange back that was on the wire, for the pool to take it to another connection, in place of this failure.
    pub(super) fn set_aside(&mut self, id: ExchangeId, recovery: Recovery, failure: Failure) {
        self.book.clear_deadlines(id);
        self.book.release_queued(id);
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        if recovery != Recovery::Move {
            exchange.resent += 1;
            // Its turn had come.
            exchange.deadlines.queue = None;
            exchange.furthest = Some(of_all_attempts(exchange.furthest, failure));
        }
        if recovery == Recovery::ResendAlone {
            exchange.sending.reuse = exchange.sending.reuse | Reuse::FRESH;
        }
        self.book.illegal |= exchange.begin_again() == Err(Illegal);
        self.book.queued_octets += exchange.sending.queued_octets;
        self.moves.resent += u64::from(recovery != Recovery::Move);
        self.moves.unsent.push_back(id);
        self.book.reports.changed = true;
    }

    /// Since when no response stands before that of this exchange; `None`: one does, or it is not on the wire.
    pub fn turn(&self, id: ExchangeId) -> Option<Instant> {
        self.protocol.turn(id)
    }

    /// How often a pool has sent the request again, and when it was submitted.
    pub fn resent(&self, id: ExchangeId) -> Option<(u32, Instant)> {
        self.book.exchanges.get(id).map(|exchange| (exchange.resent, exchange.started))
    }

    /// When it began to connect.
    pub fn created(&self) -> Instant {
        self.facts.created
    }

    /// When it was established; `None`: it is not yet.
    pub fn opened(&self) -> Option<Instant> {
        self.facts.opened
    }

    /// How long the addresses took, in nanoseconds: without the lookup, and without TLS.
    pub fn connecting_took(&self) -> u64 {
        self.facts.connected.unwrap_or(0).saturating_sub(self.facts.resolved.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::tests::request;
    use crate::settings::Settings;
    use crate::types::RequestContent;
    use alloc::string::String;

    #[test]
    fn an_exchange_that_was_to_move_ends_when_its_pool_is_dropped_first() {
        let settings = Settings::checked(None).expect("the defaults");
        let mut conn = ClientConn::new(1, String::from("h"), settings, Instant(0));
        let request = request("GET", RequestContent::None);
        let id = conn.send(request, 1, Instant(0)).expect("room");
        conn.book.queue.remove(id, &mut conn.book.exchanges);
        conn.moves.unsent.push_back(id);
        conn.state = ConnState::Closed;
        conn.leave_pool(Instant(0));
        let failure = conn.head(id).expect_err("nobody takes the exchange any more");
        assert_eq!((failure.error, failure.delivery), (Error::Closed(CloseReason::Dropped), Delivery::NotSent));
    }
}

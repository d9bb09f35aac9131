//! How exchanges move between the connections of a pool, and its waiting lines, which are connections that are never established.

use super::{ClientConn, ExchangeId};
use crate::exchange::{Exchange, Hold, Reader, RequestHalf, asks};
use crate::failure::{Place, ends_all, of_all_attempts};
use crate::incoming::Progress;
use crate::settings::Settings;
use crate::slab::Id;
use crate::table::Illegal;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Delivery, Error, Failure, Request, Reuse, Timer};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

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

/// Which of the requests that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// All of them.
    All,
    /// Those that need a connection that has carried none.
    Fresh,
    /// The others.
    NotFresh,
}

impl Waiting {
    fn includes(self, exchange: &Exchange) -> bool {
        let fresh = asks(exchange.sending.reuse, Reuse::FRESH);
        match self {
            Waiting::All => true,
            Waiting::Fresh => fresh,
            Waiting::NotFresh => !fresh,
        }
    }
}

/// How many requests that need a fresh connection others pass by: so looking for the others costs the same, however many wait.
const PASSED_MAX: usize = 256;

/// The id of a waiting line: of no connection.
const LINE: u64 = 0;

impl ClientConn {
    /// A waiting line for requests to this authority. `settings` are those of the connections.
    pub fn line(authority: String, mut settings: Settings, now: Instant) -> ClientConn {
        settings.deadlines.connect = None;
        settings.limits.queue_length_max = usize::MAX;
        settings.limits.requests_max = u64::MAX;
        settings.log_entries_max = 0;
        ClientConn::new(LINE, authority, settings, now)
    }

    pub(super) fn is_line(&self) -> bool {
        self.id == LINE
    }

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
            self.fail_waiting_one(id, Error::Closed(reason), self.protocol.octets_received(), now);
        }
        self.close(reason, now);
    }

    /// Whether one more request that may stand beside others can leave with or behind those that it has.
    pub fn takes_beside(&self) -> bool {
        if self.length() > 0 && self.is_ready() {
            return true;
        }
        // A request that waits for the look at an idle connection takes others with it.
        let last = self.book.queue.back().and_then(|id| self.book.exchanges.get(id));
        self.state == ConnState::Open
            && last.is_some_and(|last| self.protocol.gathers(last, self.book.queue.len(), &self.settings))
    }

    /// Names the job that an exchange carries out.
    pub fn assign(&mut self, id: ExchangeId, job: Id) {
        if let Some(exchange) = self.book.exchanges.get_mut(id) {
            exchange.job = Some(job);
        }
    }

    /// The first request that waits, among so many in front as may be passed by.
    pub fn waiting(&self, whom: Waiting) -> Option<(ExchangeId, &Exchange)> {
        let mut listed = self.book.queue.ids().take(PASSED_MAX).filter_map(|id| Some((id, self.book.exchanges.get(id)?)));
        listed.find(|(_, exchange)| exchange.is_queued && whom.includes(exchange))
    }

    /// Takes an exchange away whose turn has not come.
    pub fn withdraw(&mut self, id: ExchangeId) -> Option<Box<Exchange>> {
        let waits = |exchange: &&Exchange| exchange.sending.half == RequestHalf::Queued && !exchange.has_ended();
        self.book.exchanges.get(id).filter(waits)?;
        self.book.clear_deadlines(id);
        self.unlist(id);
        let exchange = self.book.exchanges.remove(id)?;
        self.book.queued_octets = self.book.queued_octets.saturating_sub(exchange.sending.queued_octets);
        self.book.reports.changed = true;
        Some(exchange)
    }

    /// Takes the last of the exchanges that were set aside.
    pub fn take_unsent(&mut self) -> Option<Box<Exchange>> {
        let id = self.moves.unsent.pop_back()?;
        self.withdraw(id)
    }

    /// How many of its requests were set aside to be sent again since this was last asked.
    pub fn take_resent(&mut self) -> u64 {
        core::mem::take(&mut self.moves.resent)
    }

    /// Takes over an exchange that was withdrawn elsewhere; its deadlines run on. It is written if its turn has come.
    pub fn admit(&mut self, mut exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        exchange.in_ready_list = false;
        let id = self.enqueue(exchange, now);
        self.book.queue.push_back(id, &mut self.book.exchanges);
        self.settle(now);
        id
    }

    /// The same, in front of all others; nothing is written.
    pub fn admit_first(&mut self, mut exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        exchange.in_ready_list = false;
        let id = self.enqueue(exchange, now);
        self.book.queue.push_front(id, &mut self.book.exchanges);
        id
    }

    /// `send_collected` for a request that is sent again: it was submitted at `started`, and waits in front of all others.
    pub fn send_again(
        &mut self,
        request: Request,
        token: u64,
        octets_max: u64,
        started: Instant,
        now: Instant,
    ) -> Result<ExchangeId, Failure> {
        let mut exchange = self.collected(request, token, octets_max, now)?;
        exchange.started = started;
        Ok(self.admit_first(exchange, now))
    }

    /// `poll.submit`, into a waiting line. `collects`: the most octets of content that are collected; `None`: the caller reads.
    pub fn submit(&mut self, request: Request, token: u64, collects: Option<u64>, now: Instant) -> Result<ExchangeId, Failure> {
        let exchange = match collects {
            Some(octets_max) => self.collected(request, token, octets_max, now)?,
            None => self.checked(request, token, now)?,
        };
        let ahead = asks(exchange.sending.reuse, Reuse::AHEAD);
        let id = self.enqueue(exchange, now);
        match ahead {
            true => self.book.queue.push_ahead(id, &mut self.book.exchanges),
            false => self.book.queue.push_back(id, &mut self.book.exchanges),
        }
        Ok(id)
    }

    /// Fails requests that wait, for what has happened to this connection; 0: to none.
    pub fn fail_waiting(&mut self, whom: Waiting, error: Error, connection: u64, now: Instant) {
        let is_meant =
            |id: &ExchangeId| self.book.exchanges.get(*id).is_some_and(|exchange| exchange.is_queued && whom.includes(exchange));
        let meant: Vec<ExchangeId> = self.book.queue.ids().filter(is_meant).collect();
        for id in meant {
            self.book.queue.remove(id, &mut self.book.exchanges);
            let Some(exchange) = self.book.exchanges.get(id) else { continue };
            let place = Place { connection, ..self.place(error, 0) };
            let failure = place.failure(error, exchange, Delivery::NotSent, Progress::default());
            self.book.fail(id, failure, None, now);
            self.drop_if_forgotten(id);
        }
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
        ends_all(error) && (self.protocol.requests() > 0 || was_before())
    }

    /// Whether the connection was established before the request was submitted: the next one will not be.
    fn was_before(&self, exchange: &Exchange) -> bool {
        self.facts.opened.is_some_and(|at| at < exchange.started)
    }

    /// Whether, and how, an exchange that was on the wire moves to another connection, in place of this failure (RFC 9112 §9.3.1, §9.3.2).
    ///
    /// That comes to an end: every connection that ends takes the first of its exchanges with it, or has answered one before. A first one
    /// that moves goes onto a fresh connection, which has answered none.
    pub(super) fn recovery(&self, exchange: &Exchange, is_first: bool, failure: &Failure) -> Option<Recovery> {
        let is_wanted = exchange.handle.reader != Reader::Nobody && exchange.handle.hold != Hold::Forgotten;
        if !self.moves.pooled || !is_wanted || exchange.is_streamed() || !ends_all(failure.error) {
            return None;
        }
        let is_behind = !is_first || failure.error == Error::TimedOut(Timer::PipelineStall);
        let answered = self.protocol.responses() > 0;
        let recovery = match failure.delivery {
            Delivery::NotSent => (answered || !is_first || self.was_before(exchange)).then_some(Recovery::Move),
            Delivery::Unprocessed => Some(Recovery::Resend),
            Delivery::Unanswered if !exchange.sending.checked.idempotent => None,
            Delivery::Unanswered if is_behind => (answered || exchange.resent == 0).then_some(Recovery::Resend),
            Delivery::Unanswered => answered.then_some(Recovery::ResendAlone),
            Delivery::ResponseStarted => None,
        };
        recovery.filter(|recovery| *recovery == Recovery::Move || exchange.has_whole_request())
    }

    /// Takes an exchange back that was on the wire, for the pool to take it to another connection, in place of this failure.
    pub(super) fn set_aside(&mut self, id: ExchangeId, recovery: Recovery, failure: Failure) {
        self.book.clear_deadlines(id);
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
    use crate::types::{RequestContent, RequestOptions};

    fn request(reuse: Reuse) -> Request {
        Request {
            method: String::from("GET"),
            request_target: String::from("/"),
            authority: None,
            fields: Vec::new(),
            content: RequestContent::None,
            options: Some(RequestOptions { reuse, ..RequestOptions::default() }),
        }
    }

    fn line(fresh: usize) -> ClientConn {
        let settings = Settings::checked(None).expect("the defaults");
        let mut line = ClientConn::line(String::from("h"), settings, Instant(0));
        for reuse in core::iter::repeat_n(Reuse::FRESH, fresh).chain([Reuse::empty()]) {
            line.send(request(reuse), 0, Instant(0)).expect("room");
        }
        line
    }

    #[test]
    fn so_many_that_need_a_fresh_connection_are_passed_by_and_no_more() {
        for (fresh, passes) in [(0, true), (1, true), (PASSED_MAX - 1, true), (PASSED_MAX, false)] {
            let line = line(fresh);
            assert_eq!(line.waiting(Waiting::NotFresh).is_some(), passes, "{fresh}");
            assert_eq!(line.waiting(Waiting::Fresh).is_some(), fresh > 0);
            assert!(line.waiting(Waiting::All).is_some());
        }
    }

    #[test]
    fn requests_that_are_ahead_stand_before_the_others_in_their_own_order() {
        let mut line = line(0);
        for (token, reuse) in [(1, Reuse::empty()), (2, Reuse::AHEAD), (3, Reuse::empty()), (4, Reuse::AHEAD)] {
            line.submit(request(reuse), token, None, Instant(0)).expect("room");
        }
        let exchanges = line.book.queue.ids().filter_map(|id| line.book.exchanges.get(id));
        assert_eq!(exchanges.map(|exchange| exchange.token).collect::<Vec<_>>(), [2, 4, 0, 1, 3]);
    }

    #[test]
    fn a_request_that_is_ahead_stands_behind_earlier_ones_also_where_one_between_them_has_left() {
        let mut line = line(0);
        let submitted: Vec<ExchangeId> =
            (1..=3).map(|token| line.submit(request(Reuse::AHEAD), token, None, Instant(0)).expect("room")).collect();
        line.forget(submitted[1], Instant(0));
        line.submit(request(Reuse::AHEAD), 4, None, Instant(0)).expect("room");
        let waiting = line.book.queue.ids().filter_map(|id| line.book.exchanges.get(id)).filter(|exchange| exchange.is_queued);
        assert_eq!(waiting.map(|exchange| exchange.token).collect::<Vec<_>>(), [1, 3, 4, 0]);
    }

    #[test]
    fn an_exchange_that_was_to_move_ends_when_its_pool_is_dropped_first() {
        let mut line = line(0);
        let id = line.submit(request(Reuse::empty()), 1, None, Instant(0)).expect("room");
        line.book.queue.remove(id, &mut line.book.exchanges);
        line.moves.unsent.push_back(id);
        line.state = ConnState::Closed;
        line.leave_pool(Instant(0));
        let failure = line.head(id).expect_err("nobody takes the exchange any more");
        assert_eq!((failure.error, failure.delivery), (Error::Closed(CloseReason::Dropped), Delivery::NotSent));
    }
}

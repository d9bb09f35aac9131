//! What a pool asks of its connections, and of its waiting lines, which are connections that are never established.

use super::{Break, ClientConn, ExchangeId};
use crate::exchange::{Exchange, Reader, RequestHalf, asks};
use crate::failure::of_all_attempts;
use crate::h1::state::ReadSide;
use crate::settings::Settings;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{CloseReason, ConnState, Delivery, Error, HttpVersion, PersistenceLearnt, Request, Reuse, Timer};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

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
        let fresh = asks(exchange.reuse, Reuse::FRESH);
        match self {
            Waiting::All => true,
            Waiting::Fresh => fresh,
            Waiting::NotFresh => !fresh,
        }
    }
}

/// A request was lost in a pipeline.
const STALL: Error = Error::TimedOut(Timer::PipelineStall);

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
        self.pooled = true;
        self.ends_after = ends_after;
    }

    /// Ends that.
    pub fn leave_pool(&mut self) {
        self.pooled = false;
        for id in core::mem::take(&mut self.unsent) {
            self.queue.push_back(id, &mut self.exchanges);
        }
    }

    /// Whether one more request that may be pipelined can leave with or behind those that it has.
    pub fn takes_pipelined(&self) -> bool {
        // A request that waits for the look at an idle connection takes others with it.
        let last = self.queue.back().and_then(|id| self.exchanges.get(id));
        let beside = last.is_some_and(|last| last.pipelines && !last.holds_pipeline && !asks(last.reuse, Reuse::FORBID));
        let gathers = self.wants_look() && beside && self.queue.len() < self.settings.pipeline_depth_max;
        let open = self.established && self.state == ConnState::Open && self.peer_requests_left.is_none();
        (self.length() > 0 && self.is_ready()) || (gathers && open && self.known == PersistenceLearnt::Pipelining)
    }

    /// Names the job that an exchange carries out.
    pub fn assign(&mut self, id: ExchangeId, job: Id) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.job = Some(job);
        }
    }

    /// The first request that waits, among so many in front as may be passed by.
    pub fn waiting(&self, whom: Waiting) -> Option<(ExchangeId, &Exchange)> {
        let mut listed = self.queue.ids().take(PASSED_MAX).filter_map(|id| Some((id, self.exchanges.get(id)?)));
        listed.find(|(_, exchange)| exchange.is_queued && whom.includes(exchange))
    }

    /// Takes an exchange away whose turn has not come.
    pub fn withdraw(&mut self, id: ExchangeId) -> Option<Box<Exchange>> {
        self.exchanges.get(id).filter(|exchange| exchange.sending == RequestHalf::Queued && !exchange.has_ended())?;
        self.clear_deadlines(id);
        self.unlist(id);
        let exchange = self.exchanges.remove(id)?;
        self.queued_octets = self.queued_octets.saturating_sub(exchange.queued_octets);
        self.changed = true;
        Some(exchange)
    }

    /// Takes the last of the exchanges that were set aside.
    pub fn take_unsent(&mut self) -> Option<Box<Exchange>> {
        let id = *self.unsent.back()?;
        self.unsent.pop_back();
        self.withdraw(id)
    }

    /// How many of its requests were set aside to be sent again since this was last asked.
    pub fn take_resent(&mut self) -> u64 {
        core::mem::take(&mut self.resent)
    }

    /// Takes over an exchange that was withdrawn elsewhere; its deadlines run on. It is written if its turn has come.
    pub fn admit(&mut self, mut exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        exchange.in_ready_list = false;
        let id = self.enqueue(exchange, now);
        self.queue.push_back(id, &mut self.exchanges);
        self.dispatch(now);
        id
    }

    /// The same, in front of all others; nothing is written.
    pub fn admit_first(&mut self, mut exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        exchange.in_ready_list = false;
        let id = self.enqueue(exchange, now);
        self.queue.push_front(id, &mut self.exchanges);
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
    ) -> Result<ExchangeId, crate::types::Failure> {
        let mut exchange = self.collected(request, token, octets_max, now)?;
        exchange.started = started;
        Ok(self.admit_first(exchange, now))
    }

    /// Fails requests that wait, for what has happened to this connection; 0: to none.
    pub fn fail_waiting(&mut self, whom: Waiting, error: Error, connection: u64, now: Instant) {
        self.failed_for = connection;
        match whom {
            Waiting::All => self.fail_queued(error, now),
            Waiting::Fresh | Waiting::NotFresh => {
                let meant: Vec<ExchangeId> = self.queue.ids().filter(|id| self.is_meant(whom, *id)).collect();
                for id in meant {
                    self.queue.remove(id, &mut self.exchanges);
                    self.fail_exchange(id, error, now);
                }
            }
        }
        self.failed_for = LINE;
    }

    fn is_meant(&self, whom: Waiting, id: ExchangeId) -> bool {
        self.exchanges.get(id).is_some_and(|exchange| exchange.is_queued && whom.includes(exchange))
    }

    /// Takes an exchange out of the lists of those that have not been written.
    pub(super) fn unlist(&mut self, id: ExchangeId) {
        self.queue.remove(id, &mut self.exchanges);
        strike(&mut self.unsent, id);
    }

    /// May a request that never left move to another connection when this one ends with `error`? Only if this one has carried others, or
    /// was there before the request: so it comes to an end.
    pub(super) fn may_move(&self, id: ExchangeId, error: Error) -> bool {
        let comes_to_an_end = self.requests > 0 || self.exchanges.get(id).is_some_and(|exchange| self.was_before(exchange));
        comes_to_an_end && ends_all(error)
    }

    /// Whether the connection was established before the request was submitted: the next one will not be.
    fn was_before(&self, exchange: &Exchange) -> bool {
        self.opened.is_some_and(|at| at < exchange.started)
    }

    /// Whether, and how, an outstanding exchange moves to another connection when this one ends with `error` (RFC 9112 §9.3.1, §9.3.2).
    ///
    /// That comes to an end: every connection that ends takes the first of its exchanges with it, or has answered one before. A first one
    /// that moves goes onto a fresh connection, which has answered none.
    pub(super) fn recovery(&self, id: ExchangeId, position: usize, error: Error, delivery: Delivery) -> Option<Recovery> {
        let exchange = self.exchanges.get(id).filter(|exchange| self.pooled && exchange.reader != Reader::Nobody)?;
        if exchange.is_streamed() || exchange.forgotten || !ends_all(error) {
            return None;
        }
        let stalled = error == STALL;
        let answered = self.responses > 0;
        let recovery = match delivery {
            Delivery::NotSent => (answered || position > 0 || self.was_before(exchange)).then_some(Recovery::Move),
            Delivery::Unprocessed => Some(Recovery::Resend),
            Delivery::Unanswered if !exchange.plan.idempotent => None,
            Delivery::Unanswered if position > 0 || stalled => (answered || exchange.resent == 0).then_some(Recovery::Resend),
            Delivery::Unanswered => answered.then_some(Recovery::ResendAlone),
            Delivery::ResponseStarted => None,
        };
        recovery.filter(|recovery| *recovery == Recovery::Move || exchange.has_whole_request())
    }

    /// Takes an outstanding exchange back, for the pool to take it to another connection.
    pub(super) fn set_aside(&mut self, id: ExchangeId, recovery: Recovery, error: Error, delivery: Delivery) {
        self.clear_deadlines(id);
        if recovery == Recovery::Move {
            self.recover_request(id);
        }
        let failure = self.failure(id, error, delivery);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        if recovery != Recovery::Move {
            exchange.resent += 1;
            // Its turn had come.
            exchange.deadlines.queue = None;
            exchange.furthest = Some(of_all_attempts(exchange.furthest, failure));
        }
        if recovery == Recovery::ResendAlone {
            exchange.reuse = exchange.reuse | Reuse::FRESH;
        }
        exchange.begin_again();
        self.resent += u64::from(recovery != Recovery::Move);
        self.unsent.push_back(id);
        self.changed = true;
    }

    /// Notes that the connection ends, before all requests of a pipeline are answered.
    pub(super) fn note_break(&mut self, error: Error, declared: bool) {
        let pipelined = self.outstanding.len() > 1 || error == STALL;
        if !pipelined || by_caller(error) {
            return;
        }
        self.broke.get_or_insert(match error {
            STALL => Break::Stalled,
            // The response that came early, or that nobody wanted, is no fault of the pipeline.
            Error::Closed(CloseReason::EarlyResponse | CloseReason::Abandoned | CloseReason::LocalOption) => Break::Declared,
            _ if declared => Break::Declared,
            _ => Break::Undeclared,
        });
    }

    /// Octets of the response that is being received that are to come, as far as its length was declared.
    pub fn response_octets_left(&self) -> u64 {
        if self.read == ReadSide::Content { self.content_left } else { 0 }
    }

    /// What has been learnt about persistence.
    pub fn persistence_learnt(&self) -> PersistenceLearnt {
        self.known
    }

    /// The version of the last response.
    pub fn version(&self) -> Option<HttpVersion> {
        self.version
    }
}

/// Takes an exchange out of a list, where it mostly stands in front.
pub(super) fn strike(list: &mut VecDeque<ExchangeId>, id: ExchangeId) {
    match list.front() == Some(&id) {
        true => drop(list.pop_front()),
        false => list.retain(|listed| *listed != id),
    }
}

/// Is this the end of a connection with all that it carries, and not the wish of the caller?
fn ends_all(error: Error) -> bool {
    !by_caller(error) && !matches!(error, Error::ApiMisuse(_) | Error::Denied(_) | Error::Internal)
}

fn by_caller(error: Error) -> bool {
    matches!(error, Error::Closed(CloseReason::Cancelled | CloseReason::Local | CloseReason::Dropped | CloseReason::Taken))
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
            options: Some(RequestOptions { reuse: Some(reuse), ..RequestOptions::default() }),
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
}

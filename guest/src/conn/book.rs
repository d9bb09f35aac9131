//! The exchanges of a connection, wherever they are: those that wait, and what callers have yet to be told.

use super::deadlines::{DeadlineTable, TimerOrder};
use super::queue::Queue;
use crate::exchange::{Exchange, ExchangeId, Exchanges, Hold, Reader, RequestInput, ResponseHalf, ResponseInput};
use crate::failure::{Place, of_all_attempts};
use crate::incoming::Scene;
use crate::log::Log;
use crate::settings::Settings;
use crate::table::Illegal;
use crate::timer::Instant;
use crate::types::{Failure, LogEvent};
use crate::wit::client::Readiness;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Entries of the list of exchanges to report that may be stale before it is tidied.
const READY_SPARE: usize = 64;

/// Reports that nobody has taken.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Exchanges that may have something to report; each stands here once.
    pub(super) ready: VecDeque<ExchangeId>,
    /// Exchanges for `poll.completions` that have ended.
    pub(super) completed: VecDeque<ExchangeId>,
    /// The state or the length of the connection has changed.
    pub(super) changed: bool,
}

/// All exchanges.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) exchanges: Exchanges,
    /// Requests to write, in the order of `send`.
    pub(super) queue: Queue,
    /// Octets of their contents.
    pub(super) queued_octets: u64,
    /// Content held for callers.
    pub(super) unread: usize,
    pub(super) deadlines: DeadlineTable,
    pub(super) reports: Reports,
    pub(super) log: Log,
    /// A table had no step.
    pub(super) illegal: bool,
}

impl Book {
    pub(super) fn new(log: Log) -> Book {
        Book {
            exchanges: Exchanges::default(),
            queue: Queue::default(),
            queued_octets: 0,
            unread: 0,
            deadlines: DeadlineTable::default(),
            reports: Reports::default(),
            log,
            illegal: false,
        }
    }

    /// The connection as a protocol sees it.
    pub(super) fn scene<'a>(&'a self, settings: &'a Settings, now: Instant) -> Scene<'a> {
        Scene { exchanges: &self.exchanges, settings, queued: self.queue.len(), unread: self.unread, now }
    }

    /// Takes over an exchange whose turn is to come; it still has to be put into the queue.
    pub(super) fn enqueue(&mut self, exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        self.queued_octets += exchange.sending.queued_octets;
        if let Some(request) = &exchange.sending.request {
            let what = || LogEvent::Queued((request.method.clone(), request.request_target.clone()));
            self.log.add(now, Some(exchange.token), what);
        }
        let ends = exchange.ends();
        let id = self.exchanges.insert_boxed(exchange);
        self.deadlines.add(id, ends);
        self.reports.changed = true;
        id
    }

    /// Moves the request half of an exchange.
    pub(super) fn request_input(&mut self, id: ExchangeId, input: RequestInput) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            self.illegal |= exchange.sending.input(input) == Err(Illegal);
        }
    }

    /// Moves the response half of an exchange.
    pub(super) fn response_input(&mut self, id: ExchangeId, input: ResponseInput) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            self.illegal |= exchange.receiving.input(input) == Err(Illegal);
        }
    }

    /// The exchange, or the failure that it, or its absence, is.
    pub(super) fn live(&mut self, id: ExchangeId, place: Place) -> Result<&mut Exchange, Failure> {
        let exchange = self.exchanges.get_mut(id).ok_or_else(|| place.absent())?;
        match exchange.tell_failure() {
            Some(failure) => Err(failure),
            None => Ok(exchange),
        }
    }

    /// The exchange may have something to report.
    pub(super) fn mark(&mut self, id: ExchangeId) {
        let ready = &mut self.reports.ready;
        if let Some(exchange) = self.exchanges.get_mut(id)
            && !exchange.in_ready_list
        {
            exchange.in_ready_list = true;
            ready.push_back(id);
        }
        // Without a poll nobody takes them from here.
        if ready.len() > READY_SPARE + 2 * self.exchanges.count() {
            ready.retain(|id| self.exchanges.get(*id).is_some());
        }
    }

    /// Reports exchanges that are ready: see `ClientConn::take_ready`.
    pub(super) fn take_ready(&mut self, events_max: usize, room: bool, mut event: impl FnMut(u64, Readiness)) -> usize {
        let ready_list = &mut self.reports.ready;
        let mut given = 0;
        for _ in 0..ready_list.len() {
            if given == events_max {
                break;
            }
            let Some(id) = ready_list.pop_front() else { break };
            let Some(exchange) = self.exchanges.get_mut(id) else { continue };
            let ready = exchange.readiness(room);
            exchange.in_ready_list = ready != Readiness::empty();
            if exchange.in_ready_list {
                event(exchange.token, ready);
                ready_list.push_back(id);
                given += 1;
            }
        }
        given
    }

    /// Fails an exchange; `content`: what is left of a request of which nothing has left.
    pub(super) fn fail(&mut self, id: ExchangeId, failure: Failure, content: Option<Vec<u8>>, now: Instant) {
        self.clear_deadlines(id);
        self.release_queued(id);
        let Some(exchange) = self.exchanges.get_mut(id).filter(|exchange| exchange.receiving.half != ResponseHalf::Failed) else {
            return;
        };
        let failure = of_all_attempts(exchange.furthest, failure);
        self.illegal |= exchange.fail(failure, content) == Err(Illegal);
        self.log.add(now, Some(exchange.token), || LogEvent::Failed(failure));
        if matches!(exchange.handle.reader, Reader::Completion(_)) && exchange.handle.hold != Hold::Forgotten {
            self.reports.completed.push_back(id);
        }
        self.reports.changed = true;
        self.mark(id);
    }

    /// The content of a request no longer waits for its turn.
    pub(super) fn release_queued(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            let released = core::mem::take(&mut exchange.sending.queued_octets);
            self.queued_octets = self.queued_octets.saturating_sub(released);
        }
    }

    /// Content is not held for a caller any more.
    pub(super) fn release_unread(&mut self, octets: usize) {
        self.unread = self.unread.saturating_sub(octets);
    }

    pub(super) fn clear_deadlines(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        self.deadlines.remove(id, exchange.ends());
        if let Some(since) = exchange.sending.continue_since {
            self.deadlines.clear(id, TimerOrder::AwaitContinue, since.after(exchange.deadlines.await_continue));
        }
    }
}

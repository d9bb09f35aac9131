//! Requests of the pool: what becomes of them wherever they are.

use crate::conn::{Completed, ExchangeId};
use crate::driver::Shared;
use crate::exchange::{Exchange, asks};
use crate::failure;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{Error, Failure, PackedCompletion, Request, Reuse, Timer};
use crate::wit;
use alloc::boxed::Box;
use alloc::rc::Rc;

/// A request of the pool.
#[derive(Debug)]
pub(super) struct Job<L> {
    /// The caller's number for it.
    pub(super) token: u64,
    /// Where it goes.
    pub(super) origin: Id,
    /// Its place among all requests of the pool, in the order in which they were submitted; the first has 1.
    pub(super) number: u64,
    /// When it was submitted.
    pub(super) started: Instant,
    /// The response is collected, with at most so many octets of content, and reported in a completion.
    pub(super) collects: Option<u64>,
    /// Kept only when it may, and can, be sent again: a streamed content is gone.
    pub(super) request: Option<Request>,
    /// How often it was sent again because the caller allows that.
    pub(super) retries: u32,
    /// How often the attempts before the last one were sent again by themselves.
    pub(super) resent: u32,
    /// How the attempt failed that got furthest, when it was sent again.
    pub(super) furthest: Option<Failure>,
    /// The call of `poll.cancel-all` that has named it; 0: none has.
    pub(super) given_up: u64,
    /// Where its exchange is.
    pub(super) seat: Seat<L>,
}

impl<L> Job<L> {
    /// A request that has just been submitted: with this token, to this origin, as the `number`-th. `collects`, `request`: see the fields.
    pub(super) fn new(
        token: u64,
        origin: Id,
        number: u64,
        started: Instant,
        collects: Option<u64>,
        request: Option<Request>,
    ) -> Job<L> {
        Job {
            token,
            origin,
            number,
            started,
            collects,
            request,
            retries: 0,
            resent: 0,
            furthest: None,
            given_up: 0,
            seat: Seat::Nowhere,
        }
    }

    /// It is sent again after this.
    pub(super) fn retry(&mut self, failed: Failure, resent: u32) {
        self.retries += 1;
        self.resent = self.resent.saturating_add(resent);
        self.furthest = Some(self.of_all_attempts(failed));
    }

    /// The failure of the last attempt, with the delivery of the one that got furthest.
    pub(super) fn of_all_attempts(&self, last: Failure) -> Failure {
        failure::of_all_attempts(self.furthest, last)
    }

    /// Its exchange, while no connection has it.
    pub(super) fn waiting(&self) -> Option<&Exchange> {
        if let Seat::Line(exchange) = &self.seat { Some(exchange) } else { None }
    }

    /// Its exchange, while no connection has it.
    pub(super) fn waiting_mut(&mut self) -> Option<&mut Exchange> {
        if let Seat::Line(exchange) = &mut self.seat { Some(exchange) } else { None }
    }

    /// Where it stands among the requests that wait, with this exchange: in the order of submission, and those that are ahead first.
    pub(super) fn rank(&self, exchange: &Exchange) -> u64 {
        if asks(exchange.sending.reuse, Reuse::AHEAD) { 0 } else { self.number }
    }

    /// The connection that has its exchange.
    pub(super) fn on_connection(&self) -> Option<(Shared<L>, ExchangeId)> {
        if let Seat::Connection(shared, exchange) = &self.seat { Some((Rc::clone(shared), *exchange)) } else { None }
    }
}

/// Where the exchange of a request is.
#[derive(Debug)]
pub(super) enum Seat<L> {
    /// In the line of its origin; or out of it again, if the exchange has failed before a connection had it.
    Line(Box<Exchange>),
    /// On this connection.
    Connection(Shared<L>, ExchangeId),
    /// The last exchange has failed, and the next one has yet to come into the line.
    Nowhere,
}

/// Is a collected request that failed sent again: may it be, is it there, and within the limit? The time `total` is the time of all attempts.
pub(super) fn is_repeated<L>(job: &Job<L>, completed: &Completed, retries_max: u32) -> bool {
    let Err(failed) = &completed.outcome else { return false };
    failed.error != Error::TimedOut(Timer::Total)
        && job.retries < retries_max
        && job.request.is_some()
        && failure::may_repeat(failed, completed.idempotent)
}

/// The completion of a request that never came onto a connection.
pub(super) fn refused(token: u64, failure: Failure) -> PackedCompletion {
    let connection = failure.connection;
    PackedCompletion { token, outcome: Err(failure), connection, retries: 0, timing: wit::NO_TIMING }
}

/// The completion of an exchange that has ended.
pub(super) fn completion(completed: Completed, connection: u64, retries: u32) -> PackedCompletion {
    let Completed { token, outcome, timing, resent, .. } = completed;
    PackedCompletion { token, outcome, connection, retries: retries.saturating_add(resent), timing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::line;
    use crate::request;
    use crate::slab::Slab;
    use crate::types::{CloseReason, RequestContent};

    #[test]
    fn a_collected_request_is_sent_again_within_its_time_and_its_retries() {
        let request = request::tests::request("GET", RequestContent::None);
        let origin = Slab::default().insert(());
        let mut job: Job<()> = Job::new(1, origin, 1, Instant(0), Some(1), Some(request));
        let failed = |error| Completed {
            token: 1,
            job: None,
            outcome: Err(line::refused(error)),
            timing: wit::NO_TIMING,
            idempotent: true,
            resent: 0,
        };
        let (ended, late) = (Error::Closed(CloseReason::PeerEnded), Error::TimedOut(Timer::Total));
        assert!(is_repeated(&job, &failed(ended), 1) && is_repeated(&job, &failed(Error::TimedOut(Timer::FirstOctet)), 1));
        assert!(failure::may_repeat(&line::refused(late), true) && !is_repeated(&job, &failed(late), 1));
        job.retry(line::refused(ended), 0);
        assert!(!is_repeated(&job, &failed(ended), 1));
    }
}

//! Requests of the pool: what becomes of them wherever they are.

use super::Poll;
use crate::conn::{Completed, ExchangeId};
use crate::driver::{Driver, Shared};
use crate::failure;
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{Error, Failure, PackedCompletion, Request, Timer};
use crate::wit::{
    self,
    client::{ExchangeInfo, Readiness},
};
use alloc::rc::{Rc, Weak};
use core::cell::RefCell;

/// A request of the pool.
#[derive(Debug)]
pub(super) struct Job<L> {
    /// The caller's number for it.
    pub(super) token: u64,
    /// Where it goes.
    pub(super) origin: Id,
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
    /// `poll.cancel-all` has named it.
    pub(super) given_up: bool,
    /// The member that has its exchange.
    pub(super) place: (Id, ExchangeId),
    /// Where its ticket finds the exchange.
    pub(super) seat: Weak<RefCell<Seat<L>>>,
}

impl<L> Job<L> {
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

    /// Its exchange is now on this member.
    pub(super) fn move_to(&mut self, member: Id, shared: &Shared<L>, exchange: ExchangeId) {
        self.place = (member, exchange);
        if let Some(seat) = self.seat.upgrade() {
            *seat.borrow_mut() = (Rc::clone(shared), exchange);
        }
    }
}

/// An exchange, and where it is.
pub type Seat<L> = (Shared<L>, ExchangeId);

/// The caller's hold on a request of the pool, wherever it moves. Dropping it cancels the request, unless it is collected.
#[derive(Debug)]
pub struct Ticket<N: Network> {
    pub(super) poll: Weak<RefCell<Poll<N>>>,
    pub(super) job: Id,
    pub(super) seat: Rc<RefCell<Seat<N::Link>>>,
}

impl<N: Network> Ticket<N> {
    /// The connection, or waiting line, that has the exchange now.
    pub fn seat(&self) -> Seat<N::Link> {
        let seat = self.seat.borrow();
        (Rc::clone(&seat.0), seat.1)
    }

    /// The poll, while it lives.
    pub fn poll(&self) -> Option<Rc<RefCell<Poll<N>>>> {
        self.poll.upgrade()
    }

    /// `send.info`.
    pub fn info(&self) -> ExchangeInfo {
        let (shared, id) = self.seat();
        info(&shared.borrow(), id)
    }

    /// `send.want`.
    pub fn want(&self, wanted: Readiness) {
        let (shared, id) = self.seat();
        let mut driver = shared.borrow_mut();
        driver.conn.want(id, wanted);
        driver.flag();
        drop(driver);
        if let Some(poll) = self.poll() {
            poll.borrow_mut().take_in(self.job, &shared);
        }
    }

    /// Brings the poll up to date with what has failed: afterwards the request is where it waits to be sent again, if it is.
    pub fn heed_failed(&self, now: Instant) {
        if let Some(poll) = self.poll() {
            poll.borrow_mut().heed_failed(now);
        }
    }

    /// Gives the request up, as `send` is dropped.
    pub fn forget(&self, now: Instant) {
        let (shared, id) = self.seat();
        let mut driver = shared.borrow_mut();
        driver.conn.forget(id, now);
        driver.heed_wish();
        drop(driver);
        if let Some(poll) = self.poll() {
            poll.borrow_mut().forget_job(self.job);
        }
    }
}

/// `send.info` of an exchange on this connection, or in this line.
pub fn info<L>(driver: &Driver<L>, id: ExchangeId) -> ExchangeInfo {
    let conn = &driver.conn;
    let (retries, started) = conn.resent(id).unwrap_or_default();
    let turn = conn.turn(id).map(|turn| turn.since(started));
    ExchangeInfo { connection: driver.link.is_some().then(|| conn.info()), retries, turn }
}

/// May a collected request that failed be sent again? Not when its own time has passed.
pub(super) fn may_repeat<L>(job: &Job<L>, completed: &Completed, retries_max: u32) -> bool {
    let Err(failed) = &completed.outcome else { return false };
    let in_time = failed.error != Error::TimedOut(Timer::Total);
    job.retries < retries_max && job.request.is_some() && in_time && failure::may_repeat(failed, completed.idempotent)
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

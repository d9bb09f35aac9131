//! The pool of a poll: origins, their requests, and room for connections.

use super::idle::IdleList;
use super::job::Seat;
use super::jobs::Jobs;
use super::line::Entrance;
use super::origin::Known;
use super::totals::Totals;
use crate::conn::DeadlineTable;
use crate::exchange::Exchange;
use crate::slab::{Id, Slab};
use crate::timer::Instant;
use crate::types::Request;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The pool of a poll.
#[derive(Debug)]
pub(super) struct Pool<L> {
    pub(super) origins: Slab<Known>,
    /// Origins whose requests may have a turn.
    pub(super) marked: VecDeque<Id>,
    /// Origins whose requests wait until another origin's connection makes room.
    pub(super) starved: VecDeque<Id>,
    pub(super) jobs: Jobs<L>,
    /// Of those that wait in lines.
    pub(super) deadlines: DeadlineTable,
    /// Jobs to be sent again, with their requests.
    pub(super) again: Vec<(Id, Request)>,
    pub(super) idle: IdleList,
    /// Where the next look at idle connections begins.
    pub(super) idle_turn: usize,
    /// When as many as may be were looked at.
    pub(super) idle_looked: Instant,
    /// Connections that are not closed.
    pub(super) open: usize,
    /// Connections whose transport is being established.
    pub(super) connecting: usize,
    /// Requests in waiting lines.
    pub(super) queued: usize,
    pub(super) counts: Totals,
    /// How often an origin was used.
    pub(super) uses: u64,
    /// Requests so far.
    pub(super) submitted: u64,
}

impl<L> Default for Pool<L> {
    fn default() -> Pool<L> {
        Pool {
            origins: Slab::default(),
            marked: VecDeque::new(),
            starved: VecDeque::new(),
            jobs: Jobs::default(),
            deadlines: DeadlineTable::default(),
            again: Vec::new(),
            idle: IdleList::default(),
            idle_turn: 0,
            idle_looked: Instant(0),
            open: 0,
            connecting: 0,
            queued: 0,
            counts: Totals::default(),
            uses: 0,
            submitted: 0,
        }
    }
}

impl<L> Pool<L> {
    /// Puts the exchange of a request into the line of its origin.
    pub(super) fn enter_line(&mut self, id: Id, mut exchange: Box<Exchange>, entrance: Entrance) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let Some(known) = self.origins.get_mut(job.origin) else { return };
        exchange.job = Some(id);
        exchange.in_ready_list = false;
        self.deadlines.add(id, exchange.ends());
        job.seat = Seat::Line(exchange);
        known.line.enter(id, entrance, &mut self.jobs);
        self.queued += 1;
    }

    /// Takes the exchange of a request out of the line of its origin, if it waits there.
    pub(super) fn leave_line(&mut self, id: Id) -> Option<Box<Exchange>> {
        let job = self.jobs.get_mut(id)?;
        job.waiting().filter(|exchange| exchange.failure.is_none())?;
        let known = self.origins.get_mut(job.origin)?;
        let Seat::Line(exchange) = core::mem::replace(&mut job.seat, Seat::Nowhere) else { return None };
        self.deadlines.remove(id, exchange.ends());
        known.line.leave(id, &exchange, &mut self.jobs);
        self.queued = self.queued.saturating_sub(1);
        Some(exchange)
    }
}

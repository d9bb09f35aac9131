//! The pool of a poll: origins, their requests, and room for connections.

use super::idle::IdleList;
use super::jobs::Jobs;
use super::origin::Known;
use super::totals::Totals;
use crate::slab::{Id, Slab};
use crate::timer::Instant;
use crate::types::Request;
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
}

impl<L> Default for Pool<L> {
    fn default() -> Pool<L> {
        Pool {
            origins: Slab::default(),
            marked: VecDeque::new(),
            starved: VecDeque::new(),
            jobs: Jobs::default(),
            again: Vec::new(),
            idle: IdleList::default(),
            idle_turn: 0,
            idle_looked: Instant(0),
            open: 0,
            connecting: 0,
            queued: 0,
            counts: Totals::default(),
            uses: 0,
        }
    }
}

//! The idle connections of a pool, longest idle first.

use crate::slab::Id;
use alloc::collections::VecDeque;

/// Stale entries beyond twice the live ones that are kept before the list is tidied.
const STALE_SPARE: usize = 64;

/// A list in which nothing has to be searched: a connection that becomes idle is added with a stamp, and its entry is stale once its stamp is
/// another.
#[derive(Debug, Default)]
pub(super) struct IdleList {
    entries: VecDeque<(Id, u64)>,
    stamp: u64,
    count: usize,
}

impl IdleList {
    /// Adds a connection; gives the stamp that its entry has.
    pub(super) fn add(&mut self, conn: Id) -> u64 {
        self.stamp += 1;
        self.entries.push_back((conn, self.stamp));
        self.count += 1;
        self.stamp
    }

    /// The entry of a connection has become stale.
    pub(super) fn removed(&mut self, is_live: impl Fn(Id, u64) -> bool) {
        self.count = self.count.saturating_sub(1);
        if self.entries.len() > 2 * self.count + STALE_SPARE {
            self.entries.retain(|(conn, stamp)| is_live(*conn, *stamp));
        }
    }

    /// How many are idle.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The one that has been idle for longest.
    pub(super) fn longest(&mut self, is_live: impl Fn(Id, u64) -> bool) -> Option<Id> {
        while let Some((conn, stamp)) = self.entries.front().copied() {
            if is_live(conn, stamp) {
                return Some(conn);
            }
            self.entries.pop_front();
        }
        None
    }

    /// Those from the entry `from` on, round the list; stale ones among them.
    pub(super) fn around(&self, from: usize) -> impl Iterator<Item = (Id, u64)> {
        let length = self.entries.len();
        (0..length).filter_map(move |index| self.entries.get((from % length + index) % length).copied())
    }
}

//! The requests of a connection that have not been written, in their order.

use super::ExchangeId;
use crate::exchange::Exchanges;
use alloc::collections::VecDeque;

/// Stale entries beyond the live ones that stay before the queue is tidied.
const STALE_SPARE: usize = 64;

/// A queue that an exchange leaves in constant time, wherever it stands: its entry stays, and is stale. The entries at both ends are live.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<ExchangeId>,
    length: usize,
}

impl Queue {
    /// How many exchanges wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The first one.
    pub(super) fn front(&self) -> Option<ExchangeId> {
        self.entries.front().copied()
    }

    /// The last one.
    pub(super) fn back(&self) -> Option<ExchangeId> {
        self.entries.back().copied()
    }

    /// Adds one behind the others.
    pub(super) fn push_back(&mut self, id: ExchangeId, exchanges: &mut Exchanges) {
        self.length += usize::from(mark(id, true, exchanges));
        self.entries.push_back(id);
    }

    /// Takes the first one.
    pub(super) fn pop_front(&mut self, exchanges: &mut Exchanges) -> Option<ExchangeId> {
        let id = self.front()?;
        if !self.remove(id, exchanges) {
            // A stale entry is at no end; one that were would come up for ever.
            self.entries.pop_front();
        }
        Some(id)
    }

    /// Takes one out, if it waits here. Returns whether it did.
    pub(super) fn remove(&mut self, id: ExchangeId, exchanges: &mut Exchanges) -> bool {
        if !mark(id, false, exchanges) {
            return false;
        }
        self.length = self.length.saturating_sub(1);
        let is_stale = |id: &&ExchangeId| !exchanges.get(**id).is_some_and(|exchange| exchange.is_queued);
        while self.entries.front().as_ref().is_some_and(is_stale) {
            self.entries.pop_front();
        }
        while self.entries.back().as_ref().is_some_and(is_stale) {
            self.entries.pop_back();
        }
        if self.entries.len() > 2 * self.length + STALE_SPARE {
            self.entries.retain(|id| !is_stale(&id));
        }
        true
    }
}

/// Notes whether an exchange waits. Returns whether that changed.
fn mark(id: ExchangeId, waits: bool, exchanges: &mut Exchanges) -> bool {
    exchanges.get_mut(id).is_some_and(|exchange| core::mem::replace(&mut exchange.is_queued, waits) != waits)
}

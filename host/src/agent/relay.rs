//! The octets and events between the driving task and the caller of one streamed exchange.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::ExchangeError;
use crate::types::{FieldLine, ResponseHead};

/// Octets of content that are read ahead of the caller; what comes beyond them stays in the component, within its limits.
pub(super) const AHEAD_OCTETS: usize = 64 * 1024;

/// Octets that a caller can write ahead of the component.
pub(super) const OUTGOING_OCTETS: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Relay {
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Default)]
pub(super) struct Held {
    pub(super) interim: Vec<ResponseHead>,
    pub(super) head: Option<Result<ResponseHead, ExchangeError>>,
    content: VecDeque<Vec<u8>>,
    content_octets: usize,
    /// The end of the content.
    pub(super) end: Option<Result<Vec<FieldLine>, ExchangeError>>,
    /// Content was left in the component because there was enough here.
    pub(super) stopped: bool,
    pub(super) outgoing: Vec<u8>,
    /// Why nothing more is written.
    pub(super) refused: Option<ExchangeError>,
    /// The driving task was told to look.
    pub(super) told: bool,
}

impl Relay {
    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is held and tells whoever waits for it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Held) -> R) -> R {
        let changed = change(&mut self.held());
        self.changed.notify_waiters();
        changed
    }

    /// Waits until `look` finds something.
    pub(super) async fn until<R>(&self, mut look: impl FnMut(&mut Held) -> Option<R>) -> R {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = look(&mut self.held()) {
                return found;
            }
            changed.await;
        }
    }

    /// Nothing more comes from the component.
    pub(super) fn fail(&self, error: &ExchangeError) {
        self.change(|held| {
            held.head.get_or_insert_with(|| Err(error.clone()));
            held.end.get_or_insert_with(|| Err(error.clone()));
            held.refused.get_or_insert_with(|| error.clone());
        });
    }
}

impl Held {
    pub(super) fn push(&mut self, piece: Vec<u8>) {
        self.content_octets += piece.len();
        self.content.push_back(piece);
    }

    /// Takes the next piece of content, or its first octets.
    pub(super) fn take(&mut self, octets_max: usize) -> Option<Vec<u8>> {
        let mut piece = self.content.pop_front()?;
        if piece.len() > octets_max {
            self.content.push_front(piece.split_off(octets_max));
        }
        self.content_octets -= piece.len();
        Some(piece)
    }

    pub(super) fn has_enough(&self) -> bool {
        self.content_octets >= AHEAD_OCTETS
    }

    /// Whether the driving task should go on reading.
    pub(super) fn wants_more(&self) -> bool {
        self.stopped && self.content_octets <= AHEAD_OCTETS / 2
    }
}

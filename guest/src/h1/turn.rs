//! The turn of an exchange to be answered: when it began, and what has moved since.

use crate::exchange::Exchange;
use crate::timer::Instant;

/// A request counts as lost in a pipeline at the earliest when it has waited this many times as long as any before it.
const STALL_WAITS: u64 = 4;

/// When things happened for the first outstanding exchange.
#[derive(Debug)]
pub(super) struct Turn {
    /// When it became the first.
    pub(super) began: Instant,
    /// Octets of its response have come.
    pub(super) heard: bool,
    /// When an octet last came, or reading was resumed.
    pub(super) progress: Instant,
    /// When an octet last left.
    pub(super) left: Instant,
    /// The longest wait for a response so far, in nanoseconds.
    longest_wait: u64,
}

impl Turn {
    pub(super) fn new(now: Instant) -> Turn {
        Turn { began: now, heard: false, progress: now, left: now, longest_wait: 0 }
    }

    /// The next exchange is the first.
    pub(super) fn pass(&mut self, now: Instant) {
        self.began = now;
        self.heard = false;
    }

    /// An octet of its response has come. Returns whether that is the first one.
    pub(super) fn hear(&mut self, exchange: &Exchange, now: Instant) -> bool {
        let begins = !core::mem::replace(&mut self.heard, true);
        if begins {
            let waited = exchange.sent_at().map_or(0, |sent| now.since(sent.max(self.began)));
            self.longest_wait = self.longest_wait.max(waited);
        }
        begins
    }

    /// When a request that was sent behind another one, and has been the first since `since`, counts as lost.
    pub(super) fn stall_deadline(&self, exchange: &Exchange, since: Instant) -> Option<Instant> {
        let span = exchange.deadlines.pipeline_stall?;
        since.after(Some(span.max(self.longest_wait.saturating_mul(STALL_WAITS))))
    }
}

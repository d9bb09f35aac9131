//! How long an origin is left alone after connections to it could not be established.

use super::limits::{BACK_OFF_NS, BACK_OFF_NS_MAX};
use crate::timer::Instant;

/// Connections in a row that could not be established, and what follows from them.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    /// How many.
    pub(super) failures: u32,
    /// Tries: connections that were opened before one of them had failed are one try.
    tries: u32,
    /// When the last try failed.
    failed_at: Option<Instant>,
    /// When a connection may be opened for a request that is sent again, or beside one that works.
    pub(super) retry_at: Option<Instant>,
}

impl BackOff {
    /// A connection that was opened at `opened` could not be established.
    pub(super) fn fail(&mut self, opened: Instant, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failed_at.is_some_and(|failed| opened < failed) {
            return;
        }
        self.failed_at = Some(now);
        let doubled = BACK_OFF_NS.checked_shl(self.tries.min(32)).unwrap_or(BACK_OFF_NS_MAX);
        self.tries = self.tries.saturating_add(1);
        self.retry_at = now.after(Some(doubled.min(BACK_OFF_NS_MAX)));
    }

    /// A connection was established, or the network has changed.
    pub(super) fn forget(&mut self) {
        *self = BackOff::default();
    }

    /// Whether the last try failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_doubles_the_wait_however_many_connections_it_had() {
        let mut back_off = BackOff::default();
        let mut now = Instant(1);
        for wait in [1, 2, 4, 8, 16, 32, 64, 100, 100].map(|times| times * BACK_OFF_NS) {
            let opened = now;
            now = Instant(now.0 + 5);
            (0..3).for_each(|_| back_off.fail(opened, now));
            assert_eq!(back_off.retry_at, now.after(Some(wait)));
        }
        assert_eq!((back_off.failures, back_off.has_failed()), (27, true));
        back_off.forget();
        assert_eq!((back_off.failures, back_off.retry_at, back_off.has_failed()), (0, None, false));
    }
}

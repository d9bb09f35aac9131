//! Whether an origin can be trusted with pipelines (RFC 9112 §9.3.2).

use super::limits::{BREAKS_MAX, ONE_AT_A_TIME_NS};
use crate::conn::Break;
use crate::timer::Instant;

/// The ends of its connections, as far as they have shown something.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Pipelines that broke without a declared end.
    breaks: u32,
    /// When the last one did.
    broke_at: Instant,
    /// Until when the origin is spoken to one request at a time.
    one_at_a_time_until: Option<Instant>,
}

impl Trust {
    /// A pipeline to the origin broke.
    pub(super) fn note_break(&mut self, broke: Break, now: Instant) {
        let long_ago = now.since(self.broke_at) >= ONE_AT_A_TIME_NS;
        self.breaks = match broke {
            Break::Declared => return,
            Break::Stalled => BREAKS_MAX,
            Break::Undeclared if long_ago => 1,
            Break::Undeclared => self.breaks + 1,
        };
        self.broke_at = now;
        if self.breaks >= BREAKS_MAX {
            self.breaks = 0;
            self.one_at_a_time_until = now.after(Some(ONE_AT_A_TIME_NS));
        }
    }

    /// Whether the origin has shown that it cannot be trusted with a pipeline.
    pub(super) fn is_one_at_a_time(&self, now: Instant) -> bool {
        self.one_at_a_time_until.is_some_and(|until| now < until)
    }
}

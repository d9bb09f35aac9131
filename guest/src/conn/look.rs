//! The look: an idle connection is read from until nothing comes before a request is written to it (RFC 9112 §9.2).

use super::ClientConn;
use crate::timer::Instant;
use crate::types::{ConnState, Error, Misbehaviour, Timer};

/// How long a request waits for the rest of something that arrives in a layer below: it may be nothing that was asked for.
const LOOK_NS: u64 = 10_000_000_000;

impl ClientConn {
    /// Whether a queued request waits only for the transport to be read from until nothing comes.
    pub fn wants_look(&self) -> bool {
        self.outstanding.is_empty() && !self.queue.is_empty() && !self.looked
    }

    /// Something arrives of which the transport can deliver nothing yet: whether an idle connection may be written to is not known, but
    /// that is not waited for without end.
    pub fn partly_received(&mut self, now: Instant) {
        if self.wants_look() {
            self.look_stalled.get_or_insert(now);
        }
    }

    /// The transport has nothing to deliver now: an idle connection may be written to.
    pub fn nothing_to_receive(&mut self, now: Instant) {
        self.look_stalled = None;
        if self.wants_look() && !self.inbox.is_empty() {
            // The beginning of something unsolicited, and a request waits: nobody waits for the rest of it.
            let error = Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets);
            return self.end(error, now);
        }
        self.looked = true;
        self.dispatch(now);
    }

    pub(super) fn look_deadline(&self) -> Option<(Instant, Timer)> {
        let since = self.look_stalled.filter(|_| self.wants_look() && self.state != ConnState::Closed)?;
        Some((since.after(Some(LOOK_NS))?, Timer::BetweenOctets))
    }
}

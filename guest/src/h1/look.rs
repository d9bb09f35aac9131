//! The look: an idle connection is read from until nothing comes before a request is written to it (RFC 9112 §9.2).

use crate::timer::Instant;

/// How long a request waits for the rest of something that arrives in a layer below: it may be nothing that was asked for.
const LOOK_NS: u64 = 10_000_000_000;

/// Whether an idle connection may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The connection has to be read from first.
    Wanted,
    /// The same, and since this moment something arrives of which nothing can be taken yet.
    Stalled(Instant),
    /// A read has found nothing.
    Done,
}

impl Look {
    /// Something arrives of which the transport can deliver nothing yet: that is not waited for without end.
    pub(super) fn stall(&mut self, now: Instant) {
        if *self == Look::Wanted {
            *self = Look::Stalled(now);
        }
    }

    /// The peer may have said something since the last read that found nothing.
    pub(super) fn again(&mut self) {
        if *self == Look::Done {
            *self = Look::Wanted;
        }
    }

    /// Octets have come whole.
    pub(super) fn go_on(&mut self) {
        if let Look::Stalled(_) = self {
            *self = Look::Wanted;
        }
    }

    /// When nothing more is waited for.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Look::Stalled(since) => since.after(Some(LOOK_NS)),
            Look::Wanted | Look::Done => None,
        }
    }
}

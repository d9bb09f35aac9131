//! What responses say about the connection's end, and what follows from it (RFC 9112 §9.3, §9.6).

use super::ClientConn;
use crate::field;
use crate::h1::framing::Framing;
use crate::h1::state::shown;
use crate::settings::SECOND_NS;
use crate::timer::Instant;
use crate::types::{CloseReason, Delivery, Error, PackedHead};

impl ClientConn {
    /// What this response shows about persistence (RFC 9112 §9.3), and what `Keep-Alive` promises.
    pub(super) fn note_persistence(&mut self, head: &PackedHead, framing: Framing) {
        let (mut close, mut keep_alive) = (false, false);
        // Compared as a whole: `keep-alivex` is not `keep-alive` (RFC 9110 §7.6.1).
        for option in field::list_members(head, "connection") {
            close |= option.eq_ignore_ascii_case(b"close");
            keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
        self.shown = shown(head.version, close, keep_alive, framing != Framing::UntilClose);
        self.close_declared = close;
        let behind = self.outstanding.len().saturating_sub(1) as u64;
        let (timeout_s, max) = keep_alive_parameters(head);
        self.peer_idle_ns = timeout_s.map(|seconds| seconds.min(u64::MAX / SECOND_NS) * SECOND_NS);
        self.peer_requests_left = max.map(|max| max.saturating_sub(behind));
    }

    /// This is the last response. What stands behind it on the wire is unprocessed if the peer has declared the close (RFC 9112 §9.6);
    /// otherwise nothing is known about it.
    pub(super) fn heed_close(&mut self, now: Instant) {
        let until_close = self.front_framing() == Some(Framing::UntilClose) && !self.close_declared;
        let reason = Error::Closed(if until_close { CloseReason::UntilClose } else { CloseReason::PeerOption });
        self.stop_accepting(reason, now);
        self.learn_closing(now);
        self.fail_behind_front(reason, self.close_declared.then_some(Delivery::Unprocessed), now);
        self.shut_write_behind_front();
        self.fail_queued(reason, now);
    }
}

/// `timeout` in seconds and `max` in requests, from `Keep-Alive` (RFC 2068 §19.7.1.1, still sent by most servers).
fn keep_alive_parameters(head: &PackedHead) -> (Option<u64>, Option<u64>) {
    let mut timeout = None;
    let mut max = None;
    for member in field::list_members(head, "keep-alive") {
        let mut parts = member.splitn(2, |&octet| octet == b'=');
        let name = parts.next().unwrap_or_default();
        let value = parts.next().and_then(|value| crate::abnf::decimal(crate::abnf::trim_ows(value)));
        if name.eq_ignore_ascii_case(b"timeout") {
            timeout = value;
        } else if name.eq_ignore_ascii_case(b"max") {
            max = value;
        }
    }
    (timeout, max)
}

//! Responses and the end of the connection: its persistence, as far as that is known (RFC 9112 §9.3, §9.6).

use super::framing::Framing;
use super::state::{Shown, known_at_first, learn, shown};
use crate::abnf::{self, is_same_name};
use crate::field;
use crate::incoming::{Break, Expected};
use crate::settings::SECOND_NS;
use crate::types::{CloseReason, Error, HttpVersion, PackedHead, PersistenceLearnt, Timer};

/// A request was lost in a pipeline.
pub(super) const STALL: Error = Error::TimedOut(Timer::PipelineStall);

/// How much earlier than the peer an idle connection is closed, so that no request is on its way when the peer closes it: 1 s, as much as
/// `Keep-Alive` can be off by rounding, but never more than half of its time.
const KEEP_ALIVE_MARGIN_NS: u64 = SECOND_NS;

/// The persistence of one connection.
#[derive(Debug)]
pub(super) struct Persistence {
    /// The state of table B.
    pub(super) known: PersistenceLearnt,
    /// The persistence that the response shows that is being received.
    pub(super) shown: Shown,
    /// That response has the `close` option.
    pub(super) close_declared: bool,
    /// After how many requests the server has ended the connection before this one.
    ends_after: Option<u64>,
    /// From `Keep-Alive` of the last response: how long the connection stays open, how many more requests it takes.
    peer_idle_ns: Option<u64>,
    pub(super) peer_requests_left: Option<u64>,
    /// Requests written.
    pub(super) requests: u64,
    /// Exchanges that are over.
    pub(super) responses: u64,
    /// The version of the last response.
    pub(super) version: Option<HttpVersion>,
    /// How the connection ended before a pipeline was answered, if not by the caller's wish.
    pub(super) broke: Option<Break>,
}

impl Persistence {
    pub(super) fn new(expected: Expected) -> Persistence {
        Persistence {
            known: known_at_first(expected.persistence),
            shown: Shown::Closes,
            close_declared: false,
            ends_after: expected.ends_after,
            peer_idle_ns: None,
            peer_requests_left: None,
            requests: 0,
            responses: 0,
            version: None,
            broke: None,
        }
    }

    /// A request is written.
    pub(super) fn begin_request(&mut self) {
        self.requests += 1;
        self.peer_requests_left = self.peer_requests_left.map(|left| left.saturating_sub(1));
    }

    /// What this response shows about persistence (RFC 9112 §9.3), and what `Keep-Alive` promises; `behind` requests are on the wire behind
    /// its own.
    pub(super) fn note(&mut self, head: &PackedHead, framing: Framing, behind: usize) {
        let (mut close, mut keep_alive) = (false, false);
        // Compared as a whole: `keep-alivex` is not `keep-alive` (RFC 9110 §7.6.1).
        for option in field::list_members(head, "connection") {
            close |= is_same_name(option, b"close");
            keep_alive |= is_same_name(option, b"keep-alive");
        }
        self.shown = shown(head.version, close, keep_alive, framing != Framing::UntilClose);
        self.close_declared = close;
        let (timeout_s, max) = keep_alive_parameters(head);
        self.peer_idle_ns = timeout_s.map(|seconds| seconds.min(u64::MAX / SECOND_NS) * SECOND_NS);
        self.peer_requests_left = max.map(|max| max.saturating_sub(behind as u64));
    }

    /// Whether a final response says that the rest of its request is not wanted: it is an error or a redirection, or has the `close` option
    /// (RFC 9110 §7.5, RFC 9112 §9.5). Any other one may come early, and the request goes on to its end.
    pub(super) fn refuses_rest(&self, status: Option<u16>) -> bool {
        self.close_declared || status.is_some_and(|status| status >= 300)
    }

    /// An exchange is over.
    pub(super) fn end_exchange(&mut self) {
        self.responses += 1;
        self.known = learn(self.known, self.shown);
    }

    /// The connection closes: that is known.
    pub(super) fn close(&mut self) {
        self.known = PersistenceLearnt::Closing;
    }

    /// Whether the server may end the connection with the next response, as it did before: what stood behind that would be sent again. One that
    /// has carried twice as many requests is not near any more.
    pub(super) fn is_near_end(&self) -> bool {
        self.ends_after.is_some_and(|requests| (requests..2 * requests).contains(&self.requests))
    }

    /// How long the connection may be idle, by the server's word.
    pub(super) fn idle_ns(&self) -> Option<u64> {
        self.peer_idle_ns.map(|peer| peer - KEEP_ALIVE_MARGIN_NS.min(peer / 2))
    }

    /// The connection ends before all requests of a pipeline are answered.
    pub(super) fn note_break(&mut self, error: Error, declared: bool) {
        self.broke.get_or_insert(match error {
            STALL => Break::Stalled,
            // The response that came early, or that nobody wanted, is no fault of the pipeline.
            Error::Closed(CloseReason::EarlyResponse | CloseReason::Abandoned | CloseReason::LocalOption) => Break::Declared,
            _ if declared => Break::Declared,
            _ => Break::Undeclared,
        });
    }
}

/// `timeout` in seconds and `max` in requests, from `Keep-Alive` (RFC 2068 §19.7.1.1, still sent by most servers).
fn keep_alive_parameters(head: &PackedHead) -> (Option<u64>, Option<u64>) {
    let mut timeout = None;
    let mut max = None;
    for member in field::list_members(head, "keep-alive") {
        let mut parts = member.splitn(2, |&octet| octet == b'=');
        let name = parts.next().unwrap_or_default();
        let value = parts.next().and_then(|value| abnf::decimal(abnf::trim_ows(value)));
        if is_same_name(name, b"timeout") {
            timeout = value;
        } else if is_same_name(name, b"max") {
            max = value;
        }
    }
    (timeout, max)
}

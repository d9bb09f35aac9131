//! What is tried with every server. One row per capability.

use super::caller::Caller;
use super::checks;
use super::running::Running;

/// What a server may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ROWS says what each is")]
pub enum Capability {
    Pipelining,
    RequestLimit,
    IdleTimeout,
    ChunkedDown,
    Trailers,
    ChunkedUp,
    LargeDown,
    LargeUp,
    EarlyHints,
    Continue,
    Refused,
    Errors,
    TooLarge,
    EarlyAnswer,
    Bodiless,
    List,
    Restart,
}

/// How large and how long.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Octets of a large content.
    pub large_octets: u64,
    /// Requests of a list.
    pub list: usize,
    /// Requests while the server restarts.
    pub requests: usize,
}

impl Scale {
    /// For the normal tests.
    pub const BOUNDED: Scale = Scale { large_octets: 4 << 20, list: 300, requests: 200 };
    /// For `just servers`.
    pub const FULL: Scale = Scale { large_octets: 64 << 20, list: 3_000, requests: 2_000 };
}

/// What a try has shown, besides what would be a defect.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The server does it, and the exchange was right. With what is worth a note, or nothing.
    Passed(String),
    /// The server does not do it; what came instead was right too.
    Absent(String),
}

/// A try; an error is what was not as it must be.
type Try = fn(&mut Running, &mut Caller, Scale) -> Result<Found, String>;

/// Every capability: its name, what is tried, and the try.
pub const ROWS: [(Capability, &str, &str, Try); 17] = [
    (
        Capability::Pipelining,
        "pipelining",
        "16 requests leave before any answer; all answers come in order and intact, on one connection",
        checks::basic::pipelining,
    ),
    (
        Capability::RequestLimit,
        "request limit",
        "12 requests at once to a server that closes behind every fifth, or sixth: each is answered once in the end and was seen once",
        checks::lifetime::request_limit,
    ),
    (
        Capability::IdleTimeout,
        "idle timeout",
        "the server closes idle connections after a second; requests at that very moment end in what was true of them",
        checks::lifetime::idle_timeout,
    ),
    (
        Capability::ChunkedDown,
        "chunked down",
        "a chunked response of 40 chunks arrives octet by octet",
        checks::basic::chunked_down,
    ),
    (Capability::Trailers, "trailers", "the trailer section behind it is passed on, and right", checks::basic::trailers),
    (
        Capability::ChunkedUp,
        "chunked up",
        "content of unknown length arrives: the server says its checksum",
        checks::basic::chunked_up,
    ),
    (
        Capability::LargeDown,
        "large down",
        "a large content, read as it comes by an instance that may have 16 MiB of memory, has its checksum",
        checks::large::down,
    ),
    (Capability::LargeUp, "large up", "the same upwards: the server says its checksum", checks::large::up),
    (
        Capability::EarlyHints,
        "early hints",
        "103 comes before 200 and is told apart, and the connection goes on",
        checks::basic::early_hints,
    ),
    (
        Capability::Continue,
        "100-continue",
        "content is held until 100 comes; the server says its checksum",
        checks::large::await_continue,
    ),
    (
        Capability::Refused,
        "100-continue refused",
        "content that is too large is refused by its head alone; none of it is sent",
        checks::large::refused,
    ),
    (Capability::Errors, "404 and 4xx", "404, and the answer to a field line of 100 KB, a 4xx", checks::basic::errors),
    (
        Capability::TooLarge,
        "413 while uploading",
        "the answer to content that is too large arrives although the upload has not ended; the upload stops",
        checks::large::too_large,
    ),
    (
        Capability::EarlyAnswer,
        "early answer while uploading",
        "200 comes before the content has left, and the content back as it goes: both directions end, and the connection goes on",
        checks::large::early_answer,
    ),
    (
        Capability::Bodiless,
        "HEAD, 204, 304",
        "responses without content, pipelined among others, leave the connection in step",
        checks::basic::bodiless,
    ),
    (
        Capability::List,
        "list",
        "a list of requests at once, by a pool without an option, to a server that closes behind every fifth, or sixth: all are answered",
        checks::lifetime::list,
    ),
    (
        Capability::Restart,
        "restart",
        "the server restarts in the middle of traffic: each request ends in one outcome, true by the server's own count",
        checks::lifetime::restart,
    ),
];

//! The values that a protocol reads, and the values with which a protocol answers: each value names an exchange.

use crate::exchange::{ExchangeId, Exchanges};
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{Delivery, Error, FieldLine, HttpVersion, PackedHead, Persistence, PersistenceLearnt, Timer};
use alloc::vec::Vec;

/// The connection as a protocol sees it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The exchanges of the connection.
    pub exchanges: &'a Exchanges,
    /// The options of the connection.
    pub settings: &'a Settings,
    /// How many of the exchanges wait for their turn.
    pub queued: usize,
    /// Octets of content that callers have not taken.
    pub unread: usize,
    /// The time.
    pub now: Instant,
}

/// An event of a protocol.
#[derive(Debug)]
pub enum Incoming {
    /// The first octets of the response have come: a part of a head.
    Begun {
        /// The exchange.
        exchange: ExchangeId,
    },
    /// An interim head, of so many octets on the wire.
    Interim {
        /// The exchange.
        exchange: ExchangeId,
        /// The head.
        head: PackedHead,
        /// The octets of the head.
        octets: usize,
    },
    /// The final head.
    Final {
        /// The exchange.
        exchange: ExchangeId,
        /// The head.
        head: PackedHead,
        /// Raw octets follow, in both directions.
        switches: bool,
        /// The rest of the request is not wanted.
        stops: bool,
    },
    /// Content: one octet or more.
    Content {
        /// The exchange.
        exchange: ExchangeId,
        /// The octets.
        octets: Vec<u8>,
    },
    /// The response is complete.
    End {
        /// The exchange.
        exchange: ExchangeId,
        /// The trailer section.
        trailers: Vec<FieldLine>,
    },
    /// No more requests can have a turn.
    Closing(Closing),
}

/// The end of a connection, as far as it has come.
#[derive(Debug)]
pub struct Closing {
    /// Why.
    pub reason: Error,
    /// Exchanges on the wire that will not be answered, in their order.
    pub lost: Vec<Lost>,
    /// The word of the peer on the lost requests that have left.
    pub declared: Option<Delivery>,
}

/// An exchange that has left the wire without a complete response.
#[derive(Debug)]
pub struct Lost {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The exchange may be the cause of the end: no other exchange stood before it.
    pub is_suspect: bool,
    /// Octets of a response to the exchange have come.
    pub is_heard: bool,
    /// How far the exchange had come.
    pub progress: Progress,
    /// The content of the request, if the content is on the wire alone and no octet of the request has left.
    pub content: Option<Vec<u8>>,
}

/// How far an exchange is on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Octets of the request that have left.
    pub octets_sent: u64,
    /// The trailer section of the response is expected.
    pub in_trailers: bool,
}

/// How an exchange that the caller gives up leaves the wire.
#[derive(Debug)]
pub enum GivenUp {
    /// Nothing: the connection has to end.
    EndConnection,
    /// No octet of the request has left, and none will leave.
    TakenBack(Lost),
    /// The request has left in part, and nothing can follow it.
    Abandoned(Lost, Closing),
    /// The request has left: the response is read and thrown away.
    Drained(Progress),
}

/// How far the sending of a request has come: the first octet has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The exchange.
    pub exchange: ExchangeId,
    /// How many octets the request had, if all octets have left.
    pub sent: Option<u64>,
    /// The response is complete, and so is the exchange.
    pub is_over: bool,
}

/// A deadline that follows from the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// When the deadline passes.
    pub at: Instant,
    /// The deadline.
    pub timer: Timer,
    /// The end that comes with the deadline.
    pub ends: Ends,
}

/// The end that comes with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Of this exchange.
    Exchange(ExchangeId),
    /// Of the connection, with this error.
    Connection(Error),
}

/// How a request begins whose turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The head is written.
    Written,
    /// The head is written, and no request can follow.
    Last,
    /// Nothing is written, and the exchange fails with this error; with `internal`, the connection too.
    Refused(Error),
}

/// The end of the sending direction, by the transport.
#[derive(Debug)]
pub struct Cut {
    /// The end of the connection, as far as it has come.
    pub closing: Closing,
    /// The exchange whose request has left in part.
    pub exchange: Option<ExchangeId>,
    /// Nothing is expected from the peer any more.
    pub is_over: bool,
}

/// An error in the peer's octets, and how far into the octets that had not been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error.
    pub error: Error,
    /// Octets up to and with the octet that showed the error.
    pub at: usize,
}

/// How a connection ended before all requests were answered that stood behind each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// One of the two sides had declared the end.
    Declared,
    /// The server ended the connection without a word.
    Undeclared,
    /// The server left a request unanswered.
    Stalled,
}

/// Requests, responses and octets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests written.
    pub requests: u64,
    /// Exchanges that are over.
    pub responses: u64,
    /// Octets that have left.
    pub octets_sent: u64,
    /// Octets that have come.
    pub octets_received: u64,
}

/// The knowledge about the peer that the responses have brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The persistence.
    pub persistence: PersistenceLearnt,
    /// The version of the last response.
    pub version: Option<HttpVersion>,
    /// How long the connection may be idle, by the server's word, in nanoseconds.
    pub idle_ns: Option<u64>,
    /// How the connection ended before all requests were answered that stood behind each other.
    pub broke: Option<Break>,
}

/// The expectation of a pool about the peer.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Of persistence.
    pub persistence: Persistence,
    /// After how many requests the server has ended the connection before this one, and said so.
    pub ends_after: Option<u64>,
}

//! The values that a protocol is shown, and the values that it answers with: each names its exchange.

use crate::exchange::{ExchangeId, Exchanges};
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{Delivery, Error, FieldLine, PackedHead, Timer};
use alloc::vec::Vec;

/// The connection as a protocol sees it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Its exchanges.
    pub exchanges: &'a Exchanges,
    /// Its options.
    pub settings: &'a Settings,
    /// Octets of content that callers have not taken.
    pub unread: usize,
    /// The time.
    pub now: Instant,
}

/// A protocol has heard this.
#[derive(Debug)]
pub enum Incoming {
    /// An interim head, of so many octets on the wire.
    Interim {
        /// Whose.
        exchange: ExchangeId,
        /// The head.
        head: PackedHead,
        /// Octets of it.
        octets: usize,
    },
    /// The final head.
    Final {
        /// Whose.
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
        /// Whose.
        exchange: ExchangeId,
        /// The octets.
        octets: Vec<u8>,
    },
    /// The response is complete.
    End {
        /// Whose.
        exchange: ExchangeId,
        /// The trailer section.
        trailers: Vec<FieldLine>,
    },
    /// This exchange has failed, and no other one.
    Failed {
        /// Which one.
        exchange: ExchangeId,
        /// Why.
        error: Error,
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

/// An exchange that is not on the wire any more, and has no complete response.
#[derive(Debug)]
pub struct Lost {
    /// Which one.
    pub exchange: ExchangeId,
    /// The first of the exchanges on the wire.
    pub is_first: bool,
    /// Octets of a response to it have come.
    pub is_heard: bool,
    /// How far it was.
    pub progress: Progress,
    /// The content of its request, if that stands on the wire alone and none of the request has left.
    pub content: Option<Vec<u8>>,
}

/// How far an exchange is on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Octets of its request that have left.
    pub octets_sent: u64,
    /// The trailer section of its response is expected.
    pub in_trailers: bool,
}

/// How an exchange that is given up leaves the wire.
#[derive(Debug)]
pub enum GivenUp {
    /// Nothing: the connection has to end.
    EndConnection,
    /// None of it has left, and none of it will.
    TakenBack(Lost),
    /// The request has left in part, and nothing can follow it.
    Abandoned(Lost, Closing),
    /// The request has left: its response is read and thrown away.
    Drained(Progress),
}

/// How far the sending of a request has come: its first octet has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Whose.
    pub exchange: ExchangeId,
    /// How many octets it had, if all of them have left.
    pub sent: Option<u64>,
    /// Its response is complete: it is over.
    pub is_over: bool,
}

/// A deadline of an exchange that follows from what the connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// When it passes.
    pub at: Instant,
    /// Which one.
    pub timer: Timer,
    /// Whose.
    pub exchange: ExchangeId,
    /// The connection ends with it, and with this error.
    pub ends: Option<Error>,
}

/// An error in the peer's octets, and how far into the octets that had not been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error.
    pub error: Error,
    /// Octets up to and with the one that showed it.
    pub at: usize,
}

/// How a connection ended before all requests of a pipeline were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// One of the two sides had declared the end.
    Declared,
    /// The server ended it without a word.
    Undeclared,
    /// The server left a request unanswered.
    Stalled,
}

/// A pool expects this of the peer.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Of persistence.
    pub persistence: crate::types::Persistence,
    /// After how many requests the server has ended the connection before this one, and said so.
    pub ends_after: Option<u64>,
}

//! How an error becomes a caller's failure.

use crate::types::{Delivery, Error, Failure, Phase};

/// Whether the caller caused the error, or the component on the caller's behalf: neither the peer nor the network.
pub fn is_local(error: &Error) -> bool {
    match error {
        Error::ApiMisuse(_)
        | Error::LimitExceeded(_)
        | Error::TimedOut(_)
        | Error::Closed(_)
        | Error::Denied(_)
        | Error::Internal => true,
        Error::PeerMisbehaved(_)
        | Error::PeerIncompatible(_)
        | Error::Tls(_)
        | Error::Incomplete(_)
        | Error::Dns(_)
        | Error::Connect(_) => false,
    }
}

/// The failure of the last attempt, with the delivery of the one that got furthest: no server may have acted on what is "not sent".
pub fn of_all_attempts(furthest: Option<Failure>, last: Failure) -> Failure {
    match furthest {
        Some(before) if before.delivery > last.delivery => Failure { error: last.error, phase: last.phase, ..before },
        _ => last,
    }
}

/// A failure of a request that never came near the wire.
pub fn refused(error: Error, connection: u64, octets_received: u64) -> Failure {
    Failure { error, delivery: Delivery::NotSent, phase: Phase::Queued, octets_sent: 0, octets_received, connection }
}

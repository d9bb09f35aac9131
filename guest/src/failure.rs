//! How an error becomes a caller's failure, and what is known about whether the server can have acted on the request.

use crate::exchange::{Exchange, RequestHalf, ResponseHalf};
use crate::incoming::Progress;
use crate::types::{CloseReason, Delivery, Error, Failure, Phase, Timer, TlsProblem};

/// Where a failure happens. Every failure is made by its place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The connection; 0: none.
    pub connection: u64,
    /// Octets that it has received, up to the one that showed the error.
    pub octets_received: u64,
    /// The phase of an exchange there whose turn has not come.
    pub waiting: Phase,
    /// The peer's word on the requests that were sent.
    pub declared: Option<Delivery>,
}

impl Place {
    /// The failure that `error` is for an exchange as it stands now.
    pub fn failure(&self, error: Error, exchange: &Exchange, progress: Progress) -> Failure {
        let (phase, octets_sent) = (self.phase(exchange, progress), progress.octets_sent);
        self.made(error, delivery(exchange, self.declared), phase, octets_sent)
    }

    /// The failure of a call that no exchange came of.
    pub fn refused(&self, error: Error) -> Failure {
        self.made(error, Delivery::NotSent, self.waiting, 0)
    }

    /// The failure of a call for an exchange that is not there any more.
    pub fn absent(&self) -> Failure {
        self.made(Error::Closed(CloseReason::Dropped), Delivery::ResponseStarted, Phase::Ended, 0)
    }

    fn made(&self, error: Error, delivery: Delivery, phase: Phase, octets_sent: u64) -> Failure {
        let Place { connection, octets_received, .. } = *self;
        Failure { error, delivery, phase, octets_sent, octets_received, connection }
    }

    fn phase(&self, exchange: &Exchange, progress: Progress) -> Phase {
        match exchange.receiving.half {
            ResponseHalf::Done if exchange.is_leaving() => Phase::SendingRequest,
            ResponseHalf::Done | ResponseHalf::Failed => Phase::Ended,
            ResponseHalf::Tunnel => Phase::Tunnel,
            ResponseHalf::Content if progress.in_trailers => Phase::ReceivingTrailers,
            ResponseHalf::Content => Phase::ReceivingContent,
            ResponseHalf::Head if exchange.sending.half == RequestHalf::Queued => self.waiting,
            ResponseHalf::Head if exchange.timing.response_started.is_some() => Phase::ReceivingHead,
            ResponseHalf::Head if exchange.timing.request_sent.is_none() => Phase::SendingRequest,
            ResponseHalf::Head => Phase::AwaitingResponse,
        }
    }
}

/// Whether the server can have acted on the request of an exchange, as far as that is known; `declared`: the peer's word on the requests that
/// were sent.
fn delivery(exchange: &Exchange, declared: Option<Delivery>) -> Delivery {
    let timing = &exchange.timing;
    match (timing.request_started, timing.response_started) {
        (None, _) => Delivery::NotSent,
        (Some(_), None) => declared.unwrap_or(Delivery::Unanswered),
        (Some(_), Some(_)) => declared.unwrap_or(Delivery::ResponseStarted),
    }
}

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
        | Error::Connect(_)
        | Error::Reset(_)
        | Error::GoingAway(_)
        | Error::HopRefused(_) => false,
    }
}

/// Whether the caller has wished for the end of a connection.
pub fn is_by_caller(error: Error) -> bool {
    matches!(error, Error::Closed(CloseReason::Cancelled | CloseReason::Local | CloseReason::Dropped | CloseReason::Taken))
}

/// Whether this is the end of a connection with all that it carries, and not the wish of the caller.
pub fn ends_all(error: Error) -> bool {
    !is_by_caller(error) && !matches!(error, Error::ApiMisuse(_) | Error::Denied(_) | Error::Internal)
}

/// The failure of the last attempt, with the delivery of the one that got furthest: no server may have acted on what is "not sent".
pub fn of_all_attempts(furthest: Option<Failure>, last: Failure) -> Failure {
    match furthest {
        Some(mut before) if before.delivery > last.delivery => {
            (before.error, before.phase) = (last.error, last.phase);
            before
        }
        _ => last,
    }
}

/// May a request that failed so be sent again? By its delivery (RFC 9110 §9.2.2), unless the next attempt would fail in the same way, or
/// the caller has decided that there is none.
pub fn may_repeat(failure: &Failure, idempotent: bool) -> bool {
    let by_delivery = match failure.delivery {
        Delivery::NotSent | Delivery::Unprocessed => true,
        Delivery::Unanswered => idempotent,
        Delivery::ResponseStarted => false,
    };
    by_delivery
        && match failure.error {
            Error::ApiMisuse(_) | Error::LimitExceeded(_) | Error::Denied(_) => false,
            Error::Closed(reason) => !matches!(reason, CloseReason::Cancelled | CloseReason::Dropped),
            // The queue is as long as before.
            Error::TimedOut(timer) => timer != Timer::Queue,
            // A server that is refused is refused again.
            Error::Tls(problem) => matches!(problem, TlsProblem::HandshakeEnded | TlsProblem::RecordCorrupt),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Denial, Ending, Limit, Misuse};

    fn may(error: Error, delivery: Delivery, idempotent: bool) -> bool {
        let place = Place { connection: 1, octets_received: 0, waiting: Phase::Queued, declared: None };
        may_repeat(&Failure { delivery, ..place.refused(error) }, idempotent)
    }

    #[test]
    fn delivery_decides() {
        let reset = Error::Incomplete(Ending::Reset);
        for (delivery, of_get, of_post) in [
            (Delivery::NotSent, true, true),
            (Delivery::Unprocessed, true, true),
            (Delivery::Unanswered, true, false),
            (Delivery::ResponseStarted, false, false),
        ] {
            assert_eq!([true, false].map(|idempotent| may(reset, delivery, idempotent)), [of_get, of_post], "{delivery:?}");
        }
    }

    #[test]
    fn what_would_fail_again_may_not() {
        for error in [
            Error::ApiMisuse(Misuse::InvalidMethod),
            Error::LimitExceeded(Limit::HeadOctets),
            Error::Denied(Denial::Connect),
            Error::TimedOut(Timer::Queue),
            Error::Closed(CloseReason::Cancelled),
            Error::Closed(CloseReason::Dropped),
            Error::Tls(TlsProblem::CertificateExpired),
        ] {
            assert!(!may(error, Delivery::NotSent, true), "{error:?}");
        }
        for error in [
            Error::TimedOut(Timer::Connect),
            Error::TimedOut(Timer::FirstOctet),
            Error::TimedOut(Timer::BetweenOctets),
            Error::TimedOut(Timer::Total),
            Error::Tls(TlsProblem::HandshakeEnded),
            Error::Closed(CloseReason::PeerEnded),
        ] {
            assert!(may(error, Delivery::NotSent, false), "{error:?}");
        }
    }
}

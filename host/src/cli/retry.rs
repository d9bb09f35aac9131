//! What to do with a request that failed: give it up, repeat it, or move it to another connection.

use sandpiper_host::types::{CloseReason, Delivery, Error, Failure, Timer, TlsProblem};

/// What is known about a failed request, beside the failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) idempotent: bool,
    /// Its content can be sent again from the start.
    pub(crate) replayable: bool,
    /// Its origin has another connection, which works.
    pub(crate) elsewhere: bool,
    /// The connection had put a request on the wire: another one will not fail in the same place for ever.
    pub(crate) progress: bool,
    /// Repeats so far.
    pub(crate) repeats: u32,
    /// `--retry`.
    pub(crate) repeats_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is repeated by sending it on another connection: it does not count.
    Move,
    /// Counts as a repeat. `later`: the trouble may pass, so wait a little.
    Repeat {
        later: bool,
    },
    GiveUp,
}

/// The decision, by delivery first.
pub(crate) fn decide(failure: &Failure, attempt: Attempt) -> Verdict {
    if !attempt.replayable || is_final(&failure.error) {
        return Verdict::GiveUp;
    }
    let establishing = is_establishing(&failure.error);
    let (moves, may_repeat) = match failure.delivery {
        Delivery::NotSent => (if establishing { attempt.elsewhere } else { attempt.progress }, true),
        Delivery::Unprocessed => (false, true),
        Delivery::Unanswered => (false, attempt.idempotent),
        Delivery::ResponseStarted => (false, false),
    };
    match () {
        () if moves => Verdict::Move,
        () if may_repeat && attempt.repeats < attempt.repeats_max => Verdict::Repeat { later: establishing },
        () => Verdict::GiveUp,
    }
}

/// The next try would end the same way, or the caller has decided.
fn is_final(error: &Error) -> bool {
    match error {
        Error::ApiMisuse(_) | Error::LimitExceeded(_) | Error::Tls(_) | Error::Denied(_) => true,
        Error::TimedOut(timer) => matches!(timer, Timer::Total | Timer::Queue),
        Error::Closed(reason) => {
            matches!(reason, CloseReason::Local | CloseReason::Dropped | CloseReason::Cancelled)
        }
        Error::PeerMisbehaved(_) | Error::PeerIncompatible(_) | Error::Incomplete(_) => false,
        Error::Dns(_) | Error::Connect(_) | Error::Internal => false,
    }
}

/// Did the connection fail before it was one?
pub(crate) fn is_establishing(error: &Error) -> bool {
    match error {
        Error::Dns(_) | Error::Connect(_) | Error::TimedOut(Timer::Connect) | Error::Denied(_) => true,
        // These come of what is sent later.
        Error::Tls(problem) => {
            !matches!(problem, TlsProblem::RecordCorrupt | TlsProblem::RecordTooLong | TlsProblem::Renegotiation)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::{ConnectProblem, Ending, Misuse, Phase, Side};

    use super::*;

    const RESET: Error = Error::Incomplete(Ending::Reset);
    const CLOSED: Error = Error::Closed(CloseReason::PeerOption);
    const ONCE: Verdict = Verdict::Repeat { later: false };

    fn attempt() -> Attempt {
        Attempt { idempotent: true, replayable: true, elsewhere: false, progress: true, repeats: 0, repeats_max: 1 }
    }

    fn verdict(error: Error, delivery: Delivery, attempt: Attempt) -> Verdict {
        let failure = Failure {
            error,
            delivery,
            phase: Phase::Queued,
            side: Side::Peer,
            octets_sent: 0,
            octets_received: 0,
            connection: 1,
        };
        decide(&failure, attempt)
    }

    #[test]
    fn delivery_decides() {
        let get = attempt();
        let post = Attempt { idempotent: false, ..get };
        for (delivery, of_get, of_post) in [
            (Delivery::NotSent, Verdict::Move, Verdict::Move),
            (Delivery::Unprocessed, ONCE, ONCE),
            (Delivery::Unanswered, ONCE, Verdict::GiveUp),
            (Delivery::ResponseStarted, Verdict::GiveUp, Verdict::GiveUp),
        ] {
            assert_eq!((verdict(RESET, delivery, get), verdict(RESET, delivery, post)), (of_get, of_post), "{delivery:?}");
        }
    }

    #[test]
    fn without_the_option_nothing_that_left_is_repeated() {
        let never = Attempt { repeats_max: 0, ..attempt() };
        assert_eq!(verdict(CLOSED, Delivery::Unprocessed, never), Verdict::GiveUp);
        assert_eq!(verdict(RESET, Delivery::Unanswered, never), Verdict::GiveUp);
        assert_eq!(verdict(CLOSED, Delivery::NotSent, never), Verdict::Move);
    }

    #[test]
    fn repeats_end() {
        assert_eq!(verdict(RESET, Delivery::Unanswered, Attempt { repeats: 1, ..attempt() }), Verdict::GiveUp);
        let idle = Attempt { progress: false, repeats_max: 0, ..attempt() };
        assert_eq!(verdict(CLOSED, Delivery::NotSent, idle), Verdict::GiveUp);
    }

    #[test]
    fn what_would_fail_again_is_given_up() {
        for error in
            [Error::ApiMisuse(Misuse::InvalidMethod), Error::TimedOut(Timer::Total), Error::Closed(CloseReason::Cancelled)]
        {
            assert_eq!(verdict(error, Delivery::NotSent, attempt()), Verdict::GiveUp);
        }
        assert_eq!(verdict(RESET, Delivery::NotSent, Attempt { replayable: false, ..attempt() }), Verdict::GiveUp);
    }

    #[test]
    fn a_connection_that_cannot_be_made_is_tried_again_later() {
        let refused = Error::Connect(ConnectProblem::Refused);
        assert_eq!(verdict(refused, Delivery::NotSent, attempt()), Verdict::Repeat { later: true });
        let never = Attempt { repeats_max: 0, ..attempt() };
        assert_eq!(verdict(refused, Delivery::NotSent, never), Verdict::GiveUp);
        assert_eq!(verdict(refused, Delivery::NotSent, Attempt { elsewhere: true, ..never }), Verdict::Move);
    }
}

//! What to do with a request that failed: give it up, repeat it, or move it to another connection.
//!
//! Nothing here goes on for ever. A request moves without being counted only when its connection, at its end, had answered a request, or
//! had another request to charge the end to; each request is answered or given up once, is counted `repeats_max` times at most, and
//! goes once more by itself once. So each end of a connection uses up something of which there is a bounded amount.

use sandpiper_host::types::{CloseReason, Delivery, Error, Failure, Limit, Timer, TlsProblem};

/// What is known about a failed request, beside the failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) idempotent: bool,
    /// Its content can be sent again from the start.
    pub(crate) replayable: bool,
    /// Its origin has another connection, which works.
    pub(crate) elsewhere: bool,
    /// Its connection had answered a request before.
    pub(crate) answered: bool,
    /// Another request stood before it when its connection ended, and bears that end.
    pub(crate) behind: bool,
    /// It has gone once more by itself.
    pub(crate) went_again: bool,
    /// Repeats so far.
    pub(crate) repeats: u32,
    /// `--retry`.
    pub(crate) repeats_max: u32,
    /// `--retry-all-errors`.
    pub(crate) all_errors: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes to another connection, and that does not count: nothing is repeated by it, or the origin makes progress.
    Move,
    /// It goes once more by itself, on a fresh connection. The next failure of this kind counts.
    Once,
    /// It counts as a repeat.
    Repeat,
    GiveUp,
}

/// The decision: first about what does not count, then about what does.
pub(crate) fn decide(failure: &Failure, attempt: Attempt) -> Verdict {
    if !attempt.replayable || is_of_the_caller(&failure.error) {
        return Verdict::GiveUp;
    }
    let uncounted = match failure.delivery {
        Delivery::NotSent => not_sent(&failure.error, attempt),
        // It stood behind a response that is the last one: that response is the progress.
        Delivery::Unprocessed => Some(Verdict::Move),
        Delivery::Unanswered if attempt.idempotent => unanswered(&failure.error, attempt),
        Delivery::Unanswered | Delivery::ResponseStarted => None,
    };
    let may_repeat = match failure.delivery {
        _ if attempt.all_errors => true,
        Delivery::NotSent | Delivery::Unprocessed => !is_final(&failure.error),
        Delivery::Unanswered => attempt.idempotent && !is_final(&failure.error),
        Delivery::ResponseStarted => false,
    };
    let counted = may_repeat && attempt.repeats < attempt.repeats_max;
    uncounted.unwrap_or(if counted { Verdict::Repeat } else { Verdict::GiveUp })
}

fn not_sent(error: &Error, attempt: Attempt) -> Option<Verdict> {
    let goes = match is_establishing(error) {
        true => attempt.elsewhere,
        false if *error == Error::TimedOut(Timer::Total) => false,
        false if attempt.behind => true,
        false => (attempt.answered || attempt.elsewhere) && !is_final(error),
    };
    goes.then_some(Verdict::Move)
}

fn unanswered(error: &Error, attempt: Attempt) -> Option<Verdict> {
    let Attempt { answered, behind, went_again, .. } = attempt;
    match () {
        () if *error == Error::TimedOut(Timer::Total) => None,
        // Behind an answered one; from now on its origin is sent one request at a time.
        () if is_stall(error) => Some(Verdict::Move),
        // A broken pipeline (RFC 9112 §9.3.2).
        () if behind && answered => Some(Verdict::Move),
        () if behind && !went_again => Some(Verdict::Once),
        // The connection may have ended before the request came.
        () if answered && !went_again && is_end_of_connection(error) => Some(Verdict::Once),
        () => None,
    }
}

/// The caller has decided, or was wrong.
fn is_of_the_caller(error: &Error) -> bool {
    match error {
        Error::ApiMisuse(_) | Error::Denied(_) | Error::TimedOut(Timer::Queue) => true,
        Error::Closed(reason) => {
            // The program closes a connection for another request's sake: that is no decision about this one.
            matches!(reason, CloseReason::Dropped | CloseReason::Cancelled)
        }
        Error::LimitExceeded(limit) => {
            matches!(limit, Limit::RequestHeadOctets | Limit::QueuedOctets | Limit::QueueLength | Limit::CollectOctets)
        }
        _ => false,
    }
}

/// The next try would end the same way.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::LimitExceeded(_) | Error::Tls(_))
}

/// Has the server left a pipelined request without an answer?
pub(crate) fn is_stall(error: &Error) -> bool {
    *error == Error::TimedOut(Timer::PipelineStall)
}

/// Has the connection ended, as opposed to the time of the request?
fn is_end_of_connection(error: &Error) -> bool {
    matches!(error, Error::Incomplete(_) | Error::Closed(_) | Error::PeerMisbehaved(_) | Error::PeerIncompatible(_))
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
    use sandpiper_host::types::{ConnectProblem, Ending, Misuse, Phase};

    use super::*;

    const RESET: Error = Error::Incomplete(Ending::Reset);
    const CLOSED: Error = Error::Closed(CloseReason::PeerOption);

    /// A GET, the first on a connection that had answered nothing.
    fn attempt() -> Attempt {
        Attempt {
            idempotent: true,
            replayable: true,
            elsewhere: false,
            answered: false,
            behind: false,
            went_again: false,
            repeats: 0,
            repeats_max: 1,
            all_errors: false,
        }
    }

    fn verdict(error: Error, delivery: Delivery, attempt: Attempt) -> Verdict {
        let failure = Failure { error, delivery, phase: Phase::Queued, octets_sent: 0, octets_received: 0, connection: 1 };
        decide(&failure, attempt)
    }

    #[test]
    fn delivery_decides() {
        use Verdict::{GiveUp, Move, Once, Repeat};
        let lone = attempt();
        let used = Attempt { answered: true, ..lone };
        let behind = Attempt { behind: true, ..lone };
        let piped = Attempt { behind: true, answered: true, ..lone };
        for (delivery, of_get, of_post) in [
            (Delivery::NotSent, [Repeat, Move, Move, Move], [Repeat, Move, Move, Move]),
            (Delivery::Unprocessed, [Move; 4], [Move; 4]),
            (Delivery::Unanswered, [Repeat, Once, Once, Move], [GiveUp; 4]),
            (Delivery::ResponseStarted, [GiveUp; 4], [GiveUp; 4]),
        ] {
            let of = |idempotent| [lone, used, behind, piped].map(|it| verdict(RESET, delivery, Attempt { idempotent, ..it }));
            assert_eq!((of(true), of(false)), (of_get, of_post), "{delivery:?}");
        }
    }

    #[test]
    fn nothing_that_was_streamed_goes_again() {
        let spent = Attempt { replayable: false, answered: true, behind: true, all_errors: true, ..attempt() };
        for delivery in [Delivery::NotSent, Delivery::Unprocessed, Delivery::Unanswered, Delivery::ResponseStarted] {
            assert_eq!(verdict(RESET, delivery, spent), Verdict::GiveUp);
        }
    }

    #[test]
    fn a_request_goes_once_more_by_itself_once() {
        let used = Attempt { answered: true, repeats_max: 0, ..attempt() };
        let again = Attempt { went_again: true, ..used };
        assert_eq!([used, again].map(|it| verdict(RESET, Delivery::Unanswered, it)), [Verdict::Once, Verdict::GiveUp]);
        let behind = Attempt { behind: true, answered: false, ..used };
        let again = Attempt { went_again: true, ..behind };
        assert_eq!([behind, again].map(|it| verdict(CLOSED, Delivery::Unanswered, it)), [Verdict::Once, Verdict::GiveUp]);
    }

    #[test]
    fn another_requests_failure_is_not_its_own() {
        // The head before it was too long, or came too late.
        let behind = Attempt { behind: true, answered: true, repeats_max: 0, ..attempt() };
        for error in [Error::LimitExceeded(Limit::HeadOctets), Error::TimedOut(Timer::FirstOctet)] {
            assert_eq!(verdict(error, Delivery::Unanswered, behind), Verdict::Move);
            assert_eq!(verdict(error, Delivery::Unanswered, Attempt { behind: false, ..behind }), Verdict::GiveUp);
            assert_eq!(verdict(error, Delivery::NotSent, behind), Verdict::Move);
        }
    }

    #[test]
    fn a_stalled_pipeline_moves_whoever_was_first() {
        let never = Attempt { answered: true, went_again: true, repeats_max: 0, ..attempt() };
        for behind in [false, true] {
            let it = Attempt { behind, ..never };
            assert_eq!(verdict(Error::TimedOut(Timer::PipelineStall), Delivery::Unanswered, it), Verdict::Move);
            let post = Attempt { idempotent: false, ..it };
            assert_eq!(verdict(Error::TimedOut(Timer::PipelineStall), Delivery::Unanswered, post), Verdict::GiveUp);
        }
    }

    #[test]
    fn without_progress_moves_are_counted() {
        let never = Attempt { repeats_max: 0, ..attempt() };
        assert_eq!(verdict(CLOSED, Delivery::NotSent, never), Verdict::GiveUp);
        assert_eq!(verdict(RESET, Delivery::Unanswered, never), Verdict::GiveUp);
        assert_eq!(verdict(RESET, Delivery::Unanswered, Attempt { repeats: 1, ..attempt() }), Verdict::GiveUp);
    }

    /// Whatever the peers do, and in whatever order, the run ends: see the argument above.
    #[test]
    fn every_sequence_of_ends_ends() {
        // Each end charges one request, the first; the others stand behind it. A chooser of the worst case for each.
        for (requests, repeats_max) in [(1_usize, 0), (7, 0), (7, 3), (40, 1)] {
            for progress_every in [0, 1, 2, 5] {
                let mut line: Vec<(u32, bool)> = vec![(0, false); requests];
                let mut ends = 0;
                while !line.is_empty() {
                    ends += 1;
                    assert!(ends <= requests * (repeats_max as usize + 3), "{requests} {repeats_max} {progress_every}");
                    let answered = progress_every > 0 && ends % progress_every == 0;
                    if answered {
                        line.remove(0);
                    }
                    let stands = |place: usize, (repeats, went_again)| {
                        let attempt = Attempt { behind: place > 0, answered, repeats, went_again, repeats_max, ..attempt() };
                        match verdict(RESET, Delivery::Unanswered, attempt) {
                            Verdict::Move => Some((repeats, went_again)),
                            Verdict::Once => Some((repeats, true)),
                            Verdict::Repeat => Some((repeats + 1, went_again)),
                            Verdict::GiveUp => None,
                        }
                    };
                    line = line.into_iter().enumerate().filter_map(|(place, request)| stands(place, request)).collect();
                }
            }
        }
    }

    #[test]
    fn what_would_fail_again_is_given_up() {
        for error in
            [Error::ApiMisuse(Misuse::InvalidMethod), Error::TimedOut(Timer::Queue), Error::Closed(CloseReason::Cancelled)]
        {
            assert_eq!(verdict(error, Delivery::NotSent, attempt()), Verdict::GiveUp);
        }
    }

    #[test]
    fn a_deadline_of_one_try_is_repeated_only_when_asked_for() {
        let piped = Attempt { answered: true, behind: true, ..attempt() };
        for delivery in [Delivery::NotSent, Delivery::Unanswered] {
            assert_eq!(verdict(Error::TimedOut(Timer::Total), delivery, piped), Verdict::Repeat);
            let never = Attempt { repeats_max: 0, ..piped };
            assert_eq!(verdict(Error::TimedOut(Timer::Total), delivery, never), Verdict::GiveUp);
        }
    }

    #[test]
    fn all_errors_are_repeated_only_within_the_number() {
        let all = Attempt { all_errors: true, idempotent: false, ..attempt() };
        assert_eq!(verdict(RESET, Delivery::ResponseStarted, all), Verdict::Repeat);
        assert_eq!(verdict(RESET, Delivery::Unanswered, Attempt { repeats: 1, ..all }), Verdict::GiveUp);
    }

    #[test]
    fn a_connection_that_cannot_be_made() {
        let refused = Error::Connect(ConnectProblem::Refused);
        assert_eq!(verdict(refused, Delivery::NotSent, attempt()), Verdict::Repeat);
        let never = Attempt { repeats_max: 0, ..attempt() };
        assert_eq!(verdict(refused, Delivery::NotSent, never), Verdict::GiveUp);
        assert_eq!(verdict(refused, Delivery::NotSent, Attempt { elsewhere: true, ..never }), Verdict::Move);
    }
}

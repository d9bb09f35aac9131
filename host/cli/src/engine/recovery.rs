//! What becomes of requests that the pool gave up, or that are to be asked again.
//!
//! The pool sends again by itself what it may and can, before a failure comes here. On top of that, `--retry` repeats what the rule of the
//! pool allows (`poll.may-repeat`), and responses that ask for another try.

use std::time::{Duration, Instant};

use sandpiper_host::types::{Delivery, Error, Failure, Timer, TlsProblem};
use sandpiper_host::{CallError, Poll};

use super::super::backoff::Cause;
use super::super::incoming::Errors;
use super::super::outgoing::Outgoing;
use super::alarm::Alarm;
use super::{Active, Engine, Stop};

/// What to do with a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The request goes once more by itself, on a fresh connection.
    Once,
    /// Another try counts as a repeat.
    Repeat,
    GiveUp,
}

impl Engine<'_> {
    /// What follows from a failure.
    pub(super) async fn fail(&mut self, job: usize, active: Option<Active>, failure: Failure) -> Result<(), Stop> {
        let failure = self.named(failure);
        let others = self.with(job, &failure);
        self.settle(job, active, &failure).await?;
        for other in others {
            self.settle(other, None, &failure).await?;
        }
        self.leave(job);
        Ok(())
    }

    /// The time to connect is that of the transfer, where this is the shorter one.
    fn named(&self, failure: Failure) -> Failure {
        match failure.error {
            Error::TimedOut(Timer::Connect) if self.settings.connections.is_time_shorter() => {
                Failure { error: Error::TimedOut(Timer::Total), ..failure }
            }
            _ => failure,
        }
    }

    /// The requests of an origin that are not submitted and fail likewise: a connection that cannot be established fails all that wait for one.
    fn with(&mut self, job: usize, failure: &Failure) -> std::collections::BTreeSet<usize> {
        let origin = self.plan.jobs[job].origin;
        let waiting = &self.origins[origin];
        let is_known = waiting.failed_by == failure.connection || waiting.not_before.is_some_and(|time| time > Instant::now());
        let alone = self.states[job].went_again;
        if alone || is_known || failure.delivery != Delivery::NotSent || !is_establishing(&failure.error) {
            return std::collections::BTreeSet::new();
        }
        self.unlist(origin);
        let waiting = &mut self.origins[origin];
        waiting.failed_by = failure.connection;
        waiting.is_reached = false;
        std::mem::take(&mut waiting.jobs)
    }

    async fn settle(&mut self, job: usize, active: Option<Active>, failure: &Failure) -> Result<(), Stop> {
        let again = active.as_ref().and_then(|active| active.again);
        let verdict = match again {
            // Its response was to be thrown away.
            Some(_) => Verdict::Repeat,
            None => self.verdict(job, active.as_ref(), failure).await?,
        };
        let cause = match again {
            Some(cause) => cause,
            None if is_establishing(&failure.error) => Cause::Connect(self.retry_after(job).await?),
            None => Cause::Failure,
        };
        match verdict {
            Verdict::Once => {
                self.states[job].went_again = true;
                self.queue_again(job, active, None).await
            }
            Verdict::Repeat => match self.delay(job, cause) {
                Some(wait) => self.repeat(job, active, cause, wait).await,
                None => self.give_up(job, active, failure).await,
            },
            Verdict::GiveUp => self.give_up(job, active, failure).await,
        }
    }

    async fn verdict(&mut self, job: usize, active: Option<&Active>, failure: &Failure) -> Result<Verdict, Stop> {
        let spent = active.and_then(|active| active.outgoing.as_ref()).is_some_and(Outgoing::is_spent);
        let written = active.is_some_and(|active| active.incoming.is_written());
        let is_decided = matches!(failure.error, Error::ApiMisuse(_) | Error::Denied(_));
        let all = self.settings.backoff.all_errors && !is_decided;
        let idempotent = self.plan.template.is_idempotent();
        let allowed = Poll::may_repeat(&mut self.client, failure, idempotent).await?;
        if spent || written || !(all || allowed) {
            return Ok(Verdict::GiveUp);
        }
        if allowed && self.goes_once_more(job, active, failure).await? {
            return Ok(Verdict::Once);
        }
        let counted = self.states[job].repeats < self.settings.backoff.repeats_max;
        Ok(if counted { Verdict::Repeat } else { Verdict::GiveUp })
    }

    /// Does a file that was being uploaded go once more by itself? The pool has it no more, and would otherwise send it again: its connection
    /// had answered a request before, and may have ended before this one came.
    async fn goes_once_more(&mut self, job: usize, active: Option<&Active>, failure: &Failure) -> Result<bool, Stop> {
        let Some(active) = active.filter(|active| active.outgoing.is_some()) else {
            return Ok(false);
        };
        let ended = matches!(failure.error, Error::Incomplete(_) | Error::Closed(_));
        let connection = active.exchange.info(&mut self.client).await?.connection;
        Ok(ended && !self.states[job].went_again && connection.is_some_and(|connection| connection.responses > 0))
    }

    /// How long the pool waits before it connects to the origin again.
    async fn retry_after(&mut self, job: usize) -> Result<Duration, Stop> {
        let Some(origin) = &self.origins[self.plan.jobs[job].origin].origin else {
            return Ok(Duration::ZERO);
        };
        let after = self.poll.origin_info(&mut self.client, origin).await?.retry_after;
        Ok(after.map_or(Duration::ZERO, Duration::from_nanos))
    }

    /// How long to wait before the request is repeated; `None`: it is not.
    fn delay(&self, job: usize, cause: Cause) -> Option<Duration> {
        let state = &self.states[job];
        let since_first = state.began.map_or(Duration::ZERO, |began| began.elapsed());
        self.settings.backoff.wait(cause, state.repeats, since_first)
    }

    /// A repeat that counts. A connection that could not be made holds up the origin, everything else the request alone.
    async fn repeat(&mut self, job: usize, active: Option<Active>, cause: Cause, wait: Duration) -> Result<(), Stop> {
        self.states[job].repeats += 1;
        let until = Instant::now().checked_add(wait).filter(|_| !wait.is_zero());
        match cause {
            Cause::Connect(_) => {
                self.origins[self.plan.jobs[job].origin].not_before = until;
                self.queue_again(job, active, None).await
            }
            Cause::Failure | Cause::Status(_) => self.queue_again(job, active, until).await,
        }
    }

    /// Puts a request back among those that are not submitted, at once or at a moment.
    async fn queue_again(&mut self, job: usize, active: Option<Active>, until: Option<Instant>) -> Result<(), Stop> {
        self.take_back(job, active).await?;
        match until {
            Some(until) => self.alarms.set(until, Alarm::Job(job)),
            None => self.enqueue(job),
        }
        Ok(())
    }

    /// Takes a request back that will be sent again.
    pub(super) async fn take_back(&mut self, job: usize, active: Option<Active>) -> Result<(), Stop> {
        let resent = self.resent(active.as_ref()).await?;
        if let Some(mut active) = active {
            active.incoming.abandon();
            self.states[job].carried = active.outgoing.and_then(Outgoing::carried_over);
        }
        self.report.unfinished.forget(job);
        self.states[job].resent += resent + 1;
        self.tally(job).repeated += 1;
        Ok(())
    }

    pub(super) fn enqueue(&mut self, job: usize) {
        let origin = self.plan.jobs[job].origin;
        self.unlist(origin);
        self.origins[origin].jobs.insert(job);
        self.feed(origin);
    }

    /// Asks a response, once, whether the server wants another try. If so, and it may have one, the response goes nowhere.
    pub(super) async fn ask(&mut self, job: usize, active: &mut Active) -> Result<(), Stop> {
        let backoff = self.settings.backoff;
        if active.asked || self.states[job].repeats >= backoff.repeats_max {
            return Ok(());
        }
        let head = match active.exchange.head(&mut self.client).await {
            Ok(Some(head)) => head,
            Ok(None) | Err(CallError::Http(_)) => return Ok(()),
            Err(CallError::Host(error)) => return Err(error.into()),
        };
        active.asked = true;
        // 416 is the answer to who has everything already.
        let complete = head.status == 416 && self.plan.jobs[job].resume.is_some();
        let refused = self.settings.form.errors != Errors::Written && head.status >= 400 && !complete;
        let spent = active.outgoing.as_ref().is_some_and(Outgoing::is_spent);
        let cause = backoff.asks(&head, self.plan.template.is_idempotent(), refused);
        active.again = cause.filter(|&cause| !spent && self.delay(job, cause).is_some());
        if active.again.is_some() {
            active.incoming.discard();
        }
        Ok(())
    }

    /// The response that asked for another try is whole.
    pub(super) async fn ask_again(&mut self, job: usize, active: Active) -> Result<(), Stop> {
        let cause = active.again.unwrap_or(Cause::Failure);
        let wait = self.delay(job, cause).unwrap_or_default();
        self.leave(job);
        self.repeat(job, Some(active), cause, wait).await
    }
}

/// Did the connection fail before it was one?
fn is_establishing(error: &Error) -> bool {
    match error {
        Error::Dns(_) | Error::Connect(_) | Error::TimedOut(Timer::Connect) | Error::Denied(_) => true,
        // These come of what is sent later.
        Error::Tls(problem) => {
            !matches!(problem, TlsProblem::RecordCorrupt | TlsProblem::RecordTooLong | TlsProblem::Renegotiation)
        }
        _ => false,
    }
}

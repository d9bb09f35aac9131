//! What becomes of requests that were not answered, or that are to be asked again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sandpiper_host::CallError;
use sandpiper_host::types::{CloseReason, ConnState, Delivery, Error, Failure};

use super::super::backoff::Cause;
use super::super::incoming::Errors;
use super::super::outgoing::Outgoing;
use super::super::retry::{Attempt, Verdict, decide, is_establishing, is_stall};
use super::alarm::Alarm;
use super::{Active, BREAKS_MAX, Engine, Stop};

impl Engine<'_> {
    /// What follows from a failure.
    pub(super) async fn fail(
        &mut self,
        job: usize,
        link: Option<u64>,
        active: Option<Active>,
        failure: Failure,
    ) -> Result<(), Stop> {
        let mut others = BTreeSet::new();
        if let Some(id) = link {
            match failure.delivery {
                Delivery::NotSent => {
                    let carried = self.info(id).await?.is_some_and(|info| info.requests > 0);
                    if !carried {
                        others = self.unestablished(id, is_establishing(&failure.error));
                    }
                }
                Delivery::Unprocessed | Delivery::Unanswered | Delivery::ResponseStarted => self.count_carried(id, job),
            }
        }
        self.settle(job, link, active, &failure).await?;
        for other in others {
            self.settle(other, None, None, &failure).await?;
        }
        match link {
            Some(id) => self.leave(job, id).await,
            None => Ok(()),
        }
    }

    async fn settle(&mut self, job: usize, link: Option<u64>, active: Option<Active>, failure: &Failure) -> Result<(), Stop> {
        let again = active.as_ref().and_then(|active| active.again);
        let attempt = self.attempt(job, link, active.as_ref()).await?;
        self.charge(link, failure, attempt);
        let verdict = match again {
            // Its response was to be thrown away.
            Some(_) => Verdict::Repeat,
            None => decide(failure, attempt),
        };
        let cause = match again {
            Some(cause) => cause,
            None if is_establishing(&failure.error) => Cause::Connect,
            None => Cause::Failure,
        };
        match verdict {
            Verdict::Move => self.queue_again(job, active, failure.delivery != Delivery::NotSent, None),
            Verdict::Once => {
                self.states[job].went_again = true;
                self.queue_again(job, active, true, None);
            }
            Verdict::Repeat => match self.delay(job, cause) {
                Some(wait) => self.repeat(job, active, cause, wait),
                None => return self.give_up(job, active, failure).await,
            },
            Verdict::GiveUp => return self.give_up(job, active, failure).await,
        }
        Ok(())
    }

    /// Has the connection's end be this request's, if it had left: those that stood behind it bear nothing. Counts broken pipelines.
    fn charge(&mut self, link: Option<u64>, failure: &Failure, attempt: Attempt) {
        let Some(link) = link.and_then(|id| self.links.get_mut(&id)) else {
            return;
        };
        link.charged |= failure.delivery != Delivery::NotSent;
        if is_stall(&failure.error) {
            self.origins[link.origin].breaks = BREAKS_MAX;
        }
        let by_program = failure.error == Error::Closed(CloseReason::Local);
        if failure.delivery == Delivery::Unanswered && attempt.behind && !by_program && !std::mem::replace(&mut link.broke, true)
        {
            self.origins[link.origin].breaks += 1;
        }
    }

    async fn attempt(&mut self, job: usize, link: Option<u64>, active: Option<&Active>) -> Result<Attempt, Stop> {
        let spent = active.and_then(|active| active.outgoing.as_ref()).is_some_and(Outgoing::is_spent);
        let written = active.is_some_and(|active| active.incoming.is_written());
        let info = match link {
            Some(id) => self.info(id).await?,
            None => None,
        };
        let charged = link.and_then(|id| self.links.get(&id)).is_some_and(|link| link.charged);
        // While the connection is closing, the response before it is on its way: the last one.
        let closing = info.as_ref().is_some_and(|info| info.state == ConnState::Closing);
        let backoff = self.settings.backoff;
        Ok(Attempt {
            idempotent: self.plan.template.is_idempotent(),
            replayable: !spent && !written,
            elsewhere: self.works(self.plan.jobs[job].origin),
            answered: info.is_some_and(|info| info.responses > 0),
            behind: charged || closing,
            went_again: self.states[job].went_again,
            repeats: self.states[job].repeats,
            repeats_max: backoff.repeats_max,
            all_errors: backoff.all_errors,
        })
    }

    /// A connection could not be established, or has carried nothing. Gives what waits for one to its origin, to fail likewise, unless
    /// there is another that works.
    fn unestablished(&mut self, id: u64, all_fail: bool) -> BTreeSet<usize> {
        let Some(link) = self.links.get_mut(&id) else {
            return BTreeSet::new();
        };
        let (origin, told) = (link.origin, std::mem::replace(&mut link.failed, true));
        link.accepting = false;
        let works = self.works(origin);
        let waiting = &mut self.origins[origin];
        waiting.is_full |= works;
        // It is tried again later already: another connection of this try failed before.
        if !all_fail || told || works || waiting.not_before.is_some_and(|time| time > Instant::now()) {
            return BTreeSet::new();
        }
        waiting.is_full = false;
        for job in &waiting.jobs {
            self.ordered.remove(job);
        }
        std::mem::take(&mut waiting.jobs)
    }

    /// Has the origin a connection that carried something, and takes more?
    fn works(&self, origin: usize) -> bool {
        self.links.values().any(|link| link.origin == origin && link.accepting && link.answered)
    }

    /// How long to wait before the request is repeated; `None`: it is not.
    fn delay(&self, job: usize, cause: Cause) -> Option<Duration> {
        let state = &self.states[job];
        let since_first = state.began.map_or(Duration::ZERO, |began| began.elapsed());
        self.settings.backoff.wait(cause, state.repeats, since_first)
    }

    /// A repeat that counts. A connection that could not be made holds up the origin, everything else the request alone.
    fn repeat(&mut self, job: usize, active: Option<Active>, cause: Cause, wait: Duration) {
        self.states[job].repeats += 1;
        let until = Instant::now().checked_add(wait).filter(|_| !wait.is_zero());
        match cause {
            Cause::Connect => {
                self.origins[self.plan.jobs[job].origin].not_before = until;
                self.queue_again(job, active, true, None);
            }
            Cause::Failure | Cause::Status(_) => self.queue_again(job, active, true, until),
        }
    }

    /// Puts a request back among those that wait, at once or at a moment. `resent`: it has been tried, and is sent again.
    fn queue_again(&mut self, job: usize, active: Option<Active>, resent: bool, until: Option<Instant>) {
        if let Some(mut active) = active {
            active.incoming.abandon();
            self.states[job].carried = active.outgoing.and_then(Outgoing::carried_over);
        }
        self.report.unfinished.forget(job);
        let origin = self.plan.jobs[job].origin;
        self.states[job].resent += u32::from(resent);
        self.tallies[origin].repeated += usize::from(resent);
        if self.is_ordered(job) {
            self.ordered.insert(job);
        }
        match until {
            Some(until) => self.alarms.set(until, Alarm::Job(job)),
            None => self.enqueue(job),
        }
    }

    pub(super) fn enqueue(&mut self, job: usize) {
        let origin = self.plan.jobs[job].origin;
        self.origins[origin].jobs.insert(job);
        self.hungry.insert(origin);
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
        let (id, cause) = (active.link, active.again.unwrap_or(Cause::Failure));
        self.count_carried(id, job);
        self.note_answer(id).await?;
        let wait = self.delay(job, cause).unwrap_or_default();
        self.repeat(job, Some(active), cause, wait);
        self.leave(job, id).await
    }
}

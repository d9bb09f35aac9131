//! How exchanges end: completed, failed, repeated, given up.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use sandpiper_host::CallError;
use sandpiper_host::types::{CloseReason, Delivery, Error, Failure, Phase, Side};

use super::super::complaint::Complaint;
use super::super::incoming::Trouble;
use super::super::outgoing::Outgoing;
use super::super::retry::{Attempt, Verdict, decide, is_establishing};
use super::super::summary::Tally;
use super::{Active, Engine, Stop};

/// The first wait before a connection that could not be made is tried again; it doubles each time.
const REPEAT_DELAY: Duration = Duration::from_millis(250);
const REPEAT_DELAY_DOUBLINGS_MAX: u32 = 5;

impl Engine<'_> {
    pub(super) async fn complete(&mut self, job: usize, mut active: Active, trailers: &[(String, Vec<u8>)]) -> Result<(), Stop> {
        if let Err(trouble) = active.incoming.finish() {
            return self.give_up_receiving(job, active, trouble).await;
        }
        let timing = if self.settings.form.json { Some(active.exchange.timing(&mut self.client).await?) } else { None };
        let tls = if self.settings.form.json { self.client.tls_info(active.link).await? } else { None };
        self.count_carried(active.link, job);
        if let Some(link) = self.links.get_mut(&active.link) {
            link.answered = true;
        }
        let refused = active.incoming.refused_by().map(|option| format!("{option}: the status is an error"));
        match refused.is_some() {
            true => self.tally(job).fail("status"),
            false => self.tally(job).complete(),
        }
        self.report.complete(job, &active.incoming, trailers, active.link, timing.as_ref(), tls.as_ref())?;
        self.write_out(job, Some(&active), active.link, refused).await?;
        self.leave(job, active.link).await?;
        self.end(job).await
    }

    pub(super) fn tally(&mut self, job: usize) -> &mut Tally {
        &mut self.tallies[self.plan.jobs[job].origin]
    }

    /// Its request was on this connection's wire.
    fn count_carried(&mut self, id: u64, job: usize) {
        if let Some(link) = self.links.get_mut(&id) {
            link.carried += 1;
            let again = link.carried > 1;
            self.tally(job).reused += usize::from(again);
        }
    }

    /// The exchange is over as far as its connection is concerned.
    pub(super) async fn leave(&mut self, job: usize, id: u64) -> Result<(), Stop> {
        if self.starving == Some(job) {
            self.starving = None;
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.active.remove(&job);
            self.hungry.insert(link.origin);
        }
        self.retire(id).await
    }

    pub(super) async fn end(&mut self, job: usize) -> Result<(), Stop> {
        self.states[job].ended = true;
        self.unended -= 1;
        if job != self.turn {
            return Ok(());
        }
        self.advance_turn();
        let link = self.active.get(&self.turn).and_then(|active| self.links.get_mut(&active.link));
        match link {
            Some(link) => Ok(link.resume(&mut self.client, &self.poll).await?),
            None => Ok(()),
        }
    }

    pub(super) fn advance_turn(&mut self) {
        let rest = self.plan.jobs.iter().zip(&self.states).skip(self.turn);
        let passed = rest.take_while(|(job, state)| state.ended || !job.destination.is_stdout()).count();
        self.turn += passed;
    }

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
                Delivery::NotSent if is_establishing(&failure.error) => others = self.unestablished(id),
                Delivery::NotSent => {}
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
        let attempt = self.attempt(job, link, active.as_ref(), failure).await?;
        match decide(failure, attempt) {
            Verdict::GiveUp => self.give_up(job, active, failure).await,
            verdict => {
                self.queue_again(job, active, verdict);
                Ok(())
            }
        }
    }

    /// A connection could not be established. Gives what waits for one to its origin, to fail likewise, unless there is another that works.
    fn unestablished(&mut self, id: u64) -> BTreeSet<usize> {
        let Some(link) = self.links.get_mut(&id) else {
            return BTreeSet::new();
        };
        let (origin, told) = (link.origin, std::mem::replace(&mut link.failed, true));
        link.accepting = false;
        let works = self.works(origin);
        let waiting = &mut self.origins[origin];
        waiting.is_full = works;
        // It is tried again later already: another connection of this try failed before.
        if told || works || waiting.not_before.is_some_and(|time| time > Instant::now()) {
            return BTreeSet::new();
        }
        for job in &waiting.jobs {
            self.ordered.remove(job);
        }
        std::mem::take(&mut waiting.jobs)
    }

    /// Has the origin a connection that carried something, and takes more?
    fn works(&self, origin: usize) -> bool {
        self.links.values().any(|link| link.origin == origin && link.accepting && link.answered)
    }

    async fn attempt(
        &mut self,
        job: usize,
        link: Option<u64>,
        active: Option<&Active>,
        failure: &Failure,
    ) -> Result<Attempt, Stop> {
        let template = &self.plan.template;
        let spent = active.and_then(|active| active.outgoing.as_ref()).is_some_and(Outgoing::is_spent);
        let progress = match link.and_then(|id| self.links.get(&id)) {
            Some(link) if matches!(failure.delivery, Delivery::NotSent | Delivery::Unprocessed) => {
                link.conn.info(&mut self.client).await?.requests > 0
            }
            _ => false,
        };
        Ok(Attempt {
            idempotent: template.is_idempotent(),
            replayable: !spent,
            elsewhere: self.works(self.plan.jobs[job].origin),
            progress,
            repeats: self.states[job].repeats,
            repeats_max: self.settings.repeats_max,
        })
    }

    fn queue_again(&mut self, job: usize, active: Option<Active>, verdict: Verdict) {
        if let Some(mut active) = active {
            active.incoming.abandon();
            self.states[job].carried = active.outgoing.and_then(Outgoing::carried_over);
        }
        self.report.unfinished.forget(job);
        let origin = self.plan.jobs[job].origin;
        if self.is_ordered(job) {
            self.ordered.insert(job);
        }
        let waiting = &mut self.origins[origin];
        waiting.jobs.insert(job);
        self.hungry.insert(origin);
        if let Verdict::Repeat { later } = verdict {
            let repeats = self.states[job].repeats;
            self.states[job].repeats += 1;
            self.tallies[origin].repeated += 1;
            waiting.not_before =
                later.then(|| Instant::now() + REPEAT_DELAY * 2_u32.pow(repeats.min(REPEAT_DELAY_DOUBLINGS_MAX)));
        }
    }

    pub(super) async fn give_up(&mut self, job: usize, mut active: Option<Active>, failure: &Failure) -> Result<(), Stop> {
        let output = active.as_mut().and_then(|active| active.incoming.abandon());
        let denied = if matches!(failure.error, Error::Denied(_)) { self.client.take_denied() } else { Vec::new() };
        let tls = match failure.error {
            Error::Tls(_) | Error::Denied(_) => self.client.tls_info(failure.connection).await?,
            _ => None,
        };
        let urls = std::sync::Arc::clone(&self.report.urls);
        let complaint = Complaint {
            index: job,
            url: &urls[job],
            endpoint: &self.plan.origins[self.plan.jobs[job].origin].endpoint,
            failure,
            repeats: self.states[job].repeats,
            idempotent: self.plan.template.is_idempotent(),
            output: output.as_deref(),
            denied: &denied,
            tls: tls.as_ref(),
        };
        self.report.fail(&complaint)?;
        let why = failure.error.sentence().to_string();
        self.write_out(job, active.as_ref(), failure.connection, Some(why)).await?;
        self.tally(job).fail(failure.error.name());
        self.end(job).await
    }

    /// What comes cannot be received as it is. Standard output is everybody's.
    pub(super) async fn give_up_receiving(&mut self, job: usize, active: Active, trouble: Trouble) -> Result<(), Stop> {
        self.active.insert(job, active);
        match trouble {
            Trouble::Stdout(error) => Err(error.into()),
            Trouble::Host(error) => Err(error.into()),
            Trouble::Refused(why) => self.abandon(job, &why).await,
        }
    }

    /// Something on this side failed: the exchange is of no use any more.
    pub(super) async fn abandon(&mut self, job: usize, why: &str) -> Result<(), Stop> {
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        active.exchange.cancel(&mut self.client).await?;
        let failure = match active.exchange.head(&mut self.client).await {
            Err(CallError::Http(failure)) => failure,
            Err(CallError::Host(error)) => return Err(error.into()),
            // It was over already: the response is whole, and of no use.
            Ok(_) => Failure {
                error: Error::Closed(CloseReason::Cancelled),
                delivery: Delivery::ResponseStarted,
                phase: Phase::ReceivingContent,
                side: Side::Local,
                octets_sent: 0,
                octets_received: 0,
                connection: active.link,
            },
        };
        let output = active.incoming.abandon().map_or(String::new(), |output| format!("; {output}"));
        if failure.delivery != Delivery::NotSent {
            self.count_carried(active.link, job);
        }
        self.tally(job).fail("local");
        self.report.abandon(job, &format!("{why}{output}"), &failure)?;
        self.write_out(job, Some(&active), active.link, Some(why.to_owned())).await?;
        self.leave(job, active.link).await?;
        self.end(job).await
    }

    /// Lets go of a connection that has nothing more to do.
    pub(super) async fn retire(&mut self, id: u64) -> Result<(), Stop> {
        let done = self.links.get(&id).is_some_and(|link| !link.accepting && link.active.is_empty());
        if !done {
            return Ok(());
        }
        self.let_go(id).await
    }

    /// Closes a connection.
    pub(super) async fn let_go(&mut self, id: u64) -> Result<(), Stop> {
        if let Some(link) = self.links.remove(&id) {
            let waiting = &mut self.origins[link.origin];
            waiting.again = true;
            waiting.links -= 1;
            waiting.failures += u32::from(!link.answered);
            self.hungry.insert(link.origin);
            self.log.take(&mut self.client, &link, &self.tokens, &self.report).await?;
            link.conn.release(&mut self.client).await?;
        }
        Ok(())
    }

    /// The instance is gone, or of no use: every exchange that has not ended fails with it.
    pub(crate) fn fail_all(&mut self) -> io::Result<()> {
        let urls = std::sync::Arc::clone(&self.report.urls);
        for (index, url) in urls.iter().enumerate() {
            if self.states[index].ended {
                continue;
            }
            let mut active = self.active.remove(&index);
            let (delivery, connection) = match &active {
                Some(active) if active.incoming.head().is_some() => (Delivery::ResponseStarted, active.link),
                Some(active) => (Delivery::Unanswered, active.link),
                None => (Delivery::NotSent, 0),
            };
            let phase = if active.is_some() { Phase::AwaitingResponse } else { Phase::Queued };
            let failure = Failure {
                error: Error::Internal,
                delivery,
                phase,
                side: Side::Local,
                octets_sent: 0,
                octets_received: 0,
                connection,
            };
            let output = active.as_mut().and_then(|active| active.incoming.abandon());
            self.tally(index).fail(failure.error.name());
            self.report.fail(&Complaint {
                index,
                url,
                endpoint: &self.plan.origins[self.plan.jobs[index].origin].endpoint,
                failure: &failure,
                repeats: self.states[index].repeats,
                idempotent: self.plan.template.is_idempotent(),
                output: output.as_deref(),
                denied: &[],
                tls: None,
            })?;
            self.write_out_without_instance(index, active.as_ref(), &failure.error.sentence().to_string())?;
        }
        Ok(())
    }
}

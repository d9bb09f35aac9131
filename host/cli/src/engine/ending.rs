//! How exchanges end: completed, failed, repeated, given up.

use std::io;

use sandpiper_host::CallError;
use sandpiper_host::types::{CloseReason, Delivery, Error, Failure, Phase};

use super::super::complaint::Complaint;
use super::super::content::Content;
use super::super::incoming::Trouble;
use super::super::summary::Tally;
use super::{Active, Engine, Stop};

impl Engine<'_> {
    pub(super) async fn complete(&mut self, job: usize, mut active: Active, trailers: &[(String, Vec<u8>)]) -> Result<(), Stop> {
        if let Err(trouble) = active.incoming.finish() {
            return self.give_up_receiving(job, active, trouble).await;
        }
        let uploads = self.plan.template.content != Content::None;
        let timing = match self.settings.form.json || uploads {
            true => Some(active.exchange.timing(&mut self.client).await?),
            false => None,
        };
        let connection = match self.settings.form.json {
            true => active.exchange.info(&mut self.client).await?.connection.map_or(0, |connection| connection.id),
            false => 0,
        };
        let tls = if self.settings.form.json { self.client.tls_info(connection).await? } else { None };
        let objection = active.incoming.objection();
        match objection {
            Some(_) => self.tally(job).fail("status"),
            None => self.tally(job).complete(),
        }
        if uploads && timing.is_some_and(|timing| timing.request_sent.is_none()) {
            self.report.note_unsent(job, &active.incoming)?;
        }
        let told = timing.as_ref().filter(|_| self.settings.form.json);
        self.report.complete(job, &active.incoming, trailers, connection, told, tls.as_ref())?;
        self.write_out(job, Some(&active), objection).await?;
        self.leave(job);
        self.end(job).await
    }

    pub(super) fn tally(&mut self, job: usize) -> &mut Tally {
        &mut self.tallies[self.plan.jobs[job].origin]
    }

    /// The exchange is over: another request may be submitted.
    pub(super) fn leave(&mut self, job: usize) {
        if self.starving == Some(job) {
            self.starving = None;
        }
        let origin = self.plan.jobs[job].origin;
        let waiting = &mut self.origins[origin];
        if waiting.submitted.remove(&job) {
            waiting.is_full = false;
            self.leave_order(origin, job);
            self.feed(origin);
        }
    }

    pub(super) async fn end(&mut self, job: usize) -> Result<(), Stop> {
        self.states[job].ended = true;
        self.unended -= 1;
        self.note_origin(self.plan.jobs[job].origin).await?;
        if job != self.order.turn {
            return Ok(());
        }
        self.advance_turn();
        self.have_turn().await
    }

    /// A request of the origin has ended. With the last one, what the pool has counted is taken over.
    async fn note_origin(&mut self, origin: usize) -> Result<(), Stop> {
        let waiting = &mut self.origins[origin];
        waiting.unended -= 1;
        if waiting.unended > 0 || !self.settings.summary {
            return Ok(());
        }
        if let Some(made) = &waiting.origin {
            let counts = self.poll.origin_info(&mut self.client, made).await?.counts;
            self.tallies[origin].take_over(&counts);
        }
        Ok(())
    }

    pub(super) async fn give_up(&mut self, job: usize, mut active: Option<Active>, failure: &Failure) -> Result<(), Stop> {
        let output = active.as_mut().and_then(|active| active.incoming.abandon());
        let denied = if matches!(failure.error, Error::Denied(_)) { self.client.take_denied() } else { Vec::new() };
        let tls = match failure.error {
            Error::Tls(_) | Error::Denied(_) => self.client.tls_info(failure.connection).await?,
            _ => None,
        };
        let resent = self.resent(active.as_ref()).await?;
        let urls = std::sync::Arc::clone(&self.report.urls);
        let complaint = Complaint {
            index: job,
            url: &urls[job],
            endpoint: &self.plan.origins[self.plan.jobs[job].origin].endpoint,
            unix_socket: self.plan.unix_socket.as_ref(),
            failure,
            repeats: self.states[job].resent + resent,
            idempotent: self.plan.template.is_idempotent(),
            output: output.as_deref(),
            denied: &denied,
            tls: tls.as_ref(),
        };
        self.report.fail(&complaint)?;
        let why = failure.error.sentence().to_string();
        self.write_out(job, active.as_ref(), Some(why)).await?;
        self.tally(job).fail(failure.error.name());
        self.end(job).await
    }

    /// How often the pool has sent the request again.
    pub(super) async fn resent(&mut self, active: Option<&Active>) -> Result<u32, Stop> {
        match active {
            Some(active) => Ok(active.exchange.info(&mut self.client).await?.retries),
            None => Ok(0),
        }
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
        let failure = self.cancel(&active, Error::Closed(CloseReason::Cancelled)).await?;
        let output = active.incoming.abandon().map_or(String::new(), |output| format!("; {output}"));
        self.tally(job).fail("local");
        self.report.abandon(job, &format!("{why}{output}"), &failure)?;
        self.write_out(job, Some(&active), Some(why.to_owned())).await?;
        self.leave(job);
        self.end(job).await
    }

    /// Ends an exchange before its time, because of `error`, and says how it stood.
    pub(super) async fn cancel(&mut self, active: &Active, error: Error) -> Result<Failure, Stop> {
        active.exchange.cancel(&mut self.client).await?;
        let failure = match active.exchange.head(&mut self.client).await {
            Err(CallError::Http(failure)) => failure,
            Err(CallError::Host(error)) => return Err(error.into()),
            // It was over already: the response is whole, and of no use.
            Ok(_) => Failure {
                error,
                delivery: Delivery::ResponseStarted,
                phase: Phase::ReceivingContent,
                octets_sent: 0,
                octets_received: 0,
                connection: active.exchange.info(&mut self.client).await?.connection.map_or(0, |connection| connection.id),
            },
        };
        let by_caller = failure.error == Error::Closed(CloseReason::Cancelled);
        Ok(if by_caller { Failure { error, ..failure } } else { failure })
    }

    /// The instance is gone, or of no use: every exchange that has not ended fails with it.
    pub(crate) fn fail_all(&mut self) -> io::Result<()> {
        let urls = std::sync::Arc::clone(&self.report.urls);
        for (index, url) in urls.iter().enumerate() {
            if self.states[index].ended {
                continue;
            }
            let mut active = self.active.remove(&index);
            let delivery = match &active {
                Some(active) if active.incoming.head().is_some() => Delivery::ResponseStarted,
                Some(_) => Delivery::Unanswered,
                None => Delivery::NotSent,
            };
            let phase = if active.is_some() { Phase::AwaitingResponse } else { Phase::Queued };
            let failure = Failure { error: Error::Internal, delivery, phase, octets_sent: 0, octets_received: 0, connection: 0 };
            let output = active.as_mut().and_then(|active| active.incoming.abandon());
            self.tally(index).fail(failure.error.name());
            self.report.fail(&Complaint {
                index,
                url,
                endpoint: &self.plan.origins[self.plan.jobs[index].origin].endpoint,
                unix_socket: self.plan.unix_socket.as_ref(),
                failure: &failure,
                repeats: self.states[index].resent,
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

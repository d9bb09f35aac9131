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
        let tls = if self.settings.form.json { self.client.tls_info(active.link).await? } else { None };
        self.count_carried(active.link, job);
        self.note_answer(active.link).await?;
        let objection = active.incoming.objection();
        match objection {
            Some(_) => self.tally(job).fail("status"),
            None => self.tally(job).complete(),
        }
        if uploads && timing.is_some_and(|timing| timing.request_sent.is_none()) {
            self.report.note_unsent(job, &active.incoming)?;
        }
        let told = timing.as_ref().filter(|_| self.settings.form.json);
        self.report.complete(job, &active.incoming, trailers, active.link, told, tls.as_ref())?;
        self.write_out(job, Some(&active), active.link, objection).await?;
        self.leave(job, active.link).await?;
        self.end(job).await
    }

    pub(super) fn tally(&mut self, job: usize) -> &mut Tally {
        &mut self.tallies[self.plan.jobs[job].origin]
    }

    /// Its request was on this connection's wire.
    pub(super) fn count_carried(&mut self, id: u64, job: usize) {
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
            let front = link.front();
            link.line.retain(|_, other| *other != job);
            self.hungry.insert(link.origin);
            self.start_front(id, front);
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
        match self.active.get(&self.turn).map(|active| active.link) {
            Some(id) => self.resume(id).await,
            None => Ok(()),
        }
    }

    /// A response on the connection has its turn.
    pub(super) async fn resume(&mut self, id: u64) -> Result<(), Stop> {
        if let Some(link) = self.links.get_mut(&id) {
            link.resume(&mut self.client, &self.poll).await?;
        }
        self.watch_front(id);
        Ok(())
    }

    pub(super) fn advance_turn(&mut self) {
        let rest = self.plan.jobs.iter().zip(&self.states).skip(self.turn);
        let passed = rest.take_while(|(job, state)| state.ended || !job.destination.is_stdout()).count();
        self.turn += passed;
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
            unix_socket: self.plan.unix_socket.as_ref(),
            failure,
            repeats: self.states[job].resent,
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
        let failure = self.cancel(&active, Error::Closed(CloseReason::Cancelled)).await?;
        let output = active.incoming.abandon().map_or(String::new(), |output| format!("; {output}"));
        if failure.delivery != Delivery::NotSent {
            self.count_carried(active.link, job);
            if let Some(link) = self.links.get_mut(&active.link) {
                link.charged = true;
            }
        }
        self.tally(job).fail("local");
        self.report.abandon(job, &format!("{why}{output}"), &failure)?;
        self.write_out(job, Some(&active), active.link, Some(why.to_owned())).await?;
        self.leave(job, active.link).await?;
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
                connection: active.link,
            },
        };
        let by_caller = failure.error == Error::Closed(CloseReason::Cancelled);
        Ok(if by_caller { Failure { error, ..failure } } else { failure })
    }

    /// Lets go of a connection that has nothing more to do.
    pub(super) async fn retire(&mut self, id: u64) -> Result<(), Stop> {
        let done = self.links.get(&id).is_some_and(|link| !link.accepting && link.is_idle());
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
            let failure = Failure { error: Error::Internal, delivery, phase, octets_sent: 0, octets_received: 0, connection };
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

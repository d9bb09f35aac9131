//! Octets of exchanges: contents out, responses in.

use std::time::{Duration, Instant};

use sandpiper_host::CallError;
use sandpiper_host::types::{Failure, FieldLine, Readiness};

use super::super::incoming::Received;
use super::super::outgoing::{self, Outgoing, Sent, is_unwanted};
use super::super::rate::Rate;
use super::alarm::Alarm;
use super::{Active, Engine, Stop};

/// How long a source is waited for before the connections have their turn.
const SOURCE_WAIT: Duration = Duration::from_millis(10);

impl Engine<'_> {
    pub(super) async fn receive(&mut self, job: usize, ready: Readiness) -> Result<(), Stop> {
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        self.ask(job, &mut active).await?;
        let had_head = active.incoming.head().is_some();
        let mut moved = 0;
        let Active { exchange, incoming, spooled, rates, .. } = &mut active;
        let budget = allowed(rates);
        let received = incoming.advance(&mut self.client, exchange, spooled, ready, budget, &mut moved).await;
        self.account(job, &mut active, moved);
        match received {
            Ok(Received::Pending) => {
                if !had_head {
                    self.began(&mut active);
                }
                self.active.insert(job, active);
                self.pace(job, |[received, _]| received).await
            }
            Ok(Received::End(_)) if active.again.is_some() => self.ask_again(job, active).await,
            Ok(Received::End(trailers)) => self.response_ended(job, active, ready, &trailers).await,
            Ok(Received::Failed(failure)) => self.fail(job, Some(active), failure).await,
            Err(trouble) => self.give_up_receiving(job, active, trouble).await,
        }
    }

    /// Content of so many octets has come.
    pub(super) fn account(&mut self, job: usize, active: &mut Active, octets: u64) {
        if let Some([received, _]) = &mut active.rates {
            received.spend(octets);
        }
        active.count(octets);
        self.report.progress.advance(octets);
        self.tally(job).octets += octets;
    }

    /// The response is whole. The request goes on to its end, unless the server does not want the rest (RFC 9110 §7.5).
    async fn response_ended(
        &mut self,
        job: usize,
        mut active: Active,
        ready: Readiness,
        trailers: &[FieldLine],
    ) -> Result<(), Stop> {
        match self.is_over(&mut active, ready).await? {
            Ok(true) => return self.complete(job, active, trailers).await,
            Ok(false) => _ = self.active.insert(job, active),
            Err(failure) => return self.fail(job, Some(active), failure).await,
        }
        self.send_content(job).await?;
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        match self.is_over(&mut active, Readiness::empty()).await? {
            Ok(true) => self.complete(job, active, trailers).await,
            Ok(false) => {
                self.active.insert(job, active);
                Ok(())
            }
            Err(failure) => self.fail(job, Some(active), failure).await,
        }
    }

    /// The response is whole. Is the request, too, as far as the server wants it? Not if the exchange has failed since.
    async fn is_over(&mut self, active: &mut Active, ready: Readiness) -> Result<Result<bool, Failure>, Stop> {
        let tunnel = active.incoming.is_tunnel();
        let Some(outgoing) = active.outgoing.as_mut().filter(|outgoing| !tunnel && !outgoing.is_refused()) else {
            return Ok(Ok(true));
        };
        if outgoing.is_finished() {
            let left =
                ready.contains(Readiness::COMPLETE) || active.exchange.timing(&mut self.client).await?.request_sent.is_some();
            return Ok(Ok(left));
        }
        match active.exchange.write(&mut self.client, &[]).await {
            Ok(_) => Ok(Ok(false)),
            Err(CallError::Http(failure)) if is_unwanted(&failure) => Ok(Ok(true)),
            Err(CallError::Http(failure)) => Ok(Err(failure)),
            Err(CallError::Host(error)) => Err(error.into()),
        }
    }

    /// Its head has come, perhaps.
    fn began(&mut self, active: &mut Active) {
        let Some(head) = active.incoming.head() else {
            return;
        };
        if let Some(octets) = content_length(head.field("content-length")) {
            self.report.progress.expect(octets);
        }
        if active.incoming.is_tunnel() {
            active.outgoing = Some(Outgoing::stdin());
        }
    }

    /// It failed before its turn: what came of it is not read.
    pub(super) async fn receive_failure(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.remove(&job) else {
            return Ok(());
        };
        match active.exchange.head(&mut self.client).await {
            Err(CallError::Http(failure)) => self.fail(job, Some(active), failure).await,
            Err(CallError::Host(error)) => Err(error.into()),
            Ok(_) => {
                self.active.insert(job, active);
                Ok(())
            }
        }
    }

    pub(super) async fn send_content(&mut self, job: usize) -> Result<(), Stop> {
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        let Some(outgoing) = &mut active.outgoing else {
            let finished = match active.incoming.head() {
                // It could be written to for ever, and there is nothing to write.
                Some(_) => active.exchange.finish(&mut self.client, &[]).await,
                None => Ok(()),
            };
            self.active.insert(job, active);
            return match finished {
                Ok(()) | Err(CallError::Http(_)) => Ok(()),
                Err(CallError::Host(error)) => Err(error.into()),
            };
        };
        let template = &self.plan.template;
        let allowed = active.rates.as_mut().map_or(u64::MAX, |[_, sent]| sent.allowed(Instant::now()));
        let mut budget = allowed;
        let (content, trailers) = (&template.content, &template.trailers);
        let sent = outgoing.advance(&mut self.client, &active.exchange, content, trailers, &mut budget).await;
        if let Some([_, sent]) = &mut active.rates {
            sent.spend(allowed - budget);
        }
        active.count(allowed - budget);
        match sent {
            Ok(sent) => {
                if sent == Sent::Starving {
                    self.starving = Some(job);
                }
                self.active.insert(job, active);
                match sent {
                    Sent::Blocked => self.pace(job, |[_, sent]| sent).await,
                    Sent::Starving | Sent::Done => Ok(()),
                }
            }
            Err(outgoing::Trouble::Host(error)) => Err(error.into()),
            Err(outgoing::Trouble::Source(error)) => {
                self.active.insert(job, active);
                self.abandon(job, &format!("cannot read what is to be uploaded: {error}")).await
            }
            Err(outgoing::Trouble::Failed(failure)) => self.fail(job, Some(active), failure).await,
        }
    }

    /// Lets the exchange rest until octets may move again.
    pub(super) async fn pace(&mut self, job: usize, direction: impl Fn(&mut [Rate; 2]) -> &mut Rate) -> Result<(), Stop> {
        let Some(active) = self.active.get_mut(&job) else {
            return Ok(());
        };
        let Some(rate) = active.rates.as_mut().map(direction).filter(|rate| rate.is_spent()) else {
            return Ok(());
        };
        let until = rate.next();
        active.paused = Some(until);
        self.alarms.set(until, Alarm::Pause(active.token));
        self.want(job).await
    }

    /// Gives the source of an upload a moment to say something.
    pub(super) async fn feed_starving(&mut self) -> Result<(), Stop> {
        let Some(job) = self.starving else {
            return Ok(());
        };
        let Some(outgoing) = self.active.get_mut(&job).and_then(|active| active.outgoing.as_mut()) else {
            self.starving = None;
            return Ok(());
        };
        match tokio::time::timeout(SOURCE_WAIT, outgoing.wait_for_source()).await {
            Err(_) => Ok(()),
            Ok(Ok(())) => {
                self.starving = None;
                self.send_content(job).await
            }
            Ok(Err(error)) => self.abandon(job, &format!("cannot read what is to be sent: {error}")).await,
        }
    }
}

/// How many octets of content may come now, by `--limit-rate`.
pub(super) fn allowed(rates: &mut Option<[Rate; 2]>) -> u64 {
    rates.as_mut().map_or(u64::MAX, |[received, _]| received.allowed(Instant::now()))
}

/// What the lines of `content-length` declare.
pub(super) fn content_length<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    std::str::from_utf8(lines.next()?).ok()?.parse().ok()
}

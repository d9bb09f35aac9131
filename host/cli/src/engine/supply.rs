//! Requests onto connections.

use std::time::Instant;

use sandpiper_host::types::{Error, Failure, Limit, Phase, Request};
use sandpiper_host::{CallError, Exchange};

use super::super::incoming::Incoming;
use super::super::link::{Link, unsent};
use super::super::outgoing::Outgoing;
use super::super::plan::Job;
use super::super::rate::Rate;
use super::super::retry::is_establishing;
use super::alarm::Alarm;
use super::choice::Place;
use super::{Active, Engine, Rank, Stop, Waiting};

/// Octets of content that one call hands over: they are in the component's memory twice for a moment.
const BATCH_OCTETS_MAX: usize = 4 << 20;

/// What a request that a connection did not take is to do.
enum Refusal {
    /// Wait until the connection has done some of what it has.
    Full,
    /// Go to the next connection: this one served, and has ended.
    Ended,
    /// Fail, as all do that wait for the connection: it has not come about.
    Unestablished,
    /// Fail.
    Failed,
}

impl Engine<'_> {
    /// Puts waiting requests onto connections, as far as there may be some.
    pub(super) async fn supply(&mut self) -> Result<(), Stop> {
        loop {
            while let Some(origin) = self.hungry.pop_first() {
                let waiting = &self.origins[origin];
                match waiting.jobs.first() {
                    Some(&next) if waiting.links == 0 && !self.blocked.is_empty() => self.block(origin, next),
                    _ => _ = self.fill(origin).await?,
                }
            }
            // While the first of them cannot go, the others need not be asked.
            let Some(Rank { origin, .. }) = self.blocked.pop_first() else {
                return Ok(());
            };
            if self.fill(origin).await? && self.hungry.is_empty() {
                return Ok(());
            }
        }
    }

    /// Has the origin wait for a connection to be free. What standard output lacks comes in its order.
    fn block(&mut self, origin: usize, job: usize) {
        let Waiting { links, failures, .. } = self.origins[origin];
        let rank = match self.is_ordered(job) {
            true => Rank { served: false, failures: 0, job, origin },
            false => Rank { served: links > 0, failures, job, origin },
        };
        self.blocked.insert(rank);
    }

    /// Puts waiting requests of an origin onto its connections. True if it waits for those of others.
    async fn fill(&mut self, origin: usize) -> Result<bool, Stop> {
        while let Some(&next) = self.origins[origin].jobs.first() {
            if let Some(time) = self.origins[origin].not_before.filter(|&time| time > Instant::now()) {
                self.alarms.set(time, Alarm::Origin(origin));
                return Ok(false);
            }
            let (id, count) = match self.place(origin, next) {
                Place::Link(id, count) => (id, count),
                Place::New(count) => match self.open(origin).await? {
                    Some(id) => (id, count),
                    None => return Ok(false),
                },
                Place::Instead(idle, count) => {
                    self.let_go(idle).await?;
                    match self.open(origin).await? {
                        Some(id) => (id, count),
                        None => return Ok(false),
                    }
                }
                Place::Later => return Ok(false),
                Place::At(time) => {
                    self.alarms.set(time, Alarm::Origin(origin));
                    return Ok(false);
                }
                Place::Blocked => {
                    self.block(origin, next);
                    return Ok(true);
                }
            };
            if !self.send(origin, id, count).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn open(&mut self, origin: usize) -> Result<Option<u64>, Stop> {
        if self.links.len() >= self.settings.bounds.connections {
            let idle = self.links.values().filter(|link| link.is_idle());
            // The one that is wanted again last, if ever.
            let wanted = |link: &&Link| self.origins[link.origin].jobs.first().copied().unwrap_or(usize::MAX);
            if let Some(id) = idle.max_by_key(wanted).map(|link| link.id) {
                self.let_go(id).await?;
            }
        }
        let endpoint = &self.plan.origins[origin].endpoint;
        let known = self.origins[origin].known();
        self.tallies[origin].begin();
        match Link::open(&mut self.client, &self.poll, endpoint, origin, &self.settings.links, known).await {
            Ok(link) => {
                let id = link.id;
                self.tallies[origin].opened += 1;
                self.origins[origin].links += 1;
                self.links.insert(id, link);
                Ok(Some(id))
            }
            Err(CallError::Host(error)) => Err(error.into()),
            Err(CallError::Http(error)) => {
                let jobs = std::mem::take(&mut self.origins[origin].jobs);
                for job in jobs {
                    self.ordered.remove(&job);
                    self.give_up(job, None, &unsent(error, Phase::Connecting)).await?;
                }
                Ok(None)
            }
        }
    }

    /// Hands over at most `count` requests in one call. False if the connection has to do some of what it has first.
    async fn send(&mut self, origin: usize, id: u64, count: usize) -> Result<bool, Stop> {
        let content = self.plan.template.whole_octets().max(1);
        let count = count.min(BATCH_OCTETS_MAX / content).max(1);
        let jobs: Vec<usize> = self.origins[origin].jobs.iter().copied().take(count).collect();
        let requests: Vec<Request> = jobs.iter().map(|&job| self.request(job)).collect();
        let first_token = self.tokens.len() as u64;
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(false);
        };
        let mut goes_on = true;
        link.resume(&mut self.client, &self.poll).await?;
        let answers = link.conn.send_all(&mut self.client, &requests, first_token).await?;
        link.accepting &= !self.settings.links.is_single();
        self.tokens.extend_from_slice(&jobs);
        for ((job, token), answer) in jobs.into_iter().zip(first_token..).zip(answers) {
            match answer {
                Ok(exchange) => {
                    self.begin(job, id, token, exchange).await?;
                }
                Err(failure) => match self.refusal(id, &failure).await? {
                    Refusal::Full => {
                        goes_on = false;
                        break;
                    }
                    Refusal::Ended => break,
                    Refusal::Unestablished => {
                        self.origins[origin].jobs.remove(&job);
                        self.ordered.remove(&job);
                        self.fail(job, Some(id), None, failure).await?;
                        break;
                    }
                    Refusal::Failed => {
                        self.origins[origin].jobs.remove(&job);
                        self.ordered.remove(&job);
                        self.fail(job, None, None, failure).await?;
                    }
                },
            }
        }
        self.retire(id).await?;
        Ok(goes_on)
    }

    fn request(&self, job: usize) -> Request {
        let Job { authority, request_target, resume, .. } = &self.plan.jobs[job];
        let mut request = self.plan.template.request(authority, request_target);
        request.fields.extend(resume.iter().flat_map(|resume| resume.fields()));
        request
    }

    /// Why a connection does not take a request.
    async fn refusal(&mut self, id: u64, failure: &Failure) -> Result<Refusal, Stop> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(Refusal::Failed);
        };
        match failure.error {
            Error::LimitExceeded(Limit::QueueLength | Limit::QueuedOctets) if !link.is_idle() => Ok(Refusal::Full),
            Error::LimitExceeded(_) | Error::ApiMisuse(_) => Ok(Refusal::Failed),
            _ if is_establishing(&failure.error) => Ok(Refusal::Unestablished),
            _ => {
                link.accepting = false;
                let used = link.conn.info(&mut self.client).await?.requests > 0;
                Ok(if used { Refusal::Ended } else { Refusal::Failed })
            }
        }
    }

    async fn begin(&mut self, job: usize, link: u64, token: u64, exchange: Exchange) -> Result<(), Stop> {
        let Job { origin, destination, resume, .. } = &self.plan.jobs[job];
        self.origins[*origin].jobs.remove(&job);
        self.ordered.remove(&job);
        let (id, now) = (link, Instant::now());
        if let Some(link) = self.links.get_mut(&id) {
            let front = link.front();
            link.line.insert(token, job);
            self.start_front(id, front);
        }
        self.states[job].began.get_or_insert(now);
        let rates = self.settings.rate.map(|rate| [Rate::new(rate, now), Rate::new(rate, now)]);
        let incoming =
            Incoming::new(self.settings.form.clone(), destination.clone(), resume.clone(), job, self.report.unfinished.clone());
        let mut active = Active { exchange, token, link, incoming, outgoing: None, began: now, asked: false, again: None, rates };
        let outgoing = match self.states[job].carried.take() {
            Some(carried) => Ok(Some(carried)),
            None => Outgoing::of(&self.plan.template.content),
        };
        match outgoing {
            Ok(outgoing) => {
                active.outgoing = outgoing;
                self.active.insert(job, active);
                Ok(())
            }
            Err(error) => {
                self.active.insert(job, active);
                self.abandon(job, &format!("cannot read what is to be uploaded: {error}")).await
            }
        }
    }
}

//! Requests onto connections.

use std::time::Instant;

use sandpiper_host::types::{Error, Failure, Limit, Request};
use sandpiper_host::{CallError, Exchange};

use super::super::incoming::Incoming;
use super::super::link::{Link, unconnected};
use super::super::outgoing::Outgoing;
use super::super::plan::Job;
use super::{Active, Engine, Stop};

/// Connections at once, as long as the exchange whose turn it is has one.
const LINKS_MAX: usize = 64;

/// Octets of content that one call hands over: they are in the component's memory twice for a moment.
const BATCH_OCTETS_MAX: usize = 4 << 20;

/// What a request that a connection did not take is to do.
enum Refusal {
    /// Wait until the connection has done some of what it has.
    Full,
    /// Go to the next connection: this one served, and has ended.
    Ended,
    /// Fail.
    Failed,
}

impl Engine<'_> {
    /// Puts waiting requests of an origin onto its connection, a batch at a time.
    pub(super) async fn fill(&mut self, origin: usize) -> Result<(), Stop> {
        let Some(&next) = self.origins[origin].jobs.first() else {
            self.hungry.remove(&origin);
            return Ok(());
        };
        if self.origins[origin].not_before.is_some_and(|time| time > Instant::now()) {
            return Ok(());
        }
        // Behind what waits for it, it would wait for ever.
        let blocked = |link: &Link| link.held && link.active.first().is_some_and(|&first| first > next);
        let mut links = self.links.values().filter(|link| link.origin == origin && link.accepting);
        let accepting = links.find(|link| !blocked(link)).map(|link| link.id);
        let id = match accepting {
            Some(id) => id,
            None if !self.may_open(origin, next) => return Ok(()),
            None => match self.open(origin).await? {
                Some(id) => id,
                None => return Ok(()),
            },
        };
        let window = self.settings.links.window();
        let free = window.saturating_sub(self.links[&id].active.len());
        if 2 * free < window {
            self.hungry.remove(&origin);
            return Ok(());
        }
        self.send(origin, id, free).await
    }

    /// One connection per origin at a time; a second one while the first is held up by what this request comes before.
    fn may_open(&self, origin: usize, next: usize) -> bool {
        let mut others = self.links.values().filter(|link| link.origin == origin);
        let alone = others.all(|link| link.active.first().is_none_or(|&first| first > next));
        alone && (self.links.len() < LINKS_MAX || next == self.turn)
    }

    async fn open(&mut self, origin: usize) -> Result<Option<u64>, Stop> {
        let endpoint = &self.plan.endpoints[origin];
        let again = self.origins[origin].connections > 0;
        match Link::open(&mut self.client, &self.poll, endpoint, origin, &self.settings.links, again).await {
            Ok(link) => {
                let id = link.id;
                self.origins[origin].connections += 1;
                self.links.insert(id, link);
                Ok(Some(id))
            }
            Err(CallError::Host(error)) => Err(error.into()),
            Err(CallError::Http(error)) => {
                let jobs = std::mem::take(&mut self.origins[origin].jobs);
                for job in jobs {
                    self.give_up(job, None, &unconnected(error)).await?;
                }
                Ok(None)
            }
        }
    }

    /// Hands over at most `count` requests in one call.
    async fn send(&mut self, origin: usize, id: u64, count: usize) -> Result<(), Stop> {
        let content = self.plan.template.whole_octets().max(1);
        let count = count.min(BATCH_OCTETS_MAX / content).max(1);
        let jobs: Vec<usize> = self.origins[origin].jobs.iter().copied().take(count).collect();
        let requests: Vec<Request> = jobs.iter().map(|&job| self.request(job)).collect();
        let first_token = self.tokens.len() as u64;
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
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
                        self.hungry.remove(&origin);
                        break;
                    }
                    Refusal::Ended => break,
                    Refusal::Failed => {
                        self.origins[origin].jobs.remove(&job);
                        self.fail(job, None, None, failure).await?;
                    }
                },
            }
        }
        self.retire(id).await
    }

    fn request(&self, job: usize) -> Request {
        let Job { authority, request_target, .. } = &self.plan.jobs[job];
        self.plan.template.request(authority, request_target)
    }

    /// Why a connection does not take a request.
    async fn refusal(&mut self, id: u64, failure: &Failure) -> Result<Refusal, Stop> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(Refusal::Failed);
        };
        match failure.error {
            Error::LimitExceeded(Limit::QueueLength | Limit::QueuedOctets) if !link.active.is_empty() => Ok(Refusal::Full),
            Error::LimitExceeded(_) | Error::ApiMisuse(_) => Ok(Refusal::Failed),
            _ => {
                link.accepting = false;
                let used = link.conn.info(&mut self.client).await?.requests > 0;
                Ok(if used { Refusal::Ended } else { Refusal::Failed })
            }
        }
    }

    async fn begin(&mut self, job: usize, link: u64, token: u64, exchange: Exchange) -> Result<(), Stop> {
        let Job { origin, destination, .. } = &self.plan.jobs[job];
        self.origins[*origin].jobs.remove(&job);
        if let Some(link) = self.links.get_mut(&link) {
            link.active.insert(job);
        }
        let incoming = Incoming::new(self.settings.form, destination.clone());
        let mut active = Active { exchange, token, link, incoming, outgoing: None };
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

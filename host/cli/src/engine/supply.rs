//! Requests into the pool: so many that no connection waits for one, and no more.
//!
//! Requests for standard output are submitted in the order of the URLs, so that no response is waited for behind one that is read later. The other
//! requests are submitted in rounds of the origins, so that no origin has to wait for another.

use std::time::Instant;

use sandpiper_host::types::{Error, Failure, Limit, Phase, Request, Reuse};
use sandpiper_host::{CallError, Exchange};

use super::super::connections::unsent;
use super::super::incoming::Incoming;
use super::super::outgoing::Outgoing;
use super::super::plan::Job;
use super::super::rate::Rate;
use super::super::spool::Spooled;
use super::super::stopwatch::Stopwatch;
use super::alarm::Alarm;
use super::{Active, Engine, Stop, Waiting};

/// Octets of whole contents that are submitted and have not ended: they are in the component's memory.
const CONTENTS_OCTETS_MAX: usize = 4 << 20;

/// Requests of one call.
const BATCH_MAX: usize = 64;

impl Engine<'_> {
    /// Submits requests, as far as there may be some.
    pub(super) async fn supply(&mut self) -> Result<(), Stop> {
        let content = self.plan.template.whole_octets().max(1);
        let most = self.settings.bounds.submitted.min(CONTENTS_OCTETS_MAX / content).max(1);
        while self.active.len() < most
            && let Some((_, origin)) = self.next_hungry()
        {
            self.unlist(origin);
            let jobs = self.next_of(origin, most - self.active.len());
            self.submit(origin, jobs).await?;
            self.feed(origin);
        }
        self.supply_turn().await
    }

    /// The origin that is next, with the rank of its first request. Without way for the first request that has an order, the next one without
    /// order is submitted.
    fn next_hungry(&self) -> Option<(usize, usize)> {
        let [free, ordered] = &self.hungry;
        let has_way = |origin: usize| self.origins[origin].jobs.first().is_some_and(|&first| self.has_way(origin, first));
        let ordered = ordered.first().filter(|(_, origin)| has_way(*origin));
        free.first().into_iter().chain(ordered).min().copied()
    }

    /// Submits the request whose turn it is, if it waits for nothing but that others end: some of those may wait for this one.
    async fn supply_turn(&mut self) -> Result<(), Stop> {
        let turn = self.order.turn;
        let Some(origin) = self.plan.jobs.get(turn).map(|job| job.origin) else {
            return Ok(());
        };
        let Waiting { jobs, not_before, .. } = &self.origins[origin];
        let is_delayed = not_before.is_some_and(|time| time > Instant::now());
        if is_delayed || !jobs.contains(&turn) || !self.is_ordered(turn) {
            return Ok(());
        }
        self.unlist(origin);
        self.origins[origin].jobs.remove(&turn);
        self.submit(origin, vec![turn]).await?;
        self.feed(origin);
        Ok(())
    }

    /// Takes the requests of an origin that are submitted together: those that come before what other origins have.
    fn next_of(&mut self, origin: usize, most: usize) -> Vec<usize> {
        let room = self.most(origin).saturating_sub(self.origins[origin].submitted.len());
        let others = self.next_hungry().map_or(usize::MAX, |(rank, _)| rank);
        let mut jobs = Vec::new();
        while jobs.len() < most.min(room).min(BATCH_MAX)
            && let Some(&first) = self.origins[origin].jobs.first()
            && (jobs.is_empty() || self.ranks[first] < others)
            && self.has_way(origin, first)
        {
            self.origins[origin].jobs.remove(&first);
            jobs.push(first);
        }
        jobs
    }

    /// How many requests of an origin may be under way. Until a connection is established, as many as there may be connections: the failure of
    /// the first connection fails all requests that wait.
    fn most(&self, origin: usize) -> usize {
        let bounds = &self.settings.bounds;
        match self.origins[origin].is_reached {
            true => bounds.submitted_per_origin,
            false => self.settings.connections.at_first(bounds),
        }
    }

    /// Lists an origin again if it has a request that may be submitted.
    pub(super) fn feed(&mut self, origin: usize) {
        let Waiting { jobs, submitted, is_full, not_before, .. } = &self.origins[origin];
        let Some(&first) = jobs.first() else {
            return;
        };
        if let Some(time) = not_before.filter(|&time| time > Instant::now()) {
            self.alarms.set(time, Alarm::Origin(origin));
        } else if !is_full && submitted.len() < self.most(origin) {
            self.hungry[usize::from(self.is_ordered(first))].insert((self.ranks[first], origin));
        }
    }

    /// Takes an origin off the list, before its first request is another one.
    pub(super) fn unlist(&mut self, origin: usize) {
        if let Some(&first) = self.origins[origin].jobs.first() {
            self.hungry[usize::from(self.is_ordered(first))].remove(&(self.ranks[first], origin));
        }
    }

    /// A connection to the origin has come about.
    pub(super) fn reach(&mut self, origin: usize) {
        if !std::mem::replace(&mut self.origins[origin].is_reached, true) {
            self.feed(origin);
        }
    }

    async fn submit(&mut self, origin: usize, jobs: Vec<usize>) -> Result<(), Stop> {
        if self.origins[origin].origin.is_none() {
            let options = self.settings.connections.conn_options(&self.settings.bounds);
            match self.client.origin(&self.plan.origins[origin].endpoint, options).await {
                Ok(made) => self.origins[origin].origin = Some(made),
                Err(CallError::Host(error)) => return Err(error.into()),
                Err(CallError::Http(error)) => return self.give_up_origin(origin, jobs, error).await,
            }
        }
        self.tallies[origin].begin();
        let requests: Vec<Request> = jobs.iter().map(|&job| self.request(job)).collect();
        let Some(made) = &self.origins[origin].origin else {
            return Ok(());
        };
        let first_token = self.tokens.len() as u64;
        let answers = self.poll.submit_all(&mut self.client, made, &requests, first_token).await?;
        self.tokens.extend_from_slice(&jobs);
        for ((job, token), answer) in jobs.into_iter().zip(first_token..).zip(answers) {
            match answer {
                Ok(exchange) => self.begin(job, token, exchange).await?,
                Err(failure) => self.refuse(origin, job, failure).await?,
            }
        }
        self.take_logs().await
    }

    /// The pool does not take a request: perhaps it takes it later.
    async fn refuse(&mut self, origin: usize, job: usize, failure: Failure) -> Result<(), Stop> {
        let is_full = matches!(failure.error, Error::LimitExceeded(Limit::QueueLength | Limit::QueuedOctets));
        let waiting = &mut self.origins[origin];
        if is_full && !waiting.submitted.is_empty() {
            waiting.is_full = true;
            waiting.jobs.insert(job);
            return Ok(());
        }
        self.fail(job, None, failure).await
    }

    /// The endpoint or an option of an origin is refused.
    async fn give_up_origin(&mut self, origin: usize, jobs: Vec<usize>, error: Error) -> Result<(), Stop> {
        let others = std::mem::take(&mut self.origins[origin].jobs);
        for job in jobs.into_iter().chain(others) {
            self.give_up(job, None, &unsent(error, Phase::Connecting)).await?;
        }
        Ok(())
    }

    fn request(&self, job: usize) -> Request {
        let Job { authority, request_target, resume, origin, .. } = &self.plan.jobs[job];
        let mut request = self.plan.template.request(authority, request_target);
        request.fields.extend(resume.iter().flat_map(|resume| resume.fields()));
        let later = self.origins[*origin].submitted.last().is_some_and(|&last| last > job);
        let ahead = if later && self.is_ordered(job) { Reuse::AHEAD } else { Reuse::empty() };
        let fresh = if self.states[job].went_again { Reuse::FRESH } else { Reuse::empty() };
        request.options.get_or_insert_default().reuse = ahead | fresh;
        request
    }

    async fn begin(&mut self, job: usize, token: u64, exchange: Exchange) -> Result<(), Stop> {
        let Job { origin, destination, resume, .. } = &self.plan.jobs[job];
        self.origins[*origin].submitted.insert(job);
        self.enter_order(*origin, job);
        let now = Instant::now();
        self.states[job].began.get_or_insert(now);
        let rates = self.settings.rate.map(|rate| [Rate::new(rate, now), Rate::new(rate, now)]);
        let incoming =
            Incoming::new(self.settings.form.clone(), destination.clone(), resume.clone(), job, self.report.unfinished.clone());
        let stopwatch = Stopwatch::new(self.settings.allowance, now);
        if let Some(next) = stopwatch.as_ref().and_then(Stopwatch::next) {
            self.alarms.set(next, Alarm::Time(token));
        }
        let mut active = Active {
            exchange,
            token,
            incoming,
            outgoing: None,
            began: now,
            asked: false,
            again: None,
            spooled: Spooled::new(&self.order.spool),
            paused: None,
            rates,
            stopwatch,
        };
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

//! Moments: when requests may be sent again, how long transfers and the run may take, and how fast new connections follow each other.

use std::time::{Duration, Instant};

use sandpiper_host::types::{ConnInfo, Error, Phase, Timer};

use super::super::gate::Entry;
use super::super::link::unsent;
use super::super::stopwatch::{Exceeded, Stopwatch};
use super::alarm::Alarm;
use super::{Active, Engine, Stop};

/// A connection that took longer was dropped at first: the system asks for it again after a second.
const CONNECT_SLOW: Duration = Duration::from_secs(1);

impl Engine<'_> {
    /// Does what is due.
    pub(super) async fn heed_alarms(&mut self) -> Result<(), Stop> {
        while let Some(alarm) = self.alarms.take_due(Instant::now()) {
            match alarm {
                Alarm::Origin(origin) => _ = self.hungry.insert(origin),
                Alarm::Job(job) if self.states[job].ended => {}
                Alarm::Job(job) => self.enqueue(job),
                Alarm::Front(id) => self.check_front(id).await?,
                Alarm::Pause(id) => self.go_on(id).await?,
                Alarm::End => return self.end_all().await,
            }
        }
        Ok(())
    }

    async fn go_on(&mut self, id: u64) -> Result<(), Stop> {
        match self.links.get_mut(&id) {
            Some(link) if link.paused.is_some_and(|until| until <= Instant::now()) => {
                Ok(link.go_on(&mut self.client, &self.poll).await?)
            }
            _ => Ok(()),
        }
    }

    /// Another exchange is the first on the connection, perhaps: its time begins.
    pub(super) fn start_front(&mut self, id: u64, before: Option<usize>) {
        let allowance = self.settings.allowance;
        if let Some(link) = self.links.get_mut(&id)
            && link.front() != before
        {
            let now = Instant::now();
            link.stopwatch = link.front().and_then(|_| Stopwatch::start(allowance, now));
            if let Some(stopwatch) = link.stopwatch.as_mut().filter(|_| link.held) {
                stopwatch.stop(now);
            }
            self.watch_front(id);
        }
    }

    /// Has the time of the first exchange be looked at when it can be over.
    pub(super) fn watch_front(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let next = link.stopwatch.as_ref().and_then(Stopwatch::next);
        if let Some(next) = next.filter(|&next| link.watched.is_none_or(|watched| next < watched)) {
            link.watched = Some(next);
            self.alarms.set(next, Alarm::Front(id));
        }
    }

    async fn check_front(&mut self, id: u64) -> Result<(), Stop> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let now = Instant::now();
        if link.watched.is_none_or(|watched| watched <= now) {
            link.watched = None;
        }
        let exceeded = link.stopwatch.as_mut().and_then(|stopwatch| stopwatch.exceeded(now));
        match (link.front(), exceeded) {
            (Some(job), Some(Exceeded::Time)) => self.time_out(job).await,
            (Some(job), Some(Exceeded::Speed)) => {
                let (rate, time) = self.settings.allowance.speed.unwrap_or_default();
                let why = format!("slower than {rate} octets per second for {} seconds (--speed-limit)", time.as_secs_f64());
                self.abandon(job, &why).await?;
                self.cut(id).await
            }
            _ => {
                self.watch_front(id);
                Ok(())
            }
        }
    }

    /// `--max-time`.
    async fn time_out(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.remove(&job) else {
            return Ok(());
        };
        let (id, failure) = (active.link, self.cancel(&active, Error::TimedOut(Timer::Total)).await?);
        // Its response may still come: no other request is to wait for it.
        if let Some(link) = self.links.get_mut(&id) {
            link.accepting = false;
        }
        self.fail(job, Some(id), Some(active), failure).await?;
        self.cut(id).await
    }

    /// Ends a connection on which a response was given up: those behind it go elsewhere.
    async fn cut(&mut self, id: u64) -> Result<(), Stop> {
        match self.links.get_mut(&id) {
            Some(link) => {
                link.accepting = false;
                link.stopwatch = None;
                Ok(link.conn.close(&mut self.client).await?)
            }
            None => Ok(()),
        }
    }

    /// `--max-time-all`: what has not ended fails.
    async fn end_all(&mut self) -> Result<(), Stop> {
        let error = Error::TimedOut(Timer::Total);
        for job in 0..self.states.len() {
            if self.states[job].ended {
                continue;
            }
            self.ordered.remove(&job);
            self.origins[self.plan.jobs[job].origin].jobs.remove(&job);
            match self.active.remove(&job) {
                Some(active) => {
                    let (id, failure) = (active.link, self.cancel(&active, error).await?);
                    self.give_up(job, Some(active), &failure).await?;
                    self.leave(job, id).await?;
                }
                None => self.give_up(job, None, &unsent(error, Phase::Queued)).await?,
            }
        }
        Ok(())
    }

    /// The connection has been established: the server's queue had room, or had none at first.
    pub(super) async fn note_established(&mut self, id: u64) -> Result<(), Stop> {
        if self.links.get(&id).is_none_or(|link| link.established.is_some()) {
            return Ok(());
        }
        let slow = self.info(id).await?.is_some_and(|info| took(&info) > CONNECT_SLOW);
        if let Some(link) = self.links.get_mut(&id) {
            link.established = Some(Instant::now());
            if slow {
                self.origins[link.origin].gate.narrow();
            }
            self.hungry.insert(link.origin);
        }
        Ok(())
    }

    /// A response came on the connection.
    pub(super) async fn note_answer(&mut self, id: u64) -> Result<(), Stop> {
        self.note_established(id).await?;
        if let Some(link) = self.links.get_mut(&id)
            && !std::mem::replace(&mut link.answered, true)
        {
            self.origins[link.origin].gate.answered(link.opened.elapsed());
        }
        Ok(())
    }

    /// May the origin have another new connection? Else at which moment, if that is known.
    pub(super) fn gate(&self, origin: usize) -> Entry {
        let own = self.links.values().filter(|link| link.origin == origin && !link.answered);
        self.origins[origin].gate.entry(own.map(|link| link.established), Instant::now())
    }

    pub(super) async fn info(&mut self, id: u64) -> Result<Option<ConnInfo>, Stop> {
        match self.links.get(&id) {
            Some(link) => Ok(Some(link.conn.info(&mut self.client).await?)),
            None => Ok(None),
        }
    }

    /// Content of an exchange has moved.
    pub(super) fn count_moved(&mut self, active: &Active, octets: u64) {
        if let Some(link) = self.links.get_mut(&active.link)
            && link.line.first_key_value().is_some_and(|(&token, _)| token == active.token)
            && let Some(stopwatch) = &mut link.stopwatch
        {
            stopwatch.count(octets);
        }
    }
}

/// From the lookup to the connection.
fn took(info: &ConnInfo) -> Duration {
    Duration::from_nanos(info.connected.unwrap_or(0).saturating_sub(info.resolved.unwrap_or(0)))
}

//! Moments: when requests may be submitted again, how long transfers and the run may take.

use std::time::{Duration, Instant};

use sandpiper_host::types::{Error, Phase, Timer};

use super::super::connections::unsent;
use super::super::stopwatch::{Exceeded, Stopwatch};
use super::alarm::Alarm;
use super::{Engine, Stop};

impl Engine<'_> {
    /// Does what is due.
    pub(super) async fn heed_alarms(&mut self) -> Result<(), Stop> {
        while let Some(alarm) = self.alarms.take_due(Instant::now()) {
            match alarm {
                Alarm::Origin(origin) => self.feed(origin),
                Alarm::Job(job) if self.states[job].ended => {}
                Alarm::Job(job) => self.enqueue(job),
                Alarm::Time(token) => self.check_time(token).await?,
                Alarm::Pause(token) => self.go_on(token).await?,
                Alarm::End => return self.end_all(Error::TimedOut(Timer::Total)).await,
            }
        }
        Ok(())
    }

    /// The request that a token was given to, if this is its last try, and has not ended.
    fn job_of(&self, token: u64) -> Option<usize> {
        let job = *self.tokens.get(usize::try_from(token).ok()?)?;
        self.active.get(&job).filter(|active| active.token == token).map(|_| job)
    }

    async fn go_on(&mut self, token: u64) -> Result<(), Stop> {
        let Some(job) = self.job_of(token) else {
            return Ok(());
        };
        let paused = self.active.get_mut(&job).map(|active| &mut active.paused);
        match paused.and_then(|paused| paused.take_if(|until| *until <= Instant::now())) {
            Some(_) => self.want(job).await,
            None => Ok(()),
        }
    }

    /// Sets the alarm for the moment at which the time of an exchange can be over.
    pub(super) fn watch(&mut self, job: usize) {
        if let Some(active) = self.active.get(&job)
            && let Some(next) = active.stopwatch.as_ref().and_then(Stopwatch::next)
        {
            self.alarms.set(next, Alarm::Time(active.token));
        }
    }

    async fn check_time(&mut self, token: u64) -> Result<(), Stop> {
        let Some(job) = self.job_of(token) else {
            return Ok(());
        };
        let Some(active) = self.active.get_mut(&job) else {
            return Ok(());
        };
        let Some(stopwatch) = active.stopwatch.as_mut() else {
            return Ok(());
        };
        let now = Instant::now();
        if !stopwatch.has_begun() {
            let info = active.exchange.info(&mut self.client).await?;
            // The time to connect belongs to the first exchange of a connection.
            let first = info.connection.filter(|connection| connection.responses == 0);
            let connecting = first.and_then(|connection| connection.connected).map_or(Duration::ZERO, Duration::from_nanos);
            match info.turn {
                Some(turn) => {
                    let at = active.began + Duration::from_nanos(turn);
                    stopwatch.begin(at.checked_sub(connecting).unwrap_or(at));
                }
                None => stopwatch.has_not_begun(now),
            }
        }
        match stopwatch.exceeded(now) {
            Some(Exceeded::Time) => self.time_out(job).await,
            Some(Exceeded::Speed) => {
                let (rate, time) = self.settings.allowance.speed.unwrap_or_default();
                let why = format!("slower than {rate} octets per second for {} seconds (--speed-limit)", time.as_secs_f64());
                self.abandon(job, &why).await
            }
            None => {
                self.watch(job);
                Ok(())
            }
        }
    }

    /// `--max-time`.
    async fn time_out(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.remove(&job) else {
            return Ok(());
        };
        let failure = self.cancel(&active, Error::TimedOut(Timer::Total)).await?;
        self.fail(job, Some(active), failure).await
    }

    /// What has not ended fails.
    pub(super) async fn end_all(&mut self, error: Error) -> Result<(), Stop> {
        for job in 0..self.states.len() {
            if self.states[job].ended {
                continue;
            }
            let origin = self.plan.jobs[job].origin;
            self.unlist(origin);
            self.origins[origin].jobs.remove(&job);
            match self.active.remove(&job) {
                Some(active) => {
                    let failure = self.cancel(&active, error).await?;
                    self.give_up(job, Some(active), &failure).await?;
                    self.leave(job);
                }
                None => self.give_up(job, None, &unsent(error, Phase::Queued)).await?,
            }
        }
        Ok(())
    }
}

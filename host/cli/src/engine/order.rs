//! Responses for standard output, which are written in the order of the URLs.
//!
//! A response that comes before its turn is held: nobody reads the response, and the component stops reading from the connection. So little is in
//! memory, however long contents are. A held response reports (`send.want`) when the response is whole; then the program takes the content out
//! of the component. So the component holds no more than its connections do, each a buffer at most.
//!
//! **The request whose turn it is always gets a connection.** The request is submitted whatever the bounds of the program say, and is the first
//! in the line of its origin. So the request lacks a connection only when the limits of connections are reached. Then no response is held: the
//! program reads all of them into a spool, in memory or in a file, until the request has a connection. A response that is read to its end,
//! fails, or finds no room in the spool leaves its connection, and the pool opens one for the line that waits. No limit is passed for that, and
//! nothing of the pool depends on the order.
//!
//! To spool little, requests for standard output are under way to no more origins than there may be connections, in the order of the URLs.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use sandpiper_host::CallError;
use sandpiper_host::types::{Chunk, Failure, Readiness};

use super::super::incoming::{READ_OCTETS, READS_PER_TURN};
use super::super::spool::Spool;
use super::{Active, Engine, Stop};

/// How long a wait is at most while responses are held: the request whose turn it is may lose its connection without an event.
pub(super) const TURN_INTERVAL: Duration = Duration::from_millis(200);

/// What waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The exchange that standard output waits for.
    pub(super) turn: usize,
    /// The request of that exchange has no connection, because of the limits, or waits behind another one.
    pub(super) lacks: bool,
    /// The responses that nobody reads.
    pub(super) held: BTreeSet<usize>,
    /// The contents that were read before their turn.
    pub(super) spool: Spool,
    /// Origins with requests that are submitted and for standard output.
    pub(super) origins: usize,
}

/// What reading before the turn ended with.
enum Early {
    /// More will come.
    Pending,
    Whole,
    Failed(Failure),
    /// There is no room in the spool.
    NoRoom(io::Error),
}

impl Engine<'_> {
    /// May the response be written only when all before have ended?
    pub(super) fn is_ordered(&self, job: usize) -> bool {
        !self.settings.form.json && self.plan.jobs[job].destination.is_stdout()
    }

    /// May the response be written now?
    pub(super) fn is_turn(&self, job: usize) -> bool {
        job == self.order.turn || !self.is_ordered(job)
    }

    /// What the program can act upon now.
    pub(super) fn wanted(&self, job: usize, active: &Active) -> Readiness {
        let alone = Readiness::FAILED | Readiness::WRITABLE;
        match () {
            () if active.paused.is_some() => Readiness::FAILED,
            () if self.order.held.contains(&job) => alone | Readiness::COMPLETE,
            () if active.spooled.is_whole() && !self.is_turn(job) => alone,
            () => Readiness::all(),
        }
    }

    pub(super) fn advance_turn(&mut self) {
        let rest = self.plan.jobs.iter().zip(&self.states).skip(self.order.turn);
        let passed = rest.take_while(|(job, state)| state.ended || !job.destination.is_stdout()).count();
        self.order.turn += passed;
    }

    /// The turn of a response has come: it may be written.
    pub(super) async fn have_turn(&mut self, job: usize) -> Result<(), Stop> {
        let has_some = self.active.get(&job).is_some_and(|active| active.spooled.has_some());
        if self.order.held.contains(&job) || has_some { self.go_on_reading(job).await } else { Ok(()) }
    }

    /// Something of a response has come before its turn.
    pub(super) async fn receive_early(&mut self, job: usize, ready: Readiness) -> Result<(), Stop> {
        match () {
            () if self.active.get(&job).is_none_or(|active| active.spooled.is_whole()) => Ok(()),
            // The component holds no more than a buffer.
            () if ready.contains(Readiness::COMPLETE) => self.spool(job, usize::MAX).await,
            () if self.order.lacks => self.spool(job, READS_PER_TURN).await,
            () => self.hold(job).await,
        }
    }

    /// Leaves a response unread.
    async fn hold(&mut self, job: usize) -> Result<(), Stop> {
        if !self.order.held.insert(job) {
            return Ok(());
        }
        self.stop_time(job);
        self.want(job).await
    }

    /// Reads what is there of a response into the spool.
    async fn spool(&mut self, job: usize, reads_max: usize) -> Result<(), Stop> {
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        let early = self.read_early(job, &mut active, reads_max).await?;
        self.active.insert(job, active);
        match early {
            Early::Pending if self.order.held.contains(&job) => self.go_on_reading(job).await?,
            Early::Pending => {}
            Early::Whole => {
                self.order.held.remove(&job);
                self.stop_time(job);
                self.want(job).await?;
            }
            Early::Failed(failure) => {
                let active = self.active.remove(&job);
                return self.fail(job, active, failure).await;
            }
            Early::NoRoom(error) => {
                return self.abandon(job, &format!("cannot store the response until its turn on standard output: {error}")).await;
            }
        }
        self.pace(job, |[received, _]| received).await
    }

    async fn read_early(&mut self, job: usize, active: &mut Active, reads_max: usize) -> Result<Early, Stop> {
        let (progress, tally) = (&self.report.progress, &mut self.tallies[self.plan.jobs[job].origin]);
        for _ in 0..reads_max {
            let allowed = active.rates.as_mut().map_or(u64::MAX, |[received, _]| received.allowed(Instant::now()));
            if allowed == 0 {
                break;
            }
            let octets = match active.exchange.read(&mut self.client, allowed.min(READ_OCTETS)).await {
                Ok(Chunk::Data(octets)) => octets,
                Ok(Chunk::WouldBlock) => break,
                Ok(Chunk::End(trailers)) => {
                    active.spooled.put_end(trailers);
                    return Ok(Early::Whole);
                }
                Err(CallError::Http(failure)) => return Ok(Early::Failed(failure)),
                Err(CallError::Host(error)) => return Err(error.into()),
            };
            let count = octets.len() as u64;
            if let Some([received, _]) = &mut active.rates {
                received.spend(count);
            }
            active.count(count);
            progress.advance(count);
            tally.octets += count;
            if let Err(error) = active.spooled.put(octets) {
                return Ok(Early::NoRoom(error));
            }
        }
        Ok(Early::Pending)
    }

    /// A response that was left unread is read from now on.
    async fn go_on_reading(&mut self, job: usize) -> Result<(), Stop> {
        self.order.held.remove(&job);
        if let Some(stopwatch) = self.active.get_mut(&job).and_then(|active| active.stopwatch.as_mut()) {
            stopwatch.go_on(Instant::now());
        }
        self.want(job).await?;
        self.watch(job);
        Ok(())
    }

    /// A response that nobody reads takes no time.
    fn stop_time(&mut self, job: usize) {
        if let Some(stopwatch) = self.active.get_mut(&job).and_then(|active| active.stopwatch.as_mut()) {
            stopwatch.stop(Instant::now());
        }
    }

    /// Names to the component what the program can act upon now.
    pub(super) async fn want(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.get(&job) else {
            return Ok(());
        };
        let wanted = self.wanted(job, active);
        Ok(active.exchange.want(&mut self.client, wanted).await?)
    }

    /// While the request whose turn it is lacks a connection, no response is held.
    pub(super) async fn make_way(&mut self) -> Result<(), Stop> {
        if self.order.held.is_empty() && !self.order.lacks {
            return Ok(());
        }
        self.order.lacks = self.lacks().await?;
        while self.order.lacks
            && let Some(&job) = self.order.held.first()
        {
            self.go_on_reading(job).await?;
        }
        Ok(())
    }

    /// Is the request whose turn it is without a connection, because of the limits, or behind a response on its connection?
    async fn lacks(&mut self) -> Result<bool, Stop> {
        let turn = self.order.turn;
        let Some(origin) = self.plan.jobs.get(turn).map(|job| &self.origins[job.origin]) else {
            return Ok(false);
        };
        let Some(active) = self.active.get(&turn) else {
            // The pool has no room even in the line.
            return Ok(origin.is_full && origin.jobs.contains(&turn));
        };
        let (Some(made), None) = (&origin.origin, active.incoming.head()) else {
            return Ok(false);
        };
        let info = active.exchange.info(&mut self.client).await?;
        if info.connection.is_some() {
            // Behind a response that nobody reads, perhaps.
            return Ok(info.turn.is_none());
        }
        let own = self.poll.origin_info(&mut self.client, made).await?.counts;
        let all = self.poll.info(&mut self.client).await?.counts;
        let bounds = &self.settings.bounds;
        let reached = own.connections as usize >= bounds.per_origin || all.connections as usize >= bounds.connections;
        Ok(own.connecting == 0 && reached)
    }

    /// Can something from the spool be written now?
    pub(super) fn writes_spooled(&self) -> bool {
        self.active.get(&self.order.turn).is_some_and(|active| active.paused.is_none() && active.spooled.has_some())
    }

    pub(super) async fn write_spooled(&mut self) -> Result<(), Stop> {
        if self.writes_spooled() { self.receive(self.order.turn, Readiness::empty()).await } else { Ok(()) }
    }

    /// May the first request of an origin be submitted, as far as the order is concerned? Not when as many origins are under way as there may
    /// be connections.
    pub(super) fn has_way(&self, origin: usize, job: usize) -> bool {
        !self.is_ordered(job) || self.origins[origin].ordered > 0 || self.order.origins < self.settings.bounds.connections
    }

    /// A request was submitted.
    pub(super) fn enter_order(&mut self, origin: usize, job: usize) {
        if self.is_ordered(job) {
            let ordered = &mut self.origins[origin].ordered;
            self.order.origins += usize::from(*ordered == 0);
            *ordered += 1;
        }
    }

    /// A request that was submitted is over.
    pub(super) fn leave_order(&mut self, origin: usize, job: usize) {
        self.order.held.remove(&job);
        if self.is_ordered(job) {
            let ordered = &mut self.origins[origin].ordered;
            *ordered = ordered.saturating_sub(1);
            self.order.origins = self.order.origins.saturating_sub(usize::from(*ordered == 0));
        }
    }
}

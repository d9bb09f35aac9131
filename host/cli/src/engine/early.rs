//! Responses that come before their turn on standard output: held, or read into the spool.

use std::io;
use std::time::Instant;

use sandpiper_host::CallError;
use sandpiper_host::types::{Chunk, Failure, Readiness};

use super::super::incoming::{READ_OCTETS, READS_PER_TURN};
use super::super::outgoing::Outgoing;
use super::order::Held;
use super::traffic::{allowed, content_length};
use super::{Active, Engine, Stop};

/// What reading before the turn ended with.
enum Early {
    /// More will come.
    Pending,
    Whole,
    Failed(Failure),
    /// There is no room in the spool.
    NoRoom(io::Error),
}

/// What the program can act upon now. A response that is held, or whole in the spool, has nothing to read; the head of a response that is read
/// before its turn waits for the turn, and would end each wait at once.
fn wanted(is_turn: bool, is_held: bool, is_whole: bool) -> Readiness {
    let alone = Readiness::FAILED | Readiness::WRITABLE;
    match () {
        () if is_held => alone | Readiness::COMPLETE,
        () if is_turn => Readiness::all(),
        () if is_whole => alone,
        () => alone | Readiness::READABLE | Readiness::COMPLETE,
    }
}

impl Engine<'_> {
    /// Something of a response has come before its turn.
    pub(super) async fn receive_early(&mut self, job: usize, ready: Readiness) -> Result<(), Stop> {
        match () {
            () if self.active.get(&job).is_none_or(|active| active.spooled.is_whole()) => Ok(()),
            // The component holds no more than a buffer.
            () if ready.contains(Readiness::COMPLETE) => self.store(job, usize::MAX).await,
            () if self.order.lack.is_some() && self.order.read_out.contains(&job) => self.store(job, READS_PER_TURN).await,
            () => self.hold(job).await,
        }
    }

    /// Leaves a response unread.
    async fn hold(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.get(&job).filter(|_| !self.order.held.contains_key(&job)) else {
            return Ok(());
        };
        let length = match active.exchange.head(&mut self.client).await {
            Ok(head) => head.and_then(|head| content_length(head.field("content-length"))),
            Err(CallError::Http(_)) => None,
            Err(CallError::Host(error)) => return Err(error.into()),
        };
        let octets_left = length.map_or(u64::MAX, |length| length.saturating_sub(active.spooled.octets()));
        let connection = active.exchange.info(&mut self.client).await?.connection.map_or(0, |connection| connection.id);
        self.order.read_out.remove(&job);
        self.order.held.insert(job, Held { connection, octets_left });
        self.stop_time(job);
        self.want(job).await
    }

    /// Reads what is there of a response into the spool.
    async fn store(&mut self, job: usize, reads_max: usize) -> Result<(), Stop> {
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        self.ask(job, &mut active).await?;
        let early = self.read_early(job, &mut active, reads_max).await?;
        if matches!(early, Early::Whole) && active.again.is_some() {
            return self.ask_again(job, active).await;
        }
        self.active.insert(job, active);
        match early {
            Early::Pending if self.order.held.contains_key(&job) => self.go_on_reading(job).await?,
            Early::Pending => {}
            Early::Whole => {
                self.leave_order(self.plan.jobs[job].origin, job);
                self.stop_time(job);
                self.want(job).await?;
            }
            Early::Failed(failure) => {
                let active = self.active.remove(&job);
                return self.fail(job, active, failure).await;
            }
            Early::NoRoom(error) => return self.postpone(job, &error).await,
        }
        self.pace(job, |[received, _]| received).await
    }

    async fn read_early(&mut self, job: usize, active: &mut Active, reads_max: usize) -> Result<Early, Stop> {
        for _ in 0..reads_max {
            let octets_max = allowed(&mut active.rates).min(READ_OCTETS);
            if octets_max == 0 {
                break;
            }
            let octets = match active.exchange.read(&mut self.client, octets_max).await {
                Ok(Chunk::Data(octets)) => octets,
                Ok(Chunk::WouldBlock) => break,
                Ok(Chunk::End(trailers)) => {
                    active.spooled.put_end(trailers);
                    return Ok(Early::Whole);
                }
                Err(CallError::Http(failure)) => return Ok(Early::Failed(failure)),
                Err(CallError::Host(error)) => return Err(error.into()),
            };
            self.order.moved = Some(Instant::now());
            self.account(job, active, octets.len() as u64);
            if let Err(error) = active.spooled.put(octets) {
                return Ok(Early::NoRoom(error));
            }
        }
        Ok(Early::Pending)
    }

    /// There is no room for a response before its turn. The request is sent again at its turn, if that does no harm.
    async fn postpone(&mut self, job: usize, error: &io::Error) -> Result<(), Stop> {
        let is_spent = |active: &Active| active.outgoing.as_ref().is_some_and(Outgoing::is_spent);
        if !self.plan.template.is_idempotent() || self.active.get(&job).is_some_and(is_spent) {
            let advice = "make room there, or have TMPDIR name another directory; write to files (-o); or use fewer connections";
            let why = format!("no room for the response until its turn on standard output: {error}; {advice}");
            return self.abandon(job, &why).await;
        }
        let Some(active) = self.active.remove(&job) else {
            return Ok(());
        };
        active.exchange.cancel(&mut self.client).await?;
        self.take_back(job, Some(active)).await?;
        self.order.postponed.insert(job);
        self.leave(job);
        Ok(())
    }

    /// A response that was left unread is read from now on.
    pub(super) async fn go_on_reading(&mut self, job: usize) -> Result<(), Stop> {
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
        let wanted = match active.paused {
            Some(_) => Readiness::FAILED,
            None => wanted(self.is_turn(job), self.order.held.contains_key(&job), active.spooled.is_whole()),
        };
        Ok(active.exchange.want(&mut self.client, wanted).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wanted_that_stays_ready_until_the_turn() {
        let of_the_head = Readiness::HEAD | Readiness::INTERIM;
        assert_eq!(wanted(true, false, false), Readiness::all());
        for (is_held, is_whole) in [(false, false), (false, true), (true, false)] {
            let wanted = wanted(false, is_held, is_whole);
            assert_eq!(wanted & of_the_head, Readiness::empty());
            assert!(wanted.contains(Readiness::FAILED | Readiness::WRITABLE));
            assert_eq!(wanted.contains(Readiness::READABLE), !is_held && !is_whole);
            assert_eq!(wanted.contains(Readiness::COMPLETE), !is_whole);
        }
    }
}

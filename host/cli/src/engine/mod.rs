//! Drives all exchanges of a fetch: requests onto connections, responses to where they go, failures to what follows from them.
//!
//! One loop: fill the connections, wait on one poll, act on its events. Requests of one origin go onto its connections in the order
//! of the URLs. A response for standard output is read when all before it have ended; until then its connection is
//! taken out of the poll, which would report it again and again, and the component stops reading it.

mod alarm;
mod choice;
mod ending;
mod facts;
mod recovery;
mod supply;
mod times;
mod traffic;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandpiper_host::types::{ConnState, Error, Event, Readiness};
use sandpiper_host::{CallError, Client, Exchange, HostError, Poll};

use super::backoff::{Backoff, Cause};
use super::bounds::Bounds;
use super::gate::Gate;
use super::incoming::{Form, Incoming};
use super::key_log::KeyLog;
use super::link::{Known, Link, LinkOptions};
use super::outgoing::Outgoing;
use super::plan::Plan;
use super::progress::{COUNT_INTERVAL, Counts};
use super::rate::Rate;
use super::report::Report;
use super::stopwatch::Allowance;
use super::summary::Tally;
use super::wire_log::WireLog;
use super::write_out::WriteOut;
use alarm::{Alarm, Alarms};

/// Events of one wait.
const EVENTS_MAX: u32 = 1024;
/// How long the log of what happens waits to be shown while nothing else does.
const LOG_INTERVAL: Duration = Duration::from_millis(200);
/// Waits in a row that end at once and without an event. Then nothing is ever going to happen.
const EMPTY_WAITS_MAX: u32 = 10_000;

/// Broken pipelines after which an origin is spoken to one request at a time (RFC 9112 §9.3.2 asks for that after one, for the first
/// request of the next connection).
const BREAKS_MAX: u32 = 2;

/// What ends a fetch before its exchanges have.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Standard output cannot be written; perhaps its reader has gone.
    Output(io::Error),
    Host(HostError),
    /// The component has exchanges, and nothing to wait for.
    Stalled,
}

impl From<HostError> for Stop {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<CallError<Error>> for Stop {
    fn from(error: CallError<Error>) -> Self {
        match error {
            CallError::Host(error) => Self::Host(error),
            // Of `poll.insert` only, for a connection that is in no poll.
            CallError::Http(_) => Self::Stalled,
        }
    }
}

/// What the command line says about all exchanges.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) links: LinkOptions,
    pub(crate) bounds: Bounds,
    pub(crate) form: Form,
    pub(crate) backoff: Backoff,
    /// Of each transfer.
    pub(crate) allowance: Allowance,
    /// `--max-time-all`.
    pub(crate) time_of_all: Option<Duration>,
    /// `--limit-rate`.
    pub(crate) rate: Option<u64>,
    /// `-w`.
    pub(crate) write_out: Option<Arc<WriteOut>>,
    pub(crate) summary: bool,
}

/// One URL on its way.
#[derive(Debug, Default)]
struct State {
    /// Repeats that count.
    repeats: u32,
    /// How often it was sent again in all.
    resent: u32,
    /// It has gone once more by itself, and wants a connection that has carried nothing.
    went_again: bool,
    /// When it was handed to a connection first.
    began: Option<Instant>,
    ended: bool,
    /// A stream of which no exchange has accepted anything yet.
    carried: Option<Outgoing>,
}

/// An exchange that has not ended.
#[derive(Debug)]
struct Active {
    exchange: Exchange,
    token: u64,
    link: u64,
    incoming: Incoming,
    outgoing: Option<Outgoing>,
    /// When a connection had its request.
    began: Instant,
    /// Its response has been asked whether it wants another try.
    asked: bool,
    /// It does: the response is thrown away.
    again: Option<Cause>,
    /// `--limit-rate`: of what is received, and of what is sent.
    rates: Option<[Rate; 2]>,
}

/// An origin's requests that are on no connection.
#[derive(Debug, Default)]
struct Waiting {
    jobs: BTreeSet<usize>,
    /// Its connections.
    links: usize,
    /// A connection to it has ended.
    again: bool,
    /// Connections that ended with pipelined requests unanswered, and undeclared.
    breaks: u32,
    /// It took no further connection while it had one.
    is_full: bool,
    gate: Gate,
    /// Connections that ended without a response.
    failures: u32,
    not_before: Option<Instant>,
}

impl Waiting {
    fn known(&self) -> Known {
        match () {
            () if self.breaks >= BREAKS_MAX => Known::Unpipelined,
            () if self.again => Known::Ended,
            () => Known::Nothing,
        }
    }
}

/// Which of the origins that wait for a connection is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// It has one already.
    served: bool,
    /// Those whose server answers come first.
    failures: u32,
    /// Its first request.
    job: usize,
    origin: usize,
}

pub(crate) struct Engine<'a> {
    plan: &'a Plan,
    settings: Settings,
    client: Client,
    poll: Poll,
    pub(crate) report: Report,
    log: WireLog,
    key_log: KeyLog,
    states: Vec<State>,
    unended: usize,
    active: HashMap<usize, Active>,
    origins: Vec<Waiting>,
    tallies: Vec<Tally>,
    links: BTreeMap<u64, Link>,
    /// Origins that may have something for a connection.
    hungry: BTreeSet<usize>,
    /// What waits until a moment.
    alarms: Alarms,
    /// Origins that wait for other origins' connections.
    blocked: BTreeSet<Rank>,
    /// Requests for standard output that are on no connection.
    ordered: BTreeSet<usize>,
    /// The exchange that each token was given to.
    tokens: Vec<usize>,
    /// The exchange that standard output waits for.
    turn: usize,
    /// The exchange whose content waits for its source; one at most, since standard input is one.
    starving: Option<usize>,
}

impl<'a> Engine<'a> {
    pub(crate) async fn new(
        plan: &'a Plan,
        settings: Settings,
        mut client: Client,
        report: Report,
        log: WireLog,
        key_log: KeyLog,
    ) -> Result<Self, HostError> {
        let poll = client.poll(None).await?;
        let mut origins: Vec<Waiting> = plan.origins.iter().map(|_| Waiting::default()).collect();
        let mut tallies = vec![Tally::default(); origins.len()];
        for (index, job) in plan.jobs.iter().enumerate() {
            origins[job.origin].jobs.insert(index);
            tallies[job.origin].requests += 1;
        }
        let mut engine = Self {
            settings,
            client,
            poll,
            report,
            log,
            key_log,
            states: plan.jobs.iter().map(|_| State::default()).collect(),
            unended: plan.jobs.len(),
            active: HashMap::new(),
            hungry: (0..origins.len()).collect(),
            alarms: Alarms::default(),
            blocked: BTreeSet::new(),
            ordered: BTreeSet::new(),
            origins,
            tallies,
            links: BTreeMap::new(),
            tokens: Vec::new(),
            turn: 0,
            starving: None,
            plan,
        };
        engine.ordered = (0..plan.jobs.len()).filter(|&job| engine.is_ordered(job)).collect();
        engine.advance_turn();
        if let Some(end) = engine.settings.time_of_all.and_then(|time| Instant::now().checked_add(time)) {
            engine.alarms.set(end, Alarm::End);
        }
        Ok(engine)
    }

    /// Until every exchange has ended.
    pub(crate) async fn run(&mut self) -> Result<(), Stop> {
        let mut empty_waits = 0;
        while self.unended > 0 {
            self.heed_alarms().await?;
            self.supply().await?;
            if self.unended == 0 {
                break;
            }
            self.show_counts();
            let began = Instant::now();
            let events = self.wait().await?;
            let idle = events.is_empty() && self.starving.is_none() && began.elapsed() < Duration::from_millis(1);
            empty_waits = if idle { empty_waits + 1 } else { 0 };
            if empty_waits > EMPTY_WAITS_MAX {
                return Err(Stop::Stalled);
            }
            for event in events {
                self.act(event).await?;
            }
            self.feed_starving().await?;
            self.take_logs().await?;
        }
        self.end_links().await
    }

    async fn wait(&mut self) -> Result<Vec<Event>, Stop> {
        let next = self.alarms.next().map(|time| time.saturating_duration_since(Instant::now()));
        let look = [
            self.starving.map(|_| Duration::ZERO),
            self.log.is_on().then_some(LOG_INTERVAL),
            self.report.progress.counts().then_some(COUNT_INTERVAL),
        ];
        let timeout = look.into_iter().flatten().chain(next).min();
        let driven = self.links.values().any(|link| link.is_driven() && !link.is_idle());
        match timeout {
            _ if driven => Ok(self.poll.wait(&mut self.client, timeout, EVENTS_MAX).await?),
            Some(timeout) => {
                tokio::time::sleep(timeout).await;
                Ok(Vec::new())
            }
            None => Ok(Vec::new()),
        }
    }

    async fn act(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Conn(event) => {
                if event.state != ConnState::Connecting {
                    self.note_established(event.token).await?;
                }
                if matches!(event.state, ConnState::Closing | ConnState::Closed)
                    && let Some(link) = self.links.get_mut(&event.token)
                {
                    link.accepting = false;
                    self.hungry.insert(link.origin);
                    self.retire(event.token).await?;
                }
                Ok(())
            }
            Event::Exchange(event) => {
                let job = usize::try_from(event.token).ok().and_then(|token| self.tokens.get(token).copied());
                match job {
                    Some(job) if self.active.get(&job).is_some_and(|active| active.token == event.token) => {
                        self.act_on(job, event.ready).await
                    }
                    _ => Ok(()),
                }
            }
            // No request is collected, and nothing wakes.
            Event::Completions(_) | Event::Woken => Ok(()),
        }
    }

    async fn act_on(&mut self, job: usize, ready: Readiness) -> Result<(), Stop> {
        if ready.contains(Readiness::WRITABLE) {
            self.send_content(job).await?;
        }
        let link = self.active.get(&job).map(|active| active.link);
        let receiving = Readiness::INTERIM | Readiness::HEAD | Readiness::READABLE | Readiness::COMPLETE | Readiness::FAILED;
        if (ready & receiving) == Readiness::empty() || !self.active.contains_key(&job) {
            return Ok(());
        }
        match self.is_turn(job) {
            true => self.receive(job, ready).await?,
            false if ready.contains(Readiness::FAILED) => self.receive_failure(job).await?,
            false => self.hold(job, ready.contains(Readiness::COMPLETE)).await?,
        }
        // Octets of its response are still to be read: it failed with those, and bears the end of its connection.
        if ready.contains(Readiness::FAILED)
            && self.active.contains_key(&job)
            && let Some(link) = link.and_then(|id| self.links.get_mut(&id))
        {
            link.charged = true;
        }
        Ok(())
    }

    /// May its response be read only when all before it have ended?
    fn is_ordered(&self, job: usize) -> bool {
        !self.settings.form.json && self.plan.jobs[job].destination.is_stdout()
    }

    /// May its response be read now?
    fn is_turn(&self, job: usize) -> bool {
        job == self.turn || !self.is_ordered(job)
    }

    async fn take_logs(&mut self) -> Result<(), Stop> {
        for link in self.links.values() {
            self.log.take(&mut self.client, link, &self.tokens, &self.report).await?;
        }
        Ok(self.key_log.take(&mut self.client).await?)
    }

    fn show_counts(&mut self) {
        let (links, tallies, active, jobs) = (&self.links, &self.tallies, self.active.len(), self.plan.jobs.len());
        self.report.progress.count(|| {
            let total = Tally::total(tallies);
            Counts {
                done: total.done(),
                active,
                queued: jobs - total.done() - active,
                connections: links.len(),
                idle: links.values().filter(|link| link.is_idle()).count(),
                reused: total.reused,
                repeated: total.repeated,
            }
        });
    }

    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn sum_up(&self) -> io::Result<()> {
        if !self.settings.summary {
            return Ok(());
        }
        let names: Vec<&str> = self.plan.origins.iter().map(|origin| origin.name.as_str()).collect();
        self.report.sum_up(&names, &self.tallies)
    }

    /// All exchanges have ended: the connections may go, and say so in the log.
    async fn end_links(&mut self) -> Result<(), Stop> {
        for (_, link) in std::mem::take(&mut self.links) {
            link.conn.shutdown(&mut self.client).await?;
            self.log.take(&mut self.client, &link, &self.tokens, &self.report).await?;
        }
        Ok(self.key_log.take(&mut self.client).await?)
    }
}

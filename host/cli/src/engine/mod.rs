//! Drives all exchanges of a fetch: requests into the pool of the component, responses to where they go, failures to what follows from them.
//!
//! One loop: submit requests, wait on one poll, act on its events. Which connection carries a request, and whether an unanswered one is sent
//! again, is decided by the pool. A response for standard output is written when all before it have ended: `order` and
//! `early` say what becomes of the response until then.

mod alarm;
mod early;
mod ending;
mod facts;
mod order;
mod recovery;
mod supply;
mod times;
mod traffic;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandpiper_host::types::{Error, Event, Readiness};
use sandpiper_host::{Client, Exchange, HostError, Origin, Poll};

use super::backoff::{Backoff, Cause};
use super::bounds::Bounds;
use super::connections::ConnectionOptions;
use super::incoming::{Form, Incoming};
use super::key_log::KeyLog;
use super::outgoing::Outgoing;
use super::plan::Plan;
use super::progress::{COUNT_INTERVAL, Counts};
use super::rate::Rate;
use super::report::Report;
use super::spool::Spooled;
use super::stopwatch::{Allowance, Stopwatch};
use super::summary::Tally;
use super::wire_log::WireLog;
use super::write_out::WriteOut;
use alarm::{Alarm, Alarms};
use order::{Order, TURN_INTERVAL};

/// Events of one wait.
const EVENTS_MAX: u32 = 1024;
/// Events after which the log is taken: each makes no more entries than reading one response in one turn does.
const EVENTS_LOGGED: usize = 64;
/// How long the log of what happens waits to be shown while nothing else does.
const LOG_INTERVAL: Duration = Duration::from_millis(200);

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

/// What the command line says about all exchanges.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) connections: ConnectionOptions,
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
    /// When it was submitted first.
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
    incoming: Incoming,
    outgoing: Option<Outgoing>,
    /// When its request was submitted.
    began: Instant,
    /// Its response has been asked whether it wants another try.
    asked: bool,
    /// It does: the response is thrown away.
    again: Option<Cause>,
    /// What was read of its response before its turn on standard output.
    spooled: Spooled,
    /// No octets may move before this moment, for `--limit-rate`.
    paused: Option<Instant>,
    /// `--limit-rate`: of what is received, and of what is sent.
    rates: Option<[Rate; 2]>,
    /// `--max-time` and `--speed-limit`.
    stopwatch: Option<Stopwatch>,
}

impl Active {
    /// Content has moved.
    fn count(&mut self, octets: u64) {
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.count(octets);
        }
    }
}

/// An origin's requests.
#[derive(Debug, Default)]
struct Waiting {
    /// The origin in the component; made with the first request.
    origin: Option<Origin>,
    /// Requests that are not submitted.
    jobs: BTreeSet<usize>,
    /// Requests that are submitted, and have not ended.
    submitted: BTreeSet<usize>,
    /// How many requests have not ended, submitted or not.
    unended: usize,
    /// The pool takes no more requests until one has ended.
    is_full: bool,
    /// A connection to the origin was established, and none has failed to be since.
    is_reached: bool,
    /// Submitted requests for standard output whose responses are not whole in the spool.
    ordered: BTreeSet<usize>,
    /// The connection whose failure has failed all requests that waited.
    failed_by: u64,
    /// When requests may be submitted again.
    not_before: Option<Instant>,
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
    /// Origins with a request that may be submitted, each with the rank of its first one: where this has no order, and where it has.
    hungry: [BTreeSet<(usize, usize)>; 2],
    /// The rank of each request: the lowest is submitted first.
    ranks: Vec<usize>,
    /// What waits until a moment.
    alarms: Alarms,
    /// The exchange that each token was given to.
    tokens: Vec<usize>,
    /// Connections of exchanges that have ended.
    carried: HashSet<u64>,
    /// What waits for its turn on standard output.
    order: Order,
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
        let poll = client.poll(settings.bounds.poll_options(log.entries())).await?;
        let mut origins: Vec<Waiting> = plan.origins.iter().map(|_| Waiting::default()).collect();
        let mut tallies = vec![Tally::default(); origins.len()];
        let mut ranks = Vec::with_capacity(plan.jobs.len());
        for (index, job) in plan.jobs.iter().enumerate() {
            let ordered = !settings.form.json && job.destination.is_stdout();
            let waiting = &mut origins[job.origin];
            // What has no order has a turn in each round of the origins.
            ranks.push(if ordered { index } else { waiting.unended * plan.origins.len() });
            waiting.jobs.insert(index);
            waiting.unended += 1;
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
            hungry: [BTreeSet::new(), BTreeSet::new()],
            ranks,
            alarms: Alarms::default(),
            origins,
            tallies,
            tokens: Vec::new(),
            carried: HashSet::new(),
            order: Order::default(),
            starving: None,
            plan,
        };
        (0..plan.origins.len()).for_each(|origin| engine.feed(origin));
        engine.advance_turn();
        if let Some(end) = engine.settings.time_of_all.and_then(|time| Instant::now().checked_add(time)) {
            engine.alarms.set(end, Alarm::End);
        }
        Ok(engine)
    }

    /// Until every exchange has ended.
    pub(crate) async fn run(&mut self) -> Result<(), Stop> {
        while self.unended > 0 {
            self.heed_alarms().await?;
            self.supply().await?;
            if self.unended == 0 {
                break;
            }
            self.show_counts().await?;
            self.make_way().await?;
            let events = self.wait().await?;
            if events.is_empty() && self.is_stalled().await? {
                self.end_all(Error::Internal).await?;
                return Err(Stop::Stalled);
            }
            for (event, number) in events.into_iter().zip(1..) {
                self.act(event).await?;
                if number % EVENTS_LOGGED == 0 {
                    self.take_logs().await?;
                }
            }
            self.feed_starving().await?;
            self.write_spooled().await?;
            self.take_logs().await?;
        }
        self.poll.shutdown(&mut self.client).await?;
        self.take_logs().await
    }

    async fn wait(&mut self) -> Result<Vec<Event>, Stop> {
        let next = self.alarms.next().map(|time| time.saturating_duration_since(Instant::now()));
        let look = [
            (self.starving.is_some() || self.writes_spooled()).then_some(Duration::ZERO),
            self.log.is_on().then_some(LOG_INTERVAL),
            self.report.progress.counts().then_some(COUNT_INTERVAL),
            (!self.order.held.is_empty() || self.order.lack.is_some()).then_some(TURN_INTERVAL),
        ];
        let timeout = look.into_iter().flatten().chain(next).min();
        match timeout {
            // Nothing is on its way.
            Some(timeout) if self.active.is_empty() => {
                tokio::time::sleep(timeout).await;
                Ok(Vec::new())
            }
            _ => Ok(self.poll.wait(&mut self.client, timeout, EVENTS_MAX).await?),
        }
    }

    /// Can nothing ever happen, after a wait without an event? Nothing is due, nothing is on its way, and the component waits for no moment.
    async fn is_stalled(&mut self) -> Result<bool, Stop> {
        if self.alarms.next().is_some() || self.starving.is_some() || self.writes_spooled() {
            return Ok(false);
        }
        let pool = self.poll.info(&mut self.client).await?.counts;
        let waits = pool.outstanding > 0 || pool.connecting > 0;
        Ok(!waits && self.poll.next_deadline(&mut self.client).await?.is_none())
    }

    async fn act(&mut self, event: Event) -> Result<(), Stop> {
        // No connection is inserted, no request is collected, and nothing wakes.
        let Event::Exchange(event) = event else {
            return Ok(());
        };
        let job = usize::try_from(event.token).ok().and_then(|token| self.tokens.get(token).copied());
        match job {
            Some(job) if self.active.get(&job).is_some_and(|active| active.token == event.token) => {
                self.act_on(job, event.ready).await
            }
            _ => Ok(()),
        }
    }

    async fn act_on(&mut self, job: usize, ready: Readiness) -> Result<(), Stop> {
        if !ready.contains(Readiness::FAILED) {
            self.reach(self.plan.jobs[job].origin);
        }
        if ready.contains(Readiness::WRITABLE) {
            self.send_content(job).await?;
        }
        let receiving = Readiness::INTERIM | Readiness::HEAD | Readiness::READABLE | Readiness::COMPLETE | Readiness::FAILED;
        if (ready & receiving) == Readiness::empty() || !self.active.contains_key(&job) {
            return Ok(());
        }
        if self.is_turn(job) {
            self.receive(job, ready).await
        } else if ready.contains(Readiness::FAILED) {
            self.receive_failure(job).await
        } else {
            self.receive_early(job, ready).await
        }
    }

    /// Takes what was logged, before later entries need the room.
    pub(super) async fn take_logs(&mut self) -> Result<(), Stop> {
        self.log.take(&mut self.client, &self.poll, &self.tokens, &self.report).await?;
        Ok(self.key_log.take(&mut self.client).await?)
    }

    async fn show_counts(&mut self) -> Result<(), Stop> {
        if !self.report.progress.is_due() {
            return Ok(());
        }
        let pool = self.poll.info(&mut self.client).await?.counts;
        let total = Tally::total(&self.tallies);
        self.report.progress.count(&Counts {
            done: total.done(),
            active: pool.outstanding,
            queued: u32::try_from(self.unended).unwrap_or(u32::MAX).saturating_sub(pool.outstanding),
            connections: pool.connections,
            idle: pool.idle,
            reused: pool.reused,
            repeated: pool.retried + total.repeated,
        });
        Ok(())
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
}

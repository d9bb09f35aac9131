//! Drives all exchanges of a fetch: requests onto connections, responses to where they go, failures to what follows from them.
//!
//! One loop: fill the connections, wait on one poll, act on its events. Requests of one origin go onto its connections in the order
//! of the URLs. A response for standard output is read when all before it have ended; until then its connection is
//! taken out of the poll, which would report it again and again, and the component stops reading it.

mod choice;
mod ending;
mod facts;
mod supply;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandpiper_host::types::{ConnState, Error, Event, Readiness};
use sandpiper_host::{CallError, Client, Exchange, HostError, Poll};

use super::bounds::Bounds;
use super::incoming::{Form, Incoming, Received};
use super::key_log::KeyLog;
use super::link::{Link, LinkOptions};
use super::outgoing::{self, Outgoing, Sent};
use super::plan::Plan;
use super::progress::{COUNT_INTERVAL, Counts};
use super::report::Report;
use super::summary::Tally;
use super::wire_log::WireLog;
use super::write_out::WriteOut;

/// Events of one wait.
const EVENTS_MAX: u32 = 1024;
/// How long a source is waited for before the connections have their turn.
const SOURCE_WAIT: Duration = Duration::from_millis(10);
/// How long the log of what happens waits to be shown while nothing else does.
const LOG_INTERVAL: Duration = Duration::from_millis(200);
/// Waits in a row that end at once and without an event. Then nothing is ever going to happen.
const EMPTY_WAITS_MAX: u32 = 10_000;

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
    /// `-w`.
    pub(crate) write_out: Option<Arc<WriteOut>>,
    pub(crate) repeats_max: u32,
    pub(crate) summary: bool,
}

/// One URL on its way.
#[derive(Debug, Default)]
struct State {
    repeats: u32,
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
}

/// An origin's requests that are on no connection.
#[derive(Debug, Default)]
struct Waiting {
    jobs: BTreeSet<usize>,
    /// Its connections.
    links: usize,
    /// A connection to it has ended.
    again: bool,
    /// It took no further connection while it had one.
    is_full: bool,
    /// Connections that ended without a response.
    failures: u32,
    not_before: Option<Instant>,
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
    /// Origins that wait until a moment.
    delayed: BTreeSet<(Instant, usize)>,
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
            delayed: BTreeSet::new(),
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
        Ok(engine)
    }

    /// Until every exchange has ended.
    pub(crate) async fn run(&mut self) -> Result<(), Stop> {
        let mut empty_waits = 0;
        while self.unended > 0 {
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
        let next = self.delayed.first().map(|(time, _)| time.saturating_duration_since(Instant::now()));
        let look = [
            self.starving.map(|_| Duration::ZERO),
            self.log.is_on().then_some(LOG_INTERVAL),
            self.report.progress.counts().then_some(COUNT_INTERVAL),
        ];
        let timeout = look.into_iter().flatten().chain(next).min();
        let driven = self.links.values().any(|link| !link.held && !link.active.is_empty());
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
        let receiving = Readiness::INTERIM | Readiness::HEAD | Readiness::READABLE | Readiness::COMPLETE | Readiness::FAILED;
        if (ready & receiving) == Readiness::empty() || !self.active.contains_key(&job) {
            return Ok(());
        }
        match self.is_turn(job) {
            true => self.receive(job, ready).await,
            false if ready.contains(Readiness::FAILED) => self.receive_failure(job).await,
            false => self.hold(job, ready.contains(Readiness::COMPLETE)).await,
        }
    }

    /// May its response be read only when all before it have ended?
    fn is_ordered(&self, job: usize) -> bool {
        !self.settings.form.json && self.plan.jobs[job].destination.is_stdout()
    }

    /// May its response be read now?
    fn is_turn(&self, job: usize) -> bool {
        job == self.turn || !self.is_ordered(job)
    }

    async fn receive(&mut self, job: usize, ready: Readiness) -> Result<(), Stop> {
        let Some(mut active) = self.active.remove(&job) else {
            return Ok(());
        };
        let had_head = active.incoming.head().is_some();
        let (progress, tally) = (&self.report.progress, &mut self.tallies[self.plan.jobs[job].origin]);
        let count = |octets| {
            progress.advance(octets);
            tally.octets += octets;
        };
        let received = active.incoming.advance(&mut self.client, &active.exchange, ready, count).await;
        match received {
            Ok(Received::Pending) => {
                if !had_head {
                    self.began(&mut active);
                }
                self.active.insert(job, active);
                Ok(())
            }
            Ok(Received::End(trailers)) => self.complete(job, active, &trailers).await,
            Ok(Received::Failed(failure)) => self.fail(job, Some(active.link), Some(active), failure).await,
            Err(trouble) => self.give_up_receiving(job, active, trouble).await,
        }
    }

    /// Its head has come, perhaps.
    fn began(&mut self, active: &mut Active) {
        let Some(head) = active.incoming.head() else {
            return;
        };
        let length = head.field("content-length").next().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        if let Some(octets) = length {
            self.report.progress.expect(octets);
        }
        if active.incoming.is_tunnel() {
            active.outgoing = Some(Outgoing::stdin());
        }
    }

    /// It failed before its turn: what came of it is not read.
    async fn receive_failure(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.remove(&job) else {
            return Ok(());
        };
        match active.exchange.head(&mut self.client).await {
            Err(CallError::Http(failure)) => self.fail(job, Some(active.link), Some(active), failure).await,
            Err(CallError::Host(error)) => Err(error.into()),
            Ok(_) => {
                self.active.insert(job, active);
                Ok(())
            }
        }
    }

    /// Its turn has not come: unless another exchange of the connection can go on, the connection waits.
    async fn hold(&mut self, job: usize, whole: bool) -> Result<(), Stop> {
        let Some(active) = self.active.get(&job) else {
            return Ok(());
        };
        let before = self.links.get(&active.link).into_iter().flat_map(|link| link.active.range(..job));
        if before.copied().any(|other| self.is_turn(other)) {
            return Ok(());
        }
        if let Some(link) = self.links.get_mut(&active.link) {
            link.hold(&mut self.client, &self.poll, whole).await?;
            // The request whose turn it is may need this connection.
            self.hungry.insert(link.origin);
        }
        Ok(())
    }

    async fn send_content(&mut self, job: usize) -> Result<(), Stop> {
        let Some(active) = self.active.get_mut(&job) else {
            return Ok(());
        };
        let Some(outgoing) = &mut active.outgoing else {
            // It could be written to for ever, and there is nothing to write.
            if active.incoming.head().is_some() {
                match active.exchange.finish(&mut self.client, &[]).await {
                    Ok(()) | Err(CallError::Http(_)) => {}
                    Err(CallError::Host(error)) => return Err(error.into()),
                }
            }
            return Ok(());
        };
        let template = &self.plan.template;
        match outgoing.advance(&mut self.client, &active.exchange, &template.content, &template.trailers).await {
            Ok(Sent::Starving) => self.starving = Some(job),
            Ok(Sent::Blocked | Sent::Done) => {}
            Err(outgoing::Trouble::Host(error)) => return Err(error.into()),
            Err(outgoing::Trouble::Source(error)) => {
                self.abandon(job, &format!("cannot read what is to be uploaded: {error}")).await?;
            }
            Err(outgoing::Trouble::Refused(failure)) => {
                let active = self.active.remove(&job);
                let link = active.as_ref().map(|active| active.link);
                self.fail(job, link, active, failure).await?;
            }
        }
        Ok(())
    }

    /// Gives the source of an upload a moment to say something.
    async fn feed_starving(&mut self) -> Result<(), Stop> {
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

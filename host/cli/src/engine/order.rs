//! Standard output, which is written in the order of the URLs.
//!
//! A response that comes before its turn is held (`early`): nobody reads the response, and the component stops reading from the connection. So
//! little is in memory, however long contents are. A held response reports (`send.want`) when the response is whole; then the program takes the
//! content out of the component. So the component holds no more than its connections do, each a buffer at most.
//!
//! **The request whose turn it is always gets a connection.** The request is submitted whatever the bounds of the program say, and is the first
//! in the line of its origin. So the request lacks a connection only when the limits of connections are reached. Then the program reads held
//! responses into a spool, in memory or in a file, until the request has a connection: one response at a time, the one with the fewest octets
//! left, and another one beside it while nothing comes. A response that is read to its end, fails, or finds no room in the spool leaves its
//! connection, and the pool opens one for a line that waits. No limit is passed for that, and nothing of the pool depends on the order.
//!
//! A response that finds no room is cancelled, and its request is sent again at its turn.
//!
//! To spool little, requests for standard output are under way to no more origins than there may be connections, in the order of the URLs; and no
//! other one is submitted while the request whose turn it is lacks a connection. So the lines that wait beside its own are no more than there
//! may be connections, and the pool serves lines in turn: after so many connections at most, the request has one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sandpiper_host::types::Readiness;

use super::super::spool::Spool;
use super::{Active, Engine, Stop};

/// How long a wait is at most while responses are held: the request whose turn it is may lose its connection without an event. Also how long
/// nothing comes of a response until another one is read beside it.
pub(super) const TURN_INTERVAL: Duration = Duration::from_millis(200);

/// Which connection the request whose turn it is waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The one with this id, which carries the request behind others.
    Connection(u64),
    /// One of its own origin, which has as many as it may.
    Origin,
    Any,
}

/// A response that nobody reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The id of its connection.
    pub(super) connection: u64,
    /// Octets of its content that were not read; `u64::MAX`: it is not known how many.
    pub(super) octets_left: u64,
}

/// What waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The exchange that standard output waits for.
    pub(super) turn: usize,
    /// The request of that exchange has no connection, because of the limits, or waits behind another one.
    pub(super) lack: Option<Lack>,
    pub(super) held: BTreeMap<usize, Held>,
    /// The responses that are read before their turn, because of the lack.
    pub(super) read_out: BTreeSet<usize>,
    /// When something came of those.
    pub(super) moved: Option<Instant>,
    /// The connection of the last one of those.
    connection: u64,
    /// Requests that are sent again at their turn: there was no room for their responses.
    pub(super) postponed: BTreeSet<usize>,
    /// The contents that were read before their turn.
    pub(super) spool: Spool,
    /// Origins with requests that are submitted and for standard output, and whose responses are not whole in the spool.
    pub(super) origins: usize,
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

    pub(super) fn advance_turn(&mut self) {
        let rest = self.plan.jobs.iter().zip(&self.states).skip(self.order.turn);
        let passed = rest.take_while(|(job, state)| state.ended || !job.destination.is_stdout()).count();
        self.order.turn += passed;
    }

    /// The next turn has come: its response may be written, or its request is submitted again.
    pub(super) async fn have_turn(&mut self) -> Result<(), Stop> {
        let job = self.order.turn;
        if self.order.postponed.remove(&job) {
            self.enqueue(job);
        }
        let was_read = |active: &Active| active.spooled.has_some() || active.rates.is_some();
        let is_known = self.order.held.contains_key(&job) || self.order.read_out.remove(&job);
        let is_known = is_known || self.active.get(&job).is_some_and(was_read);
        if is_known { self.go_on_reading(job).await } else { Ok(()) }
    }

    /// While the request whose turn it is lacks a connection, held responses are read.
    pub(super) async fn make_way(&mut self) -> Result<(), Stop> {
        let order = &self.order;
        if order.held.is_empty() && order.read_out.is_empty() && order.lack.is_none() {
            return Ok(());
        }
        let lacked = self.order.lack.take().is_some();
        self.order.lack = self.lack().await?;
        if lacked && self.order.lack.is_none() {
            return self.supply().await;
        }
        let now = Instant::now();
        let moves = |moved| now.saturating_duration_since(moved) < TURN_INTERVAL;
        let is_reading = !self.order.read_out.is_empty() && self.order.moved.is_some_and(moves);
        let Some((job, held)) = self.order.lack.filter(|_| !is_reading).and_then(|lack| self.next_to_read_out(lack)) else {
            return Ok(());
        };
        self.order.read_out.insert(job);
        self.order.connection = held.connection;
        self.order.moved = Some(now);
        self.go_on_reading(job).await
    }

    /// The held response that makes way first. One connection is read empty before another one.
    fn next_to_read_out(&self, lack: Lack) -> Option<(usize, Held)> {
        let own = self.plan.jobs.get(self.order.turn)?.origin;
        let serves = |job: usize, held: Held| match lack {
            Lack::Connection(id) => held.connection == id,
            Lack::Origin => self.plan.jobs[job].origin == own,
            Lack::Any => true,
        };
        let held = self.order.held.iter().map(|(&job, &held)| (job, held)).filter(|&(job, held)| serves(job, held));
        held.min_by_key(|(job, held)| (held.connection != self.order.connection, held.octets_left, *job))
    }

    /// What the request whose turn it is waits for, because of the limits, or of the responses before its own.
    async fn lack(&mut self) -> Result<Option<Lack>, Stop> {
        let turn = self.order.turn;
        let Some(origin) = self.plan.jobs.get(turn).map(|job| &self.origins[job.origin]) else {
            return Ok(None);
        };
        let Some(active) = self.active.get(&turn) else {
            // The pool has no room even in the line.
            return Ok((origin.is_full && origin.jobs.contains(&turn)).then_some(Lack::Any));
        };
        let (Some(made), None) = (&origin.origin, active.incoming.head()) else {
            return Ok(None);
        };
        let info = active.exchange.info(&mut self.client).await?;
        if let Some(connection) = info.connection {
            // Behind a response that nobody reads, perhaps.
            return Ok(info.turn.is_none().then_some(Lack::Connection(connection.id)));
        }
        let own = self.poll.origin_info(&mut self.client, made).await?.counts;
        let all = self.poll.info(&mut self.client).await?.counts;
        let bounds = &self.settings.bounds;
        Ok(match () {
            () if own.connecting > 0 => None,
            () if own.connections as usize >= bounds.per_origin => Some(Lack::Origin),
            () if all.connections as usize >= bounds.connections => Some(Lack::Any),
            () => None,
        })
    }

    /// Can something from the spool be written now?
    pub(super) fn writes_spooled(&self) -> bool {
        self.active.get(&self.order.turn).is_some_and(|active| active.paused.is_none() && active.spooled.has_some())
    }

    pub(super) async fn write_spooled(&mut self) -> Result<(), Stop> {
        if self.writes_spooled() { self.receive(self.order.turn, Readiness::empty()).await } else { Ok(()) }
    }

    /// May the first request of an origin be submitted, as far as the order is concerned? Not when as many origins are under way as there may
    /// be connections, nor while the request whose turn it is lacks one.
    pub(super) fn has_way(&self, origin: usize, job: usize) -> bool {
        let has_room = || !self.origins[origin].ordered.is_empty() || self.order.origins < self.settings.bounds.connections;
        !self.is_ordered(job) || job == self.order.turn || (self.order.lack.is_none() && has_room())
    }

    /// A request was submitted.
    pub(super) fn enter_order(&mut self, origin: usize, job: usize) {
        if self.is_ordered(job) {
            let ordered = &mut self.origins[origin].ordered;
            self.order.origins += usize::from(ordered.is_empty());
            ordered.insert(job);
        }
    }

    /// A request that was submitted is over, or its response is whole in the spool.
    pub(super) fn leave_order(&mut self, origin: usize, job: usize) {
        self.order.held.remove(&job);
        self.order.read_out.remove(&job);
        let ordered = &mut self.origins[origin].ordered;
        if ordered.remove(&job) && ordered.is_empty() {
            self.order.origins = self.order.origins.saturating_sub(1);
        }
    }
}

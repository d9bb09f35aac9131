//! One connection of a fetch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandpiper_host::types::Delivery;
use sandpiper_host::types::{ConnOptions, Endpoint, Error, Failure, Limit, Persistence, Phase, Timer};
use sandpiper_host::{CallError, Client, ClientConn, HostError, Poll};

use super::args::{self, Fetch, PeerLimits};
use super::bounds::Bounds;
use super::stopwatch::Stopwatch;
use super::wire_log::LOG_ENTRIES_MAX;

/// Octets that all connections together hold in one direction, and the most that one of them does: the component's memory is bounded.
const BUFFERS_OCTETS_MAX: usize = 16 << 20;
const BUFFER_OCTETS_MAX: usize = 1 << 18;

/// How long a pipelined request may be without an octet of its response behind the one before it. Some servers lose what they read together
/// with another request; nobody is to wait a minute for that. A response that is only late is asked for again, alone.
const PIPELINE_STALL: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) conn: ClientConn,
    /// As the component numbers it.
    pub(crate) id: u64,
    pub(crate) origin: usize,
    /// The exchanges on it that have not ended: in the order of their tokens, which is that of the wire.
    pub(crate) line: BTreeMap<u64, usize>,
    pub(crate) accepting: bool,
    /// Exchanges that it carried and that have ended.
    pub(crate) carried: u64,
    /// A response came on it.
    pub(crate) answered: bool,
    /// It could not be established, and what waited for it has been told.
    pub(crate) failed: bool,
    /// A request that had left has failed on it: that one bears its end, and those behind do not.
    pub(crate) charged: bool,
    /// Its pipeline has broken: that is counted once.
    pub(crate) broke: bool,
    /// When it began to connect.
    pub(crate) opened: Instant,
    /// When it was established.
    pub(crate) established: Option<Instant>,
    /// The time of the first exchange on it.
    pub(crate) stopwatch: Option<Stopwatch>,
    /// When that is looked at.
    pub(crate) watched: Option<Instant>,
    /// Not in the poll until this moment, for `--limit-rate`.
    pub(crate) paused: Option<Instant>,
    /// Not in the poll, since the response that comes next on it is not yet to be read.
    pub(crate) held: bool,
    /// That response has come whole, and is the only one: the connection is free for the request whose turn it is.
    pub(crate) whole: bool,
}

/// How connections are to be, by the command line.
#[derive(Debug)]
pub(crate) struct LinkOptions {
    persistence: args::Persistence,
    bounds: Bounds,
    connect: Option<Duration>,
    log: bool,
    /// `--limit` and `--lenient`.
    peer: PeerLimits,
}

impl LinkOptions {
    pub(crate) fn new(fetch: &Fetch, bounds: Bounds) -> Self {
        let args::Connection { persistence, connect_timeout, .. } = fetch.connection;
        let log = fetch.output.verbose || fetch.output.log.is_some();
        Self { persistence, bounds, connect: connect_timeout, log, peer: fetch.limits.clone() }
    }

    /// Does a connection end with its first request?
    pub(crate) fn is_single(&self) -> bool {
        self.persistence == args::Persistence::Close
    }

    fn conn_options(&self, known: Known) -> ConnOptions {
        let persistence = match self.persistence {
            args::Persistence::Close => Persistence::Close,
            args::Persistence::Assume if known == Known::Nothing => Persistence::Assume,
            args::Persistence::Assume | args::Persistence::Learn => Persistence::Learn,
        };
        let depth = if known == Known::Unpipelined { 1 } else { self.bounds.depth };
        let octets = (BUFFERS_OCTETS_MAX / self.bounds.connections).min(BUFFER_OCTETS_MAX) as u64;
        let mut options =
            ConnOptions { persistence: Some(persistence), leniency: self.peer.leniency(), ..ConnOptions::default() }
                .limit(Limit::Outstanding, depth.into())
                .limit(Limit::ReceiveBufferOctets, octets)
                .limit(Limit::SendBufferOctets, octets);
        options.limits.extend(self.peer.limits());
        if let Some(span) = self.connect {
            options = options.deadline(Timer::Connect, span);
        }
        if depth > 1 {
            options = options.deadline(Timer::PipelineStall, PIPELINE_STALL);
        }
        if self.log { options.limit(Limit::LogEntries, LOG_ENTRIES_MAX.into()) } else { options }
    }
}

/// What earlier connections to an origin have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    /// One has ended. Then nothing is assumed: it may have died of being pipelined (RFC 9112 §9.3.2).
    Ended,
    /// Pipelines broke: it is spoken to one request at a time.
    Unpipelined,
}

impl Link {
    /// Begins to connect, and has the poll drive the connection under its id.
    ///
    /// # Errors
    /// Those of `client-conn.connect`.
    pub(crate) async fn open(
        client: &mut Client,
        poll: &Poll,
        endpoint: &Endpoint,
        origin: usize,
        options: &LinkOptions,
        known: Known,
    ) -> Result<Self, CallError<Error>> {
        let opened = Instant::now();
        let conn = client.connect(endpoint, options.conn_options(known)).await?;
        let id = conn.info(client).await?.id;
        poll.insert(client, &conn, id).await?;
        Ok(Self {
            conn,
            id,
            origin,
            line: BTreeMap::new(),
            accepting: true,
            carried: 0,
            answered: false,
            failed: false,
            charged: false,
            broke: false,
            opened,
            established: None,
            stopwatch: None,
            watched: None,
            paused: None,
            held: false,
            whole: false,
        })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.line.is_empty()
    }

    /// How many exchanges on it are in the way of another one.
    pub(crate) fn load(&self) -> usize {
        if self.held && self.whole { 0 } else { self.line.len() }
    }

    /// Is it in the poll?
    pub(crate) fn is_driven(&self) -> bool {
        !self.held && self.paused.is_none()
    }

    /// The first exchange on it that has not ended.
    pub(crate) fn front(&self) -> Option<usize> {
        self.line.first_key_value().map(|(_, &job)| job)
    }

    /// Takes it out of the poll until the turn of the response has come.
    pub(crate) async fn hold(&mut self, client: &mut Client, poll: &Poll, whole: bool) -> Result<(), HostError> {
        self.whole = whole && self.line.len() == 1;
        if self.held {
            return Ok(());
        }
        self.leave(client, poll).await?;
        self.held = true;
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.stop(Instant::now());
        }
        Ok(())
    }

    /// Ends `hold`.
    pub(crate) async fn resume(&mut self, client: &mut Client, poll: &Poll) -> Result<(), CallError<Error>> {
        if !std::mem::take(&mut self.held) {
            return Ok(());
        }
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.go_on(Instant::now());
        }
        self.join(client, poll).await
    }

    /// Takes it out of the poll until this moment.
    pub(crate) async fn pause(&mut self, client: &mut Client, poll: &Poll, until: Instant) -> Result<(), HostError> {
        self.leave(client, poll).await?;
        self.paused = Some(until);
        Ok(())
    }

    /// Ends `pause`.
    pub(crate) async fn go_on(&mut self, client: &mut Client, poll: &Poll) -> Result<(), CallError<Error>> {
        match self.paused.take() {
            Some(_) => self.join(client, poll).await,
            None => Ok(()),
        }
    }

    async fn leave(&self, client: &mut Client, poll: &Poll) -> Result<(), HostError> {
        if self.is_driven() { poll.remove(client, &self.conn).await } else { Ok(()) }
    }

    async fn join(&self, client: &mut Client, poll: &Poll) -> Result<(), CallError<Error>> {
        if self.is_driven() { poll.insert(client, &self.conn, self.id).await } else { Ok(()) }
    }
}

/// A failure of a request that no connection was there for.
pub(crate) fn unsent(error: Error, phase: Phase) -> Failure {
    Failure { error, delivery: Delivery::NotSent, phase, octets_sent: 0, octets_received: 0, connection: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_connection_assumes_and_a_broken_pipeline_is_not_filled_again() {
        let of = |persistence, known| {
            let bounds = Bounds { connections: 4, per_origin: 1, depth: 8, window: 16 };
            let options =
                LinkOptions { persistence, bounds, connect: None, log: false, peer: PeerLimits::default() }.conn_options(known);
            let stall = options.deadlines.iter().any(|(timer, _)| *timer == Timer::PipelineStall);
            let depth = options.limits.iter().find(|(limit, _)| *limit == Limit::Outstanding).unwrap().1;
            (options.persistence.unwrap(), depth, stall)
        };
        assert_eq!(of(args::Persistence::Assume, Known::Nothing), (Persistence::Assume, 8, true));
        assert_eq!(of(args::Persistence::Assume, Known::Ended), (Persistence::Learn, 8, true));
        assert_eq!(of(args::Persistence::Assume, Known::Unpipelined), (Persistence::Learn, 1, false));
        assert_eq!(of(args::Persistence::Close, Known::Ended), (Persistence::Close, 8, true));
    }
}

//! One connection of a fetch.

use std::collections::BTreeSet;
use std::time::Duration;

use sandpiper_host::types::Delivery;
use sandpiper_host::types::{ConnOptions, Deadlines, Endpoint, Error, Failure, Limits, Persistence, Phase, Side};
use sandpiper_host::{CallError, Client, ClientConn, HostError, Poll};

use super::args::{self, Fetch, PeerLimits};
use super::bounds::Bounds;
use super::wire_log::LOG_ENTRIES_MAX;

/// Octets that all connections together hold in one direction, and the most that one of them does: the component's memory is bounded.
const BUFFERS_OCTETS_MAX: usize = 16 << 20;
const BUFFER_OCTETS_MAX: usize = 1 << 18;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) conn: ClientConn,
    /// As the component numbers it.
    pub(crate) id: u64,
    pub(crate) origin: usize,
    /// The exchanges on it that have not ended, by index.
    pub(crate) active: BTreeSet<usize>,
    pub(crate) accepting: bool,
    /// Exchanges that it carried and that have ended.
    pub(crate) carried: u64,
    /// A response came on it.
    pub(crate) answered: bool,
    /// It could not be established, and what waited for it has been told.
    pub(crate) failed: bool,
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
        let Fetch { persistence, connect_timeout, .. } = *fetch;
        let log = fetch.verbose || fetch.log.is_some();
        Self { persistence, bounds, connect: connect_timeout, log, peer: fetch.limits.clone() }
    }

    /// Does a connection end with its first request?
    pub(crate) fn is_single(&self) -> bool {
        self.persistence == args::Persistence::Close
    }

    /// `again`: one to its origin has ended. Then nothing is assumed: it may have died of being pipelined (RFC 9112 §9.3.2).
    fn conn_options(&self, again: bool) -> ConnOptions {
        let persistence = match self.persistence {
            args::Persistence::Close => Persistence::Close,
            args::Persistence::Assume if !again => Persistence::Assume,
            args::Persistence::Assume | args::Persistence::Learn => Persistence::Learn,
        };
        let connect = self.connect.map(nanoseconds);
        let octets = (BUFFERS_OCTETS_MAX / self.bounds.connections).min(BUFFER_OCTETS_MAX);
        let buffer = u32::try_from(octets).ok();
        let limits = self.peer.limits();
        ConnOptions {
            persistence: Some(persistence),
            pipeline_depth_max: Some(self.bounds.depth),
            limits: Some(Limits {
                receive_buffer_octets_max: limits.receive_buffer_octets_max.or(buffer),
                send_buffer_octets_max: limits.send_buffer_octets_max.or(buffer),
                ..limits
            }),
            leniency: Some(self.peer.leniency()),
            deadlines: connect.map(|connect| Deadlines { connect: Some(connect), ..Deadlines::default() }),
            log_entries_max: self.log.then_some(LOG_ENTRIES_MAX),
            ..ConnOptions::default()
        }
    }
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
        again: bool,
    ) -> Result<Self, CallError<Error>> {
        let conn = client.connect(endpoint, options.conn_options(again)).await?;
        let id = conn.info(client).await?.id;
        poll.insert(client, &conn, id).await?;
        Ok(Self {
            conn,
            id,
            origin,
            active: BTreeSet::new(),
            accepting: true,
            carried: 0,
            answered: false,
            failed: false,
            held: false,
            whole: false,
        })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.active.is_empty()
    }

    /// How many exchanges on it are in the way of another one.
    pub(crate) fn load(&self) -> usize {
        if self.held && self.whole { 0 } else { self.active.len() }
    }

    pub(crate) async fn hold(&mut self, client: &mut Client, poll: &Poll, whole: bool) -> Result<(), HostError> {
        self.whole = whole && self.active.len() == 1;
        if !self.held {
            self.held = true;
            poll.remove(client, &self.conn).await?;
        }
        Ok(())
    }

    pub(crate) async fn resume(&mut self, client: &mut Client, poll: &Poll) -> Result<(), CallError<Error>> {
        if self.held {
            self.held = false;
            poll.insert(client, &self.conn, self.id).await?;
        }
        Ok(())
    }
}

/// A failure of a request that no connection was there for.
pub(crate) fn unconnected(error: Error) -> Failure {
    Failure {
        error,
        delivery: Delivery::NotSent,
        phase: Phase::Connecting,
        side: Side::Local,
        octets_sent: 0,
        octets_received: 0,
        connection: 0,
    }
}

/// Spans from the command line are far from the end of the range.
pub(crate) fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_connection_assumes() {
        let of = |persistence, again| {
            let bounds = Bounds { connections: 4, per_origin: 1, depth: 8, window: 16 };
            let options = LinkOptions { persistence, bounds, connect: None, log: false, peer: PeerLimits::default() };
            options.conn_options(again).persistence
        };
        assert_eq!(of(args::Persistence::Assume, false), Some(Persistence::Assume));
        assert_eq!(of(args::Persistence::Assume, true), Some(Persistence::Learn));
        assert_eq!(of(args::Persistence::Close, true), Some(Persistence::Close));
    }
}

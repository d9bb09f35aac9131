//! How the connections of a fetch are to be, by the command line.

use std::time::Duration;

use sandpiper_host::types::{ConnOptions, Delivery, Error, Failure, Limit, Persistence, Phase, Timer};

use super::args::{self, Fetch, PeerLimits};
use super::bounds::Bounds;

/// Octets that all connections together hold in one direction, and the most that one of them does: the component's memory is bounded.
const BUFFERS_OCTETS_MAX: usize = 16 << 20;
const BUFFER_OCTETS_MAX: usize = 1 << 18;

/// The options of all connections.
#[derive(Debug)]
pub(crate) struct ConnectionOptions {
    persistence: args::Persistence,
    connect: Option<Duration>,
    /// `--max-time`: the time to connect belongs to it.
    time: Option<Duration>,
    /// Of each transfer there is a time that ends it: then its connection ends with it.
    is_timed: bool,
    /// `--limit` and `--lenient`.
    peer: PeerLimits,
}

impl ConnectionOptions {
    pub(crate) fn new(fetch: &Fetch) -> Self {
        let args::Connection { persistence, connect_timeout, max_time, .. } = fetch.connection;
        let is_timed = max_time.is_some() || fetch.connection.speed().is_some();
        Self { persistence, connect: connect_timeout, time: max_time, is_timed, peer: fetch.limits.clone() }
    }

    /// Is the time of a transfer over before that of connecting?
    pub(crate) fn is_time_shorter(&self) -> bool {
        self.time.is_some_and(|time| time < self.connect.unwrap_or(CONNECT_DEFAULT))
    }

    /// Requests that an origin has at once before it has answered one: one for each connection, or as many as are pipelined at once.
    pub(crate) fn at_first(&self, bounds: &Bounds) -> usize {
        match self.persistence {
            args::Persistence::Assume => bounds.per_origin * bounds.depth as usize,
            args::Persistence::Learn | args::Persistence::Close => bounds.per_origin,
        }
    }

    pub(crate) fn conn_options(&self, bounds: &Bounds) -> ConnOptions {
        let persistence = match self.persistence {
            args::Persistence::Close => Persistence::Close,
            args::Persistence::Assume => Persistence::Assume,
            args::Persistence::Learn => Persistence::Learn,
        };
        let connect = if self.is_time_shorter() { self.time } else { self.connect };
        let octets = (BUFFERS_OCTETS_MAX / bounds.connections).min(BUFFER_OCTETS_MAX) as u64;
        let mut options =
            ConnOptions { persistence: Some(persistence), leniency: self.peer.leniency(), ..ConnOptions::default() }
                .limit(Limit::Outstanding, bounds.depth.into())
                .limit(Limit::ReceiveBufferOctets, octets)
                .limit(Limit::SendBufferOctets, octets);
        options.limits.extend(self.peer.limits());
        if let Some(span) = connect {
            options = options.deadline(Timer::Connect, span);
        }
        // The response of a transfer that was given up may still come: no other request is to wait for it.
        if self.is_timed { options.deadline(Timer::Drain, Duration::ZERO) } else { options }
    }
}

/// The component's own time to connect.
const CONNECT_DEFAULT: Duration = Duration::from_secs(30);

/// A failure of a request that no connection was there for.
pub(crate) fn unsent(error: Error, phase: Phase) -> Failure {
    Failure { error, delivery: Delivery::NotSent, phase, octets_sent: 0, octets_received: 0, connection: 0 }
}

#[cfg(test)]
mod tests {
    use super::super::args::tests::fetch;
    use super::*;

    fn connecting(arguments: &[&str]) -> (Option<u64>, Option<u64>) {
        let fetch = fetch(&[arguments, &["http://h/"]].concat()).unwrap();
        let options = ConnectionOptions::new(&fetch).conn_options(&Bounds::new(&fetch.connection));
        let of = |timer| options.deadlines.iter().find(|(given, _)| *given == timer).map(|(_, span)| *span);
        (of(Timer::Connect), of(Timer::Drain))
    }

    #[test]
    fn the_time_to_connect_belongs_to_that_of_the_transfer() {
        let second = 1_000_000_000;
        assert_eq!(connecting(&[]), (None, None));
        assert_eq!(connecting(&["--connect-timeout", "2"]), (Some(2 * second), None));
        assert_eq!(connecting(&["-m", "1"]), (Some(second), Some(0)));
        assert_eq!(connecting(&["-m", "60"]), (None, Some(0)));
        assert_eq!(connecting(&["-m", "3", "--connect-timeout", "2"]), (Some(2 * second), Some(0)));
        assert_eq!(connecting(&["-m", "1", "--connect-timeout", "2"]), (Some(second), Some(0)));
    }
}

//! The verbs of scenarios. Each acts or asserts, and adds what happened to the transcript.
//!
//! | file | holds |
//! |---|---|
//! | `caller` | the acts of the caller |
//! | `responses` | what the caller takes of responses |
//! | `peer` | the acts of the peer, and what the peer got |
//! | `words` | what the transcript says |

mod caller;
mod peer;
mod responses;
mod words;

use crate::peer::Seen;
use crate::scenario::story::{self, Info};
use crate::scenario::world::World;
use sandpiper_guest::types::ConnOptions;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use words::outcome_text;

/// How the caller takes responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// With `head` and `read`, this many octets at a time.
    Streamed(u64),
    /// With `collect`.
    Collected,
}

/// A connection, its caller and its peer, while a scenario is played.
pub struct Scene {
    world: Box<dyn World>,
    reading: Reading,
    transcript: String,
    /// Exchanges whose outcome has not been told.
    untold: BTreeMap<u64, ()>,
    connected: bool,
    conn_dropped: bool,
    /// How many of the peer's octets were part of requests that it got whole.
    parsed: usize,
    /// Requests as the peer got them.
    requests: Vec<Seen>,
    /// The last request the peer was asked for was not whole.
    partial: Option<Seen>,
    /// All that comes belongs to a tunnel.
    tunnel: bool,
    /// Octets sent by the peer.
    sent: usize,
    /// The peer has let octets stand: how many a network holds is not known, nor when the peer sees an end.
    stood: bool,
}

impl Scene {
    /// A scene in `world`, before anything has happened.
    pub fn new(world: Box<dyn World>, reading: Reading) -> Scene {
        Scene {
            world,
            reading,
            transcript: String::new(),
            untold: BTreeMap::new(),
            connected: false,
            conn_dropped: false,
            parsed: 0,
            requests: Vec::new(),
            partial: None,
            tunnel: false,
            sent: 0,
            stood: false,
        }
    }

    fn tell(&mut self, line: &str) {
        let port = format!(":{}", self.world.port());
        let _ = writeln!(self.transcript, "{}", line.replace(&port, ":port"));
    }

    /// Connects with these options. Without it, a scenario has the default options.
    pub fn connect(&mut self, options: ConnOptions) {
        assert!(!self.connected, "connects first, and once");
        self.connected = true;
        self.world.connect(options);
    }

    fn world(&mut self) -> &mut dyn World {
        if !self.connected {
            self.connect(crate::message::options());
        }
        &mut *self.world
    }

    // The connection, and time.

    /// Lets time pass.
    pub fn advance(&mut self, milliseconds: u64) {
        self.world().advance(milliseconds);
    }

    /// Requests are accepted.
    #[track_caller]
    pub fn open(&mut self) {
        let info = self.world().info();
        assert_eq!((info.state.as_str(), info.closed_by.as_str()), ("open", ""));
    }

    /// No more requests are accepted, for this reason, but some go on.
    #[track_caller]
    pub fn closing(&mut self, reason: &str) {
        let info = self.world().info();
        assert_eq!((info.state.as_str(), info.closed_by.as_str()), ("closing", reason));
    }

    /// The connection has ended, for this reason, and the peer has seen it.
    #[track_caller]
    pub fn closed(&mut self, reason: &str) {
        let info = self.world().info();
        assert_eq!((info.state.as_str(), info.closed_by.as_str()), ("closed", reason));
        self.peer_saw_end();
    }

    /// What is known of the connection.
    pub fn info(&mut self) -> Info {
        self.world().info()
    }

    /// `length`, `is-ready` and `is-closed`.
    pub fn standing(&mut self) -> (u32, bool, bool) {
        self.world().standing()
    }

    /// Ends the scenario: everything that it has not told is told. Gives the transcript.
    ///
    /// # Panics
    /// When the peer got what it was not asked for.
    #[must_use]
    pub fn end(mut self) -> (String, usize) {
        self.world().settle();
        if !self.tunnel {
            let unexpected: Vec<String> = self.take_requests().iter().map(ToString::to_string).collect();
            assert!(unexpected.is_empty(), "the peer also got {unexpected:?}");
        }
        if !self.conn_dropped {
            let Info { state, closed_by, persistence, queued, outstanding, requests, responses, .. } = self.world.info();
            let standing = self.world.standing();
            self.tell(&format!("{state} {closed_by} {persistence} {queued} {outstanding} {requests} {responses} {standing:?}"));
        }
        let untold: Vec<u64> = self.untold.keys().copied().collect();
        for token in untold {
            let outcome = self.stream(token, u64::MAX);
            self.tell(&format!("{token}: {}", outcome_text(&outcome, self.stood)));
        }
        let requests = std::mem::take(&mut self.requests);
        for seen in &requests {
            self.tell(&format!("peer got: {seen} [{}]", story::fields(&seen.fields)));
        }
        let rest = self.world.peer_octets()[self.parsed..].to_vec();
        let saw_end = !self.stood && self.world.peer_saw_end();
        self.tell(&format!("peer got: {} and {saw_end}", story::octets(&rest)));
        (self.transcript, self.sent)
    }
}

//! The component in wasmtime, with a peer on a loopback socket.
//!
//! A real network does not tell when nothing more will happen. Here it does: the component counts what it has handed over and taken, and
//! the peer counts too. Only where the two must differ, because somebody does not read, a short silence has to do.

mod peer;
mod values;

pub use values::{conn_options, failed, head, request};

use crate::scenario::pace;
use crate::scenario::story::{self, Answer, Chunk, Failed, Head, Info};
use crate::scenario::world::World;
use peer::Peer;
use sandpiper_guest::types as core;
use sandpiper_host::types::{self, Event};
use sandpiper_host::{CallError, Client, ClientConn, Exchange, Poll, Sandbox};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use values::{answer, readiness, request_text};

/// How long nothing has to happen until nothing will, where octets stand somewhere.
const SILENCE: Duration = Duration::from_millis(15);
/// How often everybody has looked in such a silence: the clock may have gone on while nobody ran.
const LOOKS_IN_SILENCE: usize = 10;
/// How long something may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// A pause in which the network moves.
const PAUSE: Duration = Duration::from_micros(500);
/// Memory of an instance: little more than it has at rest.
const MEMORY_OCTETS: usize = 16 << 20;

/// The compiled component, for all tests.
pub fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let builder = Sandbox::builder().allow("127.0.0.1").expect("a rule").allow("127.0.0.2").expect("a rule");
        builder.memory_octets_max(MEMORY_OCTETS).call_time_max(PATIENCE).build().expect("a component that runs")
    })
}

/// A runtime for one test.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// One instance of the component, one connection, one peer.
pub struct Sandboxed {
    runtime: Runtime,
    client: Client,
    poll: Poll,
    conn: Option<ClientConn>,
    exchanges: BTreeMap<u64, Exchange>,
    peer: Peer,
    /// The end of the peer's sending direction has been given its time.
    end_noticed: bool,
}

impl Default for Sandboxed {
    fn default() -> Sandboxed {
        Sandboxed::new()
    }
}

impl Sandboxed {
    /// A world without a connection.
    ///
    /// # Panics
    /// When the component does not run, or there is no loopback network.
    pub fn new() -> Sandboxed {
        let runtime = runtime();
        let (client, poll) = runtime.block_on(async {
            let mut client = sandbox().instantiate().await.expect("an instance");
            let poll = client.poll(None).await.expect("a poll");
            (client, poll)
        });
        let exchanges = BTreeMap::new();
        Sandboxed { runtime, client, poll, conn: None, exchanges, peer: Peer::new(), end_noticed: false }
    }

    /// Has the component move what it can; gives what it reports.
    fn drive(&mut self) -> Vec<Event> {
        let Sandboxed { runtime, client, poll, .. } = self;
        let events = runtime.block_on(poll.wait(client, Some(Duration::ZERO), 4_096)).expect("alive");
        self.peer.move_octets();
        events
    }

    fn pause(&self, span: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(span).await });
    }

    /// Lets the runtime see what has happened on its sockets.
    fn turn(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }

    fn conn_info(&mut self) -> Option<types::ConnInfo> {
        let Sandboxed { runtime, client, conn, .. } = self;
        conn.as_ref().map(|conn| runtime.block_on(conn.info(client)).expect("alive"))
    }

    /// What moves, and whether everything that was sent has come.
    fn standing_of_octets(&mut self) -> ([u64; 6], Balance) {
        let peer = &self.peer;
        let (written, read, saw_end) = (peer.written as u64, peer.octets.len() as u64, peer.saw_end);
        let (reads, reset, all_written) = (peer.reads, peer.reset, peer.to_write.is_empty());
        let end_noticed = self.end_noticed || !peer.ended;
        let balance = |even: bool| if even { Balance::Even } else { Balance::Owed };
        let Some(info) = self.conn_info() else {
            return ([written, read, u64::from(saw_end), 0, 0, 0], balance(saw_end));
        };
        let balance = match info.state {
            types::ConnState::Connecting => Balance::Owed,
            types::ConnState::Closed if reads && !reset => balance(saw_end),
            types::ConnState::Closed => Balance::Even,
            // Small writes may wait for the acknowledgement of the one before.
            _ if reads && !reset && info.octets_sent != read => Balance::Owed,
            _ if reads && info.octets_received == written && all_written && end_noticed => Balance::Even,
            _ => Balance::Standing,
        };
        let state = info.state as u64 + 8 * u64::from(saw_end);
        ([written, read, state, info.octets_received, info.octets_sent, info.requests + info.responses], balance)
    }
}

/// Whether something has to happen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Balance {
    /// All octets have come.
    Even,
    /// Octets stand in the network: somebody may not want them.
    Standing,
    /// Something will happen.
    Owed,
}

impl World for Sandboxed {
    fn connect(&mut self, options: core::ConnOptions) {
        let endpoint = types::Endpoint {
            host: "example.test".to_owned(),
            port: self.peer.port,
            addresses: vec!["127.0.0.1".to_owned()],
            tls: None,
        };
        let Sandboxed { runtime, client, poll, .. } = self;
        self.conn = Some(runtime.block_on(async {
            let conn = client.connect(endpoint, conn_options(options)).await.expect("a connection");
            poll.insert(client, &conn, 0).await.expect("inserted");
            conn
        }));
    }

    fn send_all(&mut self, first_token: u64, requests: Vec<core::Request>) -> Vec<Result<(), Failed>> {
        let Sandboxed { runtime, client, conn, exchanges, .. } = self;
        let conn = conn.as_ref().expect("connected");
        let requests: Vec<types::Request> = requests.into_iter().map(request).collect();
        let sent: Vec<_> = runtime.block_on(conn.send_all(client, &requests, first_token)).expect("alive");
        let results = sent.into_iter().zip(first_token..).map(|(sent, token)| match sent {
            Ok(exchange) => {
                exchanges.insert(token, exchange);
                Ok(())
            }
            Err(failure) => Err(failed(CallError::Http(failure))),
        });
        results.collect()
    }

    fn write(&mut self, token: u64, content: &[u8]) -> Result<u64, Failed> {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        runtime.block_on(exchanges[&token].write(client, content)).map_err(failed)
    }

    fn finish(&mut self, token: u64, trailers: Vec<core::FieldLine>) -> Result<(), Failed> {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        runtime.block_on(exchanges[&token].finish(client, &trailers)).map_err(failed)
    }

    fn interim(&mut self, token: u64) -> Vec<Head> {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        let interim = runtime.block_on(exchanges[&token].take_interim(client)).expect("alive");
        interim.into_iter().map(head).collect()
    }

    fn head(&mut self, token: u64) -> Result<Option<Head>, Failed> {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        runtime.block_on(exchanges[&token].head(client)).map(|found| found.map(head)).map_err(failed)
    }

    fn read(&mut self, token: u64, octets_max: u64) -> Result<Chunk, Failed> {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        Ok(match runtime.block_on(exchanges[&token].read(client, octets_max)).map_err(failed)? {
            types::Chunk::Data(octets) => {
                assert!(!octets.is_empty() && octets.len() as u64 <= octets_max.max(1), "1 to octets-max octets");
                Chunk::Data(octets)
            }
            types::Chunk::WouldBlock => Chunk::WouldBlock,
            types::Chunk::End(trailers) => Chunk::End(trailers),
        })
    }

    fn collect(&mut self, token: u64, octets_max: u64) -> Result<Answer, Failed> {
        self.settle();
        let Sandboxed { runtime, client, exchanges, .. } = self;
        runtime.block_on(exchanges[&token].collect(client, octets_max)).map(answer).map_err(failed)
    }

    fn take_request(&mut self, token: u64) -> Option<String> {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        runtime.block_on(exchanges[&token].take_request(client)).expect("alive").as_ref().map(request_text)
    }

    fn cancel(&mut self, token: u64) {
        let Sandboxed { runtime, client, exchanges, .. } = self;
        runtime.block_on(exchanges[&token].cancel(client)).expect("alive");
    }

    fn drop_exchange(&mut self, token: u64) {
        assert_eq!(self.runtime.block_on(self.exchanges[&token].token(&mut self.client)).expect("alive"), token);
        let exchange = self.exchanges.remove(&token).expect("an exchange");
        self.runtime.block_on(exchange.release(&mut self.client)).expect("alive");
    }

    fn drop_conn(&mut self) {
        let conn = self.conn.take().expect("connected");
        self.runtime.block_on(conn.release(&mut self.client)).expect("alive");
    }

    fn shutdown(&mut self) {
        let Sandboxed { runtime, client, conn, .. } = self;
        runtime.block_on(conn.as_ref().expect("connected").shutdown(client)).expect("alive");
    }

    fn close(&mut self) {
        let Sandboxed { runtime, client, conn, .. } = self;
        runtime.block_on(conn.as_ref().expect("connected").close(client)).expect("alive");
    }

    fn info(&mut self) -> Info {
        let info = self.conn_info().expect("connected");
        Info {
            state: story::wit_name(&info.state),
            closed_by: info.closed_by.map(|error| story::wit_name(&error)).unwrap_or_default(),
            persistence: story::wit_name(&info.persistence),
            queued: info.queued,
            outstanding: info.outstanding,
            requests: info.requests,
            responses: info.responses,
            octets_sent: info.octets_sent,
            octets_received: info.octets_received,
        }
    }

    fn standing(&mut self) -> (u32, bool, bool) {
        let Sandboxed { runtime, client, conn, .. } = self;
        let conn = conn.as_ref().expect("connected");
        runtime.block_on(async {
            let length = conn.length(client).await.expect("alive");
            let ready = conn.is_ready(client).await.expect("alive");
            (length, ready, conn.is_closed(client).await.expect("alive"))
        })
    }

    fn ready(&mut self) -> Vec<(u64, String)> {
        let mut ready = Vec::new();
        for event in self.drive() {
            if let Event::Exchange(event) = event {
                ready.push((event.token, readiness(event.ready)));
            }
        }
        ready.sort();
        ready
    }

    fn peer_sends(&mut self, octets: &[u8]) {
        self.peer.accept(&self.runtime);
        self.peer.to_write.extend_from_slice(octets);
        self.peer.move_octets();
    }

    fn peer_ends(&mut self) {
        self.peer.accept(&self.runtime);
        self.peer.end_after_writing = true;
        self.peer.move_octets();
    }

    fn peer_resets(&mut self) {
        self.peer.accept(&self.runtime);
        self.peer.reset(&self.runtime);
    }

    fn peer_reads(&mut self, reads: bool) {
        self.peer.reads = reads;
    }

    fn peer_octets(&self) -> &[u8] {
        &self.peer.octets
    }

    fn peer_saw_end(&self) -> bool {
        self.peer.saw_end
    }

    fn advance(&mut self, milliseconds: u64) {
        self.settle();
        let until = Instant::now() + pace::wait(milliseconds);
        while Instant::now() < until {
            self.drive();
            self.pause(Duration::from_millis(1));
        }
        self.settle();
    }

    fn settle(&mut self) {
        let began = Instant::now();
        let mut last_change = began;
        let mut before = None;
        let mut calm = 0;
        loop {
            self.drive();
            let (standing, balance) = self.standing_of_octets();
            if before != Some(standing) {
                before = Some(standing);
                last_change = Instant::now();
                calm = 0;
            } else if balance == Balance::Even {
                calm += 1;
                if calm == 3 {
                    break;
                }
            } else if balance == Balance::Standing && last_change.elapsed() > SILENCE && calm > LOOKS_IN_SILENCE {
                break;
            } else if balance == Balance::Standing {
                calm += 1;
                self.pause(PAUSE);
            } else if last_change.elapsed() > PAUSE {
                self.pause(PAUSE);
            }
            assert!(began.elapsed() < PATIENCE, "it does not settle: {standing:?}");
            self.turn();
        }
        self.end_noticed = self.peer.ended;
        if self.peer.is_gone() && self.conn_info().is_none_or(|info| info.state == types::ConnState::Closed) {
            self.peer.saw_end = true;
        }
    }

    fn writes(&self) -> Option<usize> {
        None
    }

    fn port(&self) -> u16 {
        self.peer.port
    }
}

//! How much: thousands of connections in one instance, and a hundred thousand exchanges.
//!
//! `SANDPIPER_CONNECTIONS` sets how many connections; `just connections 10000` prints the table of `docs/evidence/connections.md`.

use sandpiper_host::types::{Limit, PollOptions, RequestOptions, Reuse};
use sandpiper_host::{Client, ClientConn, Origin, Poll, Request, Sandbox};
use sandpiper_tests::peer::loopback::{PATIENCE, endpoint};
use sandpiper_tests::scenario::sandboxed::runtime;
use std::io::{BufRead, BufReader};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 1_000;
/// Connections that are opened at once.
const BATCH: usize = 200;
/// Requests at once, and how often, while the others stand.
const ACTIVE: u32 = 8;
const ROUNDS: u32 = 50;
/// Files of this process that are no connections.
const OTHER_FILES: usize = 200;
/// The memory of the component grows by this.
const PAGE_OCTETS: usize = 65_536;
/// What one connection without requests may take in the component, but for the last page: several times what is measured is a defect.
const GUEST_OCTETS_MAX: usize = 8_192;
/// An exchange beside many idle connections takes at most so many times as long as beside few.
const SLOWDOWN_MAX: u32 = 8;
const EXCHANGES: usize = 100_000;

/// The server, which ends with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let program = env!("CARGO_BIN_EXE_connections_server");
        let process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("its port");
        Server { port: line.trim().parse().expect("a port"), process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Files that this process may have open: now, and at most.
fn files_max() -> Option<(usize, usize)> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// As many connections as are asked for, or as many as this process may have.
fn wanted() -> usize {
    let wanted = std::env::var("SANDPIPER_CONNECTIONS")
        .map_or(CONNECTIONS, |text| text.parse::<NonZero<usize>>().expect("a number").get());
    let Some((soft, hard)) = files_max() else { return wanted };
    if soft < wanted + OTHER_FILES {
        let limit = format!("--nofile={hard}:{hard}");
        let _ = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &limit]).status();
    }
    let most = files_max().map_or(soft, |(soft, _)| soft).saturating_sub(OTHER_FILES);
    if most < wanted {
        sandpiper_tests::skipped(&format!("{most} connections instead of {wanted}: this process may not open more files"));
    }
    wanted.min(most)
}

/// Octets of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4_096
}

fn sandbox(connections: usize) -> Sandbox {
    let builder = Sandbox::builder().allow("127.0.0.1").expect("a rule");
    builder.sockets_max(connections + 64).memory_octets_max(512 << 20).build().expect("a component that runs")
}

/// Waits until so many have been answered.
async fn answered(client: &mut Client, poll: &Poll, count: usize) {
    let (mut left, began) = (count, Instant::now());
    while left > 0 {
        assert!(began.elapsed() < PATIENCE, "{left} of {count} have not ended");
        poll.wait(client, Some(Duration::from_secs(1)), 4_096).await.expect("alive");
        for completion in poll.take_completions(client, u32::MAX).await.expect("alive") {
            assert!(completion.outcome.is_ok(), "{:?}", completion.outcome);
            left -= 1;
        }
    }
}

/// A pool that may have so many connections, and its origin.
pub(crate) async fn pool(client: &mut Client, connections: usize, port: u16) -> (Poll, Origin) {
    let limits = [Limit::Connections, Limit::ConnectionsPerOrigin, Limit::IdleConnections];
    let options = limits.into_iter().fold(PollOptions::default(), |options, limit| options.limit(limit, connections as u64));
    let poll = client.poll(options).await.expect("a poll");
    (poll, client.origin(endpoint(port), None).await.expect("an origin"))
}

/// What was measured with so many connections.
struct Row {
    connections: usize,
    guest_octets: usize,
    host_octets: usize,
    /// One exchange, of several at once, beside idle connections of the pool, and beside connections of the caller's.
    pooled: Duration,
    /// One exchange beside idle connections of the pool, in the quickest round.
    quickest: Duration,
    inserted: Duration,
    /// One wait that does not wait, with all connections of the caller's.
    look: Duration,
}

/// Connections of the pool stand idle, and some carry requests.
async fn among_pooled(sandbox: &Sandbox, connections: usize, port: u16) -> (usize, usize, [Duration; 2]) {
    let mut client = sandbox.instantiate().await.expect("an instance");
    let (poll, origin) = pool(&mut client, connections, port).await;
    poll.fetch_all(&mut client, &origin, &[Request::get("/")], 0, 1 << 20).await.expect("alive");
    answered(&mut client, &poll, 1).await;
    let (guest, host) = (client.memory_octets(), resident());
    let fresh = RequestOptions { reuse: Reuse::FRESH, ..RequestOptions::default() };
    let fresh = Request::get("/").with_options(fresh);
    let mut open = 1;
    while open < connections {
        let batch = BATCH.min(connections - open);
        poll.fetch_all(&mut client, &origin, &vec![fresh.clone(); batch], 0, 1 << 20).await.expect("alive");
        answered(&mut client, &poll, batch).await;
        open += batch;
    }
    assert_eq!(client.sockets_open(), connections);
    assert_eq!(poll.info(&mut client).await.expect("alive").counts.idle as usize, connections);
    let (guest, host) = (client.memory_octets() - guest, resident().saturating_sub(host));
    let (began, mut quickest) = (Instant::now(), Duration::MAX);
    for _ in 0..ROUNDS {
        let round = Instant::now();
        poll.fetch_all(&mut client, &origin, &vec![Request::get("/"); ACTIVE as usize], 0, 1 << 20).await.expect("alive");
        answered(&mut client, &poll, ACTIVE as usize).await;
        quickest = quickest.min(round.elapsed() / ACTIVE);
    }
    let spent = began.elapsed() / (ROUNDS * ACTIVE);
    poll.release(&mut client).await.expect("alive");
    assert_eq!(client.sockets_open(), 0, "a connection outlives its pool");
    (guest / connections, host / connections, [spent, quickest])
}

/// Connections of the caller's are all looked at by every wait, and some carry requests.
async fn among_inserted(sandbox: &Sandbox, connections: usize, port: u16) -> (Duration, Duration) {
    let mut client = sandbox.instantiate().await.expect("an instance");
    let poll = client.poll(None).await.expect("a poll");
    let mut conns: Vec<ClientConn> = Vec::new();
    while conns.len() < connections {
        let first = conns.len();
        for _ in 0..BATCH.min(connections - first) {
            let conn = client.connect(endpoint(port), None).await.expect("a connection");
            conns.push(conn);
        }
        for (conn, token) in conns[first..].iter().zip(0..) {
            conn.wait_connected(&mut client).await.expect("accepted");
            poll.insert(&mut client, conn, token).await.expect("not inserted");
        }
    }
    while !poll.wait(&mut client, Some(Duration::ZERO), 4_096).await.expect("alive").is_empty() {}
    let began = Instant::now();
    for _ in 0..ROUNDS {
        assert!(poll.wait(&mut client, Some(Duration::ZERO), 64).await.expect("alive").is_empty());
    }
    let look = began.elapsed() / ROUNDS;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let mut sent = Vec::new();
        for conn in conns.iter().take(ACTIVE as usize) {
            sent.push(conn.send(&mut client, Request::get("/"), 0).await.expect("accepted"));
        }
        for exchange in sent {
            exchange.collect(&mut client, 64).await.expect("an answer");
        }
    }
    let active = ACTIVE.min(u32::try_from(connections).expect("a count"));
    (look, began.elapsed() / (ROUNDS * active))
}

#[test]
fn thousands_of_connections_stand_in_one_instance_at_a_small_price() {
    let (most, server) = (wanted(), Server::start());
    let mut rows = Vec::new();
    runtime().block_on(async {
        let sandbox = sandbox(most);
        // What is done for the first time takes longer, and memory of this process.
        among_pooled(&sandbox, most.min(10), server.port).await;
        among_inserted(&sandbox, most.min(10), server.port).await;
        for connections in [10, 100, 1_000, 10_000].into_iter().filter(|connections| *connections < most).chain([most]) {
            let (guest_octets, host_octets, [pooled, quickest]) = among_pooled(&sandbox, connections, server.port).await;
            let (look, inserted) = among_inserted(&sandbox, connections, server.port).await;
            rows.push(Row { connections, guest_octets, host_octets, pooled, quickest, inserted, look });
        }
    });
    println!(
        "| connections | component, octets each | host, octets each | exchange beside idle connections of the pool | exchange beside watched connections | a wait over all, for each |"
    );
    println!("|---|---|---|---|---|---|");
    for row in &rows {
        let each = row.look / u32::try_from(row.connections).expect("a count");
        println!(
            "| {} | {} | {} | {:.0?} | {:.0?} | {:.0?} |",
            row.connections, row.guest_octets, row.host_octets, row.pooled, row.inserted, each
        );
    }
    let largest = rows.last().expect("a row");
    let octets_max = GUEST_OCTETS_MAX + PAGE_OCTETS / largest.connections;
    assert!(largest.guest_octets < octets_max, "{} octets for each connection", largest.guest_octets);
    // A wait looks at 256 idle connections of a pool at most, in turn; at 4 if it did so less than 50 ms ago while others are busy.
    // Of every kind of machine, busy or not, the quickest rounds are compared: a walk over all would take many times as long.
    let few = rows.first().expect("a row");
    assert!(largest.quickest < few.quickest * SLOWDOWN_MAX, "{:?}, with few {:?}", largest.quickest, few.quickest);
}

#[test]
fn nothing_grows_in_a_hundred_thousand_exchanges() {
    let server = Server::start();
    runtime().block_on(async {
        let sandbox = sandbox(64);
        let mut client = sandbox.instantiate().await.expect("an instance");
        let (poll, origin) = pool(&mut client, 4, server.port).await;
        let batch = vec![Request::get("/"); 500];
        let mut after_warming_up = None;
        for exchanges in (0..EXCHANGES + 10_000).step_by(batch.len()) {
            poll.fetch_all(&mut client, &origin, &batch, 0, 1 << 20).await.expect("alive");
            answered(&mut client, &poll, batch.len()).await;
            if exchanges == 10_000 {
                after_warming_up = Some((client.memory_octets(), client.sockets_open()));
            }
        }
        assert_eq!(Some((client.memory_octets(), client.sockets_open())), after_warming_up);
        let counts = poll.info(&mut client).await.expect("alive").counts;
        assert_eq!((counts.outstanding, counts.queued, counts.retried), (0, 0, 0));
        poll.release(&mut client).await.expect("alive");
        assert_eq!(client.sockets_open(), 0);
    });
}

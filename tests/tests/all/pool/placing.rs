//! The pool through the component: which connection carries a request, what is bounded, and what a caller is told.

use sandpiper_host::types::{Completion, ConnOptions, Error, Limit, Persistence, PollOptions, RequestOptions, Reuse, Timer};
use sandpiper_host::{Client, Origin, Poll, Request};
use sandpiper_tests::peer::loopback::{Gate, PATIENCE, answer, endpoint, serve, target};
use sandpiper_tests::scenario::sandboxed::{runtime, sandbox};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A pool, and one origin.
pub(crate) struct Pool {
    pub(crate) client: Client,
    pub(crate) poll: Poll,
    pub(crate) origin: Origin,
}

fn with(reuse: Reuse, target: &str) -> Request {
    Request::get(target).with_options(RequestOptions { reuse, ..RequestOptions::default() })
}

fn sequential() -> ConnOptions {
    ConnOptions::default().limit(Limit::Outstanding, 1)
}

fn assume() -> ConnOptions {
    ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() }
}

/// Answers every request with its target.
fn echo(stream: &mut TcpStream) {
    while let Some(target) = target(stream) {
        answer(stream, &target);
    }
}

/// A server that answers every request with its target; gives its port.
fn echoing() -> u16 {
    let (port, _) = serve(|_, mut stream| {
        std::thread::spawn(move || echo(&mut stream));
    });
    port
}

impl Pool {
    pub(crate) async fn new(options: PollOptions, of_conn: ConnOptions, port: u16) -> Pool {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let poll = client.poll(options).await.expect("a poll");
        let origin = client.origin(endpoint(port), of_conn).await.expect("an origin");
        Pool { client, poll, origin }
    }

    pub(crate) async fn submit(&mut self, requests: &[Request], first_token: u64) {
        self.poll.fetch_all(&mut self.client, &self.origin, requests, first_token, 1 << 20).await.expect("alive");
    }

    /// Waits until so many have ended.
    pub(crate) async fn ends(&mut self, count: usize) -> Vec<Completion> {
        let mut ended = Vec::new();
        let began = Instant::now();
        while ended.len() < count {
            assert!(began.elapsed() < PATIENCE, "{} of {count} have ended", ended.len());
            self.poll.wait(&mut self.client, Some(Duration::from_millis(100)), 64).await.expect("alive");
            ended.extend(self.poll.take_completions(&mut self.client, 1_000).await.expect("alive"));
        }
        assert_eq!(ended.len(), count);
        ended
    }

    /// Sends one, and waits for its content.
    async fn fetch(&mut self, request: Request) -> String {
        self.submit(&[request], 0).await;
        content(&self.ends(1).await[0])
    }

    /// Drives the pool until something has come about.
    async fn wait_for(&mut self, has_come: impl Fn() -> bool) {
        let began = Instant::now();
        while !has_come() {
            assert!(began.elapsed() < PATIENCE, "it does not come about");
            self.wait(5).await;
        }
    }

    pub(crate) async fn wait(&mut self, span_ms: u64) {
        let until = Instant::now() + Duration::from_millis(span_ms);
        while Instant::now() < until {
            self.poll.wait(&mut self.client, Some(until.duration_since(Instant::now())), 64).await.expect("alive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn content(completion: &Completion) -> String {
    let response = completion.outcome.as_ref().unwrap_or_else(|failure| panic!("{failure:?}"));
    String::from_utf8_lossy(&response.content).into_owned()
}

#[test]
fn an_idle_connection_is_used_again_before_another_is_opened() {
    let (port, accepted) = serve(|_, mut stream| echo(&mut stream));
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
        for target in ["/1", "/2", "/3"] {
            assert_eq!(pool.fetch(Request::get(target)).await, target);
        }
        let info = pool.poll.info(&mut pool.client).await.expect("alive");
        assert_eq!((info.counts.opened, info.counts.reused, info.counts.idle), (1, 2, 1));
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn requests_wait_in_line_in_their_order_when_every_connection_is_busy() {
    let (port, accepted) = serve(|_, mut stream| echo(&mut stream));
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::ConnectionsPerOrigin, 1);
        let mut pool = Pool::new(options, sequential(), port).await;
        let targets: Vec<String> = (0..9).map(|number| format!("/{number}")).collect();
        pool.submit(&targets.iter().map(Request::get).collect::<Vec<_>>(), 0).await;
        let ended = pool.ends(9).await;
        assert_eq!(ended.iter().map(content).collect::<Vec<_>>(), targets);
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_fresh_request_has_a_connection_that_carried_none_and_a_forbidding_one_is_the_last() {
    let (port, accepted) = serve(|_, mut stream| {
        std::thread::spawn(move || echo(&mut stream));
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
        pool.fetch(Request::get("/1")).await;
        pool.fetch(with(Reuse::FRESH, "/2")).await;
        assert_eq!(accepted.load(Ordering::SeqCst), 2);
        let before = pool.poll.info(&mut pool.client).await.expect("alive").counts.connections;
        pool.fetch(with(Reuse::FORBID, "/3")).await;
        let after = pool.poll.info(&mut pool.client).await.expect("alive").counts.connections;
        assert_eq!((before, after, accepted.load(Ordering::SeqCst)), (2, 1, 2));
    });
}

/// Connections that two requests have, the second of which asks for this, while the first has not been answered. The server answers once
/// so many connections are there, and the pool has had time to open more.
fn connections_of_two(second: Reuse, expected: usize) -> usize {
    let gate = Arc::new(Gate::default());
    let opened = Arc::clone(&gate);
    let (port, accepted) = serve(move |_, mut stream| {
        let gate = Arc::clone(&opened);
        std::thread::spawn(move || {
            gate.pass();
            echo(&mut stream);
        });
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
        pool.submit(&[Request::get("/1")], 1).await;
        pool.wait(50).await;
        pool.submit(&[with(second, "/2")], 2).await;
        pool.wait_for(|| accepted.load(Ordering::SeqCst) >= expected).await;
        pool.wait(50).await;
        gate.open();
        pool.ends(2).await;
    });
    accepted.load(Ordering::SeqCst)
}

#[test]
fn a_request_that_awaits_the_verdict_opens_no_connection_meanwhile() {
    assert_eq!(connections_of_two(Reuse::empty(), 2), 2);
    assert_eq!(connections_of_two(Reuse::AWAIT_VERDICT, 1), 1);
}

/// Connections that two requests have while the first one's response has this much to come.
fn connections_beside(octets: usize, expected: usize) -> usize {
    let gate = Arc::new(Gate::default());
    let opened = Arc::clone(&gate);
    let (port, accepted) = serve(move |_, mut stream| {
        let gate = Arc::clone(&opened);
        std::thread::spawn(move || {
            while let Some(target) = target(&mut stream) {
                let octets = if target == "/large" { octets } else { 1 };
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {octets}\r\n\r\n").expect("written");
                if target == "/large" {
                    gate.pass();
                }
                stream.write_all(&vec![b'x'; octets]).expect("written");
            }
        });
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), assume(), port).await;
        let large = pool.poll.submit(&mut pool.client, &pool.origin, Request::get("/large"), 1).await.expect("accepted");
        while large.head(&mut pool.client).await.expect("lives").is_none() {
            pool.wait(1).await;
        }
        pool.submit(&[Request::get("/small")], 2).await;
        pool.wait_for(|| accepted.load(Ordering::SeqCst) >= expected).await;
        pool.wait(20).await;
        gate.open();
        large.collect(&mut pool.client, 1 << 20).await.expect("an answer");
        pool.ends(1).await;
    });
    accepted.load(Ordering::SeqCst)
}

#[test]
fn a_pipeline_behind_a_large_response_is_left_alone() {
    assert_eq!(connections_beside(1_000, 1), 1);
    assert_eq!(connections_beside(200_000, 2), 2);
}

#[test]
fn a_connection_past_its_lifetime_takes_no_more_requests() {
    let (port, accepted) = serve(|_, mut stream| {
        std::thread::spawn(move || echo(&mut stream));
    });
    runtime().block_on(async {
        // A machine that does not send two requests in this time has more of it in the next round.
        for lifetime_ms in (0..10).map(|round| 60 << round) {
            let before = accepted.load(Ordering::SeqCst);
            let lifetime = ConnOptions::default().deadline(Timer::Lifetime, Duration::from_millis(lifetime_ms));
            let mut pool = Pool::new(PollOptions::default(), lifetime, port).await;
            let began = Instant::now();
            pool.fetch(Request::get("/1")).await;
            pool.fetch(Request::get("/2")).await;
            let in_time = began.elapsed() < Duration::from_millis(lifetime_ms);
            assert!(!in_time || accepted.load(Ordering::SeqCst) == before + 1);
            pool.wait(lifetime_ms + 40).await;
            pool.fetch(Request::get("/3")).await;
            if in_time {
                assert_eq!(accepted.load(Ordering::SeqCst), before + 2);
                return;
            }
        }
        panic!("two requests take longer than half a minute");
    });
}

#[test]
fn idle_connections_beyond_the_limit_are_closed() {
    let (port, accepted) = serve(|_, mut stream| {
        std::thread::spawn(move || echo(&mut stream));
    });
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::IdleConnections, 1);
        let mut pool = Pool::new(options, ConnOptions::default(), port).await;
        pool.submit(&[with(Reuse::FRESH, "/1"), with(Reuse::FRESH, "/2"), with(Reuse::FRESH, "/3")], 1).await;
        pool.ends(3).await;
        let counts = pool.poll.info(&mut pool.client).await.expect("alive").counts;
        assert_eq!((counts.opened, counts.connections, counts.idle), (3, 1, 1));
        assert_eq!(pool.client.sockets_open(), 1);
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 3);
}

#[test]
fn two_origins_share_the_total_limit_and_none_is_forgotten() {
    let (one, other) = (echoing(), echoing());
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::Connections, 1);
        let mut pool = Pool::new(options, sequential(), one).await;
        let second = pool.client.origin(endpoint(other), sequential()).await.expect("an origin");
        for token in 0..6 {
            let origin = if token % 2 == 0 { &pool.origin } else { &second };
            pool.poll.fetch_all(&mut pool.client, origin, &[Request::get("/")], token, 1 << 20).await.expect("alive");
        }
        let mut ended = BTreeSet::new();
        let began = Instant::now();
        while ended.len() < 6 {
            assert!(began.elapsed() < PATIENCE, "{ended:?}");
            pool.poll.wait(&mut pool.client, Some(Duration::from_millis(50)), 64).await.expect("alive");
            assert!(pool.poll.info(&mut pool.client).await.expect("alive").counts.connections <= 1);
            for completion in pool.poll.take_completions(&mut pool.client, 64).await.expect("alive") {
                assert_eq!(content(&completion), "/");
                assert!(ended.insert(completion.token));
            }
        }
    });
}

#[test]
fn an_origin_that_pipelines_without_a_pause_leaves_room_to_another() {
    // One response at a time, so that the pipeline is filled again before it is empty.
    let (one, _) = serve(|_, mut stream| {
        std::thread::spawn(move || {
            while let Some(target) = target(&mut stream) {
                std::thread::sleep(Duration::from_millis(1));
                answer(&mut stream, &target);
            }
        });
    });
    let other = echoing();
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::Connections, 1);
        let mut pool = Pool::new(options, assume(), one).await;
        let second = pool.client.origin(endpoint(other), assume()).await.expect("an origin");
        let began = Instant::now();
        // Always enough requests for the first origin to fill its pipeline again.
        pool.submit(&vec![Request::get("/one"); 200], 0).await;
        pool.poll.fetch_all(&mut pool.client, &second, &[Request::get("/other")], 1_000_000, 1 << 20).await.expect("alive");
        let mut next = 200;
        loop {
            assert!(began.elapsed() < PATIENCE, "the second origin has no turn");
            pool.poll.wait(&mut pool.client, Some(Duration::from_millis(50)), 64).await.expect("alive");
            let ended = pool.poll.take_completions(&mut pool.client, 1_000).await.expect("alive");
            if ended.iter().any(|completion| completion.token == 1_000_000) {
                assert!(ended.iter().all(|completion| completion.outcome.is_ok()));
                return;
            }
            pool.submit(&vec![Request::get("/one"); ended.len()], next).await;
            next += ended.len() as u64;
        }
    });
}

/// Waits for the beginning of a request; false: the gate was opened before.
fn is_asked(stream: &TcpStream, gate: &Gate) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a socket");
    while !gate.is_open() {
        if matches!(stream.peek(&mut [0]), Ok(1..)) {
            stream.set_read_timeout(None).expect("a socket");
            return true;
        }
    }
    false
}

#[test]
fn a_connection_that_was_never_used_and_is_closed_costs_no_request() {
    // Two are opened for two requests, one of which is cancelled; the used one ends with its response, the other while nobody looks.
    let (gate, closed) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let (opened, counter) = (Arc::clone(&gate), Arc::clone(&closed));
    let (port, accepted) = serve(move |number, mut stream| {
        let (gate, closed) = (Arc::clone(&opened), Arc::clone(&counter));
        std::thread::spawn(move || {
            if number == 3 || is_asked(&stream, &gate) {
                target(&mut stream).expect("a request");
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n/c").expect("written");
            }
            drop(stream);
            closed.fetch_add(1, Ordering::SeqCst);
        });
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), sequential(), port).await;
        pool.submit(&[Request::get("/a"), Request::get("/b")], 0).await;
        pool.poll.cancel(&mut pool.client, 1).await.expect("under way");
        let ended = pool.ends(2).await;
        assert_eq!(ended.iter().filter(|completion| completion.outcome.is_ok()).count(), 1, "{ended:?}");
        pool.wait(20).await;
        gate.open();
        while closed.load(Ordering::SeqCst) < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(pool.fetch(Request::get("/c")).await, "/c");
        assert_eq!(accepted.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn beside_a_tunnel_a_server_that_is_gone_fails_what_waits() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback network");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        drop(listener);
        target(&mut stream);
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n").expect("written");
        let _ = stream.read(&mut [0]);
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
        let upgrade = Request::get("/").with_field("Connection", "upgrade").with_field("Upgrade", "raw");
        let tunnel = pool.poll.submit(&mut pool.client, &pool.origin, upgrade, 1).await.expect("accepted");
        let began = Instant::now();
        while tunnel.head(&mut pool.client).await.expect("lives").is_none() {
            assert!(began.elapsed() < PATIENCE, "no switch");
            pool.poll.wait(&mut pool.client, Some(Duration::from_millis(50)), 64).await.expect("alive");
        }
        pool.submit(&[Request::get("/")], 2).await;
        let ended = pool.ends(1).await;
        assert!(matches!(ended[0].outcome, Err(failure) if matches!(failure.error, Error::Connect(_))), "{ended:?}");
    });
}

#[test]
fn a_place_that_refuses_is_tried_again_with_more_time_between() {
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::Retries, 2);
        let mut pool = Pool::new(options, ConnOptions::default(), 1).await;
        let began = Instant::now();
        pool.submit(&[Request::get("/")], 5).await;
        let ended = pool.ends(1).await;
        assert_eq!((ended[0].token, ended[0].retries), (5, 2));
        assert!(matches!(ended[0].outcome, Err(failure) if matches!(failure.error, Error::Connect(_))), "{ended:?}");
        // 100 ms after the first failure, 200 ms after the second one.
        let spent = began.elapsed();
        assert!(spent >= Duration::from_millis(300) && spent < PATIENCE, "{spent:?}");
        let info = pool.poll.origin_info(&mut pool.client, &pool.origin).await.expect("alive");
        assert_eq!((info.connect_failures, info.counts.retried), (3, 2));
        // The third one came after 300 ms at the earliest; on a slow machine the back-off of 400 ms may have passed.
        let has_passed = began.elapsed() >= Duration::from_millis(700) && info.retry_after.is_none();
        assert!(has_passed || info.retry_after.is_some_and(|span| span > 0 && span <= 400_000_000), "{:?}", info.retry_after);
    });
}

#[test]
fn what_is_not_taken_holds_others_back_until_it_is_taken() {
    let (port, _) = serve(|_, mut stream| {
        while target(&mut stream).is_some() {
            answer(&mut stream, "twenty octets of it.");
        }
    });
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::CompletionOctets, 10).limit(Limit::ConnectionsPerOrigin, 1);
        let mut pool = Pool::new(options, sequential(), port).await;
        pool.submit(&vec![Request::get("/"); 4], 1).await;
        for token in 1..=4 {
            while pool.poll.info(&mut pool.client).await.expect("alive").completions == 0 {
                pool.wait(5).await;
            }
            // In this time others would come.
            pool.wait(60).await;
            let info = pool.poll.info(&mut pool.client).await.expect("alive");
            assert_eq!((info.completions, info.counts.outstanding), (1, 0), "at {token}");
            assert_eq!(pool.ends(1).await[0].token, token);
        }
    });
}

//! The pool through the component, over TLS: inside the component, and the host's.

use rustls::ServerConfig;
use sandpiper_host::types::{
    Completion, ConnOptions, Delivery, Error, Failure, Limit, PollOptions, RequestOptions, Timer, TlsOptions, TlsProblem,
    TlsVersion,
};
use sandpiper_host::{Build, Client, ClientConn, Endpoint, HostTls, Origin, Poll, Request, Sandbox};
use sandpiper_tests::peer::loopback::{Handshakes, Secured, answer, serve, serve_tls, target};
use sandpiper_tests::scenario::sandboxed::runtime;
use sandpiper_tests::tls::authority::{NAME, authority};
use sandpiper_tests::tls::server::{Sessions, Settings};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long something may take that has to happen: much more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const MEMORY_OCTETS: usize = 32 << 20;

pub(crate) fn roots() -> TlsOptions {
    TlsOptions { roots_pem: Some(authority().root.pem().into_bytes()), ..TlsOptions::default() }
}

pub(crate) fn build(of: Build, permitted: bool) -> Sandbox {
    let builder = Sandbox::builder().component(of).allow("127.0.0.1").expect("a rule");
    let builder = builder.memory_octets_max(MEMORY_OCTETS).call_time_max(PATIENCE);
    let builder = if permitted { builder.dangerous_allow_any_certificate().allow_key_log() } else { builder };
    let builder = match of {
        Build::HostTls => builder.host_tls(HostTls::new(&roots()).expect("options")),
        Build::Plain | Build::Tls => builder,
    };
    builder.build().expect("a component that runs")
}

pub(crate) fn sandbox(of: Build) -> &'static Sandbox {
    static INSIDE: OnceLock<Sandbox> = OnceLock::new();
    static BY_HOST: OnceLock<Sandbox> = OnceLock::new();
    let made = if of == Build::HostTls { &BY_HOST } else { &INSIDE };
    made.get_or_init(|| build(of, false))
}

pub(crate) fn endpoint(port: u16, tls: TlsOptions) -> Endpoint {
    Endpoint { host: NAME.to_owned(), port, addresses: vec!["127.0.0.1".to_owned()], tls: Some(tls) }
}

pub(crate) fn config() -> ServerConfig {
    Settings::new(authority().good()).config()
}

/// Answers every request with its target.
pub(crate) fn echo(_: usize, stream: &mut Secured) {
    while let Some(target) = target(stream) {
        answer(stream, &target);
    }
}

pub(crate) fn within(connect: Duration) -> ConnOptions {
    ConnOptions::default().deadline(Timer::Connect, connect)
}

/// A pool over TLS.
pub(crate) struct Pool {
    pub(crate) client: Client,
    pub(crate) poll: Poll,
    build: Build,
}

impl Pool {
    pub(crate) async fn new(build: Build, options: PollOptions) -> Pool {
        Pool::of(sandbox(build), build, options).await
    }

    pub(crate) async fn of(sandbox: &Sandbox, build: Build, options: PollOptions) -> Pool {
        let mut client = sandbox.instantiate().await.expect("an instance");
        let poll = client.poll(options).await.expect("a poll");
        Pool { client, poll, build }
    }

    pub(crate) fn options(&self) -> TlsOptions {
        if self.build == Build::HostTls { TlsOptions::default() } else { roots() }
    }

    pub(crate) async fn origin(&mut self, port: u16, options: ConnOptions) -> Origin {
        let tls = self.options();
        self.client.origin(endpoint(port, tls), options).await.expect("an origin")
    }

    pub(crate) async fn connect(&mut self, port: u16, options: ConnOptions) -> ClientConn {
        let tls = self.options();
        let conn = self.client.connect(endpoint(port, tls), options).await.expect("a connection");
        self.poll.insert(&mut self.client, &conn, 0).await.expect("in no poll yet");
        conn
    }

    pub(crate) async fn submit(&mut self, origin: &Origin, requests: &[Request], first_token: u64) {
        self.poll.fetch_all(&mut self.client, origin, requests, first_token, 1 << 20).await.expect("alive");
    }

    pub(crate) async fn wait(&mut self) {
        self.poll.wait(&mut self.client, Some(Duration::from_millis(100)), 64).await.expect("alive");
    }

    /// Waits until so many have ended.
    pub(crate) async fn ends(&mut self, count: usize) -> Vec<Completion> {
        let (mut ended, began) = (Vec::new(), Instant::now());
        while ended.len() < count {
            assert!(began.elapsed() < PATIENCE, "{} of {count} have ended", ended.len());
            self.wait().await;
            ended.extend(self.poll.take_completions(&mut self.client, 1_000).await.expect("alive"));
        }
        assert_eq!(ended.len(), count);
        ended
    }

    pub(crate) async fn fetch(&mut self, origin: &Origin, request: Request) -> Completion {
        self.submit(origin, &[request], 0).await;
        self.ends(1).await.remove(0)
    }

    pub(crate) async fn is_resumed(&mut self, of: &Completion) -> bool {
        self.client.tls_info(of.connection).await.expect("alive").expect("remembered").resumed
    }
}

pub(crate) fn content(completion: &Completion) -> String {
    let response = completion.outcome.as_ref().unwrap_or_else(|failure| panic!("{failure:?}"));
    String::from_utf8_lossy(&response.content).into_owned()
}

pub(crate) fn failure(completion: &Completion) -> &Failure {
    completion.outcome.as_ref().expect_err("a failure")
}

pub(crate) fn resumed(handshakes: &Mutex<Handshakes>) -> Vec<bool> {
    handshakes.lock().expect("no panic").resumed.clone()
}

#[test]
fn origins_with_different_options_share_neither_connections_nor_sessions() {
    let (port, accepted, handshakes) = serve_tls(config(), echo);
    runtime().block_on(async {
        let mut pool = Pool::new(Build::Tls, PollOptions::default()).await;
        let newer = TlsOptions { version_min: Some(TlsVersion::Tls13), ..roots() };
        let pinned = TlsOptions { spki_pins: Some(vec![vec![7; 32], authority().good().pin().to_vec()]), ..roots() };
        let mut origins = Vec::new();
        for options in [roots(), newer, pinned] {
            origins.push(pool.client.origin(endpoint(port, options), ConnOptions::default()).await.expect("an origin"));
        }
        // The certificate is made anew each time: none has this pin.
        let last = pool.fetch(&origins[2], Request::get("/")).await;
        assert_eq!(failure(&last).error, Error::Tls(TlsProblem::Pin));
        let mut connections = BTreeSet::new();
        for _ in 0..2 {
            for origin in &origins[..2] {
                let completion = pool.fetch(origin, Request::get("/")).await;
                assert_eq!(content(&completion), "/");
                assert!(!pool.is_resumed(&completion).await);
                connections.insert(completion.connection);
            }
        }
        assert_eq!(connections.len(), 2);
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 3);
    assert_eq!(resumed(&handshakes), [false, false]);
}

#[test]
fn connections_of_one_pool_resume_each_others_sessions() {
    for sessions in [Sessions::Tickets, Sessions::Kept] {
        let config = Settings { sessions, ..Settings::new(authority().good()) }.config();
        let (port, _, handshakes) = serve_tls(config, |_, stream| {
            if let Some(target) = target(stream) {
                let _ =
                    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{target}", target.len());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        runtime().block_on(async {
            let mut pool = Pool::new(Build::Tls, PollOptions::default()).await;
            let origin = pool.origin(port, ConnOptions::default()).await;
            for number in 0..4 {
                let completion = pool.fetch(&origin, Request::get(format!("/{number}"))).await;
                assert_eq!(content(&completion), format!("/{number}"));
                assert_eq!(pool.is_resumed(&completion).await, number > 0);
            }
            // Another instance knows of nothing.
            let mut other = Pool::new(Build::Tls, PollOptions::default()).await;
            let origin = other.origin(port, ConnOptions::default()).await;
            let completion = other.fetch(&origin, Request::get("/")).await;
            assert!(!other.is_resumed(&completion).await);
        });
        assert_eq!(resumed(&handshakes), [false, true, true, true, false]);
    }
}

#[test]
fn fifty_connections_at_once() {
    for build in [Build::Tls, Build::HostTls] {
        let (port, accepted, _) = serve_tls(config(), |_, stream| {
            while let Some(target) = target(stream) {
                // Nobody is done before all have begun.
                std::thread::sleep(Duration::from_millis(200));
                answer(stream, &target);
            }
        });
        runtime().block_on(async {
            let most = PollOptions::default().limit(Limit::ConnectionsPerOrigin, 50).limit(Limit::Connections, 50);
            let mut pool = Pool::new(build, most).await;
            let one = ConnOptions::default().limit(Limit::Outstanding, 1);
            let origin = pool.origin(port, one).await;
            let requests: Vec<Request> = (0..200).map(|number| Request::get(format!("/{number}"))).collect();
            pool.submit(&origin, &requests, 0).await;
            let mut ended = pool.ends(200).await;
            ended.sort_by_key(|completion| completion.token);
            for (number, completion) in ended.iter().enumerate() {
                assert_eq!(content(completion), format!("/{number}"), "{build:?}");
            }
            assert!(pool.client.memory_octets() <= MEMORY_OCTETS);
            drop(origin);
            pool.poll.release(&mut pool.client).await.expect("alive");
            assert_eq!(pool.client.sockets_open(), 0);
        });
        assert_eq!(accepted.load(Ordering::SeqCst), 50, "{build:?}");
    }
}

#[test]
fn what_an_idle_connection_did_not_live_to_answer_is_sent_again() {
    for build in [Build::Tls, Build::HostTls] {
        for close_notify in [true, false] {
            let (port, accepted, _) = serve_tls(config(), move |number, stream| {
                if number == 1 {
                    target(stream).inspect(|target| answer(stream, target));
                    target(stream);
                    if close_notify {
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                    }
                    let _ = stream.sock.shutdown(Shutdown::Write);
                    return drop(stream.sock.read_to_end(&mut Vec::new()));
                }
                echo(number, stream);
            });
            runtime().block_on(async {
                let mut pool = Pool::new(build, PollOptions::default().limit(Limit::Retries, 1)).await;
                let origin = pool.origin(port, ConnOptions::default()).await;
                assert_eq!(content(&pool.fetch(&origin, Request::get("/1")).await), "/1");
                let again = pool.fetch(&origin, Request::get("/2")).await;
                assert_eq!((content(&again).as_str(), again.retries), ("/2", 1), "{build:?}, close_notify {close_notify}");
            });
            assert_eq!(accepted.load(Ordering::SeqCst), 2);
        }
    }
}

#[test]
fn a_failed_handshake_fails_those_that_wait_and_none_of_them_begins_another() {
    for build in [Build::Tls, Build::HostTls] {
        let of_stranger = Settings::new(authority().self_signed()).config();
        let (port, accepted, handshakes) = serve_tls(of_stranger, echo);
        runtime().block_on(async {
            let some = PollOptions::default().limit(Limit::ConnectionsPerOrigin, 2).limit(Limit::Retries, 0);
            let mut pool = Pool::new(build, some).await;
            let origin = pool.origin(port, ConnOptions::default()).await;
            let requests = vec![Request::get("/"); 40];
            pool.submit(&origin, &requests, 0).await;
            for completion in pool.ends(40).await {
                let failure = failure(&completion);
                assert!(matches!(failure.error, Error::Tls(_)), "{failure:?}");
                assert_eq!((failure.delivery, completion.retries), (Delivery::NotSent, 0));
            }
            let info = pool.poll.origin_info(&mut pool.client, &origin).await.expect("alive");
            assert!((1..=2).contains(&info.connect_failures), "{build:?}: {} handshakes", info.connect_failures);
        });
        let handshakes = handshakes.lock().expect("no panic");
        assert!(accepted.load(Ordering::SeqCst) <= 2 && handshakes.resumed.is_empty(), "{build:?}: {handshakes:?}");
    }
}

#[test]
fn the_deadline_to_connect_covers_the_handshake() {
    for build in [Build::Tls, Build::HostTls] {
        // It accepts, and says nothing.
        let (port, _) = serve(|_, mut tcp| {
            std::thread::spawn(move || tcp.read_to_end(&mut Vec::new()));
        });
        runtime().block_on(async {
            let mut pool = Pool::new(build, PollOptions::default().limit(Limit::Retries, 0)).await;
            let origin = pool.origin(port, within(Duration::from_millis(300))).await;
            let completion = pool.fetch(&origin, Request::get("/")).await;
            let failure = failure(&completion);
            assert_eq!((failure.error, failure.delivery), (Error::TimedOut(Timer::Connect), Delivery::NotSent), "{build:?}");
            let info = pool.client.tls_info(failure.connection).await.expect("alive").expect("remembered");
            assert_eq!((info.server_name.as_str(), info.duration), (NAME, None), "{build:?}");
            let total = RequestOptions::default().deadline(Timer::Total, Duration::from_millis(200));
            let origin = pool.origin(port, within(PATIENCE)).await;
            let late = pool.fetch(&origin, Request::get("/").with_options(total)).await;
            let failure = self::failure(&late);
            assert_eq!((failure.error, failure.delivery), (Error::TimedOut(Timer::Total), Delivery::NotSent), "{build:?}");
        });
    }
}

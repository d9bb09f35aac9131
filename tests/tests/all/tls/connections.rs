//! One connection over TLS, through the component: contents, pipelines, tunnels, drops, and what only the host may allow.

use super::pool::{PATIENCE, Pool, build, config, content, echo, endpoint, failure, roots, within};
use sandpiper_host::types::{
    Chunk, ConnOptions, Delivery, Denial, Error, Misuse, Persistence, PollOptions, RequestContent, Timer, TlsOptions, TlsProblem,
};
use sandpiper_host::{Build, CallError, ClientConn, Endpoint, Limit, Request};
use sandpiper_tests::peer::loopback::{Secured, answer, serve, serve_tls, target};
use sandpiper_tests::scenario::sandboxed::runtime;
use sandpiper_tests::tls::authority::authority;
use sandpiper_tests::tls::server::Settings;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const BIG_OCTETS: usize = 16 << 20;

/// Content of which no part is like another.
fn content_at(from: usize, octets: usize) -> Vec<u8> {
    (from..from + octets).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}

/// Answers an upload with how much of it was as it should be.
fn take_upload(stream: &mut Secured) {
    let (mut buffer, mut at) = (vec![0; 65_536], 0);
    while at < BIG_OCTETS {
        let Ok(octets @ 1..) = stream.read(&mut buffer) else { return };
        if buffer[..octets] != content_at(at, octets) {
            return answer(stream, &format!("wrong behind {at}"));
        }
        at += octets;
    }
    answer(stream, "whole");
}

#[test]
fn sixteen_mebibytes_in_both_directions() {
    for build in [Build::Tls, Build::HostTls] {
        let (port, _, _) = serve_tls(config(), |_, stream| {
            while let Some(target) = target(stream) {
                if target == "/up" {
                    take_upload(stream);
                    continue;
                }
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BIG_OCTETS}\r\n\r\n");
                for at in (0..BIG_OCTETS).step_by(1 << 16) {
                    if stream.write_all(&content_at(at, 1 << 16)).is_err() {
                        return;
                    }
                }
            }
        });
        runtime().block_on(async {
            let mut pool = Pool::new(build, PollOptions::default()).await;
            let conn = pool.connect(port, ConnOptions::default()).await;
            download(&mut pool, &conn).await;
            upload(&mut pool, &conn).await;
            // The limit is the sandbox's, and it is less than what went through twice.
            assert!(pool.client.memory_octets() < BIG_OCTETS, "{} octets, {build:?}", pool.client.memory_octets());
        });
    }
}

async fn download(pool: &mut Pool, conn: &ClientConn) {
    let exchange = conn.send(&mut pool.client, Request::get("/down"), 1).await.expect("accepted");
    let mut at = 0;
    loop {
        match exchange.read(&mut pool.client, 1 << 20).await.expect("no failure") {
            Chunk::Data(octets) => {
                assert!(octets == content_at(at, octets.len()), "wrong behind {at}");
                at += octets.len();
            }
            Chunk::WouldBlock => pool.wait().await,
            Chunk::End(_) => break,
        }
    }
    assert_eq!(at, BIG_OCTETS);
}

async fn upload(pool: &mut Pool, conn: &ClientConn) {
    let request = Request { content: RequestContent::Length(BIG_OCTETS as u64), ..Request::new("PUT", "/up") };
    let exchange = conn.send(&mut pool.client, request, 2).await.expect("accepted");
    let mut at = 0;
    while at < BIG_OCTETS {
        let piece = content_at(at, (1 << 18).min(BIG_OCTETS - at));
        match exchange.write(&mut pool.client, &piece).await.expect("no failure") {
            0 => pool.wait().await,
            written => at += usize::try_from(written).expect("no more than was given"),
        }
    }
    exchange.finish(&mut pool.client, &[]).await.expect("whole");
    let response = exchange.collect(&mut pool.client, 100).await.expect("a response");
    assert_eq!(String::from_utf8_lossy(&response.content), "whole");
}

#[test]
fn sixty_four_requests_in_a_pipeline() {
    for build in [Build::Tls, Build::HostTls] {
        let (port, accepted, _) = serve_tls(config(), echo);
        runtime().block_on(async {
            let mut pool = Pool::new(build, PollOptions::default()).await;
            let deep =
                ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() }.limit(Limit::Outstanding, 64);
            let conn = pool.connect(port, deep).await;
            let requests: Vec<Request> = (0..64).map(|number| Request::get(format!("/{number}"))).collect();
            let sent = conn.send_all(&mut pool.client, &requests, 1).await.expect("alive");
            for (number, exchange) in sent.into_iter().enumerate() {
                let response = exchange.expect("accepted").collect(&mut pool.client, 100).await.expect("a response");
                assert_eq!(response.content, format!("/{number}").as_bytes(), "{build:?}");
            }
        });
        assert_eq!(accepted.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn an_upgraded_connection_goes_on_over_tls() {
    for build in [Build::Tls, Build::HostTls] {
        let (port, _, _) = serve_tls(config(), |_, stream| {
            target(stream);
            let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            let mut buffer = [0; 1_024];
            while let Ok(octets @ 1..) = stream.read(&mut buffer) {
                let _ = stream.write_all(&buffer[..octets]);
            }
            // It has seen the end, and says its own.
            stream.conn.send_close_notify();
            let _ = stream.flush();
        });
        runtime().block_on(async {
            let mut pool = Pool::new(build, PollOptions::default()).await;
            let conn = pool.connect(port, ConnOptions::default()).await;
            let request = Request::get("/").with_field("Connection", b"upgrade").with_field("Upgrade", b"echo");
            let exchange = conn.send(&mut pool.client, request, 1).await.expect("accepted");
            while exchange.head(&mut pool.client).await.expect("no failure").is_none() {
                pool.wait().await;
            }
            assert_eq!(exchange.write(&mut pool.client, b"ping").await.expect("a tunnel"), 4);
            let mut echoed = Vec::new();
            loop {
                match exchange.read(&mut pool.client, 100).await.expect("no failure") {
                    Chunk::Data(octets) => {
                        echoed.extend(octets);
                        if echoed == b"ping" {
                            exchange.finish(&mut pool.client, &[]).await.expect("a tunnel");
                        }
                    }
                    Chunk::WouldBlock => pool.wait().await,
                    Chunk::End(_) => break,
                }
            }
            assert_eq!(echoed, b"ping", "{build:?}");
        });
    }
}

#[test]
fn others_may_wait_for_a_connection_but_not_have_its_streams() {
    for build in [Build::Tls, Build::HostTls] {
        let (port, _, _) = serve_tls(config(), echo);
        runtime().block_on(async {
            let mut pool = Pool::new(build, PollOptions::default()).await;
            let conn = pool.connect(port, ConnOptions::default()).await;
            let exchange = conn.send(&mut pool.client, Request::get("/"), 1).await.expect("accepted");
            while exchange.head(&mut pool.client).await.expect("no failure").is_none() {
                tokio::time::timeout(PATIENCE, pool.client.ready(&[&conn])).await.expect("something").expect("open");
                pool.poll.wait(&mut pool.client, Some(Duration::ZERO), 8).await.expect("alive");
            }
            assert_eq!(exchange.collect(&mut pool.client, 9).await.expect("a response").content, b"/");
            let refused = conn.into_parts(&mut pool.client).await.expect_err("refused");
            assert!(matches!(refused, CallError::Http(Error::ApiMisuse(Misuse::Secured))), "{refused:?}");
            let again = conn.send(&mut pool.client, Request::get("/2"), 2).await.expect("it goes on");
            assert_eq!(again.collect(&mut pool.client, 9).await.expect("a response").content, b"/2");
        });
    }
}

/// A server whose handshake stands still once it has read this often.
fn stands_still(after: usize) -> (u16, Arc<AtomicUsize>) {
    let config = Arc::new(config());
    serve(move |_, mut tcp| {
        let config = Arc::clone(&config);
        std::thread::spawn(move || {
            let mut tls = rustls::ServerConnection::new(config).expect("a configuration that works");
            for _ in 0..after {
                let read = tls.read_tls(&mut tcp).is_ok() && tls.process_new_packets().is_ok();
                while read && tls.wants_write() && tls.write_tls(&mut tcp).is_ok() {}
            }
            let _ = tcp.read_to_end(&mut Vec::new());
        });
    })
}

#[test]
fn everything_may_be_dropped_in_every_state_of_a_handshake() {
    for build in [Build::Tls, Build::HostTls] {
        for after in 0..4 {
            let (port, _) = stands_still(after);
            runtime().block_on(async {
                for looks in 0..4 {
                    let mut pool = Pool::new(build, PollOptions::default()).await;
                    let conn = pool.connect(port, ConnOptions::default()).await;
                    let exchange = conn.send(&mut pool.client, Request::get("/"), 1).await.expect("accepted");
                    let origin = pool.origin(port, ConnOptions::default()).await;
                    pool.submit(&origin, &[Request::get("/"), Request::get("/")], 1).await;
                    for _ in 0..looks {
                        pool.poll.wait(&mut pool.client, Some(Duration::from_millis(10)), 8).await.expect("alive");
                        // Its pollables are lent to somebody who stops waiting.
                        let _ = tokio::time::timeout(Duration::from_millis(5), pool.client.ready(&[&conn])).await;
                    }
                    match looks {
                        0 | 1 => drop((conn, exchange, origin)),
                        2 => drop((exchange, conn)),
                        _ => conn.close(&mut pool.client).await.expect("alive"),
                    }
                    pool.poll.release(&mut pool.client).await.expect("alive");
                    pool.client.release_dropped().await.expect("alive");
                    assert_eq!(pool.client.sockets_open(), 0, "{build:?}, {after} reads of the server, {looks} looks");
                }
            });
        }
    }
}

#[test]
fn what_only_the_host_may_allow_is_refused_without_it() {
    let (port, accepted, _) = serve_tls(Settings::new(authority().self_signed()).config(), echo);
    let any = TlsOptions { accept_any_certificate: Some(true), ..TlsOptions::default() };
    let logged = TlsOptions { key_log: Some(true), ..any.clone() };
    runtime().block_on(async {
        let mut pool = Pool::new(Build::Tls, PollOptions::default()).await;
        let only_logged = TlsOptions { key_log: Some(true), ..roots() };
        for (options, denial) in [(any, Denial::AnyCertificate), (only_logged, Denial::KeyLog)] {
            let refused = pool.client.connect(endpoint(port, options.clone()), ConnOptions::default()).await.err();
            assert!(matches!(&refused, Some(CallError::Http(Error::Denied(of))) if *of == denial), "{refused:?}");
            let origin = pool.client.origin(endpoint(port, options), ConnOptions::default()).await;
            if let Ok(origin) = origin {
                let completion = pool.fetch(&origin, Request::get("/")).await;
                assert_eq!(
                    (failure(&completion).error, failure(&completion).delivery),
                    (Error::Denied(denial), Delivery::NotSent)
                );
            }
        }
        assert!(pool.client.take_key_log(9).await.expect("alive").is_empty());
        assert_eq!(accepted.load(Ordering::SeqCst), 0, "nobody was dialled");

        let mut pool = Pool::of(&build(Build::Tls, true), Build::Tls, PollOptions::default()).await;
        let origin = pool.client.origin(endpoint(port, logged), ConnOptions::default()).await.expect("an origin");
        assert_eq!(content(&pool.fetch(&origin, Request::get("/")).await), "/");
        check_key_log(&pool.client.take_key_log(100).await.expect("alive"));
    });
}

/// Lines as NSS writes them, enough of them to read a connection with TLS 1.3.
fn check_key_log(lines: &[String]) {
    let mut labels = BTreeSet::new();
    let mut of = BTreeSet::new();
    for line in lines {
        let parts: Vec<&str> = line.split(' ').collect();
        let [label, random, secret] = parts[..] else { panic!("{line}") };
        let is_hex = |text: &str| text.bytes().all(|octet| octet.is_ascii_hexdigit() && !octet.is_ascii_uppercase());
        assert!(random.len() == 64 && is_hex(random) && is_hex(secret) && [64, 96].contains(&secret.len()), "{line}");
        labels.insert(label);
        of.insert(random);
    }
    let wanted = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
    ];
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), wanted);
    assert_eq!(of.len(), 1, "of one connection");
}

#[test]
fn a_connection_in_clear_is_never_used_where_tls_is_asked_for() {
    // It answers in clear, whatever it hears.
    let (port, accepted) = serve(|_, mut tcp| {
        std::thread::spawn(move || while target(&mut tcp).inspect(|target| answer(&mut tcp, target)).is_some() {});
    });
    runtime().block_on(async {
        let mut pool = Pool::new(Build::Tls, PollOptions::default().limit(Limit::Retries, 0)).await;
        let in_clear = Endpoint { tls: None, ..endpoint(port, roots()) };
        let in_clear = pool.client.origin(in_clear, ConnOptions::default()).await.expect("an origin");
        assert_eq!(content(&pool.fetch(&in_clear, Request::get("/")).await), "/");
        let secured = pool.origin(port, within(Duration::from_millis(500))).await;
        let completion = pool.fetch(&secured, Request::get("/")).await;
        assert_eq!(
            (failure(&completion).error, failure(&completion).delivery),
            (Error::TimedOut(Timer::Connect), Delivery::NotSent)
        );
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[test]
fn a_build_without_tls_refuses_it_before_anything_is_sent() {
    let (port, accepted) = serve(|_, _| {});
    runtime().block_on(async {
        let mut client = build(Build::Plain, false).instantiate().await.expect("an instance");
        let refused = client.connect(endpoint(port, roots()), ConnOptions::default()).await.err();
        assert!(matches!(refused, Some(CallError::Http(Error::Tls(TlsProblem::Unavailable)))), "{refused:?}");
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 0);
}

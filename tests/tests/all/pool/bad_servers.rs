//! The pool and servers that answer too little, too much or not at all.

use super::placing::Pool;
use sandpiper_host::types::{ConnOptions, Delivery, Limit, PollOptions, RequestOptions, Timer};
use sandpiper_host::{CallError, Request};
use sandpiper_tests::peer::loopback::{PATIENCE, answer, serve, target};
use sandpiper_tests::scenario::sandboxed::runtime;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn within(span_ms: u64, target: &str) -> Request {
    Request::get(target).with_options(RequestOptions::default().deadline(Timer::Total, Duration::from_millis(span_ms)))
}

/// Longer than anything takes that is answered at all.
const LONG_MS: u64 = 30_000;

/// Six requests that may take so long end, each once; gives how many were answered.
async fn six(port: u16, span_ms: u64) -> usize {
    let options = PollOptions::default().limit(Limit::Retries, 1);
    let mut pool = Pool::new(options, ConnOptions::default(), port).await;
    let began = Instant::now();
    let (mut tokens, mut answered) = (BTreeSet::new(), 0);
    for first in [0, 3] {
        pool.submit(&vec![within(span_ms, "/"); 3], first).await;
        for end in pool.ends(3).await {
            assert!(tokens.insert(end.token), "{} ends twice", end.token);
            answered += usize::from(end.outcome.is_ok());
        }
    }
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!(tokens.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    pool.wait(20).await;
    assert!(pool.poll.take_completions(&mut pool.client, 9).await.expect("alive").is_empty());
    answered
}

#[test]
fn with_a_bad_server_every_request_ends_once_within_its_deadlines() {
    let in_threads = |act: fn(&mut TcpStream)| {
        serve(move |_, mut stream| {
            std::thread::spawn(move || act(&mut stream));
        })
        .0
    };
    runtime().block_on(async {
        // Nothing listens.
        assert_eq!(six(1, LONG_MS).await, 0);
        // It accepts, and is silent.
        assert_eq!(six(in_threads(|stream| drop(stream.read_to_end(&mut Vec::new()))), 600).await, 0);
        // It closes each connection as it might be used again.
        let closes = in_threads(|stream| {
            let first = target(stream);
            first.iter().for_each(|target| answer(stream, target));
        });
        assert!(six(closes, LONG_MS).await >= 3);
        // It gives two answers to each request.
        let too_many = in_threads(|stream| {
            while target(stream).is_some() {
                let twice = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".repeat(2);
                if stream.write_all(twice.as_bytes()).is_err() {
                    return;
                }
            }
        });
        assert!(six(too_many, LONG_MS).await >= 1);
        // It answers every second request.
        let too_few = in_threads(|stream| {
            while target(stream).is_some() {
                if target(stream).is_none() || write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                    return;
                }
            }
        });
        six(too_few, 600).await;
    });
}

#[test]
fn a_request_that_may_act_twice_fails_although_its_connection_has_answered_another() {
    // The second request of a connection is read, and answered with the end of the connection.
    let (port, accepted) = serve(|_, mut stream| {
        if let Some(first) = target(&mut stream) {
            answer(&mut stream, &first);
            target(&mut stream);
        }
    });
    let switching = |method| Request::new(method, "/2").with_field("Connection", "upgrade").with_field("Upgrade", "raw");
    runtime().block_on(async {
        for (request, connections) in [(Request::new("POST", "/2"), 1), (switching("POST"), 2), (Request::get("/2"), 4)] {
            let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
            pool.submit(&[Request::get("/1")], 1).await;
            pool.ends(1).await;
            let exchange = pool.poll.submit(&mut pool.client, &pool.origin, request, 2).await.expect("accepted");
            match exchange.collect(&mut pool.client, 9).await {
                // An idempotent request has gone once more, onto a fresh connection.
                Ok(response) => assert_eq!(response.content, b"/2"),
                Err(CallError::Http(failure)) => assert_eq!(failure.delivery, Delivery::Unanswered),
                Err(error) => panic!("{error}"),
            }
            assert_eq!(accepted.load(Ordering::SeqCst), connections);
        }
    });
}

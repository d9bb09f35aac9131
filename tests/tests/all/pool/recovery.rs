//! Requests that a pool sends again by itself, and those that it does not, with servers that end connections, lose requests or break pipelines
//! (RFC 9112 §9.3.1, §9.3.2).

use super::placing::{Pool, content};
use sandpiper_host::types::{
    Chunk, Completion, ConnOptions, ConnState, Delivery, Event, Limit, LogEvent, Persistence, PollOptions, Readiness, Timer,
};
use sandpiper_host::{CallError, Request};
use sandpiper_tests::peer::loopback::{PATIENCE, answer, serve, target};
use sandpiper_tests::scenario::sandboxed::runtime;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn per_origin(connections: u32) -> PollOptions {
    PollOptions::default().limit(Limit::ConnectionsPerOrigin, connections.into())
}

fn stalling_after(milliseconds: u64) -> ConnOptions {
    ConnOptions::default().deadline(Timer::PipelineStall, Duration::from_millis(milliseconds))
}

/// A server with a thread for each connection.
fn threads(act: impl Fn(&mut TcpStream) + Send + Sync + Copy + 'static) -> (u16, Arc<AtomicUsize>) {
    serve(move |_, mut stream| {
        std::thread::spawn(move || act(&mut stream));
    })
}

/// GETs of a list, all answered with their own targets; gives how often requests were sent again.
fn all_answered(port: u16, count: usize, connections: u32, of_conn: ConnOptions) -> u32 {
    runtime().block_on(async {
        let mut pool = Pool::new(per_origin(connections), of_conn, port).await;
        let targets: Vec<String> = (0..count).map(|number| format!("/{number}")).collect();
        pool.submit(&targets.iter().map(Request::get).collect::<Vec<_>>(), 0).await;
        let mut ended = pool.ends(count).await;
        ended.sort_by_key(|completion| completion.token);
        assert_eq!(ended.iter().map(content).collect::<Vec<_>>(), targets);
        let resent = ended.iter().map(|completion| completion.retries).sum();
        let info = pool.poll.info(&mut pool.client).await.expect("alive");
        assert_eq!(info.counts.retried, u64::from(resent));
        resent
    })
}

/// Ends with its seventh response, and says so.
fn seven_a_connection(stream: &mut TcpStream) {
    for number in 1..=7 {
        let Some(target) = target(stream) else { return };
        let close = if number == 7 { "Connection: close\r\n" } else { "" };
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n{target}", target.len());
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_server_that_takes_some_requests_a_connection_answers_a_list() {
    for connections in [1, 6] {
        let (port, accepted) = threads(seven_a_connection);
        let resent = all_answered(port, 1_000, connections, ConnOptions::default());
        // The pool learns from the first connections, and does not fill a pipeline beyond the seventh request.
        assert!(resent > 0 && resent <= connections * 63, "{resent} were sent again");
        assert!(accepted.load(Ordering::SeqCst) >= 1_000_usize.div_ceil(7));
    }
}

#[test]
fn a_server_that_takes_some_requests_a_connection_without_saying_so_answers_a_list() {
    let (port, _) = threads(|stream| {
        for _ in 0..7 {
            let Some(target) = target(stream) else { return };
            answer(stream, &target);
        }
        // In order: a reset could take the last answers along.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert!(all_answered(port, 100, 1, ConnOptions::default()) > 0);
}

#[test]
fn a_server_that_closes_behind_every_response_answers_a_list() {
    for connections in [1, 6] {
        let (port, accepted) = threads(|stream| {
            let Some(target) = target(stream) else { return };
            answer(stream, &target);
            std::thread::sleep(Duration::from_millis(2));
        });
        all_answered(port, 30, connections, ConnOptions::default());
        assert!(accepted.load(Ordering::SeqCst) <= 90);
    }
}

/// Takes what one read gives for one request, and answers the first of them.
fn one_read_one_request(stream: &mut TcpStream) {
    let mut octets = vec![0; 65_536];
    while let Ok(read @ 1..) = stream.read(&mut octets) {
        let text = String::from_utf8_lossy(&octets[..read]).into_owned();
        let target = text.split(' ').nth(1).unwrap_or_default().to_owned();
        answer(stream, &target);
    }
}

#[test]
fn a_server_that_loses_what_is_pipelined_answers_a_list_and_is_asked_one_at_a_time() {
    let (port, accepted) = threads(one_read_one_request);
    runtime().block_on(async {
        let mut pool = Pool::new(per_origin(1), stalling_after(300), port).await;
        for round in 0..2 {
            let first = round * 8;
            pool.submit(&(0..8).map(|number| Request::get(format!("/{number}"))).collect::<Vec<_>>(), first).await;
            let ended = pool.ends(8).await;
            assert!(ended.iter().all(|completion| completion.outcome.is_ok()), "{ended:?}");
            let resent: u32 = ended.iter().map(|completion| completion.retries).sum();
            // The first response shows that the connection persists; of the seven requests behind it, the server takes one or a few.
            assert_eq!(resent > 0, round == 0, "{resent} in round {round}");
        }
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[test]
fn a_request_that_takes_longer_than_those_before_it_is_not_lost() {
    // Four times the longest wait so far is more than the deadline.
    let (port, accepted) = threads(|stream| {
        let waits = [1_000, 10, 1_500];
        for wait in waits.into_iter().cycle() {
            let Some(target) = target(stream) else { return };
            std::thread::sleep(Duration::from_millis(wait));
            answer(stream, &target);
        }
    });
    assert_eq!(all_answered(port, 3, 1, stalling_after(50)), 0);
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// What a server read of requests, and answered with nothing but the end; the first request of each connection is answered.
fn answers_the_first_and_ends_with_the_second() -> (u16, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&seen);
    let (port, _) = serve(move |_, mut stream| {
        let noted = Arc::clone(&noted);
        std::thread::spawn(move || {
            for number in 0..2 {
                let Some(target) = target(&mut stream) else { return };
                noted.lock().expect("no panic").push(target.clone());
                if number == 0 {
                    answer(&mut stream, &target);
                }
            }
        });
    });
    (port, seen)
}

#[test]
fn what_may_not_be_repeated_is_sent_once_also_on_a_connection_that_was_used() {
    let (port, seen) = answers_the_first_and_ends_with_the_second();
    runtime().block_on(async {
        let mut pool = Pool::new(per_origin(1), ConnOptions::default(), port).await;
        pool.submit(&[Request::get("/first")], 0).await;
        pool.ends(1).await;
        pool.submit(&[Request::post("/post", b"x".to_vec())], 1).await;
        let ended = pool.ends(1).await;
        let failure = ended[0].outcome.as_ref().expect_err("the connection ended");
        assert_eq!((failure.delivery, ended[0].retries), (Delivery::Unanswered, 0));
        pool.submit(&[Request::get("/get"), Request::get("/put")], 2).await;
        assert!(pool.ends(2).await.iter().all(|completion| completion.outcome.is_ok()));
    });
    assert_eq!(seen.lock().expect("no panic").iter().filter(|target| *target == "/post").count(), 1);
}

#[test]
fn a_get_on_a_connection_that_was_used_goes_once_more_on_a_fresh_one_also_when_its_response_is_streamed() {
    let (port, seen) = answers_the_first_and_ends_with_the_second();
    runtime().block_on(async {
        let mut pool = Pool::new(per_origin(1), ConnOptions::default(), port).await;
        pool.submit(&[Request::get("/first")], 0).await;
        pool.ends(1).await;
        let exchange = pool.poll.submit(&mut pool.client, &pool.origin, Request::get("/get"), 1).await.expect("accepted");
        let mut octets = Vec::new();
        loop {
            match exchange.read(&mut pool.client, 100).await.expect("answered") {
                Chunk::Data(piece) => octets.extend(piece),
                Chunk::End(_) => break,
                Chunk::WouldBlock => pool.wait(10).await,
            }
        }
        assert_eq!(octets, b"/get");
    });
    assert_eq!(*seen.lock().expect("no panic"), ["/first", "/get", "/get"]);
}

#[test]
fn a_server_that_never_answers_is_not_asked_again_and_again() {
    let (port, accepted) = threads(|stream| drop(target(stream)));
    runtime().block_on(async {
        let of_conn = ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() };
        let mut pool = Pool::new(per_origin(1), of_conn, port).await;
        pool.submit(&vec![Request::get("/"); 5], 0).await;
        let ended = pool.ends(5).await;
        let unanswered =
            |completion: &Completion| completion.outcome.as_ref().is_err_and(|failure| failure.delivery == Delivery::Unanswered);
        assert!(ended.iter().all(unanswered), "{ended:?}");
        // Those behind the first one of the pipeline go once more.
        assert!(ended.iter().all(|completion| completion.retries <= 1), "{ended:?}");
    });
    assert!(accepted.load(Ordering::SeqCst) <= 5);
}

#[test]
fn giving_up_many_sends_none_of_those_that_wait() {
    const COUNT: usize = 5_000;
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    let (port, _) = serve(move |_, mut stream| {
        let counter = Arc::clone(&counter);
        std::thread::spawn(move || {
            let mut octets = vec![0; 65_536];
            while let Ok(read @ 1..) = stream.read(&mut octets) {
                counter.fetch_add(octets[..read].windows(5).filter(|octets| octets == b"POST ").count(), Ordering::SeqCst);
            }
        });
    });
    runtime().block_on(async {
        let mut pool = Pool::new(per_origin(6), ConnOptions::default(), port).await;
        pool.submit(&vec![Request::post("/", b"x".to_vec()); COUNT], 0).await;
        while heard.load(Ordering::SeqCst) < 6 {
            pool.wait(10).await;
        }
        let tokens: Vec<u64> = (0..COUNT as u64).chain([COUNT as u64 + 1]).collect();
        let cancelled = pool.poll.cancel_all(&mut pool.client, &tokens).await.expect("alive");
        assert_eq!(cancelled as usize, COUNT);
        let ended = pool.ends(COUNT).await;
        assert!(ended.iter().all(|completion| completion.outcome.is_err()));
        pool.wait(50).await;
    });
    assert_eq!(heard.load(Ordering::SeqCst), 6);
}

#[test]
fn giving_up_one_after_the_other_sends_none_of_those_that_wait_either() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    let (port, _) = serve(move |_, mut stream| {
        let counter = Arc::clone(&counter);
        std::thread::spawn(move || {
            while target(&mut stream).is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    runtime().block_on(async {
        let mut pool = Pool::new(per_origin(1), ConnOptions::default(), port).await;
        pool.submit(&vec![Request::post("/", Vec::new()); 50], 0).await;
        while heard.load(Ordering::SeqCst) < 1 {
            pool.wait(10).await;
        }
        for token in 0..50 {
            pool.poll.cancel(&mut pool.client, token).await.expect("under way");
        }
        pool.ends(50).await;
        pool.wait(50).await;
    });
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

#[test]
fn a_request_behind_the_end_of_a_streamed_response_has_the_connection_of_that() {
    let (port, accepted) = threads(|stream| {
        while let Some(target) = target(stream) {
            answer(stream, &target);
        }
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
        for token in 0..4 {
            let exchange = pool.poll.submit(&mut pool.client, &pool.origin, Request::get("/"), token).await.expect("accepted");
            loop {
                match exchange.read(&mut pool.client, 100).await {
                    Ok(Chunk::End(_)) => break,
                    Ok(Chunk::Data(_)) => {}
                    Ok(Chunk::WouldBlock) => pool.wait(5).await,
                    Err(CallError::Http(failure)) => panic!("{failure:?}"),
                    Err(CallError::Host(error)) => panic!("{error}"),
                }
            }
        }
    });
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_wait_reports_only_what_is_wanted() {
    let (port, _) = threads(|stream| {
        while let Some(target) = target(stream) {
            answer(stream, &target);
        }
    });
    runtime().block_on(async {
        let mut pool = Pool::new(PollOptions::default(), ConnOptions::default(), port).await;
        let exchange = pool.poll.submit(&mut pool.client, &pool.origin, Request::get("/"), 1).await.expect("accepted");
        exchange.want(&mut pool.client, Readiness::FAILED).await.expect("alive");
        pool.wait(100).await;
        let events = pool.poll.wait(&mut pool.client, Some(Duration::from_millis(50)), 64).await.expect("alive");
        assert!(events.is_empty(), "{events:?}");
        exchange.want(&mut pool.client, Readiness::HEAD | Readiness::READABLE).await.expect("alive");
        let events = pool.poll.wait(&mut pool.client, Some(PATIENCE), 64).await.expect("alive");
        assert_eq!(events.len(), 1, "{events:?}");
    });
}

#[test]
fn a_response_that_was_left_unread_is_reported_when_it_is_wanted_although_its_connection_has_gone() {
    let (port, _) = threads(|stream| {
        if let Some(target) = target(stream) {
            answer(stream, &target);
        }
    });
    runtime().block_on(async {
        let options = PollOptions::default().limit(Limit::LogEntries, 1000);
        let mut pool = Pool::new(options, ConnOptions::default(), port).await;
        let requests = [Request::get("/a"), Request::get("/b")];
        let answers = pool.poll.submit_all(&mut pool.client, &pool.origin, &requests, 7).await.expect("alive");
        let exchanges: Vec<_> = answers.into_iter().map(|answer| answer.expect("accepted")).collect();
        for exchange in &exchanges {
            exchange.want(&mut pool.client, Readiness::FAILED).await.expect("alive");
        }
        let mut ids = Vec::new();
        for exchange in &exchanges {
            let id = loop {
                let info = exchange.info(&mut pool.client).await.expect("alive");
                match info.connection {
                    Some(connection) if connection.state == ConnState::Closed => {
                        assert_eq!((info.turn, connection.responses), (None, 1));
                        break connection.id;
                    }
                    _ => pool.wait(5).await,
                }
            };
            ids.push(id);
        }
        assert!(ids == [1, 2] || ids == [2, 1], "{ids:?}");
        // They are forgotten by now, and have left their log.
        let events = pool.poll.wait(&mut pool.client, Some(Duration::from_millis(20)), 64).await.expect("alive");
        assert!(events.is_empty(), "{events:?}");
        let log = pool.poll.take_log(&mut pool.client, 1000).await.expect("alive");
        for (id, token) in ids.into_iter().zip(7..) {
            let of_it: Vec<_> = log.iter().filter(|entry| entry.connection == id).collect();
            assert!(of_it.iter().any(|entry| entry.token == Some(token)), "{of_it:?}");
            assert!(matches!(of_it.last().expect("entries").what, LogEvent::Closed(_)), "{of_it:?}");
        }
        for (exchange, token) in exchanges.iter().zip(7..) {
            exchange.want(&mut pool.client, Readiness::all()).await.expect("alive");
            let events = pool.poll.wait(&mut pool.client, Some(PATIENCE), 64).await.expect("alive");
            assert!(matches!(events.as_slice(), [Event::Exchange(event)] if event.token == token), "{events:?}");
            exchange.collect(&mut pool.client, 100).await.expect("whole");
        }
    });
}

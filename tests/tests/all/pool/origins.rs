//! Origins of a pool, what it learns of them, and what it reports of their connections, through the component.

use sandpiper_host::Limit;
use sandpiper_host::types::{CloseReason, ConnEvent, ConnOptions, ConnState, Delivery, Error, Event, Persistence, PollOptions};
use sandpiper_host::{CallError, Client, ClientConn, Endpoint, Poll, Request};
use sandpiper_tests::peer::loopback::{PATIENCE, answer, endpoint, serve, target};
use sandpiper_tests::scenario::sandboxed::{runtime, sandbox};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

async fn connect(client: &mut Client, port: u16) -> ClientConn {
    let options = ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() };
    client.connect(endpoint(port), options).await.expect("a connection")
}

#[test]
fn the_connection_after_a_broken_pipeline_begins_with_one_request() {
    let (port, _) = serve(|number, mut stream| {
        let first = target(&mut stream).expect("a request");
        if number == 1 {
            assert!(target(&mut stream).is_some(), "both are on the wire");
            return;
        }
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
        let alone = stream.peek(&mut [0]).is_err();
        stream.set_read_timeout(None).expect("a socket");
        answer(&mut stream, &format!("{first} alone: {alone}"));
        while let Some(next) = target(&mut stream) {
            answer(&mut stream, &next);
        }
    });
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let conn = connect(&mut client, port).await;
        for sent in conn.send_all(&mut client, &[Request::get("/1"), Request::get("/2")], 1).await.expect("alive") {
            match sent.expect("accepted").collect(&mut client, 100).await {
                Err(CallError::Http(failure)) => assert_eq!(failure.delivery, Delivery::Unanswered),
                other => panic!("{other:?}"),
            }
        }
        let conn = connect(&mut client, port).await;
        let sent = conn.send_all(&mut client, &[Request::get("/3"), Request::get("/4")], 3).await.expect("alive");
        let mut contents = Vec::new();
        for exchange in sent {
            let response = exchange.expect("accepted").collect(&mut client, 100).await.expect("a response");
            contents.push(String::from_utf8_lossy(&response.content).into_owned());
        }
        assert_eq!(contents, ["/3 alone: true", "/4"]);
    });
}

/// How a request ends in a pool that may send it again so often: its content or its delivery, and how often it was sent again.
async fn pooled(retries_max: u32, request: Request, port: u16) -> (String, u32) {
    let mut client = sandbox().instantiate().await.expect("an instance");
    let options = PollOptions::default().limit(Limit::Retries, retries_max.into());
    let poll: Poll = client.poll(options).await.expect("a poll");
    let origin = client.origin(endpoint(port), None).await.expect("an origin");
    poll.fetch_all(&mut client, &origin, &[request], 7, 1 << 20).await.expect("alive");
    loop {
        poll.wait(&mut client, Some(PATIENCE), 16).await.expect("alive");
        if let Some(completion) = poll.take_completions(&mut client, 16).await.expect("alive").pop() {
            assert_eq!(completion.token, 7);
            let outcome = match completion.outcome {
                Ok(response) => String::from_utf8_lossy(&response.content).into_owned(),
                Err(failure) => failure.delivery.name().to_owned(),
            };
            return (outcome, completion.retries);
        }
    }
}

#[test]
fn a_pool_repeats_only_what_may_be_repeated_and_only_when_it_is_told_to() {
    // Reads one request on its first connection and closes it; answers on later ones.
    let drops_the_first = || {
        serve(|number, mut stream| {
            while let (Some(target), true) = (target(&mut stream), number > 1) {
                answer(&mut stream, &target);
            }
        })
    };
    runtime().block_on(async {
        let (port, accepted) = drops_the_first();
        assert_eq!(pooled(0, Request::get("/a"), port).await, ("unanswered".to_owned(), 0));
        assert_eq!(accepted.load(Ordering::SeqCst), 1);
        let (port, accepted) = drops_the_first();
        assert_eq!(pooled(1, Request::get("/a"), port).await, ("/a".to_owned(), 1));
        assert_eq!(accepted.load(Ordering::SeqCst), 2);
        let (port, accepted) = drops_the_first();
        assert_eq!(pooled(3, Request::new("POST", "/a"), port).await, ("unanswered".to_owned(), 0));
        assert_eq!(accepted.load(Ordering::SeqCst), 1);
        // What was streamed is gone: nobody could write it again.
        let (port, accepted) = drops_the_first();
        assert_eq!(pooled(1, Request::new("PUT", "/a").with_content_length(3), port).await, ("unanswered".to_owned(), 0));
        assert_eq!(accepted.load(Ordering::SeqCst), 1);
        let (port, accepted) = serve(|_, mut stream| drop(target(&mut stream)));
        assert_eq!(pooled(2, Request::get("/a"), port).await, ("unanswered".to_owned(), 2));
        assert_eq!(accepted.load(Ordering::SeqCst), 3);
    });
}

/// The next event of the inserted connection.
async fn next_change(client: &mut Client, poll: &Poll) -> ConnEvent {
    loop {
        let events = poll.wait(client, Some(PATIENCE), 1).await.expect("alive");
        assert!(!events.is_empty(), "nothing happens");
        if let Some(Event::Conn(change)) = events.into_iter().next() {
            return change;
        }
    }
}

#[test]
fn changes_of_a_connection_are_reported_and_its_closing_before_its_end() {
    let (goes_on, wait) = mpsc::channel::<()>();
    let (port, _) = serve(move |_, mut stream| {
        target(&mut stream).expect("a request");
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nh").expect("written");
        wait.recv().expect("the test goes on");
        write!(stream, "i").expect("written");
    });
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let poll = client.poll(None).await.expect("a poll");
        let conn = client.connect(endpoint(port), None).await.expect("a connection");
        poll.insert(&mut client, &conn, 9).await.expect("inserted");
        let change = next_change(&mut client, &poll).await;
        assert_eq!((change.token, change.state, change.length), (9, ConnState::Open, 0));
        let exchange = conn.send(&mut client, Request::get("/"), 1).await.expect("accepted");
        let mut change = next_change(&mut client, &poll).await;
        while change.state == ConnState::Open {
            assert_eq!(change.length, 1);
            change = next_change(&mut client, &poll).await;
        }
        assert_eq!((change.state, change.length), (ConnState::Closing, 1));
        assert!(matches!(change.closed_by, Some(Error::Closed(CloseReason::PeerOption))), "{change:?}");
        assert_eq!(exchange.head(&mut client).await.expect("goes on").expect("a head").status, 200);
        goes_on.send(()).expect("the server goes on");
        let change = next_change(&mut client, &poll).await;
        assert_eq!((change.state, change.length), (ConnState::Closed, 0));
        assert_eq!(exchange.collect(&mut client, 10).await.expect("a response").content, b"hi");
    });
}

/// Answers everything with its target, except `/silence`.
fn echo() -> (u16, Arc<AtomicUsize>) {
    serve(|_, mut stream| {
        std::thread::spawn(move || {
            while let Some(target) = target(&mut stream) {
                if target != "/silence" {
                    answer(&mut stream, &target);
                }
            }
        });
    })
}

/// Sends a request by the pool, and takes its response.
async fn fetch(client: &mut Client, poll: &Poll, endpoint: &Endpoint) {
    let origin = client.origin(endpoint, None).await.expect("an origin");
    let exchange = poll.submit(client, &origin, Request::get("/"), 1).await.expect("accepted");
    assert_eq!(exchange.collect(client, 10).await.expect("a response").content, b"/");
    // The pool tidies up when it waits.
    poll.wait(client, Some(Duration::ZERO), 16).await.expect("alive");
}

#[test]
fn origins_of_different_endpoints_share_no_connection_and_equal_ones_do() {
    let (port, accepted) = echo();
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let poll = client.poll(None).await.expect("a poll");
        let (one, other) = (endpoint(port), Endpoint { host: "other.test".to_owned(), ..endpoint(port) });
        for (endpoint, connections) in [(&one, 1), (&one, 1), (&other, 2), (&other, 2), (&one, 2)] {
            fetch(&mut client, &poll, endpoint).await;
            assert_eq!(accepted.load(Ordering::SeqCst), connections);
        }
    });
}

#[test]
fn after_a_change_of_the_network_the_pool_connects_anew() {
    let (port, accepted) = echo();
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let poll = client.poll(None).await.expect("a poll");
        fetch(&mut client, &poll, &endpoint(port)).await;
        poll.network_changed(&mut client).await.expect("alive");
        assert_eq!(client.sockets_open(), 0, "the idle one is closed");
        fetch(&mut client, &poll, &endpoint(port)).await;
        assert_eq!(accepted.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_pool_holds_no_more_connections_than_it_may() {
    let (port, accepted) = echo();
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let (one, other) = (endpoint(port), Endpoint { host: "other.test".to_owned(), ..endpoint(port) });

        let none_idle = PollOptions::default().limit(Limit::IdleConnections, 0);
        let poll = client.poll(none_idle).await.expect("a poll");
        for connections in 1..=2 {
            fetch(&mut client, &poll, &one).await;
            assert_eq!((accepted.load(Ordering::SeqCst), client.sockets_open()), (connections, 0));
        }

        let one_in_all = PollOptions::default().limit(Limit::Connections, 1);
        let poll = client.poll(one_in_all).await.expect("a poll");
        for endpoint in [&one, &other] {
            fetch(&mut client, &poll, endpoint).await;
            assert_eq!(client.sockets_open(), 1, "the idle one makes room");
        }
        let origin = client.origin(&other, None).await.expect("an origin");
        let waiting = poll.submit(&mut client, &origin, Request::get("/silence"), 2).await.expect("accepted");
        let origin = client.origin(&one, None).await.expect("an origin");
        let next = poll.submit(&mut client, &origin, Request::get("/"), 3).await.expect("accepted");
        let counts = poll.info(&mut client).await.expect("alive").counts;
        assert_eq!((counts.connections, counts.queued, client.sockets_open()), (1, 1, 1), "it waits for room");
        waiting.cancel(&mut client).await.expect("alive");
        next.collect(&mut client, 100).await.expect("a response, once the other has gone");
        assert_eq!(client.sockets_open(), 1);
    });
}

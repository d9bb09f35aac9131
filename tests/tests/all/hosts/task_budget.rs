//! Hosts that answer so many questions in a row and no more, as tokio has a task do: until they have turned to others, they say of everything
//! that it is not ready.

use super::thousands::pool;
use sandpiper_host::faults::{Fault, Import};
use sandpiper_host::{Client, Poll, Request, Sandbox};
use sandpiper_tests::peer::loopback::{PATIENCE, endpoint};
use sandpiper_tests::scenario::sandboxed::runtime;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a host answers before it turns to others.
const ANSWERS_MAX: usize = 128;
const CONNECTIONS: usize = 150;

/// A host that turns to others when a wait finds that it has to.
fn tired() -> impl Fn(Import, &[u8]) -> Option<Fault> + Send + Sync {
    let answered = AtomicUsize::new(0);
    move |import, _| {
        let spent = answered.load(Ordering::Relaxed) >= ANSWERS_MAX;
        match import {
            Import::Poll if spent => answered.store(0, Ordering::Relaxed),
            Import::Read | Import::CheckWrite if spent => return Some(Fault::Nothing),
            Import::Read | Import::CheckWrite => drop(answered.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        None
    }
}

fn sandbox(faults: impl Fn(Import, &[u8]) -> Option<Fault> + Send + Sync + 'static) -> Sandbox {
    let builder = Sandbox::builder().allow("127.0.0.1").expect("a rule");
    builder.faults(faults).build().expect("a component that runs")
}

type Streams = Arc<Mutex<Vec<TcpStream>>>;

/// A server that answers everything, and the streams of its connections.
fn server() -> (u16, Streams) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let streams = Streams::default();
    let accepted = Arc::clone(&streams);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            accepted.lock().expect("whole").push(stream.try_clone().expect("a stream"));
            thread::spawn(move || answer(stream));
        }
    });
    (port, streams)
}

fn answer(mut stream: TcpStream) {
    let mut octets = [0; 4_096];
    while let Ok(read @ 1..) = stream.read(&mut octets) {
        // Pipelined requests come together.
        let requests = octets[..read].windows(4).filter(|end| end == b"\r\n\r\n").count();
        let answers = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes".repeat(requests);
        if stream.write_all(&answers).is_err() {
            return;
        }
    }
}

/// Requests on so many connections at once; all are answered, and truly.
async fn answered(client: &mut Client, poll: &Poll, mut left: usize) {
    let began = Instant::now();
    while left > 0 {
        assert!(began.elapsed() < PATIENCE, "{left} have not ended");
        poll.wait(client, Some(Duration::from_secs(1)), 64).await.expect("alive");
        for completion in poll.take_completions(client, u32::MAX).await.expect("alive") {
            let response = completion.outcome.expect("an answer");
            assert_eq!(String::from_utf8_lossy(&response.content), "yes");
            left -= 1;
        }
    }
}

#[test]
fn what_nobody_asked_for_is_found_on_many_idle_connections_by_a_host_that_gets_tired() {
    let (port, streams) = server();
    runtime().block_on(async {
        let mut client = sandbox(tired()).instantiate().await.expect("an instance");
        let (poll, origin) = pool(&mut client, CONNECTIONS, port).await;
        let requests = vec![Request::get("/"); CONNECTIONS];
        poll.fetch_all(&mut client, &origin, &requests, 0, 1 << 20).await.expect("alive");
        answered(&mut client, &poll, CONNECTIONS).await;
        for stream in streams.lock().expect("whole").iter_mut() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").expect("open");
        }
        // Until the kernel has delivered it.
        thread::sleep(Duration::from_millis(300));
        poll.fetch_all(&mut client, &origin, &requests, 0, 1 << 20).await.expect("alive");
        answered(&mut client, &poll, CONNECTIONS).await;
    });
}

#[test]
fn a_host_that_says_once_that_all_is_ready_stops_no_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    runtime().block_on(async {
        let lies = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&lies);
        let lie = move |import, _: &[u8]| {
            let due = import == Import::Poll
                && told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            due.then_some(Fault::Nothing)
        };
        let mut client = sandbox(lie).instantiate().await.expect("an instance");
        let poll = client.poll(None).await.expect("a poll");
        let mut conns = Vec::new();
        for token in 0..40 {
            let conn = client.connect(endpoint(port), None).await.expect("a connection");
            conn.wait_connected(&mut client).await.expect("accepted");
            poll.insert(&mut client, &conn, token).await.expect("not inserted");
            conns.push((conn, listener.accept().expect("a connection")));
        }
        while !poll.wait(&mut client, Some(Duration::ZERO), 64).await.expect("alive").is_empty() {}
        lies.store(1, Ordering::Relaxed);
        let wait = poll.wait(&mut client, Some(Duration::from_millis(50)), 64);
        let events = tokio::time::timeout(PATIENCE, wait).await.expect("it ends").expect("alive");
        assert!(events.is_empty(), "{events:?}");
        assert_eq!(lies.load(Ordering::Relaxed), 0, "it was not told");
    });
}

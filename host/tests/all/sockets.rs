//! Sockets of the host's own: many connections in one wait, none of which may be forgotten, and what becomes of what was written.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use sandpiper_host::{Client, ClientConn, ConnOptions, Limit, PollOptions, Request, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::server::PATIENCE;

const CONNECTIONS: u32 = 200;
const REQUESTS: u32 = 6_000;

/// Answers each request after a while of its own: at once, or some milliseconds later, in one piece or two.
async fn answer_at_random(mut stream: TcpStream, mut seed: u64) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.is_ok_and(|octets| octets > 0) {
        while let Some(end) = request.windows(4).position(|octets| octets == b"\r\n\r\n") {
            request.drain(..end + 4);
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chance = seed >> 33;
            if !chance.is_multiple_of(4) {
                tokio::time::sleep(Duration::from_micros(chance % 5_000)).await;
            }
            let (head, content) = ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello");
            if chance.is_multiple_of(3) {
                stream.write_all(head.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
                stream.write_all(content.as_bytes()).await.unwrap();
            } else {
                stream.write_all(format!("{head}{content}").as_bytes()).await.unwrap();
            }
        }
    }
}

async fn start_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for seed in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer_at_random(stream, seed));
        }
    });
    address
}

async fn every_answer_is_noticed() {
    let address = start_server().await;
    let sandbox = Sandbox::builder().allow(&address.to_string()).unwrap().build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let options = PollOptions::default()
        .limit(Limit::Connections, CONNECTIONS.into())
        .limit(Limit::ConnectionsPerOrigin, CONNECTIONS.into());
    let poll = client.poll(options).await.unwrap();
    let options = ConnOptions::default().limit(Limit::Outstanding, 1);
    let origin = client.origin(&*format!("http://{address}"), options).await.unwrap();
    let (mut submitted, mut completed) = (0, 0);
    while completed < REQUESTS {
        // Rarely all of them at once: most of what is waited for has nothing to say.
        let window = if submitted % 7 == 0 { CONNECTIONS } else { 20 };
        let next = window.saturating_sub(submitted - completed).min(REQUESTS - submitted);
        poll.fetch_all(&mut client, &origin, &vec![Request::get("/"); next as usize], submitted.into(), 1 << 20).await.unwrap();
        submitted += next;
        let waited = tokio::time::timeout(PATIENCE, poll.wait(&mut client, None, 64)).await;
        waited.expect("an answer that came was not noticed").unwrap();
        for completion in poll.take_completions(&mut client, u32::MAX).await.unwrap() {
            assert_eq!(completion.outcome.unwrap().content, b"hello");
            completed += 1;
        }
    }
    assert_eq!((submitted, completed), (REQUESTS, REQUESTS));
}

#[tokio::test]
async fn every_answer_is_noticed_on_one_thread() {
    every_answer_is_noticed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_answer_is_noticed_on_many_threads() {
    every_answer_is_noticed().await;
}

/// What listens, and takes little that is not read.
fn narrow_listener() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Sends more than the peer's system takes; gives the peer, the connection, and what the component was told has left.
async fn send_much(client: &mut Client, listener: &TcpListener) -> (TcpStream, ClientConn, u64) {
    const CONTENT_OCTETS: usize = 16 << 20;
    let conn = client.connect(&*format!("http://{}", listener.local_addr().unwrap()), None).await.unwrap();
    conn.wait_connected(client).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    let exchange = conn.send(client, Request::put("/", vec![b'x'; CONTENT_OCTETS]), 0).await.unwrap();
    let sent = conn.info(client).await.unwrap().octets_sent;
    assert!(sent > 0 && sent < CONTENT_OCTETS as u64, "{sent}");
    drop(exchange);
    (peer, conn, sent)
}

/// Neither is the instance held up by a peer that does not read, nor is anything lost that the component was told has left.
#[tokio::test]
async fn what_was_written_still_leaves_when_the_connection_is_dropped() {
    let (listener, address) = narrow_listener();
    let sandbox = Sandbox::builder().allow(&address.to_string()).unwrap().build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let (mut peer, conn, sent) = send_much(&mut client, &listener).await;
    tokio::time::timeout(PATIENCE, conn.release(&mut client)).await.expect("it waits for the peer").unwrap();
    assert_eq!(client.sockets_open(), 0);
    let mut arrived = Vec::new();
    tokio::time::timeout(PATIENCE, peer.read_to_end(&mut arrived)).await.unwrap().unwrap();
    assert_eq!(arrived.len() as u64, sent);
}

/// A component cannot have more descriptors than it may by dropping those that still send.
#[tokio::test]
async fn a_connection_that_still_sends_counts_until_it_is_closed() {
    let (listener, address) = narrow_listener();
    let sandbox = Sandbox::builder().allow(&address.to_string()).unwrap().sockets_max(1).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let (mut peer, conn, _) = send_much(&mut client, &listener).await;
    conn.release(&mut client).await.unwrap();
    let url = format!("http://{address}");
    let refused = client.connect(&*url, None).await.unwrap();
    let error = refused.wait_connected(&mut client).await.unwrap_err();
    assert!(error.to_string().contains("there is no socket"), "{error}");
    refused.release(&mut client).await.unwrap();
    tokio::time::timeout(PATIENCE, peer.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    let conn = client.connect(&*url, None).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
}

/// A peer cannot take for whole what was cut short.
#[tokio::test]
async fn what_has_not_left_when_the_client_is_dropped_ends_in_a_reset() {
    let (listener, address) = narrow_listener();
    let sandbox = Sandbox::builder().allow(&address.to_string()).unwrap().build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let (mut peer, _conn, sent) = send_much(&mut client, &listener).await;
    drop(client);
    let mut arrived = Vec::new();
    let end = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut arrived)).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!((arrived.len() as u64) < sent);
}

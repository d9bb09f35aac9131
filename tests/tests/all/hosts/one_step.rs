//! A call that does not wait does a bounded amount of work, whatever the peer sends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use sandpiper_host::{Chunk, ConnOptions, Limit, Request, Sandbox};

const OCTETS: usize = 8 << 20;
/// `poll.wait` and `send.read` move at most so many octets of one connection: 16 reads of 64 KiB.
const OCTETS_PER_CALL_MAX: u64 = 16 * 65_536;

/// A server that answers one request as fast as it can.
fn flood() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback interface");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 1_024];
        assert!(stream.read(&mut request).expect("a request") > 0);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {OCTETS}\r\n\r\n");
        // The test has seen enough when it stops reading.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; OCTETS]));
    });
    url
}

#[tokio::test(flavor = "current_thread")]
async fn a_step_moves_a_bounded_number_of_octets_however_fast_the_peer_is() {
    let url = flood();
    let sandbox =
        Sandbox::builder().allow(url.trim_start_matches("http://")).and_then(|builder| builder.build()).expect("a sandbox");
    let mut client = sandbox.instantiate().await.expect("an instance");
    // More than a step moves, so that no step ends because there is no room.
    let options = ConnOptions::default().limit(Limit::ReceiveBufferOctets, 4 << 20);
    let conn = client.connect(&url, options).await.expect("a connection");
    let poll = client.poll(None).await.expect("a poll");
    poll.insert(&mut client, &conn, 1).await.expect("a connection that is in no poll");
    let exchange = conn.send(&mut client, Request::get("/"), 2).await.expect("a good request");
    let (mut received, mut largest, mut content) = (0, 0, 0);
    for turn in 0.. {
        // A read moves octets of the connection as a wait does.
        let chunk = match turn % 2 {
            0 => poll.wait(&mut client, Some(Duration::ZERO), 8).await.map(|_| None).expect("an instance that lives"),
            _ => exchange.read(&mut client, u64::MAX).await.map(Some).expect("a response"),
        };
        tokio::task::yield_now().await;
        let now = conn.info(&mut client).await.expect("an instance that lives").octets_received;
        largest = largest.max(now - received);
        received = now;
        match chunk {
            Some(Chunk::Data(octets)) => content += octets.len(),
            Some(Chunk::End(_)) => break,
            Some(Chunk::WouldBlock) | None => {}
        }
    }
    assert_eq!(content, OCTETS);
    assert!(largest <= OCTETS_PER_CALL_MAX, "{largest} octets in one call");
}

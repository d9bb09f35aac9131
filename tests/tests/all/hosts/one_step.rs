//! A call that does not wait does a bounded amount of work, whatever the peer sends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use sandpiper_host::{ConnOptions, Request, RequestOptions, Sandbox};

const OCTETS: usize = 8 << 20;
/// What `poll.wait` reads at most for one connection: 16 reads of 64 KiB.
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
    let conn = client.connect(&url, ConnOptions::default()).await.expect("a connection");
    let poll = client.poll(None).await.expect("a poll");
    poll.insert(&mut client, &conn, 1).await.expect("a connection that is in no poll");
    let options = RequestOptions { collect_octets_max: Some(OCTETS as u64), ..RequestOptions::default() };
    let _exchange = conn.send(&mut client, Request::get("/").with_options(options), 2).await.expect("a good request");
    let mut received = 0;
    let mut largest = 0;
    let completion = loop {
        poll.wait(&mut client, Some(Duration::ZERO), 8).await.expect("an instance that lives");
        tokio::task::yield_now().await;
        let now = conn.info(&mut client).await.expect("an instance that lives").octets_received;
        largest = largest.max(now - received);
        received = now;
        if let Some(completion) = poll.completions(&mut client, 1).await.expect("an instance that lives").pop() {
            break completion;
        }
    };
    assert_eq!(completion.outcome.expect("a response").content.len(), OCTETS);
    assert!(largest <= OCTETS_PER_CALL_MAX, "{largest} octets in one call");
}

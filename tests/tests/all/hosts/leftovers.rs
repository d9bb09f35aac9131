//! Many connections, one after the other and side by side, and the end of an instance that has some.

use sandpiper_host::{CallError, Client, Endpoint, Request};
use sandpiper_tests::peer::loopback::PATIENCE;
use sandpiper_tests::peer::server::Server;
use sandpiper_tests::scenario::sandboxed::{runtime, sandbox};
use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

const CONNECTIONS: usize = 1_000;
/// After so many, memory has what it needs.
const WARM: usize = 100;

fn endpoint(port: u16) -> Endpoint {
    let addresses = vec!["127.0.0.1".to_owned()];
    Endpoint { host: "server.test".to_owned(), port, addresses, tls: None }
}

/// Does something that begins and ends a connection, over and over: the memory of the instance stays what it was, and no socket stays open.
async fn leaves_nothing(client: &mut Client, mut each: impl AsyncFnMut(&mut Client)) {
    let mut octets = 0;
    for number in 0..CONNECTIONS {
        each(client).await;
        client.release_dropped().await.expect("alive");
        assert_eq!(client.sockets_open(), 0);
        match number {
            0..WARM => octets = client.memory_octets(),
            _ => assert_eq!(client.memory_octets(), octets, "after {number}"),
        }
    }
}

#[test]
fn a_thousand_connections_one_after_the_other_leave_nothing_behind() {
    runtime().block_on(async {
        let server = Server::start().await;
        let mut client = sandbox().instantiate().await.expect("an instance");
        let port = server.address.port();
        leaves_nothing(&mut client, async |client| {
            let conn = client.connect(endpoint(port), None).await.expect("a connection");
            // The server closes first, so that this machine does not run out of ports.
            let exchange = conn.send(client, Request::get("/last"), 1).await.expect("sent");
            assert_eq!(exchange.collect(client, 100).await.expect("answered").content, b"/last");
        })
        .await;
    });
}

#[test]
fn a_thousand_connects_that_fail_leave_nothing_behind() {
    runtime().block_on(async {
        let free = TcpListener::bind("127.0.0.1:0").expect("a loopback network").local_addr().expect("an address").port();
        let mut client = sandbox().instantiate().await.expect("an instance");
        leaves_nothing(&mut client, async |client| {
            let conn = client.connect(endpoint(free), None).await.expect("a connection");
            assert!(matches!(conn.wait_connected(client).await, Err(CallError::Http(_))));
        })
        .await;
    });
}

#[test]
fn five_hundred_idle_connections_take_a_bounded_amount_of_memory_each() {
    const IDLE: usize = 500;
    /// What an idle connection takes, at most.
    const OCTETS_EACH_MAX: usize = 8 << 10;
    runtime().block_on(async {
        let server = Server::start().await;
        let mut client = sandbox().instantiate().await.expect("an instance");
        let before = client.memory_octets();
        let mut conns = Vec::new();
        for _ in 0..IDLE {
            let conn = client.connect(endpoint(server.address.port()), None).await.expect("a connection");
            let exchange = conn.send(&mut client, Request::get("/1"), 1).await.expect("sent");
            assert_eq!(exchange.collect(&mut client, 100).await.expect("answered").content, b"/1");
            conns.push(conn);
        }
        assert_eq!(client.sockets_open(), IDLE);
        let each = (client.memory_octets() - before) / IDLE;
        assert!(each <= OCTETS_EACH_MAX, "{each} octets each");
        println!("{each} octets each");
        drop(conns);
        client.release_dropped().await.expect("alive");
        assert_eq!(client.sockets_open(), 0);
    });
}

#[test]
fn a_client_that_is_dropped_closes_its_connections_and_sends_nothing_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
    let port = listener.local_addr().expect("an address").port();
    let runtime = runtime();
    let (mut idle, mut uploading) = runtime.block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let conns = [client.connect(endpoint(port), None).await, client.connect(endpoint(port), None).await];
        let [idle, uploading] = conns.map(|conn| conn.expect("a connection"));
        idle.wait_connected(&mut client).await.expect("connected");
        uploading.wait_connected(&mut client).await.expect("connected");
        let request = Request::put("/1", Vec::new()).with_content_length(1 << 20);
        let exchange = uploading.send(&mut client, request, 1).await.expect("sent");
        assert!(exchange.write(&mut client, b"part").await.expect("written") > 0);
        let accepted = [listener.accept(), listener.accept()].map(|stream| stream.expect("a connection").0);
        drop((idle, uploading, exchange, client));
        tokio::time::sleep(Duration::from_millis(20)).await;
        <(_, _)>::from(accepted)
    });
    for stream in [&mut idle, &mut uploading] {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).expect("its end");
        assert!(octets.is_empty() || octets.ends_with(b"\r\n\r\npart"), "{}", octets.escape_ascii());
    }
}

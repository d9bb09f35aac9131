//! How a connection comes about, through the component: what only a host can show.

use sandpiper_host::types::{ConnOptions, ConnState, ConnectProblem, Delivery, Denial, DnsProblem, Error, Misuse, Phase, Timer};
use sandpiper_host::{CallError, Client, ClientConn, Endpoint, Request, Sandbox};
use sandpiper_tests::peer::loopback::PATIENCE;
use sandpiper_tests::scenario::sandboxed::{runtime, sandbox};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// An endpoint with these addresses instead of a lookup.
fn endpoint(addresses: &[&str], port: u16) -> Endpoint {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    Endpoint { host: "example.test".to_owned(), port, addresses, tls: None }
}

/// A port of this machine at which nothing listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a loopback network").local_addr().expect("an address").port()
}

/// A request on this connection fails without being sent, with this error.
async fn fails(client: &mut Client, conn: &ClientConn, expected: Error) {
    match conn.send(client, Request::post("/", "x"), 1).await {
        Ok(exchange) => match exchange.collect(client, 100).await {
            Err(CallError::Http(failure)) => {
                let seen = (failure.error, failure.delivery, failure.phase, failure.octets_sent);
                assert_eq!(format!("{seen:?}"), format!("{:?}", (expected, Delivery::NotSent, Phase::Connecting, 0)));
                let request = exchange.take_request(client).await.expect("alive").expect("the request");
                assert_eq!(request.method, "POST");
            }
            other => panic!("{other:?}"),
        },
        Err(CallError::Http(failure)) => {
            assert_eq!(format!("{:?}", (failure.error, failure.delivery)), format!("{:?}", (expected, Delivery::NotSent)));
        }
        Err(error) => panic!("{error}"),
    }
    match conn.wait_connected(client).await {
        Err(CallError::Http(error)) => assert_eq!(format!("{error:?}"), format!("{expected:?}")),
        other => panic!("{other:?}"),
    }
    assert_eq!(conn.info(client).await.expect("alive").state, ConnState::Closed);
}

#[test]
fn a_refused_connection_sends_its_requests_back_unsent() {
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let conn = client.connect(endpoint(&["127.0.0.1"], free_port()), None).await.expect("a connection");
        fails(&mut client, &conn, Error::Connect(ConnectProblem::Refused)).await;
    });
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
        let port = listener.local_addr().expect("an address").port();
        let mut client = sandbox().instantiate().await.expect("an instance");
        // Nothing listens at the first.
        let conn = client.connect(endpoint(&["127.0.0.2", "127.0.0.1"], port), None).await.expect("a connection");
        conn.wait_connected(&mut client).await.expect("connected");
        let info = conn.info(&mut client).await.expect("alive");
        assert_eq!(info.remote_address, Some(format!("127.0.0.1:{port}")));
        assert_eq!(info.state, ConnState::Open);
    });
}

#[test]
fn what_the_policy_does_not_admit_is_denied_and_never_connected_to() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
        listener.set_nonblocking(true).expect("non-blocking");
        let port = listener.local_addr().expect("an address").port();
        let closed = Sandbox::builder().build().expect("a component that runs");
        let mut client = closed.instantiate().await.expect("an instance");
        let conn = client.connect(endpoint(&["127.0.0.1"], port), None).await.expect("a connection");
        fails(&mut client, &conn, Error::Denied(Denial::Connect)).await;
        let conn = client.connect(Endpoint::plain("localhost", port), None).await.expect("a connection");
        fails(&mut client, &conn, Error::Denied(Denial::NameLookup)).await;
        assert!(listener.accept().is_err(), "somebody connected");
    });
}

#[test]
fn a_name_that_does_not_exist_sends_its_requests_back_unsent() {
    runtime().block_on(async {
        let builder = Sandbox::builder().allow("missing.test").expect("a rule");
        let sandbox = builder.resolver(|_| async { Ok(Vec::new()) }).build().expect("a component that runs");
        let mut client = sandbox.instantiate().await.expect("an instance");
        let conn = client.connect(Endpoint::plain("missing.test", 80), None).await.expect("a connection");
        fails(&mut client, &conn, Error::Dns(DnsProblem::NotFound)).await;
    });
}

#[test]
fn a_connection_that_nobody_accepts_runs_into_its_deadline() {
    runtime().block_on(async {
        // Addresses for documentation lead nowhere (RFC 5737); where there is no way at all, that is said at once.
        let sandbox = Sandbox::builder().allow("192.0.2.1").expect("a rule").build().expect("a component that runs");
        let mut client = sandbox.instantiate().await.expect("an instance");
        let options = ConnOptions::default().deadline(Timer::Connect, Duration::from_millis(200));
        let began = Instant::now();
        let conn = client.connect(endpoint(&["192.0.2.1"], 80), options).await.expect("a connection");
        match conn.wait_connected(&mut client).await {
            Err(CallError::Http(Error::TimedOut(Timer::Connect))) => assert!(began.elapsed() >= Duration::from_millis(200)),
            Err(CallError::Http(Error::Connect(_))) => {}
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() < PATIENCE);
    });
}

#[test]
fn what_is_no_endpoint_is_refused() {
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        for wrong in [endpoint(&["127.0.0.1"], 0), endpoint(&["127.0.0"], 80), Endpoint::plain("", 80)] {
            match client.connect(wrong, None).await {
                Err(CallError::Http(Error::ApiMisuse(Misuse::InvalidEndpoint))) => {}
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn many_connections_of_one_instance_live_side_by_side() {
    const CONNECTIONS: usize = 50;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| listener.accept().expect("a connection").0).collect();
        // The last one is answered first.
        for stream in streams.iter_mut().rev() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                stream.read_exact(&mut octet).expect("a request");
                head.push(octet[0]);
            }
            let target = String::from_utf8_lossy(&head).split(' ').nth(1).expect("a target").to_owned();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()).expect("written");
        }
        streams
    });
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let mut all = Vec::new();
        for number in 0..CONNECTIONS {
            let conn = client.connect(endpoint(&["127.0.0.1"], port), None).await.expect("a connection");
            conn.wait_connected(&mut client).await.expect("connected");
            let exchange = conn.send(&mut client, Request::get(format!("/{number}")), 0).await.expect("sent");
            all.push((conn, exchange));
        }
        assert_eq!(client.sockets_open(), CONNECTIONS);
        for (number, (_, exchange)) in all.iter().enumerate() {
            let response = exchange.collect(&mut client, 100).await.expect("a response");
            assert_eq!(response.content, format!("/{number}").into_bytes());
        }
        drop(all);
        client.release_dropped().await.expect("alive");
        assert_eq!(client.sockets_open(), 0);
    });
    drop(server.join());
}

//! Calls into the component, each kind of handle, and handles that are dropped or mixed up.

use std::time::Duration;

use sandpiper_host::types::{ConnState, Delivery, Error, Event, LogEvent, Misbehaviour};
use sandpiper_host::{
    CallError, Chunk, Client, ConnOptions, Endpoint, HostError, Limit, Location, PollOptions, Request, RequestOptions, Sandbox,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::Server;

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello";

async fn client_of(server: &Server) -> Client {
    sandbox_of(server).instantiate().await.unwrap()
}

fn sandbox_of(server: &Server) -> Sandbox {
    Sandbox::builder().allow(&server.rule()).unwrap().build().unwrap()
}

#[tokio::test]
async fn five_lines() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), ConnOptions::default()).await.unwrap();
    let response = conn.send(&mut client, Request::get("/"), 0).await.unwrap().collect(&mut client, 1 << 20).await.unwrap();
    assert_eq!((response.head.status, response.content.as_slice()), (200, b"hello".as_slice()));
    assert_eq!(response.field("X-A").collect::<Vec<_>>(), [b"1", b"2"]);
}

#[tokio::test]
async fn many_requests_on_one_connection() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let options = ConnOptions::default().limit(Limit::LogEntries, 64);
    let conn = client.connect(&server.url(), options).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
    assert!(conn.is_ready(&mut client).await.unwrap());
    let requests = vec![Request::get("/a"), Request::get("/b"), Request::get("/c")];
    let exchanges = conn.send_all(&mut client, &requests, 7).await.unwrap();
    assert_eq!(conn.length(&mut client).await.unwrap(), 3);
    for (exchange, token) in exchanges.into_iter().zip(7..) {
        let exchange = exchange.unwrap();
        assert_eq!(exchange.token(&mut client).await.unwrap(), token);
        assert_eq!(exchange.collect(&mut client, 10).await.unwrap().content, b"hello");
        assert!(exchange.timing(&mut client).await.unwrap().response_ended.is_some());
    }
    let info = conn.info(&mut client).await.unwrap();
    assert_eq!((info.requests, info.responses, info.state), (3, 3, ConnState::Open));
    assert_eq!(info.remote_address, Some(server.rule()));
    let log = conn.take_log(&mut client, 100).await.unwrap();
    assert!(log.iter().any(|entry| matches!(&entry.what, LogEvent::Connected(_))));
    conn.shutdown(&mut client).await.unwrap();
    assert!(conn.is_closed(&mut client).await.unwrap());
    conn.close(&mut client).await.unwrap();
    assert_eq!(conn.info(&mut client).await.unwrap().state, ConnState::Closed);
}

#[tokio::test]
async fn a_response_can_be_read_piece_by_piece() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    let poll = client.poll(None).await.unwrap();
    poll.insert(&mut client, &conn, 1).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 2).await.unwrap();
    let (mut content, mut ended) = (Vec::new(), false);
    while !ended {
        poll.wait(&mut client, Some(Duration::from_secs(10)), 16).await.unwrap();
        ended = loop {
            match exchange.read(&mut client, 2).await.unwrap() {
                Chunk::Data(octets) => {
                    assert!(octets.len() <= 2);
                    content.extend(octets);
                }
                Chunk::WouldBlock => break false,
                Chunk::End(trailers) => break trailers.is_empty(),
            }
        };
    }
    assert_eq!(content, b"hello");
    assert_eq!(exchange.head(&mut client).await.unwrap().unwrap().reason_text(), "OK");
    assert!(exchange.take_interim(&mut client).await.unwrap().is_empty());
    poll.remove(&mut client, &conn).await.unwrap();
}

#[tokio::test]
async fn content_can_be_streamed() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
    let request = Request::new("POST", "/up").with_content_length(4);
    let exchange = conn.send(&mut client, &request, 0).await.unwrap();
    assert_eq!(exchange.write(&mut client, b"1234").await.unwrap(), 4);
    exchange.finish(&mut client, &[]).await.unwrap();
    assert_eq!(exchange.collect(&mut client, 10).await.unwrap().head.status, 200);
}

#[tokio::test]
async fn a_poll_keeps_a_pool_and_completes_each_request_once() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let poll = client.poll(PollOptions::default().limit(Limit::ConnectionsPerOrigin, 2)).await.unwrap();
    let location: Location = server.url().parse().unwrap();
    let origin = client.origin(&location, None).await.unwrap();
    let requests: Vec<Request> = (0..20).map(|n| Request::get(format!("/{n}"))).collect();
    poll.fetch_all(&mut client, &origin, &requests, 100, 1 << 20).await.unwrap();
    let mut tokens = Vec::new();
    while tokens.len() < 20 {
        poll.wait(&mut client, Some(Duration::from_secs(10)), 16).await.unwrap();
        for completion in poll.take_completions(&mut client, 7).await.unwrap() {
            assert_eq!(completion.outcome.unwrap().content, b"hello");
            tokens.push(completion.token);
        }
    }
    tokens.sort_unstable();
    assert_eq!(tokens, (100..120).collect::<Vec<_>>());
    let info = poll.info(&mut client).await.unwrap();
    assert!((1..=2).contains(&info.counts.opened), "{info:?}");
    match poll.cancel(&mut client, 5).await {
        Err(CallError::Http(error)) => assert_eq!(error.case(), "api-misuse(unknown-token)"),
        other => panic!("{other:?}"),
    }
    poll.network_changed(&mut client).await.unwrap();
    let exchange = poll.submit(&mut client, &origin, location.get(), 1).await.unwrap();
    assert_eq!(exchange.collect(&mut client, 10).await.unwrap().content, b"hello");
}

#[tokio::test]
async fn a_wait_ends_at_its_timeout() {
    let server = Server::silent().await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
    let poll = client.poll(None).await.unwrap();
    poll.insert(&mut client, &conn, 1).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 2).await.unwrap();
    while !poll.wait(&mut client, Some(Duration::from_millis(1)), 16).await.unwrap().is_empty() {}
    assert!(poll.next_deadline(&mut client).await.unwrap().is_some());
    exchange.cancel(&mut client).await.unwrap();
    let events = poll.wait(&mut client, Some(Duration::ZERO), 16).await.unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::Exchange(event) if event.token == 2)), "{events:?}");
}

#[tokio::test]
async fn a_failure_says_what_happened_and_what_is_known() {
    let server = Server::answering(b"HTTP/1.1 2x0 OK\r\n\r\n").await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 0).await.unwrap();
    let error = exchange.collect(&mut client, 10).await.unwrap_err();
    let CallError::Http(failure) = &error else { panic!("{error}") };
    assert_eq!(failure.error.name(), Error::PeerMisbehaved(Misbehaviour::InvalidStatusLine).name());
    assert_eq!(failure.delivery, Delivery::ResponseStarted);
    assert!(error.to_string().contains("delivery response-started"), "{error}");
}

#[tokio::test]
async fn handles_may_be_dropped_in_any_order() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 0).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
    assert_eq!(client.sockets_open(), 1);
    drop(conn);
    assert_eq!(client.sockets_open(), 1, "before the next call");
    client.release_dropped().await.unwrap();
    assert_eq!(client.sockets_open(), 0);
    match exchange.collect(&mut client, 10).await {
        Err(CallError::Http(failure)) => assert_eq!(failure.error.case(), "closed(dropped)"),
        other => panic!("{other:?}"),
    }
    exchange.release(&mut client).await.unwrap();
    let conn = client.connect(&server.url(), None).await.unwrap();
    conn.release(&mut client).await.unwrap();
    drop(client.poll(None).await.unwrap());
}

#[tokio::test]
async fn a_connection_that_was_released_has_closed_its_socket() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = Sandbox::builder().allow(&address).unwrap().build().unwrap().instantiate().await.unwrap();
    let conn = client.connect(format!("http://{address}").as_str(), None).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.peek(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    conn.release(&mut client).await.unwrap();
    assert_eq!(server.peek(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn a_handle_of_another_client_is_refused() {
    let server = Server::answering(HELLO).await;
    let sandbox = sandbox_of(&server);
    let (mut one, mut other) = (sandbox.instantiate().await.unwrap(), sandbox.instantiate().await.unwrap());
    let conn = one.connect(&server.url(), None).await.unwrap();
    let poll = other.poll(None).await.unwrap();
    assert!(matches!(conn.length(&mut other).await, Err(HostError::WrongClient)));
    assert!(matches!(poll.insert(&mut other, &conn, 0).await, Err(CallError::Host(HostError::WrongClient))));
    assert!(matches!(conn.release(&mut other).await, Err(HostError::WrongClient)));
    assert_eq!(other.sockets_open(), 0);
}

#[tokio::test]
async fn calls_can_be_made_from_spawned_tasks() {
    let server = Server::answering(HELLO).await;
    let sandbox = sandbox_of(&server);
    let url = server.url();
    let task = |sandbox: Sandbox, url: String| async move {
        let mut client = sandbox.instantiate().await?;
        let conn = client.connect(&url, None).await?;
        let exchange = conn.send(&mut client, Request::get("/"), 0).await?;
        anyhow::Ok(exchange.collect(&mut client, 10).await?.content)
    };
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(task(sandbox.clone(), url.clone()))).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), b"hello");
    }
}

#[tokio::test]
async fn a_stream_of_the_host_carries_a_connection() {
    let mut client = Sandbox::builder().build().unwrap().instantiate().await.unwrap();
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let peer = tokio::spawn(async move {
        let mut head = vec![0; 1024];
        let octets = theirs.read(&mut head).await.unwrap();
        theirs.write_all(HELLO).await.unwrap();
        head.truncate(octets);
        String::from_utf8(head).unwrap()
    });
    let conn = client.handshake(ours, "tunnel.example", None).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/in"), 0).await.unwrap();
    assert_eq!(exchange.collect(&mut client, 10).await.unwrap().content, b"hello");
    let head = peer.await.unwrap();
    assert!(head.starts_with("GET /in HTTP/1.1\r\n") && head.contains("tunnel.example"), "{head}");
}

#[tokio::test]
async fn a_transport_can_be_taken_back() {
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst";
    let server = Server::answering(switch).await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    let request = Request::get("/").with_field("Connection", "upgrade").with_field("Upgrade", "echo");
    let exchange = conn.send(&mut client, request, 0).await.unwrap();
    let poll = client.poll(None).await.unwrap();
    poll.insert(&mut client, &conn, 0).await.unwrap();
    while exchange.head(&mut client).await.unwrap().is_none() {
        poll.wait(&mut client, Some(Duration::from_secs(10)), 16).await.unwrap();
    }
    assert_eq!(client.sockets_open(), 1);
    let mut parts = conn.into_parts(&mut client).await.unwrap();
    assert_eq!(client.sockets_open(), 0);
    let mut received = parts.unread.clone();
    while received.len() < 5 {
        parts.input.ready().await;
        received.extend(parts.input.read(16).unwrap());
    }
    assert_eq!(received, b"first");
    assert!(parts.socket.is_some());
    assert!(conn.is_closed(&mut client).await.unwrap());
}

#[tokio::test]
async fn options_reach_the_component() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let wrong = ConnOptions::default().limit(Limit::Outstanding, 0);
    match client.connect(&server.url(), wrong).await {
        Err(CallError::Http(error)) => assert_eq!(error.case(), "api-misuse(invalid-option)"),
        other => panic!("{other:?}"),
    }
    match client.connect(Endpoint::plain("a", 0), None).await {
        Err(CallError::Http(error)) => assert_eq!(error.case(), "api-misuse(invalid-endpoint)"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.connect("nonsense", None).await, Err(CallError::Host(HostError::InvalidUrl { .. }))));
    let conn = client.connect(&server.url(), None).await.unwrap();
    let short = RequestOptions { limits: vec![(Limit::ContentOctets, 4)], ..RequestOptions::default() };
    let exchange = conn.send(&mut client, Request::get("/").with_options(short), 0).await.unwrap();
    match exchange.collect(&mut client, 10).await {
        Err(CallError::Http(failure)) => assert_eq!(failure.error.case(), "limit-exceeded(content-octets)"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wait_outside_of_the_component_can_be_given_up() {
    let server = Server::silent().await;
    let mut client = client_of(&server).await;
    let conns = [client.connect(&server.url(), None).await.unwrap(), client.connect(&server.url(), None).await.unwrap()];
    for conn in &conns {
        conn.wait_connected(&mut client).await.unwrap();
        conn.send(&mut client, Request::get("/"), 0).await.unwrap().release(&mut client).await.unwrap();
    }
    let _exchange = conns[1].send(&mut client, Request::get("/"), 0).await.unwrap();
    for _ in 0..100 {
        let both = [&conns[0], &conns[1]];
        assert!(tokio::time::timeout(Duration::from_millis(1), client.ready(&both)).await.is_err());
    }
    assert!(conns[1].length(&mut client).await.unwrap() > 0);
    let [one, other] = conns;
    one.release(&mut client).await.unwrap();
    other.release(&mut client).await.unwrap();
    assert_eq!(client.sockets_open(), 0);
}

#[tokio::test]
async fn a_wait_outside_of_the_component_can_be_given_up_at_once() {
    let server = Server::silent().await;
    let mut client = client_of(&server).await;
    let conns = [client.connect(&server.url(), None).await.unwrap(), client.connect(&server.url(), None).await.unwrap()];
    for conn in &conns {
        conn.wait_connected(&mut client).await.unwrap();
    }
    let both = [&conns[0], &conns[1]];
    for _ in 0..20_000 {
        tokio::select! {
            biased;
            ready = client.ready(&both) => ready.unwrap(),
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(conns[0].length(&mut client).await.unwrap(), 0);
    assert!(client.death().is_none());
}

#[tokio::test]
async fn a_host_can_wait_by_itself() {
    let server = Server::answering(HELLO).await;
    let mut client = client_of(&server).await;
    let conn = client.connect(&server.url(), None).await.unwrap();
    let poll = client.poll(None).await.unwrap();
    poll.insert(&mut client, &conn, 0).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 0).await.unwrap();
    while exchange.head(&mut client).await.unwrap().is_none() {
        client.ready(&[&conn]).await.unwrap();
        poll.wait(&mut client, Some(Duration::ZERO), 16).await.unwrap();
    }
    assert_eq!(exchange.collect(&mut client, 10).await.unwrap().content, b"hello");
    conn.close(&mut client).await.unwrap();
    match client.ready(&[&conn]).await {
        Err(CallError::Http(error)) => assert_eq!(error.case(), "closed(local)"),
        other => panic!("{other:?}"),
    }
}

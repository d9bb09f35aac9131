//! What only nginx shows: which connection each request came on, by its log.

use sandpiper_host::types::{CloseReason, Delivery, Error};
use sandpiper_host::{CallError, Client, ClientConn, Endpoint, Exchange, Request, Response};
use sandpiper_tests::peer::loopback::PATIENCE;
use sandpiper_tests::scenario::sandboxed::{runtime, sandbox};
use sandpiper_tests::servers::content::{FILES, file, length};
use sandpiper_tests::servers::kind::KINDS;
use sandpiper_tests::servers::origin::blocks;
use sandpiper_tests::servers::running::{PROBE, Running};
use std::fs;
use std::time::{Duration, Instant};

/// Of `/files/big`: beyond every buffer.
const BIG_OCTETS: u64 = 1 << 20;

/// Starts one; `None`, and a line that says so, where there is none.
pub(crate) fn start() -> Option<Running> {
    Running::for_test(KINDS.iter().find(|kind| kind.name == "nginx").expect("nginx"), BIG_OCTETS)
}

async fn connect(port: u16, client: &mut Client) -> ClientConn {
    let endpoint = Endpoint { host: "example.test".to_owned(), port, addresses: vec!["127.0.0.1".to_owned()], tls: None };
    client.connect(endpoint, None).await.expect("a connection")
}

/// The lines of the access log: connection, number on it, method, target and status. nginx writes a line after the response has left.
fn log(nginx: &Running, lines: usize) -> Vec<Vec<String>> {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(nginx.root().join("access.log")).unwrap_or_default();
        let ours = text.lines().filter(|line| !line.contains(PROBE));
        let read: Vec<Vec<String>> = ours.map(|line| line.split(' ').map(str::to_owned).collect()).collect();
        if read.len() >= lines {
            return read;
        }
        assert!(began.elapsed() < PATIENCE, "{} lines of {lines}", read.len());
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn collected(client: &mut Client, exchange: &Exchange) -> Response {
    exchange.collect(client, 1 << 21).await.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn a_hundred_files_come_pipelined_on_one_connection_in_order() {
    let Some(nginx) = start() else { return };
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let conn = connect(nginx.plain, &mut client).await;
        let requests: Vec<Request> = (0..100).map(|number| Request::get(format!("/files/{}", number % FILES))).collect();
        let exchanges = conn.send_all(&mut client, &requests, 0).await.expect("alive");
        for (number, exchange) in exchanges.into_iter().enumerate() {
            let response = collected(&mut client, &exchange.expect("accepted")).await;
            assert_eq!((response.head.status, response.content.len()), (200, length(number % FILES)));
            assert!(response.content == file(number % FILES), "the content of {number}");
        }
        let info = conn.info(&mut client).await.expect("alive");
        assert_eq!((info.requests, info.responses, info.closed_by.is_none()), (100, 100, true));
    });
    let log = log(&nginx, 100);
    for (number, line) in log.iter().enumerate() {
        assert_eq!(line[0], log[0][0], "one connection");
        assert_eq!(
            line[1..],
            [(number + 1).to_string(), "GET".to_owned(), format!("/files/{}", number % FILES), "200".to_owned()]
        );
    }
    assert_eq!(log.len(), 100);
}

#[test]
fn a_server_that_takes_five_requests_leaves_the_rest_to_another_connection() {
    let Some(nginx) = start() else { return };
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let mut left = 12;
        let mut connections = 0;
        while left > 0 {
            connections += 1;
            let conn = connect(nginx.limited, &mut client).await;
            let requests = vec![Request::get("/files/1"); left];
            let exchanges = conn.send_all(&mut client, &requests, 0).await.expect("alive");
            let mut answered = 0;
            for exchange in exchanges {
                match exchange.expect("accepted").collect(&mut client, 100).await {
                    Ok(response) => {
                        assert_eq!((response.head.status, response.content.as_slice()), (200, &file(1)[..]));
                        answered += 1;
                    }
                    Err(CallError::Http(failure)) => {
                        assert!(matches!(failure.error, Error::Closed(CloseReason::PeerOption)), "{failure:?}");
                        assert!(matches!(failure.delivery, Delivery::Unprocessed | Delivery::NotSent), "{failure:?}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(answered, left.min(5));
            left -= answered;
        }
        assert_eq!(connections, 3);
    });
    let log = log(&nginx, 12);
    assert_eq!(log.len(), 12, "a request that was declared unprocessed was not processed");
}

#[test]
fn what_a_server_can_answer_is_answered_on_one_connection() {
    let Some(nginx) = start() else { return };
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let conn = connect(nginx.plain, &mut client).await;
        let big = blocks(BIG_OCTETS).collect::<Vec<_>>().concat();
        let requests = [
            (Request::get("/files/big"), 200, Some(big.clone())),
            (Request::head("/files/big"), 200, Some(Vec::new())),
            (Request::get("/included/page"), 200, Some([&b"before "[..], &file(3), b" behind"].concat())),
            (Request::get("/files/none"), 404, None),
            (Request::get("/gone"), 410, Some(b"gone".to_vec())),
            (Request::get("/moved"), 301, None),
            (Request::get("/files/big").with_field("Range", "bytes=10-19"), 206, Some(big[10..20].to_vec())),
            (Request::get("/files/1").with_field("If-None-Match", "*"), 304, Some(Vec::new())),
            (Request::post("/files/1", "some content"), 405, None),
            (Request::put("/files/1", vec![b'x'; 100_000]), 405, None),
            (Request::new("OPTIONS", "/files/1"), 405, None),
            (Request::get("/files/0"), 200, Some(Vec::new())),
        ];
        for (token, (request, status, content)) in (0..).zip(requests) {
            let exchange = conn.send(&mut client, &request, token).await.expect("accepted");
            let response = collected(&mut client, &exchange).await;
            assert_eq!(response.head.status, status, "{} {}", request.method, request.request_target);
            if let Some(content) = content {
                assert!(response.content == content, "{} {}", request.method, request.request_target);
            }
            if request.request_target == "/included/page" {
                assert_eq!(response.field("transfer-encoding").next(), Some(&b"chunked"[..]));
            }
        }
        assert!(conn.info(&mut client).await.expect("alive").closed_by.is_none());
    });
    let log = log(&nginx, 12);
    assert!(log.iter().all(|line| line[0] == log[0][0]), "one connection: {log:?}");
}

#[test]
fn a_request_that_the_server_cannot_take_is_answered_and_ends_the_connection() {
    let Some(nginx) = start() else { return };
    runtime().block_on(async {
        let mut client = sandbox().instantiate().await.expect("an instance");
        let conn = connect(nginx.plain, &mut client).await;
        let request = Request::get("/files/1").with_field("X", "x".repeat(20_000));
        let exchange = conn.send(&mut client, request, 0).await.expect("accepted");
        assert_eq!(collected(&mut client, &exchange).await.head.status, 400);
        assert!(conn.is_closed(&mut client).await.expect("alive"));
    });
}

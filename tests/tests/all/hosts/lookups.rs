//! Names and their addresses, through the component: lookups that fail, that never end, that give much, and that change.

use sandpiper_host::types::{ConnectProblem, Delivery, DnsProblem, Error, Timer};
use sandpiper_host::{CallError, Client, ConnOptions, Endpoint, Request, Sandbox};
use sandpiper_tests::peer::loopback::PATIENCE;
use sandpiper_tests::peer::server::Server;
use sandpiper_tests::scenario::sandboxed::runtime;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const NAME: &str = "server.test";

/// A sandbox whose n-th lookup gives this.
fn sandbox(answers: impl Fn(usize) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Sandbox {
    let asked = AtomicUsize::new(0);
    let builder = Sandbox::builder().dangerous_allow_any_address();
    let resolved = builder.resolver(move |_| std::future::ready(answers(asked.fetch_add(1, Ordering::Relaxed))));
    resolved.build().expect("a component that runs")
}

fn loopback(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// What a request to the name ends in: the content, or the error of one that was not sent.
async fn fetch(client: &mut Client, port: u16, options: Option<ConnOptions>) -> Result<Vec<u8>, Error> {
    let conn = client.connect(Endpoint::plain(NAME, port), options).await.expect("a connection");
    let sent = match conn.send(client, Request::get("/"), 1).await {
        Ok(exchange) => exchange.collect(client, 100).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(response) => Ok(response.content),
        Err(CallError::Http(failure)) => {
            assert_eq!(failure.delivery, Delivery::NotSent);
            Err(failure.error)
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_lookup_that_fails_for_now_is_told_from_one_without_an_answer() {
    runtime().block_on(async {
        let sandbox = sandbox(|number| match number {
            // It is tried three times.
            0..=2 => Err(io::Error::from(io::ErrorKind::TimedOut)),
            3 => Err(io::Error::from(io::ErrorKind::NotFound)),
            _ => Ok(Vec::new()),
        });
        let mut client = sandbox.instantiate().await.expect("an instance");
        for problem in [DnsProblem::TemporaryFailure, DnsProblem::NotFound, DnsProblem::NotFound] {
            assert_eq!(
                format!("{:?}", fetch(&mut client, 80, None).await),
                format!("{:?}", Err::<Vec<u8>, _>(Error::Dns(problem)))
            );
        }
    });
}

#[test]
fn a_lookup_that_never_ends_runs_into_the_connect_deadline() {
    runtime().block_on(async {
        let builder = Sandbox::builder().dangerous_allow_any_address();
        let sandbox = builder.resolver(|_| std::future::pending()).build().expect("a component that runs");
        let mut client = sandbox.instantiate().await.expect("an instance");
        let options = ConnOptions::default().deadline(Timer::Connect, Duration::from_millis(100));
        let began = Instant::now();
        let outcome = fetch(&mut client, 80, Some(options)).await;
        assert!(matches!(outcome, Err(Error::TimedOut(Timer::Connect))), "{outcome:?}");
        let taken = began.elapsed();
        assert!(taken >= Duration::from_millis(100) && taken < PATIENCE, "{taken:?}");
    });
}

#[test]
fn of_a_hundred_addresses_those_behind_dead_ones_are_tried_up_to_a_bound() {
    runtime().block_on(async {
        let server = Server::start().await;
        // The server is at the 32nd address, and then at the 33rd.
        let sandbox = sandbox(|number| {
            let mut addresses: Vec<IpAddr> = (2..=101).map(loopback).collect();
            addresses[31 + number] = loopback(1);
            Ok(addresses)
        });
        let mut client = sandbox.instantiate().await.expect("an instance");
        assert_eq!(fetch(&mut client, server.address.port(), None).await.expect("an answer"), b"/");
        let outcome = fetch(&mut client, server.address.port(), None).await;
        assert!(matches!(outcome, Err(Error::Connect(ConnectProblem::Refused))), "{outcome:?}");
        client.release_dropped().await.expect("alive");
        assert_eq!(client.sockets_open(), 0, "an address that was tried is let go");
    });
}

#[test]
fn each_connection_looks_its_name_up_anew() {
    runtime().block_on(async {
        let server = Server::start().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let sandbox = sandbox(move |number| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(vec![loopback(if number == 0 { 9 } else { 1 })])
        });
        let mut client = sandbox.instantiate().await.expect("an instance");
        let outcome = fetch(&mut client, server.address.port(), None).await;
        assert!(matches!(outcome, Err(Error::Connect(ConnectProblem::Refused))), "{outcome:?}");
        assert_eq!(fetch(&mut client, server.address.port(), None).await.expect("an answer"), b"/");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_name_with_an_ipv6_address_alone_is_connected_to() {
    runtime().block_on(async {
        let Ok(listener) = tokio::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            return sandpiper_tests::skipped("this machine has no IPv6 loopback interface");
        };
        let port = listener.local_addr().expect("an address").port();
        let sandbox = sandbox(|_| Ok(vec![IpAddr::V6(Ipv6Addr::LOCALHOST)]));
        let mut client = sandbox.instantiate().await.expect("an instance");
        let conn = client.connect(Endpoint::plain(NAME, port), None).await.expect("a connection");
        conn.wait_connected(&mut client).await.expect("connected");
        let info = conn.info(&mut client).await.expect("alive");
        assert_eq!(info.remote_address, Some(format!("[::1]:{port}")));
    });
}

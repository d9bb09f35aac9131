//! The policy, seen from inside: what the component is refused, it reports as such.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sandpiper_host::{CallError, Client, Denied, Endpoint, Policy, Request, Sandbox};

use crate::server::Server;

const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The case of the error that connecting to this endpoint ends with, or `connected`.
async fn outcome(client: &mut Client, endpoint: &Endpoint) -> String {
    let conn = client.connect(endpoint, None).await.unwrap();
    match conn.wait_connected(client).await {
        Ok(()) => "connected".to_owned(),
        Err(CallError::Http(error)) => error.case(),
        Err(CallError::Host(error)) => panic!("{error}"),
    }
}

/// A sandbox in which every name leads to the loopback interface, and the number of lookups.
fn resolving(policy: Policy) -> (Sandbox, Arc<AtomicUsize>) {
    let lookups = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&lookups);
    let resolver = move |_name| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) }
    };
    (Sandbox::builder().policy(policy).resolver(resolver).build().unwrap(), lookups)
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_denied_at_the_connect() {
    let server = Server::answering(EMPTY).await;
    let mut client = Sandbox::builder().allow("127.0.0.2").unwrap().build().unwrap().instantiate().await.unwrap();
    let endpoint = Endpoint::plain("127.0.0.1", server.address.port());
    assert_eq!(outcome(&mut client, &endpoint).await, "denied(connect)");
    assert_eq!(client.take_denied(), [Denied::Address(server.address)]);
    assert!(client.take_denied().is_empty());
    let conn = client.connect(&endpoint, None).await.unwrap();
    let failure = match conn.send(&mut client, Request::get("/"), 0).await {
        Ok(exchange) => exchange.collect(&mut client, 10).await.map(drop),
        Err(error) => Err(error),
    };
    match failure {
        Err(CallError::Http(failure)) => {
            assert_eq!((failure.error.case().as_str(), failure.delivery.name()), ("denied(connect)", "not-sent"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_port_of_an_allowed_host_is_denied() {
    let (one, other) = (Server::answering(EMPTY).await, Server::answering(EMPTY).await);
    let mut client = Sandbox::builder().allow(&one.rule()).unwrap().build().unwrap().instantiate().await.unwrap();
    assert_eq!(outcome(&mut client, &Endpoint::plain("127.0.0.1", one.address.port())).await, "connected");
    assert_eq!(outcome(&mut client, &Endpoint::plain("127.0.0.1", other.address.port())).await, "denied(connect)");
}

#[tokio::test]
async fn a_name_that_is_not_allowed_is_not_even_looked_up() {
    let mut policy = Policy::new();
    policy.allow("good.example:80".parse().unwrap());
    let (sandbox, lookups) = resolving(policy);
    let mut client = sandbox.instantiate().await.unwrap();
    assert_eq!(outcome(&mut client, &Endpoint::plain("evil.example", 80)).await, "denied(name-lookup)");
    assert_eq!(client.take_denied(), [Denied::Name("evil.example".to_owned())]);
    assert_eq!(lookups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_answer_for_an_allowed_name_is_reached_at_its_port_alone() {
    let (server, other) = (Server::answering(EMPTY).await, Server::answering(EMPTY).await);
    let mut policy = Policy::new();
    policy.allow(format!("*.Example:{}", server.address.port()).parse().unwrap());
    let (sandbox, lookups) = resolving(policy);
    let mut client = sandbox.instantiate().await.unwrap();
    let by_address = Endpoint::plain("127.0.0.1", server.address.port());
    assert_eq!(outcome(&mut client, &by_address).await, "denied(connect)", "before the lookup");
    assert_eq!(outcome(&mut client, &Endpoint::plain("A.example", server.address.port())).await, "connected");
    assert_eq!(outcome(&mut client, &Endpoint::plain("a.example", other.address.port())).await, "denied(connect)");
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
    let mut another = sandbox.instantiate().await.unwrap();
    assert_eq!(outcome(&mut another, &by_address).await, "denied(connect)", "the lookups of one client are not another's");
}

#[tokio::test]
async fn an_allowed_name_cannot_lead_inside_when_that_is_denied() {
    let server = Server::answering(EMPTY).await;
    let endpoint = Endpoint::plain("rebound.example", server.address.port());
    let mut policy = Policy::new();
    policy.allow(format!("rebound.example:{}", server.address.port()).parse().unwrap()).deny_private_answers();
    let mut client = resolving(policy).0.instantiate().await.unwrap();
    assert!(outcome(&mut client, &endpoint).await.starts_with("denied"));
    let inside = Denied::PrivateAnswer { name: "rebound.example".to_owned(), address: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    assert_eq!(client.take_denied(), [inside]);

    let mut public = Policy::new();
    public.allow_public();
    let mut client = resolving(public).0.instantiate().await.unwrap();
    assert!(outcome(&mut client, &endpoint).await.starts_with("denied"));
}

#[tokio::test]
async fn addresses_given_by_the_caller_are_put_to_the_policy_too() {
    let server = Server::answering(EMPTY).await;
    let mut policy = Policy::new();
    policy.allow(format!("good.example:{}", server.address.port()).parse().unwrap());
    let mut client = resolving(policy).0.instantiate().await.unwrap();
    let pinned = Endpoint { addresses: vec!["127.0.0.1".to_owned()], ..Endpoint::plain("good.example", server.address.port()) };
    assert_eq!(outcome(&mut client, &pinned).await, "denied(connect)");
}

#[tokio::test]
async fn a_name_without_an_address_is_not_found() {
    let nobody = |_name| async { Ok(Vec::new()) };
    let sandbox = Sandbox::builder().allow("nobody.example").unwrap().resolver(nobody).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    assert_eq!(outcome(&mut client, &Endpoint::plain("nobody.example", 80)).await, "dns(not-found)");
    let later = |_name| async { Err(std::io::Error::from(std::io::ErrorKind::TimedOut)) };
    let sandbox = Sandbox::builder().allow("slow.example").unwrap().resolver(later).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    assert_eq!(outcome(&mut client, &Endpoint::plain("slow.example", 80)).await, "dns(temporary-failure)");
}

#[tokio::test]
async fn the_resolver_of_this_machine_knows_localhost() {
    let server = Server::answering(EMPTY).await;
    let rule = format!("localhost:{}", server.address.port());
    let mut client = Sandbox::builder().allow(&rule).unwrap().build().unwrap().instantiate().await.unwrap();
    assert_eq!(outcome(&mut client, &Endpoint::plain("localhost", server.address.port())).await, "connected");
}

#[tokio::test]
async fn sockets_are_counted_and_limited() {
    let server = Server::answering(EMPTY).await;
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().sockets_max(2).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let mut conns = Vec::new();
    for _ in 0..2 {
        let conn = client.connect(&server.url(), None).await.unwrap();
        conn.wait_connected(&mut client).await.unwrap();
        conns.push(conn);
    }
    assert_eq!(client.sockets_open(), 2);
    let endpoint = Endpoint::plain("127.0.0.1", server.address.port());
    assert_eq!(outcome(&mut client, &endpoint).await, "connect(exhausted)");
    drop(conns.pop());
    assert_eq!(outcome(&mut client, &endpoint).await, "connected");
}

#[tokio::test]
async fn an_address_that_stands_for_a_denied_one_is_denied() {
    let mut client = Sandbox::builder().allow("192.0.2.1").unwrap().build().unwrap().instantiate().await.unwrap();
    for host in ["::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "224.0.0.1", "ff02::1"]
    {
        assert_eq!(outcome(&mut client, &Endpoint::plain(host, 80)).await, "denied(connect)", "{host}");
    }
    // Allowed, and still no address to connect to.
    assert_eq!(outcome(&mut client, &Endpoint::plain("::ffff:192.0.2.1", 80)).await, "connect(other)");
}

#[cfg(unix)]
#[tokio::test]
async fn a_name_and_an_address_can_lead_to_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let mut accepted = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            accepted.push(stream);
        }
    });
    let sandbox = Sandbox::builder().unix_socket("unix.example:80", path.clone()).unwrap();
    let mut client = sandbox.unix_socket("192.0.2.1", path.clone()).unwrap().build().unwrap().instantiate().await.unwrap();
    for (host, port, expected) in [
        ("unix.example", 80, "connected"),
        ("192.0.2.1", 80, "connected"),
        ("192.0.2.1", 81, "connected"),
        ("unix.example", 81, "denied(connect)"),
        ("other.example", 80, "denied(name-lookup)"),
        ("192.0.2.2", 80, "denied(connect)"),
    ] {
        assert_eq!(outcome(&mut client, &Endpoint::plain(host, port)).await, expected, "{host}:{port}");
    }
    client.take_denied();
    let mut policy = Policy::new();
    policy.dangerous_allow_any_address().unix_socket("unix.example".parse().unwrap(), path.clone().into());
    let mut client = Sandbox::builder().policy(policy).build().unwrap().instantiate().await.unwrap();
    assert_eq!(outcome(&mut client, &Endpoint::plain("unix.example", 80)).await, "denied(connect)");
    assert_eq!(client.take_denied(), [Denied::UnixSocket(path.into())]);
}

//! An instance that misbehaves ends, says why, goes on saying so, and takes nobody with it.

use std::time::{Duration, Instant};

use sandpiper_host::{CallError, Client, CompiledCache, DeathCause, Endpoint, HostError, Request, Sandbox, SandboxBuilder};

use crate::hostile::{GROW, SPIN, TRAP, component, polling};
use crate::server::{PATIENCE, Server};

fn sandbox_of(instructions: &[u8]) -> SandboxBuilder {
    Sandbox::builder().component_bytes(component(instructions)).cache(CompiledCache::Off)
}

/// Connects to nowhere, and gives why the instance ended.
async fn cause_of(client: &mut Client) -> DeathCause {
    match client.connect(Endpoint::plain("127.0.0.1", 1), None).await {
        Err(CallError::Host(HostError::Dead(death))) => death.cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_trap_ends_the_instance_and_is_repeated() {
    let sandbox = sandbox_of(TRAP).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    assert!(client.death().is_none());
    assert!(client.memory_octets() <= 64 << 20);
    assert_eq!(cause_of(&mut client).await, DeathCause::Trapped);
    let death = client.death().unwrap().clone();
    assert!(death.detail.contains("unreachable"), "{death}");
    match client.poll(None).await {
        Err(HostError::Dead(again)) => assert_eq!(again.to_string(), death.to_string()),
        other => panic!("{other:?}"),
    }
    assert_eq!((client.memory_octets(), client.sockets_open()), (0, 0));
    let mut other = sandbox.instantiate().await.unwrap();
    assert!(other.death().is_none());
    assert_eq!(cause_of(&mut other).await, DeathCause::Trapped);
}

#[tokio::test]
async fn memory_is_capped() {
    let mut client = sandbox_of(GROW).memory_octets_max(4 << 20).build().unwrap().instantiate().await.unwrap();
    match cause_of(&mut client).await {
        DeathCause::Memory { wanted_octets, octets_max } => {
            assert!(wanted_octets >= 1 << 30);
            assert_eq!(octets_max, 4 << 20);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_component_that_does_not_fit_is_not_made() {
    match Sandbox::builder().memory_octets_max(65_536).build().unwrap().instantiate().await {
        Err(HostError::Dead(death)) => {
            assert!(matches!(death.cause, DeathCause::Memory { octets_max: 65_536, .. }), "{death}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn computing_without_end_is_ended() {
    let limit = Duration::from_millis(100);
    let mut client = sandbox_of(SPIN).compute_time_max(limit).build().unwrap().instantiate().await.unwrap();
    let begin = Instant::now();
    assert_eq!(cause_of(&mut client).await, DeathCause::Computing { compute_time_max: limit });
    assert!(begin.elapsed() >= limit && begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

/// That others have their turn now and then is no wait of the component.
#[tokio::test]
async fn polling_what_is_ready_without_end_is_computing() {
    let limit = Duration::from_millis(100);
    let sandbox = Sandbox::builder().component_bytes(polling()).cache(CompiledCache::Off).compute_time_max(limit);
    let mut client = sandbox.build().unwrap().instantiate().await.unwrap();
    let cause = tokio::time::timeout(PATIENCE, cause_of(&mut client)).await.expect("it is not ended");
    assert_eq!(cause, DeathCause::Computing { compute_time_max: limit });
}

#[tokio::test]
async fn fuel_is_counted() {
    let mut client = sandbox_of(SPIN).fuel_per_call(100_000).build().unwrap().instantiate().await.unwrap();
    assert_eq!(cause_of(&mut client).await, DeathCause::Fuel { fuel_per_call: 100_000 });
}

#[tokio::test]
async fn fuel_is_given_anew_to_every_call() {
    let server = Server::answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().fuel_per_call(10_000_000).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let conn = client.connect(&server.url(), None).await.unwrap();
    for token in 0..200 {
        let exchange = conn.send(&mut client, Request::get("/"), token).await.unwrap();
        assert_eq!(exchange.collect(&mut client, 10).await.unwrap().head.status, 204);
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends_the_instance() {
    let server = Server::silent().await;
    // On a machine that is too slow for the calls before the long one, these have more time in the next round.
    for limit in (0..10).map(|round| Duration::from_millis(50 << round)) {
        let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().call_time_max(limit).build().unwrap();
        let mut client = sandbox.instantiate().await.unwrap();
        let Ok(conn) = client.connect(&server.url(), None).await else { continue };
        let Ok(exchange) = conn.send(&mut client, Request::get("/"), 0).await else { continue };
        match exchange.collect(&mut client, 10).await {
            Err(CallError::Host(HostError::Dead(death))) => {
                assert_eq!(death.cause, DeathCause::CallTime { call_time_max: limit });
            }
            other => panic!("{other:?}"),
        }
        return assert_eq!(client.sockets_open(), 0);
    }
    panic!("two calls take longer than twenty seconds");
}

/// Computing yields: other tasks of the same thread go on, and the caller can stop waiting.
#[tokio::test(flavor = "current_thread")]
async fn a_call_can_be_given_up_and_that_is_noticed() {
    let mut client = sandbox_of(SPIN).build().unwrap().instantiate().await.unwrap();
    let call = client.connect(Endpoint::plain("127.0.0.1", 1), None);
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    assert_eq!(cause_of(&mut client).await, DeathCause::Cancelled);
    assert_eq!(client.death().unwrap().cause, DeathCause::Cancelled);
}

#[tokio::test]
async fn a_wait_that_is_given_up_is_noticed_too() {
    let server = Server::silent().await;
    let mut client = Sandbox::builder().allow(&server.rule()).unwrap().build().unwrap().instantiate().await.unwrap();
    let conn = client.connect(&server.url(), None).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 0).await.unwrap();
    let call = exchange.collect(&mut client, 10);
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    assert!(matches!(conn.info(&mut client).await, Err(HostError::Dead(death)) if death.cause == DeathCause::Cancelled));
}

#[tokio::test]
async fn a_long_wait_is_not_computing() {
    let server = Server::silent().await;
    // Longer than a busy machine lets a call that computes stand still.
    let limit = Duration::from_millis(200);
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().compute_time_max(limit).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let conn = client.connect(&server.url(), None).await.unwrap();
    conn.wait_connected(&mut client).await.unwrap();
    let poll = client.poll(None).await.unwrap();
    poll.insert(&mut client, &conn, 0).await.unwrap();
    let begin = Instant::now();
    while begin.elapsed() < 10 * limit {
        poll.wait(&mut client, Some(5 * limit), 1).await.unwrap();
    }
    assert!(client.death().is_none());
}

/// A small memory is enough for what a connection needs.
#[tokio::test]
async fn the_component_works_in_two_mebioctets() {
    let content = vec![b'x'; 100_000];
    let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).into_bytes();
    response.extend(&content);
    let server = Server::answering(&response).await;
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().memory_octets_max(2 << 20).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let conn = client.connect(&server.url(), None).await.unwrap();
    for _ in 0..20 {
        let exchange = conn.send(&mut client, Request::get("/"), 0).await.unwrap();
        assert_eq!(exchange.collect(&mut client, 1 << 20).await.unwrap().content.len(), content.len());
    }
    assert!(client.memory_octets() <= 2 << 20);
}

#[tokio::test]
async fn a_response_that_does_not_fit_ends_the_instance_by_name() {
    let content = vec![b'x'; 8 << 20];
    let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).into_bytes();
    response.extend(&content);
    let server = Server::answering(&response).await;
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().memory_octets_max(4 << 20).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let conn = client.connect(&server.url(), None).await.unwrap();
    let exchange = conn.send(&mut client, Request::get("/"), 0).await.unwrap();
    match exchange.collect(&mut client, 16 << 20).await {
        Err(CallError::Host(HostError::Dead(death))) => {
            assert!(matches!(death.cause, DeathCause::Memory { .. }), "{death}");
        }
        other => panic!("{:?}", other.map(|response| response.content.len())),
    }
}

#[tokio::test]
async fn instances_can_have_room_set_aside() {
    let server = Server::answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().pooled_clients(2).build().unwrap();
    for _ in 0..3 {
        let mut one = sandbox.instantiate().await.unwrap();
        let two = sandbox.instantiate().await.unwrap();
        assert!(matches!(sandbox.instantiate().await, Err(HostError::Engine(_))), "a third one");
        let conn = one.connect(&server.url(), None).await.unwrap();
        let exchange = conn.send(&mut one, Request::get("/"), 0).await.unwrap();
        assert_eq!(exchange.collect(&mut one, 10).await.unwrap().head.status, 204);
        drop(two);
    }
}

//! Streamed exchanges of an agent, tunnels, and waits that are ended or done by the host.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sandpiper_host::types::{CloseReason, Error, Event};
use sandpiper_host::{Agent, AgentExchange, CallError, Chunk, ExchangeError, Limit, PollOptions, Request, Sandbox, Wake};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::agent_server::TargetServer;
use crate::server::PATIENCE;

/// Reads to the end; gives how many octets that were.
async fn drain(exchange: &AgentExchange) -> Result<usize, ExchangeError> {
    let mut octets = 0;
    loop {
        match exchange.read(10_000).await? {
            Chunk::Data(piece) => {
                assert!((1..=10_000).contains(&piece.len()));
                octets += piece.len();
            }
            Chunk::WouldBlock => panic!("a read waits"),
            Chunk::End(_) => return Ok(octets),
        }
    }
}

async fn fetches(agent: &Agent, server: &TargetServer, count: usize) {
    let origin = agent.origin(&server.url(), None).await.unwrap();
    for _ in 0..count {
        assert_eq!(timeout(PATIENCE, agent.fetch(&origin, Request::get("/on"))).await.unwrap().unwrap().content, b"/on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_and_downloads_go_on_at_once() {
    let (_server, agent, origin) = TargetServer::with_agent(PollOptions::default().limit(Limit::ConnectionsPerOrigin, 20)).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (agent, origin) = (agent.clone(), Arc::clone(&origin));
            tokio::spawn(async move {
                if task % 2 == 0 {
                    let download = agent.open(&origin, Request::get("/big/3000000")).await.unwrap();
                    assert_eq!(download.head().await.unwrap().status, 200);
                    assert_eq!(drain(&download).await.unwrap(), 3_000_000);
                    assert_eq!(download.trailers(), Some(Vec::new()));
                    assert!(download.timing().await.unwrap().response_ended.is_some());
                } else {
                    let request = Request::new("POST", "/count").with_streamed_content();
                    let upload = agent.open(&origin, request).await.unwrap();
                    for _ in 0..300 {
                        upload.write_all(&[b'u'; 10_000]).await.unwrap();
                    }
                    upload.finish(Vec::new()).await.unwrap();
                    assert_eq!(upload.collect().await.unwrap().content, b"3000000");
                }
            })
        })
        .collect();
    for task in tasks {
        timeout(PATIENCE, task).await.unwrap().unwrap();
    }
}

/// Content that nobody reads stays bounded, and holds up nobody else.
#[tokio::test]
async fn an_unread_response_holds_up_nobody() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let unread = agent.open(&origin, Request::get("/big/50000000")).await.unwrap();
    assert_eq!(timeout(PATIENCE, unread.head()).await.unwrap().unwrap().status, 200);
    fetches(&agent, &server, 100).await;
    assert!(agent.info().await.unwrap().memory_octets < 8 << 20);
    // It is more than all buffers between the two hold.
    assert_eq!(server.answered(), 100);
    assert_eq!(timeout(PATIENCE, drain(&unread)).await.unwrap().unwrap(), 50_000_000);
}

#[tokio::test]
async fn an_upload_that_pauses_holds_up_nobody() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let upload = agent.open(&origin, Request::new("POST", "/count").with_content_length(6)).await.unwrap();
    upload.write_all(b"abc").await.unwrap();
    fetches(&agent, &server, 100).await;
    assert_eq!(upload.write(b"").await.unwrap(), 0);
    upload.write_all(b"def").await.unwrap();
    upload.finish(Vec::new()).await.unwrap();
    assert_eq!(timeout(PATIENCE, upload.collect()).await.unwrap().unwrap().content, b"6");
}

/// Processor time that this thread has used.
fn computed() -> Option<Duration> {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(spent.split(' ').next()?.parse().ok()?))
}

/// Neither at rest nor for a caller who leaves content unread, or pauses in an upload.
#[tokio::test(flavor = "current_thread")]
async fn an_agent_that_waits_computes_nothing() {
    if computed().is_none() {
        eprintln!("an_agent_that_waits_computes_nothing: SKIPPED: this system does not tell the processor time of a thread");
        return;
    }
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    for target in ["", "/big/50000000", "/count"] {
        let standing = match target {
            "" => None,
            "/count" => Some(agent.open(&origin, Request::new("POST", target).with_streamed_content()).await.unwrap()),
            _ => Some(agent.open(&origin, Request::get(target)).await.unwrap()),
        };
        fetches(&agent, &server, 1).await;
        // Once all is done that can be done without the caller, a second is spent waiting; on a slow machine that is not the first one.
        let mut spent = Vec::new();
        while spent.last().is_none_or(|spent| *spent >= Duration::from_millis(50)) {
            assert!(spent.len() < 20, "{target}: {spent:?}");
            let before = computed().unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            spent.push(computed().unwrap() - before);
        }
        drop(standing);
    }
}

#[tokio::test]
async fn too_much_content_is_refused() {
    let (_server, agent, origin) = TargetServer::with_agent(None).await;
    let upload = agent.open(&origin, Request::new("POST", "/count").with_content_length(3)).await.unwrap();
    upload.write_all(b"abcd").await.unwrap();
    match timeout(PATIENCE, upload.finish(Vec::new())).await.unwrap() {
        Err(CallError::Http(failure)) => assert_eq!(failure.error.case(), "api-misuse(content-too-short)"),
        other => panic!("{other:?}"),
    }
    // It ends once.
    assert!(matches!(timeout(PATIENCE, upload.finish(Vec::new())).await.unwrap(), Err(CallError::Http(_))));
    match timeout(PATIENCE, upload.write(b"x")).await.unwrap() {
        Err(CallError::Http(failure)) => assert_eq!(failure.error.case(), "api-misuse(content-too-long)"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(timeout(PATIENCE, upload.head()).await.unwrap(), Err(CallError::Http(_))));
}

/// Nobody waits for what cannot leave any more.
#[tokio::test]
async fn an_upload_that_is_answered_early_ends_for_all_who_wait() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agent = Sandbox::builder().allow("127.0.0.1").unwrap().build().unwrap().agent(None).await.unwrap();
    let origin = agent.origin(format!("http://{}", listener.local_addr().unwrap()).as_str(), None).await.unwrap();
    let upload = agent.open(&origin, Request::new("POST", "/").with_streamed_content()).await.unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // It reads nothing; the upload stands still long before this.
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        stream
    };
    let content = vec![b'x'; 64 << 20];
    let (stream, written) = tokio::join!(server, timeout(PATIENCE, upload.write_all(&content)));
    assert!(written.unwrap().is_err());
    assert_eq!(timeout(PATIENCE, upload.head()).await.unwrap().unwrap().status, 413);
    drop(stream);
}

/// A read that was given up loses nothing.
#[tokio::test]
async fn the_future_of_a_read_may_be_dropped() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let exchange = agent.open(&origin, Request::get("/gate")).await.unwrap();
    for _ in 0..20 {
        assert!(timeout(Duration::from_millis(1), exchange.read(10)).await.is_err());
        assert!(timeout(Duration::from_millis(1), exchange.head()).await.is_err());
    }
    server.open_gate();
    assert_eq!(timeout(PATIENCE, exchange.collect()).await.unwrap().unwrap().content, b"/gate");
}

#[tokio::test]
async fn a_dropped_exchange_is_cancelled_alone() {
    let (server, agent, origin) = TargetServer::with_agent(PollOptions::default().limit(Limit::ConnectionsPerOrigin, 1)).await;
    agent.fetch(&origin, Request::get("/learn")).await.unwrap();
    let first = agent.open(&origin, Request::get("/gate")).await.unwrap();
    let dropped = agent.open(&origin, Request::get("/dropped")).await.unwrap();
    let cancelled = agent.open(&origin, Request::get("/cancelled")).await.unwrap();
    let last = agent.open(&origin, Request::get("/last")).await.unwrap();
    drop(dropped);
    cancelled.cancel();
    match timeout(PATIENCE, cancelled.head()).await.unwrap() {
        Err(CallError::Http(failure)) => assert_eq!(failure.error, Error::Closed(CloseReason::Cancelled)),
        other => panic!("{other:?}"),
    }
    server.open_gate();
    assert_eq!(timeout(PATIENCE, first.collect()).await.unwrap().unwrap().content, b"/gate");
    assert_eq!(timeout(PATIENCE, last.collect()).await.unwrap().unwrap().content, b"/last");
    assert_eq!(agent.info().await.unwrap().poll.counts.opened, 1);
}

/// The opening itself is given up: nothing is sent, or it is cancelled.
#[tokio::test]
async fn the_future_of_an_opening_may_be_dropped() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    for _ in 0..100 {
        let mut opening = Box::pin(agent.open(&origin, Request::get("/stall")));
        // The command is sent, and its answer not awaited.
        let pending = std::future::poll_fn(|context| Poll::Ready(opening.as_mut().poll(context).is_pending())).await;
        assert!(pending);
    }
    fetches(&agent, &server, 10).await;
    let counts = agent.info().await.unwrap().poll.counts;
    assert_eq!((counts.outstanding, counts.queued), (0, 0), "{counts:?}");
}

#[tokio::test]
async fn a_tunnel_carries_octets_in_both_directions_at_once() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let upgrade = Request::get("/tunnel").with_field("Connection", "upgrade").with_field("Upgrade", "echo");
    for (request, status) in [(upgrade, 101), (Request::new("CONNECT", "a.example:443"), 200)] {
        let tunnel = Arc::new(agent.open(&origin, request).await.unwrap());
        assert_eq!(timeout(PATIENCE, tunnel.head()).await.unwrap().unwrap().status, status);
        fetches(&agent, &server, 10).await;
        let writer = tokio::spawn({
            let tunnel = Arc::clone(&tunnel);
            async move {
                for _ in 0..200 {
                    tunnel.write_all(&[b't'; 10_000]).await.unwrap();
                }
                tunnel.finish(Vec::new()).await.unwrap();
            }
        });
        assert_eq!(timeout(PATIENCE, drain(&tunnel)).await.unwrap().unwrap(), 2_000_000);
        timeout(PATIENCE, writer).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_wait_can_be_ended_from_another_task() {
    let server = TargetServer::start().await;
    let mut client = server.sandbox().build().unwrap().instantiate().await.unwrap();
    let poll = client.poll(None).await.unwrap();
    let wake = Wake::new();
    poll.wake_on(&mut client, Some(&wake)).await.unwrap();
    let waker = tokio::spawn({
        let wake = wake.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            wake.wake();
        }
    });
    let events = timeout(PATIENCE, poll.wait(&mut client, None, 16)).await.unwrap().unwrap();
    assert!(matches!(events[..], [Event::Woken]), "{events:?}");
    // As long as it is set.
    assert!(matches!(poll.wait(&mut client, None, 16).await.unwrap()[..], [Event::Woken]));
    wake.clear();
    assert!(poll.wait(&mut client, Some(Duration::from_millis(1)), 16).await.unwrap().is_empty());
    waker.await.unwrap();
    poll.wake_on(&mut client, None).await.unwrap();
    wake.wake();
    assert!(poll.wait(&mut client, Some(Duration::from_millis(1)), 16).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_can_wait_for_a_whole_pool() {
    let server = TargetServer::start().await;
    let mut client = server.sandbox().build().unwrap().instantiate().await.unwrap();
    let poll = client.poll(None).await.unwrap();
    let origin = client.origin(&server.url(), None).await.unwrap();
    // There is nothing yet that could be waited for.
    assert!(timeout(Duration::from_millis(20), client.ready_poll(&poll)).await.is_err());
    let requests: Vec<_> = (0..20).map(|number| Request::get(format!("/{number}"))).collect();
    poll.fetch_all(&mut client, &origin, &requests, 0, 1 << 20).await.unwrap();
    let mut completed = 0;
    while completed < requests.len() {
        timeout(PATIENCE, client.ready_poll(&poll)).await.unwrap().unwrap();
        poll.wait(&mut client, Some(Duration::ZERO), 16).await.unwrap();
        completed += poll.take_completions(&mut client, 100).await.unwrap().len();
    }
    poll.release(&mut client).await.unwrap();
    assert_eq!(client.sockets_open(), 0);
}

//! Many tasks at one agent: whole responses, what is given up, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use sandpiper_host::types::{CloseReason, Error, Failure};
use sandpiper_host::{
    Agent, CallError, Chunk, ConnOptions, DeathCause, ExchangeError, HostError, Limit, Origin, PollOptions, Request,
    RequestOptions, Response, Timer,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agent_server::TargetServer;
use crate::server::PATIENCE;

fn connections(count: u32) -> PollOptions {
    PollOptions::default().limit(Limit::ConnectionsPerOrigin, count.into())
}

/// Nothing is written behind a request that is not answered.
fn one_at_a_time() -> ConnOptions {
    ConnOptions::default().limit(Limit::Outstanding, 1)
}

fn failure_of<T: std::fmt::Debug>(answer: Result<T, ExchangeError>) -> Failure {
    match answer {
        Err(CallError::Http(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// A fetch in a task of its own.
fn fetching(agent: &Agent, origin: &Arc<Origin>, target: &str) -> JoinHandle<Result<Response, ExchangeError>> {
    let (agent, origin, request) = (agent.clone(), Arc::clone(origin), Request::get(target));
    tokio::spawn(async move { agent.fetch(&origin, request).await })
}

/// Waits until this many requests are under way.
async fn under_way(agent: &Agent, count: u32) {
    loop {
        let counts = agent.info().await.unwrap().poll.counts;
        if counts.outstanding + counts.queued == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_fetch_at_once() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let tasks: Vec<_> = (0..200)
        .map(|task| {
            let (agent, origin) = (agent.clone(), Arc::clone(&origin));
            tokio::spawn(async move {
                for turn in 0..50 {
                    let target = format!("/{task}/{turn}");
                    let response = agent.fetch(&origin, Request::get(target.clone())).await.unwrap();
                    assert_eq!(String::from_utf8(response.content).unwrap(), target);
                }
            })
        })
        .collect();
    for task in tasks {
        timeout(PATIENCE, task).await.unwrap().unwrap();
    }
    let info = agent.info().await.unwrap();
    let counts = info.poll.counts;
    assert!(counts.opened <= 6 && info.sockets_open <= 6, "{info:?}");
    assert_eq!((counts.outstanding, counts.queued), (0, 0));
    assert!(server.pipelined() > 1, "{}", server.pipelined());
}

#[tokio::test]
async fn many_requests_go_in_together_and_come_back_in_order() {
    let (_server, agent, origin) = TargetServer::with_agent(None).await;
    let requests = (0..500).map(|number| Request::get(format!("/{number}"))).collect();
    let completions = agent.fetch_all(&origin, requests, Agent::COLLECT_OCTETS_MAX).await.unwrap();
    for (completion, number) in completions.into_iter().zip(0..500) {
        assert!(completion.timing.response_ended.is_some());
        assert_eq!(completion.outcome.unwrap().content, format!("/{number}").into_bytes());
    }
    assert!(agent.fetch_all(&origin, Vec::new(), Agent::COLLECT_OCTETS_MAX).await.unwrap().is_empty());
    // One that cannot be sent is refused alone.
    let completions = agent
        .fetch_all(&origin, vec![Request::get("/a"), Request::get("no"), Request::get("/b")], Agent::COLLECT_OCTETS_MAX)
        .await
        .unwrap();
    let outcomes: Vec<_> = completions.iter().map(|completion| completion.outcome.is_ok()).collect();
    assert_eq!(outcomes, [true, false, true]);
}

/// A wait in progress does not hold the client against others, and no interval passes before they are heard.
#[tokio::test(flavor = "current_thread")]
async fn what_is_submitted_during_a_wait_is_served_at_once() {
    let (stalling, server) = (TargetServer::start().await, TargetServer::start().await);
    let rules = stalling.sandbox().allow(server.url().trim_start_matches("http://")).unwrap();
    let agent = rules.build().unwrap().agent(None).await.unwrap();
    let stalled = agent.origin(&stalling.url(), None).await.unwrap();
    let origin = agent.origin(&server.url(), None).await.unwrap();
    let stalled = fetching(&agent, &stalled, "/stall");
    under_way(&agent, 1).await;
    let all = async {
        for _ in 0..1_000 {
            // The wait is entered before each.
            tokio::time::sleep(Duration::from_micros(100)).await;
            agent.fetch(&origin, Request::get("/")).await.unwrap();
        }
    };
    timeout(PATIENCE, all).await.unwrap();
    assert!(!stalled.is_finished());
    stalled.abort();
}

#[tokio::test]
async fn a_dropped_fetch_is_cancelled_alone() {
    let (server, agent, origin) = TargetServer::with_agent(connections(1)).await;
    agent.fetch(&origin, Request::get("/learn")).await.unwrap();
    let first = fetching(&agent, &origin, "/gate");
    under_way(&agent, 1).await;
    let given_up: Vec<_> = (0..10).map(|_| fetching(&agent, &origin, "/given-up")).collect();
    let last = fetching(&agent, &origin, "/last");
    under_way(&agent, 12).await;
    given_up.iter().for_each(JoinHandle::abort);
    // Those that are cancelled have no exchange any more, but their responses are still on the way.
    for given_up in given_up {
        assert!(given_up.await.unwrap_err().is_cancelled());
    }
    server.open_gate();
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap().unwrap().content, b"/gate");
    assert_eq!(timeout(PATIENCE, last).await.unwrap().unwrap().unwrap().content, b"/last");
    under_way(&agent, 0).await;
    assert_eq!(agent.info().await.unwrap().poll.counts.opened, 1);
}

#[tokio::test]
async fn a_dropped_fetch_that_has_not_left_is_never_sent() {
    let server = TargetServer::start().await;
    let agent = server.agent(connections(1)).await;
    let origin = agent.origin(&server.url(), one_at_a_time()).await.unwrap();
    let first = fetching(&agent, &origin, "/gate");
    under_way(&agent, 1).await;
    // It would hold the connection for ever.
    assert!(timeout(Duration::from_millis(20), agent.fetch(&origin, Request::get("/stall"))).await.is_err());
    under_way(&agent, 1).await;
    server.open_gate();
    timeout(PATIENCE, first).await.unwrap().unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, agent.fetch(&origin, Request::get("/on"))).await.unwrap().unwrap().content, b"/on");
    assert_eq!(agent.info().await.unwrap().poll.counts.opened, 1);
}

#[tokio::test]
async fn an_origin_of_another_agent_is_refused() {
    let server = TargetServer::start().await;
    let (agent, other) = (server.agent(None).await, server.agent(None).await);
    let origin = other.origin(&server.url(), None).await.unwrap();
    let refused = agent.fetch(&origin, Request::get("/")).await;
    assert!(matches!(refused, Err(CallError::Host(HostError::WrongClient))), "{refused:?}");
    assert!(matches!(agent.open(&origin, Request::get("/")).await, Err(CallError::Host(HostError::WrongClient))));
    assert!(matches!(agent.origin_info(&origin).await, Err(HostError::WrongClient)));
    assert_eq!(other.fetch(&origin, Request::get("/")).await.unwrap().content, b"/");
    assert_eq!(other.origin_info(&origin).await.unwrap().counts.connections, 1);
}

#[tokio::test]
async fn the_pool_is_told_of_names_and_networks() {
    let server = TargetServer::start().await;
    let port = server.url().rsplit(':').next().unwrap().parse().unwrap();
    let agent = server.agent(None).await;
    agent.resolve("nowhere.example", port, vec!["127.0.0.1".to_owned()]).await.unwrap();
    assert!(matches!(agent.resolve("nowhere.example", port, vec!["x".to_owned()]).await, Err(CallError::Http(_))));
    let origin = agent.origin(&format!("http://nowhere.example:{port}"), None).await.unwrap();
    agent.fetch(&origin, Request::get("/")).await.unwrap();
    assert_eq!(agent.info().await.unwrap().sockets_open, 1);
    agent.network_changed().await.unwrap();
    under_way(&agent, 0).await;
    assert_eq!(agent.info().await.unwrap().sockets_open, 0);
    timeout(PATIENCE, server.all_closed()).await.unwrap();
}

#[tokio::test]
async fn a_deadline_ends_a_fetch_and_is_told() {
    let (_server, agent, origin) = TargetServer::with_agent(None).await;
    let options = RequestOptions::default().deadline(Timer::Total, Duration::from_millis(20));
    let fetch = agent.fetch(&origin, Request::get("/stall").with_options(options));
    let failure = failure_of(timeout(PATIENCE, fetch).await.unwrap());
    assert_eq!(failure.error.case(), "timed-out(total)");
}

/// All that wait are told, and so is whoever comes after.
#[tokio::test]
async fn the_death_of_the_instance_fails_every_call() {
    let server = TargetServer::start().await;
    let agent = server.sandbox().memory_octets_max(4 << 20).build().unwrap().agent(None).await.unwrap();
    let origin = agent.origin(&server.url(), None).await.unwrap();
    let stalled: Vec<_> = (0..4).map(|_| fetching(&agent, &origin, "/stall")).collect();
    let streamed = agent.open(&origin, Request::post("/stall", "").with_streamed_content()).await.unwrap();
    under_way(&agent, 5).await;
    let fatal = agent.fetch_all(&origin, vec![Request::get("/big/8000000")], 64 << 20);
    let is_death =
        |error: &HostError| matches!(error, HostError::Dead(death) if matches!(death.cause, DeathCause::Memory { .. }));
    let died = |answer: Result<(), ExchangeError>| match answer {
        Err(CallError::Host(error)) => assert!(is_death(&error), "{error}"),
        other => panic!("{other:?}"),
    };
    died(timeout(PATIENCE, fatal).await.unwrap().map(|_| ()).map_err(CallError::from));
    for stalled in stalled {
        died(timeout(PATIENCE, stalled).await.unwrap().unwrap().map(|_| ()));
    }
    died(timeout(PATIENCE, streamed.head()).await.unwrap().map(|_| ()));
    died(timeout(PATIENCE, streamed.read(1)).await.unwrap().map(|_| ()));
    died(timeout(PATIENCE, streamed.write(b"x")).await.unwrap().map(|_| ()));
    died(timeout(PATIENCE, streamed.finish(Vec::new())).await.unwrap());
    died(agent.fetch(&origin, Request::get("/")).await.map(|_| ()));
    assert!(is_death(&agent.info().await.unwrap_err()));
    assert!(is_death(&agent.close(PATIENCE).await.unwrap_err()));
    timeout(PATIENCE, server.all_closed()).await.unwrap();
}

#[tokio::test]
async fn closing_lets_what_is_under_way_end() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let streamed = agent.open(&origin, Request::get("/gate")).await.unwrap();
    let fetched = fetching(&agent, &origin, "/gate");
    under_way(&agent, 2).await;
    let closing = tokio::spawn({
        let agent = agent.clone();
        async move { agent.close(PATIENCE).await }
    });
    // No longer than it takes until `close` has run.
    while !matches!(agent.fetch(&origin, Request::get("/")).await, Err(CallError::Host(HostError::Closed))) {
        tokio::task::yield_now().await;
    }
    assert!(!closing.is_finished());
    server.open_gate();
    server.open_gate();
    assert_eq!(timeout(PATIENCE, closing).await.unwrap().unwrap().unwrap(), 0);
    assert_eq!(fetched.await.unwrap().unwrap().content, b"/gate");
    // What had come is still there.
    assert_eq!(streamed.head().await.unwrap().status, 200);
    assert!(matches!(streamed.read(100).await.unwrap(), Chunk::Data(content) if content == b"/gate"));
    assert!(matches!(streamed.read(100).await.unwrap(), Chunk::End(_)));
    assert!(matches!(agent.close(PATIENCE).await, Err(HostError::Closed)));
    timeout(PATIENCE, server.all_closed()).await.unwrap();
}

#[tokio::test]
async fn closing_cuts_off_what_does_not_end() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let streamed = agent.open(&origin, Request::get("/stall")).await.unwrap();
    let fetched = tokio::spawn({
        let (agent, origin) = (agent.clone(), Arc::clone(&origin));
        async move { agent.fetch_all(&origin, vec![Request::get("/stall"), Request::get("/stall")], Agent::COLLECT_OCTETS_MAX).await }
    });
    under_way(&agent, 3).await;
    assert_eq!(timeout(PATIENCE, agent.close(Duration::from_millis(20))).await.unwrap().unwrap(), 3);
    for completion in fetched.await.unwrap().unwrap() {
        assert_eq!(completion.outcome.unwrap_err().error, Error::Closed(CloseReason::Cancelled));
    }
    assert_eq!(failure_of(streamed.read(1).await).error, Error::Closed(CloseReason::Cancelled));
    timeout(PATIENCE, server.all_closed()).await.unwrap();
}

#[tokio::test]
async fn dropping_every_handle_closes_every_socket() {
    let server = TargetServer::start().await;
    let agent = server.agent(None).await;
    let origin = agent.origin(&server.url(), one_at_a_time()).await.unwrap();
    agent.fetch(&origin, Request::get("/")).await.unwrap();
    let streamed = agent.open(&origin, Request::get("/stall")).await.unwrap();
    under_way(&agent, 1).await;
    let clone = agent.clone();
    drop(agent);
    timeout(PATIENCE, clone.fetch(&origin, Request::get("/"))).await.unwrap().unwrap();
    drop(clone);
    // The exchange keeps the client.
    streamed.cancel();
    assert_eq!(failure_of(timeout(PATIENCE, streamed.head()).await.unwrap()).error, Error::Closed(CloseReason::Cancelled));
    drop(streamed);
    timeout(PATIENCE, server.all_closed()).await.unwrap();
}

/// Four sockets give a table of some eight thousand entries: one entry left behind by each exchange would end the instance.
#[tokio::test]
async fn nothing_is_left_behind_by_ten_thousand_exchanges() {
    let server = TargetServer::start().await;
    let agent = server.sandbox().sockets_max(4).build().unwrap().agent(connections(3)).await.unwrap();
    let origin = agent.origin(&server.url(), None).await.unwrap();
    let mut memory = 0;
    for round in 0..100 {
        let requests = (0..90).map(|number| Request::get(format!("/{number}"))).collect();
        for completion in agent.fetch_all(&origin, requests, Agent::COLLECT_OCTETS_MAX).await.unwrap() {
            completion.outcome.unwrap();
        }
        for _ in 0..10 {
            let streamed = agent.open(&origin, Request::get("/streamed")).await.unwrap();
            assert_eq!(timeout(PATIENCE, streamed.collect()).await.unwrap().unwrap().content, b"/streamed");
            drop(agent.origin(&server.url(), None).await.unwrap());
        }
        let info = agent.info().await.unwrap();
        assert!(info.sockets_open <= 4, "{info:?}");
        if round == 10 {
            memory = info.memory_octets;
        }
    }
    let info = agent.info().await.unwrap();
    // How much is under way at once depends on the machine; thirty octets left behind by each exchange would be more.
    let grown = info.memory_octets.saturating_sub(memory);
    assert!(grown <= 256 << 10, "{memory} octets grew by {grown}");
    assert_eq!(agent.close(PATIENCE).await.unwrap(), 0);
    timeout(PATIENCE, server.all_closed()).await.unwrap();
}

//! Many futures dropped at once: what had not left is never sent, and others are answered meanwhile.
//!
//! The server answers a number of requests and then none, so that the agent is at rest when the futures are dropped; at once it answers all
//! that it has. What an agent sends then is what one wait sends, and not what it had queued.

use std::sync::Arc;
use std::time::Duration;

use sandpiper_host::{Agent, Origin, PollOptions, Request};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agent_server::TargetServer;
use crate::server::PATIENCE;

const CONNECTIONS: usize = 6;
/// The default of the limit `outstanding`.
const DEPTH: usize = 64;
/// Requests that are answered before the futures are dropped.
const ANSWERED: usize = 500;

fn options() -> PollOptions {
    PollOptions::default().limit(sandpiper_host::Limit::ConnectionsPerOrigin, CONNECTIONS as u64)
}

fn fetching_all(agent: &Agent, origin: &Arc<Origin>, request: &Request, count: usize) -> JoinHandle<()> {
    let (agent, origin, requests) = (agent.clone(), Arc::clone(origin), vec![request.clone(); count]);
    tokio::spawn(async move { drop(agent.fetch_all(&origin, requests, Agent::COLLECT_OCTETS_MAX).await) })
}

async fn until_answered(server: &TargetServer, count: usize) {
    let answered = async {
        while server.answered() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, answered).await.expect("the server answers as many as it may");
}

/// Drops what these tasks wait for, has the server answer all that it has, and returns how many requests it has had in the end.
async fn dropped(server: &TargetServer, agent: &Agent, origin: &Arc<Origin>, tasks: Vec<JoinHandle<()>>) -> usize {
    tasks.iter().for_each(JoinHandle::abort);
    for task in tasks {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    server.open_gates(100_000);
    let last = timeout(PATIENCE, agent.fetch(origin, Request::get("/last"))).await.expect("the agent answers").unwrap();
    assert_eq!(last.content, b"/last");
    agent.close(PATIENCE).await.unwrap();
    timeout(PATIENCE, server.all_closed()).await.unwrap();
    server.requests()
}

#[tokio::test]
async fn what_had_not_left_when_many_were_dropped_is_never_sent() {
    let (server, agent, origin) = TargetServer::with_agent(options()).await;
    server.open_gates(ANSWERED);
    let task = fetching_all(&agent, &origin, &Request::get("/gate"), 10_000);
    until_answered(&server, ANSWERED).await;
    let requests = dropped(&server, &agent, &origin, vec![task]).await;
    // What was on the wire, and what the wait sent that was under way.
    assert!(requests <= ANSWERED + 3 * CONNECTIONS * DEPTH, "{requests} requests were sent");
}

#[tokio::test]
async fn posts_that_were_given_up_never_leave() {
    let (server, agent, origin) = TargetServer::with_agent(options()).await;
    server.open_gates(ANSWERED);
    let task = fetching_all(&agent, &origin, &Request::new("POST", "/gate"), 10_000);
    until_answered(&server, ANSWERED).await;
    let requests = dropped(&server, &agent, &origin, vec![task]).await;
    assert!(requests <= ANSWERED + 4 * CONNECTIONS, "{requests} requests were sent");
}

#[tokio::test]
async fn futures_that_are_dropped_one_by_one_are_given_up_together() {
    let (server, agent, origin) = TargetServer::with_agent(options()).await;
    server.open_gates(ANSWERED);
    let tasks: Vec<_> = (0..5_000).map(|_| fetching_all(&agent, &origin, &Request::get("/gate"), 1)).collect();
    until_answered(&server, ANSWERED).await;
    let left: Vec<_> = tasks.into_iter().filter(|task| !task.is_finished()).collect();
    let requests = dropped(&server, &agent, &origin, left).await;
    assert!(requests <= ANSWERED + 3 * CONNECTIONS * DEPTH, "{requests} requests were sent");
}

#[tokio::test]
async fn others_are_answered_while_many_are_given_up() {
    let (server, other) = (TargetServer::start().await, TargetServer::start().await);
    let sandbox = server.sandbox().allow(other.url().trim_start_matches("http://")).unwrap().build().unwrap();
    let agent = sandbox.agent(options()).await.unwrap();
    let (origin, beside) = (agent.origin(&server.url(), None).await.unwrap(), agent.origin(&other.url(), None).await.unwrap());
    server.open_gates(ANSWERED);
    let task = fetching_all(&agent, &origin, &Request::get("/gate"), 10_000);
    until_answered(&server, ANSWERED).await;
    task.abort();
    server.open_gates(100_000);
    let answer = timeout(PATIENCE, agent.fetch(&beside, Request::get("/beside"))).await.expect("the agent answers").unwrap();
    assert_eq!(answer.content, b"/beside");
    // Behind what was on the wire, and long before the rest could have been answered.
    assert!(server.answered() <= ANSWERED + 4 * CONNECTIONS * DEPTH, "{} were answered before", server.answered());
}

#[tokio::test]
async fn giving_up_does_not_end_the_instance() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    server.open_gates(ANSWERED);
    let task = fetching_all(&agent, &origin, &Request::get("/gate"), 20_000);
    until_answered(&server, ANSWERED).await;
    dropped(&server, &agent, &origin, vec![task]).await;
}

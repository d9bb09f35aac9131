//! The snippets of `docs/guide/rust-host.md` and the README. A test of the house compares each region here with the snippet of the same name:
//! `address` and `url` stand for the ones that the page has.

use std::sync::Arc;

use sandpiper_host::{Agent, CallError, ConnOptions, Origin, Request, Sandbox};

use crate::agent_server::TargetServer;

#[rustfmt::skip]
mod first {
// guide: first
use sandpiper_host::{Request, Sandbox};

pub(super) async fn main(address: &str, url: &str) -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().allow(address)?.memory_octets_max(64 << 20).build()?;
    let agent = sandbox.agent(None).await?;
    let origin = agent.origin(url, None).await?;
    let response = agent.fetch(&origin, Request::get("/")).await?;
    println!("{} {}", response.head.status, String::from_utf8_lossy(&response.content));
    Ok(())
}
// end
}

async fn streamed(agent: Agent, origin: Arc<Origin>) -> anyhow::Result<()> {
    // guide: streamed
    let upload = agent.open(&origin, Request::new("POST", "/in").with_streamed_content()).await?;
    upload.write_all(b"some").await?;
    upload.finish(vec![]).await?;
    println!("{}", upload.head().await?.status);
    // end
    Ok(())
}

async fn connection(sandbox: &Sandbox, url: &str) -> anyhow::Result<u16> {
    // guide: connection
    let mut client = sandbox.instantiate().await?;
    let conn = client.connect(url, ConnOptions::default()).await?;
    let response = conn.send(&mut client, Request::get("/"), 0).await?.collect(&mut client, 1 << 20).await?;
    // end
    Ok(response.head.status)
}

#[rustfmt::skip]
async fn failures(agent: Agent, origin: Arc<Origin>) -> anyhow::Result<()> {
    // guide: failures
    match agent.fetch(&origin, Request::get("/")).await {
        Ok(response) => println!("{}", response.head.status),
        Err(CallError::Http(failure)) => println!("{}: {:?}", failure.sentence(), failure.delivery), // the agent goes on
        Err(CallError::Host(error)) => return Err(error.into()),                                     // the instance has ended
    }
    // end
    Ok(())
}

#[tokio::test]
async fn every_snippet_runs() {
    let (server, agent, origin) = TargetServer::with_agent(None).await;
    let sandbox = server.sandbox().build().unwrap();
    let url = server.url();
    first::main(url.strip_prefix("http://").unwrap(), &url).await.unwrap();
    streamed(agent.clone(), Arc::clone(&origin)).await.unwrap();
    assert_eq!(connection(&sandbox, &url).await.unwrap(), 200);
    failures(agent, origin).await.unwrap();
    assert_eq!(server.answered(), 4);
}

#[tokio::test]
async fn the_snippet_of_failures_goes_on_behind_a_failure_of_http() {
    let agent = Sandbox::builder().allow("127.0.0.1:1").unwrap().build().unwrap().agent(None).await.unwrap();
    let origin = agent.origin("http://127.0.0.1:1", None).await.unwrap();
    failures(agent, origin).await.unwrap();
}

//! Ours: the component in its host, through the public interface of the library.

use super::{Client, Kept, Times};
use crate::plugin::component;
use crate::work::Work;
use anyhow::Context;
use sandpiper_host::types::{Event, PackedCompletion, Persistence, PollOptions};
use sandpiper_host::{Chunk, ClientConn, ConnOptions, Limit, Origin, Poll, Request, Sandbox};
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// Octets that one read of a content that is not gathered asks for.
const READ_OCTETS: u64 = 1 << 18;
/// Octets that a content may have that is gathered.
const GATHERED_OCTETS_MAX: u64 = 1 << 24;

pub struct Sandpiper {
    runtime: Runtime,
    sandbox: Sandbox,
    open: Kept<Open>,
}

/// One instance of the component, and what is open in it.
struct Open {
    client: sandpiper_host::Client,
    way: Way,
}

/// Which calls of the interface carry the requests.
enum Way {
    /// `send` and `packed.collect`, or `read`, on one connection.
    Conn(ClientConn, Poll),
    /// `fetch-all` and `packed.take-completions`.
    Pool(Poll, Origin),
}

impl Sandpiper {
    pub fn new() -> anyhow::Result<Sandpiper> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Sandpiper { runtime, sandbox: sandbox()?, open: Kept::default() })
    }
}

/// One that reaches the servers here.
pub fn sandbox() -> anyhow::Result<Sandbox> {
    let builder = Sandbox::builder()
        .component_bytes(component()?)
        .dangerous_allow_any_address()
        .memory_octets_max(1 << 30)
        .sockets_max(20_000);
    Ok(builder.build()?)
}

impl Client for Sandpiper {
    fn name(&self) -> &'static str {
        "sandpiper"
    }

    fn about(&self) -> String {
        "`sandpiper_host`, the component in wasmtime: `send` and `packed.collect` for one request at a time, `fetch-all` and `packed.take-completions` for more".to_owned()
    }

    fn does(&self, _: &Work) -> bool {
        true
    }

    fn memory_octets(&mut self) -> usize {
        self.open.get().map_or(0, |open| open.client.memory_octets())
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        if !self.open.fits(work, server) {
            self.open.clear();
            let open = self.runtime.block_on(open(&self.sandbox, work, server))?;
            self.open.put(work, server, open);
        }
        let open = self.open.get()?;
        let request = request(work);
        self.runtime.block_on(async {
            match &open.way {
                Way::Conn(conn, poll) if work.streamed => stream(&mut open.client, conn, poll, &request, exchanges).await,
                Way::Conn(conn, _) => collect(&mut open.client, conn, &request, exchanges, times).await,
                Way::Pool(poll, origin) => submit(&mut open.client, poll, origin, &request, work.window(), exchanges).await,
            }
        })
    }
}

async fn open(sandbox: &Sandbox, work: &Work, server: SocketAddr) -> anyhow::Result<Open> {
    let mut client = sandbox.instantiate().await?;
    let to = format!("http://{server}");
    let options = ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() }
        .limit(Limit::Outstanding, work.depth.into());
    let way = if work.window() == 1 {
        let conn = client.connect(&*to, options).await?;
        conn.wait_connected(&mut client).await?;
        let poll = client.poll(None).await?;
        poll.insert(&mut client, &conn, 0).await?;
        Way::Conn(conn, poll)
    } else {
        let limits = [Limit::Connections, Limit::ConnectionsPerOrigin, Limit::IdleConnections];
        let options_of_poll =
            limits.into_iter().fold(PollOptions::default(), |options, limit| options.limit(limit, work.connections.into()));
        Way::Pool(client.poll(options_of_poll).await?, client.origin(&*to, options).await?)
    };
    Ok(Open { client, way })
}

fn request(work: &Work) -> Request {
    match work.upload {
        0 => Request::get(&work.target),
        octets => Request::put(&work.target, vec![b'u'; octets]),
    }
}

async fn collect(
    client: &mut sandpiper_host::Client,
    conn: &ClientConn,
    request: &Request,
    exchanges: u32,
    times: &mut Times,
) -> anyhow::Result<u64> {
    let mut octets = 0;
    for token in 0..exchanges {
        let begun = times.begin();
        let exchange = conn.send(client, request, token.into()).await?;
        let response = exchange.collect_packed(client, GATHERED_OCTETS_MAX).await?;
        check(response.head.status)?;
        octets += response.content.len() as u64;
        times.end(begun);
    }
    Ok(octets)
}

async fn submit(
    client: &mut sandpiper_host::Client,
    poll: &Poll,
    origin: &Origin,
    request: &Request,
    window: u32,
    exchanges: u32,
) -> anyhow::Result<u64> {
    let requests = vec![request.clone(); window as usize];
    let (mut submitted, mut completed, mut octets) = (0, 0, 0);
    while completed < exchanges {
        let next = (window - (submitted - completed)).min(exchanges - submitted);
        if next > 0 {
            poll.fetch_all(client, origin, &requests[..next as usize], submitted.into(), 1 << 20).await?;
            submitted += next;
        }
        poll.wait(client, None, 1).await?;
        for completion in poll.packed_completions(client, window).await? {
            octets += octets_of(completion)?;
            completed += 1;
        }
    }
    Ok(octets)
}

fn octets_of(completion: PackedCompletion) -> anyhow::Result<u64> {
    let response = completion.outcome.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
    check(response.head.status)?;
    Ok(response.content.len() as u64)
}

async fn stream(
    client: &mut sandpiper_host::Client,
    conn: &ClientConn,
    poll: &Poll,
    request: &Request,
    exchanges: u32,
) -> anyhow::Result<u64> {
    let mut octets = 0;
    for token in 0..exchanges {
        let exchange = conn.send(client, request, token.into()).await?;
        loop {
            match exchange.read(client, READ_OCTETS).await? {
                Chunk::Data(content) => octets += content.len() as u64,
                Chunk::WouldBlock => {
                    let _: Vec<Event> = poll.wait(client, None, 1).await?;
                }
                Chunk::End(_) => break,
            }
        }
        check(exchange.packed_head(client).await?.context("no head")?.status)?;
    }
    Ok(octets)
}

fn check(status: u16) -> anyhow::Result<()> {
    anyhow::ensure!(status == 200, "status {status}");
    Ok(())
}

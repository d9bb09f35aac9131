//! hyper's `client::conn`: the HTTP/1.1 client of most Rust programs.

use super::{Client, Kept, REFERENCE, Times};
use crate::work::Work;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

pub struct Hyper {
    runtime: Runtime,
    senders: Kept<Vec<SendRequest<Full<Bytes>>>>,
}

impl Hyper {
    pub fn new() -> anyhow::Result<Hyper> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Hyper { runtime, senders: Kept::default() })
    }
}

impl Client for Hyper {
    fn name(&self) -> &'static str {
        REFERENCE
    }

    fn about(&self) -> String {
        "`client::conn::http1`, native; it does not pipeline: one request at a time on each connection".to_owned()
    }

    fn does(&self, _: &Work) -> bool {
        true
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        if !self.senders.fits(work, server) {
            self.senders.clear();
            let senders = self.runtime.block_on(connect_all(server, work.connections))?;
            self.senders.put(work, server, senders);
        }
        let senders = self.senders.get()?;
        let requests =
            Requests { target: work.target.clone(), host: server.to_string(), content: vec![b'u'; work.upload].into() };
        let each = exchanges / work.connections;
        if let [sender] = &mut senders[..] {
            return self.runtime.block_on(exchange(sender, &requests, each, work.streamed, times));
        }
        let streamed = work.streamed;
        let (octets, back) = LocalSet::new().block_on(&self.runtime, async {
            let mut tasks = JoinSet::new();
            for mut sender in senders.drain(..) {
                let requests = requests.clone();
                tasks.spawn_local(async move {
                    let octets = exchange(&mut sender, &requests, each, streamed, &mut Times::default()).await?;
                    anyhow::Ok((octets, sender))
                });
            }
            let (mut octets, mut back) = (0, Vec::new());
            while let Some(ended) = tasks.join_next().await {
                let (of_one, sender) = ended??;
                octets += of_one;
                back.push(sender);
            }
            anyhow::Ok((octets, back))
        })?;
        *senders = back;
        Ok(octets)
    }
}

async fn connect_all(server: SocketAddr, connections: u32) -> anyhow::Result<Vec<SendRequest<Full<Bytes>>>> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        senders.push(sender);
    }
    Ok(senders)
}

#[derive(Clone)]
struct Requests {
    target: String,
    host: String,
    content: Bytes,
}

impl Requests {
    fn next(&self) -> anyhow::Result<Request<Full<Bytes>>> {
        let method = if self.content.is_empty() { "GET" } else { "PUT" };
        let request = Request::builder().method(method).uri(self.target.as_str()).header("host", self.host.as_str());
        Ok(request.body(Full::new(self.content.clone()))?)
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    requests: &Requests,
    count: u32,
    streamed: bool,
    times: &mut Times,
) -> anyhow::Result<u64> {
    let mut octets = 0;
    for _ in 0..count {
        let begun = times.begin();
        sender.ready().await?;
        let response = sender.send_request(requests.next()?).await?;
        anyhow::ensure!(response.status() == StatusCode::OK, "status {}", response.status());
        octets += if streamed { forget(response).await? } else { gather(response).await? };
        times.end(begun);
    }
    Ok(octets)
}

/// The whole content in one piece, as every client here gives it.
async fn gather(response: Response<Incoming>) -> anyhow::Result<u64> {
    Ok(response.into_body().collect().await?.to_bytes().len() as u64)
}

async fn forget(response: Response<Incoming>) -> anyhow::Result<u64> {
    let mut content = response.into_body();
    let mut octets = 0;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut content).poll_frame(context)).await {
        octets += frame?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Ok(octets)
}

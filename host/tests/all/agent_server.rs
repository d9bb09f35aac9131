//! A server on the loopback interface that does what the request target says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sandpiper_host::{Agent, Origin, PollOptions, Sandbox, SandboxBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// | target | what it does |
/// |---|---|
/// | `/stall` | reads, and never answers |
/// | `/gate` | waits until the gate is opened, once for each, and echoes the target |
/// | `/big/N` | answers with N octets |
/// | `/count` | reads the content, and answers with its length |
/// | `/tunnel`, or `CONNECT` | switches protocols, and echoes octets |
/// | anything else | echoes the target |
pub(crate) struct TargetServer {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

struct Seen {
    gate: Semaphore,
    open: AtomicUsize,
    /// The most requests that were read together.
    pipelined: AtomicUsize,
    /// Requests whose heads were read.
    requests: AtomicUsize,
    /// Responses that were written as a whole.
    answered: AtomicUsize,
}

impl TargetServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            gate: Semaphore::new(0),
            open: AtomicUsize::new(0),
            pipelined: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
        });
        let for_task = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&for_task);
                tokio::spawn(async move {
                    seen.open.fetch_add(1, Ordering::SeqCst);
                    // The client may close at any time.
                    let _ = serve(stream, &seen).await;
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, seen, task }
    }

    /// The same, an agent that reaches it, and its origin there.
    pub(crate) async fn with_agent(options: impl Into<Option<PollOptions>>) -> (Self, Agent, Arc<Origin>) {
        let server = Self::start().await;
        let agent = server.agent(options).await;
        let origin = agent.origin(&server.url(), None).await.unwrap();
        (server, agent, origin)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets one `/gate` be answered.
    pub(crate) fn open_gate(&self) {
        self.open_gates(1);
    }

    /// Lets so many be answered.
    pub(crate) fn open_gates(&self, count: usize) {
        self.seen.gate.add_permits(count);
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn pipelined(&self) -> usize {
        self.seen.pipelined.load(Ordering::SeqCst)
    }

    pub(crate) fn answered(&self) -> usize {
        self.seen.answered.load(Ordering::SeqCst)
    }

    /// Waits until the client has closed every connection.
    pub(crate) async fn all_closed(&self) {
        while self.seen.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// A sandbox that reaches this server.
    pub(crate) fn sandbox(&self) -> SandboxBuilder {
        Sandbox::builder().allow(&self.address.to_string()).unwrap()
    }

    pub(crate) async fn agent(&self, options: impl Into<Option<PollOptions>>) -> Agent {
        self.sandbox().build().unwrap().agent(options).await.unwrap()
    }
}

impl Drop for TargetServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request head, and what was read behind it.
struct Head {
    target: String,
    content_length: Option<usize>,
    chunked: bool,
    connect: bool,
}

impl Head {
    fn take(received: &mut Vec<u8>) -> Option<Self> {
        let end = received.windows(4).position(|octets| octets == b"\r\n\r\n")? + 4;
        let text = String::from_utf8(received.drain(..end).collect()).unwrap();
        let mut words = text.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        Some(Self {
            target: target.to_owned(),
            content_length: length.map(|length| length.parse().unwrap()),
            chunked: text.contains("Transfer-Encoding: chunked"),
            connect: method == "CONNECT",
        })
    }
}

async fn serve(mut stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut received = Vec::with_capacity(64 * 1024);
    loop {
        let together = received.windows(4).filter(|octets| octets == b"\r\n\r\n").count();
        seen.pipelined.fetch_max(together, Ordering::SeqCst);
        let Some(head) = Head::take(&mut received) else {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let content = match head.target.as_str() {
            _ if head.connect => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                return echo(stream, received).await;
            }
            "/tunnel" => {
                let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
                stream.write_all(switch).await?;
                return echo(stream, received).await;
            }
            "/stall" => {
                while stream.read_buf(&mut received).await? > 0 {}
                return Ok(());
            }
            "/gate" => {
                // A client that closes meanwhile is seen.
                tokio::select! {
                    permit = seen.gate.acquire() => permit.unwrap().forget(),
                    () = closed(&stream) => return Ok(()),
                }
                head.target.into_bytes()
            }
            "/count" => count(&mut stream, &mut received, &head).await?.to_string().into_bytes(),
            other => match other.strip_prefix("/big/") {
                Some(octets) => vec![b'x'; octets.parse().unwrap()],
                None => head.target.into_bytes(),
            },
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
        stream.write_all(&[answer.as_bytes(), &content].concat()).await?;
        seen.answered.fetch_add(1, Ordering::SeqCst);
    }
}

async fn closed(stream: &TcpStream) {
    let mut octet = [0];
    while !matches!(stream.peek(&mut octet).await, Ok(0) | Err(_)) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Reads the content of a request; gives its length without the chunked coding.
async fn count(stream: &mut TcpStream, received: &mut Vec<u8>, head: &Head) -> std::io::Result<usize> {
    let Some(length) = head.content_length.filter(|_| !head.chunked) else { return count_chunks(stream, received).await };
    while received.len() < length {
        stream.read_buf(received).await?;
    }
    received.drain(..length);
    Ok(length)
}

async fn count_chunks(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut octets = 0;
    loop {
        while !received.windows(2).any(|octets| octets == b"\r\n") {
            stream.read_buf(received).await?;
        }
        let line = received.windows(2).position(|octets| octets == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&received[..line]).unwrap(), 16).unwrap();
        while received.len() < line + 2 + size + 2 {
            stream.read_buf(received).await?;
        }
        received.drain(..line + 2 + size + 2);
        octets += size;
        if size == 0 {
            return Ok(octets);
        }
    }
}

async fn echo(mut stream: TcpStream, received: Vec<u8>) -> std::io::Result<()> {
    stream.write_all(&received).await?;
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    Ok(())
}

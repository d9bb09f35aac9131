//! The server of `sandpiper demo`: a page and its resources on a loopback port, behind a simulated distance.
//!
//! The server answers pipelined requests in their order. Octets take effect one round trip after they arrived, and those of a new
//! connection one more, for the handshake that loopback makes at once. Bandwidth is not limited. The server counts requests and connections, so that what the demo shows
//! is not the client's own word.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The page and its resources: `contents[0]` is `/`, `contents[n]` is `/resource/n`.
#[derive(Debug)]
pub(crate) struct Page {
    contents: Vec<Vec<u8>>,
}

impl Page {
    pub(crate) fn new(resources: u32) -> Self {
        let mut page = String::from("<!doctype html>\n<title>Sandpiper</title>\n");
        for number in 1..=resources {
            _ = writeln!(page, "<img src=\"{}\">", Self::path(number as usize));
        }
        let resources = (1..=resources).map(resource);
        Self { contents: std::iter::once(page.into_bytes()).chain(resources).collect() }
    }

    pub(crate) fn contents(&self) -> &[Vec<u8>] {
        &self.contents
    }

    pub(crate) fn path(index: usize) -> String {
        if index == 0 { "/".to_owned() } else { format!("/resource/{index}") }
    }

    fn index(&self, path: &str) -> Option<usize> {
        let index = if path == "/" { 0 } else { path.strip_prefix("/resource/")?.parse().ok()? };
        (index < self.contents.len()).then_some(index)
    }
}

/// 256 to 4 351 octets that differ from those of every other resource.
fn resource(number: u32) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9) | 1;
    let length = 256 + (state >> 20);
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length as usize).collect()
}

/// The counts of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Requests answered, by connection.
    pub(crate) requests: Vec<u64>,
    pub(crate) octets_received: u64,
    pub(crate) octets_sent: u64,
}

/// A running server; it ends with the runtime.
#[derive(Debug)]
pub(crate) struct DemoServer {
    pub(crate) address: SocketAddr,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Clone)]
struct Shared {
    page: Arc<Page>,
    counts: Arc<Mutex<Counts>>,
    round_trip: Duration,
}

impl DemoServer {
    pub(crate) async fn start(page: Arc<Page>, round_trip: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::<Mutex<Counts>>::default();
        let shared = Shared { page, counts: Arc::clone(&counts), round_trip };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Ok(Self { address, counts })
    }

    /// The counts since the last call.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut *lock(&self.counts))
    }
}

fn lock(counts: &Mutex<Counts>) -> std::sync::MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn serve(stream: TcpStream, shared: Shared) {
    let handshaken = Instant::now() + shared.round_trip;
    let connection = {
        let mut counts = lock(&shared.counts);
        counts.requests.push(0);
        counts.requests.len() - 1
    };
    _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (sender, receiver) = mpsc::channel(DELAYED_READS_MAX);
    let delay = delay(reader, sender, handshaken, shared.round_trip);
    tokio::join!(delay, answer(writer, receiver, &shared, connection));
}

/// Reads that are on their simulated way at once.
const DELAYED_READS_MAX: usize = 1024;
/// The longest request head.
const HEAD_OCTETS_MAX: usize = 65_536;

/// Octets, and when they take effect.
type Delayed = (Instant, Vec<u8>);

async fn delay(mut reader: OwnedReadHalf, sender: mpsc::Sender<Delayed>, handshaken: Instant, round_trip: Duration) {
    let mut buffer = vec![0; 16_384];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        let due = Instant::now().max(handshaken) + round_trip;
        if sender.send((due, buffer[..count].to_vec())).await.is_err() {
            return;
        }
    }
}

async fn answer(mut writer: OwnedWriteHalf, mut receiver: mpsc::Receiver<Delayed>, shared: &Shared, connection: usize) {
    let mut received = Vec::new();
    while let Some((due, octets)) = receiver.recv().await {
        // A sleep takes a millisecond at least.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        lock(&shared.counts).octets_received += octets.len() as u64;
        received.extend_from_slice(&octets);
        let Batch { responses, requests, close } = respond(&mut received, &shared.page);
        {
            let mut counts = lock(&shared.counts);
            counts.octets_sent += responses.len() as u64;
            if let Some(count) = counts.requests.get_mut(connection) {
                *count += requests;
            }
        }
        if writer.write_all(&responses).await.is_err() || close || received.len() > HEAD_OCTETS_MAX {
            return;
        }
    }
}

#[derive(Default)]
struct Batch {
    responses: Vec<u8>,
    requests: u64,
    close: bool,
}

/// Takes every whole request off the front of `received`, and answers it.
fn respond(received: &mut Vec<u8>, page: &Page) -> Batch {
    let mut batch = Batch::default();
    let mut start = 0;
    while let Some(length) = received[start..].windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&received[start..start + length]).into_owned();
        start += length + 4;
        batch.requests += 1;
        batch.close = head.lines().any(|line| line.eq_ignore_ascii_case("connection: close"));
        write_response(&mut batch.responses, &head, page, batch.close);
        if batch.close {
            break;
        }
    }
    received.drain(..start);
    batch
}

/// Even indices with Content-Length, odd ones chunked.
fn write_response(out: &mut Vec<u8>, head: &str, page: &Page, close: bool) {
    let mut words = head.split(' ');
    let found = match (words.next(), words.next()) {
        (Some("GET"), Some(path)) => page.index(path),
        _ => None,
    };
    let close = if close { "Connection: close\r\n" } else { "" };
    let Some(index) = found else {
        out.extend_from_slice(format!("HTTP/1.1 404 Not Found\r\n{close}Content-Length: 0\r\n\r\n").as_bytes());
        return;
    };
    let content = &page.contents[index];
    if index.is_multiple_of(2) {
        out.extend_from_slice(format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n", content.len()).as_bytes());
        out.extend_from_slice(content);
        return;
    }
    out.extend_from_slice(format!("HTTP/1.1 200 OK\r\n{close}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    for chunk in content.chunks(1000) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_differ_and_are_small() {
        let page = Page::new(1000);
        let distinct: std::collections::HashSet<_> = page.contents().iter().collect();
        assert_eq!(distinct.len(), 1001);
        assert!(page.contents()[1..].iter().all(|content| (256..4352).contains(&content.len())));
    }

    #[test]
    fn batches_are_answered_in_order_and_rests_kept() {
        let page = Page::new(3);
        let mut received = b"GET /resource/2 HTTP/1.1\r\n\r\nGET /no HTTP/1.1\r\n\r\nGET /resou".to_vec();
        let batch = respond(&mut received, &page);
        assert_eq!((batch.requests, batch.close, received.as_slice()), (2, false, &b"GET /resou"[..]));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.contents()[2].len());
        assert!(batch.responses.starts_with(head.as_bytes()));
        assert!(batch.responses.ends_with(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
        received.extend_from_slice(b"rce/1 HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        let batch = respond(&mut received, &page);
        assert_eq!((batch.requests, batch.close), (1, true));
    }
}

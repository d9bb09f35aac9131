//! A server that answers what it has read in one write: pipelined requests together.
//!
//! | target | answer |
//! |---|---|
//! | `/fields/N` | 12 octets, and N field lines |
//! | `/chunks/N` | N chunks of 64 octets |
//!
//! Contents of requests, whose length must be declared, are read and forgotten.

use anyhow::Context;
use std::collections::HashMap;
use std::io::{Read, Write};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const READ_OCTETS: usize = 256 * 1024;
/// The octets of a chunk.
const CHUNK: &[u8; 64] = &[b'c'; 64];

/// Runs until standard input ends.
pub fn run() -> anyhow::Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(listen())
}

async fn listen() -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(4_096)?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

/// What is left of a connection's input when all whole requests have been answered.
#[derive(Default)]
struct Pending {
    head: Vec<u8>,
    content_left: usize,
    /// The answer to the request whose content is being read.
    target: String,
}

async fn serve(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut known = HashMap::new();
    let mut pending = Pending::default();
    let mut received = vec![0; READ_OCTETS];
    let mut answers = Vec::new();
    loop {
        let octets = stream.read(&mut received).await?;
        if octets == 0 {
            return Ok(());
        }
        answers.clear();
        pending.take(&received[..octets], &mut known, &mut answers)?;
        stream.write_all(&answers).await?;
    }
}

impl Pending {
    fn take(&mut self, mut octets: &[u8], known: &mut HashMap<String, Vec<u8>>, answers: &mut Vec<u8>) -> anyhow::Result<()> {
        while !octets.is_empty() {
            if self.content_left > 0 {
                let skipped = octets.len().min(self.content_left);
                octets = &octets[skipped..];
                self.content_left -= skipped;
                if self.content_left == 0 {
                    answer(&self.target, known, answers)?;
                }
                continue;
            }
            let Some(end) = end_of_head(&self.head, octets) else {
                self.head.extend_from_slice(octets);
                return Ok(());
            };
            self.head.extend_from_slice(&octets[..end]);
            octets = &octets[end..];
            let head = std::str::from_utf8(&self.head).context("the head is not text")?;
            let target = head.split(' ').nth(1).context("no request target")?;
            self.content_left = content_length(head)?;
            if self.content_left == 0 {
                answer(target, known, answers)?;
            } else {
                self.target = target.to_owned();
            }
            self.head.clear();
        }
        Ok(())
    }
}

/// How many of `octets` belong to the head that begins with `before`.
fn end_of_head(before: &[u8], octets: &[u8]) -> Option<usize> {
    if before.is_empty() {
        return octets.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    }
    let joined = [before, octets].concat();
    let at = joined.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4 - before.len())
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    if head.starts_with("GET ") {
        return Ok(0);
    }
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    line.map_or(Ok(0), |value| value.parse().context("the length is no number"))
}

fn answer(target: &str, known: &mut HashMap<String, Vec<u8>>, answers: &mut Vec<u8>) -> anyhow::Result<()> {
    if let Some(octets) = known.get(target) {
        answers.extend_from_slice(octets);
        return Ok(());
    }
    let octets = compose(target)?;
    answers.extend_from_slice(&octets);
    known.insert(target.to_owned(), octets);
    Ok(())
}

pub fn compose(target: &str) -> anyhow::Result<Vec<u8>> {
    let (what, count) = target.trim_start_matches('/').split_once('/').context("no such target")?;
    let count: usize = count.parse().context("the target has no number")?;
    match what {
        "fields" => Ok(with_fields(count)),
        "chunks" => Ok(with_chunks(count)),
        _ => anyhow::bail!("no such target: {target}"),
    }
}

/// The names that most servers send come first.
fn with_fields(count: usize) -> Vec<u8> {
    let usual = [
        "Content-Length: 12",
        "Date: Fri, 20 Nov 2026 12:00:00 GMT",
        "Server: batching",
        "Content-Type: text/plain",
        "ETag: \"655b2e00-c\"",
        "Accept-Ranges: bytes",
    ];
    let usual = usual.iter().map(|line| (*line).to_owned());
    let others = (usual.len()..).map(|index| format!("X-Field-{index}: value of field {index}"));
    let lines: Vec<String> = usual.chain(others).take(count).collect();
    format!("HTTP/1.1 200 OK\r\n{}\r\n\r\nhello world\n", lines.join("\r\n")).into_bytes()
}

fn with_chunks(count: usize) -> Vec<u8> {
    let mut octets = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n".to_vec();
    for _ in 0..count {
        octets.extend_from_slice(b"40\r\n");
        octets.extend_from_slice(CHUNK);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b"0\r\n\r\n");
    octets
}

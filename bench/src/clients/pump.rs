//! Octets out, octets in, nothing understood: the limit.

use super::{Client, Kept, Times};
use crate::work::Work;
use anyhow::Context;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

#[derive(Default)]
pub struct Pump {
    line: Kept<Line>,
}

/// A connection, and what crosses it.
pub struct Line {
    socket: TcpStream,
    requests: Vec<u8>,
    answers: u64,
    content: u64,
    received: Vec<u8>,
}

impl Client for Pump {
    fn name(&self) -> &'static str {
        "pump"
    }

    fn about(&self) -> String {
        "prepared requests written, as many octets as the responses have read, nothing parsed; a blocking socket".to_owned()
    }

    fn does(&self, work: &Work) -> bool {
        work.connections == 1
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        if !self.line.fits(work, server) {
            self.line.put(work, server, Line::connect(work, server)?);
        }
        let line = self.line.get()?;
        for _ in 0..exchanges / work.depth {
            let begun = times.begin();
            line.turn()?;
            times.end(begun);
        }
        Ok(u64::from(exchanges) * line.content)
    }
}

impl Line {
    /// Learns from a first answer how many octets one has.
    pub fn connect(work: &Work, server: SocketAddr) -> anyhow::Result<Line> {
        let mut socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        let request = request(work, server);
        socket.write_all(&request)?;
        let mut received = vec![0; 1 << 18];
        let mut head = Vec::new();
        let end = loop {
            let octets = socket.read(&mut received)?;
            anyhow::ensure!(octets > 0, "the server has closed");
            head.extend_from_slice(&received[..octets]);
            if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let answer = end as u64 + octets_behind(&head[..end], work)?;
        let mut line =
            Line { socket, requests: request.repeat(work.depth as usize), answers: answer, content: work.content, received };
        line.read(answer.checked_sub(head.len() as u64).context("more than one answer")?)?;
        line.answers = answer * u64::from(work.depth);
        Ok(line)
    }

    /// As many requests and answers as are under way at once.
    pub fn turn(&mut self) -> anyhow::Result<()> {
        self.socket.write_all(&self.requests)?;
        self.read(self.answers)
    }

    fn read(&mut self, mut octets: u64) -> anyhow::Result<()> {
        while octets > 0 {
            let most = self.received.len().min(usize::try_from(octets).unwrap_or(usize::MAX));
            let read = self.socket.read(&mut self.received[..most])?;
            anyhow::ensure!(read > 0, "the server has closed");
            octets -= read as u64;
        }
        Ok(())
    }
}

fn request(work: &Work, server: SocketAddr) -> Vec<u8> {
    let target = &work.target;
    if work.upload == 0 {
        return format!("GET {target} HTTP/1.1\r\nHost: {server}\r\n\r\n").into_bytes();
    }
    let mut request = format!("PUT {target} HTTP/1.1\r\nHost: {server}\r\nContent-Length: {}\r\n\r\n", work.upload).into_bytes();
    request.resize(request.len() + work.upload, b'u');
    request
}

/// How many octets follow the head.
fn octets_behind(head: &[u8], work: &Work) -> anyhow::Result<u64> {
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    if !head.contains("transfer-encoding: chunked") {
        return Ok(work.content);
    }
    // The chunks of our own server: 64 octets, the line before them, and the two octets behind each.
    Ok(work.content / 64 * (4 + 64 + 2) + 5)
}

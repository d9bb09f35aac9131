//! Our core, built natively, on a socket: what the sandbox costs is the difference.

use super::{Client, Kept, Times};
use crate::work::Work;
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use sandpiper_guest::conn::{ClientConn, ExchangeId};
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer;
use sandpiper_guest::types::{Chunk, ConnOptions, Ending, Persistence, Request, RequestContent};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// Octets that one read of a content that is not gathered asks for.
const READ_OCTETS: u64 = 1 << 18;

#[derive(Default)]
pub struct Core {
    line: Kept<Line>,
}

/// A connection of the core with its socket.
struct Line {
    conn: ClientConn,
    socket: TcpStream,
    began: Instant,
    received: Vec<u8>,
}

impl Client for Core {
    fn name(&self) -> &'static str {
        "core"
    }

    fn about(&self) -> String {
        "the core of the component, built natively, on a socket and `poll(2)`".to_owned()
    }

    fn does(&self, work: &Work) -> bool {
        work.connections == 1
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        if !self.line.fits(work, server) {
            self.line.clear();
            self.line.put(work, server, Line::connect(server, work.depth)?);
        }
        let line = self.line.get()?;
        let request = request(&work.target, work.upload);
        if work.streamed {
            return line.stream(&request, exchanges);
        }
        let mut waiting = VecDeque::new();
        let (mut sent, mut octets) = (0, 0);
        while sent < exchanges || !waiting.is_empty() {
            let begun = times.begin();
            while sent < exchanges && waiting.len() < work.depth as usize {
                waiting.push_back(line.send(&request)?);
                sent += 1;
            }
            octets += line.gather(&mut waiting)?;
            times.end(begun);
        }
        Ok(octets)
    }
}

/// As the host would hand it in.
pub fn request(target: &str, upload: usize) -> Request {
    Request {
        method: if upload == 0 { "GET" } else { "PUT" }.to_owned(),
        request_target: target.to_owned(),
        authority: None,
        fields: Vec::new(),
        content: if upload == 0 { RequestContent::None } else { RequestContent::Whole(vec![b'u'; upload]) },
        options: None,
    }
}

/// A connection that pipelines from the start.
pub fn connection(authority: String, depth: u32) -> anyhow::Result<ClientConn> {
    let options = ConnOptions {
        persistence: Some(Persistence::Assume),
        pipeline_depth_max: Some(depth),
        limits: None,
        deadlines: None,
        leniency: None,
        half_close: None,
        log_entries_max: None,
    };
    let settings = Settings::checked(Some(&options)).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut conn = ClientConn::new(1, authority, settings, timer::Instant(0));
    conn.established(None, None, timer::Instant(0));
    Ok(conn)
}

impl Line {
    fn connect(server: SocketAddr, depth: u32) -> anyhow::Result<Line> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Line { conn: connection(server.to_string(), depth)?, socket, began: Instant::now(), received: vec![0; 65_536] })
    }

    fn now(&self) -> timer::Instant {
        timer::Instant(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn send(&mut self, request: &Request) -> anyhow::Result<ExchangeId> {
        let now = self.now();
        let id = self.conn.send(request.clone(), 0, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        self.conn.begin_collect(id, u64::MAX, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        Ok(id)
    }

    /// Waits for the first one, and takes all that are whole.
    fn gather(&mut self, waiting: &mut VecDeque<ExchangeId>) -> anyhow::Result<u64> {
        let mut octets = 0;
        self.advance()?;
        while let Some(id) = waiting.front() {
            if let Some(response) = self.conn.take_response(*id) {
                let response = response.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
                anyhow::ensure!(response.head.status == 200, "status {}", response.head.status);
                octets += response.content.len() as u64;
                let now = self.now();
                self.conn.forget(*id, now);
                waiting.pop_front();
            } else if octets > 0 {
                break;
            } else {
                self.wait()?;
                self.advance()?;
            }
        }
        Ok(octets)
    }

    fn stream(&mut self, request: &Request, exchanges: u32) -> anyhow::Result<u64> {
        let mut octets = 0;
        for _ in 0..exchanges {
            let now = self.now();
            let id = self.conn.send(request.clone(), 0, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            self.advance()?;
            loop {
                let now = self.now();
                match self.conn.read(id, READ_OCTETS, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))? {
                    Chunk::Data(content) => octets += content.len() as u64,
                    Chunk::WouldBlock => {
                        self.wait()?;
                        self.advance()?;
                    }
                    Chunk::End(_) => break,
                }
            }
            let now = self.now();
            self.conn.forget(id, now);
        }
        Ok(octets)
    }

    /// Moves what can be moved: as the component does it, reading first.
    fn advance(&mut self) -> anyhow::Result<()> {
        loop {
            let wanted = self.conn.wants_octets().min(self.received.len());
            if wanted == 0 {
                break;
            }
            let read = self.socket.read(&mut self.received[..wanted]);
            let now = self.now();
            match read {
                Ok(0) => self.conn.receive_end(Ending::Ended, now),
                Ok(octets) => {
                    self.conn.receive(self.received[..octets].to_vec(), now);
                    if octets == wanted || self.conn.wants_look() {
                        continue;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.conn.nothing_to_receive(now),
                Err(error) => return Err(error).context("read"),
            }
            break;
        }
        while !self.conn.to_transmit().is_empty() {
            match self.socket.write(self.conn.to_transmit()) {
                Ok(octets) => {
                    let now = self.now();
                    self.conn.transmitted(octets, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("write"),
            }
        }
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let mut flags = PollFlags::IN;
        if !self.conn.to_transmit().is_empty() {
            flags |= PollFlags::OUT;
        }
        poll(&mut [PollFd::new(&self.socket, flags)], None)?;
        Ok(())
    }
}

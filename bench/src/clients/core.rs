//! Our core, built natively, on a socket: what the sandbox costs is the difference.

use super::{Client, Kept, Times};
use crate::work::Work;
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use sandpiper_guest::conn::{ClientConn, ExchangeId};
use sandpiper_guest::dial::Progress;
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer;
use sandpiper_guest::types::{Chunk, ConnOptions, Ending, Limit, Persistence, Request, RequestContent};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// Octets that one read of a content that is not gathered asks for.
const READ_OCTETS: u64 = 1 << 18;

#[derive(Default)]
pub struct Core {
    lines: Kept<Vec<Line>>,
}

/// A connection of the core with its socket.
struct Line {
    conn: ClientConn,
    socket: TcpStream,
    began: Instant,
    received: Vec<u8>,
    /// Exchanges that have not been gathered.
    waiting: VecDeque<ExchangeId>,
}

impl Client for Core {
    fn name(&self) -> &'static str {
        "core"
    }

    fn about(&self) -> String {
        "the core of the component, built natively, on a socket and `poll(2)`".to_owned()
    }

    fn does(&self, _: &Work) -> bool {
        true
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        if !self.lines.fits(work, server) {
            self.lines.clear();
            let lines: anyhow::Result<_> = (0..work.connections).map(|_| Line::connect(server, work.depth)).collect();
            self.lines.put(work, server, lines?);
        }
        let lines = self.lines.get()?;
        let request = request(&work.target, work.upload);
        match lines.as_mut_slice() {
            [line] if work.streamed => line.stream(&request, exchanges),
            lines => gather(lines, &request, work.depth as usize, exchanges, times),
        }
    }
}

/// So many exchanges on these connections, each of them as deep.
fn gather(lines: &mut [Line], request: &Request, depth: usize, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
    let (mut sent, mut gathered, mut octets) = (0, 0, 0);
    let mut ready: Vec<usize> = (0..lines.len()).collect();
    let mut begun = times.begin();
    while gathered < exchanges {
        for place in ready {
            let line = &mut lines[place];
            line.advance()?;
            let taken = line.take()?;
            gathered += taken.0;
            octets += taken.1;
            let left = line.waiting.len();
            while sent < exchanges && line.waiting.len() < depth {
                line.send(request)?;
                sent += 1;
            }
            if line.waiting.len() > left {
                line.advance()?;
            }
            if taken.0 > 0 {
                times.end(begun);
                begun = times.begin();
            }
        }
        ready = if gathered < exchanges { wait(lines)? } else { Vec::new() };
    }
    Ok(octets)
}

/// Waits until some of them can go on.
fn wait(lines: &[Line]) -> anyhow::Result<Vec<usize>> {
    let mut polled: Vec<_> = lines.iter().map(Line::polled).collect();
    poll(&mut polled, None)?;
    Ok(polled.iter().enumerate().filter(|(_, polled)| !polled.revents().is_empty()).map(|(place, _)| place).collect())
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
        limits: vec![(Limit::Outstanding, depth.into())],
        ..ConnOptions::default()
    };
    let settings = Settings::checked(Some(&options)).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut conn = ClientConn::new(1, authority, settings, timer::Instant(0));
    conn.progress(Progress::ESTABLISHED, timer::Instant(0));
    Ok(conn)
}

impl Line {
    fn connect(server: SocketAddr, depth: u32) -> anyhow::Result<Line> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let conn = connection(server.to_string(), depth)?;
        Ok(Line { conn, socket, began: Instant::now(), received: vec![0; 65_536], waiting: VecDeque::new() })
    }

    fn now(&self) -> timer::Instant {
        timer::Instant(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let now = self.now();
        let id = self.conn.send(request.clone(), 0, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        self.conn.begin_collect(id, u64::MAX, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        self.waiting.push_back(id);
        Ok(())
    }

    /// Takes the responses that are whole: how many, and the octets of their contents.
    fn take(&mut self) -> anyhow::Result<(u32, u64)> {
        let (mut count, mut octets) = (0, 0);
        while let Some(id) = self.waiting.front() {
            let Some(response) = self.conn.take_response(*id) else { break };
            let response = response.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            anyhow::ensure!(response.head.status == 200, "status {}", response.head.status);
            octets += response.content.len() as u64;
            count += 1;
            let now = self.now();
            self.conn.forget(*id, now);
            self.waiting.pop_front();
        }
        Ok((count, octets))
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
                        wait(std::slice::from_ref(self))?;
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
                    if octets == wanted || self.conn.wants_read_first() {
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

    /// What it waits for.
    fn polled(&self) -> PollFd<'_> {
        let mut flags = PollFlags::IN;
        if !self.conn.to_transmit().is_empty() {
            flags |= PollFlags::OUT;
        }
        PollFd::new(&self.socket, flags)
    }
}

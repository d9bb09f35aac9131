//! Servers that do one thing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Connections that wait to be accepted.
const QUEUE: i32 = 128;

/// A server on a loopback port; it ends with the test's process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Runs `serve` in a thread of its own for each connection, with the connection's number from 1.
    pub(crate) fn start(serve: impl Fn(usize, Connection) + Send + Sync + 'static) -> Self {
        Self::start_later(Duration::ZERO, serve)
    }

    /// Nothing listens until `delay` has passed, unless that is zero.
    pub(crate) fn start_later(delay: Duration, serve: impl Fn(usize, Connection) + Send + Sync + 'static) -> Self {
        let (socket, address) = taken_port();
        if delay.is_zero() {
            rustix::net::listen(&socket, QUEUE).unwrap();
        }
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, serve) = (Arc::clone(&accepted), Arc::new(serve));
        std::thread::spawn(move || {
            if !delay.is_zero() {
                std::thread::sleep(delay);
                rustix::net::listen(&socket, QUEUE).unwrap();
            }
            for stream in TcpListener::from(socket).incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let serve = Arc::clone(&serve);
                let connection = Connection::on(stream.unwrap());
                std::thread::spawn(move || serve(number, connection));
            }
        });
        Self { address, accepted }
    }

    /// Answers every request with its target as content.
    pub(crate) fn echo() -> Self {
        Self::start(|_, mut connection| {
            while let Some(request) = connection.request() {
                connection.answer(request.target().as_bytes());
            }
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Request {
    /// With the line ends as sent.
    pub(crate) head: String,
    /// As framed on the wire.
    pub(crate) content: Vec<u8>,
}

impl Request {
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.split("\r\n").skip(1);
        lines.filter_map(|line| line.split_once(": ")).find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Connection {
    pub(crate) fn on(stream: TcpStream) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn request(&mut self) -> Option<Request> {
        let head = self.head()?;
        let mut request = Request { head, content: Vec::new() };
        if let Some(length) = request.field("Content-Length") {
            request.content = vec![0; length.parse().unwrap()];
            self.reader.read_exact(&mut request.content).ok()?;
        }
        if request.field("Transfer-Encoding") == Some("chunked") {
            self.chunked(&mut request.content)?;
        }
        Some(request)
    }

    /// A head alone, whatever follows it.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    /// Up to the empty line behind the trailer section.
    fn chunked(&mut self, content: &mut Vec<u8>) -> Option<()> {
        loop {
            let start = content.len();
            self.reader.read_until(b'\n', content).ok()?;
            let size = usize::from_str_radix(std::str::from_utf8(&content[start..]).ok()?.trim_end(), 16).ok()?;
            if size == 0 {
                break;
            }
            let end = content.len() + size + 2;
            content.resize(end, 0);
            self.reader.read_exact(&mut content[end - size - 2..]).ok()?;
        }
        while !content.ends_with(b"\r\n\r\n") {
            if self.reader.read_until(b'\n', content).ok()? == 0 {
                return None;
            }
        }
        Some(())
    }

    /// Some of what comes next; 0: nothing will.
    pub(crate) fn read(&mut self, octets: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(octets)
    }

    /// The next chunk of a content, without its framing; `None`: it was the last.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    pub(crate) fn write(&mut self, octets: &[u8]) {
        // The program may have gone.
        _ = self.reader.get_mut().write_all(octets);
    }

    /// 200 with a length.
    pub(crate) fn answer(&mut self, content: &[u8]) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
        self.write(&[head.as_bytes(), content].concat());
    }

    pub(crate) fn read_exact(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.reader.read_exact(&mut octets).unwrap();
        octets
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }

    /// Nothing more comes; requests that are on their way are not heeded.
    pub(crate) fn end(&mut self) {
        _ = self.stream().shutdown(std::net::Shutdown::Write);
        self.linger();
    }

    /// Until the peer is gone.
    pub(crate) fn linger(&mut self) {
        _ = std::io::copy(&mut self.reader, &mut std::io::sink());
    }
}

/// An address that never accepts: further connections stay half-open while what is given lives. `None`: this machine has no such thing.
pub(crate) fn never_accepts() -> Option<(SocketAddr, TcpListener, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    // Nobody accepts, and at last the queue is full.
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
        if waiting.len() > 5000 {
            return None;
        }
    }
    Some((address, listener, waiting))
}

/// A port that nothing listens on.
pub(crate) fn dead_port() -> SocketAddr {
    let (socket, address) = taken_port();
    // Until the process ends: no server of another test is given the port.
    std::mem::forget(socket);
    address
}

/// A socket with a port of its own, on which nothing listens: connections are refused.
fn taken_port() -> (OwnedFd, SocketAddr) {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

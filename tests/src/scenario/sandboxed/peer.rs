//! The other end of the connection, on a socket of its own.

use super::{PATIENCE, PAUSE};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Instant;
use tokio::runtime::Runtime;

/// The other end, on a socket of its own.
pub(super) struct Peer {
    listener: TcpListener,
    pub(super) port: u16,
    stream: Option<TcpStream>,
    pub(super) reads: bool,
    pub(super) octets: Vec<u8>,
    pub(super) to_write: Vec<u8>,
    pub(super) written: usize,
    pub(super) end_after_writing: bool,
    /// It has sent FIN, or is gone.
    pub(super) ended: bool,
    pub(super) reset: bool,
    pub(super) saw_end: bool,
}

impl Peer {
    pub(super) fn new() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
        listener.set_nonblocking(true).expect("non-blocking");
        let port = listener.local_addr().expect("an address").port();
        Peer {
            listener,
            port,
            stream: None,
            reads: true,
            octets: Vec::new(),
            to_write: Vec::new(),
            written: 0,
            end_after_writing: false,
            ended: false,
            reset: false,
            saw_end: false,
        }
    }

    fn accepted(&self) -> bool {
        self.stream.is_some() || self.reset
    }

    pub(super) fn is_gone(&self) -> bool {
        self.reset
    }

    /// Waits for the connection.
    pub(super) fn accept(&mut self, runtime: &Runtime) {
        let began = Instant::now();
        while !self.accepted() {
            self.move_octets();
            assert!(began.elapsed() < PATIENCE, "nobody connects");
            runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        }
    }

    pub(super) fn reset(&mut self, runtime: &Runtime) {
        if let Some(stream) = self.stream.take() {
            let _context = runtime.enter();
            let stream = tokio::net::TcpStream::from_std(stream).expect("non-blocking");
            stream.set_zero_linger().expect("a socket");
        }
        self.ended = true;
        self.reset = true;
    }

    pub(super) fn move_octets(&mut self) {
        if !self.accepted()
            && let Ok((stream, _)) = self.listener.accept()
        {
            stream.set_nonblocking(true).expect("non-blocking");
            stream.set_nodelay(true).expect("a socket");
            self.stream = Some(stream);
        }
        let Some(stream) = &mut self.stream else { return };
        while !self.to_write.is_empty() {
            match stream.write(&self.to_write) {
                Ok(octets) => {
                    self.written += octets;
                    self.to_write.drain(..octets);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The component has closed: what is left stays here.
                Err(_) => self.to_write.clear(),
            }
        }
        if self.end_after_writing && self.to_write.is_empty() && !self.ended {
            self.ended = true;
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut block = [0; 65_536];
        while self.reads && !self.saw_end {
            match stream.read(&mut block) {
                Ok(0) => self.saw_end = true,
                Ok(octets) => self.octets.extend_from_slice(&block[..octets]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.saw_end = true,
            }
        }
    }
}

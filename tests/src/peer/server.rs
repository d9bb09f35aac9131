//! A server that answers what it is asked, by the target, and reads as strictly as [`crate::peer`] does.
//!
//! | target | answer |
//! |---|---|
//! | `/big…` | [`BIG_OCTETS`] octets of content |
//! | `/chunked…` | chunks, and a trailer section |
//! | `/early…` | an interim response first |
//! | `/last…` | `Connection: close` |
//! | `/upgrade` | a switch, then an echo |
//! | any other | the target, and how much content came |

use crate::message::{chunked, joined, last, ok};
use crate::peer::{self, Seen};
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Content that no buffer of a network holds at once.
pub const BIG_OCTETS: usize = 300_000;

/// What a server notes.
#[derive(Debug, Default)]
struct Noted {
    wrong: Mutex<Vec<String>>,
    requests: Mutex<Vec<String>>,
}

fn lock(lines: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server on the loopback interface. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    noted: Arc<Noted>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts it, in this runtime.
    ///
    /// # Panics
    /// Without a loopback network.
    pub async fn start() -> Server {
        Server::start_with(None).await
    }

    /// The same, with TLS.
    ///
    /// # Panics
    /// Without a loopback network.
    pub async fn start_tls(config: ServerConfig) -> Server {
        Server::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback network");
        let address = listener.local_addr().expect("an address");
        let noted = Arc::new(Noted::default());
        let notes = Arc::clone(&noted);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, tls) = (Arc::clone(&notes), tls.clone());
                tokio::spawn(async move {
                    let served = match tls {
                        None => serve(stream, &noted).await,
                        // What becomes of a handshake is the client's to tell.
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &noted).await,
                            Err(_) => Ok(()),
                        },
                    };
                    if let Err(wrong) = served {
                        lock(&noted.wrong).push(wrong);
                    }
                });
            }
        });
        Server { address, noted, task }
    }

    /// What it got that is no request, since the last time.
    pub fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.noted.wrong))
    }

    /// The requests that it has read at least the heads of, since the last time: method and target.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.noted.requests))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a connection to its end. An error is a request that is wrong: what the network does to a connection is none.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, noted: &Noted) -> Result<(), String> {
    let mut received = Vec::new();
    let mut continued = false;
    loop {
        if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
            return Ok(());
        }
        while let Some((seen, taken)) = peer::read(&received)? {
            lock(&noted.requests).push(format!("{} {}", seen.method, seen.target));
            let reply = match seen.whole {
                true => answer(&seen),
                false if !continued && seen.field("expect").is_some() => b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
                false => break,
            };
            continued = !seen.whole;
            if stream.write_all(&reply).await.is_err() || seen.target.starts_with("/last") {
                return Ok(());
            }
            if !seen.whole {
                break;
            }
            received.drain(..taken);
            if seen.target == "/upgrade" {
                return echo(stream, received).await;
            }
        }
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, mut received: Vec<u8>) -> Result<(), String> {
    loop {
        if stream.write_all(&received).await.is_err() {
            return Ok(());
        }
        received.clear();
        if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
            return Ok(());
        }
    }
}

fn answer(seen: &Seen) -> Vec<u8> {
    let text = match seen.content.len() {
        0 => seen.target.clone(),
        octets => format!("{} {octets}", seen.target),
    };
    match seen.target.as_str() {
        "/upgrade" => b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n".to_vec(),
        target if target.starts_with("/big") => ok(vec![b'b'; BIG_OCTETS]),
        target if target.starts_with("/chunked") => chunked(&["chunks of ", &text], "Sum: 1\r\n"),
        target if target.starts_with("/early") => joined([b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(), ok(text)]),
        target if target.starts_with("/last") => last(text),
        _ => ok(text),
    }
}

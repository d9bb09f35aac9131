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
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Content that no buffer of a network holds at once.
pub const BIG_OCTETS: usize = 300_000;

/// A server on the loopback interface. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    wrong: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts it, in this runtime.
    ///
    /// # Panics
    /// Without a loopback network.
    pub async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback network");
        let address = listener.local_addr().expect("an address");
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&wrong);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    if let Err(wrong) = serve(stream).await {
                        noted.lock().unwrap_or_else(PoisonError::into_inner).push(wrong);
                    }
                });
            }
        });
        Server { address, wrong, task }
    }

    /// What it got that is no request, since the last time.
    pub fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut *self.wrong.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a connection to its end. An error is a request that is wrong: what the network does to a connection is none.
async fn serve(mut stream: TcpStream) -> Result<(), String> {
    let mut received = Vec::new();
    let mut continued = false;
    loop {
        if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
            return Ok(());
        }
        while let Some((seen, taken)) = peer::read(&received)? {
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

async fn echo(mut stream: TcpStream, mut received: Vec<u8>) -> Result<(), String> {
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

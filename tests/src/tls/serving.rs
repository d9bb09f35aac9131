//! A server on loopback that does one thing to each connection, and tells what it saw.

use super::client::Version;
use rustls::HandshakeKind;
use std::any::Any;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a server waits for a client: a bound of the whole run, nothing that a case depends on.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a server saw of one connection.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The name in the ClientHello (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// The application protocols in the ClientHello, in their order.
    pub alpn_offered: Vec<String>,
    /// The one that was selected.
    pub alpn: Option<String>,
    /// The version that was agreed on.
    pub version: Option<Version>,
    /// Whether it was a full handshake; nothing when it was not done.
    pub kind: Option<HandshakeKind>,
    /// The client's certificates, in DER.
    pub client_certificates: Vec<Vec<u8>>,
    /// Octets of requests, decrypted; of a server without TLS, those from the first request line on.
    pub plaintext: usize,
    /// Requests that were whole.
    pub requests: usize,
    /// Whether the client closed with `close_notify`; nothing where that was not looked at.
    pub close_notify: Option<bool>,
    /// What ended the connection for the server, if anything did.
    pub error: Option<String>,
}

type Seens = Arc<Mutex<Vec<Seen>>>;

/// A running server. It ends with this value.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Seens,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
    behind: Vec<Box<dyn Any + Send>>,
    /// For a server that does not tell what it saw, only a client's outcome counts.
    pub tells: bool,
}

impl Serving {
    /// Does this to each connection, in a thread of its own.
    pub fn start(serve: impl Fn(TcpStream, &mut Seen) + Send + Sync + 'static) -> Serving {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
        let address = listener.local_addr().expect("an address");
        let (seen, stop) = (Seens::default(), Arc::new(AtomicBool::new(false)));
        let (seens, stopped, serve) = (Arc::clone(&seen), Arc::clone(&stop), Arc::new(serve));
        let accepting = std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                // A last small write of a flight is not to wait for an acknowledgement.
                let _ = stream.set_nodelay(true);
                let (seens, serve) = (Arc::clone(&seens), Arc::clone(&serve));
                let place = connections.len();
                seens.lock().unwrap_or_else(PoisonError::into_inner).push(Seen::default());
                connections.push(std::thread::spawn(move || {
                    let _ = stream.set_nodelay(true);
                    let _ = stream.set_read_timeout(Some(PATIENCE));
                    let _ = stream.set_write_timeout(Some(PATIENCE));
                    let mut saw = Seen::default();
                    serve(stream, &mut saw);
                    if let Some(slot) = seens.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
                        *slot = saw;
                    }
                }));
            }
            for connection in connections {
                let _ = connection.join();
            }
        });
        Serving { address, seen, stop, listener: Some(accepting), behind: Vec::new(), tells: true }
    }

    /// A server that is a program: it runs as long as `held`, and does not tell what it saw.
    pub fn elsewhere(address: SocketAddr, held: impl Any + Send) -> Serving {
        let stop = Arc::new(AtomicBool::new(true));
        Serving { address, seen: Seens::default(), stop, listener: None, behind: vec![Box::new(held)], tells: false }
    }

    /// What stands in front of `inner` and tells what that one saw.
    #[must_use]
    pub fn in_front_of(mut self, mut inner: Serving) -> Serving {
        self.seen = Arc::clone(&inner.seen);
        self.tells = inner.tells;
        self.behind.append(&mut inner.behind);
        self.behind.push(Box::new(inner));
        self
    }

    /// Ends it, once its connections have ended, and says what it saw, in the order of the connections.
    pub fn finish(mut self) -> Vec<Seen> {
        self.close();
        self.behind.clear();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            self.stop.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(self.address);
            let _ = listener.join();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.close();
    }
}

/// Ends our direction, and reads until the client ends its own, so that nothing that was written is lost to a reset.
pub fn end(stream: &TcpStream) -> Vec<u8> {
    let _ = stream.shutdown(Shutdown::Write);
    rest(stream)
}

/// What still comes.
pub fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    rest
}

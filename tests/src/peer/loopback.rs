//! Servers on the loopback interface, each in a thread, that do what a test tells them.

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use sandpiper_host::Endpoint;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a test waits for what has to come. It is no measure of speed: whoever waits so long waits in vain.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Holds the threads of a server back until a test lets them through: the order of things then depends on no clock.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Waits until it is open.
    pub fn pass(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Opens it, for ever.
    pub fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that does as it is told with each connection; they count from 1. Gives its port and how many it has accepted.
///
/// # Panics
/// Without a loopback network.
pub fn serve(act: impl Fn(usize, TcpStream) + Send + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback network");
    let port = listener.local_addr().expect("an address").port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            act(counter.fetch_add(1, Ordering::SeqCst) + 1, stream);
        }
    });
    (port, accepted)
}

/// A connection with TLS.
pub type Secured = StreamOwned<ServerConnection, TcpStream>;

/// What a server with TLS has seen.
#[derive(Debug, Default)]
pub struct Handshakes {
    /// Of each connection whose handshake was done, in the order in which they were: whether it resumed a session.
    pub resumed: Vec<bool>,
    /// Those that failed.
    pub failed: usize,
}

/// The same with TLS, each connection in a thread of its own. A handshake that fails is a connection that is over.
///
/// # Panics
/// Without a loopback network.
pub fn serve_tls(
    config: ServerConfig,
    act: impl Fn(usize, &mut Secured) + Send + Sync + 'static,
) -> (u16, Arc<AtomicUsize>, Arc<Mutex<Handshakes>>) {
    let (config, act, handshakes) = (Arc::new(config), Arc::new(act), Arc::<Mutex<Handshakes>>::default());
    let seen = Arc::clone(&handshakes);
    let (port, accepted) = serve(move |number, mut tcp| {
        let (config, act, seen) = (Arc::clone(&config), Arc::clone(&act), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut tls = ServerConnection::new(config).expect("a configuration that works");
            let done = tls.complete_io(&mut tcp).is_ok() && !tls.is_handshaking();
            {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match done {
                    true => seen.resumed.push(tls.handshake_kind() == Some(HandshakeKind::Resumed)),
                    false => seen.failed += 1,
                }
            }
            if done {
                act(number, &mut StreamOwned::new(tls, tcp));
            }
        });
    });
    (port, accepted, handshakes)
}

/// The target of the next request, which has no content; `None` at the end.
pub fn target(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    String::from_utf8_lossy(&head).split(' ').nth(1).map(str::to_owned)
}

/// Answers with a 200 and this content.
///
/// # Panics
/// When the client has gone.
pub fn answer(stream: &mut impl Write, content: &str) {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len()).expect("written");
}

/// An endpoint on the loopback interface.
pub fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: "example.test".to_owned(), port, addresses: vec!["127.0.0.1".to_owned()], tls: None }
}

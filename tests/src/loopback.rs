//! Servers on the loopback interface, each in a thread, that do what a test tells them.

use sandpiper_host::Endpoint;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// The target of the next request, which has no content; `None` at the end.
pub fn target(stream: &mut TcpStream) -> Option<String> {
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
pub fn answer(stream: &mut TcpStream, content: &str) {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len()).expect("written");
}

/// An endpoint on the loopback interface.
pub fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: "example.test".to_owned(), port, addresses: vec!["127.0.0.1".to_owned()], tls: None }
}

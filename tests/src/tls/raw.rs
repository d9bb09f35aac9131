//! Servers that are none, or break TLS with octets of their own.

use super::proxy::{framed, read_record};
use super::serving::{Serving, end, rest};
use std::io::Write;
use std::net::{Shutdown, TcpStream};

/// More than any client should take before it gives up.
const ENDLESS: usize = 64 << 20;

/// Waits for the ClientHello, does this, ends its direction, and looks for a request among what came.
pub fn behind_hello(answer: impl Fn(&TcpStream) + Send + Sync + 'static) -> Serving {
    Serving::start(move |stream, seen| {
        let mut came = read_record(&stream).ok().flatten().unwrap_or_default();
        // Read all the time: a client that resets the connection would take with it what nobody has read yet.
        let reading = stream.try_clone().map(|stream| std::thread::spawn(move || rest(&stream)));
        answer(&stream);
        let _ = stream.shutdown(Shutdown::Write);
        came.extend(reading.ok().and_then(|reading| reading.join().ok()).unwrap_or_default());
        let request = came.windows(5).position(|octets| octets == b"GET /");
        seen.plaintext = request.map_or(0, |start| came.len() - start);
    })
}

/// Writes these octets behind the ClientHello.
pub fn octets(octets: &[u8]) -> Serving {
    let octets = octets.to_vec();
    behind_hello(move |mut stream| drop(stream.write_all(&octets)))
}

/// Writes an alert in place of the ServerHello.
pub fn alert(level: u8, code: u8) -> Serving {
    octets(&framed(21, &[level, code]))
}

/// Writes the start once, and then the rest again and again, for as long as the client takes them.
pub fn endless(start: Vec<u8>, octets: Vec<u8>) -> Serving {
    let block = octets.repeat((16 << 10) / octets.len().max(1) + 1);
    behind_hello(move |mut stream| {
        let mut goes_on = stream.write_all(&start).is_ok();
        let mut written = 0;
        while goes_on && written < ENDLESS {
            goes_on = stream.write_all(&block).is_ok();
            written += block.len();
        }
    })
}

/// Ends at once, without waiting for anything.
pub fn ends() -> Serving {
    Serving::start(|stream, _| drop(end(&stream)))
}

/// Says nothing until the client goes.
pub fn mute() -> Serving {
    Serving::start(|stream, seen| {
        let came = rest(&stream);
        seen.plaintext = usize::from(came.windows(5).any(|octets| octets == b"GET /"));
    })
}

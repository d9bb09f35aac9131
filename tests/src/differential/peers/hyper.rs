//! hyper's `client::conn::http1` on a transport in memory, polled by hand: nothing depends on time.

use crate::differential::case::Case;
use crate::differential::outcome::{Fields, Outcome, Reading};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{HeaderMap, Request, Response};
use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How often everything is polled before it counts as waiting.
const ROUNDS: usize = 64;

/// The network: octets on their way to the client, and what it has sent.
#[derive(Default)]
struct Network {
    coming: Vec<u8>,
    ended: bool,
    sent: Vec<u8>,
    moved: usize,
}

struct Transport(Rc<RefCell<Network>>);

impl Read for Transport {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut network = self.0.borrow_mut();
        let octets = network.coming.len().min(buffer.remaining());
        if octets == 0 && !network.ended {
            return Poll::Pending;
        }
        let piece: Vec<u8> = network.coming.drain(..octets).collect();
        network.moved += octets;
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl Write for Transport {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().sent.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection with one request on it.
struct Driver {
    network: Rc<RefCell<Network>>,
    conn: Option<Connection<Transport, String>>,
    sender: SendRequest<String>,
}

impl Driver {
    fn new() -> Driver {
        let network = Rc::new(RefCell::new(Network::default()));
        let mut hands = pin!(handshake(Transport(Rc::clone(&network))));
        let Poll::Ready(Ok((sender, conn))) = hands.as_mut().poll(&mut context()) else { unreachable!("it waits for nothing") };
        Driver { network, conn: Some(conn), sender }
    }

    /// Lets the connection do what it can.
    fn turn(&mut self) {
        if let Some(conn) = &mut self.conn
            && Pin::new(conn).poll(&mut context()).is_ready()
        {
            self.conn = None;
        }
    }

    /// Polls until there is something; the peer closes when nothing more comes of what it has sent.
    fn wait<T>(&mut self, mut poll: impl FnMut(&mut Driver) -> Poll<T>) -> Option<T> {
        for closes in [false, true] {
            if closes {
                self.network.borrow_mut().ended = true;
            }
            let mut quiet = 0;
            while quiet < ROUNDS {
                let moved = self.network.borrow().moved;
                self.turn();
                if let Poll::Ready(found) = poll(self) {
                    return Some(found);
                }
                quiet = if self.network.borrow().moved == moved { quiet + 1 } else { 0 };
            }
        }
        None
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn refusal(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn sorted(map: &HeaderMap) -> Fields {
    crate::differential::outcome::fields(map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// What hyper makes of a case.
pub(super) fn outcome(case: &Case) -> Outcome {
    let mut driver = Driver::new();
    driver.turn();
    let request = Request::builder().method(case.method.as_str()).uri("/").header("Host", "example.test").body(String::new());
    let Ok(request) = request else { return Outcome::Refused("the request".to_owned()) };
    let mut sending = Box::pin(driver.sender.send_request(request));
    for _ in 0..ROUNDS {
        driver.turn();
        if sending.as_mut().poll(&mut context()).is_ready() {
            return Outcome::Refused("an answer before the response".to_owned());
        }
    }
    assert!(driver.network.borrow().sent.ends_with(b"\r\n\r\n"), "the request has left");
    driver.network.borrow_mut().coming.clone_from(&case.octets);
    match driver.wait(|_| sending.as_mut().poll(&mut context())) {
        Some(Ok(response)) => receive(&mut driver, response),
        Some(Err(error)) => Outcome::Refused(refusal(&error)),
        None => Outcome::Refused("it never answers".to_owned()),
    }
}

fn receive(driver: &mut Driver, response: Response<Incoming>) -> Outcome {
    let (head, mut body) = response.into_parts();
    let (mut content, mut trailers) = (Vec::new(), Fields::new());
    loop {
        match driver.wait(|_| Pin::new(&mut body).poll_frame(&mut context())) {
            None => return Outcome::Refused("it never ends".to_owned()),
            Some(Some(Err(error))) => return Outcome::Refused(refusal(&error)),
            Some(None) => break,
            Some(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => content.extend_from_slice(&data),
                Err(frame) => trailers = frame.trailers_ref().map(sorted).unwrap_or_default(),
            },
        }
    }
    for _ in 0..ROUNDS {
        driver.turn();
    }
    let reusable = driver.conn.is_some() && driver.sender.is_ready();
    let fields = sorted(&head.headers);
    Outcome::Accepted(Reading {
        status: head.status.as_u16(),
        fields,
        content,
        trailers: Some(trailers),
        reusable,
        ended_by: String::new(),
    })
}

//! A connection with its transport.

use super::broken;
use super::clock::{self, Alarm};
use super::dial::{Dial, Dialled};
use super::transport::{Streams, Transport};
use crate::conn::{ClientConn, TransportWish};
use crate::settings::Settings;
use crate::timer::Instant;
use crate::types::{ConnOptions, Endpoint, Error, Persistence};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};

/// The id of the last connection of the instance.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A driver, shared by the handles of its connection and of its exchanges, and by the poll that it is in.
pub(super) type Shared = Rc<RefCell<Driver>>;

/// Moves octets between a connection and its transport.
pub(super) struct Driver {
    pub(super) conn: ClientConn,
    link: Link,
    alarm: Alarm,
    /// It is in a poll.
    pub(super) polled: bool,
    /// The handle of the connection is gone.
    pub(super) dropped: bool,
    /// Subscriptions whose pollables have not been given back.
    pub(super) lent: usize,
}

enum Link {
    Dialling(Dial),
    Established(Transport),
    /// Shut down, and kept because its pollables are lent.
    Lent(Transport),
    Gone,
}

impl Driver {
    /// Begins to connect.
    pub(super) fn connect(endpoint: Endpoint, options: Option<&ConnOptions>) -> Result<Shared, Error> {
        let mut settings = Settings::checked(options)?;
        let authority = super::dial::authority(&endpoint);
        if settings.persistence == Persistence::Assume && broken::take(&authority) {
            settings.persistence = Persistence::Learn;
        }
        Ok(Driver::shared(Link::Dialling(Dial::new(endpoint)?), authority, settings))
    }

    /// Takes over streams that are established.
    pub(super) fn handshake(input: InputStream, output: OutputStream, authority: String, settings: Settings) -> Shared {
        let link = Link::Established(Transport::new(input, output, None));
        let shared = Driver::shared(link, authority, settings);
        shared.borrow_mut().conn.established(None, None, clock::now());
        shared
    }

    fn shared(link: Link, authority: String, settings: Settings) -> Shared {
        let id = CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1;
        let conn = ClientConn::new(id, authority, settings, clock::now());
        let driver = Driver { conn, link, alarm: Alarm::default(), polled: false, dropped: false, lent: 0 };
        Rc::new(RefCell::new(driver))
    }

    /// Moves what can be moved without waiting, and does what is due. Gives the time.
    pub(super) fn advance(&mut self) -> Instant {
        let now = clock::now();
        self.advance_at(now);
        now
    }

    /// The same at a time that has just been asked for.
    pub(super) fn advance_at(&mut self, now: Instant) {
        if let Link::Dialling(dial) = &mut self.link {
            match dial.advance(&mut self.conn, now) {
                Dialled::Waiting => {}
                Dialled::Established(transport) => {
                    self.conn.established(transport.remote_address(), transport.local_address(), now);
                    self.link = Link::Established(transport);
                }
                Dialled::Failed(error) => self.conn.end(error, now),
            }
        }
        if let Link::Established(transport) = &mut self.link {
            transport.move_octets(&mut self.conn, now);
        }
        if self.conn.deadline().is_some_and(|(at, _)| at <= now) {
            self.conn.handle_timeout(now);
            if let Link::Established(transport) = &mut self.link {
                transport.move_octets(&mut self.conn, now);
            }
        }
        self.heed_wish();
    }

    /// Does with the transport what the connection wishes.
    pub(super) fn heed_wish(&mut self) {
        match (self.conn.transport(), &mut self.link) {
            (TransportWish::Keep, _) => {}
            (TransportWish::HalfClose, Link::Established(transport)) => {
                transport.half_close();
                self.conn.half_closed();
            }
            (TransportWish::HalfClose, _) => {}
            (TransportWish::Close, _) => self.release(),
        }
    }

    /// Frees the transport, or shuts it down as long as its pollables are lent.
    fn release(&mut self) {
        if self.conn.pipeline_broke() && !matches!(self.link, Link::Gone) {
            broken::remember(self.conn.authority());
        }
        self.link = match core::mem::replace(&mut self.link, Link::Gone) {
            Link::Established(mut transport) | Link::Lent(mut transport) if self.lent > 0 => {
                transport.shut_down();
                Link::Lent(transport)
            }
            _ => Link::Gone,
        };
    }

    /// Takes the transport away.
    pub(super) fn take_streams(&mut self) -> Option<Streams> {
        match core::mem::replace(&mut self.link, Link::Gone) {
            Link::Established(transport) => Some(transport.into_streams()),
            other => {
                self.link = other;
                None
            }
        }
    }

    /// Adds what to wait for to `pollables`, after [`prepare_wait`](Self::prepare_wait).
    pub(super) fn pollables<'a>(&'a self, pollables: &mut Vec<&'a Pollable>) {
        match &self.link {
            Link::Dialling(dial) => pollables.extend(dial.pollable()),
            Link::Established(transport) => pollables.extend(transport.pollables(&self.conn)),
            Link::Lent(_) | Link::Gone => {}
        }
    }

    /// Moves what calls have left to be moved, and makes sure that there is something to wait for.
    pub(super) fn prepare_wait(&mut self) {
        if matches!(&self.link, Link::Established(transport) if transport.is_behind(&self.conn)) {
            self.advance();
        }
        if let Link::Established(transport) = &mut self.link {
            transport.prepare_wait(&self.conn);
        }
    }

    /// Fresh pollables for somebody else.
    pub(super) fn lend_pollables(&self) -> Vec<Pollable> {
        match &self.link {
            Link::Established(transport) => transport.lend_pollables(&self.conn).collect(),
            Link::Dialling(_) | Link::Lent(_) | Link::Gone => Vec::new(),
        }
    }

    /// Waits until octets can be moved or a deadline passes, then moves them.
    pub(super) fn wait(&mut self, now: Instant) -> Instant {
        self.prepare_wait();
        let mut alarm = core::mem::take(&mut self.alarm);
        let mut pollables = Vec::with_capacity(3);
        self.pollables(&mut pollables);
        clock::wait(&pollables, self.conn.deadline().map(|(at, _)| at), now, &mut alarm);
        self.alarm = alarm;
        self.advance()
    }
}

//! Connections that are dialled, and the clock.

use super::internet::{Access, Internet};
use sandpiper_guest::conn::ClientConn;
use sandpiper_guest::dial::{self, Broken, Dial, Names, Progress};
use sandpiper_guest::driver::{Driver, Shared};
use sandpiper_guest::endpoint;
use sandpiper_guest::link::Link;
use sandpiper_guest::settings::Settings;
use sandpiper_guest::stream::{End, Read, Stream};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnState, Endpoint, Error, LogEntry};
use std::cell::RefCell;
use std::rc::Rc;

/// More than a connection notes before it is established.
const LOG_ENTRIES_MAX: usize = 1_000;

/// The network of one connection: dialled in the internet, and mute afterwards.
#[derive(Debug)]
pub struct Wire {
    dial: Dial<Access>,
    broken: Broken,
}

impl Link for Wire {
    fn dial(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        match self.dial.advance(now, progress) {
            dial::Dialled::Waiting => {}
            dial::Dialled::Failed(error) => progress.push(Progress::Failed(error)),
            dial::Dialled::Connected(attempt, ()) => {
                let remote = self.dial.dialler().internet.borrow().attempted[attempt].address;
                progress.extend([Progress::Connected { remote: Some(remote), local: None }, Progress::ESTABLISHED]);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.dial.deadline()
    }

    fn close(&mut self) {
        self.dial.give_up();
    }

    fn broken(&self) -> &Broken {
        &self.broken
    }
}

impl Stream for Wire {
    fn read(&mut self, _: usize) -> Result<Read, End> {
        Ok(Read::Nothing)
    }

    fn room(&mut self) -> Result<usize, End> {
        Ok(0)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        panic!("{} octets without room", octets.len());
    }

    fn half_close(&mut self) {}
}

/// A connection that was dialled.
#[derive(Debug)]
pub struct Dialled {
    /// The connection.
    pub driver: Shared<Wire>,
    /// Where it leads.
    pub endpoint: Endpoint,
    /// The connection knows the names of the others.
    pub shares: bool,
    /// When it was begun.
    pub begun: Instant,
    /// When it is given up.
    pub late: Instant,
    /// When it was established, or failed.
    pub ended: Option<Instant>,
}

/// Connections under one clock.
#[derive(Debug)]
pub struct Run {
    /// The internet.
    pub internet: Rc<RefCell<Internet>>,
    /// The names that its connections share.
    pub names: Rc<RefCell<Names<usize>>>,
    /// Every connection; its number, less one, is its place.
    pub dialled: Vec<Dialled>,
    /// The time.
    pub now: Instant,
}

impl Run {
    /// A run in this internet, in which names are kept for so long.
    pub fn new(internet: Internet, names_kept_ns: u64) -> Run {
        let now = Instant(1_000_000_000);
        let internet = Rc::new(RefCell::new(Internet { now, ..internet }));
        Run { internet, names: Rc::new(RefCell::new(Names::new(names_kept_ns))), dialled: Vec::new(), now }
    }

    /// Begins a connection, which is given up after `connect_ns` nanoseconds. `shares`: it knows the names of the others.
    ///
    /// # Panics
    /// When the endpoint is invalid.
    pub fn dial(&mut self, endpoint: Endpoint, connect_ns: u64, shares: bool) {
        let connection = self.dialled.len();
        let access = Access { internet: Rc::clone(&self.internet), connection, spent: Vec::new() };
        let names = shares.then(|| Rc::clone(&self.names));
        let dial = Dial::new(&endpoint, names, access).expect("a good endpoint");
        let mut settings = Settings::checked(None).expect("no options");
        (settings.deadlines.connect, settings.log_entries_max) = (Some(connect_ns), LOG_ENTRIES_MAX);
        let conn = ClientConn::new(connection as u64 + 1, endpoint::authority(&endpoint), settings, self.now);
        let driver = Driver::new(conn, Wire { dial, broken: Broken::new() });
        let late = self.now.0 + connect_ns;
        self.dialled.push(Dialled { driver, endpoint, shares, begun: self.now, late: Instant(late), ended: None });
        self.advance(self.dialled.len() - 1);
    }

    /// Has one connection move on.
    pub fn advance(&mut self, place: usize) {
        let dialled = &mut self.dialled[place];
        let mut driver = dialled.driver.borrow_mut();
        driver.advance(self.now);
        let over = driver.conn.is_established() || driver.conn.state() == ConnState::Closed;
        assert!(over || driver.deadline().is_none_or(|at| at > self.now), "it is not done with what is due");
        if over {
            dialled.ended.get_or_insert(self.now);
        }
    }

    /// The next moment at which something happens.
    pub fn next(&self) -> Option<Instant> {
        let waiting = self.dialled.iter().filter(|dialled| dialled.ended.is_none());
        let due = waiting.filter_map(|dialled| dialled.driver.borrow().deadline());
        due.chain(self.internet.borrow().next()).min()
    }

    /// Moves the clock on to a moment, and everybody at every moment on the way at which something happens.
    pub fn pass(&mut self, until: Instant) {
        loop {
            let next = self.next().filter(|at| *at <= until);
            self.set_time(next.unwrap_or(until));
            for place in 0..self.dialled.len() {
                self.advance(place);
            }
            if next.is_none() {
                return;
            }
        }
    }

    /// Moves the clock on; nobody looks.
    pub fn set_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.internet.borrow_mut().now = self.now;
    }

    /// Moves the clock on until every connection is established or has failed.
    ///
    /// # Panics
    /// When one of them never does.
    pub fn finish(&mut self) {
        while self.dialled.iter().any(|dialled| dialled.ended.is_none()) {
            let next = self.next().expect("something happens, or a connection waits for ever");
            self.pass(next);
        }
    }
}

impl Dialled {
    /// Why it failed; `None`: it is established.
    pub fn error(&self) -> Option<Error> {
        self.driver.borrow().conn.ended_by()
    }

    /// Takes its log, each entry with the moment.
    pub fn take_log(&self) -> Vec<(Instant, LogEntry)> {
        let entries = self.driver.borrow_mut().conn.take_log(u32::MAX);
        entries.into_iter().map(|entry| (Instant(self.begun.0 + entry.time), entry)).collect()
    }

    /// The address that it is connected to.
    pub fn remote(&self) -> Option<String> {
        self.driver.borrow().conn.info().remote_address
    }
}

/// A host and its port, with addresses that the caller names.
pub fn endpoint(host: &str, addresses: &[&str]) -> Endpoint {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    Endpoint { host: host.to_owned(), port: 80, addresses, tls: None }
}

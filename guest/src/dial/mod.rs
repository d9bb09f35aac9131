//! From an endpoint to a connected peer: names are looked up, addresses race, and what happens is reported as values.
//!
//! | file | holds |
//! |---|---|
//! | this one | the order of it all, over a [`Dialler`] that does the I/O |
//! | `progress` | what a transport reports while it is being established |
//! | `race` | which address is tried when (RFC 8305), and how often a name is looked up |
//! | `names` | names and their addresses, remembered |
//! | `broken` | where a pipeline broke (RFC 9112 §9.3.2) |

mod broken;
mod names;
mod progress;
mod race;

pub use broken::{Broken, PLACES_MAX};
pub use names::{Answer, NAMES_MAX, Names};
pub use progress::{Negotiated, Progress};
pub use race::{ATTEMPT_DELAY_NS, ATTEMPTS_MAX, LOOKUP_DELAY_NS, LOOKUPS_MAX, Race, Step};

use crate::address::Address;
use crate::endpoint;
use crate::timer::Instant;
use crate::types::{Endpoint, Error};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::SocketAddr;

/// Looks names up and connects to addresses: the part of dialling that is I/O. Nothing here waits.
pub trait Dialler {
    /// A name that is being looked up.
    type Lookup;
    /// An address that is being connected to.
    type Attempt;
    /// The result of an attempt that has succeeded.
    type Streams;

    /// Begins to look a name up.
    ///
    /// Errors: `dns`, `denied(name-lookup)`.
    fn look_up(&mut self, name: &str) -> Result<Self::Lookup, Error>;

    /// The addresses that a look-up has found, in the resolver's order; `None`: it runs.
    ///
    /// Errors: as of `look_up`.
    fn found(&mut self, lookup: &Self::Lookup) -> Option<Result<Vec<Address>, Error>>;

    /// Begins to connect to an address.
    ///
    /// Errors: `connect`, `denied(connect)`.
    fn connect(&mut self, address: SocketAddr) -> Result<Self::Attempt, Error>;

    /// The outcome of an attempt; `None`: the attempt is under way. Not called again once there is an outcome.
    ///
    /// Errors: as of `connect`.
    fn outcome(&mut self, attempt: &mut Self::Attempt) -> Option<Result<Self::Streams, Error>>;

    /// A look-up is not needed any more, by this connection.
    fn retire_lookup(&mut self, lookup: Rc<Self::Lookup>);

    /// An attempt is not needed any more.
    fn retire_attempt(&mut self, attempt: Self::Attempt);
}

/// The names that connections share, each with the look-up that `D` has begun.
pub type SharedNames<D> = Rc<RefCell<Names<<D as Dialler>::Lookup>>>;

/// An endpoint that is being connected to.
#[derive(Debug)]
pub struct Dial<D: Dialler> {
    dialler: D,
    names: Option<SharedNames<D>>,
    host: String,
    port: u16,
    race: Race,
    lookup: Option<Rc<D::Lookup>>,
    attempts: Vec<D::Attempt>,
}

/// The result of moving on.
#[derive(Debug)]
pub enum Dialled<D: Dialler> {
    /// Something has to be waited for.
    Waiting,
    /// This attempt has succeeded.
    Connected(D::Attempt, D::Streams),
    /// No address is left, or the name has none.
    Failed(Error),
}

impl<D: Dialler> Dial<D> {
    /// Begins with an endpoint. `names`: what is known about names.
    ///
    /// Errors: `api-misuse(invalid-endpoint)`.
    pub fn new(endpoint: &Endpoint, names: Option<SharedNames<D>>, dialler: D) -> Result<Dial<D>, Error> {
        let mut addresses = endpoint::check(endpoint)?;
        if let (true, Some(names)) = (endpoint.addresses.is_empty(), &names) {
            let given = names.borrow().given(&endpoint.host, endpoint.port);
            if !given.is_empty() {
                addresses = given;
            }
        }
        let race = Race::new(addresses);
        let (host, port) = (endpoint.host.clone(), endpoint.port);
        Ok(Dial { dialler, names, host, port, race, lookup: None, attempts: Vec::new() })
    }

    /// Goes on as far as possible without waiting. Adds what has happened to `progress`.
    pub fn advance(&mut self, now: Instant, progress: &mut Vec<Progress>) -> Dialled<D> {
        loop {
            match self.race.next(now) {
                Step::LookUp => self.look_up(now, progress),
                Step::Try(address) => self.attempt(address, now, progress),
                Step::Fail(error) => return Dialled::Failed(error),
                Step::Wait if self.take_found(now, progress) => {}
                Step::Wait => match self.arrived(now, progress) {
                    Arrived::Nobody => return Dialled::Waiting,
                    Arrived::Some(attempt, streams) => return Dialled::Connected(attempt, streams),
                    Arrived::Refused => {}
                },
            }
        }
    }

    fn look_up(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        let answer = self.names.as_ref().map_or(Answer::Unknown, |names| names.borrow().answer(&self.host, now));
        match answer {
            Answer::Addresses(addresses) => self.found(Ok(addresses), now, progress),
            Answer::Running(lookup) => self.lookup = Some(lookup),
            Answer::Unknown => match self.dialler.look_up(&self.host) {
                Ok(lookup) => {
                    let lookup = Rc::new(lookup);
                    if let Some(names) = &self.names {
                        names.borrow_mut().begun(&self.host, &lookup);
                    }
                    self.lookup = Some(lookup);
                }
                Err(error) => self.found(Err(error), now, progress),
            },
        }
    }

    /// Takes what the look-up has found. Returns whether it has ended.
    fn take_found(&mut self, now: Instant, progress: &mut Vec<Progress>) -> bool {
        let Some(outcome) = self.lookup.as_ref().and_then(|lookup| self.dialler.found(lookup)) else { return false };
        if let Some(lookup) = self.lookup.take() {
            if let Some(names) = &self.names {
                names.borrow_mut().ended(&self.host, &lookup, &outcome, now);
            }
            self.dialler.retire_lookup(lookup);
        }
        self.found(outcome, now, progress);
        true
    }

    fn found(&mut self, outcome: Result<Vec<Address>, Error>, now: Instant, progress: &mut Vec<Progress>) {
        if let Ok(addresses) = &outcome {
            progress.push(Progress::Resolved(addresses.len()));
        }
        self.race.found(outcome, now);
    }

    fn attempt(&mut self, address: Address, now: Instant, progress: &mut Vec<Progress>) {
        let address = address.with_port(self.port);
        progress.push(Progress::Trying(address));
        match self.dialler.connect(address) {
            Ok(attempt) => self.attempts.push(attempt),
            Err(error) => self.refused(error, now, progress),
        }
    }

    /// The first attempt that has succeeded; those that failed make way for the next address.
    fn arrived(&mut self, now: Instant, progress: &mut Vec<Progress>) -> Arrived<D> {
        let (mut index, before) = (0, self.attempts.len());
        while let Some(attempt) = self.attempts.get_mut(index) {
            match self.dialler.outcome(attempt) {
                None => index += 1,
                Some(Ok(streams)) => {
                    let attempt = self.attempts.swap_remove(index);
                    self.give_up();
                    return Arrived::Some(attempt, streams);
                }
                Some(Err(error)) => {
                    let attempt = self.attempts.swap_remove(index);
                    self.dialler.retire_attempt(attempt);
                    self.refused(error, now, progress);
                }
            }
        }
        if self.attempts.len() < before { Arrived::Refused } else { Arrived::Nobody }
    }

    fn refused(&mut self, error: Error, now: Instant, progress: &mut Vec<Progress>) {
        progress.push(Progress::Refused(error));
        self.race.refused(error, now);
    }

    /// Gives up what is under way.
    pub fn give_up(&mut self) {
        for attempt in core::mem::take(&mut self.attempts) {
            self.dialler.retire_attempt(attempt);
        }
        if let Some(lookup) = self.lookup.take() {
            self.dialler.retire_lookup(lookup);
        }
    }

    /// When to go on although nothing has come.
    pub fn deadline(&self) -> Option<Instant> {
        self.race.deadline()
    }

    /// The look-up that is waited for.
    pub fn lookup(&self) -> Option<&D::Lookup> {
        self.lookup.as_deref()
    }

    /// The attempts that are waited for.
    pub fn attempts(&self) -> &[D::Attempt] {
        &self.attempts
    }

    /// The part that does the I/O.
    pub fn dialler(&mut self) -> &mut D {
        &mut self.dialler
    }
}

/// The news of the attempts.
enum Arrived<D: Dialler> {
    /// All are under way.
    Nobody,
    /// This one has succeeded.
    Some(D::Attempt, D::Streams),
    /// Some have failed, and none has succeeded.
    Refused,
}

//! Names and their addresses: looked up once for all that ask at the same time, and remembered for a while.

use crate::abnf::is_same_name;
use crate::address::Address;
use crate::timer::Instant;
use crate::types::Error;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;

/// Names that are remembered, and hosts whose addresses were given.
pub const NAMES_MAX: usize = 256;

/// The names that a poll knows; `L` is a look-up under way.
#[derive(Debug)]
pub struct Names<L> {
    kept_ns: u64,
    /// The oldest first.
    known: Vec<Known<L>>,
    given: Vec<Given>,
}

#[derive(Debug)]
struct Known<L> {
    name: String,
    /// The look-up, for as long as it runs and somebody waits for it.
    lookup: Weak<L>,
    addresses: Vec<Address>,
    /// Until when the addresses count.
    until: Instant,
}

#[derive(Debug)]
struct Given {
    host: String,
    /// 0: any.
    port: u16,
    addresses: Vec<Address>,
}

/// How far a name is known.
#[derive(Debug)]
pub enum Answer<L> {
    /// These are its addresses.
    Addresses(Vec<Address>),
    /// This look-up will find them.
    Running(Rc<L>),
    /// The name has to be looked up.
    Unknown,
}

impl<L> Names<L> {
    /// No names. Addresses are remembered for `kept_ns` nanoseconds.
    pub fn new(kept_ns: u64) -> Names<L> {
        Names { kept_ns, known: Vec::new(), given: Vec::new() }
    }

    /// `poll.resolve`: these are the addresses of a host, for this port or, with 0, for any; none: what was given before is forgotten. Returns
    /// whether there was room.
    pub fn give(&mut self, mut host: String, port: u16, addresses: Vec<Address>) -> bool {
        host.make_ascii_lowercase();
        self.given.retain(|given| given.host != host || given.port != port);
        if addresses.is_empty() {
            return true;
        }
        let room = self.given.len() < NAMES_MAX;
        if room {
            self.given.push(Given { host, port, addresses });
        }
        room
    }

    /// The addresses that were given for a host; those for this port before those for any.
    pub fn given(&self, host: &str, port: u16) -> Vec<Address> {
        let of_host = self.given.iter().filter(|given| is_same_name(given.host.as_bytes(), host.as_bytes()));
        let best = of_host.filter(|given| given.port == port || given.port == 0).max_by_key(|given| given.port);
        best.map(|given| given.addresses.clone()).unwrap_or_default()
    }

    /// Reports how far a name is known now.
    pub fn answer(&self, name: &str, now: Instant) -> Answer<L> {
        match self.known.iter().find(|known| known.name == name) {
            Some(known) if known.until > now => Answer::Addresses(known.addresses.clone()),
            Some(known) => known.lookup.upgrade().map_or(Answer::Unknown, Answer::Running),
            None => Answer::Unknown,
        }
    }

    /// A look-up of this name has begun: all that ask wait for it. A new name takes the place of the oldest when there are too many.
    pub fn begun(&mut self, name: &str, lookup: &Rc<L>) {
        let lookup = Rc::downgrade(lookup);
        if let Some(known) = self.known.iter_mut().find(|known| known.name == name) {
            known.lookup = lookup;
            return;
        }
        if self.known.len() >= NAMES_MAX {
            self.known.remove(0);
        }
        self.known.push(Known { name: String::from(name), lookup, addresses: Vec::new(), until: Instant(0) });
    }

    /// A look-up of this name has ended: its addresses are remembered, its error is not.
    pub fn ended(&mut self, name: &str, lookup: &Rc<L>, outcome: &Result<Vec<Address>, Error>, now: Instant) {
        let Some(known) = self.known.iter_mut().find(|known| known.name == name) else { return };
        if core::ptr::eq(known.lookup.as_ptr(), Rc::as_ptr(lookup)) {
            known.lookup = Weak::new();
        }
        if let Ok(addresses) = outcome {
            known.addresses.clone_from(addresses);
            known.until = Instant(now.0.saturating_add(self.kept_ns));
        }
    }

    /// Forgets what was looked up: the network is another one.
    pub fn forget(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests;

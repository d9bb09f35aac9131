//! Names and their addresses: looked up without waiting, once for all that ask at the same time, and remembered for a while.

use crate::address::Address;
use crate::endpoint::ADDRESSES_MAX;
use crate::timer::Instant;
use crate::types::{Denial, DnsProblem, Error};
use crate::wit::wasi::io::poll::Pollable;
use crate::wit::wasi::sockets::instance_network::instance_network;
use crate::wit::wasi::sockets::ip_name_lookup::{ResolveAddressStream, resolve_addresses};
use crate::wit::wasi::sockets::network::{ErrorCode, IpAddress};
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Names that are remembered, and hosts whose addresses were given.
const NAMES_MAX: usize = 256;

/// A name that is being looked up. The order of the fields is the order in which they must be dropped: children first.
pub(super) struct Lookup {
    ready: Pollable,
    stream: ResolveAddressStream,
    found: RefCell<Vec<Address>>,
    outcome: RefCell<Option<Result<(), Error>>>,
}

impl Lookup {
    /// Begins to look a name up.
    pub(super) fn begin(name: &str) -> Result<Rc<Lookup>, Error> {
        let stream = resolve_addresses(&instance_network(), name).map_err(lookup_error)?;
        Ok(Rc::new(Lookup { ready: stream.subscribe(), stream, found: RefCell::default(), outcome: RefCell::new(None) }))
    }

    /// The addresses, in the order of the resolver; `None`: not yet.
    pub(super) fn outcome(&self) -> Option<Result<Vec<Address>, Error>> {
        let mut found = self.found.borrow_mut();
        let mut outcome = self.outcome.borrow_mut();
        while outcome.is_none() {
            match self.stream.resolve_next_address() {
                Ok(Some(address)) if found.len() < ADDRESSES_MAX => found.push(address.into()),
                Ok(_) if found.is_empty() => *outcome = Some(Err(Error::Dns(DnsProblem::NotFound))),
                Ok(_) => *outcome = Some(Ok(())),
                Err(ErrorCode::WouldBlock) => return None,
                Err(code) => *outcome = Some(Err(lookup_error(code))),
            }
        }
        outcome.map(|outcome| outcome.map(|()| found.clone()))
    }

    /// What to wait for.
    pub(super) fn ready(&self) -> &Pollable {
        &self.ready
    }

    /// The same for somebody else.
    pub(super) fn subscribe(&self) -> Pollable {
        self.stream.subscribe()
    }
}

/// What a poll knows about names.
pub(super) struct Names {
    kept_ns: u64,
    known: Vec<Known>,
    given: Vec<Given>,
}

struct Known {
    name: String,
    lookup: Weak<Lookup>,
    addresses: Vec<Address>,
    until: Instant,
}

struct Given {
    host: String,
    /// 0: any.
    port: u16,
    addresses: Vec<Address>,
}

/// What is to be done about a name.
pub(super) enum Answer {
    /// These are its addresses.
    Addresses(Vec<Address>),
    /// It is being looked up.
    Running(Rc<Lookup>),
}

impl Names {
    pub(super) fn new(kept_ns: u64) -> Names {
        Names { kept_ns, known: Vec::new(), given: Vec::new() }
    }

    /// `poll.resolve`. Returns whether there was room for it.
    pub(super) fn give(&mut self, mut host: String, port: u16, addresses: Vec<Address>) -> bool {
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

    /// The addresses that were given for a host.
    pub(super) fn given(&self, host: &str, port: u16) -> Vec<Address> {
        let of_host = self.given.iter().filter(|given| given.host.eq_ignore_ascii_case(host));
        let best = of_host.filter(|given| given.port == port || given.port == 0).max_by_key(|given| given.port);
        best.map(|given| given.addresses.clone()).unwrap_or_default()
    }

    /// The addresses of a name, or the look-up that finds them.
    pub(super) fn answer(&mut self, name: &str, now: Instant) -> Result<Answer, Error> {
        let known = self.known.iter_mut().find(|known| known.name == name);
        if let Some(known) = &known
            && known.until > now
        {
            return Ok(Answer::Addresses(known.addresses.clone()));
        }
        let running = known.as_ref().and_then(|known| known.lookup.upgrade());
        if let Some(lookup) = running.filter(|lookup| lookup.outcome.borrow().is_none()) {
            return Ok(Answer::Running(lookup));
        }
        let lookup = Lookup::begin(name)?;
        match known {
            Some(known) => known.lookup = Rc::downgrade(&lookup),
            None => {
                if self.known.len() >= NAMES_MAX {
                    self.known.remove(0);
                }
                let (lookup, addresses) = (Rc::downgrade(&lookup), Vec::new());
                self.known.push(Known { name: String::from(name), lookup, addresses, until: Instant(0) });
            }
        }
        Ok(Answer::Running(lookup))
    }

    /// Remembers the addresses of a name.
    pub(super) fn remember(&mut self, name: &str, addresses: &[Address], now: Instant) {
        if let Some(known) = self.known.iter_mut().find(|known| known.name == name) {
            known.addresses = addresses.to_vec();
            known.until = Instant(now.0.saturating_add(self.kept_ns));
        }
    }

    /// Forgets what was looked up.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

/// An answer of a look-up has no scope in WASI: the host adds the one that it was given.
impl From<IpAddress> for Address {
    fn from(address: IpAddress) -> Address {
        let ip = match address {
            IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
            IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
        };
        Address { ip, scope: 0 }
    }
}

fn lookup_error(code: ErrorCode) -> Error {
    match code {
        ErrorCode::AccessDenied => Error::Denied(Denial::NameLookup),
        ErrorCode::TemporaryResolverFailure | ErrorCode::Timeout => Error::Dns(DnsProblem::TemporaryFailure),
        ErrorCode::NameUnresolvable | ErrorCode::InvalidArgument => Error::Dns(DnsProblem::NotFound),
        _ => Error::Dns(DnsProblem::PermanentFailure),
    }
}

//! A made internet: names whose resolvers answer late, wrongly or never, and addresses that accept, refuse, or say nothing.

use sandpiper_guest::address::Address;
use sandpiper_guest::dial::Dialler;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::Error;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

/// The fate of every attempt to connect to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The attempt succeeds after so many nanoseconds.
    Accepts(u64),
    /// The attempt fails after so many nanoseconds.
    Refuses(u64, Error),
    /// The attempt fails at once, before anything is on the wire.
    CannotBegin(Error),
    /// Nothing is ever heard of it.
    Silent,
}

/// The reply to a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These addresses, or this error, after so many nanoseconds.
    After(u64, Result<Vec<IpAddr>, Error>),
    /// The look-up fails at once.
    CannotBegin(Error),
    /// Nothing is ever heard of it.
    Never,
}

/// A look-up that was begun.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The place of the connection that began it.
    pub connection: usize,
    /// The name.
    pub name: String,
    /// When.
    pub begun: Instant,
    /// When its reply comes, and which.
    pub reply: Option<(Instant, Result<Vec<IpAddr>, Error>)>,
}

/// An attempt that was begun.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The place of the connection.
    pub connection: usize,
    /// The address.
    pub address: SocketAddr,
    /// When.
    pub begun: Instant,
    /// When it succeeds or fails.
    pub outcome: Option<(Instant, Result<(), Error>)>,
    /// The connection has heard of that, or has given it up.
    pub over: bool,
}

/// Names, addresses, and all that was done with them.
#[derive(Debug, Default)]
pub struct Internet {
    /// The time.
    pub now: Instant,
    /// The replies of each name's resolver, the next one first; the last one is repeated.
    pub names: BTreeMap<String, Vec<Reply>>,
    /// The fate of each address; an address that is not here is silent.
    pub fates: BTreeMap<IpAddr, Fate>,
    /// Every look-up, the first one first.
    pub asked: Vec<Asked>,
    /// Every attempt, the first one first.
    pub attempted: Vec<Attempted>,
}

fn after(now: Instant, span_ns: u64) -> Instant {
    Instant(now.0 + span_ns)
}

impl Internet {
    /// The next moment at which something is heard that somebody waits for.
    pub fn next(&self) -> Option<Instant> {
        let replies = self.asked.iter().filter_map(|asked| asked.reply.as_ref()).map(|(at, _)| *at);
        let waiting = self.attempted.iter().filter(|attempted| !attempted.over);
        let outcomes = waiting.filter_map(|attempted| attempted.outcome).map(|(at, _)| at);
        replies.chain(outcomes).filter(|at| *at > self.now).min()
    }

    fn reply(&mut self, name: &str) -> Reply {
        match self.names.get_mut(name) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies.first().cloned().unwrap_or(Reply::Never),
            None => Reply::Never,
        }
    }
}

/// The access of one connection to an internet.
#[derive(Debug)]
pub struct Access {
    /// The internet.
    pub internet: Rc<RefCell<Internet>>,
    /// The place of the connection.
    pub connection: usize,
    /// Look-ups that were answered, and are not needed any more: whoever has lent pollables keeps them.
    pub spent: Vec<Rc<usize>>,
}

impl Dialler for Access {
    type Lookup = usize;
    type Attempt = usize;
    type Streams = ();

    fn look_up(&mut self, name: &str) -> Result<usize, Error> {
        let internet = &mut *self.internet.borrow_mut();
        let begun = internet.now;
        let reply = internet.reply(name);
        let comes = match &reply {
            Reply::CannotBegin(error) => Some((begun, Err(*error))),
            Reply::After(span_ns, reply) => Some((after(begun, *span_ns), reply.clone())),
            Reply::Never => None,
        };
        internet.asked.push(Asked { connection: self.connection, name: name.to_owned(), begun, reply: comes });
        match reply {
            Reply::CannotBegin(error) => Err(error),
            Reply::After(..) | Reply::Never => Ok(internet.asked.len() - 1),
        }
    }

    fn found(&mut self, lookup: &usize) -> Option<Result<Vec<Address>, Error>> {
        let internet = self.internet.borrow();
        let (at, reply) = internet.asked[*lookup].reply.as_ref()?;
        let reply = reply.clone().map(|found| found.into_iter().map(Address::from).collect());
        (*at <= internet.now).then_some(reply)
    }

    fn connect(&mut self, address: SocketAddr) -> Result<usize, Error> {
        let internet = &mut *self.internet.borrow_mut();
        let begun = internet.now;
        let outcome = match internet.fates.get(&address.ip()).copied().unwrap_or(Fate::Silent) {
            Fate::CannotBegin(error) => Some((begun, Err(error))),
            Fate::Accepts(span_ns) => Some((after(begun, span_ns), Ok(()))),
            Fate::Refuses(span_ns, error) => Some((after(begun, span_ns), Err(error))),
            Fate::Silent => None,
        };
        let cannot = matches!(internet.fates.get(&address.ip()), Some(Fate::CannotBegin(_)));
        internet.attempted.push(Attempted { connection: self.connection, address, begun, outcome, over: cannot });
        match outcome {
            Some((_, Err(error))) if cannot => Err(error),
            _ => Ok(internet.attempted.len() - 1),
        }
    }

    fn outcome(&mut self, attempt: &mut usize) -> Option<Result<(), Error>> {
        let internet = &mut *self.internet.borrow_mut();
        let now = internet.now;
        let attempted = &mut internet.attempted[*attempt];
        assert!(!attempted.over, "asked again: {attempted:?}");
        let (_, outcome) = attempted.outcome.filter(|(at, _)| *at <= now)?;
        attempted.over = outcome.is_ok();
        Some(outcome)
    }

    fn retire_lookup(&mut self, lookup: Rc<usize>) {
        let internet = self.internet.borrow();
        if internet.asked[*lookup].reply.as_ref().is_some_and(|(at, _)| *at <= internet.now) {
            self.spent.push(lookup);
        }
    }

    fn retire_attempt(&mut self, attempt: usize) {
        let attempted = &mut self.internet.borrow_mut().attempted[attempt];
        assert!(!std::mem::replace(&mut attempted.over, true), "given up twice: {attempted:?}");
    }
}

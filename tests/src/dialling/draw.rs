//! Internets and endpoints that a seed gives.

use super::internet::{Fate, Internet, Reply};
use super::run::{Run, endpoint};
use super::truth;
use crate::random::Random;
use sandpiper_guest::address::Address;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnectProblem, Denial, DnsProblem, Error};
use std::collections::BTreeMap;
use std::net::IpAddr;

const MS: u64 = 1_000_000;
const NAMES: [&str; 3] = ["a.test", "b.test", "c.test"];
/// Addresses in an internet, half of them of each family.
const ADDRESSES: u8 = 48;
/// Addresses of one name at most.
const OF_A_NAME_MAX: usize = 24;

/// How runs ended, in numbers.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that were established.
    pub established: usize,
    /// Established connections that lead to another address than the first one tried.
    pub by_another: usize,
    /// Connections by the error with which they failed.
    pub errors: BTreeMap<String, usize>,
    /// Attempts under way at once, at most.
    pub at_once: usize,
}

/// No two of these are the same: nothing happens at the same moment by chance.
fn span(random: &mut Random, ms_max: usize) -> u64 {
    random.below(ms_max) as u64 * MS + random.below(1_000_000) as u64
}

fn addresses(random: &mut Random) -> Vec<IpAddr> {
    let count = *random.pick(&[1, 2, 3, 6, OF_A_NAME_MAX]);
    let mut found: Vec<IpAddr> = Vec::new();
    for _ in 0..count {
        let number = random.below(usize::from(ADDRESSES));
        let address = address(u8::try_from(number).expect("a small number"));
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

fn address(number: u8) -> IpAddr {
    match number % 2 {
        0 => IpAddr::from([10, 0, 0, number]),
        _ => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, number.into()]),
    }
}

fn fate(random: &mut Random, good: usize) -> Fate {
    let refused = Error::Connect(*random.pick(&[ConnectProblem::Refused, ConnectProblem::Unreachable, ConnectProblem::TimedOut]));
    match random.below(10) {
        sort if sort < good => Fate::Accepts(span(random, 400)),
        0..6 => Fate::Silent,
        6 => Fate::CannotBegin(*random.pick(&[Error::Denied(Denial::Connect), Error::Connect(ConnectProblem::Exhausted)])),
        7 => Fate::Refuses(span(random, 5_000), refused),
        _ => Fate::Refuses(span(random, 100), refused),
    }
}

fn reply(random: &mut Random) -> Reply {
    match random.below(12) {
        0 => Reply::Never,
        1 => Reply::CannotBegin(Error::Denied(Denial::NameLookup)),
        2 => Reply::After(span(random, 300), Err(Error::Dns(DnsProblem::NotFound))),
        3 => Reply::After(span(random, 300), Err(Error::Dns(DnsProblem::PermanentFailure))),
        4 | 5 => Reply::After(span(random, 300), Err(Error::Dns(DnsProblem::TemporaryFailure))),
        _ => Reply::After(span(random, 300), Ok(addresses(random))),
    }
}

fn internet(random: &mut Random) -> Internet {
    let good = random.below(5);
    let fates = (0..ADDRESSES).map(|number| (address(number), fate(random, good))).collect();
    let names = NAMES.iter().map(|name| {
        let count = 1 + random.below(4);
        ((*name).to_owned(), (0..count).map(|_| reply(random)).collect())
    });
    Internet { names: names.collect(), fates, ..Internet::default() }
}

/// Plays the run of a seed, and checks every connection of it.
///
/// # Panics
/// When something is not as it must be.
pub fn play(seed: u64, counts: &mut Counts) {
    let mut random = Random::new(seed);
    let kept_ns = *random.pick(&[0, 1_000 * MS, 60_000 * MS]);
    let mut run = Run::new(internet(&mut random), kept_ns);
    let mut given: Vec<Option<Vec<IpAddr>>> = Vec::new();
    for _ in 0..1 + random.below(6) {
        let until = Instant(run.now.0 + span(&mut random, 2_000));
        run.pass(until);
        if random.chance(1, 10) {
            run.names.borrow_mut().forget();
        }
        given.push(dial(&mut run, &mut random));
    }
    run.finish();
    for (place, given) in given.iter().enumerate() {
        count(&run, place, truth::check(&run, place, given.as_deref()), counts);
    }
}

/// Begins one connection. Returns the addresses that its caller has named.
fn dial(run: &mut Run, random: &mut Random) -> Option<Vec<IpAddr>> {
    let connect_ns = span(random, 1_000) + *random.pick(&[300, 3_000, 30_000]) * MS;
    let name = *random.pick(&NAMES);
    match random.below(6) {
        0 => {
            let named = addresses(random);
            let texts: Vec<String> = named.iter().map(ToString::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            run.dial(endpoint(name, &texts), connect_ns, random.chance(1, 2));
            Some(named)
        }
        1 => {
            let given = addresses(random);
            let host = format!("given-{}.test", run.dialled.len());
            let of_host = given.iter().copied().map(Address::from).collect();
            assert!(run.names.borrow_mut().give(host.clone(), 0, of_host));
            run.dial(endpoint(&host, &[]), connect_ns, true);
            Some(given)
        }
        2 => {
            run.dial(endpoint(name, &[]), connect_ns, false);
            None
        }
        _ => {
            run.dial(endpoint(name, &[]), connect_ns, true);
            None
        }
    }
}

fn count(run: &Run, place: usize, winner: Result<IpAddr, Error>, counts: &mut Counts) {
    let internet = run.internet.borrow();
    let mine: Vec<_> = internet.attempted.iter().filter(|one| one.connection == place).collect();
    for one in &mine {
        let runs = |other: &&&_| is_under_way(other, one.begun);
        counts.at_once = counts.at_once.max(mine.iter().filter(runs).count());
    }
    match winner {
        Ok(address) => {
            counts.established += 1;
            counts.by_another += usize::from(mine.first().is_some_and(|first| first.address.ip() != address));
        }
        Err(error) => *counts.errors.entry(crate::scenario::story::wit_name(&error)).or_default() += 1,
    }
}

fn is_under_way(attempted: &super::internet::Attempted, at: Instant) -> bool {
    attempted.begun <= at && attempted.outcome.is_none_or(|(end, _)| end > at)
}

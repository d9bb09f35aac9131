//! What must have become of a connection, worked out from what was decreed, and without the machine that decides.

use super::internet::{Asked, Attempted, Fate, Internet};
use super::run::{Dialled, Run};
use sandpiper_guest::dial::{ATTEMPT_DELAY_NS, ATTEMPTS_MAX, LOOKUP_DELAY_NS, LOOKUPS_MAX};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{DnsProblem, Error, LogEvent, Timer};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How a race ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// When each address was tried.
    pub tried: Vec<(Instant, IpAddr)>,
    /// When it was over.
    pub at: Instant,
    /// Who has won, or with which error all have lost.
    pub winner: Result<IpAddr, Error>,
}

/// One attempt of the table: when it began, and when and how it ends.
#[derive(Clone, Copy)]
struct Row {
    begun: Instant,
    address: IpAddr,
    end: Option<(Instant, Result<(), Error>)>,
    /// Its failure has had another address join.
    used: bool,
}

impl Row {
    fn new(begun: Instant, address: IpAddr, fates: &BTreeMap<IpAddr, Fate>) -> Row {
        let end = match fates.get(&address).copied().unwrap_or(Fate::Silent) {
            Fate::Accepts(span) => Some((Instant(begun.0 + span), Ok(()))),
            Fate::Refuses(span, error) => Some((Instant(begun.0 + span), Err(error))),
            Fate::CannotBegin(error) => Some((begun, Err(error))),
            Fate::Silent => None,
        };
        Row { begun, address, end, used: false }
    }

    fn succeeds(&self) -> Option<Instant> {
        self.end.filter(|(_, outcome)| outcome.is_ok()).map(|(at, _)| at)
    }

    fn fails(&self) -> Option<(Instant, Error)> {
        self.end.and_then(|(at, outcome)| Some((at, outcome.err()?)))
    }
}

/// The race of these addresses, in this order, from `start`; at `late` everything is given up.
pub fn race(order: &[IpAddr], fates: &BTreeMap<IpAddr, Fate>, start: Instant, late: Instant) -> Ending {
    let mut rows: Vec<Row> = Vec::new();
    for address in order {
        let Some(joins) = joins(&rows, start) else { break };
        let won = rows.iter().filter_map(Row::succeeds).min();
        if won.is_some_and(|won| won < joins) || late <= joins {
            break;
        }
        for row in &mut rows {
            row.used |= row.fails().is_some_and(|(at, _)| at <= joins);
        }
        rows.push(Row::new(joins, *address, fates));
    }
    let tried = rows.iter().map(|row| (row.begun, row.address)).collect();
    let first = rows.iter().filter_map(|row| Some((row.succeeds()?, row.address))).min_by_key(|(at, _)| *at);
    let all_failed = rows.len() == order.len() && rows.iter().all(|row| row.fails().is_some());
    let last = rows.iter().filter_map(Row::fails).max_by_key(|(at, _)| *at);
    match (first, last) {
        (Some((at, address)), _) if at < late => Ending { tried, at, winner: Ok(address) },
        (_, Some((at, error))) if all_failed && at < late => Ending { tried, at, winner: Err(error) },
        _ => Ending { tried, at: late, winner: Err(Error::TimedOut(Timer::Connect)) },
    }
}

/// When the next address joins: at once when one fails, else after its time, if there is room.
fn joins(rows: &[Row], start: Instant) -> Option<Instant> {
    let Some(before) = rows.last() else { return Some(start) };
    let failure = rows.iter().filter(|row| !row.used).filter_map(Row::fails).map(|(at, _)| at).min();
    let turn = Instant(before.begun.0 + ATTEMPT_DELAY_NS);
    let running = rows.iter().filter(|row| row.end.is_none_or(|(at, _)| at > turn)).count();
    failure.into_iter().chain((running < ATTEMPTS_MAX).then_some(turn)).min()
}

/// The order in which the answers of a resolver are tried: the first of each family, then the second, and so on.
pub fn order(found: &[IpAddr]) -> Vec<IpAddr> {
    let mut keyed: Vec<(usize, bool, IpAddr)> = Vec::new();
    for address in found {
        let place = keyed.iter().filter(|(_, _, other)| other.is_ipv6() == address.is_ipv6()).count();
        keyed.push((place, address.is_ipv6() != found[0].is_ipv6(), *address));
    }
    keyed.sort_by_key(|(place, second, _)| (*place, *second));
    keyed.into_iter().map(|(.., address)| address).collect()
}

/// The result of the look-ups of a connection that shares no names: addresses or an error, and the moment.
fn looked_up(asked: &[&Asked], dialled: &Dialled) -> Option<(Instant, Result<Vec<IpAddr>, Error>)> {
    let mut begins = dialled.begun;
    for (lookup, count) in asked.iter().zip(1..) {
        assert_eq!(lookup.begun, begins, "look-up {count} of {:?}", dialled.endpoint.host);
        let (at, reply) = lookup.reply.clone().filter(|(at, _)| *at < dialled.late)?;
        if reply != Err(Error::Dns(DnsProblem::TemporaryFailure)) || count == LOOKUPS_MAX {
            assert_eq!(asked.last().map(|last| last.begun), Some(begins), "no look-up follows {reply:?}");
            return Some((at, reply));
        }
        begins = Instant(at.0 + (LOOKUP_DELAY_NS << (count - 1)));
    }
    assert!(begins >= dialled.late, "a look-up is missing at {begins:?}");
    None
}

/// Checks a connection that has ended. `given`: the addresses that its caller has named, if any.
///
/// # Panics
/// When something is not as it must be.
pub fn check(run: &Run, place: usize, given: Option<&[IpAddr]>) -> Result<IpAddr, Error> {
    let dialled = &run.dialled[place];
    let internet = run.internet.borrow();
    let ended = dialled.ended.expect("it has ended");
    let log: Vec<(Instant, LogEvent)> = dialled.take_log().into_iter().map(|(at, entry)| (at, entry.what)).collect();
    let resolved = log.iter().find_map(|(at, event)| matches!(event, LogEvent::Resolved(_)).then_some(*at));
    let mine: Vec<&Asked> = internet.asked.iter().filter(|asked| asked.connection == place).collect();
    let start = match given {
        Some(given) => {
            assert!(mine.is_empty() && resolved.is_none(), "a name is looked up whose addresses are known");
            Some((dialled.begun, Ok(given.to_vec())))
        }
        None if !dialled.shares => looked_up(&mine, dialled).map(|(at, reply)| (at, reply.map(|found| order(&found)))),
        None => shared(run, &internet, place, resolved),
    };
    let expected = match start {
        Some((start, Ok(order))) => race(&order, &internet.fates, start, dialled.late),
        Some((at, Err(error))) => Ending { tried: Vec::new(), at, winner: Err(error) },
        None => Ending { tried: Vec::new(), at: dialled.late, winner: Err(Error::TimedOut(Timer::Connect)) },
    };
    let attempted: Vec<&Attempted> = internet.attempted.iter().filter(|one| one.connection == place).collect();
    let tried = attempted.iter().map(|attempted| (attempted.begun, attempted.address.ip())).collect();
    let winner = match dialled.error() {
        Some(error) => Err(error),
        None => Ok(dialled.remote().expect("an address").parse::<std::net::SocketAddr>().expect("an address").ip()),
    };
    assert_eq!(Ending { tried, at: ended, winner }, expected, "connection {} to {:?}", place + 1, dialled.endpoint);
    assert!(attempted.iter().all(|attempted| attempted.over), "an attempt outlives its race: {attempted:?}");
    check_log(&log, &attempted, ended);
    winner
}

/// The same for a connection that shares names: the reply to a look-up that any connection began.
fn shared(
    run: &Run,
    internet: &Internet,
    place: usize,
    resolved: Option<Instant>,
) -> Option<(Instant, Result<Vec<IpAddr>, Error>)> {
    let dialled = &run.dialled[place];
    let of_name = internet.asked.iter().filter(|asked| asked.name == dialled.endpoint.host);
    let of_name = of_name.filter(|asked| run.dialled[asked.connection].shares);
    let replies: Vec<&(Instant, Result<Vec<IpAddr>, Error>)> = of_name.filter_map(|asked| asked.reply.as_ref()).collect();
    if let Some(at) = resolved {
        // The addresses that were found last, at that moment or before.
        let found = replies.iter().filter_map(|(came, reply)| Some((came, reply.as_ref().ok()?)));
        let (_, found) = found.filter(|(came, _)| **came <= at).max_by_key(|(came, _)| **came).expect("an answer of somebody's");
        assert!(at == dialled.begun || replies.iter().any(|(came, _)| *came == at) || retried(&replies, at));
        return Some((at, Ok(order(found))));
    }
    let at = dialled.ended.filter(|at| *at < dialled.late)?;
    let error = replies.iter().find(|(came, _)| *came == at).and_then(|(_, reply)| reply.clone().err());
    Some((at, Err(error.expect("a reply that came then"))))
}

/// Whether a look-up that failed for now is to be repeated at this moment.
fn retried(replies: &[&(Instant, Result<Vec<IpAddr>, Error>)], at: Instant) -> bool {
    let temporary = replies.iter().filter(|(_, reply)| *reply == Err(Error::Dns(DnsProblem::TemporaryFailure)));
    let mut delays = temporary.map(|(came, _)| at.since(*came));
    delays.any(|delay| (0..LOOKUPS_MAX - 1).any(|count| delay == LOOKUP_DELAY_NS << count))
}

/// The log names every attempt and every failure, at its moment.
fn check_log(log: &[(Instant, LogEvent)], attempted: &[&Attempted], ended: Instant) {
    let tried: Vec<_> = log.iter().filter_map(|(at, event)| Some((*at, address_of(event)?))).collect();
    let expected: Vec<_> = attempted.iter().map(|attempted| (attempted.begun, attempted.address.to_string())).collect();
    assert_eq!(tried, expected);
    let refused = |event: &LogEvent| if let LogEvent::ConnectFailed(error) = event { Some(*error) } else { None };
    let failed: Vec<_> = log.iter().filter_map(|(at, event)| Some((*at, refused(event)?))).collect();
    let outcomes = attempted.iter().filter_map(|attempted| attempted.outcome);
    let mut expected: Vec<_> = outcomes.filter_map(|(at, outcome)| Some((at, outcome.err()?))).collect();
    expected.retain(|(at, _)| *at <= ended);
    expected.sort_by_key(|(at, _)| *at);
    assert_eq!(failed, expected);
}

fn address_of(event: &LogEvent) -> Option<String> {
    if let LogEvent::Connecting(address) = event { Some(address.clone()) } else { None }
}

//! The race of addresses and the names, in a made internet: a table of what must come of it, and runs that seeds give.

use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnectProblem, Error, Timer};
use sandpiper_tests::dialling::draw::{Counts, play};
use sandpiper_tests::dialling::internet::{Fate, Internet, Reply};
use sandpiper_tests::dialling::run::{Run, endpoint};
use sandpiper_tests::dialling::truth;
use std::net::IpAddr;

const MS: u64 = 1_000_000;
const SEEDS: u64 = 20_000;
const REFUSED: Error = Error::Connect(ConnectProblem::Refused);
const LATE: Error = Error::TimedOut(Timer::Connect);

/// A row of the table: addresses as the resolver names them, and what becomes of an attempt; then when it is over, how many were tried, and who
/// has won.
struct Row {
    says: &'static str,
    addresses: &'static [(&'static str, Fate)],
    over_ms: u64,
    tried: usize,
    winner: Result<&'static str, Error>,
}

const ACCEPTS: Fate = Fate::Accepts(20 * MS);
const REFUSES: Fate = Fate::Refuses(10 * MS, REFUSED);

const TABLE: [Row; 12] = [
    Row { says: "one address", addresses: &[("10.0.0.1", ACCEPTS)], over_ms: 20, tried: 1, winner: Ok("10.0.0.1") },
    Row {
        says: "a silent one costs a quarter of a second",
        addresses: &[("fd00::1", Fate::Silent), ("10.0.0.1", ACCEPTS)],
        over_ms: 270,
        tried: 2,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "one that refuses costs what it takes to hear of it",
        addresses: &[("fd00::1", REFUSES), ("10.0.0.1", ACCEPTS)],
        over_ms: 30,
        tried: 2,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "one that cannot begin costs nothing",
        addresses: &[("fd00::1", Fate::CannotBegin(REFUSED)), ("10.0.0.1", ACCEPTS)],
        over_ms: 20,
        tried: 2,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "a whole family that is silent holds up the other one once",
        addresses: &[("fd00::1", Fate::Silent), ("fd00::2", Fate::Silent), ("fd00::3", Fate::Silent), ("10.0.0.1", ACCEPTS)],
        over_ms: 270,
        tried: 2,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "one that is late wins against one that is later",
        addresses: &[("10.0.0.1", Fate::Accepts(400 * MS)), ("10.0.0.2", Fate::Accepts(200 * MS))],
        over_ms: 400,
        tried: 2,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "one that is late loses against one that joins and is quick",
        addresses: &[("10.0.0.1", Fate::Accepts(400 * MS)), ("10.0.0.2", ACCEPTS)],
        over_ms: 270,
        tried: 2,
        winner: Ok("10.0.0.2"),
    },
    Row {
        says: "one that is in time is alone",
        addresses: &[("10.0.0.1", Fate::Accepts(249 * MS)), ("10.0.0.2", ACCEPTS)],
        over_ms: 249,
        tried: 1,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "one that joins at the very moment is tried",
        addresses: &[("10.0.0.1", Fate::Accepts(250 * MS)), ("10.0.0.2", Fate::Silent)],
        over_ms: 250,
        tried: 2,
        winner: Ok("10.0.0.1"),
    },
    Row {
        says: "the last error is the one that is reported",
        addresses: &[("10.0.0.1", Fate::Refuses(400 * MS, Error::Connect(ConnectProblem::Unreachable))), ("10.0.0.2", REFUSES)],
        over_ms: 400,
        tried: 2,
        winner: Err(Error::Connect(ConnectProblem::Unreachable)),
    },
    Row {
        says: "a silent one is waited for, since it may still speak",
        addresses: &[("10.0.0.1", Fate::Silent), ("10.0.0.2", REFUSES)],
        over_ms: 30_000,
        tried: 2,
        winner: Err(LATE),
    },
    Row {
        says: "a failure has the next one join, and the one after it waits its time",
        addresses: &[("10.0.0.1", REFUSES), ("10.0.0.2", Fate::Silent), ("10.0.0.3", ACCEPTS)],
        over_ms: 280,
        tried: 3,
        winner: Ok("10.0.0.3"),
    },
];

fn internet(addresses: &[(IpAddr, Fate)]) -> Internet {
    let found = addresses.iter().map(|(address, _)| *address).collect();
    let names = [("a.test".to_owned(), vec![Reply::After(0, Ok(found))])].into();
    Internet { names, fates: addresses.iter().copied().collect(), ..Internet::default() }
}

#[test]
fn the_race_of_addresses_has_one_truth() {
    for Row { says, addresses, over_ms, tried, winner } in TABLE {
        let addresses: Vec<_> = addresses.iter().map(|(text, fate)| (text.parse().expect("an address"), *fate)).collect();
        let mut run = Run::new(internet(&addresses), 0);
        let began = run.now;
        run.dial(endpoint("a.test", &[]), 30_000 * MS, false);
        run.finish();
        let won = truth::check(&run, 0, None).map(|address| address.to_string());
        let over = run.dialled[0].ended.expect("it is over").since(began);
        assert_eq!((over, run.internet.borrow().attempted.len()), (over_ms * MS, tried), "{says}");
        assert_eq!(won, winner.map(str::to_owned), "{says}");
    }
}

#[test]
fn sixteen_silent_addresses_hold_up_the_seventeenth_until_one_of_them_fails() {
    let silent = (1..=16_u8).map(|last| (IpAddr::from([10, 0, 0, last]), Fate::Silent));
    let mut addresses: Vec<_> = silent.chain([(IpAddr::from([10, 0, 0, 17]), ACCEPTS)]).collect();
    let mut run = Run::new(internet(&addresses), 0);
    run.dial(endpoint("a.test", &[]), 30_000 * MS, false);
    run.finish();
    assert_eq!(truth::check(&run, 0, None), Err(LATE));
    assert_eq!(run.internet.borrow().attempted.len(), 16);

    addresses[3].1 = Fate::Refuses(9_000 * MS, REFUSED);
    let mut run = Run::new(internet(&addresses), 0);
    let began = run.now;
    run.dial(endpoint("a.test", &[]), 30_000 * MS, false);
    run.finish();
    assert_eq!(truth::check(&run, 0, None), Ok(IpAddr::from([10, 0, 0, 17])));
    assert_eq!(run.dialled[0].ended, Some(Instant(began.0 + (750 + 9_000 + 20) * MS)));
}

#[test]
fn connections_that_ask_at_the_same_time_share_one_look_up_and_those_after_them_its_answer() {
    let mut internet = internet(&[("10.0.0.1".parse().expect("an address"), ACCEPTS)]);
    let found = Ok(vec![IpAddr::from([10, 0, 0, 1])]);
    internet.names.insert("a.test".to_owned(), vec![Reply::After(100 * MS, found)]);
    let mut run = Run::new(internet, 1_000 * MS);
    for (at_ms, look_ups) in [(0, 1), (50, 1), (99, 1), (500, 1), (1_099, 1), (1_101, 2)] {
        run.pass(Instant((1_000 + at_ms) * MS));
        run.dial(endpoint("a.test", &[]), 30_000 * MS, true);
        assert_eq!(run.internet.borrow().asked.len(), look_ups, "at {at_ms} ms");
    }
    run.pass(Instant(2_300 * MS));
    run.names.borrow_mut().forget();
    run.dial(endpoint("a.test", &[]), 30_000 * MS, true);
    assert_eq!(run.internet.borrow().asked.len(), 3, "the network is another one");
    run.finish();
    for place in 0..run.dialled.len() {
        assert_eq!(truth::check(&run, place, None), Ok(IpAddr::from([10, 0, 0, 1])));
    }
}

#[test]
fn a_look_up_that_all_have_given_up_is_not_waited_for_again() {
    let mut internet = internet(&[("10.0.0.1".parse().expect("an address"), ACCEPTS)]);
    let found = Ok(vec![IpAddr::from([10, 0, 0, 1])]);
    internet.names.insert("a.test".to_owned(), vec![Reply::Never, Reply::After(0, found)]);
    let mut run = Run::new(internet, 1_000 * MS);
    run.dial(endpoint("a.test", &[]), 500 * MS, true);
    run.pass(Instant(2_000 * MS));
    run.dial(endpoint("a.test", &[]), 500 * MS, true);
    run.finish();
    assert_eq!((run.dialled[0].error(), run.dialled[1].error()), (Some(LATE), None));
}

#[test]
fn whatever_names_and_addresses_do_every_dial_ends_as_it_must() {
    let mut counts = Counts::default();
    for seed in 0..SEEDS {
        play(seed, &mut counts);
    }
    assert!(counts.established > 10_000 && counts.by_another > 3_000, "{counts:?}");
    assert!(counts.at_once == 16 && counts.errors.len() >= 9, "{counts:?}");
}

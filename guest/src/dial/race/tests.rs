use super::*;
use crate::types::{ConnectProblem, Denial};
use alloc::vec;

const MS: u64 = 1_000_000;
const REFUSED: Error = Error::Connect(ConnectProblem::Refused);
const UNREACHABLE: Error = Error::Connect(ConnectProblem::Unreachable);

fn address(text: &str) -> Address {
    crate::address::parse(text.as_bytes()).expect("an address")
}

fn addresses(texts: &[&str]) -> Vec<Address> {
    texts.iter().map(|text| address(text)).collect()
}

fn at(ms: u64) -> Instant {
    Instant(ms * MS)
}

/// All addresses that join at this moment.
fn joining(race: &mut Race, ms: u64) -> (Vec<Address>, Step) {
    let mut joining = vec![];
    loop {
        match race.next(at(ms)) {
            Step::Try(address) => joining.push(address),
            step => return (joining, step),
        }
    }
}

/// `count` different addresses.
fn many(count: u8) -> Vec<Address> {
    (0..count).map(|last| Address::from(core::net::IpAddr::from([10, 0, 0, last]))).collect()
}

#[test]
fn the_next_address_joins_after_a_quarter_of_a_second() {
    let [a, b] = ["192.0.2.1", "192.0.2.2"];
    let mut race = Race::new(addresses(&[a, b]));
    assert_eq!(joining(&mut race, 1_000), (addresses(&[a]), Step::Wait));
    assert_eq!(race.deadline(), Some(at(1_250)));
    assert_eq!(joining(&mut race, 1_249), (vec![], Step::Wait));
    assert_eq!(joining(&mut race, 1_250), (addresses(&[b]), Step::Wait));
    assert_eq!(race.deadline(), None, "no address is left to join");
}

#[test]
fn the_next_address_joins_at_once_when_one_has_failed() {
    let [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let mut race = Race::new(addresses(&[a, b, c]));
    assert_eq!(joining(&mut race, 0), (addresses(&[a]), Step::Wait));
    race.refused(REFUSED, at(10));
    assert_eq!(joining(&mut race, 10), (addresses(&[b]), Step::Wait));
    assert_eq!(race.deadline(), Some(at(260)));
    assert_eq!(joining(&mut race, 260), (addresses(&[c]), Step::Wait));
    race.refused(REFUSED, at(270));
    assert_eq!(joining(&mut race, 270), (vec![], Step::Wait), "one is under way");
    race.refused(UNREACHABLE, at(280));
    assert_eq!(race.next(at(280)), Step::Fail(UNREACHABLE), "the last error is the one that is reported");
}

#[test]
fn the_families_alternate_and_begin_with_the_one_that_the_resolver_names_first() {
    for (found, order) in [
        (["::1", "::2", "::3", "10.0.0.1"], ["::1", "10.0.0.1", "::2", "::3"]),
        (["10.0.0.1", "::1", "10.0.0.2", "::2"], ["10.0.0.1", "::1", "10.0.0.2", "::2"]),
        (["10.0.0.1", "10.0.0.2", "::1", "::2"], ["10.0.0.1", "::1", "10.0.0.2", "::2"]),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"], ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]),
    ] {
        let mut race = Race::new(vec![]);
        assert_eq!(race.next(at(0)), Step::LookUp);
        race.found(Ok(addresses(&found)), at(0));
        let tried = (0..4).flat_map(|turn| joining(&mut race, turn * 250).0).collect::<Vec<_>>();
        assert_eq!(tried, addresses(&order));
    }
}

#[test]
fn addresses_that_the_caller_names_are_tried_in_its_order() {
    let given = ["::1", "::2", "10.0.0.1"];
    let mut race = Race::new(addresses(&given));
    let tried = (0..3).flat_map(|turn| joining(&mut race, turn * 250).0).collect::<Vec<_>>();
    assert_eq!(tried, addresses(&given));
}

#[test]
fn no_more_than_sixteen_addresses_are_tried_at_once() {
    let mut race = Race::new(many(18));
    let tried = (0..18).map(|turn| joining(&mut race, turn * 250).0.len()).sum::<usize>();
    assert_eq!((tried, race.deadline()), (ATTEMPTS_MAX, None));
    race.refused(REFUSED, at(10_000));
    assert_eq!(joining(&mut race, 10_000).0, many(17)[16..]);
    assert_eq!(race.deadline(), None, "there is no room for another one");
    race.refused(REFUSED, at(10_001));
    assert_eq!(joining(&mut race, 10_001).0, many(18)[17..]);
}

#[test]
fn a_resolver_that_fails_for_now_is_asked_three_times_with_growing_gaps() {
    let temporary = Error::Dns(DnsProblem::TemporaryFailure);
    let mut race = Race::new(vec![]);
    assert_eq!((race.next(at(0)), race.next(at(0)), race.deadline()), (Step::LookUp, Step::Wait, None));
    race.found(Err(temporary), at(100));
    assert_eq!((race.next(at(349)), race.deadline()), (Step::Wait, Some(at(350))));
    assert_eq!(race.next(at(350)), Step::LookUp);
    race.found(Err(temporary), at(400));
    assert_eq!((race.next(at(899)), race.deadline()), (Step::Wait, Some(at(900))));
    assert_eq!(race.next(at(900)), Step::LookUp);
    race.found(Err(temporary), at(1_000));
    assert_eq!((race.next(at(1_000)), race.deadline()), (Step::Fail(temporary), None));
}

#[test]
fn every_other_error_of_a_resolver_is_final_and_so_is_a_name_without_addresses() {
    let (refused, unknown) = (Error::Denied(Denial::NameLookup), Error::Dns(DnsProblem::NotFound));
    for (outcome, error) in [(Err(refused), refused), (Err(unknown), unknown), (Ok(vec![]), unknown)] {
        let mut race = Race::new(vec![]);
        assert_eq!(race.next(at(0)), Step::LookUp);
        race.found(outcome, at(1));
        assert_eq!((race.next(at(1)), race.next(at(9_999))), (Step::Fail(error), Step::Fail(error)));
    }
}

#[test]
fn a_clock_near_its_end_does_not_wrap() {
    let mut race = Race::new(many(2));
    assert!(matches!(race.next(Instant(u64::MAX)), Step::Try(_)));
    assert_eq!(race.deadline(), Some(Instant(u64::MAX)));
}

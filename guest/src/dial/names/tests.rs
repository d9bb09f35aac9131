use super::*;
use crate::types::DnsProblem;
use alloc::string::ToString;
use alloc::vec;

const FAILED: Error = Error::Dns(DnsProblem::NotFound);

fn addresses(last: u8) -> Vec<Address> {
    vec![Address::from(core::net::IpAddr::from([10, 0, 0, last]))]
}

/// What is known, in a word: the last octet of the address, `-1` for a look-up that runs, `-2` for nothing.
fn known(names: &Names<()>, name: &str, now: u64) -> i16 {
    match names.answer(name, Instant(now)) {
        Answer::Addresses(addresses) => match addresses.first().map(|address| address.ip) {
            Some(core::net::IpAddr::V4(ip)) => i16::from(ip.octets()[3]),
            _ => 0,
        },
        Answer::Running(_) => -1,
        Answer::Unknown => -2,
    }
}

#[test]
fn a_name_is_looked_up_once_for_all_that_ask_at_the_same_time() {
    let mut names = Names::new(10);
    assert_eq!(known(&names, "a.test", 0), -2);
    let lookup = Rc::new(());
    names.begun("a.test", &lookup);
    assert_eq!((known(&names, "a.test", 0), known(&names, "b.test", 0)), (-1, -2));
    names.ended("a.test", &lookup, &Ok(addresses(1)), Instant(5));
    assert_eq!((known(&names, "a.test", 14), known(&names, "a.test", 15)), (1, -2), "for ten nanoseconds");
}

#[test]
fn an_error_is_not_remembered_and_neither_is_a_look_up_that_nobody_waits_for() {
    let mut names = Names::new(10);
    let lookup = Rc::new(());
    names.begun("a.test", &lookup);
    names.ended("a.test", &lookup, &Err(FAILED), Instant(5));
    assert_eq!(known(&names, "a.test", 5), -2, "though somebody still holds it");
    let lookup = Rc::new(());
    names.begun("a.test", &lookup);
    assert_eq!(known(&names, "a.test", 5), -1);
    drop(lookup);
    assert_eq!(known(&names, "a.test", 5), -2);
}

#[test]
fn the_end_of_an_earlier_look_up_does_not_end_a_later_one() {
    let mut names = Names::new(0);
    let (first, second) = (Rc::new(()), Rc::new(()));
    names.begun("a.test", &first);
    names.ended("a.test", &first, &Ok(addresses(1)), Instant(5));
    assert_eq!(known(&names, "a.test", 5), -2, "kept for no time");
    names.begun("a.test", &second);
    names.ended("a.test", &first, &Ok(addresses(1)), Instant(6));
    assert_eq!(known(&names, "a.test", 6), -1);
}

#[test]
fn the_oldest_name_makes_room_and_a_changed_network_forgets_all() {
    let mut names = Names::new(u64::MAX);
    let lookup = Rc::new(());
    for number in 0..=NAMES_MAX {
        let name = number.to_string();
        names.begun(&name, &lookup);
        names.ended(&name, &lookup, &Ok(addresses(1)), Instant(1));
    }
    assert_eq!((known(&names, "0", 2), known(&names, "1", 2), known(&names, "256", 2)), (-2, 1, 1));
    assert!(names.give("b.test".into(), 0, addresses(2)));
    names.forget();
    assert_eq!(known(&names, "256", 2), -2);
    assert_eq!(names.given("b.test", 80), addresses(2), "given by the caller, and not by the network");
}

#[test]
fn addresses_are_given_for_a_port_or_for_any_and_taken_back() {
    let mut names = Names::<()>::new(0);
    assert!(names.give("A.test".into(), 0, addresses(1)) && names.give("a.test".into(), 443, addresses(2)));
    assert_eq!((names.given("a.TEST", 80), names.given("a.test", 443)), (addresses(1), addresses(2)));
    assert_eq!(names.given("b.test", 80), vec![]);
    assert!(names.give("a.test".into(), 443, vec![]));
    assert_eq!(names.given("a.test", 443), addresses(1));
    assert!(names.give("a.test".into(), 0, addresses(3)));
    assert_eq!(names.given("a.test", 443), addresses(3), "the later one counts");
}

#[test]
fn there_is_room_for_so_many_given_hosts() {
    let mut names = Names::<()>::new(0);
    assert!((0..NAMES_MAX).all(|number| names.give(number.to_string(), 0, addresses(1))));
    assert!(!names.give("one.more".into(), 0, addresses(1)));
    assert!(names.give("0".into(), 0, addresses(2)), "one that is given again takes no more room");
}

//! Records behind the handshake, around a response and in its middle.

use super::{BOTH, TLS12, TLS13, speaking};
use crate::tls::case::Case;
use crate::tls::client::{Library, Outcome, Problem};
use crate::tls::proxy::framed;
use crate::tls::server::{Settings, Step, response};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
/// What a record may hold.
const RECORD_MAX: usize = 1 << 14;
/// More than any client should take.
const MANY: usize = 2_000;

const EMPTY: &str = "rustls passes over it, against RFC 8446 section 5.4";

fn whole() -> Vec<u8> {
    response("hello")
}

/// The response but for its last two octets, these steps, and the rest.
fn around(steps: &[Step]) -> Vec<Step> {
    let octets = whole();
    let (start, end) = octets.split_at(octets.len() - 2);
    let mut all = vec![Step::Record(DATA, start.to_vec())];
    all.extend_from_slice(steps);
    all.extend([Step::Record(DATA, end.to_vec()), Step::CloseNotify]);
    all
}

fn doing(name: impl Into<String>, versions: super::Versions, steps: Vec<Step>) -> Case {
    Case::new(name, move || Settings { steps: steps.clone(), ..speaking(versions) }.start())
}

fn hello(_: &[crate::tls::serving::Seen], outcomes: &[Outcome]) -> Result<(), String> {
    match outcomes.last() {
        Some(Outcome::Answered(answer)) if answer.content == b"hello" => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn large(_: &[crate::tls::serving::Seen], outcomes: &[Outcome]) -> Result<(), String> {
    match outcomes.last() {
        Some(Outcome::Answered(answer)) if answer.content == vec![b'a'; 4 * RECORD_MAX] => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        cases.extend(sizes(word, versions));
        cases.extend(alerts(word, versions));
        cases.extend(forged(word, versions));
    }
    cases.extend(newer());
    cases.extend(older());
    cases
}

fn sizes(word: &str, versions: super::Versions) -> Vec<Case> {
    let case = |name: &str, steps| doing(format!("{name}, {word}"), versions, steps);
    let pieces =
        |size: usize, content: &str| response(content).chunks(size).map(|piece| Step::Record(DATA, piece.to_vec())).collect();
    let data = |octets: usize| Step::Record(DATA, vec![b'a'; octets]);
    vec![
        case("records of one octet", pieces(1, "hello")).check(hello),
        case("records of 16 384 octets", pieces(RECORD_MAX, &"a".repeat(4 * RECORD_MAX))).check(large),
        case("some records without octets", around(&[data(0), data(0), data(0)])).check(hello),
        case("records without octets, again and again", around(&vec![data(0); MANY])).broken(Problem::Protocol),
        case("a record of 16 385 octets", around(&[data(RECORD_MAX + 1)])).broken(Problem::Protocol),
        case("a record whose header says 65 535", around(&[Step::Raw([&[23, 3, 3, 0xff, 0xff][..], &[0; 65_535]].concat())]))
            .broken(Problem::Protocol),
    ]
}

fn alerts(word: &str, versions: super::Versions) -> Vec<Case> {
    let case = |name: &str, steps| doing(format!("{name}, {word}"), versions, steps);
    let alert = |level: u8, code: u8| Step::Record(ALERT, vec![level, code]);
    vec![
        case("a fatal alert before the response", vec![alert(2, 80)]).broken(Problem::Alert(80)),
        case("a fatal alert in the middle", around(&[alert(2, 80)])).broken(Problem::Alert(80)),
        case("a fatal alert that has no name", around(&[alert(2, 211)])).broken(Problem::Alert(211)),
        case("warnings again and again", around(&vec![alert(1, 90); MANY])).broken(Problem::Protocol),
        case("user_canceled, and the response goes on", around(&[alert(1, 90)])).check(hello),
        case("an alert of one octet", around(&[Step::Record(ALERT, vec![2])])).broken(Problem::Protocol),
        case("an alert without octets", around(&[Step::Record(ALERT, Vec::new())])).broken(Problem::Protocol),
    ]
}

fn forged(word: &str, versions: super::Versions) -> Vec<Case> {
    let case = |name: &str, steps: &[Step]| doing(format!("{name}, {word}"), versions, around(steps)).broken(Problem::Protocol);
    vec![
        case("a response that is not encrypted", &[Step::Raw(framed(DATA, b"HTTP/1.1 200 OK\r\n\r\n"))]),
        case("a record of zeros", &[Step::Raw(framed(DATA, &[0; 64]))]),
        case("a record shorter than its tag", &[Step::Raw(framed(DATA, &[0; 7]))]),
        case("an alert that is not encrypted", &[Step::Raw(framed(ALERT, &[2, 40]))]),
        case("HTTP without TLS", &[Step::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())]),
        case("a sealed record of unknown type", &[Step::Record(99, vec![0])]),
        case("Finished again", &[Step::Record(HANDSHAKE, [&[20, 0, 0, 12][..], &[0; 12]].concat())]),
        case("a ServerHello", &[Step::Record(HANDSHAKE, vec![2, 0, 0, 0])]),
        case("a message of a type that is not known", &[Step::Record(HANDSHAKE, vec![77, 0, 0, 0])]),
        case("ChangeCipherSpec", &[Step::Raw(framed(20, &[1]))]),
    ]
}

fn newer() -> Vec<Case> {
    let case = |name: &str, steps: &[Step]| doing(name, TLS13, around(steps));
    let padded = |padding: usize| Step::Record(0, [&[DATA][..], &vec![0; padding]].concat());
    let update = |asks: u8| Step::Record(HANDSHAKE, vec![24, 0, 0, 1, asks]);
    let ticket = [&[4, 0, 0, 22][..], &[0, 0, 0x0e, 0x10, 1, 2, 3, 4, 1, 7, 0, 8], &[5; 8], &[0, 0]].concat();
    let octets = whole();
    let (start, end) = octets.split_at(20);
    vec![
        doing(
            "new keys in the middle",
            TLS13,
            vec![Step::Write(start.to_vec()), Step::KeyUpdate, Step::Write(end.to_vec()), Step::CloseNotify],
        )
        .check(hello),
        case("padding alone, of 1 000 octets", &[padded(1_000)]).check(hello),
        case("a record of zeros alone, sealed", &[Step::Record(0, vec![0; 16])]).broken(Problem::Protocol),
        case("KeyUpdate that asks for neither", &[update(2)]).broken(Problem::Protocol),
        case("KeyUpdate with more behind it in the record", &[Step::Record(HANDSHAKE, vec![24, 0, 0, 1, 0, 24, 0, 0, 1, 0])])
            .broken(Problem::Protocol),
        case("a part of a message, and then data", &[Step::Record(HANDSHAKE, vec![4, 0, 0])]).broken(Problem::Protocol),
        case("a ticket in the middle", &[Step::Record(HANDSHAKE, ticket.clone())]).check(hello),
        case("a hundred tickets", &vec![Step::Record(HANDSHAKE, ticket); 100]).check(hello),
        case("a client certificate is asked for, which was not offered", &[Step::Record(HANDSHAKE, vec![13, 0, 0, 3, 0, 0, 0])])
            .broken(Problem::Protocol),
        case("HelloRequest, which TLS 1.3 has not", &[Step::Record(HANDSHAKE, vec![0, 0, 0, 0])]).broken(Problem::Protocol),
        case("a record of the handshake without octets", &[Step::Record(HANDSHAKE, Vec::new())])
            .broken(Problem::Protocol)
            .differs(Library::Rustls, EMPTY),
        case("records of the handshake without octets, again and again", &vec![Step::Record(HANDSHAKE, Vec::new()); MANY])
            .broken(Problem::Protocol),
        case("a warning that TLS 1.3 takes for an error", &[Step::Record(ALERT, vec![1, 112])]).broken(Problem::Alert(112)),
    ]
}

fn older() -> Vec<Case> {
    let case = |name: &str, steps: &[Step]| doing(name, TLS12, around(steps));
    let request = || Step::Record(HANDSHAKE, vec![0, 0, 0, 0]);
    vec![
        case("renegotiation is asked for, and not insisted on", &[request()]).check(hello),
        case("renegotiation is asked for again and again", &vec![request(); MANY])
            .broken(Problem::Protocol)
            .differs(Library::OpenSsl, "OpenSSL refuses each time, and counts none"),
        case(
            "renegotiation is begun",
            &[Step::Record(HANDSHAKE, [&[2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat())],
        )
        .broken(Problem::Protocol),
        case("a HelloRequest with content", &[Step::Record(HANDSHAKE, vec![0, 0, 0, 1, 0])])
            .broken(Problem::Protocol)
            .differs(Library::Rustls, "rustls does not look at its content"),
    ]
}

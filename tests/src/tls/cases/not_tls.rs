//! Servers that are none, that say no, that end or stay silent.

use super::{BOTH, good, speaking};
use crate::tls::case::Case;
use crate::tls::client::Problem;
use crate::tls::proxy::{self, Change, framed};
use crate::tls::raw;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = other_protocols();
    cases.extend(alerts());
    cases.extend(ends());
    cases.extend(endless());
    cases
}

fn other_protocols() -> Vec<Case> {
    let says = |name: &str, octets: &'static [u8]| Case::new(name, move || raw::octets(octets)).refused(Problem::NotTls);
    vec![
        says("HTTP without TLS", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        says("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
        says("SMTP", b"220 mail.test ESMTP\r\n"),
        says("HTTP/2's settings", &[0, 0, 0, 4, 0, 0, 0, 0, 0]),
        says("zeros", &[0; 64]),
        says("octets of no meaning", &[0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef]),
        says("SSL 2", &[0x80, 0x2e, 4, 0, 1, 0, 2, 0, 0, 0]),
        says("a record of version 5.9", &[22, 5, 9, 0, 4, 2, 0, 0, 0]).or(Problem::Protocol),
        says("a record of unknown type", &[99, 3, 3, 0, 1, 0]).or(Problem::Protocol),
    ]
}

fn alerts() -> Vec<Case> {
    let alert =
        |name: &str, code, problem| Case::new(format!("alert {code}, {name}"), move || raw::alert(2, code)).refused(problem);
    vec![
        alert("unexpected_message", 10, Problem::Alert(10)),
        alert("handshake_failure", 40, Problem::NoAgreement).or(Problem::Alert(40)),
        alert("illegal_parameter", 47, Problem::Alert(47)),
        alert("decode_error", 50, Problem::Alert(50)),
        alert("protocol_version", 70, Problem::NoAgreement).or(Problem::Alert(70)),
        alert("insufficient_security", 71, Problem::NoAgreement).or(Problem::Alert(71)),
        alert("internal_error", 80, Problem::Alert(80)),
        alert("unrecognized_name", 112, Problem::Alert(112)),
        Case::new("the warning unrecognized_name, and then all goes well", || {
            let warned =
                |number, record: proxy::Record| if number == 0 { [framed(21, &[1, 112]), record].concat() } else { record };
            proxy::start(speaking(super::TLS12).start(), Change::Records(warned))
        }),
        alert("no_application_protocol", 120, Problem::Alpn),
        alert("which has no name", 213, Problem::Alert(213)),
        Case::new("close_notify in place of a ServerHello", || raw::alert(1, 0))
            .refused(Problem::Truncated)
            .or(Problem::Alert(0)),
        Case::new("an alert of three octets", || raw::octets(&framed(21, &[2, 40, 0]))).refused(Problem::Protocol),
        Case::new("an alert of one octet", || raw::octets(&framed(21, &[2]))).refused(Problem::Protocol),
    ]
}

fn ends() -> Vec<Case> {
    let mut cases = vec![
        Case::new("it ends at once", raw::ends).refused(Problem::Truncated),
        Case::new("it ends behind the ClientHello", || raw::octets(&[])).refused(Problem::Truncated),
        Case::new("it accepts and says nothing", raw::mute).told(|told| told.patience = PATIENCE).refused(Problem::TimedOut),
    ];
    for (word, versions, _) in BOTH {
        let cut = move |at| proxy::start(speaking(versions).start(), Change::Cut(at));
        // Within each header, message and boundary of the first flight, which has more than 900 octets.
        let points = (1..8).chain((8..200).step_by(11)).chain((200..900).step_by(67)).collect();
        cases.push(Case::at(format!("its first flight is cut, {word}"), points, cut).refused(Problem::Truncated));
        let flip = move |at| proxy::start(speaking(versions).start(), Change::Flip(at));
        let flipped = Case::at(format!("one octet of its first flight is changed, {word}"), flips(), flip);
        cases.push(flipped.told(|told| told.patience = PATIENCE).refused_somehow());
        let hold = move |at| proxy::start(speaking(versions).start(), Change::Hold(at));
        let held = Case::at(format!("its first flight stops, {word}"), vec![3, 70, 600], hold);
        cases.push(held.told(|told| told.patience = PATIENCE).refused(Problem::TimedOut));
    }
    cases
}

/// Octets of the first flight. All count but for the versions in the headers of records, which are for nothing, and three records begin in it.
fn flips() -> Vec<usize> {
    const VERSIONS: [usize; 6] = [1, 2, 128, 129, 134, 135];
    (0..12).chain((12..900).step_by(23)).chain(120..140).filter(|octet| !VERSIONS.contains(octet)).collect()
}

fn endless() -> Vec<Case> {
    let handshake = |content: &[u8]| framed(22, content);
    let again = |name: &str, start: Vec<u8>, again: Vec<u8>| {
        Case::new(name, move || raw::endless(start.clone(), again.clone())).refused(Problem::Protocol)
    };
    vec![
        Case::new("a record that is too long", || raw::octets(&[&[22, 3, 3, 0x48, 1, 2][..], &[0; 18_433]].concat()))
            .refused(Problem::Protocol),
        Case::new("a record without octets", || raw::octets(&framed(22, &[]))).refused(Problem::Protocol).or(Problem::Truncated),
        again("records without octets, without end", Vec::new(), handshake(&[])),
        again("warnings without end", Vec::new(), framed(21, &[1, 112])).or(Problem::Alert(112)),
        again("a message of 16 MiB, without end", handshake(&[2, 0xff, 0xff, 0xff]), handshake(&[0; 16_000])),
        again("a Certificate of 16 MiB in place of a ServerHello", handshake(&[11, 0xff, 0xff, 0xff]), handshake(&[0; 16_000])),
        again("ChangeCipherSpec without end", Vec::new(), framed(20, &[1])),
        Case::new("application data in place of a ServerHello", || raw::octets(&framed(23, b"HTTP/1.1 200 OK\r\n\r\n")))
            .refused(Problem::Protocol)
            .or(Problem::NotTls),
        Case::new("its own ClientHello comes back", || {
            raw::octets(&framed(22, &[&[1, 0, 0, 43, 3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 0]].concat()))
        })
        .refused(Problem::Protocol),
        Case::new("a good server, an octet in a segment", || proxy::start(good().start(), Change::Dribble)),
    ]
}

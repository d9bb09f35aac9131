use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::abnf::{is_field_value_octet, is_tchar};
use crate::types::{Incompatibility, ResponseHead};

const LIMITS: HeadLimits = HeadLimits { octets_max: 65_536, field_lines_max: 128 };
/// What may stand behind a head or a trailer section, and belongs to somebody else.
const BEHIND: [&[u8]; 6] = [b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"\n", b" ", b"\0", b"x: y\r\n"];

type Read<T> = Result<Option<(T, usize)>, Fault>;

/// A fresh parser, as a function of all octets so far.
trait Reader<T>: FnMut(&[u8]) -> Read<T> {}
impl<T, F: FnMut(&[u8]) -> Read<T>> Reader<T> for F {}

/// Reads whole; octet by octet, with nothing to be seen before the last; in every two parts; and with more behind. All must
/// agree.
fn every_way<T, R: Reader<T>>(octets: &[u8], fresh: impl Fn() -> R) -> Read<T>
where
    T: Clone + core::fmt::Debug + PartialEq,
{
    let whole = fresh()(octets);
    let needed = match &whole {
        Ok(Some((_, end))) => *end,
        Ok(None) => usize::MAX,
        Err(fault) => fault.at,
    };
    let mut growing = fresh();
    for there in 0..=octets.len() {
        let expected = if there < needed { Ok(None) } else { whole.clone() };
        assert_eq!(growing(&octets[..there]), expected, "{there} octets of {octets:?}");
        if there >= needed {
            break;
        }
    }
    for cut in 0..octets.len().min(needed) {
        let mut parser = fresh();
        assert_eq!(parser(&octets[..cut]), Ok(None), "cut at {cut} of {octets:?}");
        assert_eq!(parser(octets), whole, "cut at {cut} of {octets:?}");
    }
    if needed <= octets.len() {
        for behind in BEHIND {
            assert_eq!(fresh()(&[octets, behind].concat()), whole, "{behind:?} behind {octets:?}");
        }
    }
    whole
}

fn read_with(octets: &[u8], limits: HeadLimits, leniency: Leniency) -> Read<ResponseHead> {
    let read = every_way(octets, || {
        let mut parser = HeadParser::default();
        move |octets: &[u8]| parser.parse(octets, &limits, leniency)
    })?;
    Ok(read.map(|(head, end)| (head.unpacked(), end)))
}

fn trailers_with(octets: &[u8], limits: HeadLimits, leniency: Leniency) -> Read<Vec<FieldLine>> {
    every_way(octets, || {
        let mut parser = TrailerParser::default();
        move |octets: &[u8]| parser.parse(octets, &limits, leniency)
    })
}

#[track_caller]
fn accepts_with(octets: &[u8], leniency: Leniency) -> ResponseHead {
    match read_with(octets, LIMITS, leniency) {
        Ok(Some((head, end))) if end == octets.len() => head,
        other => panic!("{octets:?}: {other:?}"),
    }
}

#[track_caller]
fn accepts(octets: &[u8]) -> ResponseHead {
    accepts_with(octets, strict())
}

/// Refused at the last octet of `shown`, whatever is behind it.
#[track_caller]
fn refuses_with(shown: &[u8], rest: &[u8], leniency: Leniency, error: Error) {
    let octets = [shown, rest].concat();
    let expected = Err(Fault { error, at: shown.len() });
    assert_eq!(read_with(&octets, LIMITS, leniency), expected, "{octets:?}");
}

#[track_caller]
fn refuses(shown: &[u8], rest: &[u8], why: Misbehaviour) {
    refuses_with(shown, rest, strict(), Error::PeerMisbehaved(why));
}

fn strict() -> Leniency {
    Leniency::empty()
}

fn every_leniency() -> Leniency {
    Leniency::BARE_LF
        | Leniency::LINE_FOLDING
        | Leniency::SPACE_BEFORE_COLON
        | Leniency::SKIP_INVALID_LINES
        | Leniency::EQUAL_CONTENT_LENGTHS
        | Leniency::SPACE_AFTER_CHUNK_SIZE
        | Leniency::LEADING_EMPTY_LINE
}

fn lines(fields: &[FieldLine]) -> Vec<(&str, &[u8])> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

// The status line.

#[test]
fn a_head_is_octets_and_is_never_decoded_as_text() {
    let head = accepts(b"HTTP/1.1 200 \xff\xfe\r\nX: \xc3\x28 \xf0\r\n\r\n");
    assert_eq!(head.reason, b"\xff\xfe");
    assert_eq!(lines(&head.fields), [("X", &b"\xc3\x28 \xf0"[..])]);
}

#[test]
fn a_status_line_is_version_status_code_and_reason_phrase() {
    let head = accepts(b"HTTP/1.1 404 Not Found\r\n\r\n");
    assert_eq!((head.version, head.status), (HttpVersion::Http11, 404));
    assert_eq!(head.reason, b"Not Found");
    assert!(head.fields.is_empty());
    assert_eq!(accepts(b"HTTP/1.0 200 OK\r\n\r\n").version, HttpVersion::Http10);
    let why = Misbehaviour::InvalidStatusLine;
    refuses(b"HTTP/1.1\r", b"\n\r\n", why);
    refuses(b"HTTP/1.1 \r", b"\n\r\n", why);
    refuses(b"HTTP/1.1\t", b"200 OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 200\t", b"OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 200:", b"OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 200 OK\0", b"\r\n\r\n", why);
    refuses(b"HTTP/1.1 200 O\x7f", b"K\r\n\r\n", why);
    refuses(b"HTTP/1.1 2\n", b"\r\n", why);
}

#[test]
fn octets_that_cannot_be_http_are_refused_at_the_first_of_them() {
    let why = Misbehaviour::NotHttp;
    refuses(b"\x16", b"\x03\x03\x00\x7a\x02\x00\x00\x76", why); // a TLS ServerHello
    refuses(b"\0", b"", why);
    refuses(b" ", b"HTTP/1.1 200 OK\r\n\r\n", why);
    refuses(b"<", b"!DOCTYPE html>", why);
    refuses(b"S", b"SH-2.0-OpenSSH_9.2\r\n", why);
    refuses(b"HTTPS", b"/1.1 200 OK\r\n\r\n", why);
    refuses(b"HTTP ", b"/1.1 200 OK\r\n\r\n", why);
    refuses(b"2", b"00 OK\r\n\r\n", why);
}

#[test]
fn the_protocol_name_is_case_sensitive_and_the_version_has_one_digit_on_each_side() {
    refuses(b"h", b"ttp/1.1 200 OK\r\n\r\n", Misbehaviour::NotHttp);
    refuses(b"HTTp", b"/1.1 200 OK\r\n\r\n", Misbehaviour::NotHttp);
    let why = Misbehaviour::InvalidStatusLine;
    refuses(b"HTTP/ ", b"1.1 200 OK\r\n\r\n", why);
    refuses(b"HTTP/11", b".1 200 OK\r\n\r\n", why);
    refuses(b"HTTP/1 ", b"200 OK\r\n\r\n", why);
    refuses(b"HTTP/1,", b"1 200 OK\r\n\r\n", why);
    refuses(b"HTTP/1.x", b" 200 OK\r\n\r\n", why);
    refuses(b"HTTP/1.10", b" 200 OK\r\n\r\n", why);
    refuses(b"HTTP/1. ", b"200 OK\r\n\r\n", why);
    refuses(b"HTTP/\x01", b".1 200 OK\r\n\r\n", why);
}

#[test]
fn a_later_minor_version_is_processed_as_1_1() {
    for minor in 1..=9 {
        let head = accepts(format!("HTTP/1.{minor} 200 OK\r\nA: b\r\n\r\n").as_bytes());
        assert_eq!((head.version, head.status), (HttpVersion::Http11, 200));
        assert_eq!(lines(&head.fields), [("A", &b"b"[..])]);
    }
}

#[test]
fn another_major_version_or_another_protocol_is_refused() {
    for major in [0, 2, 3, 9] {
        let shown = format!("HTTP/{major}");
        let error = Error::PeerIncompatible(Incompatibility::Version);
        refuses_with(shown.as_bytes(), b".0 200 OK\r\n\r\n", every_leniency(), error);
    }
    refuses(b"R", b"TSP/1.1 200 OK\r\n\r\n", Misbehaviour::NotHttp);
    refuses(b"I", b"CE/1.1 200 OK\r\n\r\n", Misbehaviour::NotHttp);
    refuses(b"He", b"llo, HTTP/0.9 has no status line", Misbehaviour::NotHttp);
}

#[test]
fn a_status_code_is_exactly_three_digits() {
    let why = Misbehaviour::InvalidStatusLine;
    refuses(b"HTTP/1.1 20 ", b"OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 2\r", b"\n\r\n", why);
    refuses(b"HTTP/1.1 +", b"200 OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 -", b"200 OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 2x", b"0 OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 20\xb2", b" OK\r\n\r\n", why);
    refuses(b"HTTP/1.1 O", b"K\r\n\r\n", why);
    refuses(b"HTTP/1.1 2000", b" OK\r\n\r\n", Misbehaviour::InvalidStatusCode);
    refuses(b"HTTP/1.1 2000", b"0000000000000000000 OK\r\n\r\n", Misbehaviour::InvalidStatusCode);
}

#[test]
fn an_unknown_status_code_of_a_known_class_is_passed_on() {
    for status in [100, 101, 199, 299, 399, 418, 499, 599, 600, 777, 999] {
        assert_eq!(accepts(format!("HTTP/1.1 {status} x\r\n\r\n").as_bytes()).status, status);
    }
}

#[test]
fn a_status_code_below_100_is_refused() {
    refuses(b"HTTP/1.1 0", b"00 x\r\n\r\n", Misbehaviour::InvalidStatusCode);
    refuses(b"HTTP/1.1 0", b"99 x\r\n\r\n", Misbehaviour::InvalidStatusCode);
}

#[test]
fn a_reason_phrase_may_be_empty_or_left_out_or_hold_obs_text() {
    assert_eq!(accepts(b"HTTP/1.1 200 \r\n\r\n").reason, b"");
    assert_eq!(accepts(b"HTTP/1.1 200\r\n\r\n").reason, b"");
    assert_eq!(accepts(b"HTTP/1.1 200\r\nA: b\r\n\r\n").reason, b"");
    assert_eq!(accepts(b"HTTP/1.1 200 X\xffZ\r\nA: b\r\n\r\n").reason, b"X\xffZ");
    assert_eq!(accepts(b"HTTP/1.1 200 a\tb c\r\n\r\n").reason, b"a\tb c");
}

#[test]
fn more_than_one_space_between_the_parts_of_a_status_line_is_refused() {
    refuses(b"HTTP/1.1  ", b"200 OK\r\n\r\n", Misbehaviour::InvalidStatusLine);
    // Behind the status code it is the first octet of the reason phrase, by the grammar.
    assert_eq!(accepts(b"HTTP/1.1 200  OK \r\n\r\n").reason, b" OK ");
}

// Lines.

#[test]
fn a_line_that_ends_in_lf_alone_is_refused() {
    let why = Misbehaviour::InvalidLineEnding;
    refuses(b"HTTP/1.1 200 OK\n", b"A: b\r\n\r\n", why);
    refuses(b"HTTP/1.1 200\n", b"A: b\r\n\r\n", why);
    refuses(b"HTTP/1.1 200 OK\r\nA: b\n", b"\r\n", why);
    refuses(b"HTTP/1.1 200 OK\r\nA: b\n", b"C: d\r\n\r\n", why);
    refuses(b"HTTP/1.1 200 OK\r\nA:\n", b"\r\n", why);
    refuses(b"HTTP/1.1 200 OK\r\nA: b\r\n\n", b"", why);
    refuses(b"HTTP/1.1 200 OK\r\n\n", b"", why);
}

#[test]
fn a_cr_without_lf_is_refused_wherever_it_stands() {
    let why = Misbehaviour::InvalidLineEnding;
    for leniency in [strict(), every_leniency()] {
        let refuses = |shown: &[u8], rest: &[u8]| {
            refuses_with(shown, rest, leniency, Error::PeerMisbehaved(why));
        };
        refuses(b"HTTP/1.1 200 OK\rC", b"ontent-Length: 0\r\n\r\n");
        refuses(b"HTTP/1.1 200 OK\r\r", b"Content-Length: 4\r\n\r\n");
        refuses(b"HTTP/1.1 200\rX", b": y\r\n\r\n");
        refuses(b"HTTP/1.1 200 OK\r\nA: b\rC", b": d\r\n\r\n");
        refuses(b"HTTP/1.1 200 OK\r\nA: b\r\r", b"\n\r\n");
        refuses(b"HTTP/1.1 200 OK\r\nA: b\r ", b"\n\r\n");
        refuses(b"HTTP/1.1 200 OK\r\nA:\rb", b"\r\n\r\n");
        refuses(b"HTTP/1.1 200 OK\r\nA: b\r\n\rX", b"");
        refuses(b"HTTP/1.1 200 OK\r\n\r\r", b"\n");
    }
    refuses(b"HTTP/1.1 200 OK\r\nTransfer\r", b"Encoding: chunked\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 2\r", b"00 OK\r\n\r\n", Misbehaviour::InvalidStatusLine);
}

#[test]
fn behind_a_cr_that_ends_a_line_only_lf_is_taken() {
    let ends: [&[u8]; 7] = [
        b"\r",
        b"HTTP/1.1 200\r",
        b"HTTP/1.1 200 OK\r",
        b"HTTP/1.1 200 OK\r\n\r",
        b"HTTP/1.1 200 OK\r\nA: b\r",
        b"HTTP/1.1 200 OK\r\nno colon\r",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r",
    ];
    for end in ends {
        for octet in (0..=255).filter(|octet| *octet != b'\n') {
            let shown = [end, &[octet]].concat();
            let mut parser = HeadParser::default();
            let error = Error::PeerMisbehaved(Misbehaviour::InvalidLineEnding);
            let expected = Err(Fault { error, at: shown.len() });
            assert_eq!(parser.parse(&shown, &LIMITS, every_leniency()), expected, "{shown:?}");
        }
        let taken = [end, b"\n"].concat();
        assert!(HeadParser::default().parse(&taken, &LIMITS, every_leniency()).is_ok());
    }
}

#[test]
fn an_empty_line_before_the_status_line_is_refused() {
    refuses(b"\r", b"\nHTTP/1.1 200 OK\r\n\r\n", Misbehaviour::NotHttp);
    refuses(b"\n", b"HTTP/1.1 200 OK\r\n\r\n", Misbehaviour::NotHttp);
}

#[test]
fn whitespace_between_the_status_line_and_the_first_field_line_is_refused() {
    refuses(b"HTTP/1.1 200 OK\r\n ", b"Content-Length: 42\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\n\t", b"\r\n\r\n", Misbehaviour::InvalidFieldLine);
}

// Field lines.

#[test]
fn a_field_name_is_a_token_and_not_empty() {
    let head = accepts(b"HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n");
    assert_eq!(lines(&head.fields), [("!#$%&'*+-.^_`|~09azAZ", &b"1"[..])]);
    refuses(b"HTTP/1.1 200 OK\r\n:", b" x\r\n\r\n", Misbehaviour::InvalidFieldLine);
    for octet in (0..=255).filter(|&octet| !is_tchar(octet) && octet != b':' && octet != b'\n') {
        let shown = [&b"HTTP/1.1 200 OK\r\nab"[..], &[octet]].concat();
        refuses(&shown, b"c: d\r\n\r\n", Misbehaviour::InvalidFieldLine);
    }
}

#[test]
fn whitespace_before_the_colon_is_refused() {
    refuses(b"HTTP/1.1 200 OK\r\nA ", b": b\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\nA\t", b": b\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\nContent-Length ", b": 5\r\n\r\n", Misbehaviour::InvalidFieldLine);
}

#[test]
fn a_line_without_a_colon_is_refused_and_never_joined_or_skipped() {
    refuses(b"HTTP/1.1 200 OK\r\nfoo\r", b"\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\nA: b\r\nno ", b"colon\r\nC: d\r\n\r\n", Misbehaviour::InvalidFieldLine);
}

#[test]
fn sp_and_htab_around_a_value_are_not_part_of_it_and_nothing_else_is_trimmed() {
    let head = accepts(b"HTTP/1.1 200 OK\r\nA: \t b \t c\t \r\nD:\r\nE: \t \r\nF:g\r\nH: \xa0i\xa0\r\n\r\n");
    let expected: [(&str, &[u8]); 5] = [("A", b"b \t c"), ("D", b""), ("E", b""), ("F", b"g"), ("H", b"\xa0i\xa0")];
    assert_eq!(lines(&head.fields), expected);
}

#[test]
fn control_octets_in_a_value_are_refused() {
    for octet in (0..=255).filter(|&octet| !is_field_value_octet(octet)) {
        if octet != b'\r' && octet != b'\n' {
            let shown = [&b"HTTP/1.1 200 OK\r\nA: b"[..], &[octet]].concat();
            refuses(&shown, b"c\r\n\r\n", Misbehaviour::InvalidFieldValue);
            let shown = [&b"HTTP/1.1 200 OK\r\nA:"[..], &[octet]].concat();
            refuses(&shown, b"\r\n\r\n", Misbehaviour::InvalidFieldValue);
        }
    }
}

#[test]
fn obs_text_in_a_value_is_passed_on_as_octets() {
    for octet in 0x80..=0xff {
        let octets = [&b"HTTP/1.1 200 OK\r\nA: "[..], &[octet, b'x', octet], b"\r\n\r\n"].concat();
        assert_eq!(lines(&accepts(&octets).fields), [("A", &[octet, b'x', octet][..])]);
    }
}

#[test]
fn line_folding_is_refused() {
    refuses(b"HTTP/1.1 200 OK\r\nA: b\r\n ", b"c\r\n\r\n", Misbehaviour::LineFolding);
    refuses(b"HTTP/1.1 200 OK\r\nA: b\r\n\t", b"\r\n\r\n", Misbehaviour::LineFolding);
}

#[test]
fn field_lines_keep_their_order_their_duplicates_and_their_letter_case() {
    let head = accepts(b"HTTP/1.1 200 OK\r\nset-Cookie: a\r\nX: 1\r\nSet-Cookie: b\r\nx: 2\r\nX: 1\r\n\r\n");
    let expected: [(&str, &[u8]); 5] = [("set-Cookie", b"a"), ("X", b"1"), ("Set-Cookie", b"b"), ("x", b"2"), ("X", b"1")];
    assert_eq!(lines(&head.fields), expected);
}

#[test]
fn unknown_fields_are_passed_on() {
    let head = accepts(b"HTTP/1.1 200 OK\r\nX-Nobody-Knows: \"(,;=\r\n\r\n");
    assert_eq!(lines(&head.fields), [("X-Nobody-Knows", &b"\"(,;="[..])]);
}

#[test]
fn a_strict_head_that_is_there_as_a_whole_is_read_at_once() {
    let octets = b"HTTP/1.1 200 OK\r\nA: b\r\nC:\r\n\r\n";
    let limits = HeadLimits { octets_max: octets.len(), field_lines_max: 2 };
    let (head, end) = whole(octets, &limits).unwrap();
    assert_eq!((head.unpacked(), end), (accepts(octets), octets.len()));
    assert_eq!((&head.octets[..], &head.places[..]), (&octets[..], &[0, 15, 13, 15, 17, 18, 20, 21, 23, 24, 25, 25][..]));
    assert_eq!(whole(&[&octets[..], b"HTTP"].concat(), &limits), Some((head, end)));
    assert_eq!(whole(&octets[..octets.len() - 1], &limits), None);
    // What `httparse` lets through, or we limit, is left to the exact reader.
    for octets in [
        &b"\r\nHTTP/1.1 200 OK\r\n\r\n"[..],
        b"\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\r\n",
        b"HTTP/1.1 200\n\r\n",
        b"HTTP/1.1 200 OK\r\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA:\r\nB:\r\nC:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: a longer value than the limit allows\r\n\r\n",
    ] {
        assert_eq!(whole(octets, &limits), None, "{octets:?}");
    }
}

#[test]
fn every_change_of_one_octet_is_read_alike_whole_and_in_parts() {
    let head = b"HTTP/1.1 200 OK\r\nA: b c\r\nContent-Length: 3\r\n\r\nabc";
    for leniency in [strict(), every_leniency()] {
        for offset in 0..head.len() {
            for octet in 0..=255 {
                let mut octets = *head;
                octets[offset] = octet;
                let whole = HeadParser::default().parse(&octets, &LIMITS, leniency);
                let mut in_parts = HeadParser::default();
                let first = in_parts.parse(&octets[..1], &LIMITS, leniency);
                let parts = first.and_then(|_| in_parts.parse(&octets, &LIMITS, leniency));
                assert_eq!(whole, parts, "{octet} at {offset}");
            }
        }
    }
}

// Limits, cost, and what happens next.

#[test]
fn a_head_longer_than_its_limit_is_refused_at_the_first_octet_too_many() {
    let octets = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    for octets_max in 0..octets.len() {
        let limits = HeadLimits { octets_max, ..LIMITS };
        let error = Error::LimitExceeded(Limit::HeadOctets);
        let expected = Err(Fault { error, at: octets_max + 1 });
        assert_eq!(read_with(octets, limits, strict()), expected);
    }
    let limits = HeadLimits { octets_max: octets.len(), ..LIMITS };
    assert!(matches!(read_with(octets, limits, strict()), Ok(Some(_))));
}

#[test]
fn a_line_without_an_end_is_bounded_by_the_same_limit() {
    let limits = HeadLimits { octets_max: 256, ..LIMITS };
    let expected = Err(Fault { error: Error::LimitExceeded(Limit::HeadOctets), at: 257 });
    for start in ["HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nA:"] {
        let octets = format!("{start}{}", "a".repeat(400));
        assert_eq!(read_with(octets.as_bytes(), limits, strict()), expected);
        assert_eq!(read_with(octets.as_bytes(), limits, every_leniency()), expected);
    }
}

#[test]
fn one_field_line_too_many_is_refused_at_its_first_octet() {
    let start = b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n";
    for leniency in [strict(), every_leniency()] {
        let limits = HeadLimits { field_lines_max: 2, ..LIMITS };
        let expected = Err(Fault { error: Error::LimitExceeded(Limit::FieldLines), at: start.len() + 1 });
        let octets = [&start[..], b"E: f\r\n\r\n"].concat();
        assert_eq!(read_with(&octets, limits, leniency), expected);
        let octets = [&start[..], b"\r\n"].concat();
        assert!(matches!(read_with(&octets, limits, leniency), Ok(Some(_))));
    }
    // Lines that are left out are work too.
    let limits = HeadLimits { field_lines_max: 2, ..LIMITS };
    let expected = Err(Fault { error: Error::LimitExceeded(Limit::FieldLines), at: 26 });
    let octets = b"HTTP/1.1 200 OK\r\n:1\r\n:2\r\n:3\r\n\r\n";
    assert_eq!(read_with(octets, limits, Leniency::SKIP_INVALID_LINES), expected);
}

#[test]
fn as_many_field_lines_as_the_limit_allows_are_read() {
    for count in [0, 1, 15, 16, 17, 127, 128, 129, 1_000] {
        let limits = HeadLimits { field_lines_max: count, ..LIMITS };
        let fields: Vec<_> = (0..count).map(|n| format!("N{n}: {n}\r\n")).collect();
        let octets = format!("HTTP/1.1 200 OK\r\n{}\r\n", fields.concat());
        for cut in [0, 1, octets.len() - 1] {
            let mut parser = HeadParser::default();
            let part = parser.parse(&octets.as_bytes()[..cut], &limits, strict());
            assert_eq!(part, Ok(None));
            let (head, end) = parser.parse(octets.as_bytes(), &limits, strict()).unwrap().unwrap();
            assert_eq!((head.lines().count(), end), (count, octets.len()));
            for (n, (name, value)) in head.lines().enumerate() {
                assert_eq!(name, format!("N{n}").as_bytes());
                assert_eq!(value, n.to_string().as_bytes());
            }
        }
    }
}

#[test]
fn the_cost_is_linear_in_the_octets_however_a_head_is_cut_up() {
    let octets = format!("HTTP/1.1 200 OK\r\n{}", "Field-Name: some value\r\n".repeat(1_000));
    let octets = octets.as_bytes();
    let limits = HeadLimits { octets_max: usize::MAX, field_lines_max: usize::MAX };
    for leniency in [strict(), every_leniency()] {
        for step in [1, 2, 7, 1_000, octets.len()] {
            let mut parser = HeadParser::default();
            for there in (0..octets.len()).step_by(step).chain([octets.len()]) {
                assert_eq!(parser.parse(&octets[..there], &limits, leniency), Ok(None));
                // The reader of whole heads has had its one try, and the other has looked at each octet once.
                let work = parser.scan.as_ref().map(|scan| scan.work);
                assert_eq!(work, (there > 0).then_some(there), "in steps of {step}");
            }
        }
    }
}

#[test]
fn the_parser_is_ready_for_the_next_head() {
    let octets = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\nA:b\n c\n\nabc";
    for leniency in [every_leniency(), Leniency::BARE_LF | Leniency::LINE_FOLDING] {
        for cut in 0..octets.len() - 3 {
            let mut parser = HeadParser::default();
            let (mut start, mut heads) = (0, Vec::new());
            for there in [cut, octets.len()] {
                while let Some((head, end)) = parser.parse(&octets[start..there], &LIMITS, leniency).unwrap() {
                    start += end;
                    heads.push((head.version, head.status, head.lines().count()));
                    if heads.len() == 2 {
                        break;
                    }
                }
            }
            assert_eq!(heads, [(HttpVersion::Http11, 100, 0), (HttpVersion::Http10, 200, 1)]);
            assert_eq!(&octets[start..], b"abc");
        }
    }
}

#[test]
fn what_has_failed_stays_failed() {
    let mut parser = HeadParser::default();
    let fault = parser.parse(b"HTTP/1.1 200 OK\n", &LIMITS, strict()).unwrap_err();
    for octets in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"", b"HTTP/1.1 200 OK\n"] {
        assert_eq!(parser.parse(octets, &LIMITS, every_leniency()), Err(fault));
    }
    let mut parser = TrailerParser::default();
    let fault = parser.parse(b"A\r", &LIMITS, strict()).unwrap_err();
    assert_eq!(parser.parse(b"\r\n", &LIMITS, strict()), Err(fault));
}

// Leniency: each flag does what it says, alone, and nothing for the lines that frame the message.

/// These are refused whatever is tolerated, at the last octet of the first part.
#[test]
fn no_leniency_applies_to_the_lines_that_frame_the_message() {
    let refuses = |shown: &str, rest: &str, why| {
        for name in ["Content-Length", "transfer-ENCODING"] {
            let shown = format!("HTTP/1.1 200 OK\r\n{}", shown.replace("NAME", name));
            let error = Error::PeerMisbehaved(why);
            refuses_with(shown.as_bytes(), rest.as_bytes(), every_leniency(), error);
        }
    };
    refuses("NAME: 4\r\n ", "2\r\n\r\n", Misbehaviour::LineFolding);
    refuses("NAME:\r\n\t", "42\r\n\r\n", Misbehaviour::LineFolding);
    refuses("Connection: keep-alive,\r\n ", "close\r\n\r\n", Misbehaviour::LineFolding);
    refuses("NAME : 4\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses("NAME 4\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses("NAME: 4\x01\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses(" NAME: 4\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses("\x0bNAME: 4\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses(": x NAME: 4\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses("X Y:\r\n NAME: 4\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
    refuses("NAME: 4\r\nno colon\r\n \r\nX@: y\r\n NAME: 5\r\n", "\r\n", Misbehaviour::InvalidFieldLine);
}

#[test]
fn with_bare_lf_a_line_may_end_in_lf_alone() {
    let bare = Leniency::BARE_LF;
    let framed = accepts_with(b"HTTP/1.1 200 OK\nContent-Length: 4\n\n", bare);
    assert_eq!(lines(&framed.fields), [("Content-Length", &b"4"[..])]);
    for octets in [
        &b"HTTP/1.1 200 OK\nA: b\nC:\n\n"[..],
        b"HTTP/1.1 200 OK\r\nA: b\nC:\r\n\n",
        b"HTTP/1.1 200 OK\nA: b\r\nC: \n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\nC: \r\n\r\n",
    ] {
        let head = accepts_with(octets, bare);
        assert_eq!((head.status, &head.reason[..]), (200, &b"OK"[..]));
        assert_eq!(lines(&head.fields), [("A", &b"b"[..]), ("C", b"")]);
    }
    assert_eq!(accepts_with(b"HTTP/1.1 200\n\n", bare).reason, b"");
    let error = Error::PeerMisbehaved(Misbehaviour::LineFolding);
    refuses_with(b"HTTP/1.1 200 OK\nA: b\n ", b"c\n\n", bare, error);
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidFieldLine);
    refuses_with(b"HTTP/1.1 200 OK\nA\n", b"\n", bare, error);
    refuses_with(b"\n", b"HTTP/1.1 200 OK\n\n", bare, Error::PeerMisbehaved(Misbehaviour::NotHttp));
}

#[test]
fn with_line_folding_a_continuation_is_joined_by_one_space() {
    let folding = Leniency::LINE_FOLDING;
    let head = accepts_with(b"HTTP/1.1 200 OK\r\nA: b \r\n \t c\t\r\n\td\r\nE:\r\n f\r\nG: h\r\n \r\nI:\r\n \r\n\r\n", folding);
    let expected: [(&str, &[u8]); 4] = [("A", b"b c d"), ("E", b"f"), ("G", b"h"), ("I", b"")];
    assert_eq!(lines(&head.fields), expected);
    // A continuation is not a field line of its own.
    let head = accepts_with(b"HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 5\r\n\r\n", folding);
    assert_eq!(lines(&head.fields), [("A", &b"b Content-Length: 5"[..])]);
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidFieldLine);
    refuses_with(b"HTTP/1.1 200 OK\r\n ", b"A: b\r\n\r\n", folding, error);
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidFieldValue);
    refuses_with(b"HTTP/1.1 200 OK\r\nA: b\r\n \0", b"\r\n\r\n", folding, error);
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidLineEnding);
    refuses_with(b"HTTP/1.1 200 OK\r\nA: b\r\n c\n", b"\r\n", folding, error);
}

#[test]
fn with_space_before_colon_the_space_is_removed() {
    let space = Leniency::SPACE_BEFORE_COLON;
    let head = accepts_with(b"HTTP/1.1 200 OK\r\nA \t: b\r\nC: d\r\n\r\n", space);
    assert_eq!(lines(&head.fields), [("A", &b"b"[..]), ("C", b"d")]);
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidFieldLine);
    refuses_with(b"HTTP/1.1 200 OK\r\nA B", b": c\r\n\r\n", space, error);
    refuses_with(b"HTTP/1.1 200 OK\r\nA \r", b"\n\r\n", space, error);
    refuses_with(b"HTTP/1.1 200 OK\r\n ", b": c\r\n\r\n", space, error);
}

#[test]
fn with_skip_invalid_lines_a_line_that_is_no_field_line_is_left_out() {
    let skip = Leniency::SKIP_INVALID_LINES;
    for line in [
        &b"no colon"[..],
        b": no name",
        b"two words: x",
        b"space : x",
        b"na\x80me: x",
        b"na\x01me: x",
        b"value: \x01",
        b"value: x\x7fy: z",
        b"{",
        b"\x80",
        b"\x01: x",
    ] {
        let octets = [b"HTTP/1.1 200 OK\r\nA: b\r\n", line, b"\r\nC: d\r\n", line, b"\r\n\r\n"].concat();
        let head = accepts_with(&octets, skip);
        assert_eq!(lines(&head.fields), [("A", &b"b"[..]), ("C", b"d")], "{line:?}");
    }
    // RFC 9112 §2.2: such lines are dropped until a proper field line comes.
    let head = accepts_with(b"HTTP/1.1 200 OK\r\n A: b\r\n\t\r\nC: d\r\n\r\n", skip);
    assert_eq!(lines(&head.fields), [("C", &b"d"[..])]);
    let refuses = |shown: &[u8], rest: &[u8], why| {
        refuses_with(shown, rest, skip, Error::PeerMisbehaved(why));
    };
    refuses(b"HTTP/1.1 200 OK\r\nA\0", b"B: c\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\n\0", b"\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\nA: \0", b"\r\n\r\n", Misbehaviour::InvalidFieldValue);
    refuses(b"HTTP/1.1 200 OK\r\nA B\0", b": c\r\n\r\n", Misbehaviour::InvalidFieldLine);
    refuses(b"HTTP/1.1 200 OK\r\nA B\n", b"\r\n", Misbehaviour::InvalidLineEnding);
    // A continuation belongs to a line: only the leniency for folding says what becomes of it.
    refuses(b"HTTP/1.1 200 OK\r\nA: b\r\n ", b"c\r\n\r\n", Misbehaviour::LineFolding);
    refuses(b"HTTP/1.1 200 OK\r\nA B\r\n ", b"c\r\n\r\n", Misbehaviour::LineFolding);
}

#[test]
fn a_name_with_a_space_and_no_colon_is_left_out_where_that_is_tolerated() {
    let both = Leniency::SKIP_INVALID_LINES | Leniency::SPACE_BEFORE_COLON;
    for line in [&b"A B: c"[..], b"A {: c", b"A \x01: c", b"A \x80", b"A \t", b"A"] {
        let octets = [b"HTTP/1.1 200 OK\r\nA : b\r\n", line, b"\r\nC: d\r\n\r\n"].concat();
        let head = accepts_with(&octets, both);
        assert_eq!(lines(&head.fields), [("A", &b"b"[..]), ("C", b"d")], "{line:?}");
    }
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidFieldLine);
    refuses_with(b"HTTP/1.1 200 OK\r\nA \0", b": b\r\n\r\n", both, error);
}

#[test]
fn a_line_that_is_left_out_takes_its_continuations_with_it() {
    let both = Leniency::SKIP_INVALID_LINES | Leniency::LINE_FOLDING;
    let head = accepts_with(b"HTTP/1.1 200 OK\r\nA B\r\n c\r\nD: e\r\nF: g\r\n h\x01\r\n i\r\nJ: k\r\n l\r\n\r\n", both);
    assert_eq!(lines(&head.fields), [("D", &b"e"[..]), ("J", b"k l")]);
}

#[test]
fn with_leading_empty_line_one_is_skipped() {
    let leading = Leniency::LEADING_EMPTY_LINE;
    for octets in [&b"\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"] {
        assert_eq!(lines(&accepts_with(octets, leading).fields), [("A", &b"b"[..])]);
    }
    let not_http = Error::PeerMisbehaved(Misbehaviour::NotHttp);
    refuses_with(b"\r\n\r", b"\nHTTP/1.1 200 OK\r\n\r\n", leading, not_http);
    refuses_with(b"\n", b"HTTP/1.1 200 OK\r\n\r\n", leading, not_http);
    let line_ending = Error::PeerMisbehaved(Misbehaviour::InvalidLineEnding);
    refuses_with(b"\rH", b"TTP/1.1 200 OK\r\n\r\n", leading, line_ending);
    let both = leading | Leniency::BARE_LF;
    assert_eq!(accepts_with(b"\nHTTP/1.1 200 OK\n\n", both).status, 200);
    refuses_with(b"\n\n", b"HTTP/1.1 200 OK\n\n", both, not_http);
}

#[test]
fn a_strict_head_is_read_alike_with_every_leniency() {
    let octets = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA:  b\tc \r\nTransfer-Encoding:x\r\nD:\r\n\r\n";
    assert_eq!(accepts_with(octets, every_leniency()), accepts(octets));
}

// Trailer sections.

#[track_caller]
fn accepts_trailers(octets: &[u8], leniency: Leniency) -> Vec<FieldLine> {
    match trailers_with(octets, LIMITS, leniency) {
        Ok(Some((fields, end))) if end == octets.len() => fields,
        other => panic!("{octets:?}: {other:?}"),
    }
}

#[track_caller]
fn refuses_trailers(shown: &[u8], rest: &[u8], leniency: Leniency) {
    let octets = [shown, rest].concat();
    let error = Error::PeerMisbehaved(Misbehaviour::InvalidTrailer);
    let expected = Err(Fault { error, at: shown.len() });
    assert_eq!(trailers_with(&octets, LIMITS, leniency), expected, "{octets:?}");
}

#[test]
fn a_trailer_section_is_field_lines_up_to_the_empty_line() {
    assert!(accepts_trailers(b"\r\n", strict()).is_empty());
    let fields = accepts_trailers(b"A: b \r\nContent-Length: 5\r\na:\tc\r\n\r\n", strict());
    let expected: [(&str, &[u8]); 3] = [("A", b"b"), ("Content-Length", b"5"), ("a", b"c")];
    assert_eq!(lines(&fields), expected);
    assert_eq!(trailers_with(b"A: b\r\n", LIMITS, strict()), Ok(None));
    assert_eq!(trailers_with(b"", LIMITS, strict()), Ok(None));
    assert_eq!(trailers_with(b"\r", LIMITS, strict()), Ok(None));
}

#[test]
fn nul_a_bare_cr_or_a_bare_lf_in_a_trailer_is_refused() {
    for leniency in [strict(), every_leniency()] {
        refuses_trailers(b"A: \0", b"\r\n\r\n", leniency);
        refuses_trailers(b"A\0", b": b\r\n\r\n", leniency);
        refuses_trailers(b"A: b\rC", b": d\r\n\r\n", leniency);
        refuses_trailers(b"A: b\n", b"\r\n", leniency);
        refuses_trailers(b"A: b\r\n\n", b"", leniency);
        refuses_trailers(b"\n", b"", leniency);
        refuses_trailers(b"\r\r", b"\n", leniency);
    }
}

#[test]
fn a_trailer_line_has_the_grammar_of_a_field_line() {
    refuses_trailers(b"no ", b"colon\r\n\r\n", strict());
    refuses_trailers(b"A ", b": b\r\n\r\n", strict());
    refuses_trailers(b":", b" b\r\n\r\n", strict());
    refuses_trailers(b" ", b"A: b\r\n\r\n", strict());
    refuses_trailers(b"A: b\r\n ", b"c\r\n\r\n", strict());
    refuses_trailers(b"A: \x01", b"\r\n\r\n", strict());
    refuses_trailers(b"A\x80", b": b\r\n\r\n", strict());
}

#[test]
fn leniency_for_field_lines_covers_trailer_lines() {
    let fields = accepts_trailers(b"no colon\r\nA : b\r\n c\r\n\r\n", every_leniency());
    assert_eq!(lines(&fields), [("A", &b"b c"[..])]);
    refuses_trailers(b"Content-Length: 5\r\n ", b"6\r\n\r\n", every_leniency());
}

#[test]
fn a_trailer_section_has_the_same_limits_as_a_head() {
    let octets = b"A: b\r\nC: d\r\n\r\n";
    let section = octets.len() - 2;
    for octets_max in 0..section {
        let limits = HeadLimits { octets_max, ..LIMITS };
        let error = Error::LimitExceeded(Limit::TrailerOctets);
        let expected = Err(Fault { error, at: octets_max + 3 });
        assert_eq!(trailers_with(octets, limits, strict()), expected);
    }
    let limits = HeadLimits { octets_max: section, field_lines_max: 2 };
    assert!(matches!(trailers_with(octets, limits, strict()), Ok(Some((fields, _))) if fields.len() == 2));
    let limits = HeadLimits { field_lines_max: 1, ..LIMITS };
    let expected = Err(Fault { error: Error::LimitExceeded(Limit::FieldLines), at: 7 });
    assert_eq!(trailers_with(octets, limits, strict()), expected);
}

#[test]
fn a_limit_of_no_trailer_octets_allows_the_empty_section() {
    let limits = HeadLimits { octets_max: 0, field_lines_max: 0 };
    assert_eq!(trailers_with(b"\r\n", limits, strict()), Ok(Some((Vec::new(), 2))));
}

#[test]
fn errors_hold_no_octets_of_the_peer() {
    // H1-034: a fault is an enum and a number; nothing that is printed can come from the wire.
    let fault = HeadParser::default().parse(b"HTTP/1.1 200 \x1b]0;", &LIMITS, strict());
    let printed: String = format!("{:?}", fault.unwrap_err());
    assert!(!printed.contains('\x1b') && !printed.contains("]0;"));
}

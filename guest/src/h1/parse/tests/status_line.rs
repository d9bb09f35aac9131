//! The status line.

use super::*;

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

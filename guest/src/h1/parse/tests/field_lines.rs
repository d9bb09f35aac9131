//! Field lines.

use super::*;

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

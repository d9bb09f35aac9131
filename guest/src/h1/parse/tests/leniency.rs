//! Leniency: each flag does what the flag says, alone, and nothing for the lines that frame the message.

use super::*;

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

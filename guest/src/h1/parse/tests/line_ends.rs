//! How lines end.

use super::*;

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

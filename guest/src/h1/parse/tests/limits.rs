//! Limits, cost, and what a parser does next.

use super::*;

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

//! Trailer sections.

use super::*;

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

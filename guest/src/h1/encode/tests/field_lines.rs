//! Field lines of the caller.

use super::*;

#[test]
fn field_names_are_tokens() {
    for name in ["", " ", "a b", "a:", ":a", "a\r\nb", "a\n", "a\0", "\u{e9}", "a ", " a", "\u{10a}", "(a)"] {
        refuses(&get("/", &[(name, "x")]), Misuse::InvalidFieldName);
        let trailers = check_trailers(&fields(&[(name, "x")]));
        assert_eq!(trailers, misuse(Misuse::InvalidFieldName));
    }
}

#[test]
fn field_values_hold_no_cr_lf_nul_or_other_control_octet() {
    for octet in (0..=255_u8).filter(|octet| octet.is_ascii_control() && *octet != b'\t') {
        for name in ["A", "Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "TE", "Expect"] {
            for value in [vec![b'a', octet, b'b'], vec![octet], vec![b'a', octet]] {
                let mut request = post(&[], whole("x"));
                request.fields = vec![(String::from(name), value)];
                refuses(&request, Misuse::InvalidFieldValue);
                let trailers = check_trailers(&request.fields);
                assert_eq!(trailers, misuse(Misuse::InvalidFieldValue));
            }
        }
    }
    refuses(&get("/", &[("A", "b\r\nC: d")]), Misuse::InvalidFieldValue);
    let mut request = get("/", &[]);
    request.fields = vec![(String::from("A"), Vec::from(b"\x80 \xff\tx"))];
    assert!(written(&request).ends_with("A: \u{80} \u{ff}\tx\r\n\r\n"));
}

#[test]
fn a_field_value_has_no_whitespace_at_its_ends_and_is_never_folded() {
    for value in [" a", "a ", "\ta", "a\t", " ", "\t", "a\r\n b"] {
        refuses(&get("/", &[("A", value)]), Misuse::InvalidFieldValue);
    }
}

#[test]
fn the_callers_lines_keep_their_order_their_duplicates_and_their_letter_case() {
    let lines = [("b", "1"), ("A", "2"), ("B", "3"), ("b", "1"), ("Cookie", "x"), ("cookie", "y")];
    let expected = "b: 1\r\nA: 2\r\nB: 3\r\nb: 1\r\nCookie: x\r\ncookie: y\r\n\r\n";
    assert!(written(&get("/", &lines)).ends_with(expected));
}

#[test]
fn every_octet_in_every_place_is_refused_or_read_back_as_it_was_given() {
    for octet in 0..=255_u8 {
        let text = String::from(char::from(octet));
        for request in [
            request(&format!("G{text}T"), "/", &[], RequestContent::None),
            get(&format!("/{text}"), &[]),
            get(&format!("http://a{text}/"), &[]),
            request("CONNECT", &format!("a{text}:80"), &[], RequestContent::None),
            with_authority(get("/", &[]), &format!("a{text}b")),
            get("/", &[("Host", &format!("a{text}b"))]),
            get("/", &[(&format!("a{text}b"), "c")]),
            get("/", &[("a", &format!("b{text}c"))]),
            get("/", &[("Connection", &format!("b{text}c"))]),
            get("/", &[("Upgrade", &format!("b{text}c"))]),
        ] {
            if planned(&request).is_ok() {
                written_with(&request, true);
            }
        }
    }
}

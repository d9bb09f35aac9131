//! The field `Connection`.

use super::*;

fn connections(head: &str) -> Vec<&str> {
    head.lines().filter(|line| line.to_ascii_lowercase().starts_with("connection:")).collect()
}

#[test]
fn upgrade_comes_with_its_connection_option() {
    let request = get("/", &[("Upgrade", "websocket")]);
    let plan = planned(&request).unwrap();
    assert_eq!(plan.asked, Asked { upgrade: true, ..Asked::default() });
    assert_eq!(connections(&written(&request)), ["Connection: upgrade"]);
    for value in ["Upgrade", "keep-alive, UPGRADE", "upgrade, keep-alive"] {
        let request = get("/", &[("Connection", value), ("upgrade", "h2c")]);
        assert!(planned(&request).unwrap().asked.upgrade);
        assert_eq!(connections(&written(&request)), [format!("Connection: {value}")]);
    }
    let request = get("/", &[("connection", "keep-alive"), ("upgrade", "h2c")]);
    assert_eq!(connections(&written(&request)), ["connection: keep-alive", "Connection: upgrade"]);
    let request = get("/", &[("Upgrade", "x"), ("Upgrade", "")]);
    assert!(planned(&request).unwrap().asked.upgrade);
    // Nothing is asked for: no field, or no protocol in it.
    for lines in [[("Connection", "upgrade")], [("Upgrade", "")], [("Upgrade", ",")]] {
        assert!(!planned(&get("/", &lines)).unwrap().asked.upgrade);
    }
}

#[test]
fn te_comes_with_its_connection_option_and_never_names_chunked() {
    assert_eq!(connections(&written(&get("/", &[("TE", "trailers")]))), ["Connection: TE"]);
    let request = get("/", &[("Connection", "te, x"), ("te", "trailers")]);
    assert_eq!(connections(&written(&request)), ["Connection: te, x"]);
    for value in ["chunked", "trailers, Chunked", "chunked;q=0.5", "gzip,chunked ;q=1"] {
        refuses(&get("/", &[("TE", value)]), Misuse::ConflictingFraming);
    }
    assert!(planned(&get("/", &[("TE", "gzip;q=0.5, xchunked")])).is_ok());
}

#[test]
fn the_options_that_are_missing_are_one_line() {
    let request = get("/", &[("Upgrade", "x"), ("TE", "trailers")]);
    let expected = ["Connection: upgrade, TE, close"];
    assert_eq!(connections(&written_with(&request, true)), expected);
    let request = get("/", &[("Connection", "upgrade"), ("Upgrade", "x"), ("TE", "trailers")]);
    let expected = ["Connection: upgrade", "Connection: TE, close"];
    assert_eq!(connections(&written_with(&request, true)), expected);
}

#[test]
fn the_close_option_is_added_unless_the_caller_has_given_it() {
    let request = get("/", &[]);
    assert!(!planned(&request).unwrap().closes);
    assert!(connections(&written(&request)).is_empty());
    assert_eq!(connections(&written_with(&request, true)), ["Connection: close"]);
    let request = get("/", &[("Connection", "keep-alive")]);
    assert!(!planned(&request).unwrap().closes);
    let expected = ["Connection: keep-alive", "Connection: close"];
    assert_eq!(connections(&written_with(&request, true)), expected);
    let request = get("/", &[("connection", "x, CLOSE, y")]);
    assert!(planned(&request).unwrap().closes);
    assert_eq!(connections(&written_with(&request, true)), ["connection: x, CLOSE, y"]);
    assert!(!planned(&get("/", &[("Connection", "closed, clos")])).unwrap().closes);
}

#[test]
fn connection_options_of_the_caller_are_tokens() {
    for value in ["a b", "close;x", "\"close\"", "a, b/c", "\u{e9}"] {
        refuses(&get("/", &[("Connection", value)]), Misuse::InvalidFieldValue);
    }
    assert!(planned(&get("/", &[("Connection", ", a,,b")])).is_ok());
}

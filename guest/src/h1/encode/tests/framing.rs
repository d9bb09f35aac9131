//! The lines that frame the content.

use super::*;

fn framing_lines(head: &str) -> Vec<&str> {
    let is_framing = |line: &str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-length") || line.starts_with("transfer-encoding")
    };
    head.lines().filter(|line| is_framing(line)).collect()
}

#[test]
fn content_is_framed_and_its_absence_only_where_the_method_defines_content() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let request = request(method, "/", &[], RequestContent::None);
        assert!(framing_lines(&written(&request)).is_empty());
        assert_eq!(planned(&request).unwrap().content, ContentKind::None);
    }
    for method in ["POST", "PUT", "PATCH"] {
        let request = request(method, "/", &[], RequestContent::None);
        assert_eq!(framing_lines(&written(&request)), ["Content-Length: 0"]);
        assert_eq!(planned(&request).unwrap().content, ContentKind::None);
    }
    for method in ["GET", "POST", "DELETE"] {
        let framed = |content| {
            let request = request(method, "/", &[], content);
            let head = written(&request);
            (planned(&request).unwrap().content, Vec::from_iter(framing_lines(&head).into_iter().map(String::from)))
        };
        let line = |line: &str| vec![String::from(line)];
        assert_eq!(framed(whole("hello")), (ContentKind::Whole, line("Content-Length: 5")));
        assert_eq!(framed(whole("")), (ContentKind::Whole, line("Content-Length: 0")));
        let length = RequestContent::Length(1_234_567_890);
        assert_eq!(framed(length), (ContentKind::Length(1_234_567_890), line("Content-Length: 1234567890")));
        let unknown = framed(RequestContent::UnknownLength);
        assert_eq!(unknown, (ContentKind::UnknownLength, line("Transfer-Encoding: chunked")));
    }
}

#[test]
fn the_longest_content_that_is_written_can_be_read_back() {
    let longest = i64::MAX as u64;
    let head = written(&post(&[], RequestContent::Length(longest)));
    assert_eq!(framing_lines(&head), ["Content-Length: 9223372036854775807"]);
    refuses(&post(&[], RequestContent::Length(longest + 1)), Misuse::ConflictingFraming);
    refuses(&post(&[], RequestContent::Length(u64::MAX)), Misuse::ConflictingFraming);
}

#[test]
fn a_content_length_of_the_caller_equals_the_content_and_stays_as_it_is() {
    for (value, content) in [
        ("5", whole("hello")),
        ("005", RequestContent::Length(5)),
        ("0", whole("")),
        ("0", RequestContent::Length(0)),
        ("0", RequestContent::None),
    ] {
        let request = post(&[("content-LENGTH", value)], content);
        assert_eq!(framing_lines(&written(&request)), [format!("content-LENGTH: {value}")]);
    }
    assert_eq!(framing_lines(&written(&get("/", &[("Content-Length", "0")]))), ["Content-Length: 0"]);
    for (value, content) in [
        ("4", whole("hello")),
        ("6", RequestContent::Length(5)),
        ("1", RequestContent::None),
        ("5", RequestContent::UnknownLength),
        ("0", RequestContent::UnknownLength),
    ] {
        refuses(&post(&[("Content-Length", value)], content), Misuse::ConflictingFraming);
    }
}

#[test]
fn framing_lines_of_the_caller_are_checked_in_every_letter_case_and_number() {
    for value in ["", "+5", "5,5", "5 5", "0x5", "5.0", "five", "9223372036854775808", "\u{664}"] {
        for name in ["Content-Length", "content-length", "CONTENT-LENGTH"] {
            refuses(&post(&[(name, value)], whole("hello")), Misuse::ConflictingFraming);
        }
    }
    let twice = [("Content-Length", "5"), ("content-length", "5")];
    refuses(&post(&twice, whole("hello")), Misuse::ConflictingFraming);
    for value in ["", "gzip", "gzip, chunked", "chunked, chunked", "chunked;q=1", "identity", "xchunked", "chunked,"] {
        for name in ["Transfer-Encoding", "transfer-encoding", "TRANSFER-ENCODING"] {
            refuses(&post(&[(name, value)], RequestContent::UnknownLength), Misuse::ConflictingFraming);
        }
    }
    let twice = [("Transfer-Encoding", "chunked"), ("transfer-encoding", "chunked")];
    refuses(&post(&twice, RequestContent::UnknownLength), Misuse::ConflictingFraming);
}

#[test]
fn content_length_and_transfer_encoding_are_never_both_written() {
    let both = [("Transfer-Encoding", "chunked"), ("Content-Length", "5")];
    for content in [RequestContent::None, whole("hello"), RequestContent::Length(5), RequestContent::UnknownLength] {
        refuses(&post(&both, content.clone()), Misuse::ConflictingFraming);
        if !matches!(content, RequestContent::UnknownLength) {
            refuses(&post(&both[..1], content), Misuse::ConflictingFraming);
        }
    }
    refuses(&get("/", &both[..1]), Misuse::ConflictingFraming);
}

#[test]
fn chunked_is_the_only_transfer_coding_that_is_written_and_it_is_written_once() {
    for value in ["chunked", "Chunked", "CHUNKED"] {
        let request = post(&[("transfer-encoding", value)], RequestContent::UnknownLength);
        assert_eq!(framing_lines(&written(&request)), [format!("transfer-encoding: {value}")]);
        assert_eq!(planned(&request).unwrap().content, ContentKind::UnknownLength);
    }
}

#[test]
fn trace_and_connect_take_no_content() {
    for (method, target) in [("TRACE", "/"), ("CONNECT", "a:80")] {
        for content in [whole(""), whole("x"), RequestContent::Length(1), RequestContent::UnknownLength] {
            refuses(&request(method, target, &[], content), Misuse::ContentNotAllowed);
        }
        // Nothing is added that could hold a secret.
        let head = written(&request(method, target, &[], RequestContent::None));
        assert_eq!(head.lines().count(), 3);
    }
}

#[test]
fn expect_continue_is_written_once_and_needs_content() {
    let request = expecting(post(&[], whole("x")));
    assert!(planned(&request).unwrap().expects);
    assert_eq!(written(&request).matches("Expect: 100-continue\r\n").count(), 1);
    for content in [whole("x"), RequestContent::Length(1), RequestContent::UnknownLength] {
        let own = post(&[("expect", "100-CONTINUE")], content);
        for request in [own.clone(), expecting(own)] {
            assert!(planned(&request).unwrap().expects);
            assert_eq!(written(&request).to_ascii_lowercase().matches("expect").count(), 1);
        }
    }
    let request = post(&[("Expect", "100-continue"), ("Expect", "something")], whole("x"));
    assert!(planned(&request).unwrap().expects);
    for content in [RequestContent::None, whole(""), RequestContent::Length(0)] {
        refuses(&expecting(post(&[], content.clone())), Misuse::ExpectWithoutContent);
        refuses(&post(&[("Expect", "100-continue")], content), Misuse::ExpectWithoutContent);
    }
    assert!(!planned(&post(&[], whole("x"))).unwrap().expects);
    assert!(!planned(&post(&[("Expect", "something")], whole("x"))).unwrap().expects);
}

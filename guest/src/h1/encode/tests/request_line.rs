//! The request line.

use super::*;

#[test]
fn a_get_is_its_request_line_host_and_the_callers_lines() {
    let request = get("/a?b=c", &[("Accept", "*/*"), ("x-EMPTY", "")]);
    let expected = "GET /a?b=c HTTP/1.1\r\nHost: origin.example:8080\r\nAccept: */*\r\nx-EMPTY:\r\n\r\n";
    assert_eq!(written(&request), expected);
}

#[test]
fn a_method_is_a_token() {
    for method in ["GET", "get", "M-SEARCH", "!#$%&'*+-.^_`|~09"] {
        let request = request(method, "/", &[], RequestContent::None);
        assert!(written(&request).starts_with(&format!("{method} / HTTP/1.1\r\n")));
    }
    for method in ["", " ", "GET ", "G T", "GET\r\n", "GET\r", "GET\n", "GET\0", "G\u{e9}T", "GET:", "GET/", "\u{10a}"] {
        refuses(&request(method, "/", &[], RequestContent::None), Misuse::InvalidMethod);
    }
}

#[test]
fn an_empty_target_becomes_a_slash_and_a_fragment_is_refused() {
    assert!(written(&get("", &[])).starts_with("GET / HTTP/1.1\r\n"));
    let options = request("OPTIONS", "", &[], RequestContent::None);
    assert!(written(&options).starts_with("OPTIONS / HTTP/1.1\r\n"));
    for target in ["/#", "/a#b", "#", "http://a/#b", "*#"] {
        refuses(&get(target, &[]), Misuse::InvalidRequestTarget);
    }
}

#[test]
fn a_target_holds_no_control_octet_no_space_and_nothing_beyond_ascii() {
    for bad in (0..=0x20).chain([0x7f]).map(char::from).chain(['\u{e9}', '\u{10d}', '\u{10a}']) {
        for target in [format!("/a{bad}b"), format!("/{bad}"), format!("http://a/{bad}"), format!("{bad}/")] {
            refuses(&get(&target, &[]), Misuse::InvalidRequestTarget);
        }
        let target = format!("a{bad}:80");
        let connect = request("CONNECT", &target, &[], RequestContent::None);
        refuses(&connect, Misuse::InvalidRequestTarget);
    }
    let target = "/~!@$&'()*+,;=:%20%zz|{}[]^`\"<>\\?a?b//";
    assert!(written(&get(target, &[])).starts_with(&format!("GET {target} HTTP/1.1\r\n")));
}

#[test]
fn each_form_of_target_belongs_to_its_methods() {
    for target in ["a", "?a=b", "a:80", "ftp://a/", "urn:a", "http:/a", "http:a", "://a", "http://", "http:///a", "**", "*"] {
        refuses(&get(target, &[]), Misuse::InvalidRequestTarget);
    }
    assert!(written(&request("OPTIONS", "*", &[], RequestContent::None)).starts_with("OPTIONS * HTTP"));
    for target in ["http://a", "https://a/b?c", "HTTP://a:80?b", "http://[::1]:1/"] {
        assert!(written(&get(target, &[])).starts_with(&format!("GET {target} HTTP/1.1\r\n")));
    }
    for target in ["a:80", "a.example:65535", "127.0.0.1:1", "[2001:db8::1]:443"] {
        let connect = request("CONNECT", target, &[], RequestContent::None);
        let expected = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        assert_eq!(written(&connect), expected);
    }
    for target in [
        "",
        "/",
        "*",
        "a",
        "a:",
        ":80",
        "a:0",
        "a:65536",
        "a:080808",
        "a:+80",
        "http://a:80/",
        "a:80/",
        "[::1]",
        "[::1",
        "[::1]80",
        "::1:80",
        "[a]:80",
        "a:80:80",
        "[::1]:",
        "[::1%25eth0]:80",
        "[::1] :80",
    ] {
        let connect = request("CONNECT", target, &[], RequestContent::None);
        refuses(&connect, Misuse::InvalidRequestTarget);
    }
}

#[test]
fn the_version_is_always_1_1() {
    for request in [get("/", &[]), post(&[("Connection", "close")], RequestContent::UnknownLength)] {
        let head = written(&request);
        assert!(head.lines().next().unwrap().ends_with(" HTTP/1.1"));
    }
}

#[test]
fn nothing_stands_before_or_behind_a_head() {
    let head = written(&post(&[("A", "b")], whole("content")));
    assert!(head.starts_with("POST "));
    assert!(head.ends_with("Content-Length: 7\r\n\r\n"));
    assert_eq!(head.matches("\r\n\r\n").count(), 1);
}

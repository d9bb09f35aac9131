use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::h1::chunked::{ChunkDecoder, ChunkLimits, Decoded};
use crate::h1::parse::{HeadLimits, TrailerParser};
use crate::request::{Asked, NOT_IN_TRAILERS, check, check_trailers};
use crate::types::{Error, Leniency, Limit, Misuse, RequestOptions};

/// The authority of the connection.
const DEFAULT: &str = "origin.example:8080";
const LIMIT: usize = 65_536;

fn fields(lines: &[(&str, &str)]) -> Vec<FieldLine> {
    let line = |&(name, value): &(&str, &str)| (String::from(name), Vec::from(value));
    lines.iter().map(line).collect()
}

fn request(method: &str, target: &str, lines: &[(&str, &str)], content: RequestContent) -> Request {
    Request {
        method: String::from(method),
        request_target: String::from(target),
        authority: None,
        fields: fields(lines),
        content,
        options: None,
    }
}

fn get(target: &str, lines: &[(&str, &str)]) -> Request {
    request("GET", target, lines, RequestContent::None)
}

fn post(lines: &[(&str, &str)], content: RequestContent) -> Request {
    request("POST", "/", lines, content)
}

fn whole(content: &str) -> RequestContent {
    RequestContent::Whole(Vec::from(content))
}

fn with_options(request: Request, change: impl Fn(&mut RequestOptions)) -> Request {
    let mut options = RequestOptions::default();
    change(&mut options);
    Request { options: Some(options), ..request }
}

fn expecting(request: Request) -> Request {
    with_options(request, |options| options.expect_continue = true)
}

fn with_authority(request: Request, authority: &str) -> Request {
    Request { authority: Some(String::from(authority)), ..request }
}

fn misuse<T>(why: Misuse) -> Result<T, Error> {
    Err(Error::ApiMisuse(why))
}

/// Checks a request as a connection does.
fn plan(request: &Request, authority: &str, head_octets_max: usize) -> Result<Checked, Error> {
    let checked = check(request, authority)?;
    let fits = head_fits(request, &checked, authority, head_octets_max);
    if fits { Ok(checked) } else { Err(Error::LimitExceeded(Limit::RequestHeadOctets)) }
}

fn planned(request: &Request) -> Result<Checked, Error> {
    plan(request, DEFAULT, LIMIT)
}

/// The head as it goes on the wire, after an independent parser has read it back: the same method and target, the caller's lines
/// in their order, and nothing behind it.
#[track_caller]
fn written_with(request: &Request, close: bool) -> String {
    let plan = planned(request).unwrap();
    let mut octets = Vec::from(b"before");
    head(request, &plan, DEFAULT, close, &mut octets);
    let octets = octets.strip_prefix(b"before").unwrap();

    let mut places = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut places);
    assert_eq!(parsed.parse(octets), Ok(httparse::Status::Complete(octets.len())));
    if !close {
        let limits = 0..octets.len() + 2 * ADDED_OCTETS_MAX;
        assert!(limits.into_iter().all(|max| head_fits(request, &plan, DEFAULT, max) == (octets.len() <= max)));
    }
    assert_eq!(parsed.method, Some(request.method.as_str()));
    let target = Some(request.request_target.as_str()).filter(|target| !target.is_empty());
    assert_eq!(parsed.path, Some(target.unwrap_or("/")));
    assert_eq!(parsed.version, Some(1));
    let mut read = parsed.headers.iter().map(|line| (line.name, line.value));
    for (name, value) in &request.fields {
        let line = (name.as_str(), value.as_slice());
        assert!(read.any(|read| read == line), "{name} is missing or out of order");
    }
    assert!(!octets.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
    // Obs-text is the only thing that is no text.
    octets.iter().copied().map(char::from).collect()
}

#[track_caller]
fn written(request: &Request) -> String {
    written_with(request, false)
}

#[track_caller]
fn refuses(request: &Request, why: Misuse) {
    assert_eq!(planned(request), misuse(why), "{request:?}");
}

// The request line.

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

// Host.

fn hosts(head: &str) -> Vec<&str> {
    let host = |line: &'_ str| line.to_ascii_lowercase().starts_with("host:");
    head.lines().filter(|line| host(line)).collect()
}

#[test]
fn host_is_written_exactly_once() {
    let plain = get("/", &[]);
    assert_eq!(hosts(&written(&plain)), ["Host: origin.example:8080"]);
    let named = with_authority(plain, "other.example");
    assert_eq!(hosts(&written(&named)), ["Host: other.example"]);
    let given = with_authority(get("/", &[("HOST", "given.example")]), "not used");
    assert_eq!(hosts(&written(&given)), ["HOST: given.example"]);
    for lines in [[("Host", "a"), ("Host", "a")], [("Host", "a"), ("hOST", "b")]] {
        refuses(&get("/", &lines), Misuse::InvalidAuthority);
    }
}

#[test]
fn host_is_first_unless_the_caller_has_placed_it() {
    let head = written(&get("/", &[("A", "b")]));
    assert_eq!(head.lines().nth(1), Some("Host: origin.example:8080"));
    let head = written(&get("/", &[("A", "b"), ("host", "c"), ("D", "e")]));
    assert_eq!(head, "GET / HTTP/1.1\r\nA: b\r\nhost: c\r\nD: e\r\n\r\n");
}

#[test]
fn host_is_the_authority_of_the_target_where_it_has_one() {
    assert_eq!(hosts(&written(&get("http://a.example:81/x", &[]))), ["Host: a.example:81"]);
    assert_eq!(hosts(&written(&get("https://A.example?x", &[]))), ["Host: A.example"]);
    let agreeing = with_authority(get("http://A.example/", &[]), "a.EXAMPLE");
    assert_eq!(hosts(&written(&agreeing)), ["Host: a.EXAMPLE"]);
    refuses(&with_authority(get("http://a/", &[]), "b"), Misuse::InvalidAuthority);
    refuses(&with_authority(get("http://a/", &[]), ""), Misuse::InvalidAuthority);
    refuses(&get("http://a/", &[("Host", "b")]), Misuse::InvalidAuthority);
    let connect = request("CONNECT", "a:443", &[("Host", "a")], RequestContent::None);
    assert_eq!(hosts(&written(&connect)), ["Host: a"]);
    refuses(&with_authority(request("CONNECT", "a:443", &[], RequestContent::None), ""), Misuse::InvalidAuthority);
}

#[test]
fn userinfo_is_refused_in_target_authority_and_host() {
    for target in ["http://user@a/", "http://user:password@a:80/", "https://@a"] {
        refuses(&get(target, &[]), Misuse::InvalidRequestTarget);
    }
    let connect = request("CONNECT", "user@a:80", &[], RequestContent::None);
    refuses(&connect, Misuse::InvalidRequestTarget);
    refuses(&with_authority(get("/", &[]), "user@a"), Misuse::InvalidAuthority);
    refuses(&get("/", &[("Host", "user:password@a")]), Misuse::InvalidAuthority);
    assert_eq!(plan(&get("/", &[]), "user@a", LIMIT), misuse(Misuse::InvalidAuthority));
    // Behind the authority it is a path like any other.
    assert!(planned(&get("http://a/@b:c@", &[])).is_ok());
}

#[test]
fn an_authority_is_a_host_and_perhaps_a_port() {
    for authority in ["a", "a:80", "a:0", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:443", "a_b.%C3%A4", "A.B."] {
        let expected = format!("Host: {authority}");
        assert_eq!(hosts(&written(&with_authority(get("/", &[]), authority))), [&expected]);
        assert_eq!(hosts(&written(&get("/", &[("Host", authority)]))), [&expected]);
    }
    for authority in [
        "a:",
        ":80",
        "a:65536",
        "a:-1",
        "a:80:80",
        "a/",
        "a?b",
        "a#b",
        "a b",
        "a\r\nX: y",
        "a\0",
        "[::1",
        "::1",
        "[]",
        "[::1]a",
        "http://a",
        "\u{e4}",
        "%4",
        "%zz",
    ] {
        refuses(&with_authority(get("/", &[]), authority), Misuse::InvalidAuthority);
        assert_eq!(plan(&get("/", &[]), authority, LIMIT), misuse(Misuse::InvalidAuthority));
        assert!(planned(&get("/", &[("Host", authority)])).is_err());
    }
}

#[test]
fn host_is_empty_where_there_is_no_authority() {
    assert_eq!(hosts(&written(&with_authority(get("/", &[]), ""))), ["Host:"]);
    assert_eq!(hosts(&written(&get("/", &[("Host", "")]))), ["Host:"]);
}

// Field lines.

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

// Framing.

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

// Connection.

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

// What the connection needs to know.

#[test]
fn idempotence_follows_the_method_unless_the_caller_says_otherwise() {
    for (method, expected) in [
        ("GET", true),
        ("HEAD", true),
        ("OPTIONS", true),
        ("TRACE", true),
        ("PUT", true),
        ("DELETE", true),
        ("POST", false),
        ("PATCH", false),
        ("get", false),
        ("QUERY", false),
    ] {
        let request = request(method, "/", &[], RequestContent::None);
        assert_eq!(planned(&request).unwrap().idempotent, expected, "{method}");
        for said in [false, true] {
            let request = with_options(request.clone(), |options| options.idempotent = Some(said));
            assert_eq!(planned(&request).unwrap().idempotent, said);
        }
    }
    let connect = request("CONNECT", "a:80", &[], RequestContent::None);
    assert!(!planned(&connect).unwrap().idempotent);
}

#[test]
fn the_plan_says_what_bears_on_the_response() {
    let head = request("HEAD", "/", &[], RequestContent::None);
    assert_eq!(planned(&head).unwrap().asked, Asked { head: true, ..Asked::default() });
    let connect = request("CONNECT", "a:80", &[], RequestContent::None);
    assert_eq!(planned(&connect).unwrap().asked, Asked { connect: true, ..Asked::default() });
    for method in ["GET", "head", "connect"] {
        let request = request(method, "/", &[], RequestContent::None);
        assert_eq!(planned(&request).unwrap().asked, Asked::default());
    }
}

#[test]
fn a_head_longer_than_its_limit_is_refused() {
    for request in [
        get("", &[("A", "b"), ("Upgrade", "x")]),
        expecting(post(&[("TE", "trailers")], RequestContent::Length(12_345))),
        post(&[("Host", "a"), ("E", "")], RequestContent::UnknownLength),
    ] {
        let octets = written(&request).len();
        assert!(plan(&request, DEFAULT, octets).is_ok());
        let expected = Err(Error::LimitExceeded(Limit::RequestHeadOctets));
        assert_eq!(plan(&request, DEFAULT, octets - 1), expected);
        assert_eq!(plan(&request, DEFAULT, 0), expected);
    }
}

// Chunks and trailers.

#[test]
fn what_is_written_in_chunks_is_read_back_with_its_trailers() {
    let pieces: [&[u8]; 4] = [b"a", b"0\r\n\r\n", &[b'x'; 16], &[b'y'; 4_096]];
    let trailers = fields(&[("A", "b"), ("E", ""), ("Digest", "c")]);
    let mut octets = Vec::new();
    for piece in pieces {
        chunk_head(piece.len() as u64, &mut octets);
        octets.extend_from_slice(piece);
        chunk_end(&mut octets);
    }
    last_chunk(&trailers, &mut octets);
    assert!(octets.starts_with(b"1\r\na\r\n5\r\n0\r\n\r\n\r\n10\r\nxxxxxxxxxxxxxxxx\r\n1000\r\nyyy"));
    assert!(octets.ends_with(b"y\r\n0\r\nA: b\r\nE:\r\nDigest: c\r\n\r\n"));

    let limits = ChunkLimits { extension_octets_max: 0 };
    let mut decoder = ChunkDecoder::new(limits, Leniency::empty());
    let (mut content, mut rest) = (Vec::new(), octets.as_slice());
    loop {
        let (taken, decoded) = decoder.decode(rest).unwrap();
        match decoded {
            Decoded::Data(range) => content.extend_from_slice(&rest[range]),
            Decoded::Partial => panic!("it ends"),
            Decoded::Trailers => {
                rest = &rest[taken..];
                break;
            }
        }
        rest = &rest[taken..];
    }
    assert_eq!(content, pieces.concat());
    let limits = HeadLimits { octets_max: 100, field_lines_max: 3 };
    let read = TrailerParser::default().parse(rest, &limits, Leniency::empty());
    assert_eq!(read, Ok(Some((trailers, rest.len()))));
}

#[test]
fn a_chunk_of_no_octets_is_never_written() {
    let mut octets = Vec::new();
    chunk_head(0, &mut octets);
    assert!(octets.is_empty());
    last_chunk(&[], &mut octets);
    assert_eq!(octets, b"0\r\n\r\n");
}

#[test]
fn chunk_sizes_have_no_leading_zeros_at_every_length() {
    for shift in 0..64 {
        let size = 1_u64 << shift;
        let mut octets = Vec::new();
        chunk_head(size, &mut octets);
        assert_eq!(octets, format!("{size:x}\r\n").into_bytes());
    }
    let mut octets = Vec::new();
    chunk_head(0x1234_5678_9abc_def0, &mut octets);
    assert_eq!(octets, b"123456789abcdef0\r\n");
    let mut octets = Vec::new();
    chunk_head(u64::MAX, &mut octets);
    assert_eq!(octets, b"ffffffffffffffff\r\n");
}

#[test]
fn a_trailer_section_holds_no_field_that_frames_routes_or_authenticates() {
    for name in [
        "Content-Length",
        "Transfer-Encoding",
        "TRAILER",
        "host",
        "Connection",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Expect",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "Cache-Control",
        "Max-Forwards",
        "If-Match",
        "Range",
        "Content-Type",
        "content-encoding",
    ] {
        let trailers = fields(&[("A", "b"), (name, "x")]);
        assert_eq!(check_trailers(&trailers), misuse(Misuse::ForbiddenTrailer), "{name}");
    }
    for name in NOT_IN_TRAILERS {
        assert_eq!(check_trailers(&fields(&[(name, "x")])), misuse(Misuse::ForbiddenTrailer));
    }
    assert_eq!(check_trailers(&fields(&[("Digest", "x"), ("Server-Timing", ""), ("a", "b")])), Ok(()));
    assert_eq!(check_trailers(&[]), Ok(()));
}

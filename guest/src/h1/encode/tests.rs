mod chunks;
mod connection;
mod field_lines;
mod framing;
mod host;
mod request_line;

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
    let (request_target, fields) = (String::from(target), fields(lines));
    Request { request_target, fields, ..crate::request::tests::request(method, content) }
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

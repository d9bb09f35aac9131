//! Requests of any method, target, fields and content, written by us and read by others.

use crate::choices::Choices;
use crate::message::{Build, request};
use crate::net::Cuts;
use crate::peer;
use crate::scenario::native::Native;
use crate::scenario::world::World;
use sandpiper_guest::types::{FieldLine, Request, RequestContent};

const FIELDS_MAX: usize = 6;
const NAMES: [&str; 12] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "Upgrade",
    "TE",
    "Trailer",
    "X-A",
    "x-a",
    "Keep-Alive",
    "Accept",
];
const VALUES: [&str; 10] =
    ["", "close", "chunked", "100-continue", "upgrade", "trailers", "5", "example.test", "gzip, chunked", "a, b"];

/// Octets up to a newline, so that a fuzzer can write them as they are.
fn line(choices: &mut Choices) -> Vec<u8> {
    let length = choices.rest().iter().position(|octet| *octet == b'\n').unwrap_or(choices.rest().len());
    let taken = choices.rest()[..length].to_vec();
    choices.skip(length + 1);
    taken
}

fn text(choices: &mut Choices) -> String {
    String::from_utf8_lossy(&line(choices)).into_owned()
}

fn field(choices: &mut Choices) -> FieldLine {
    let name = if choices.chance(1, 3) { text(choices) } else { (*choices.pick(&NAMES)).to_owned() };
    let value = if choices.chance(1, 2) { line(choices) } else { choices.pick(&VALUES).as_bytes().to_vec() };
    (name, value)
}

fn draw(choices: &mut Choices) -> Request {
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    let method = if choices.chance(1, 6) { text(choices) } else { (*choices.pick(&methods)).to_owned() };
    let targets = ["/", "/path?query", "*", "example.test:80", "http://other.test/x"];
    let target = if choices.chance(1, 2) { text(choices) } else { (*choices.pick(&targets)).to_owned() };
    let mut given = request(&method, &target);
    given.authority = choices.chance(1, 4).then(|| text(choices));
    given.fields = (0..choices.below(FIELDS_MAX)).map(|_| field(choices)).collect();
    given.content = match choices.below(5) {
        0 | 1 => RequestContent::None,
        2 => RequestContent::Whole(line(choices)),
        3 => RequestContent::Length(choices.below(20) as u64),
        _ => RequestContent::UnknownLength,
    };
    if choices.chance(1, 6) { given.expecting() } else { given }
}

/// Sends the request that these octets choose, and reads it back.
///
/// # Panics
/// When it is read otherwise than it was given, or when a refused one is seen on the wire.
pub fn check(octets: &[u8]) {
    let mut choices = Choices::given(octets);
    let given = draw(&mut choices);
    let pieces: Vec<Vec<u8>> = (0..choices.below(4)).map(|_| line(&mut choices)).collect();
    let trailers: Vec<FieldLine> = (0..choices.below(3)).map(|_| field(&mut choices)).collect();
    let mut world = Native::new(Cuts::Nowhere, Cuts::Nowhere);
    world.connect(crate::message::options());
    let accepted = world.send_all(1, vec![given.clone()]).remove(0);
    world.settle();
    if accepted.is_err() {
        assert!(world.peer_octets().is_empty(), "a refused request was sent");
        return still_works(&mut world);
    }
    // Content that waits for `100 (Continue)` waits no longer.
    world.advance(1_000);
    let (content, trailers) = stream(&mut world, &given, &pieces, &trailers);
    read_back(&given, &content, &trailers, world.peer_octets());
}

fn still_works(world: &mut Native) {
    assert!(world.send_all(2, vec![request("GET", "/after")]).remove(0).is_ok(), "after a refused request");
    world.settle();
    let (seen, _) = peer::read(world.peer_octets()).expect("a request").expect("a whole head");
    assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.whole), ("GET", "/after", true));
}

/// Writes what is to be streamed. Gives the content and the trailers that were accepted.
fn stream(world: &mut Native, given: &Request, pieces: &[Vec<u8>], trailers: &[FieldLine]) -> (Vec<u8>, Vec<FieldLine>) {
    let length = match &given.content {
        RequestContent::None => return (Vec::new(), Vec::new()),
        RequestContent::Whole(content) => return (content.clone(), Vec::new()),
        RequestContent::Length(length) => Some(usize::try_from(*length).unwrap_or(usize::MAX)),
        RequestContent::UnknownLength => None,
    };
    let upgrades = given.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    let mut content: Vec<u8> = Vec::new();
    for piece in pieces {
        let accepted = world.write(1, piece);
        world.settle();
        match accepted {
            // It may become content of a tunnel.
            Ok(0) if upgrades && length == Some(content.len()) => {}
            Ok(accepted) => {
                assert_eq!(accepted, piece.len() as u64, "there is room");
                content.extend_from_slice(piece);
            }
            Err(_) => assert!(length.is_some_and(|length| content.len() + piece.len() > length), "a piece is refused"),
        }
    }
    if let Some(missing) = length.map(|length| length - content.len()).filter(|missing| *missing > 0) {
        let rest = vec![b'r'; missing];
        assert_eq!(world.write(1, &rest), Ok(missing as u64));
        content.extend(rest);
    }
    let ended = world.finish(1, trailers.to_vec()).is_ok();
    if !ended {
        assert!(!trailers.is_empty(), "an end is refused");
        world.finish(1, Vec::new()).expect("an end without trailers");
    }
    world.settle();
    (content, if ended { trailers.to_vec() } else { Vec::new() })
}

fn read_back(given: &Request, content: &[u8], trailers: &[FieldLine], octets: &[u8]) {
    let shown = || octets.escape_ascii().to_string();
    let (seen, taken) = peer::read(octets).unwrap_or_else(|wrong| panic!("{wrong}: {}", shown())).expect("a whole head");
    assert!(seen.whole && taken == octets.len(), "not one whole request: {}", shown());
    let target = if given.request_target.is_empty() { "/" } else { &given.request_target };
    assert_eq!((&*seen.method, &*seen.target), (&*given.method, target));
    assert_eq!(seen.content, content, "{}", shown());
    assert_eq!(seen.trailers, trailers, "{}", shown());
    let mut rest = seen.fields.iter();
    for line in &given.fields {
        assert!(rest.any(|seen| seen == line), "{line:?} is lost, or out of its place: {}", shown());
    }
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut lines);
    let parsed = head.parse(octets).unwrap_or_else(|error| panic!("{error}: {}", shown()));
    assert!(parsed.is_complete(), "{}", shown());
    assert_eq!((head.method, head.path, head.version), (Some(&*given.method), Some(target), Some(1)));
    let fields: Vec<FieldLine> = head.headers.iter().map(|line| (line.name.to_owned(), line.value.to_vec())).collect();
    assert_eq!(fields, seen.fields, "{}", shown());
}

//! Any octets as responses.

use crate::choices::Choices;
use crate::memory;
use crate::message::{Build, Tune, options, request};
use crate::net::Cuts;
use crate::random::Random;
use crate::scenario::native::Native;
use crate::scenario::story::Chunk;
use crate::scenario::world::World;
use sandpiper_guest::types::{ConnOptions, Leniency, Limit, Persistence, Request};
use std::fmt::Write;

/// What a run may hold beside some copies of what was received.
const MEMORY_OCTETS_MAX: usize = 1 << 20;
/// Longer inputs are not cut behind every octet.
const EVERYWHERE_MAX: usize = 2_048;

/// How the octets come.
#[derive(Clone, Debug)]
struct Plan {
    options: ConnOptions,
    requests: Vec<Request>,
    octets: Vec<u8>,
    resets: bool,
}

fn draw(choices: &mut Choices) -> (Plan, Vec<Cuts>) {
    let leniencies = [Leniency::empty(), Leniency::empty(), Leniency::from_bits_retain(0xff)];
    let leniency = *choices.pick(&leniencies);
    let small = choices.chance(1, 3);
    let given = options().persistence(Persistence::Assume).tolerating(leniency);
    let limits = [
        (Limit::ReceiveBufferOctets, 1_024),
        (Limit::HeadOctets, 256),
        (Limit::TrailerOctets, 16),
        (Limit::ChunkExtensionOctets, 4),
        (Limit::InterimResponses, 1),
        (Limit::FieldLines, 3),
    ];
    let given = if small { limits.into_iter().fold(given, |given, (limit, value)| given.limit(limit, value)) } else { given };
    let requests = (0..1 + choices.below(3)).map(|_| draw_request(choices)).collect();
    let resets = choices.chance(1, 4);
    let cut = choices.below(256);
    let seed = choices.below(256) as u64;
    let octets = choices.rest().to_vec();
    let mut cuts = vec![Cuts::At(cut), Cuts::Random(Random::new(seed))];
    if octets.len() <= EVERYWHERE_MAX {
        cuts.push(Cuts::Everywhere);
    }
    (Plan { options: given, requests, octets, resets }, cuts)
}

fn draw_request(choices: &mut Choices) -> Request {
    match choices.below(8) {
        0 => request("HEAD", "/"),
        1 => request("CONNECT", "example.test:80"),
        2 => request("GET", "/").upgrade(),
        3 => request("GET", "/").options(|options| options.limits.push((Limit::ContentOctets, 5))),
        _ => request("GET", "/"),
    }
}

/// What comes of it, in words: of every exchange, and of the connection.
fn story(plan: &Plan, cuts: Cuts) -> String {
    let mut world = Native::new(cuts, Cuts::Nowhere);
    world.connect(plan.options.clone());
    let accepted = world.send_all(1, plan.requests.clone()).iter().filter(|sent| sent.is_ok()).count() as u64;
    world.settle();
    world.peer_sends(&plan.octets);
    if plan.resets {
        world.peer_resets();
    } else {
        world.peer_ends();
    }
    world.settle();
    let mut told = String::new();
    for token in 1..=accepted {
        let _ = writeln!(told, "{token}: {}", outcome(&mut world, token));
    }
    let info = world.info();
    let closed = info.state == "closed";
    let _ = writeln!(told, "{} {} {} responses", info.state, info.closed_by, info.responses);
    if closed {
        behind_the_end(&mut world, accepted, &info.closed_by);
    }
    told
}

fn outcome(world: &mut Native, token: u64) -> String {
    let mut told = String::new();
    let mut content = Vec::new();
    let end = loop {
        match world.read(token, u64::MAX) {
            Ok(Chunk::Data(octets)) => content.extend(octets),
            Ok(Chunk::End(trailers)) => break format!("end {}", crate::scenario::story::fields(&trailers)),
            Ok(Chunk::WouldBlock) => break "more".to_owned(),
            Err(failed) => break format!("{failed:?}"),
        }
        world.settle();
    };
    for head in world.interim(token) {
        let _ = write!(told, "({head}) ");
    }
    if let Ok(Some(head)) = world.head(token) {
        let _ = write!(told, "{head} ");
    }
    let _ = write!(told, "\"{}\" {end}", content.escape_ascii());
    told
}

/// A connection that has ended gives nothing more, whatever comes.
fn behind_the_end(world: &mut Native, accepted: u64, closed_by: &str) {
    let before = world.info();
    world.peer_sends(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    world.settle();
    for token in 1..=accepted {
        assert!(!matches!(world.read(token, u64::MAX), Ok(Chunk::Data(_))), "{token} goes on behind the end");
    }
    let refused = world.send_all(100, vec![request("GET", "/")]).remove(0).expect_err("it is closed");
    assert_eq!((refused.error.as_str(), refused.delivery.as_str()), (closed_by, "not-sent"));
    assert_eq!(world.info(), before);
}

/// Gives these octets to a connection, in several ways.
///
/// # Panics
/// When the stories differ, when something comes behind an end, or when more memory is held than octets came.
pub fn check(octets: &[u8]) {
    let (plan, cuts) = draw(&mut Choices::given(octets));
    memory::reset_peak();
    let before = memory::held();
    let whole = story(&plan, Cuts::Nowhere);
    let most = (memory::peak() - before).unsigned_abs();
    assert!(most <= MEMORY_OCTETS_MAX + 16 * plan.octets.len(), "{most} octets of memory for {} received", plan.octets.len());
    assert_eq!(story(&plan, Cuts::Nowhere), whole, "the second time: {}", plan.octets.escape_ascii());
    for cut in cuts {
        let name = format!("{cut:?}");
        assert_eq!(story(&plan, cut), whole, "{name}: {}", plan.octets.escape_ascii());
    }
}

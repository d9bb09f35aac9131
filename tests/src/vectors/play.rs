//! A script, played in a world; what was seen of it.

use super::script::Script;
use crate::scenario::story::{self, Chunk, Failed, Head};
use crate::scenario::world::World;
use std::fmt;

/// How the octets of the peer come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At once.
    Whole,
    /// In two pieces, the first of this many octets.
    At(usize),
    /// One at a time.
    EveryOctet,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Whole => f.write_str("whole"),
            Cut::At(position) => write!(f, "cut at {position}"),
            Cut::EveryOctet => f.write_str("octet by octet"),
        }
    }
}

impl Cut {
    fn pieces(self, octets: &[u8]) -> Vec<&[u8]> {
        match self {
            Cut::Whole => vec![octets],
            Cut::At(position) => octets.split_at_checked(position).map_or(vec![octets], |(first, rest)| vec![first, rest]),
            Cut::EveryOctet => octets.chunks(1).collect(),
        }
    }
}

/// Where an exchange stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// More is needed.
    Open,
    /// The response is complete; its trailer section.
    Complete(Vec<(String, Vec<u8>)>),
    /// It has failed.
    Failed(Failed),
}

/// What the caller sees of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The interim responses.
    pub interim: Vec<Head>,
    /// The final head.
    pub head: Option<Head>,
    /// The content.
    pub content: Vec<u8>,
    /// Where it stands when all octets have come.
    pub end: End,
    /// Where it stands when the peer has ended the connection too.
    pub last_end: End,
}

/// The error of an exchange that has failed.
pub fn error_of(end: &End) -> Option<&str> {
    match end {
        End::Failed(failed) => Some(&failed.error),
        _ => None,
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Each exchange, in the order of the requests.
    pub seen: Vec<Seen>,
    /// Why the connection took no more requests when all octets had come; empty: it did.
    pub closed_by: String,
}

/// Plays a script: the requests, the octets of the peer, its end.
pub fn play(world: &mut dyn World, script: &Script, cut: Cut) -> Outcome {
    world.connect(script.options.clone());
    let mut seen = Vec::new();
    for sent in world.send_all(0, script.requests.clone()) {
        let end = sent.map_or_else(|failure| End::Failed(plain(failure)), |()| End::Open);
        seen.push(Seen { interim: Vec::new(), head: None, content: Vec::new(), end: end.clone(), last_end: end });
    }
    world.settle();
    for piece in cut.pieces(&script.octets) {
        world.peer_sends(piece);
        world.settle();
    }
    look_at_all(world, &mut seen, |seen, end| seen.end = end);
    let closed_by = world.info().closed_by;
    world.peer_ends();
    world.settle();
    look_at_all(world, &mut seen, |seen, end| seen.last_end = end);
    Outcome { seen, closed_by }
}

fn look_at_all(world: &mut dyn World, all: &mut [Seen], note: impl Fn(&mut Seen, End)) {
    for (token, seen) in (0..).zip(all) {
        seen.interim.extend(world.interim(token));
        if seen.head.is_none() {
            seen.head = world.head(token).unwrap_or(None);
        }
        let end = read_all(world, token, &mut seen.content);
        note(seen, end);
    }
}

fn read_all(world: &mut dyn World, token: u64, content: &mut Vec<u8>) -> End {
    loop {
        match world.read(token, u64::MAX) {
            Ok(Chunk::Data(octets)) => content.extend_from_slice(&octets),
            Ok(Chunk::WouldBlock) => return End::Open,
            Ok(Chunk::End(trailers)) => return End::Complete(trailers),
            Err(failure) => return End::Failed(plain(failure)),
        }
        world.settle();
    }
}

/// The length of the request is not of interest: it has the port of the peer in it.
fn plain(failure: Failed) -> Failed {
    Failed { octets_sent: 0, ..failure }
}

/// All of it, in a line.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for seen in &self.seen {
            for interim in &seen.interim {
                write!(f, "({interim}) ")?;
            }
            if let Some(head) = &seen.head {
                write!(f, "{head} ")?;
            }
            write!(f, "{} {} then {}; ", story::octets(&seen.content), seen.end, seen.last_end)?;
        }
        write!(f, "closed by {:?}", self.closed_by)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Open => f.write_str("open"),
            End::Complete(trailers) => write!(f, "complete [{}]", story::fields(trailers)),
            End::Failed(failed) => write!(f, "{failed} at {}", failed.octets_received),
        }
    }
}

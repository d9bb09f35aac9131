//! What a client makes of a case, in terms that all clients share.

use super::case::Case;
use crate::message::{options, request};
use crate::net::Cuts;
use crate::scenario::native::Native;
use crate::scenario::story::Chunk;
use crate::scenario::world::World;
use std::collections::BTreeMap;

/// Values by lower-case name, in the order of the wire, without whitespace around them.
pub type Fields = BTreeMap<String, Vec<Vec<u8>>>;

/// What became of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A final response, whole.
    Accepted(Reading),
    /// Something else, in the client's own words.
    Refused(String),
}

/// A final response as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The status code.
    pub status: u16,
    /// The header section.
    pub fields: Fields,
    /// The content, without transfer coding.
    pub content: Vec<u8>,
    /// The trailer section; `None` from clients that do not show it.
    pub trailers: Option<Fields>,
    /// Would the client send another request on the connection?
    pub reusable: bool,
    /// Why the core would not; empty from others.
    pub ended_by: String,
}

/// Sorts field lines by name.
pub fn fields<'a>(lines: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in lines {
        fields.entry(name.to_ascii_lowercase()).or_default().push(value.trim_ascii().to_vec());
    }
    fields
}

/// What the core makes of it. The peer closes when nothing more comes of what it has sent.
pub fn core(case: &Case) -> Outcome {
    match read(case) {
        Ok(reading) => Outcome::Accepted(reading),
        Err(error) => Outcome::Refused(error),
    }
}

fn read(case: &Case) -> Result<Reading, String> {
    let mut world = Native::new(Cuts::Nowhere, Cuts::Nowhere);
    world.connect(options());
    world.send_all(1, vec![request(&case.method, "/")]).remove(0).map_err(|failed| failed.error)?;
    world.settle();
    world.peer_sends(&case.octets);
    world.settle();
    let mut content = Vec::new();
    let mut ended = false;
    let trailers = loop {
        match world.read(1, u64::MAX).map_err(|failed| failed.error)? {
            Chunk::Data(octets) => content.extend_from_slice(&octets),
            Chunk::End(trailers) => break trailers,
            Chunk::WouldBlock if ended => return Err("it never ends".to_owned()),
            Chunk::WouldBlock => {
                ended = true;
                world.peer_ends();
            }
        }
        world.settle();
    };
    world.settle();
    let head = world.head(1).map_err(|failed| failed.error)?.ok_or("an end without a head")?;
    let (_, reusable, _) = world.standing();
    let ended_by = world.info().closed_by;
    Ok(Reading {
        status: head.status,
        fields: fields(head.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))),
        content,
        trailers: Some(fields(trailers.iter().map(|(name, value)| (name.as_str(), value.as_slice())))),
        reusable,
        ended_by,
    })
}

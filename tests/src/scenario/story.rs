//! What happened, in words: the same ones for the core and for the component.

use std::fmt;

/// The name of a value in the WIT package, from the name that it has in either of the two bindings: `Error::PeerMisbehaved(Misbehaviour::NotHttp)`
/// is `peer-misbehaved(not-http)`.
pub fn wit_name(value: &dyn fmt::Debug) -> String {
    let debug = format!("{value:?}");
    let mut name = String::new();
    for part in debug.split_inclusive(['(', ')']) {
        let part = part.rsplit("::").next().unwrap_or(part);
        for (index, letter) in part.chars().enumerate() {
            if letter.is_ascii_uppercase() && index > 0 {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
    }
    name
}

/// Octets as text: all of them, or when there are many their number and a sum over them.
pub fn octets(octets: &[u8]) -> String {
    if octets.len() <= 200 {
        return octets.escape_ascii().to_string();
    }
    let sum = octets.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3));
    format!("{} octets, {sum:016x}", octets.len())
}

/// A field section as text.
pub fn fields(fields: &[(String, Vec<u8>)]) -> String {
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect();
    lines.join(", ")
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// `error`.
    pub error: String,
    /// `delivery`.
    pub delivery: String,
    /// `phase`.
    pub phase: String,
    /// `octets-sent`.
    pub octets_sent: u64,
    /// `octets-received`.
    pub octets_received: u64,
}

/// Error, delivery and phase.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.error, self.delivery, self.phase)
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `version`.
    pub version: String,
    /// `status`.
    pub status: u16,
    /// `reason`.
    pub reason: Vec<u8>,
    /// `fields`.
    pub fields: Vec<(String, Vec<u8>)>,
}

/// All of it.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { version, status, reason, fields } = self;
        write!(f, "{version} {status} \"{}\" [{}]", reason.escape_ascii(), self::fields(fields))
    }
}

/// A response that has come whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `interim`.
    pub interim: Vec<Head>,
    /// `head`.
    pub head: Head,
    /// `content`.
    pub content: Vec<u8>,
    /// `trailers`.
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// `(103) 200 content + trailer: value`: the statuses, those of interim responses in brackets, the content and the trailer section.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for interim in &self.interim {
            write!(f, "({}) ", interim.status)?;
        }
        write!(f, "{}", self.head.status)?;
        if !self.content.is_empty() {
            write!(f, " {}", octets(&self.content))?;
        }
        match self.trailers.is_empty() {
            true => Ok(()),
            false => write!(f, " + {}", fields(&self.trailers)),
        }
    }
}

/// What one read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Content.
    Data(Vec<u8>),
    /// Nothing yet.
    WouldBlock,
    /// The end.
    End(Vec<(String, Vec<u8>)>),
}

/// What is known of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// `state`.
    pub state: String,
    /// `closed-by`; empty while it takes requests.
    pub closed_by: String,
    /// `persistence`.
    pub persistence: String,
    /// `queued`.
    pub queued: u32,
    /// `outstanding`.
    pub outstanding: u32,
    /// `requests`.
    pub requests: u64,
    /// `responses`.
    pub responses: u64,
    /// `octets-sent`.
    pub octets_sent: u64,
    /// `octets-received`.
    pub octets_received: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wit_package() {
        use sandpiper_guest::types::{CloseReason, Error, Incompatibility, Misbehaviour};
        let name = |error: Error| wit_name(&error);
        assert_eq!(name(Error::PeerMisbehaved(Misbehaviour::NotHttp)), "peer-misbehaved(not-http)");
        assert_eq!(name(Error::PeerIncompatible(Incompatibility::Http10Peer)), "peer-incompatible(http10-peer)");
        assert_eq!(name(Error::Closed(CloseReason::PeerOption)), "closed(peer-option)");
        assert_eq!(name(Error::Internal), "internal");
    }
}

//! In what a replay was not what had been recorded.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Octets of each side that the text of a difference shows.
const SHOWN_OCTETS: usize = 40;

/// The first thing in which a replay was not what had been recorded. Its text is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Octets were written that are not those that were written then.
    Written {
        /// The connection, as the recording numbers it, from 1.
        connection: usize,
        /// The first octet that differs, from 0, from the beginning of the connection.
        octet: u64,
        /// The recorded octets from there on, 40 at most; empty: nothing more was written.
        recorded: Vec<u8>,
        /// The octets from there on, 40 at most.
        found: Vec<u8>,
    },
    /// Less was written than had been, and the rest did not come.
    NotWritten {
        /// The connection, as the recording numbers it, from 1.
        connection: usize,
        /// Octets that were written.
        octets: u64,
        /// Octets that had been written.
        recorded_octets: u64,
    },
    /// A block was not read that had been read, and nothing more happened.
    NotRead {
        /// The connection, as the recording numbers it, from 1.
        connection: usize,
        /// Blocks that were read, and an end.
        reads: usize,
    },
    /// There is no further recorded connection to this address or authority.
    NoConnection(String),
    /// There is no further recorded lookup of this name.
    NoLookup(String),
    /// An instance asked for other random octets, or for more of them, than had been drawn; or for a date that had not been asked for.
    NotDrawn {
        /// The instance, in the order in which they were made, from 1.
        instance: u64,
    },
    /// The recorded connection was not made.
    NotMade {
        /// The connection, as the recording numbers it, from 1.
        connection: usize,
        /// Its address or authority.
        to: String,
    },
    /// The recording ends before the connection does: its limit was reached, or the program ended.
    CutOff {
        /// The connection, as the recording numbers it, from 1.
        connection: usize,
    },
}

/// Where a replay and its connections note differences: the first one is kept. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub(super) struct Differences(Arc<Mutex<Option<Difference>>>);

impl Differences {
    pub(super) fn note(&self, difference: Difference) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(difference);
    }

    pub(super) fn first(&self) -> Option<Difference> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Difference {
    /// Where octets differ from the recorded ones behind `octet`; both begin there.
    pub(super) fn written(connection: usize, octet: u64, recorded: &[u8], found: &[u8]) -> Self {
        let same = recorded.iter().zip(found).take_while(|(one, other)| one == other).count();
        let shown = |octets: &[u8]| octets[same..].iter().copied().take(SHOWN_OCTETS).collect();
        Self::Written { connection, octet: octet + same as u64, recorded: shown(recorded), found: shown(found) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { connection, octet, recorded, found } if recorded.is_empty() => {
                write!(f, "connection {connection} writes more than the {octet} octets of the recording: {}", quoted(found))
            }
            Self::Written { connection, octet, recorded, found } => {
                let (recorded, found) = (quoted(recorded), quoted(found));
                write!(f, "connection {connection} writes something else at octet {octet}: {found}, recorded is {recorded}")
            }
            Self::NotWritten { connection, octets, recorded_octets } => {
                write!(f, "connection {connection} has written {octets} of the {recorded_octets} octets of the recording")
            }
            Self::NotRead { connection, reads } => {
                write!(f, "connection {connection} has read {reads} blocks, and does not read what comes next in the recording")
            }
            Self::NoConnection(to) => write!(f, "there is no further connection to {to} in the recording"),
            Self::NoLookup(name) => write!(f, "there is no further lookup of {name} in the recording"),
            Self::NotDrawn { instance } => {
                write!(f, "instance {instance} asks for random octets, or for a date, that it did not ask for in the recording")
            }
            Self::NotMade { connection, to } => write!(f, "connection {connection} of the recording, to {to}, was not made"),
            Self::CutOff { connection } => {
                write!(f, "the recording ends before connection {connection} does: it is cut off there")
            }
        }
    }
}

impl std::error::Error for Difference {}

fn quoted(octets: &[u8]) -> String {
    format!("\"{}\"", octets.escape_ascii())
}

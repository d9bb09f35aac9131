//! Octets in both directions, without waiting: a socket, or a layer above one.

use crate::types::{Ending, Error};
use alloc::vec::Vec;

/// Carries the octets of an established connection: plain TCP, TLS over it, or streams that the caller has given.
pub trait Stream {
    /// Takes octets that have come, at most `octets_max`; a layer that has decrypted a record returns the whole of it.
    ///
    /// Errors: nothing more comes.
    fn read(&mut self, octets_max: usize) -> Result<Read, End>;

    /// Whether `read` reports an end once all octets before it are taken, though nothing more may come to wait for.
    fn has_ended(&self) -> bool {
        false
    }

    /// Was the last empty `read` a true answer? A host whose task budget is used up reports "nothing" for every socket. Returns false in that
    /// case, after the host has had a chance to run other tasks.
    fn was_answered(&mut self) -> bool {
        true
    }

    /// How many octets `write` takes now; 0: none until there is room again.
    ///
    /// Errors: no more octets can leave.
    fn room(&mut self) -> Result<usize, End>;

    /// Hands over `octets`, one or more and no more than there is room for. They have left, as far as anybody can tell: they are never taken
    /// back.
    ///
    /// Errors: none of them left, and no more can.
    fn write(&mut self, octets: &[u8]) -> Result<(), End>;

    /// Moves on what the stream has of its own to say, which `write` takes along. False: there is no room for it.
    ///
    /// Errors: no more octets can leave.
    fn flush(&mut self) -> Result<bool, End> {
        Ok(true)
    }

    /// Ends the sending direction.
    fn half_close(&mut self);
}

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// These octets: one or more.
    Octets(Vec<u8>),
    /// Nothing has come.
    Nothing,
    /// Something is coming of which nothing can be taken yet.
    Partly,
}

/// How a direction of a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The transport has ended.
    Transport(Ending),
    /// A layer has failed, and the connection with it.
    Layer(Error),
}

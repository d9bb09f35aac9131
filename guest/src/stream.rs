//! Octets in both directions, without waiting: a socket, or a layer above one.

use crate::conn::ClientConn;
use crate::timer::Instant;
use crate::types::{Ending, Error};
use alloc::vec::Vec;

/// Reads, and writes, in a row for one connection before others have their turn.
const MOVES_MAX: usize = 16;

/// What carries the octets of an established connection: plain TCP, TLS over it, or streams that the caller has given.
pub trait Stream {
    /// Takes octets that have come, at most `octets_max`; a layer that has decrypted a record gives the whole of it.
    ///
    /// Errors: nothing more comes.
    fn read(&mut self, octets_max: usize) -> Result<Read, End>;

    /// Whether `read` tells of an end, once what has come before it is taken, though nothing may ever come to wait for.
    fn has_ended(&self) -> bool {
        false
    }

    /// Whether the `read` that gave nothing just now would have given what there was: a host that has answered many questions in a row says to
    /// all others that nothing is there, until it has turned to others. If not, it has by now.
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

/// What a read gives.
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

/// Moves what can be moved without waiting, in both directions. Reading comes first: an idle connection may only be written to when
/// nothing has come in. Gives whether there is room for more.
pub fn move_octets(stream: &mut impl Stream, conn: &mut ClientConn, now: Instant) -> bool {
    receive(stream, conn, now);
    transmit(stream, conn, now)
}

fn receive(stream: &mut impl Stream, conn: &mut ClientConn, now: Instant) {
    let mut moves = 0;
    let mut asked_again = false;
    // A request that waits for the look has it before others have their turn.
    while moves < MOVES_MAX || conn.wants_look() || stream.has_ended() {
        moves += 1;
        let octets_max = conn.wants_octets();
        if octets_max == 0 {
            return;
        }
        match stream.read(octets_max) {
            // Before a request leaves it must be certain.
            Ok(Read::Nothing) if conn.wants_look() && !asked_again && !stream.was_answered() => asked_again = true,
            Ok(Read::Nothing) => return conn.nothing_to_receive(now),
            Ok(Read::Partly) => return conn.partly_received(now),
            Ok(Read::Octets(octets)) => {
                let more = octets.len() >= octets_max || stream.has_ended();
                conn.receive(octets, now);
                if !more && !conn.wants_look() {
                    return;
                }
            }
            Err(End::Transport(ending)) => return conn.receive_end(ending, now),
            Err(End::Layer(error)) => return conn.end(error, now),
        }
    }
}

fn transmit(stream: &mut impl Stream, conn: &mut ClientConn, now: Instant) -> bool {
    for _ in 0..MOVES_MAX {
        match transmit_some(stream, conn) {
            Ok(Some(0)) => return true,
            Ok(Some(octets)) => conn.transmitted(octets, now),
            Ok(None) => return false,
            Err(End::Transport(ending)) => {
                conn.transmit_failed(ending, now);
                return true;
            }
            Err(End::Layer(error)) => {
                conn.end(error, now);
                return true;
            }
        }
    }
    // Its turn comes again as soon as others have had theirs.
    false
}

/// How many octets were handed over; `None`: there is no room.
fn transmit_some(stream: &mut impl Stream, conn: &ClientConn) -> Result<Option<usize>, End> {
    let octets = conn.to_transmit();
    if octets.is_empty() {
        return Ok(stream.flush()?.then_some(0));
    }
    let room = stream.room()?;
    if room == 0 {
        return Ok(None);
    }
    let octets = octets.get(..room).unwrap_or(octets);
    stream.write(octets)?;
    Ok(Some(octets.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::types::{Delivery, Misbehaviour, Persistence, Request, RequestContent};
    use alloc::string::String;
    use alloc::vec;

    /// A host that says of an answer which nobody has asked for that nothing is there, as often as it is out of turn.
    struct Tired {
        out_of_turn: usize,
        written: usize,
    }

    impl Stream for Tired {
        fn read(&mut self, _: usize) -> Result<Read, End> {
            match self.out_of_turn {
                0 => Ok(Read::Octets(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())),
                _ => Ok(Read::Nothing),
            }
        }

        fn was_answered(&mut self) -> bool {
            let answered = self.out_of_turn == 0;
            self.out_of_turn = self.out_of_turn.saturating_sub(1);
            answered
        }

        fn room(&mut self) -> Result<usize, End> {
            Ok(1_024)
        }

        fn write(&mut self, octets: &[u8]) -> Result<(), End> {
            self.written += octets.len();
            Ok(())
        }

        fn half_close(&mut self) {}
    }

    fn connection() -> ClientConn {
        let options = crate::types::ConnOptions {
            persistence: Some(Persistence::Assume),
            pipeline_depth_max: None,
            limits: None,
            deadlines: None,
            leniency: None,
            half_close: None,
            log_entries_max: None,
        };
        let settings = Settings::checked(Some(&options)).expect("options");
        let mut conn = ClientConn::new(1, String::from("a"), settings, Instant(0));
        conn.established(None, None, Instant(0));
        conn
    }

    #[test]
    fn a_look_that_the_host_did_not_answer_is_made_again() {
        let mut conn = connection();
        let request = Request {
            method: String::from("GET"),
            request_target: String::from("/"),
            authority: None,
            fields: vec![],
            content: RequestContent::None,
            options: None,
        };
        let id = conn.send(request, 1, Instant(1)).expect("queued");
        let mut tired = Tired { out_of_turn: 1, written: 0 };
        move_octets(&mut tired, &mut conn, Instant(2));
        assert_eq!(tired.written, 0);
        let failure = conn.head(id).expect_err("what was there is no answer to it");
        let unsolicited = Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets);
        assert_eq!((failure.error, failure.delivery), (unsolicited, Delivery::NotSent));
    }
}

//! A connection with its transport: reports of the transport reach the connection, and octets go both ways between connection and
//! transport.

use crate::conn::{ClientConn, TransportWish};
use crate::link::Link;
use crate::slab::Id;
use crate::stream::{End, Read, Stream};
use crate::timer::Instant;
use crate::types::ConnState;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Reads, and writes, in a row for one connection before other connections have their turn.
const MOVES_MAX: usize = 16;

/// A driver, shared by the handles of the connection and of the exchanges, and by the poll of the connection.
pub type Shared<L> = Rc<RefCell<Driver<L>>>;

/// Moves octets between a connection and its transport.
#[derive(Debug)]
pub struct Driver<L> {
    /// The connection.
    pub conn: ClientConn,
    /// The transport.
    pub link: L,
    /// The handle of the connection is gone.
    pub dropped: bool,
    /// The last write found no room, or was not tried.
    output_full: bool,
    /// The transport has been closed.
    closed: bool,
    attention: Option<(Attention, Id)>,
    flagged: bool,
}

/// The directions in which an established transport can move octets as soon as it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Octets are awaited.
    pub input: bool,
    /// Octets wait for room.
    pub output: bool,
}

/// The members of a poll that were changed from outside of the poll.
#[derive(Clone, Debug, Default)]
pub struct Attention(Rc<RefCell<VecDeque<Id>>>);

impl Attention {
    /// Takes the next member.
    pub fn take(&self) -> Option<Id> {
        self.0.borrow_mut().pop_front()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl<L: Link> Driver<L> {
    /// A connection with its transport.
    pub fn new(conn: ClientConn, link: L) -> Shared<L> {
        let driver = Driver { conn, link, dropped: false, output_full: false, closed: false, attention: None, flagged: false };
        Rc::new(RefCell::new(driver))
    }

    /// Moves octets as far as possible without waiting, and does everything that is due.
    pub fn advance(&mut self, now: Instant) {
        self.move_on(now);
        if self.conn.deadline().is_some_and(|(at, _)| at <= now) {
            self.conn.handle_timeout(now);
            self.move_on(now);
        }
        self.heed_wish();
    }

    fn move_on(&mut self, now: Instant) {
        if !self.conn.is_established() {
            self.dial(now);
        }
        if !self.conn.is_established() {
            return;
        }
        if !self.closed {
            self.output_full = !move_octets(&mut self.link, &mut self.conn, now);
        }
    }

    /// Goes on with establishing the transport, without moving octets yet.
    pub fn dial(&mut self, now: Instant) {
        if self.conn.state() == ConnState::Closed {
            return;
        }
        let mut progress = Vec::new();
        self.link.dial(now, &mut progress);
        for progress in progress {
            self.conn.progress(progress, now);
        }
    }

    /// Carries out the wish of the connection for the transport, after a call has changed the connection.
    pub fn heed_wish(&mut self) {
        self.flag();
        if self.closed {
            return;
        }
        let link = &mut self.link;
        match self.conn.transport() {
            TransportWish::Keep => {}
            TransportWish::HalfClose => {
                link.half_close();
                self.conn.half_closed();
                // An error is reported by the next read or write.
                self.output_full |= link.flush() == Ok(false);
            }
            TransportWish::Close => {
                if self.conn.broke().is_some() {
                    link.broken().remember(self.conn.authority());
                }
                self.closed = true;
                link.close();
            }
        }
    }

    /// The next deadline, of the connection or of its transport.
    pub fn deadline(&self) -> Option<Instant> {
        let of_link = self.link.deadline().filter(|_| !self.conn.is_established());
        match (self.conn.deadline(), of_link) {
            (Some((at, _)), Some(of_link)) => Some(at.min(of_link)),
            (of_conn, of_link) => of_conn.map(|(at, _)| at).or(of_link),
        }
    }

    /// In which directions the transport, once it is established, can move octets as soon as it is ready.
    pub fn interest(&self) -> Interest {
        Interest { input: self.conn.wants_octets() > 0, output: self.output_full }
    }

    /// Moves octets that calls have left to be moved.
    pub fn catch_up(&mut self, now: Instant) {
        if self.is_behind() {
            self.advance(now);
        }
    }

    /// Whether octets can be moved at once, because calls have moved the connection on.
    fn is_behind(&self) -> bool {
        let conn = &self.conn;
        let reads = conn.wants_read_first() || (conn.wants_octets() > 0 && self.link.has_ended());
        let writes = !self.output_full && !conn.to_transmit().is_empty();
        conn.is_established() && !self.closed && (reads || writes)
    }

    /// Whether the connection is in a poll.
    pub fn is_polled(&self) -> bool {
        self.attention.is_some()
    }

    /// From now on a change is reported to the poll with this list, where the connection is the member `id`.
    pub fn join(&mut self, attention: &Attention, id: Id) {
        self.attention = Some((attention.clone(), id));
        self.flagged = false;
        self.flag();
    }

    /// Ends the reports to the poll.
    pub fn leave(&mut self) {
        self.attention = None;
    }

    /// The member that the connection is in the poll with this list.
    pub fn member_of(&self, attention: &Attention) -> Option<Id> {
        let (of, id) = self.attention.as_ref()?;
        Rc::ptr_eq(&of.0, &attention.0).then_some(*id)
    }

    /// The poll is about to change the connection, and needs no report of the change.
    pub fn known_to_change(&mut self) {
        self.flagged = true;
    }

    /// The poll knows all changes so far.
    pub fn heeded(&mut self) {
        self.flagged = false;
    }

    /// Reports a change to the poll, once.
    pub fn flag(&mut self) {
        if let (false, Some((attention, id))) = (self.flagged, &self.attention) {
            self.flagged = true;
            attention.0.borrow_mut().push_back(*id);
        }
    }
}

/// Moves octets without waiting, in both directions. Reading comes first: an idle connection may be written to only after a read has
/// found nothing. Returns whether there is room for more.
fn move_octets(stream: &mut impl Stream, conn: &mut ClientConn, now: Instant) -> bool {
    receive(stream, conn, now);
    transmit(stream, conn, now)
}

fn receive(stream: &mut impl Stream, conn: &mut ClientConn, now: Instant) {
    let mut moves = 0;
    let mut asked_again = false;
    // A request that waits for the look has the look before other connections have their turn.
    while moves < MOVES_MAX || conn.wants_read_first() || stream.has_ended() {
        moves += 1;
        let octets_max = conn.wants_octets();
        if octets_max == 0 {
            return;
        }
        match stream.read(octets_max) {
            // Before a request leaves, the connection must be certain that nothing unsolicited has come.
            Ok(Read::Nothing) if conn.wants_read_first() && !asked_again && !stream.was_answered() => asked_again = true,
            Ok(Read::Nothing) => return conn.nothing_to_receive(now),
            Ok(Read::Partly) => return conn.partly_received(now),
            Ok(Read::Octets(octets)) => {
                let more = octets.len() >= octets_max || stream.has_ended();
                conn.receive(octets, now);
                if !more && !conn.wants_read_first() {
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
    // The connection has another turn as soon as other connections have had theirs.
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
    use crate::dial::{Broken, Progress};
    use crate::request::tests::request;
    use crate::settings::Settings;
    use crate::types::{self, ConnOptions, Delivery, Error, Misbehaviour, Persistence, RequestContent};
    use alloc::string::String;

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

    /// A transport that takes everything, ends once something has been written, and remembers what was done to it.
    #[derive(Default)]
    struct Ending {
        written: usize,
        closed: usize,
        broken: Broken,
    }

    impl Link for Ending {
        fn dial(&mut self, _: Instant, progress: &mut Vec<Progress>) {
            progress.push(Progress::ESTABLISHED);
        }

        fn deadline(&self) -> Option<Instant> {
            None
        }

        fn close(&mut self) {
            self.closed += 1;
        }

        fn broken(&self) -> &Broken {
            &self.broken
        }
    }

    impl Stream for Ending {
        fn read(&mut self, _: usize) -> Result<Read, End> {
            assert_eq!(self.closed, 0, "read after the end");
            if self.written > 0 { Err(End::Transport(types::Ending::Ended)) } else { Ok(Read::Nothing) }
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

    #[test]
    fn a_broken_pipeline_is_remembered_where_its_transport_leads_and_a_single_request_is_not() {
        for (requests, expected) in [(2, Persistence::Learn), (1, Persistence::Assume)] {
            let shared = Driver::new(connection(), Ending::default());
            let mut driver = shared.borrow_mut();
            for token in 0..requests {
                driver.conn.send(request("GET", RequestContent::None), token, Instant(1)).expect("queued");
            }
            for now in 1..4 {
                driver.advance(Instant(now));
            }
            assert_eq!(driver.conn.state(), ConnState::Closed);
            let link = &driver.link;
            assert_eq!((link.closed, link.broken.expects("a", Persistence::Assume)), (1, expected), "{requests} requests");
        }
    }

    fn connection() -> ClientConn {
        let options = ConnOptions { persistence: Some(Persistence::Assume), ..ConnOptions::default() };
        let settings = Settings::checked(Some(&options)).expect("options");
        let mut conn = ClientConn::new(1, String::from("a"), settings, Instant(0));
        conn.progress(Progress::ESTABLISHED, Instant(0));
        conn
    }

    #[test]
    fn a_look_that_the_host_did_not_answer_is_made_again() {
        let mut conn = connection();
        let id = conn.send(request("GET", RequestContent::None), 1, Instant(1)).expect("queued");
        let mut tired = Tired { out_of_turn: 1, written: 0 };
        move_octets(&mut tired, &mut conn, Instant(2));
        assert_eq!(tired.written, 0);
        let failure = conn.head(id).expect_err("what was there is no answer to it");
        let unsolicited = Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets);
        assert_eq!((failure.error, failure.delivery), (unsolicited, Delivery::NotSent));
    }
}

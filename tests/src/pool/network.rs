//! Transports in memory: what a client writes is heard by a peer at once, and what the peer says arrives in pieces of any size.

use crate::peer;
use crate::peer::answer::{self, Answer};
use crate::random::Random;
use sandpiper_guest::conn::ClientConn;
use sandpiper_guest::link::{Link, Network};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnectProblem, Ending, Endpoint, Error};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Reads, and writes, in a row for one connection before others have their turn.
const MOVES_MAX: usize = 16;

/// Everything outside of the poll.
#[derive(Debug)]
pub struct World {
    /// What the peers and the network do.
    pub random: Random,
    /// The time.
    pub now: Instant,
    /// Every connection that was dialled, the first one first: its number, less one, is its place.
    pub sides: Vec<Side>,
    /// Transports that exist.
    pub wires: usize,
    /// Nothing ends and nothing is refused.
    pub calm: bool,
}

/// What a transport does before it is established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// It is established, or refused, at this moment; `None`: never.
    Until(Option<Instant>, bool),
    /// It stands.
    Established,
    /// It was refused.
    Refused,
}

/// A request that the peer of a connection has heard.
#[derive(Debug)]
pub struct Heard {
    /// Its token, from the target.
    pub token: u64,
    /// Its method.
    pub method: String,
    /// Where its answer begins and ends in all that the peer says, its content, and whether it is the last.
    pub answer: Option<(usize, usize, Vec<u8>, bool)>,
}

/// One connection as its peer sees it.
#[derive(Debug)]
pub struct Side {
    /// The port that was dialled.
    pub port: u16,
    /// How far it is.
    pub dial: Dial,
    /// On its way to the client.
    pub coming: VecDeque<u8>,
    /// Octets that the peer has said, and that have arrived.
    pub said: usize,
    /// The same.
    pub delivered: usize,
    /// What follows them.
    pub ending: Option<Ending>,
    got: Vec<u8>,
    parsed: usize,
    /// What the network still takes from the client.
    pub room: usize,
    full: bool,
    /// What the peer had said did not all leave.
    pub cut: bool,
    /// What the peer has heard whole.
    pub heard: Vec<Heard>,
    /// What it is hearing.
    pub hears: Option<u64>,
    /// It has answered what it is hearing.
    answered_early: bool,
    /// How many it has answered.
    pub answered: usize,
    /// It answers no more.
    pub last: bool,
    /// It has said what no answer is.
    pub wrong: bool,
    /// The client has closed it, for this reason.
    pub closed: Option<Option<Error>>,
}

impl Side {
    fn new(port: u16, dial: Dial) -> Side {
        Side {
            port,
            dial,
            coming: VecDeque::new(),
            said: 0,
            delivered: 0,
            ending: None,
            got: Vec::new(),
            parsed: 0,
            room: 1 << 20,
            full: false,
            cut: false,
            heard: Vec::new(),
            hears: None,
            answered_early: false,
            answered: 0,
            last: false,
            wrong: false,
            closed: None,
        }
    }

    /// Whether the client has something to do with it.
    pub fn is_ready(&self, conn: &ClientConn, now: Instant) -> bool {
        if self.closed.is_some() {
            return false;
        }
        match self.dial {
            Dial::Until(at, _) => at.is_some_and(|at| at <= now),
            Dial::Refused => false,
            Dial::Established => {
                let readable = !self.coming.is_empty() || self.ending.is_some();
                (readable && conn.wants_octets() > 0) || (self.full && self.room > 0)
            }
        }
    }

    /// Whether any octet of this request that tells which one it is has come.
    pub fn has_heard(&self, token: u64) -> bool {
        self.hears == Some(token) || self.heard.iter().any(|heard| heard.token == token)
    }

    /// Whether the network or the peer has the beginning of a request, and not all of it.
    pub fn is_half_way(&self) -> bool {
        self.full || self.parsed < self.got.len()
    }

    /// Whether an octet of the answer to this request has arrived.
    pub fn has_begun(&self, token: u64) -> bool {
        self.answer_of(token).is_some_and(|(start, ..)| self.delivered > *start)
    }

    /// The answer to this request.
    pub fn answer_of(&self, token: u64) -> Option<&(usize, usize, Vec<u8>, bool)> {
        self.heard.iter().find(|heard| heard.token == token)?.answer.as_ref()
    }

    /// Whether the beginning of an answer that is the last one has arrived.
    pub fn has_declared_end(&self) -> bool {
        let answers = self.heard.iter().filter_map(|heard| heard.answer.as_ref());
        answers.into_iter().any(|(start, _, _, closes)| *closes && self.delivered > *start)
    }

    fn read(&mut self, conn: &mut ClientConn, random: &mut Random, now: Instant) {
        let mut moves = 0;
        while moves < MOVES_MAX || conn.wants_look() {
            moves += 1;
            let wanted = conn.wants_octets();
            if wanted == 0 {
                return;
            }
            if self.coming.is_empty() {
                return match self.ending {
                    Some(ending) => conn.receive_end(ending, now),
                    None => conn.nothing_to_receive(now),
                };
            }
            let most = *random.pick(&[1, 10, 200, 100_000]);
            let octets = (1 + random.below(most)).min(self.coming.len()).min(wanted);
            self.delivered += octets;
            conn.receive(self.coming.drain(..octets).collect(), now);
        }
    }

    fn write(&mut self, conn: &mut ClientConn, random: &mut Random, now: Instant) {
        self.full = false;
        for _ in 0..MOVES_MAX {
            let waiting = conn.to_transmit().len();
            if waiting == 0 {
                return;
            }
            if self.ending == Some(Ending::Reset) {
                return conn.transmit_failed(Ending::Reset, now);
            }
            let piece = if random.chance(3, 4) { waiting } else { 1 + random.below(waiting) };
            let octets = piece.min(self.room);
            if octets == 0 {
                break;
            }
            self.room -= octets;
            self.got.extend_from_slice(&conn.to_transmit()[..octets]);
            conn.transmitted(octets, now);
            self.understand();
        }
        self.full = true;
    }

    fn understand(&mut self) {
        self.hears = None;
        while self.parsed < self.got.len() {
            let rest = &self.got[self.parsed..];
            match peer::read(rest) {
                Err(wrong) => panic!("a peer got {wrong}"),
                Ok(Some((seen, taken))) => {
                    let token = token(&seen.target);
                    assert_eq!(seen.field("Host"), Some(host(self.port).as_bytes()), "sent to another origin");
                    if !seen.whole {
                        self.hears = Some(token).filter(|_| !self.answered_early);
                        return;
                    }
                    self.parsed += taken;
                    if std::mem::take(&mut self.answered_early) {
                        continue;
                    }
                    assert!(!self.has_heard(token), "{token} comes twice on one connection");
                    self.heard.push(Heard { token, method: seen.method, answer: None });
                }
                Ok(None) => {
                    let line = String::from_utf8_lossy(rest).into_owned();
                    let mut words = line.split(' ');
                    self.hears = words.nth(1).filter(|_| words.next().is_some()).map(token);
                    return;
                }
            }
        }
    }

    /// Answers the next request that was heard and not answered; `early`: or the one that is being heard.
    pub fn answer(&mut self, random: &mut Random, early: bool) {
        if self.last || self.wrong || self.ending.is_some() {
            return;
        }
        if early && self.answered == self.heard.len() {
            let Ok(Some((seen, _))) = peer::read(&self.got[self.parsed..]) else { return };
            if self.answered_early {
                return;
            }
            self.answered_early = true;
            self.heard.push(Heard { token: token(&seen.target), method: seen.method, answer: None });
            self.hears = None;
            self.say(random);
        } else if self.answered < self.heard.len() {
            self.say(random);
        }
    }

    fn say(&mut self, random: &mut Random) {
        let heard = &mut self.heard[self.answered];
        let Answer { octets, content, closes } = answer::answer(random, heard.token, &heard.method);
        let start = self.said;
        self.said += octets.len();
        self.coming.extend(octets);
        self.last = closes;
        heard.answer = Some((start, self.said, content, closes));
        self.answered += 1;
    }

    /// Says what is no answer.
    pub fn misbehave(&mut self, random: &mut Random) {
        if self.last || self.wrong || self.ending.is_some() {
            return;
        }
        self.wrong = true;
        let octets = random.pick(&[
            "HTTP/1.1 200 OK\r\nX-Token: 0\r\nContent-Length: 6\r\n\r\npoison",
            "nonsense",
            "HTTP/1.1 408 Request Timeout\r\nX-Token: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ]);
        self.said += octets.len();
        self.coming.extend(octets.as_bytes());
    }

    /// Ends, perhaps in the middle of what it has said.
    pub fn end(&mut self, ending: Ending, cut: Option<usize>) {
        if self.ending.is_none() {
            if let Some(cut) = cut {
                self.cut = true;
                self.coming.truncate(cut);
            }
            self.ending = Some(ending);
        }
    }
}

fn token(target: &str) -> u64 {
    target.trim_start_matches('/').parse().expect("a token")
}

/// What `Host` says for a port.
pub fn host(port: u16) -> String {
    format!("a.test:{port}")
}

/// The network of a poll.
#[derive(Clone, Debug)]
pub struct Net(pub Rc<RefCell<World>>);

/// The client's end of one connection.
#[derive(Debug)]
pub struct Wire {
    world: Rc<RefCell<World>>,
    place: usize,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.world.borrow_mut().wires -= 1;
    }
}

impl Network for Net {
    type Link = Wire;

    fn dial(&self, endpoint: &Endpoint) -> Result<Wire, Error> {
        let mut world = self.0.borrow_mut();
        let now = world.now;
        let delay_ms = *world.random.pick(&[0, 0, 1, 100, 3_000]);
        let at = Some(Instant(now.0 + delay_ms * 1_000_000));
        let dial = match world.random.below(12) {
            0 | 1 if !world.calm => Dial::Until(at, false),
            2 if !world.calm => Dial::Until(None, true),
            _ => Dial::Until(at, true),
        };
        world.sides.push(Side::new(endpoint.port, dial));
        world.wires += 1;
        Ok(Wire { world: Rc::clone(&self.0), place: world.sides.len() - 1 })
    }

    fn take_broken(&self, _: &str) -> bool {
        false
    }

    fn next_connection(&self) -> u64 {
        self.0.borrow().sides.len() as u64
    }

    fn changed(&self) {}
}

impl Link for Wire {
    fn advance(&mut self, conn: &mut ClientConn, now: Instant) {
        let World { random, sides, .. } = &mut *self.world.borrow_mut();
        let side = &mut sides[self.place];
        if side.closed.is_some() {
            return;
        }
        if let Dial::Until(Some(at), accepted) = side.dial
            && at <= now
        {
            side.dial = if accepted { Dial::Established } else { Dial::Refused };
            match accepted {
                true => conn.established(None, None, now),
                false => return conn.end(Error::Connect(ConnectProblem::Refused), now),
            }
        }
        if side.dial == Dial::Established {
            side.read(conn, random, now);
            side.write(conn, random, now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let side = &self.world.borrow().sides[self.place];
        match side.dial {
            Dial::Until(at, _) if side.closed.is_none() => at,
            _ => None,
        }
    }

    fn is_behind(&self, conn: &ClientConn) -> bool {
        let side = &self.world.borrow().sides[self.place];
        let stands = side.dial == Dial::Established && side.closed.is_none();
        stands && (conn.wants_look() || (!side.full && !conn.to_transmit().is_empty()))
    }

    fn half_close(&mut self) {}

    fn close(&mut self, conn: &ClientConn) {
        self.world.borrow_mut().sides[self.place].closed.get_or_insert(conn.ended_by());
    }
}

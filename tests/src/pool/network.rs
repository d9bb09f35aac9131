//! What a poll dials: transports that take their time, refuse, or never answer; and what each peer has heard and said.

use crate::choices::Choices;
use crate::net::{self, Cuts};
use crate::peer::answer::{Answer, AnswerKind, Reply};
use crate::peer::scripted::Server;
use crate::random::Random;
use sandpiper_guest::dial::{Broken, Progress};
use sandpiper_guest::driver::Interest;
use sandpiper_guest::link::{Link, Network};
use sandpiper_guest::stream::{End, Read, Stream};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnectProblem, Ending, Endpoint, Error};
use std::cell::RefCell;
use std::rc::Rc;

/// Octets of contents, and interim responses of answers that have some.
const CONTENTS: [usize; 5] = [0, 1, 10, 100, 3_000];
const INTERIM: [usize; 2] = [1, 2];

/// Everything outside of the poll.
#[derive(Debug)]
pub struct World {
    /// What the peers and the network do.
    pub random: Choices,
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

/// One connection as its peer sees it.
#[derive(Debug)]
pub struct Side {
    /// The port that was dialled.
    pub port: u16,
    /// How far it is.
    pub dial: Dial,
    /// What lies between them.
    pub network: net::Network,
    /// The peer.
    pub server: Server,
    /// What the peer had said did not all leave.
    pub cut: bool,
}

impl Side {
    fn new(port: u16, dial: Dial, random: &mut Choices) -> Side {
        let mut seed = || Random::new(random.below(usize::MAX) as u64);
        let network = net::Network::new(Cuts::Random(seed()), Cuts::Seldom(seed()));
        Side { port, dial, network, server: Server::of_pool(host(port)), cut: false }
    }

    /// Whether the client has something to do with it.
    pub fn is_ready(&self, interest: Interest, now: Instant) -> bool {
        match self.dial {
            _ if self.network.closed => false,
            Dial::Until(at, _) => at.is_some_and(|at| at <= now),
            Dial::Refused => false,
            Dial::Established => (self.network.is_readable() && interest.input) || (interest.output && self.network.room > 0),
        }
    }

    /// Whether the network or the peer has the beginning of a request, and not all of it.
    pub fn is_half_way(&self) -> bool {
        self.network.is_full || !self.server.requests.rest().is_empty()
    }

    /// Whether an octet behind these has arrived.
    fn is_behind(&self, octets: u64) -> bool {
        self.network.delivered as u64 > octets
    }

    /// Whether an octet of the answer to this request has arrived.
    pub fn has_begun(&self, token: u64) -> bool {
        self.server.reply(token).is_some_and(|reply| self.is_behind(reply.start))
    }

    /// Whether the beginning of an answer that is the last one has arrived.
    pub fn has_declared_end(&self) -> bool {
        self.server.replies.iter().any(|(_, reply): &(u64, Reply)| reply.last && self.is_behind(reply.start))
    }

    /// Whether the peer has said what no answer is.
    pub fn is_wrong(&self) -> bool {
        self.server.wrong.is_some()
    }

    /// Answers the next request that was heard and not answered; `early`: or the one that is being heard.
    pub fn answer(&mut self, random: &mut Choices, early: bool) {
        if self.server.next().is_some() || early {
            let mut answer = Answer::draw(random, &CONTENTS, &INTERIM);
            if random.chance(1, 24) {
                answer.kind = AnswerKind::Close;
            }
            let early = if early { self.server.answer_early(&answer) } else { None };
            let said = early.or_else(|| self.server.answer(&answer));
            self.network.say(said.unwrap_or_default());
        }
    }

    /// Says what is no answer.
    pub fn misbehave(&mut self, random: &mut Choices) {
        if !self.server.is_done {
            self.network.say(self.server.inject(random.below(5)).unwrap_or_default());
        }
    }

    /// Ends, perhaps in the middle of what it has said.
    pub fn end(&mut self, ending: Ending, cut: Option<usize>) {
        if !std::mem::replace(&mut self.server.is_ended, true) {
            if let Some(cut) = cut {
                self.cut = true;
                self.network.lose(cut);
            }
            self.network.end(ending);
        }
    }
}

/// What `Host` says for a port.
pub fn host(port: u16) -> String {
    format!("a.test:{port}")
}

/// The network of a poll, and where pipelines broke in it.
#[derive(Clone, Debug)]
pub struct Net(pub Rc<RefCell<World>>, pub Rc<Broken>);

/// The client's end of one connection.
#[derive(Debug)]
pub struct Wire {
    world: Rc<RefCell<World>>,
    broken: Rc<Broken>,
    place: usize,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.world.borrow_mut().wires -= 1;
    }
}

impl Network for Net {
    type Link = Wire;

    fn dial(&self, endpoint: &Endpoint) -> Result<(u64, Wire), Error> {
        let mut world = self.0.borrow_mut();
        let now = world.now;
        let delay_ms = *world.random.pick(&[0, 0, 1, 100, 3_000]);
        let at = Some(Instant(now.0 + delay_ms * 1_000_000));
        let dial = match world.random.below(12) {
            0 | 1 if !world.calm => Dial::Until(at, false),
            2 if !world.calm => Dial::Until(None, true),
            _ => Dial::Until(at, true),
        };
        let side = Side::new(endpoint.port, dial, &mut world.random);
        world.sides.push(side);
        world.wires += 1;
        let wire = Wire { world: Rc::clone(&self.0), broken: Rc::clone(&self.1), place: world.sides.len() - 1 };
        Ok((world.sides.len() as u64, wire))
    }

    fn broken(&self) -> &Broken {
        &self.1
    }

    fn changed(&self) {}
}

impl Wire {
    fn with<T>(&self, within: impl FnOnce(&mut Side) -> T) -> T {
        let side = &mut self.world.borrow_mut().sides[self.place];
        assert!(!side.network.closed, "a transport is used that was closed");
        within(side)
    }
}

impl Link for Wire {
    fn dial(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        self.with(|side| {
            if let Dial::Until(Some(at), accepted) = side.dial
                && at <= now
            {
                side.dial = if accepted { Dial::Established } else { Dial::Refused };
                progress.push(match accepted {
                    true => Progress::ESTABLISHED,
                    false => Progress::Failed(Error::Connect(ConnectProblem::Refused)),
                });
            }
        });
    }

    fn deadline(&self) -> Option<Instant> {
        let side = &self.world.borrow().sides[self.place];
        match side.dial {
            Dial::Until(at, _) if !side.network.closed => at,
            _ => None,
        }
    }

    fn close(&mut self) {
        self.with(|side| side.network.close());
    }

    fn broken(&self) -> &Broken {
        &self.broken
    }
}

impl Stream for Wire {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        self.with(|side| side.network.read(octets_max))
    }

    fn room(&mut self) -> Result<usize, End> {
        self.with(|side| side.network.room())
    }

    /// What is written is heard at once.
    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        self.with(|side| {
            side.network.write(octets)?;
            let heard = side.server.requests.push(&side.network.take_arrived());
            heard.unwrap_or_else(|wrong| panic!("a peer got {wrong}"));
            Ok(())
        })
    }

    fn half_close(&mut self) {}
}

//! A network in memory, under one connection: it cuts octets where it likes, and ends when it is told to.

use crate::random::Random;
use sandpiper_guest::dial::{Broken, Progress};
use sandpiper_guest::link::Link;
use sandpiper_guest::stream::{End, Read, Stream};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::Ending;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

/// What a network holds for a peer that does not read.
const WINDOW_OCTETS: usize = 65_536;

/// Where a direction of the network cuts the octets.
#[derive(Clone, Debug)]
pub enum Cuts {
    /// Nowhere: what was sent together arrives together.
    Nowhere,
    /// Behind every octet.
    Everywhere,
    /// Once, behind this many octets.
    At(usize),
    /// Anywhere.
    Random(Random),
}

impl Cuts {
    /// How many of `octets` waiting octets come next, when `before` have come.
    pub(crate) fn next(&mut self, before: usize, octets: usize) -> usize {
        match self {
            Cuts::Nowhere => octets,
            Cuts::Everywhere => octets.min(1),
            Cuts::At(position) if before < *position => octets.min(*position - before),
            Cuts::At(_) => octets,
            Cuts::Random(random) => {
                let most = *random.pick(&[1, 2, 8, 64, 1_024, octets]);
                octets.min(1 + random.below(most))
            }
        }
    }
}

/// What lies between a connection and its peer.
#[derive(Debug)]
pub struct Network {
    inbound: Cuts,
    outbound: Cuts,
    /// From the peer, on their way.
    pub coming: VecDeque<u8>,
    /// How many have been delivered.
    pub delivered: usize,
    ending: Option<Ending>,
    /// The connection has heard of it.
    ending_told: bool,
    peer_reads: bool,
    /// To the peer, not read.
    standing: Vec<u8>,
    /// What the peer has read, until it is taken.
    arrived: Vec<u8>,
    /// Octets that have left the connection.
    pub sent: usize,
    /// How often the connection has written.
    pub writes: usize,
    /// The connection has ended its direction.
    pub half_closed: bool,
    /// The connection has closed the transport.
    pub closed: bool,
    /// How often something came or left.
    moves: u64,
}

impl Network {
    /// One that cuts octets here.
    pub fn new(inbound: Cuts, outbound: Cuts) -> Network {
        Network {
            inbound,
            outbound,
            coming: VecDeque::new(),
            delivered: 0,
            ending: None,
            ending_told: false,
            peer_reads: true,
            standing: Vec::new(),
            arrived: Vec::new(),
            sent: 0,
            writes: 0,
            half_closed: false,
            closed: false,
            moves: 0,
        }
    }

    /// Whether anything came or left since this was last asked.
    pub fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moves) > 0
    }

    /// Takes what the peer has read.
    pub fn take_arrived(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.arrived)
    }

    /// Whether what is written together also arrives together.
    pub fn keeps_writes(&self) -> bool {
        matches!(self.outbound, Cuts::Nowhere)
    }

    /// The peer ends its direction, or resets the connection.
    pub fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        self.ending_told &= ending != Ending::Reset;
    }

    /// The peer reads what comes from now on, or does not.
    pub fn have_peer_read(&mut self, reads: bool) {
        self.peer_reads = reads;
        if reads {
            self.arrived.append(&mut self.standing);
        }
    }
}

/// The connection's end of a network. It is connected as soon as it is dialled.
#[derive(Debug)]
pub struct Wire {
    network: Rc<RefCell<Network>>,
    broken: Broken,
}

impl Wire {
    /// The end of this network.
    pub fn new(network: &Rc<RefCell<Network>>) -> Wire {
        Wire { network: Rc::clone(network), broken: Broken::new() }
    }
}

impl Link for Wire {
    fn dial(&mut self, _: Instant, progress: &mut Vec<Progress>) {
        let remote = Some(SocketAddr::from(([127, 0, 0, 1], 80)));
        progress.extend([Progress::Connected { remote, local: None }, Progress::ESTABLISHED]);
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn close(&mut self) {
        let network = &mut *self.network.borrow_mut();
        assert!(!std::mem::replace(&mut network.closed, true), "closed twice");
        network.coming.clear();
    }

    fn broken(&self) -> &Broken {
        &self.broken
    }
}

impl Stream for Wire {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        let network = &mut *self.network.borrow_mut();
        assert!(!network.closed, "read after the end");
        let standing = network.coming.len();
        if standing > 0 {
            let octets = network.inbound.next(network.delivered, standing).min(octets_max);
            network.delivered += octets;
            network.moves += 1;
            return Ok(Read::Octets(network.coming.drain(..octets).collect()));
        }
        let Some(ending) = network.ending else { return Ok(Read::Nothing) };
        // A real transport repeats its end for as long as it is asked.
        network.moves += u64::from(!std::mem::replace(&mut network.ending_told, true));
        Err(End::Transport(ending))
    }

    fn room(&mut self) -> Result<usize, End> {
        let network = &mut *self.network.borrow_mut();
        if network.ending == Some(Ending::Reset) && network.ending_told {
            network.moves += 1;
            return Err(End::Transport(Ending::Reset));
        }
        let room = if network.peer_reads { usize::MAX } else { WINDOW_OCTETS.saturating_sub(network.standing.len()) };
        Ok(network.outbound.next(network.sent, room))
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        let network = &mut *self.network.borrow_mut();
        assert!(!octets.is_empty() && !network.half_closed && !network.closed, "octets behind the end");
        let read = if network.peer_reads { &mut network.arrived } else { &mut network.standing };
        read.extend_from_slice(octets);
        network.sent += octets.len();
        network.writes += 1;
        network.moves += 1;
        Ok(())
    }

    fn half_close(&mut self) {
        self.network.borrow_mut().half_closed = true;
    }
}

//! The network in memory, under one connection: it cuts and delays octets, holds them for a peer that does not read, loses them, ends and breaks
//! where it is told to. It is a [`Stream`](sandpiper_guest::stream::Stream) for the core's own driver ([`Wire`]); a simulation may also move
//! its octets one piece at a time.

mod cuts;
mod pipe;
mod wire;

pub use cuts::Cuts;
pub use wire::Wire;

use pipe::Pipe;
use sandpiper_guest::stream::{End, Read};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::Ending;

/// What a network holds for a peer that does not read, or is far away.
pub const WINDOW_OCTETS: usize = 65_536;
const BROKEN: End = End::Transport(Ending::Reset);

/// What lies between a connection and its peer.
#[derive(Debug)]
pub struct Network {
    to_peer: Pipe,
    to_client: Pipe,
    /// Where octets to the client are cut.
    pub inbound: Cuts,
    /// Where those to the peer are.
    pub outbound: Cuts,
    /// The peer reads.
    pub reads: bool,
    /// How many more octets are taken from the client, whatever there is room for.
    pub room: usize,
    /// Behind each piece nothing is there for one look.
    pub gaps: bool,
    /// Sending fails once so many octets have left.
    pub breaks_behind: usize,
    /// The next write fails, and none behind it.
    pub fails_once: bool,
    /// Octets that have left the client.
    pub sent: usize,
    /// Octets that it has been given.
    pub delivered: usize,
    /// How often it has written.
    pub writes: usize,
    /// It has ended its direction.
    pub half_closed: bool,
    /// It has closed its end.
    pub closed: bool,
    /// It had more to send than there was room for.
    pub is_full: bool,
    now: Instant,
    delay_ns: u64,
    is_split: bool,
    gap: bool,
    told: Told,
}

/// What the client has heard of.
#[derive(Debug, Default)]
struct Told {
    ending: Option<Ending>,
    /// How often something came or left since that was asked.
    moves: u64,
}

impl Network {
    /// One that cuts octets here, and does nothing else to them.
    pub fn new(inbound: Cuts, outbound: Cuts) -> Network {
        Network {
            to_peer: Pipe::default(),
            to_client: Pipe::default(),
            inbound,
            outbound,
            reads: true,
            room: usize::MAX,
            gaps: false,
            breaks_behind: usize::MAX,
            fails_once: false,
            sent: 0,
            delivered: 0,
            writes: 0,
            half_closed: false,
            closed: false,
            is_full: false,
            now: Instant(0),
            delay_ns: 0,
            is_split: false,
            gap: false,
            told: Told::default(),
        }
    }

    /// The peer sends.
    pub fn say(&mut self, octets: impl Into<Vec<u8>>) {
        self.to_client.send(octets.into(), Instant(self.now.0 + self.delay_ns));
        self.arrive(self.now);
    }

    /// The peer ends its direction, or resets the connection: then nothing reaches it any more.
    pub fn end(&mut self, ending: Ending) {
        if ending == Ending::Reset {
            self.to_peer.lose(0);
            self.to_peer.end(Ending::Reset, self.now);
        }
        self.to_client.end(ending, Instant(self.now.0 + self.delay_ns));
        self.arrive(self.now);
    }

    /// All that is on its way to the client is lost, but for the first octets that have arrived.
    pub fn lose(&mut self, but: usize) {
        self.to_client.lose(but);
    }

    /// Takes what has arrived at the peer, if it reads.
    pub fn take_arrived(&mut self) -> Vec<u8> {
        self.to_peer.take(if self.reads { usize::MAX } else { 0 })
    }

    /// What has arrived at the peer, and was not taken.
    pub fn arrived(&self) -> Vec<u8> {
        self.to_peer.octets().copied().collect()
    }

    /// How many octets the client could read.
    pub fn coming(&self) -> usize {
        self.to_client.arrived()
    }

    /// Whether the client could read octets, or the end.
    pub fn is_readable(&self) -> bool {
        self.coming() > 0 || self.ended().is_some()
    }

    /// The end, once the client has taken what came before.
    pub fn ended(&self) -> Option<Ending> {
        self.to_client.ended()
    }

    /// Whether nothing more can be sent.
    pub fn is_broken(&self) -> bool {
        self.sent >= self.breaks_behind || self.ended() == Some(Ending::Reset)
    }

    /// The client reads.
    ///
    /// # Errors
    /// Nothing more comes. A real transport repeats that for as long as it is asked.
    pub fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        if std::mem::take(&mut self.gap) {
            return Ok(Read::Nothing);
        }
        let standing = self.coming();
        if standing > 0 {
            let octets = self.inbound.next(self.delivered, standing).min(octets_max);
            self.delivered += octets;
            self.told.moves += 1;
            self.gap = self.gaps;
            return Ok(Read::Octets(self.to_client.take(octets)));
        }
        let Some(ending) = self.ended() else { return Ok(Read::Nothing) };
        self.told.moves += u64::from(self.told.ending.replace(ending) != Some(ending));
        Err(End::Transport(ending))
    }

    /// How many octets the client can send now.
    ///
    /// # Errors
    /// None any more.
    pub fn room(&mut self) -> Result<usize, End> {
        if self.is_broken() {
            self.told.moves += 1;
            return Err(BROKEN);
        }
        let is_far = self.delay_ns > 0 || self.is_split || self.to_peer.is_moving();
        let window = if self.reads && !is_far { usize::MAX } else { WINDOW_OCTETS.saturating_sub(self.to_peer.len()) };
        let room = self.outbound.next(self.sent, window.min(self.room));
        self.is_full = room == 0;
        Ok(room)
    }

    /// The client sends octets, for which there is room.
    ///
    /// # Errors
    /// None has left.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        assert!(!octets.is_empty() && !self.half_closed && !self.closed, "octets behind the end");
        assert!(octets.len() <= self.room, "{} octets for {}", octets.len(), self.room);
        if self.is_broken() || std::mem::take(&mut self.fails_once) {
            return Err(BROKEN);
        }
        if self.room < usize::MAX {
            self.room -= octets.len();
        }
        self.sent += octets.len();
        self.writes += 1;
        self.told.moves += 1;
        self.to_peer.send(octets.to_vec(), Instant(self.now.0 + self.delay_ns));
        self.arrive(self.now);
        Ok(())
    }

    /// The client closes its end: nothing that the peer sends reaches it.
    pub fn close(&mut self) {
        self.closed = true;
        self.to_client.lose(0);
    }

    /// Whether anything came or left since this was last asked.
    pub fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.told.moves) > 0
    }

    /// What is sent from now on takes this long.
    pub fn delay(&mut self, delay_ns: u64) {
        self.delay_ns = delay_ns;
    }

    /// Whether nothing arrives, in either direction.
    pub fn split(&mut self, is_split: bool) {
        self.is_split = is_split;
    }

    /// It is this late: what is due arrives.
    pub fn arrive(&mut self, now: Instant) {
        self.now = now;
        if !self.is_split {
            self.to_peer.arrive(now);
            self.to_client.arrive(now);
        }
    }
}

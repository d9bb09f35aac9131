//! The network between one client and one server: octets take their time, wait, or are lost.

use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::Ending;
use std::collections::VecDeque;

/// What the network holds for a server that does not read.
pub const WINDOW_OCTETS: usize = 65_536;

/// One direction.
#[derive(Debug, Default)]
pub struct Pipe {
    moving: VecDeque<(Instant, Vec<u8>)>,
    arrived: VecDeque<u8>,
    end: Option<(Instant, Ending)>,
    end_arrived: bool,
}

impl Pipe {
    /// Octets that were sent and not taken.
    pub fn len(&self) -> usize {
        self.arrived.len() + self.moving.iter().map(|(_, octets)| octets.len()).sum::<usize>()
    }

    /// Whether all that was sent has been taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets that can be taken.
    pub fn arrived(&self) -> usize {
        self.arrived.len()
    }

    /// Takes octets that have arrived.
    pub fn take(&mut self, octets_max: usize) -> Vec<u8> {
        let octets = octets_max.min(self.arrived.len());
        self.arrived.drain(..octets).collect()
    }

    /// The end, when all that came before it has been taken.
    pub fn ended(&self) -> Option<Ending> {
        self.end.filter(|_| self.end_arrived && self.arrived.is_empty()).map(|(_, ending)| ending)
    }

    /// Whether it has been said that nothing more is sent.
    pub fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    fn last(&self, at: Instant) -> Instant {
        self.moving.back().map_or(at, |(last, _)| at.max(*last))
    }

    fn send(&mut self, octets: Vec<u8>, at: Instant) {
        if self.end.is_none() && !octets.is_empty() {
            self.moving.push_back((self.last(at), octets));
        }
    }

    fn arrive(&mut self, now: Instant) {
        while let Some((_, octets)) = self.moving.pop_front_if(|(at, _)| *at <= now) {
            self.arrived.extend(octets);
        }
        self.end_arrived |= self.moving.is_empty() && self.end.is_some_and(|(at, _)| at <= now);
    }

    fn lose(&mut self) {
        self.moving.clear();
        self.arrived.clear();
    }
}

/// Both directions.
#[derive(Debug, Default)]
pub struct Network {
    /// From the client.
    pub to_server: Pipe,
    /// From the server.
    pub to_client: Pipe,
    delay_ns: u64,
    is_split: bool,
}

impl Network {
    /// How many more octets the client can send now.
    pub fn room(&self) -> usize {
        WINDOW_OCTETS.saturating_sub(self.to_server.len())
    }

    /// The client sends.
    pub fn send_to_server(&mut self, octets: Vec<u8>, now: Instant) {
        self.to_server.send(octets, Instant(now.0 + self.delay_ns));
    }

    /// The server sends.
    pub fn send_to_client(&mut self, octets: Vec<u8>, now: Instant) {
        self.to_client.send(octets, Instant(now.0 + self.delay_ns));
    }

    /// The server ends its direction. After a reset nothing reaches the server any more, and what is on its way to the client may be lost.
    pub fn end_to_client(&mut self, ending: Ending, loses: bool, now: Instant) {
        if ending == Ending::Reset {
            self.cut_to_server(now);
            if loses {
                self.to_client.lose();
            }
        }
        let at = self.to_client.last(Instant(now.0 + self.delay_ns));
        if ending == Ending::Reset || self.to_client.end.is_none() {
            self.to_client.end = Some((at, ending));
        }
    }

    /// Nothing reaches the server any more.
    fn cut_to_server(&mut self, now: Instant) {
        self.to_server.lose();
        self.to_server.end = Some((now, Ending::Reset));
    }

    /// The client closes: nothing that the server sends reaches it.
    pub fn close_to_client(&mut self) {
        self.to_client.lose();
    }

    /// What is sent from now on takes this long.
    pub fn delay(&mut self, delay_ns: u64) {
        self.delay_ns = delay_ns;
    }

    /// Whether nothing arrives, in either direction.
    pub fn split(&mut self, is_split: bool) {
        self.is_split = is_split;
    }

    /// What is due arrives.
    pub fn arrive(&mut self, now: Instant) {
        if !self.is_split {
            self.to_server.arrive(now);
            self.to_client.arrive(now);
        }
    }
}

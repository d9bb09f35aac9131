//! One direction of a network: octets take their time, wait, or are lost.

use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::Ending;
use std::collections::VecDeque;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    moving: VecDeque<(Instant, Vec<u8>)>,
    arrived: VecDeque<u8>,
    end: Option<(Instant, Ending)>,
    end_arrived: bool,
}

impl Pipe {
    /// Octets that were sent and not taken.
    pub(super) fn len(&self) -> usize {
        self.arrived.len() + self.moving.iter().map(|(_, octets)| octets.len()).sum::<usize>()
    }

    /// Octets that can be taken.
    pub(super) fn arrived(&self) -> usize {
        self.arrived.len()
    }

    /// Those octets.
    pub(super) fn octets(&self) -> impl Iterator<Item = &u8> {
        self.arrived.iter()
    }

    /// Whether octets are on their way.
    pub(super) fn is_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// Takes octets that have arrived.
    pub(super) fn take(&mut self, octets_max: usize) -> Vec<u8> {
        let octets = octets_max.min(self.arrived.len());
        self.arrived.drain(..octets).collect()
    }

    /// The end, when all that came before it has been taken.
    pub(super) fn ended(&self) -> Option<Ending> {
        self.end.filter(|_| self.end_arrived && self.arrived.is_empty()).map(|(_, ending)| ending)
    }

    /// What is sent at this moment arrives then, but not before what was sent earlier.
    fn behind(&self, at: Instant) -> Instant {
        self.moving.back().map_or(at, |(last, _)| at.max(*last))
    }

    /// Octets are sent, and arrive then. Behind the end, none are.
    pub(super) fn send(&mut self, octets: Vec<u8>, at: Instant) {
        if self.end.is_none() && !octets.is_empty() {
            self.moving.push_back((self.behind(at), octets));
        }
    }

    /// Nothing more is sent. A reset comes also behind an end in order.
    pub(super) fn end(&mut self, ending: Ending, at: Instant) {
        if ending == Ending::Reset || self.end.is_none() {
            self.end = Some((self.behind(at), ending));
        }
    }

    /// What is due arrives.
    pub(super) fn arrive(&mut self, now: Instant) {
        while let Some((_, octets)) = self.moving.pop_front_if(|(at, _)| *at <= now) {
            self.arrived.extend(octets);
        }
        self.end_arrived |= self.moving.is_empty() && self.end.is_some_and(|(at, _)| at <= now);
    }

    /// All that was sent is lost, but for the first octets that have arrived.
    pub(super) fn lose(&mut self, but: usize) {
        self.moving.clear();
        self.arrived.truncate(but);
    }
}

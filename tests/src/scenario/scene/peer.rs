//! The acts of the peer, and what the peer got.

use super::Scene;
use crate::peer::{self, Seen};
use crate::scenario::story;

impl Scene {
    /// Sends octets, in one write.
    pub fn peer_sends(&mut self, octets: impl AsRef<[u8]>) {
        self.sent += octets.as_ref().len();
        self.world().peer_sends(octets.as_ref());
        self.world.settle();
    }

    /// Sends octets that nobody has had the time to see when the next thing happens.
    pub fn peer_sends_unseen(&mut self, octets: impl AsRef<[u8]>) {
        self.sent += octets.as_ref().len();
        self.world().peer_sends(octets.as_ref());
    }

    /// Sends octets one at a time, with so much time after each.
    pub fn peer_dribbles(&mut self, octets: impl AsRef<[u8]>, milliseconds: u64) {
        for octet in octets.as_ref() {
            self.peer_sends([*octet]);
            self.advance(milliseconds);
        }
    }

    /// Sends the last octets and FIN, but goes on reading.
    pub fn peer_ends(&mut self, octets: impl AsRef<[u8]>) {
        self.sent += octets.as_ref().len();
        self.world().peer_sends(octets.as_ref());
        self.world.peer_ends();
        self.world.settle();
    }

    /// Sends FIN that nobody has had the time to see when the next thing happens.
    pub fn peer_ends_unseen(&mut self) {
        self.world().peer_ends();
    }

    /// Sends octets, which arrive, and then resets the connection.
    pub fn peer_resets(&mut self, octets: impl AsRef<[u8]>) {
        if !octets.as_ref().is_empty() {
            self.peer_sends(octets);
        }
        self.world().peer_resets();
        self.world.settle();
    }

    /// Stops reading, or reads again.
    pub fn peer_reads(&mut self, reads: bool) {
        self.stood = true;
        self.world().peer_reads(reads);
        self.world.settle();
    }

    /// Got these requests since the last time, and nothing else: see [`Seen`] for the text. One that is not whole is told again.
    #[track_caller]
    pub fn peer_got(&mut self, expected: &[&str]) {
        let got = self.take_requests();
        let got: Vec<String> = got.iter().map(ToString::to_string).collect();
        assert_eq!(got, expected);
    }

    /// Takes the requests that came since the last time.
    ///
    /// # Panics
    /// When what came is no request.
    #[track_caller]
    pub fn take_requests(&mut self) -> Vec<Seen> {
        let mut got = Vec::new();
        loop {
            let octets = &self.world.peer_octets()[self.parsed..];
            match peer::read(octets) {
                Err(wrong) => panic!("the peer got {wrong}"),
                Ok(None) => {
                    assert!(octets.is_empty(), "the peer got a part of a head: {}", story::octets(octets));
                    return got;
                }
                Ok(Some((seen, _))) if !seen.whole => {
                    if self.partial.as_ref() != Some(&seen) {
                        self.partial = Some(seen.clone());
                        got.push(seen);
                    }
                    return got;
                }
                Ok(Some((seen, taken))) => {
                    self.parsed += taken;
                    self.partial = None;
                    self.requests.push(seen.clone());
                    got.push(seen);
                }
            }
        }
    }

    /// Got these octets in the tunnel since the last time.
    #[track_caller]
    pub fn peer_got_raw(&mut self, expected: impl AsRef<[u8]>) {
        self.tunnel = true;
        let octets = self.world.peer_octets()[self.parsed..].to_vec();
        self.parsed += octets.len();
        assert_eq!(story::octets(&octets), story::octets(expected.as_ref()));
    }

    /// How many octets the peer has got so far, in all.
    pub fn peer_octets(&self) -> usize {
        self.world.peer_octets().len()
    }

    /// The octets that the peer has got after the first so many. The transcript does not tell, and nothing else is to be told of them.
    pub fn octets_since(&mut self, start: usize) -> Vec<u8> {
        self.tunnel = true;
        self.world.peer_octets()[start..].to_vec()
    }

    /// Has seen the end of what it gets.
    #[track_caller]
    pub fn peer_saw_end(&self) {
        assert!(self.stood || self.world.peer_saw_end(), "the peer has not seen an end");
    }

    /// Has not: both directions are open.
    #[track_caller]
    pub fn peer_saw_no_end(&self) {
        assert!(!self.world.peer_saw_end(), "the peer has seen an end");
    }

    /// In how many writes the requests have left so far, where that can be told.
    pub fn writes(&self) -> Option<usize> {
        self.world.writes()
    }
}

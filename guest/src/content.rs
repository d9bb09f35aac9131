//! The content of a response that its caller has not read.

use crate::settings::READ_OCTETS_MAX;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What costs less to copy than to keep as a piece of its own.
const SHORT_PIECE_OCTETS_MAX: usize = 1_024;

/// Content that has arrived, in the pieces in which it came.
#[derive(Debug, Default)]
pub struct Content {
    pieces: VecDeque<Vec<u8>>,
    front_start: usize,
    octets: usize,
}

impl Content {
    /// Octets that wait.
    pub fn len(&self) -> usize {
        self.octets
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// Adds a piece. A short one is copied behind the last: octets that come one by one would else take many times their memory.
    pub fn push(&mut self, piece: Vec<u8>) {
        self.octets += piece.len();
        match self.pieces.back_mut() {
            Some(run) if piece.len() <= SHORT_PIECE_OCTETS_MAX && run.len() <= READ_OCTETS_MAX => run.extend_from_slice(&piece),
            _ if piece.is_empty() => {}
            _ => self.pieces.push_back(piece),
        }
    }

    /// Adds a piece to one growing run of octets, for a reader that wants all of it together.
    pub fn gather(&mut self, piece: Vec<u8>) {
        match self.pieces.back_mut() {
            Some(run) => {
                self.octets += piece.len();
                run.extend_from_slice(&piece);
            }
            None => self.push(piece),
        }
    }

    /// Takes the next octets, at most `octets_max`: a whole piece as it is, or a part of it.
    pub fn take(&mut self, octets_max: usize) -> Vec<u8> {
        let Some(piece) = self.pieces.front_mut() else { return Vec::new() };
        let left = piece.len().saturating_sub(self.front_start);
        let taken = if left > octets_max {
            let part = piece.get(self.front_start..self.front_start + octets_max).unwrap_or_default().to_vec();
            self.front_start += octets_max;
            part
        } else {
            let mut piece = self.pieces.pop_front().unwrap_or_default();
            piece.drain(..self.front_start);
            self.front_start = 0;
            piece
        };
        self.octets = self.octets.saturating_sub(taken.len());
        taken
    }

    /// Takes all, together.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = self.take(usize::MAX);
        all.reserve(self.octets);
        while !self.is_empty() {
            all.extend_from_slice(&self.take(usize::MAX));
        }
        all
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Content::default();
    }
}

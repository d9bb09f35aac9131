//! Octet queues between the calls and the transport: the only code that moves octets.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

/// Octets up to this many are copied behind others so that they leave in one write; a longer run of content stays where it is and
/// leaves in a write of its own. A copy of this size costs less than a host call, and than waking the peer for the head alone.
pub const COALESCE_OCTETS_MAX: usize = 65_536;

/// The room that a block keeps when all of it has left.
const KEPT_OCTETS_MAX: usize = 16_384;

/// Octets from the transport that have not been taken.
///
/// When it is empty a received block becomes the buffer, and a block that is taken whole is handed on: a large content passes without a
/// copy.
#[derive(Debug, Default)]
pub struct ReceiveBuffer {
    block: Vec<u8>,
    start: usize,
}

impl ReceiveBuffer {
    /// Appends a block.
    pub fn push(&mut self, block: Vec<u8>) {
        if self.is_empty() {
            self.block = block;
            self.start = 0;
            return;
        }
        // Only what is left of an incomplete line stands in front: a short move.
        if self.start > 0 {
            self.block.drain(..self.start);
            self.start = 0;
        }
        self.block.extend_from_slice(&block);
    }

    /// Octets that have not been taken.
    pub fn octets(&self) -> &[u8] {
        self.block.get(self.start..).unwrap_or_default()
    }

    /// How many octets have not been taken.
    pub fn len(&self) -> usize {
        self.block.len().saturating_sub(self.start)
    }

    /// Whether all has been taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `octets` octets and forgets them. An empty buffer holds no memory: an idle connection may live for long.
    pub fn consume(&mut self, octets: usize) {
        self.start = self.start.saturating_add(octets);
        if self.start >= self.block.len() {
            *self = ReceiveBuffer::default();
        }
    }

    /// Takes the octets of `range` of [`octets`](Self::octets), and forgets those before it.
    pub fn take(&mut self, range: Range<usize>) -> Vec<u8> {
        if range.start == 0 && self.start == 0 && range.end >= self.block.len() {
            return core::mem::take(&mut self.block);
        }
        let (start, end) = (self.start + range.start, self.start + range.end);
        let taken = self.block.get(start..end).unwrap_or_default().to_vec();
        self.consume(range.end);
        taken
    }

    /// Takes all.
    pub fn take_all(&mut self) -> Vec<u8> {
        self.take(0..self.len())
    }
}

/// Octets for the transport, as positions in the connection's outgoing stream.
///
/// Short runs are copied together into one block, so that a head with its content, and all requests queued in one step, leave in one write.
#[derive(Debug, Default)]
pub struct SendBuffer {
    blocks: VecDeque<Vec<u8>>,
    front_start: usize,
    taken: u64,
    pushed: u64,
}

impl SendBuffer {
    /// Position behind the last octet that was pushed.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Position behind the last octet that the transport took.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many octets wait.
    pub fn len(&self) -> u64 {
        self.pushed.saturating_sub(self.taken)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Has `write` append octets behind the last ones.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.blocks.back().is_none_or(|block| block.len() >= COALESCE_OCTETS_MAX) {
            self.blocks.push_back(Vec::new());
        }
        if let Some(block) = self.blocks.back_mut() {
            let before = block.len();
            write(block);
            self.pushed += (block.len() - before) as u64;
        }
    }

    /// Appends content: copied when short, else as a block of its own.
    pub fn push(&mut self, content: Vec<u8>) {
        if content.len() <= COALESCE_OCTETS_MAX {
            self.append(|block| block.extend_from_slice(&content));
        } else {
            if self.is_empty() {
                // The block that is kept for its allocation would stand in front, with nothing to send.
                self.blocks.clear();
                self.front_start = 0;
            }
            self.pushed += content.len() as u64;
            self.blocks.push_back(content);
            // Octets behind the long block do not make the block grow, and so do not move it.
            self.blocks.push_back(Vec::new());
        }
    }

    /// The next octets for the transport, as many as stand together; empty when nothing waits.
    pub fn front(&self) -> &[u8] {
        self.blocks.front().and_then(|block| block.get(self.front_start..)).unwrap_or_default()
    }

    /// The transport took `octets` octets of [`front`](Self::front).
    pub fn consume(&mut self, octets: usize) {
        let octets = octets.min(self.front().len());
        self.taken += octets as u64;
        self.front_start += octets;
        while self.blocks.front().is_some_and(|block| self.front_start >= block.len()) {
            self.front_start = 0;
            if self.blocks.len() == 1 {
                // A short block is kept for its allocation: most connections send small requests for ever.
                match self.blocks.front_mut() {
                    Some(block) if block.capacity() <= KEPT_OCTETS_MAX => block.clear(),
                    _ => self.blocks.clear(),
                }
                break;
            }
            self.blocks.pop_front();
        }
    }

    /// Removes the octets from position `from` to `to`, none of which the transport has taken; what stood behind them moves forward.
    pub fn remove(&mut self, from: u64, to: u64) {
        let mut position = self.taken.saturating_sub(self.front_start as u64);
        for block in &mut self.blocks {
            let octets = block.len() as u64;
            block.drain(part(block.len(), position, from, to));
            position += octets;
        }
        self.pushed = self.pushed.saturating_sub(to.saturating_sub(from));
        self.consume(0);
    }

    /// A copy of the octets from position `from` to `to`, as far as they still wait.
    pub fn copy(&self, from: u64, to: u64) -> Vec<u8> {
        let mut copy = Vec::new();
        let mut position = self.taken.saturating_sub(self.front_start as u64);
        for block in &self.blocks {
            copy.extend_from_slice(block.get(part(block.len(), position, from, to)).unwrap_or_default());
            position += block.len() as u64;
        }
        copy
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.front_start = 0;
        self.pushed = self.taken;
    }
}

/// Which part of a block of `octets` octets, which begins at `position`, lies between the positions `from` and `to`.
fn part(octets: usize, position: u64, from: u64, to: u64) -> Range<usize> {
    let within = |at: u64| usize::try_from(at.saturating_sub(position)).unwrap_or(usize::MAX).min(octets);
    within(from)..within(to.max(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_block_taken_whole_is_not_copied() {
        let mut buffer = ReceiveBuffer::default();
        let block = vec![7; 65_536];
        let address = block.as_ptr();
        buffer.push(block);
        let taken = buffer.take_all();
        assert_eq!(taken.as_ptr(), address);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_left_stands_before_what_comes() {
        let mut buffer = ReceiveBuffer::default();
        buffer.push(b"abcdef".to_vec());
        buffer.consume(2);
        buffer.push(b"gh".to_vec());
        assert_eq!(buffer.octets(), b"cdefgh");
        assert_eq!(buffer.take(1..3), b"de");
        assert_eq!(buffer.octets(), b"fgh");
        buffer.consume(99);
        assert_eq!(buffer.octets(), b"");
    }

    #[test]
    fn short_runs_stand_together_and_long_content_is_not_copied() {
        let mut buffer = SendBuffer::default();
        buffer.append(|block| block.extend_from_slice(b"head "));
        buffer.push(b"content".to_vec());
        assert_eq!(buffer.front(), b"head content");
        let long = vec![1; COALESCE_OCTETS_MAX + 1];
        let address = long.as_ptr();
        buffer.push(long);
        buffer.append(|block| block.extend_from_slice(b"next"));
        buffer.consume(12);
        assert_eq!(buffer.front().as_ptr(), address);
        buffer.consume(COALESCE_OCTETS_MAX + 1);
        assert_eq!(buffer.front(), b"next");
        buffer.consume(4);
        assert!(buffer.is_empty());
        assert_eq!(buffer.front(), b"");
        assert_eq!(buffer.pushed(), buffer.taken());
    }

    #[test]
    fn long_content_behind_what_has_left_stands_in_front() {
        let mut buffer = SendBuffer::default();
        buffer.append(|block| block.extend_from_slice(b"head"));
        buffer.consume(4);
        buffer.push(vec![1; COALESCE_OCTETS_MAX + 1]);
        assert_eq!(buffer.front().len(), COALESCE_OCTETS_MAX + 1);
    }

    #[test]
    fn a_removed_run_leaves_its_neighbours() {
        let mut buffer = SendBuffer::default();
        for part in [b"aaaa", b"bbbb", b"cccc"] {
            buffer.append(|block| block.extend_from_slice(part));
        }
        buffer.consume(2);
        buffer.remove(4, 8);
        assert_eq!(buffer.front(), b"aacccc");
        assert_eq!(buffer.copy(3, 6), b"acc");
        assert_eq!(buffer.len(), 6);
        buffer.remove(4, 8);
        assert_eq!(buffer.front(), b"aa");
        buffer.consume(2);
        assert!(buffer.is_empty());
    }
}

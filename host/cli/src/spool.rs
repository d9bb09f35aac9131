//! Content that is read before its turn on standard output: in memory while there is little, then in a temporary file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandpiper_host::types::{Chunk, FieldLine};

use super::output::create_nameless;

/// Octets of all responses in memory.
const MEMORY_OCTETS_MAX: usize = 8 << 20;
/// Octets of one piece: in the file each piece has a block of its own.
const BLOCK_OCTETS: usize = 1 << 16;
/// Blocks of the file: 4 GiB.
const BLOCKS_MAX: u64 = 1 << 16;
/// The name that the file has for a moment begins so.
const FILE: &str = "sandpiper-spool";

/// Where the content of all responses is. A clone is the same spool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spool(Arc<Mutex<Room>>);

#[derive(Debug, Default)]
struct Room {
    /// Octets in memory.
    in_memory: usize,
    /// Made with the first block; without a name, so that the file ends with the process, however that ends.
    file: Option<File>,
    /// Blocks that are in the file.
    blocks: u64,
    /// Blocks that hold nothing any more.
    free: Vec<u64>,
}

impl Spool {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// # Errors
    /// There is no room: not in the file, or not for the file.
    fn write(&mut self, octets: &[u8]) -> io::Result<u64> {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.blocks == BLOCKS_MAX => {
                return Err(io::Error::other(format!("more than {} octets", BLOCKS_MAX * BLOCK_OCTETS as u64)));
            }
            None => {
                self.blocks += 1;
                self.blocks - 1
            }
        };
        let written = self.write_at(number, 0, octets);
        if written.is_err() {
            self.free.push(number);
        }
        written.map(|()| number)
    }

    fn write_at(&mut self, number: u64, place: usize, octets: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            file @ None => file.insert(create_nameless(FILE).map_err(in_directory)?),
        };
        file.write_all_at(octets, start(number) + place as u64).map_err(in_directory)
    }

    fn read(&mut self, number: u64, octets: usize) -> io::Result<Vec<u8>> {
        let mut content = vec![0; octets];
        match &self.file {
            Some(file) => file.read_exact_at(&mut content, start(number))?,
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(content)
    }

    fn let_go(&mut self, piece: &Piece) {
        match piece {
            Piece::Memory(octets) => self.in_memory = self.in_memory.saturating_sub(octets.len()),
            Piece::Block { number, .. } => self.free.push(*number),
        }
    }
}

/// An error that names the directory of the file.
fn in_directory(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", std::env::temp_dir().display()))
}

fn start(number: u64) -> u64 {
    number * BLOCK_OCTETS as u64
}

#[derive(Debug)]
enum Piece {
    Memory(Vec<u8>),
    Block { number: u64, octets: usize },
}

/// What was read of one response before its turn.
#[derive(Debug)]
pub(crate) struct Spooled {
    spool: Spool,
    pieces: VecDeque<Piece>,
    /// The trailers: the end was read, too.
    end: Option<Vec<FieldLine>>,
    /// The end was taken.
    is_taken: bool,
}

impl Spooled {
    pub(crate) fn new(spool: &Spool) -> Self {
        Self { spool: spool.clone(), pieces: VecDeque::new(), end: None, is_taken: false }
    }

    /// Is the response here to its end?
    pub(crate) fn is_whole(&self) -> bool {
        self.end.is_some()
    }

    /// Is there something that was not taken?
    pub(crate) fn has_some(&self) -> bool {
        !self.pieces.is_empty() || (self.is_whole() && !self.is_taken)
    }

    /// How many octets were not taken.
    pub(crate) fn octets(&self) -> u64 {
        let count = |piece: &Piece| match piece {
            Piece::Memory(octets) => octets.len() as u64,
            Piece::Block { octets, .. } => *octets as u64,
        };
        self.pieces.iter().map(count).sum()
    }

    /// Adds content, at most 64 KiB.
    ///
    /// # Errors
    /// There is no room for the content.
    pub(crate) fn put(&mut self, octets: Vec<u8>) -> io::Result<()> {
        let spool = self.spool.clone();
        let mut room = spool.room();
        match self.pieces.back_mut() {
            Some(Piece::Block { number, octets: before }) if *before + octets.len() <= BLOCK_OCTETS => {
                room.write_at(*number, *before, &octets)?;
                *before += octets.len();
            }
            last if room.in_memory + octets.len() <= MEMORY_OCTETS_MAX => {
                room.in_memory += octets.len();
                match last {
                    Some(Piece::Memory(before)) if before.len() + octets.len() <= BLOCK_OCTETS => before.extend(octets),
                    _ => self.pieces.push_back(Piece::Memory(octets)),
                }
            }
            _ => self.pieces.push_back(Piece::Block { number: room.write(&octets)?, octets: octets.len() }),
        }
        Ok(())
    }

    /// The response is here to its end.
    pub(crate) fn put_end(&mut self, trailers: Vec<FieldLine>) {
        self.end = Some(trailers);
    }

    /// The next content, or, again and again, the end; `None`: the exchange has the rest.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn take(&mut self) -> io::Result<Option<Chunk>> {
        let Some(piece) = self.pieces.pop_front() else {
            self.is_taken = self.is_whole();
            return Ok(self.end.clone().map(Chunk::End));
        };
        let mut room = self.spool.room();
        room.let_go(&piece);
        let octets = match piece {
            Piece::Memory(octets) => octets,
            Piece::Block { number, octets } => room.read(number, octets)?,
        };
        Ok(Some(Chunk::Data(octets)))
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let mut room = self.spool.room();
        self.pieces.iter().for_each(|piece| room.let_go(piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of the file, octets in memory.
    fn counts(spool: &Spool) -> (u64, usize) {
        let room = spool.room();
        (room.blocks, room.in_memory)
    }

    fn content(spooled: &mut Spooled) -> Vec<u8> {
        let mut content = Vec::new();
        while let Some(Chunk::Data(octets)) = spooled.take().unwrap() {
            content.extend(octets);
        }
        content
    }

    #[test]
    fn content_comes_back_as_it_was_from_memory_and_from_the_file() {
        let spool = Spool::default();
        let mut all = [Spooled::new(&spool), Spooled::new(&spool)];
        let mut expected = [Vec::new(), Vec::new()];
        // Twice as much as memory takes, in pieces of many lengths.
        let mut octets = 0;
        for number in 0_usize.. {
            let piece = vec![u8::try_from(number % 251).unwrap(); 1 + number * 997 % BLOCK_OCTETS];
            octets += piece.len();
            expected[number % 2].extend_from_slice(&piece);
            all[number % 2].put(piece).unwrap();
            if octets > 2 * MEMORY_OCTETS_MAX {
                break;
            }
        }
        let (blocks, in_memory) = counts(&spool);
        assert!(blocks > 0 && in_memory <= MEMORY_OCTETS_MAX);
        for (spooled, expected) in all.iter_mut().zip(expected) {
            assert!(spooled.has_some() && content(spooled) == expected && !spooled.has_some());
        }
        assert_eq!((counts(&spool), spool.room().free.len() as u64), ((blocks, 0), blocks));
    }

    #[test]
    fn small_pieces_share_a_block() {
        let spool = Spool::default();
        spool.room().in_memory = MEMORY_OCTETS_MAX;
        let mut spooled = Spooled::new(&spool);
        (0..1000).for_each(|_| spooled.put(b"0123456789".to_vec()).unwrap());
        assert_eq!(spool.room().blocks, 1);
        assert_eq!(content(&mut spooled), b"0123456789".repeat(1000));
    }

    #[test]
    fn what_is_not_taken_leaves_its_place_to_others() {
        let spool = Spool::default();
        for round in 0..3 {
            let mut spooled = Spooled::new(&spool);
            (0..200).for_each(|_| spooled.put(vec![round; BLOCK_OCTETS]).unwrap());
        }
        assert_eq!(counts(&spool), (200 - (MEMORY_OCTETS_MAX / BLOCK_OCTETS) as u64, 0));
    }

    #[test]
    fn there_is_an_end_to_the_room() {
        let spool = Spool::default();
        spool.room().in_memory = MEMORY_OCTETS_MAX;
        spool.room().blocks = BLOCKS_MAX;
        let mut spooled = Spooled::new(&spool);
        assert!(spooled.put(vec![1]).is_err() && !spooled.has_some());
        spool.room().free.push(0);
        spooled.put(vec![1]).unwrap();
        assert_eq!(content(&mut spooled), [1]);
    }

    #[test]
    fn the_end_is_taken_again_and_again() {
        let mut spooled = Spooled::new(&Spool::default());
        spooled.put(b"x".to_vec()).unwrap();
        spooled.put_end(Vec::new());
        assert!(spooled.is_whole());
        assert_eq!(content(&mut spooled), b"x");
        for _ in 0..2 {
            assert!(matches!(spooled.take(), Ok(Some(Chunk::End(_)))) && !spooled.has_some());
        }
    }
}

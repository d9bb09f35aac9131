//! A content of several pieces, some of which are files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Octets(Vec<u8>),
    /// A regular file.
    File {
        path: PathBuf,
        octets: u64,
    },
    /// A source that can be read only once, to its end.
    Pipe(PathBuf),
}

impl Piece {
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        match () {
            () if metadata.is_dir() => Err(io::Error::other("this is a directory")),
            () if metadata.is_file() => {
                File::open(path)?;
                Ok(Self::File { path: path.to_owned(), octets: metadata.len() })
            }
            () => Ok(Self::Pipe(path.to_owned())),
        }
    }

    /// `None`: not known.
    fn octets(&self) -> Option<u64> {
        match self {
            Self::Octets(octets) => Some(octets.len() as u64),
            Self::File { octets, .. } => Some(*octets),
            Self::Pipe(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pieces {
    list: Arc<[Piece]>,
    has_length: bool,
}

impl Pieces {
    pub(crate) fn new(pieces: Vec<Piece>) -> Self {
        Self { list: pieces.into(), has_length: true }
    }

    /// The same, as if their length were not known.
    pub(crate) fn without_length(self) -> Self {
        Self { has_length: false, ..self }
    }

    /// Of all pieces; `None`: not known.
    pub(crate) fn octets(&self) -> Option<u64> {
        let sum = self.list.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.octets()?));
        sum.filter(|_| self.has_length)
    }

    /// Can they be read more than once, and without waiting for anybody?
    pub(crate) fn are_regular(&self) -> bool {
        !self.list.iter().any(|piece| matches!(piece, Piece::Pipe(_)))
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader { pieces: Arc::clone(&self.list), at: 0, offset: 0, open: None }
    }
}

/// Reads pieces one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    pieces: Arc<[Piece]>,
    /// The piece that is being read, and how much of its octets has been.
    at: usize,
    offset: usize,
    open: Option<io::Take<File>>,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.pieces.get(self.at) {
            let read = match piece {
                Piece::Octets(octets) => (&octets[self.offset..]).read(into)?,
                Piece::File { path, octets } => read_file(&mut self.open, path, *octets, into)?,
                Piece::Pipe(path) => read_file(&mut self.open, path, u64::MAX, into)?,
            };
            if read > 0 || into.is_empty() {
                self.offset += read;
                return Ok(read);
            }
            (self.at, self.offset, self.open) = (self.at + 1, 0, None);
        }
        Ok(0)
    }
}

fn read_file(open: &mut Option<io::Take<File>>, path: &Path, octets: u64, into: &mut [u8]) -> io::Result<usize> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let file = match open {
        Some(file) => file,
        None => open.insert(File::open(path).map_err(named)?.take(octets)),
    };
    file.read(into).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_one_after_the_other() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "in a file").unwrap();
        let piece = Piece::of_file(file.path()).unwrap();
        // Octets that are added to a file after its length was declared are not sent.
        std::fs::write(&file, "in a file, and more").unwrap();
        let octets = |text: &str| Piece::Octets(text.into());
        let pieces = Pieces::new(vec![octets("a "), octets(""), piece, octets(" b")]);
        assert_eq!((pieces.octets(), pieces.are_regular()), (Some(13), true));
        for _ in 0..2 {
            let mut text = String::new();
            pieces.reader().read_to_string(&mut text).unwrap();
            assert_eq!(text, "a in a file b");
        }
    }

    #[test]
    fn a_pipe_has_no_length() {
        let pieces = Pieces::new(vec![Piece::of_file(Path::new("/dev/null")).unwrap(), Piece::Octets(vec![1])]);
        assert_eq!((pieces.octets(), pieces.are_regular()), (None, false));
        let mut octets = Vec::new();
        pieces.reader().read_to_end(&mut octets).unwrap();
        assert_eq!(octets, [1]);
        assert!(Piece::of_file(Path::new("/")).unwrap_err().to_string().contains("a directory"));
        let gone = Pieces::new(vec![Piece::File { path: "/no/such".into(), octets: 1 }]);
        assert!(gone.reader().read(&mut [0]).unwrap_err().to_string().contains("/no/such"));
    }
}

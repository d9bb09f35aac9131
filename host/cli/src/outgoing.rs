//! The content of one request, or what standard input says into a tunnel, on its way.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sandpiper_host::types::{CloseReason, Error, Failure, FieldLine};
use sandpiper_host::{CallError, Client, Exchange, HostError};
use tokio::sync::mpsc;

use super::content::Content;
use super::pieces;
use super::standard::is_stdin;

/// Octets of one `write`: what a pipe or file gives at once.
pub(crate) const PIECE_OCTETS: usize = 65_536;
/// Pieces that one call of `advance` writes at most, so that other connections have their turn.
const PIECES_PER_TURN: usize = 16;
/// Pieces that wait between the thread that reads and the connection.
const PIECES_QUEUED: usize = 4;

/// Contents up to this size are handed over whole; longer ones piece by piece.
pub(crate) const WHOLE_OCTETS_MAX: usize = 65_536;

#[derive(Debug)]
enum Source {
    /// From here on in `Template::content`.
    Memory(usize),
    /// Regular files and octets, one after the other.
    Pieces(pieces::Reader),
    /// A thread reads it, since standard input can block for ever.
    Stream(mpsc::Receiver<io::Result<Vec<u8>>>),
}

#[derive(Debug)]
pub(crate) struct Outgoing {
    source: Source,
    piece: Vec<u8>,
    written: usize,
    /// The exchange has accepted octets of it.
    accepted: bool,
    done: bool,
    /// The exchange takes no more of it.
    refused: bool,
    /// Octets that the exchange has accepted.
    octets: u64,
}

/// What `advance` ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The content can go on when the exchange is writable.
    Blocked,
    /// The content can go on when the source has something.
    Starving,
    /// There is nothing more to send.
    Done,
}

/// Why a content cannot be sent.
#[derive(Debug)]
pub(crate) enum Trouble {
    Source(io::Error),
    /// The exchange has failed, or refuses what was to be sent and waits for something else.
    Failed(Failure),
    Host(HostError),
}

impl Outgoing {
    /// `None`: there is nothing to stream.
    pub(crate) fn of(content: &Content) -> io::Result<Option<Self>> {
        let source = match content {
            Content::None => return Ok(None),
            Content::Whole(octets) if octets.len() <= WHOLE_OCTETS_MAX => return Ok(None),
            Content::Whole(_) => Source::Memory(0),
            Content::Pieces(pieces) if pieces.are_regular() => Source::Pieces(pieces.reader()),
            Content::Pieces(pieces) => {
                let reader = pieces.reader();
                Source::Stream(in_thread(|sender| read_pieces(reader, &sender)))
            }
            Content::Stream(path) => Source::Stream(read_in_thread(path)),
        };
        Ok(Some(Self::new(source)))
    }

    /// For a tunnel.
    pub(crate) fn stdin() -> Self {
        Self::new(Source::Stream(read_in_thread(Path::new("-"))))
    }

    fn new(source: Source) -> Self {
        Self { source, piece: Vec::new(), written: 0, accepted: false, done: false, refused: false, octets: 0 }
    }

    /// Has the exchange accepted something that cannot be had again?
    pub(crate) fn is_spent(&self) -> bool {
        self.accepted && matches!(self.source, Source::Stream(_))
    }

    /// Has all of it, and its end, been handed over?
    pub(crate) fn is_finished(&self) -> bool {
        self.done && !self.refused
    }

    /// Has the server said that it does not want the rest?
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Octets of content that the exchange has accepted.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// For another exchange. A stream is read from its first octet on, before it is wanted: it must be carried over, with what waits in it.
    /// `None`: the source is opened anew.
    pub(crate) fn carried_over(self) -> Option<Self> {
        let carried = matches!(self.source, Source::Stream(_)) && !self.is_spent();
        carried.then_some(Self { done: false, refused: false, ..self })
    }

    /// Writes what can be written now, at most `budget` octets, of which it takes what it writes.
    pub(crate) async fn advance(
        &mut self,
        client: &mut Client,
        exchange: &Exchange,
        content: &Content,
        trailers: &[FieldLine],
        budget: &mut u64,
    ) -> Result<Sent, Trouble> {
        for _ in 0..PIECES_PER_TURN {
            if self.done {
                return Ok(Sent::Done);
            }
            if self.written == self.piece.len() && !self.next_piece(content).map_err(Trouble::Source)? {
                return Ok(Sent::Starving);
            }
            let written = if self.piece.is_empty() {
                self.done = true;
                exchange.finish(client, trailers).await.map(|()| 0)
            } else {
                let most = usize::try_from(*budget).unwrap_or(usize::MAX);
                if most == 0 {
                    break;
                }
                let end = self.piece.len().min(self.written.saturating_add(most));
                exchange.write(client, &self.piece[self.written..end]).await
            };
            match written {
                Ok(0) => break,
                Ok(octets) => {
                    self.accepted = true;
                    *budget = budget.saturating_sub(octets);
                    self.octets += octets;
                    self.written += usize::try_from(octets).unwrap_or(usize::MAX);
                }
                // The response can be read as usual.
                Err(CallError::Http(failure)) if is_unwanted(&failure) => (self.done, self.refused) = (true, true),
                // No wait reports a failure that a call has returned.
                Err(CallError::Http(failure)) => return Err(Trouble::Failed(failure)),
                Err(CallError::Host(error)) => return Err(Trouble::Host(error)),
            }
        }
        Ok(if self.done { Sent::Done } else { Sent::Blocked })
    }

    /// Takes the next piece from the source; an empty one is the end. False: nothing is there yet.
    fn next_piece(&mut self, content: &Content) -> io::Result<bool> {
        self.written = 0;
        self.piece.clear();
        match &mut self.source {
            Source::Memory(start) => {
                let Content::Whole(octets) = content else {
                    return Ok(true);
                };
                let end = octets.len().min(*start + PIECE_OCTETS);
                self.piece.extend_from_slice(&octets[*start..end]);
                *start = end;
            }
            Source::Pieces(reader) => {
                reader.take(PIECE_OCTETS as u64).read_to_end(&mut self.piece)?;
            }
            Source::Stream(pieces) => match pieces.try_recv() {
                Ok(piece) => self.piece = piece?,
                Err(mpsc::error::TryRecvError::Empty) => return Ok(false),
                Err(mpsc::error::TryRecvError::Disconnected) => {}
            },
        }
        Ok(true)
    }

    /// Waits until the source has something; it is taken by the next `advance`.
    pub(crate) async fn wait_for_source(&mut self) -> io::Result<()> {
        if let Source::Stream(pieces) = &mut self.source
            && let Some(piece) = pieces.recv().await
        {
            self.piece = piece?;
            self.written = 0;
        }
        Ok(())
    }
}

/// Does the server not want the rest?
pub(crate) fn is_unwanted(failure: &Failure) -> bool {
    failure.error == Error::Closed(CloseReason::EarlyResponse)
}

fn read_in_thread(path: &Path) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let path = path.to_owned();
    in_thread(move |sender| {
        if is_stdin(&path) {
            return read_pieces(io::stdin(), &sender);
        }
        // Opening a pipe waits for its writer.
        match File::open(&path) {
            Ok(file) => read_pieces(file, &sender),
            Err(error) => _ = sender.blocking_send(Err(error)),
        }
    })
}

/// The thread ends with what it reads, or when nobody wants more.
fn in_thread(read: impl FnOnce(mpsc::Sender<io::Result<Vec<u8>>>) + Send + 'static) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(PIECES_QUEUED);
    std::thread::spawn(move || read(sender));
    receiver
}

fn read_pieces(mut from: impl Read, to: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE_OCTETS];
        let read = match from.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if to.blocking_send(read).is_err() || failed {
            return;
        }
    }
}

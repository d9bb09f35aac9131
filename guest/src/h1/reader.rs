//! Responses in: heads, content by its framing, trailers (RFC 9112 §4, §6, §7).

use super::chunked::{ChunkDecoder, ChunkLimits, Decoded};
use super::framing::Framing;
use super::parse::{HeadLimits, HeadParser, TrailerParser};
use super::state::{ReadInput, ReadSide};
use crate::buffer::ReceiveBuffer;
use crate::incoming::Fault;
use crate::settings::Settings;
use crate::table::Illegal;
use crate::types::{Ending, Error, FieldLine, Misbehaviour, PackedHead};
use alloc::vec::Vec;

/// An empty line that some servers send behind a response is skipped this often (RFC 9112 §9.2 asks to discard such octets).
const EMPTY_LINES_MAX: usize = 8;

/// The end of the transport, behind what is in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportEnd {
    /// The end has not come.
    No,
    /// The end has come.
    Came(Ending),
    /// The end waits until the caller reads.
    Waits(Ending),
    /// The end has come before a request had left, and the consequence has been reported.
    Told(Ending),
}

/// The read side of one connection.
#[derive(Debug)]
pub(super) struct Reader {
    state: ReadSide,
    /// Octets that have not been taken.
    pub(super) inbox: ReceiveBuffer,
    /// Octets that have come.
    pub(super) received: u64,
    /// Whether no more come.
    pub(super) end: TransportEnd,
    /// How the content of the response is framed that is being received.
    pub(super) framing: Framing,
    /// Octets of length-framed content to come.
    pub(super) content_left: u64,
    heads: HeadParser,
    trailers: TrailerParser,
    chunks: ChunkDecoder,
    /// Empty lines let go behind the last response; none are before the first.
    empty_lines: usize,
}

/// The meaning of octets that nobody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsolicited {
    /// Nothing, as far as it can be told.
    Nothing,
    /// The announcement that the server has waited long enough.
    TimeOut,
}

/// A step in the content of a response.
#[derive(Debug)]
pub(super) enum Piece {
    /// More octets are needed.
    Partial,
    /// These octets.
    Content(Vec<u8>),
    /// Something that is no content was taken.
    Framing,
    /// The content is complete, and has no trailer section.
    End,
}

impl Reader {
    pub(super) fn new(settings: &Settings) -> Reader {
        Reader {
            state: ReadSide::Idle,
            inbox: ReceiveBuffer::default(),
            received: 0,
            end: TransportEnd::No,
            framing: Framing::None,
            content_left: 0,
            heads: HeadParser::default(),
            trailers: TrailerParser::default(),
            chunks: chunk_decoder(settings),
            empty_lines: EMPTY_LINES_MAX,
        }
    }

    #[inline]
    pub(super) fn state(&self) -> ReadSide {
        self.state
    }

    pub(super) fn input(&mut self, input: ReadInput) -> Result<(), Illegal> {
        self.state = self.state.next(input).ok_or_else(Illegal::step)?;
        Ok(())
    }

    /// The position behind the last octet that was taken.
    pub(super) fn position(&self) -> u64 {
        self.received.saturating_sub(self.inbox.len() as u64)
    }

    /// An exchange has its whole response.
    pub(super) fn allow_empty_lines(&mut self) {
        self.empty_lines = 0;
    }

    /// Octets with no response expected are wrong (RFC 9112 §9.2), unless they are an empty line behind a response, or the announcement of
    /// a time-out.
    pub(super) fn unsolicited(&mut self) -> Result<Unsolicited, Fault> {
        while self.empty_lines < EMPTY_LINES_MAX && self.inbox.octets().starts_with(b"\r\n") {
            self.inbox.consume(2);
            self.empty_lines += 1;
        }
        match self.inbox.octets() {
            [] => Ok(Unsolicited::Nothing),
            b"\r" if self.empty_lines < EMPTY_LINES_MAX => Ok(Unsolicited::Nothing),
            octets => match is_request_timeout(octets) {
                Some(true) => Ok(Unsolicited::TimeOut),
                Some(false) => Err(Fault { error: Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets), at: 1 }),
                None => Ok(Unsolicited::Nothing),
            },
        }
    }

    /// The head at the front, and its octets. They have not been taken yet.
    pub(super) fn head(&mut self, taken_before: usize, settings: &Settings) -> Result<Option<(PackedHead, usize)>, Fault> {
        let limits = HeadLimits {
            octets_max: settings.limits.head_octets_max.saturating_sub(taken_before),
            field_lines_max: settings.limits.field_lines_max,
        };
        self.heads.parse(self.inbox.octets(), &limits, settings.leniency)
    }

    /// The content of a response begins, with this framing.
    pub(super) fn begin_content(&mut self, framing: Framing, settings: &Settings) -> Result<(), Illegal> {
        self.framing = framing;
        self.content_left = if let Framing::Length(octets) = framing { octets } else { 0 };
        match framing {
            Framing::Tunnel => self.input(ReadInput::Switch),
            Framing::Chunked => {
                self.chunks = chunk_decoder(settings);
                self.input(ReadInput::Content)
            }
            Framing::None | Framing::Length(_) | Framing::UntilClose => self.input(ReadInput::Content),
        }
    }

    /// Whether the content that is expected is complete, by its length.
    #[inline]
    pub(super) fn has_ended_content(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(_)) && self.content_left == 0 && self.state == ReadSide::Content
    }

    /// Takes content, at most `room` octets.
    #[inline]
    pub(super) fn content(&mut self, room: usize) -> Result<Piece, Fault> {
        if self.has_ended_content() {
            return Ok(Piece::End);
        }
        let within = self.inbox.len().min(room);
        if within == 0 {
            return Ok(Piece::Partial);
        }
        match self.framing {
            Framing::Chunked => self.chunk(within),
            Framing::None | Framing::Length(_) => {
                let octets = within.min(usize::try_from(self.content_left).unwrap_or(usize::MAX));
                self.content_left -= octets as u64;
                Ok(Piece::Content(self.inbox.take(0..octets)))
            }
            Framing::UntilClose | Framing::Tunnel => Ok(Piece::Content(self.inbox.take(0..within))),
        }
    }

    #[inline]
    fn chunk(&mut self, within: usize) -> Result<Piece, Fault> {
        let octets = self.inbox.octets().get(..within).unwrap_or_default();
        let (consumed, decoded) = self.chunks.decode(octets)?;
        match decoded {
            Decoded::Partial => {
                self.inbox.consume(consumed);
                Ok(if consumed > 0 { Piece::Framing } else { Piece::Partial })
            }
            Decoded::Data(range) => Ok(Piece::Content(self.inbox.take(range))),
            Decoded::Trailers => {
                self.inbox.consume(consumed);
                match self.input(ReadInput::Trailers) {
                    Ok(()) => Ok(Piece::Framing),
                    Err(Illegal) => Err(Fault { error: Error::Internal, at: 0 }),
                }
            }
        }
    }

    /// Takes the trailer section.
    pub(super) fn trailers(&mut self, settings: &Settings) -> Result<Option<Vec<FieldLine>>, Fault> {
        let limits =
            HeadLimits { octets_max: settings.limits.trailer_octets_max, field_lines_max: settings.limits.field_lines_max };
        let parsed = self.trailers.parse(self.inbox.octets(), &limits, settings.leniency)?;
        Ok(parsed.map(|(trailers, octets)| {
            self.inbox.consume(octets);
            trailers
        }))
    }

    /// Whether octets that might have become a status line are, now that nothing follows, the content of an HTTP/0.9 response.
    pub(super) fn is_http09_beginning(&self) -> bool {
        let octets = self.inbox.octets();
        !octets.is_empty() && b"HTTP/".starts_with(octets)
    }
}

fn chunk_decoder(settings: &Settings) -> ChunkDecoder {
    let limits = ChunkLimits { extension_octets_max: settings.limits.chunk_extension_octets_max };
    ChunkDecoder::new(limits, settings.leniency)
}

/// Whether octets begin with the status line of 408 (Request Timeout), which a server may send on an idle connection before it closes
/// it (RFC 9110 §15.5.9); `None`: that cannot be told yet.
fn is_request_timeout(octets: &[u8]) -> Option<bool> {
    let decided = ["HTTP/1.1 408 ", "HTTP/1.0 408 "].map(|line| {
        let compared = octets.len().min(line.len());
        octets.get(..compared) == line.as_bytes().get(..compared)
    });
    if !decided.contains(&true) {
        Some(false)
    } else if octets.len() >= "HTTP/1.1 408 ".len() {
        Some(true)
    } else {
        None
    }
}

//! Reading the chunked transfer coding (RFC 9112 §7.1).
//!
//! ```abnf
//! chunked-body = *chunk last-chunk trailer-section CRLF
//! chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-size   = 1*HEXDIG
//! last-chunk   = 1*("0") [ chunk-ext ] CRLF
//! chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//! chunk-ext-name = token
//! chunk-ext-val  = token / quoted-string
//! ```
//!
//! # Theory of operation
//!
//! One state for each place in the grammar, one octet at a time, by a table of states × octet classes; only the data of a chunk
//! is passed on in one piece. The trailer section is not read here.
//!
//! Nobody uses chunk extensions, but recipients that read them differently do not agree where a chunk starts. So their grammar is
//! checked to the last octet, and they are thrown away. What a peer can make us read beside the content is bounded: the
//! extensions by a limit over the whole content, and all other framing by 20 octets for each chunk of at least one (16 digits and
//! two CRLF).

use core::ops::Range;

use crate::abnf::{hex_digit, is_field_value_octet, is_tchar};
use crate::h1::parse::Fault;
use crate::types::{Error, Leniency, Limit, Misbehaviour};

/// Digits of a chunk size, leading zeros among them: 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;
/// The largest chunk, 2^63-1 octets.
const SIZE_MAX: u64 = i64::MAX.cast_unsigned();

/// Limits of one content.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// Octets of chunk extensions, with the whitespace around them, over the whole content.
    pub extension_octets_max: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// No content; more octets are needed.
    Partial,
    /// Content: this part of the given octets, at least one octet.
    Data(Range<usize>),
    /// The line of the last chunk was taken: what follows is the trailer section. Every later call gives it again.
    Trailers,
}

/// Removes the chunked transfer coding of one content.
#[derive(Debug)]
pub struct ChunkDecoder {
    state: State,
    limits: ChunkLimits,
    leniency: Leniency,
    /// Of the chunk size that is being read: its digits so far, and their value.
    digits: u8,
    size: u64,
    /// Octets of the current chunk's data that have not come yet.
    data_left: u64,
    extension_octets: usize,
    /// What has failed stays failed.
    failed: Option<Error>,
}

impl ChunkDecoder {
    /// At the first octet behind a head.
    pub fn new(limits: ChunkLimits, leniency: Leniency) -> ChunkDecoder {
        ChunkDecoder { state: State::Size, limits, leniency, digits: 0, size: 0, data_left: 0, extension_octets: 0, failed: None }
    }

    /// Takes octets from the front up to and with the next run of content, as long as it is there. Gives how many were taken, and
    /// what they are. What was not taken is given again, with more behind it.
    ///
    /// # Errors
    /// - `peer-misbehaved`: `invalid-chunk-size`, `invalid-chunk-extension`, `invalid-chunk-end`.
    /// - `limit-exceeded(chunk-extension-octets)`.
    ///
    /// After an error every call repeats it.
    ///
    /// # Sources
    /// RFC 9112 §7.1.
    pub fn decode(&mut self, octets: &[u8]) -> Result<(usize, Decoded), Fault> {
        if let Some(error) = self.failed {
            return Err(Fault { error, at: 0 });
        }
        let mut at = 0;
        loop {
            let Some(row) = NEXT.get(self.state as usize) else { return Ok(self.behind_framing(at, octets.len())) };
            let Some(&octet) = octets.get(at) else {
                return Ok((at, Decoded::Partial));
            };
            at += 1;
            if let Err(error) = self.step(row, octet) {
                self.failed = Some(error);
                return Err(Fault { error, at });
            }
        }
    }

    /// What stands where the table ends: data, of which octets up to `end` are there, or the trailer section.
    fn behind_framing(&mut self, at: usize, end: usize) -> (usize, Decoded) {
        if self.state == State::Trailers {
            return (at, Decoded::Trailers);
        }
        if at == end {
            return (at, Decoded::Partial);
        }
        let end = at + self.take_data(end - at);
        (end, Decoded::Data(at..end))
    }

    /// How many of the octets that are there belong to the chunk.
    fn take_data(&mut self, there: usize) -> usize {
        let taken = usize::try_from(self.data_left).map_or(there, |left| left.min(there));
        self.data_left = self.data_left.saturating_sub(taken as u64);
        if self.data_left == 0 {
            self.state = State::DataCr;
        }
        taken
    }

    fn step(&mut self, row: &[Step; CLASS_COUNT], octet: u8) -> Result<(), Error> {
        let class = CLASSES[usize::from(octet)];
        match row[class as usize] {
            Step::To(state) => self.state = state,
            Step::Digit => self.digit(octet)?,
            Step::SpaceEnd => {
                let tolerated = Leniency::SPACE_AFTER_CHUNK_SIZE;
                if self.leniency & tolerated != tolerated {
                    return Err(Error::PeerMisbehaved(Misbehaviour::InvalidChunkSize));
                }
                self.state = State::SizeLf;
            }
            Step::EndSize => {
                self.data_left = self.size;
                self.state = if self.size == 0 { State::Trailers } else { State::Data };
                (self.digits, self.size) = (0, 0);
            }
            Step::Refuse(why) => return Err(Error::PeerMisbehaved(why)),
        }
        if self.state.is_extension() {
            self.extension_octets += 1;
            if self.extension_octets > self.limits.extension_octets_max {
                return Err(Error::LimitExceeded(Limit::ChunkExtensionOctets));
            }
        }
        Ok(())
    }

    fn digit(&mut self, octet: u8) -> Result<(), Error> {
        self.digits += 1;
        // 16 digits are 64 bits: nothing is shifted out before the count is refused.
        self.size = (self.size << 4) | u64::from(hex_digit(octet).unwrap_or_default());
        if self.digits > SIZE_DIGITS_MAX || self.size > SIZE_MAX {
            return Err(Error::PeerMisbehaved(Misbehaviour::InvalidChunkSize));
        }
        self.state = State::SizeMore;
        Ok(())
    }
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first digit of a chunk size.
    Size,
    /// More digits, an extension, or the end of the line.
    SizeMore,
    /// An extension, behind whitespace.
    SizeSpace,
    /// The name of an extension, perhaps behind whitespace.
    NameStart,
    /// More of a name, a value, another extension, or the end of the line.
    Name,
    /// A value or another extension, behind whitespace.
    NameSpace,
    /// A value, perhaps behind whitespace.
    ValueStart,
    /// More of a token, another extension, or the end of the line.
    Value,
    /// More of a quoted string.
    Quoted,
    /// The octet behind a backslash.
    Escaped,
    /// Another extension or the end of the line, behind a quoted string.
    QuotedEnd,
    /// Another extension, behind whitespace.
    ValueSpace,
    /// LF of a line without an extension.
    SizeLf,
    /// LF of a line with one.
    ExtensionLf,
    /// CR behind the data of a chunk.
    DataCr,
    /// LF behind it.
    DataLf,
    /// Data. Not in the table: every octet is taken as it is.
    Data,
    /// Nothing more: the trailer section is read elsewhere. Not in the table.
    Trailers,
}

impl State {
    /// Was the octet that led here one of an extension, or of the whitespace around it?
    fn is_extension(self) -> bool {
        (State::SizeSpace as u8..=State::ValueSpace as u8).contains(&(self as u8))
    }
}

/// The octet classes of the table.
#[derive(Clone, Copy, Debug)]
enum Class {
    /// `HEXDIG`; a `tchar` too.
    Hex,
    /// Other `tchar`.
    Tchar,
    /// SP and HTAB.
    Space,
    Semicolon,
    Equals,
    Quote,
    Backslash,
    /// What else may stand in a quoted string: other `VCHAR`, and `obs-text`.
    Text,
    Cr,
    Lf,
    Control,
}

const CLASS_COUNT: usize = Class::Control as usize + 1;

/// What an octet does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Is taken; this is expected next.
    To(State),
    /// Is a digit of the chunk size.
    Digit,
    /// Is the CR behind whitespace behind the chunk size.
    SpaceEnd,
    /// Ends the line: data follows, or the trailer section.
    EndSize,
    /// Is refused.
    Refuse(Misbehaviour),
}

/// What an octet of a [`Class`] does in a [`State`].
#[rustfmt::skip]
static NEXT: [[Step; CLASS_COUNT]; 16] = {
    use Misbehaviour::{InvalidChunkEnd, InvalidChunkExtension, InvalidChunkSize};
    use Step::{Digit, EndSize, Refuse, SpaceEnd, To};
    const SIZ: Step = Refuse(InvalidChunkSize);
    const EXT: Step = Refuse(InvalidChunkExtension);
    const END: Step = Refuse(InvalidChunkEnd);
    const SSP: Step = To(State::SizeSpace);
    const NST: Step = To(State::NameStart);
    const NAM: Step = To(State::Name);
    const NSP: Step = To(State::NameSpace);
    const VST: Step = To(State::ValueStart);
    const VAL: Step = To(State::Value);
    const VSP: Step = To(State::ValueSpace);
    const QUO: Step = To(State::Quoted);
    const ESC: Step = To(State::Escaped);
    const QEN: Step = To(State::QuotedEnd);
    const SLF: Step = To(State::SizeLf);
    const ELF: Step = To(State::ExtensionLf);
    const DLF: Step = To(State::DataLf);
    const NXT: Step = To(State::Size);
    [
//                    Hex    Tchar  Space  ;      =      "      \      Text   Cr        Lf       Control
/* Size        */    [Digit, SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,      SIZ,     SIZ],
/* SizeMore    */    [Digit, SIZ,   SSP,   NST,   SIZ,   SIZ,   SIZ,   SIZ,   SLF,      SIZ,     SIZ],
/* SizeSpace   */    [SIZ,   SIZ,   SSP,   NST,   SIZ,   SIZ,   SIZ,   SIZ,   SpaceEnd, SIZ,     SIZ],
/* NameStart   */    [NAM,   NAM,   NST,   EXT,   EXT,   EXT,   EXT,   EXT,   EXT,      EXT,     EXT],
/* Name        */    [NAM,   NAM,   NSP,   NST,   VST,   EXT,   EXT,   EXT,   ELF,      EXT,     EXT],
/* NameSpace   */    [EXT,   EXT,   NSP,   NST,   VST,   EXT,   EXT,   EXT,   EXT,      EXT,     EXT],
/* ValueStart  */    [VAL,   VAL,   VST,   EXT,   EXT,   QUO,   EXT,   EXT,   EXT,      EXT,     EXT],
/* Value       */    [VAL,   VAL,   VSP,   NST,   EXT,   EXT,   EXT,   EXT,   ELF,      EXT,     EXT],
/* Quoted      */    [QUO,   QUO,   QUO,   QUO,   QUO,   QEN,   ESC,   QUO,   EXT,      EXT,     EXT],
/* Escaped     */    [QUO,   QUO,   QUO,   QUO,   QUO,   QUO,   QUO,   QUO,   EXT,      EXT,     EXT],
/* QuotedEnd   */    [EXT,   EXT,   VSP,   NST,   EXT,   EXT,   EXT,   EXT,   ELF,      EXT,     EXT],
/* ValueSpace  */    [EXT,   EXT,   VSP,   NST,   EXT,   EXT,   EXT,   EXT,   EXT,      EXT,     EXT],
/* SizeLf      */    [SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,   SIZ,      EndSize, SIZ],
/* ExtensionLf */    [EXT,   EXT,   EXT,   EXT,   EXT,   EXT,   EXT,   EXT,   EXT,      EndSize, EXT],
/* DataCr      */    [END,   END,   END,   END,   END,   END,   END,   END,   DLF,      END,     END],
/* DataLf      */    [END,   END,   END,   END,   END,   END,   END,   END,   END,      NXT,     END],
    ]
};

/// The class of every octet.
static CLASSES: [Class; 256] = {
    let mut classes = [Class::Control; 256];
    let mut octet = 0_u8;
    loop {
        classes[octet as usize] = class_of(octet);
        if octet == u8::MAX {
            break classes;
        }
        octet += 1;
    }
};

const fn class_of(octet: u8) -> Class {
    match octet {
        b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => Class::Hex,
        b' ' | b'\t' => Class::Space,
        b';' => Class::Semicolon,
        b'=' => Class::Equals,
        b'"' => Class::Quote,
        b'\\' => Class::Backslash,
        b'\r' => Class::Cr,
        b'\n' => Class::Lf,
        _ if is_tchar(octet) => Class::Tchar,
        _ if is_field_value_octet(octet) => Class::Text,
        _ => Class::Control,
    }
}

#[cfg(test)]
mod tests;

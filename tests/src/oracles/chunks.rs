//! The chunked coding, decoded by two decoders: ours, octet by octet in any pieces, and one that follows the grammar of RFC 9112 §7.1 over the
//! whole.

use crate::choices::Choices;
use sandpiper_guest::h1::chunked::{ChunkDecoder, ChunkLimits, Decoded};
use sandpiper_guest::types::Leniency;

/// What came of some octets.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// More are needed.
    Partial,
    /// The line of the last chunk ends here.
    Done(usize),
    /// The octet before this one is wrong.
    Wrong(usize),
}

/// Decodes octets both ways.
///
/// # Panics
/// When the decoders do not agree.
pub fn check(octets: &[u8]) {
    let mut choices = Choices::given(octets);
    let tolerates_space = choices.chance(1, 2);
    let extension_octets_max = *choices.pick(&[16_384, 0, 1, 10]);
    let piece_octets = *choices.pick(&[usize::MAX, 1, 2, 3, 7]);
    let coded = choices.rest().to_vec();
    let mut by_grammar =
        Grammar { octets: &coded, at: 0, tolerates_space, extension_left: extension_octets_max, content: Vec::new() };
    let end = match by_grammar.chunks() {
        Ok(()) => End::Done(by_grammar.at),
        Err(Stop::More) => End::Partial,
        Err(Stop::Wrong) => End::Wrong(by_grammar.at),
    };
    let leniency = if tolerates_space { Leniency::SPACE_AFTER_CHUNK_SIZE } else { Leniency::empty() };
    let decoder = || ChunkDecoder::new(ChunkLimits { extension_octets_max }, leniency);
    for piece_octets in [usize::MAX, piece_octets] {
        let (found, content) = decode(decoder(), &coded, piece_octets);
        assert_eq!(found, end, "pieces of {piece_octets}: {}", coded.escape_ascii());
        assert_eq!(content, by_grammar.content, "pieces of {piece_octets}: {}", coded.escape_ascii());
    }
}

/// Ours, given pieces; what it leaves of one is given again with the next.
fn decode(mut decoder: ChunkDecoder, octets: &[u8], piece_octets: usize) -> (End, Vec<u8>) {
    let mut content = Vec::new();
    let (mut at, mut given) = (0, 0);
    loop {
        match decoder.decode(&octets[at..given]) {
            Err(fault) => {
                assert!(decoder.decode(b"0\r\n").is_err(), "what has failed stays failed");
                return (End::Wrong(at + fault.at), content);
            }
            Ok((taken, Decoded::Data(range))) => {
                assert!(!range.is_empty() && range.end <= taken);
                content.extend_from_slice(&octets[at + range.start..at + range.end]);
                at += taken;
            }
            Ok((taken, Decoded::Trailers)) => return (End::Done(at + taken), content),
            Ok((taken, Decoded::Partial)) => {
                at += taken;
                if given == octets.len() {
                    return (End::Partial, content);
                }
                given = given.saturating_add(piece_octets).min(octets.len());
            }
        }
    }
}

/// Why the grammar cannot be followed further.
enum Stop {
    More,
    Wrong,
}

/// Follows the grammar.
struct Grammar<'a> {
    octets: &'a [u8],
    at: usize,
    tolerates_space: bool,
    extension_left: usize,
    content: Vec<u8>,
}

impl Grammar<'_> {
    fn peek(&self) -> Result<u8, Stop> {
        self.octets.get(self.at).copied().ok_or(Stop::More)
    }

    fn wrong<T>(&mut self) -> Result<T, Stop> {
        self.at += 1;
        Err(Stop::Wrong)
    }

    fn expect(&mut self, octet: u8) -> Result<(), Stop> {
        if self.peek()? != octet {
            return self.wrong();
        }
        self.at += 1;
        Ok(())
    }

    /// `*chunk last-chunk`
    fn chunks(&mut self) -> Result<(), Stop> {
        loop {
            let size = self.size()?;
            self.end_of_line()?;
            if size == 0 {
                return Ok(());
            }
            let there = self.octets.len() - self.at;
            let taken = usize::try_from(size).map_or(there, |size| size.min(there));
            self.content.extend_from_slice(&self.octets[self.at..self.at + taken]);
            self.at += taken;
            self.expect(b'\r')?;
            self.expect(b'\n')?;
        }
    }

    /// `1*HEXDIG`, at most 16 of them, below 2^63.
    fn size(&mut self) -> Result<u128, Stop> {
        let first = self.at;
        let mut size = 0;
        while let Some(digit) = char::from(self.peek()?).to_digit(16) {
            self.at += 1;
            size = size * 16 + u128::from(digit);
            if self.at - first > 16 || size >= 1 << 63 {
                return Err(Stop::Wrong);
            }
        }
        if self.at == first { self.wrong() } else { Ok(size) }
    }

    /// `[ chunk-ext ] CRLF`
    fn end_of_line(&mut self) -> Result<(), Stop> {
        let spaces = self.spaces()?;
        if self.peek()? == b';' {
            self.extensions()?;
        } else if spaces && !self.tolerates_space {
            return self.wrong();
        }
        self.expect(b'\r')?;
        self.expect(b'\n')
    }

    /// An octet of an extension, or around it.
    fn extension_octet(&mut self) -> Result<(), Stop> {
        self.at += 1;
        self.extension_left = self.extension_left.checked_sub(1).ok_or(Stop::Wrong)?;
        Ok(())
    }

    /// `BWS`
    fn spaces(&mut self) -> Result<bool, Stop> {
        let first = self.at;
        while matches!(self.peek()?, b' ' | b'\t') {
            self.extension_octet()?;
        }
        Ok(self.at > first)
    }

    /// `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`, from a semicolon on.
    fn extensions(&mut self) -> Result<(), Stop> {
        loop {
            self.extension_octet()?;
            self.spaces()?;
            self.token()?;
            let mut spaces = self.spaces()?;
            if self.peek()? == b'=' {
                self.extension_octet()?;
                self.spaces()?;
                if self.peek()? == b'"' {
                    self.quoted()?;
                } else {
                    self.token()?;
                }
                spaces = self.spaces()?;
            }
            match self.peek()? {
                b';' => {}
                b'\r' if !spaces => return Ok(()),
                _ => return self.wrong(),
            }
        }
    }

    fn token(&mut self) -> Result<(), Stop> {
        let first = self.at;
        while self.peek()?.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&self.peek()?) {
            self.extension_octet()?;
        }
        if self.at == first { self.wrong() } else { Ok(()) }
    }

    /// `DQUOTE *( qdtext / quoted-pair ) DQUOTE`
    fn quoted(&mut self) -> Result<(), Stop> {
        self.extension_octet()?;
        let text = |octet: u8| octet == b'\t' || (octet >= b' ' && octet != 0x7f);
        loop {
            match self.peek()? {
                b'"' => return self.extension_octet(),
                b'\\' => {
                    self.extension_octet()?;
                    if !text(self.peek()?) {
                        return self.wrong();
                    }
                }
                octet if !text(octet) => return self.wrong(),
                _ => {}
            }
            self.extension_octet()?;
        }
    }
}

//! Octets of a server on their way to a terminal.
//!
//! A terminal obeys control characters: with them, a server could change its title, its keys and what stands on it. So they are written as text.

use std::borrow::Cow;

/// Where a NUL says that content is no text, as in curl.
const LOOKED_AT_OCTETS: u64 = 2000;
/// A character has at most so many octets.
const CHARACTER_OCTETS_MAX: usize = 4;

/// Escapes control characters, also those whose octets come apart.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    /// The beginning of a character, or of a line end.
    held: Vec<u8>,
    has_escaped: bool,
}

impl Terminal {
    /// Does content that begins so, after so many octets of it, hold a NUL?
    pub(crate) fn is_binary(content: &[u8], before: u64) -> bool {
        let rest = usize::try_from(LOOKED_AT_OCTETS.saturating_sub(before)).unwrap_or(usize::MAX);
        content.iter().take(rest).any(|&octet| octet == 0)
    }

    /// The text that can be shown now.
    pub(crate) fn escape<'a>(&mut self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        let is_plain = |octet: &u8| matches!(octet, b'\n' | b'\t' | b' '..=b'~');
        if self.held.is_empty() && octets.iter().all(is_plain) {
            return Cow::Borrowed(octets);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(octets);
        let complete = all.len() - incomplete(&all);
        self.held = all.split_off(complete);
        Cow::Owned(self.shown(&all))
    }

    /// The text that was held back; nothing follows.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.shown(&held)
    }

    pub(crate) fn has_escaped(&self) -> bool {
        self.has_escaped
    }

    fn shown(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(octets.len());
        for chunk in octets.utf8_chunks() {
            let mut characters = chunk.valid().chars().peekable();
            while let Some(character) = characters.next() {
                let ends_line = character == '\r' && characters.peek() == Some(&'\n');
                if character.is_control() && !matches!(character, '\n' | '\t') && !ends_line {
                    self.has_escaped = true;
                    shown.extend(character.escape_default().map(|escaped| escaped as u8));
                } else {
                    shown.extend_from_slice(character.encode_utf8(&mut [0; CHARACTER_OCTETS_MAX]).as_bytes());
                }
            }
            // On a terminal that does not speak UTF-8, 0x80 to 0x9f are control characters.
            for &octet in chunk.invalid() {
                if (0x80..0xa0).contains(&octet) {
                    self.has_escaped = true;
                    shown.extend(octet.escape_ascii());
                } else {
                    shown.push(octet);
                }
            }
        }
        shown
    }
}

/// How many octets at the end can be understood only with what follows.
fn incomplete(octets: &[u8]) -> usize {
    if octets.ends_with(b"\r") {
        return 1;
    }
    let start = octets.len().saturating_sub(CHARACTER_OCTETS_MAX - 1);
    let lead = octets[start..].iter().rposition(|&octet| octet >= 0xc0).map(|place| &octets[start + place..]);
    let needed = match lead.and_then(|lead| lead.first()) {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 0,
    };
    lead.map(<[u8]>::len).filter(|&length| length < needed).unwrap_or(0)
}

/// A text of a server among text of this program.
pub(crate) fn shown(text: &[u8]) -> Vec<u8> {
    Terminal::default().shown(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At every cut.
    #[track_caller]
    fn shows(octets: &[u8], expected: &[u8]) {
        for cut in 0..=octets.len() {
            let mut terminal = Terminal::default();
            let mut shown = terminal.escape(&octets[..cut]).into_owned();
            shown.extend_from_slice(&terminal.escape(&octets[cut..]));
            shown.extend_from_slice(&terminal.finish());
            assert_eq!(shown, expected, "cut at {cut}");
            assert_eq!(terminal.has_escaped(), octets != expected);
        }
    }

    #[test]
    fn text_stays_as_it_is() {
        shows("a\tb\r\nc\n".as_bytes(), "a\tb\r\nc\n".as_bytes());
        shows("äß€😀".as_bytes(), "äß€😀".as_bytes());
        shows(b"Latin-1: \xe4\xf6\xfc", b"Latin-1: \xe4\xf6\xfc");
        shows(b"\xf0\x9f", b"\xf0\\x9f");
    }

    #[test]
    fn control_characters_are_written_out() {
        shows(b"\x1b]0;pwned\x07", b"\\u{1b}]0;pwned\\u{7}");
        shows(b"a\rb\x08\x7f", b"a\\rb\\u{8}\\u{7f}");
        shows("\u{9b}31m".as_bytes(), b"\\u{9b}31m");
        shows(b"\x9b31m", b"\\x9b31m");
        shows(b"end\r", b"end\\r");
    }

    #[test]
    fn a_nul_at_the_beginning_is_binary() {
        assert!(Terminal::is_binary(b"\x7fELF\0", 0) && Terminal::is_binary(b"\0", 1999));
        assert!(!Terminal::is_binary(b"text", 0) && !Terminal::is_binary(b"\0", 2000));
    }
}

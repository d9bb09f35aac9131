//! The exact reader of heads and trailer sections: octet by octet, by the table of [`super::table`].

use alloc::vec::Vec;
use core::ops::Range;

use super::table::{CLASSES, Class, NEXT, State, Step, status_line_step};
use super::{CRLF, Fault, HeadLimits};
use crate::abnf::{is_ows, is_same_name, trim_ows};
use crate::types::{Error, Incompatibility, Leniency, Limit, Misbehaviour};

/// What stands before the current line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    /// No field line yet.
    #[default]
    Nothing,
    /// A field line.
    Field,
    /// A field line that frames the message.
    Framing,
    /// A line that was left out.
    Skipped,
}

/// A place in a head or trailer section. Offsets count from the first octet of the section.
#[derive(Debug)]
pub(super) struct Scan {
    state: State,
    leniency: Leniency,
    /// Octets looked at.
    at: usize,
    /// Of the current line: its first octet, the end of its name, the start of its value.
    line_start: usize,
    name_end: usize,
    value_start: usize,
    /// Of the current line: does its name frame the message, does it continue the line before, does it end in LF alone?
    framing: bool,
    folded: bool,
    bare: bool,
    before: Before,
    /// Field lines so far, with those that are left out.
    lines: usize,
    status_line: Range<usize>,
    fields_start: usize,
    /// With a leniency: the field lines so far in strict form.
    strict: Vec<u8>,
    /// Where the last of them starts.
    strict_line: usize,
    /// How many octets were looked at.
    #[cfg(test)]
    pub(super) work: usize,
}

impl Scan {
    /// At the first octet of a status line.
    pub(super) fn of_head(leniency: Leniency) -> Scan {
        Scan::from(State::StatusLine, leniency)
    }

    /// At the first octet of a trailer section.
    pub(super) fn of_trailers(leniency: Leniency) -> Scan {
        Scan::from(State::Start, leniency)
    }

    fn from(state: State, leniency: Leniency) -> Scan {
        Scan {
            state,
            leniency,
            at: 0,
            line_start: 0,
            name_end: 0,
            value_start: 0,
            framing: false,
            folded: false,
            bare: false,
            before: Before::Nothing,
            lines: 0,
            status_line: 0..0,
            fields_start: 0,
            strict: Vec::new(),
            strict_line: 0,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Looks at the octets that were not seen yet. `Some`: the section is complete and has that many octets.
    pub(super) fn run(&mut self, octets: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Fault> {
        while let Some(&octet) = octets.get(self.at) {
            if self.at >= limits.octets_max {
                return Err(self.fault(Error::LimitExceeded(Limit::HeadOctets)));
            }
            #[cfg(test)]
            {
                self.work += 1;
            }
            let step = self.step_for(octet);
            let ended = self.take(step, octets).map_err(|error| self.fault(error))?;
            if self.lines > limits.field_lines_max {
                return Err(self.fault(Error::LimitExceeded(Limit::FieldLines)));
            }
            self.at += 1;
            if ended {
                return Ok(Some(self.at));
            }
        }
        Ok(None)
    }

    /// Of a complete head: its status line, without the line end.
    pub(super) fn status_line<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        octets.get(self.status_line.clone()).unwrap_or_default()
    }

    /// Of a complete section: its field lines in strict form, with the empty line behind them.
    pub(super) fn field_lines<'a>(&'a self, octets: &'a [u8]) -> &'a [u8] {
        if self.leniency == Leniency::empty() { octets.get(self.fields_start..self.at).unwrap_or_default() } else { &self.strict }
    }

    /// How many they are at most.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    fn fault(&self, error: Error) -> Fault {
        Fault { error, at: self.at + 1 }
    }

    fn tolerates(&self, leniency: Leniency) -> bool {
        self.leniency & leniency == leniency
    }

    fn step_for(&self, octet: u8) -> Step {
        let class = CLASSES[usize::from(octet)];
        match NEXT.get(self.state as usize) {
            Some(row) => row[class as usize],
            None if self.at == 0 && self.tolerates(Leniency::LEADING_EMPTY_LINE) => match class {
                Class::Cr => Step::To(State::LeadingLf),
                Class::Lf if self.tolerates(Leniency::BARE_LF) => Step::EndLeading,
                _ => status_line_step(0, octet),
            },
            None => status_line_step(self.at - self.line_start, octet),
        }
    }

    /// Does what the table says. `true`: the section is complete.
    fn take(&mut self, step: Step, octets: &[u8]) -> Result<bool, Error> {
        match step {
            Step::To(state) => self.state = state,
            Step::Line => {
                self.lines += 1;
                self.state = State::Name;
            }
            Step::Fold => self.fold()?,
            Step::Space => self.space(octets)?,
            Step::Colon => self.colon(octets),
            Step::Invalid(state) => self.invalid(state)?,
            Step::Refuse(why) => return Err(Error::PeerMisbehaved(why)),
            Step::Version => return Err(Error::PeerIncompatible(Incompatibility::Version)),
            Step::BareLf => return self.bare_lf(octets),
            Step::EndLeading => self.next_line(State::StatusLine),
            Step::EndStatusLine => {
                self.status_line = self.line_start..self.line_end();
                self.fields_start = self.at + 1;
                self.next_line(State::Start);
            }
            Step::EndLine => self.end_line(octets)?,
            Step::EndSkipped => self.end_skipped(octets)?,
            Step::EndSection => {
                if self.leniency != Leniency::empty() {
                    self.strict.extend_from_slice(CRLF);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// LF without CR is refused, or does what CRLF does. The steps of CR, and of LF behind CR, are never this one: it is not
    /// called from itself.
    fn bare_lf(&mut self, octets: &[u8]) -> Result<bool, Error> {
        if !self.tolerates(Leniency::BARE_LF) {
            return refuse(Misbehaviour::InvalidLineEnding);
        }
        self.bare = true;
        self.take(self.step_for(b'\r'), octets)?;
        self.take(self.step_for(b'\n'), octets)
    }

    /// Whitespace begins a line. Behind a field line it continues that line (RFC 9112 §5.2), but never one that frames the
    /// message; behind the status line it is nothing (RFC 9112 §2.2).
    fn fold(&mut self) -> Result<(), Error> {
        match self.before {
            Before::Nothing => return self.invalid(State::Skip),
            Before::Field if self.tolerates(Leniency::LINE_FOLDING) => {
                self.folded = true;
                self.state = State::Value;
            }
            Before::Skipped if self.tolerates(Leniency::LINE_FOLDING) => self.state = State::Skip,
            _ => return refuse(Misbehaviour::LineFolding),
        }
        Ok(())
    }

    /// Whitespace ends a field name (RFC 9112 §5.1).
    fn space(&mut self, octets: &[u8]) -> Result<(), Error> {
        let name = octets.get(self.line_start..self.at).unwrap_or_default();
        if !self.tolerates(Leniency::SPACE_BEFORE_COLON) || is_framing(name) {
            return self.invalid(State::Skip);
        }
        self.name_end = self.at;
        self.framing = false;
        self.state = State::Colon;
        Ok(())
    }

    fn colon(&mut self, octets: &[u8]) {
        if self.state == State::Name {
            let name = octets.get(self.line_start..self.at).unwrap_or_default();
            self.name_end = self.at;
            // `Connection` decides what becomes of the connection: it is not unfolded either.
            self.framing = is_framing(name) || is_same_name(name, b"connection");
        }
        self.value_start = self.at + 1;
        self.state = State::Value;
    }

    /// This line is no field line: it is refused, or left out up to its end.
    fn invalid(&mut self, next: State) -> Result<(), Error> {
        if !self.tolerates(Leniency::SKIP_INVALID_LINES) {
            return refuse(match self.state {
                State::Value => Misbehaviour::InvalidFieldValue,
                _ => Misbehaviour::InvalidFieldLine,
            });
        }
        if self.state == State::Start {
            self.lines += 1;
        }
        if self.folded {
            // With the line that it continues.
            self.strict.truncate(self.strict_line);
        }
        self.state = next;
        Ok(())
    }

    fn end_line(&mut self, octets: &[u8]) -> Result<(), Error> {
        if self.leniency != Leniency::empty() {
            self.write_strict(octets);
        }
        if !self.folded {
            self.before = if self.framing { Before::Framing } else { Before::Field };
        }
        self.next_line(State::Start);
        Ok(())
    }

    /// What is left out must not have been meant to frame the message: then two recipients would read two messages.
    fn end_skipped(&mut self, octets: &[u8]) -> Result<(), Error> {
        let line = octets.get(self.line_start..self.line_end()).unwrap_or_default();
        if mentions_framing(line) {
            return refuse(Misbehaviour::InvalidFieldLine);
        }
        let indented = line.first().copied().is_some_and(is_ows);
        if self.before != Before::Nothing || !indented {
            self.before = Before::Skipped;
        }
        self.next_line(State::Start);
        Ok(())
    }

    /// Where the current line ends, without its CRLF or LF.
    fn line_end(&self) -> usize {
        if self.bare { self.at } else { self.at.saturating_sub(1) }
    }

    fn next_line(&mut self, state: State) {
        self.state = state;
        self.line_start = self.at + 1;
        self.framing = false;
        self.folded = false;
        self.bare = false;
    }

    /// Appends the current line in strict form: a continuation is joined by one SP (RFC 9112 §5.2). A line that is strict stays as it is.
    fn write_strict(&mut self, octets: &[u8]) {
        let end = self.line_end();
        let part = |range| octets.get(range).unwrap_or_default();
        if self.folded {
            while self.strict.pop_if(|last| is_ows(*last) || CRLF.contains(last)).is_some() {}
            self.strict.push(b' ');
            self.strict.extend_from_slice(trim_ows(part(self.line_start..end)));
        } else {
            self.strict_line = self.strict.len();
            self.strict.extend_from_slice(part(self.line_start..self.name_end));
            self.strict.extend_from_slice(part(self.value_start.saturating_sub(1)..end));
        }
        self.strict.extend_from_slice(CRLF);
    }
}

fn refuse<T>(why: Misbehaviour) -> Result<T, Error> {
    Err(Error::PeerMisbehaved(why))
}

/// The names of the lines that frame a message (RFC 9112 §6).
const FRAMING: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

fn is_framing(name: &[u8]) -> bool {
    FRAMING.iter().any(|framing| is_same_name(name, framing))
}

/// Does such a name stand anywhere in the line?
fn mentions_framing(line: &[u8]) -> bool {
    FRAMING.iter().any(|framing| line.windows(framing.len()).any(|part| is_same_name(part, framing)))
}

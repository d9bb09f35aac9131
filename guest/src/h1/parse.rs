//! Reading response heads and trailer sections (RFC 9112 §2.2, §4, §5, §7.1.2).
//!
//! # Theory of operation
//!
//! Two readers of one language, so that the usual case is fast and every other case is exact.
//!
//! 1. **At once** ([`whole`]). Nearly every head is complete when it is first looked at. `httparse` reads it, and what `httparse`
//!    lets through and we do not is closed here: bare LF, empty lines in front, a status code outside 100 to 599, a reason phrase
//!    with obs-text (which it drops). This reader never says that something is wrong: whatever it does not take goes to the other.
//! 2. **Octet by octet** ([`Scan`]). A table of states × octet classes. It keeps its place between calls, so that no octet is
//!    looked at twice however a head is cut up, and it refuses at the first octet that cannot belong to a head. When the section is
//!    complete `httparse` collects the field lines, and has to agree.
//!
//! With a leniency the scan also writes the section anew in strict form, line by line: unfolded, without the lines that are left
//! out, each ended by CRLF. So what is tolerated is decided in one place, and what is collected is always strict.
//!
//! The two readers are held against each other by the tests: a whole head goes through the first, a head in pieces through the
//! second.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ops::Range;

use httparse::{EMPTY_HEADER, ParserConfig, Response, Status};

use crate::abnf::{is_field_value_octet, is_ows, is_tchar, trim_ows};
use crate::types::{
    Error, FieldLine, HttpVersion, Incompatibility, Leniency, Limit, Misbehaviour, ResponseHead,
};

/// What was wrong, and how far into the given octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was wrong.
    pub error: Error,
    /// Octets up to and with the one that showed it.
    pub at: usize,
}

/// Limits of one head or trailer section.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Octets: of a head with its empty line, of a trailer section without it (RFC 9112 §7.1.2).
    pub octets_max: usize,
    /// Field lines. A line that is left out by leniency counts, a continuation line does not.
    pub field_lines_max: usize,
}

/// Finds and reads one response head at the front of a growing buffer.
///
/// It remembers how far it has looked: the cost is linear in the octets, however they are cut up.
#[derive(Debug, Default)]
pub struct HeadParser {
    scan: Scan,
    /// What has failed stays failed.
    failed: Option<Fault>,
}

impl HeadParser {
    /// `octets` is everything from the first octet of the head, all that was given before included. `None`: more is needed.
    /// Otherwise the head and how many octets it took; the parser is then ready for the next one. The leniency given with the first
    /// octets of a head holds for all of it.
    ///
    /// # Errors
    /// - `peer-misbehaved`, `peer-incompatible(version)`: this cannot become a head.
    /// - `limit-exceeded(head-octets)`, `limit-exceeded(field-lines)`.
    ///
    /// After an error every call repeats it.
    ///
    /// # Sources
    /// RFC 9112 §2.2, §4, §5.
    pub fn parse(
        &mut self,
        octets: &[u8],
        limits: &HeadLimits,
        leniency: Leniency,
    ) -> Result<Option<(ResponseHead, usize)>, Fault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        if self.scan.at == 0 {
            if let Some(head) = whole(octets, limits) {
                return Ok(Some(head));
            }
            #[cfg(test)]
            self.scan.count(octets.len());
            self.scan.leniency = leniency;
        }
        let read = self.read(octets, limits);
        self.failed = read.as_ref().err().copied();
        read
    }

    fn read(
        &mut self,
        octets: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(ResponseHead, usize)>, Fault> {
        let Some(end) = self.scan.run(octets, *limits)? else {
            return Ok(None);
        };
        let fields = self.scan.collect(octets)?;
        let line = octets.get(self.scan.status_line.clone());
        let Some((version, status, reason)) = line.and_then(status_line) else {
            return Err(self.scan.broken());
        };
        self.scan = Scan::default();
        Ok(Some((
            ResponseHead {
                version,
                status,
                reason,
                fields,
            },
            end,
        )))
    }
}

/// Finds and reads one trailer section, up to and with the empty line behind it.
#[derive(Debug)]
pub struct TrailerParser {
    scan: Scan,
    failed: Option<Fault>,
}

impl Default for TrailerParser {
    fn default() -> TrailerParser {
        let scan = Scan {
            state: State::Start,
            ..Scan::default()
        };
        TrailerParser { scan, failed: None }
    }
}

impl TrailerParser {
    /// As [`HeadParser::parse`], with `octets` from the first octet behind the last chunk's line. The line ends of a trailer section are
    /// chunk framing: no leniency covers them.
    ///
    /// # Errors
    /// - `peer-misbehaved(invalid-trailer)`.
    /// - `limit-exceeded(trailer-octets)`, `limit-exceeded(field-lines)`.
    ///
    /// # Sources
    /// RFC 9112 §7.1.2.
    pub fn parse(
        &mut self,
        octets: &[u8],
        limits: &HeadLimits,
        leniency: Leniency,
    ) -> Result<Option<(Vec<FieldLine>, usize)>, Fault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        if self.scan.at == 0 {
            let line_ends = Leniency::BARE_LF.bits();
            self.scan.leniency = Leniency::from_bits_retain(leniency.bits() & !line_ends);
        }
        let read = self.read(octets, limits).map_err(as_trailer_fault);
        self.failed = read.as_ref().err().copied();
        read
    }

    fn read(
        &mut self,
        octets: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(Vec<FieldLine>, usize)>, Fault> {
        // The empty line is not part of the trailer section.
        let octets_max = limits.octets_max.saturating_add(CRLF.len());
        let limits = HeadLimits {
            octets_max,
            ..*limits
        };
        let Some(end) = self.scan.run(octets, limits)? else {
            return Ok(None);
        };
        let fields = self.scan.collect(octets)?;
        *self = TrailerParser::default();
        Ok(Some((fields, end)))
    }
}

fn as_trailer_fault(fault: Fault) -> Fault {
    let error = match fault.error {
        Error::PeerMisbehaved(_) => Error::PeerMisbehaved(Misbehaviour::InvalidTrailer),
        Error::LimitExceeded(Limit::HeadOctets) => Error::LimitExceeded(Limit::TrailerOctets),
        other => other,
    };
    Fault {
        error,
        at: fault.at,
    }
}

/// Field lines that are collected without an allocation for their places; the default of `field-lines-max`.
const FIELD_LINES_ON_STACK: usize = 128;
/// The same for the short field sections of most messages: their places are cheap to initialise.
const FIELD_LINES_FEW: usize = 16;

/// Reads a head that is complete and strict. `None` for every other, whatever is wrong or missing.
fn whole(octets: &[u8], limits: &HeadLimits) -> Option<(ResponseHead, usize)> {
    // `httparse` would skip empty lines in front.
    if octets.first() != Some(&b'H') {
        return None;
    }
    let mut places = [const { MaybeUninit::uninit() }; FIELD_LINES_ON_STACK];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        octets,
        &mut places,
    );
    let Ok(Status::Complete(end)) = parsed else {
        return None;
    };
    let fields = &*response.headers;
    if end > limits.octets_max || fields.len() > limits.field_lines_max {
        return None;
    }
    // `httparse` takes LF for CRLF. So look at what stands before the start of each field line, and at the end.
    let head = octets.get(..end)?.strip_suffix(b"\r\n\r\n")?;
    let mut lines_end = head;
    for field in fields {
        let start = (field.name.as_ptr() as usize).checked_sub(octets.as_ptr() as usize)?;
        let before = octets.get(..start)?.strip_suffix(b"\r\n")?;
        if before.len() < lines_end.len() {
            lines_end = before;
        }
    }
    let (version, status, reason) = status_line(lines_end)?;
    let fields = fields.iter().map(owned).collect();
    Some((
        ResponseHead {
            version,
            status,
            reason,
            fields,
        },
        end,
    ))
}

fn owned(field: &httparse::Header<'_>) -> FieldLine {
    (String::from(field.name), Vec::from(field.value))
}

/// ```abnf
/// status-line = HTTP-version SP status-code SP [ reason-phrase ]
/// ```
/// RFC 9112 §4: version, status code and reason phrase of a line that was found to be well-formed. `None`: it was not, or the status
/// code is outside 100 to 599.
///
/// A minor version above 1 is processed as 1.1 (RFC 9110 §6.2).
fn status_line(line: &[u8]) -> Option<(HttpVersion, u16, Vec<u8>)> {
    let [
        b'H',
        b'T',
        b'T',
        b'P',
        b'/',
        b'1',
        b'.',
        minor,
        b' ',
        code @ ..,
    ] = line
    else {
        return None;
    };
    let [hundreds @ b'1'..=b'5', tens, ones, reason @ ..] = code else {
        return None;
    };
    let digit = |octet: &u8| octet.is_ascii_digit().then(|| u16::from(octet - b'0'));
    let status = digit(hundreds)? * 100 + digit(tens)? * 10 + digit(ones)?;
    let version = if *minor == b'0' {
        HttpVersion::Http10
    } else {
        HttpVersion::Http11
    };
    Some((
        version,
        status,
        Vec::from(reason.strip_prefix(b" ").unwrap_or_default()),
    ))
}

/// What the scan expects next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// LF of the empty line that is skipped before a status line.
    LeadingLf,
    /// More of the reason phrase, or its end.
    Reason,
    /// LF of the status line.
    StatusLf,
    /// A field line, or the empty line.
    Start,
    /// More of a field name, or the colon.
    Name,
    /// The colon, behind whitespace.
    Colon,
    /// More of a field value, or its end.
    Value,
    /// LF of a field line.
    ValueLf,
    /// The end of a line that is left out.
    Skip,
    /// LF of a line that is left out.
    SkipLf,
    /// LF of the empty line.
    LastLf,
    /// An octet of the status line, up to the one behind the status code. Not in the table: see [`status_line_step`].
    #[default]
    StatusLine,
}

/// The octet classes of the table.
#[derive(Clone, Copy, Debug)]
enum Class {
    /// `tchar`.
    Tchar,
    /// The colon.
    Colon,
    /// SP and HTAB.
    Space,
    /// What else may stand in a field value.
    Text,
    Cr,
    Lf,
    /// NUL: never left out with its line (RFC 9110 §5.5).
    Nul,
    /// Other control octets.
    Control,
}

/// What an octet does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Is taken; this is expected next.
    To(State),
    /// Begins a field line.
    Line,
    /// Whitespace begins a line: folding, or no field line.
    Fold,
    /// Whitespace ends a field name.
    Space,
    /// The colon ends a field name.
    Colon,
    /// Shows that this is no field line; if that is tolerated, this is expected next.
    Invalid(State),
    /// Is refused.
    Refuse(Misbehaviour),
    /// Is refused: another major version.
    Version,
    /// LF without CR.
    BareLf,
    EndLeading,
    EndStatusLine,
    EndLine,
    EndSkipped,
    EndSection,
}

/// What an octet of a [`Class`] does in a [`State`].
#[rustfmt::skip]
const NEXT: [[Step; 8]; 11] = {
    use Misbehaviour::{InvalidFieldLine, InvalidFieldValue, InvalidLineEnding, InvalidStatusLine};
    use State::{LastLf, Name, Reason, Skip, SkipLf, StatusLf, Value, ValueLf};
    use Step::{BareLf, Colon, EndLeading, EndLine, EndSection, EndSkipped, EndStatusLine, Fold, Invalid, Line, Refuse, Space, To};
    const STATUS: Step = Refuse(InvalidStatusLine);
    const FIELD: Step = Refuse(InvalidFieldLine);
    const VALUE: Step = Refuse(InvalidFieldValue);
    const CR: Step = Refuse(InvalidLineEnding);
    const BAD: Step = Invalid(Skip);
    const END: Step = Invalid(SkipLf);
    [
//                  Tchar       Colon       Space           Text        Cr            Lf             Nul     Control
/* LeadingLf */    [CR,         CR,         CR,             CR,         CR,           EndLeading,    CR,     CR      ],
/* Reason    */    [To(Reason), To(Reason), To(Reason),     To(Reason), To(StatusLf), BareLf,        STATUS, STATUS  ],
/* StatusLf  */    [CR,         CR,         CR,             CR,         CR,           EndStatusLine, CR,     CR      ],
/* Start     */    [Line,       BAD,        Fold,           BAD,        To(LastLf),   BareLf,        FIELD,  BAD     ],
/* Name      */    [To(Name),   Colon,      Space,          BAD,        END,          BareLf,        FIELD,  BAD     ],
/* Colon     */    [BAD,        Colon,      To(State::Colon), BAD,      END,          BareLf,        FIELD,  BAD     ],
/* Value     */    [To(Value),  To(Value),  To(Value),      To(Value),  To(ValueLf),  BareLf,        VALUE,  BAD     ],
/* ValueLf   */    [CR,         CR,         CR,             CR,         CR,           EndLine,       CR,     CR      ],
/* Skip      */    [To(Skip),   To(Skip),   To(Skip),       To(Skip),   To(SkipLf),   BareLf,        FIELD,  To(Skip)],
/* SkipLf    */    [CR,         CR,         CR,             CR,         CR,           EndSkipped,    CR,     CR      ],
/* LastLf    */    [CR,         CR,         CR,             CR,         CR,           EndSection,    CR,     CR      ],
    ]
};

/// The class of every octet.
const CLASSES: [Class; 256] = {
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
        b':' => Class::Colon,
        b' ' | b'\t' => Class::Space,
        b'\r' => Class::Cr,
        b'\n' => Class::Lf,
        0 => Class::Nul,
        _ if is_tchar(octet) => Class::Tchar,
        _ if is_field_value_octet(octet) => Class::Text,
        _ => Class::Control,
    }
}

/// What an octet of the status line does, at its offset in the line: as a pattern, `HTTP/1.` DIGIT SP 3DIGIT, then SP or the end.
///
/// Everything else is refused where it shows, so that a peer of another protocol is known by its first octet.
fn status_line_step(offset: usize, octet: u8) -> Step {
    const NAME: &[u8] = b"HTTP/";
    let take = Step::To(State::StatusLine);
    match (offset, octet) {
        (0..=4, _) if NAME.get(offset) == Some(&octet) => take,
        (0..=4, _) => Step::Refuse(Misbehaviour::NotHttp),
        (5, b'1') | (6, b'.') | (7, b'0'..=b'9') | (8, b' ') => take,
        (5, b'0'..=b'9') => Step::Version,
        (9, b'1'..=b'5') | (10 | 11, b'0'..=b'9') => take,
        (9 | 12, b'0'..=b'9') => Step::Refuse(Misbehaviour::InvalidStatusCode),
        (12, b' ') => Step::To(State::Reason),
        // The grammar has a space here, but servers that have no reason phrase leave it out, and nobody is misled.
        (12, b'\r') => Step::To(State::StatusLf),
        (12, b'\n') => Step::BareLf,
        _ => Step::Refuse(Misbehaviour::InvalidStatusLine),
    }
}

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

/// The place in a section that is not complete. Offsets count from the first octet of the head or trailer section.
#[derive(Debug)]
struct Scan {
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
    /// Field lines so far.
    lines: usize,
    status_line: Range<usize>,
    fields_start: usize,
    /// With a leniency: the field lines so far in strict form.
    strict: Vec<u8>,
    /// Where the last of them starts.
    strict_line: usize,
    /// How many octets were looked at, by either reader.
    #[cfg(test)]
    work: usize,
}

impl Default for Scan {
    fn default() -> Scan {
        Scan {
            state: State::StatusLine,
            leniency: Leniency::empty(),
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
}

impl Scan {
    /// Looks at the octets that were not seen yet. `Some`: the section is complete and has that many octets.
    fn run(&mut self, octets: &[u8], limits: HeadLimits) -> Result<Option<usize>, Fault> {
        while let Some(&octet) = octets.get(self.at) {
            if self.at >= limits.octets_max {
                return Err(self.fault(Error::LimitExceeded(Limit::HeadOctets)));
            }
            #[cfg(test)]
            self.count(1);
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

    #[cfg(test)]
    fn count(&mut self, octets: usize) {
        self.work += octets;
    }

    fn fault(&self, error: Error) -> Fault {
        Fault {
            error,
            at: self.at + 1,
        }
    }

    /// The two readers do not agree: a rule of this module is broken.
    fn broken(&self) -> Fault {
        Fault {
            error: Error::Internal,
            at: self.at,
        }
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
            Step::EndSection => return Ok(true),
        }
        Ok(false)
    }

    /// LF without CR is refused, or does what CRLF does. The steps of CR, and of LF behind CR, are never this one: it is not called
    /// from itself.
    fn bare_lf(&mut self, octets: &[u8]) -> Result<bool, Error> {
        if !self.tolerates(Leniency::BARE_LF) {
            return refuse(Misbehaviour::InvalidLineEnding);
        }
        self.bare = true;
        self.take(self.step_for(b'\r'), octets)?;
        self.take(self.step_for(b'\n'), octets)
    }

    /// Whitespace begins a line. Behind a field line it continues that line (RFC 9112 §5.2), but never one that frames the message;
    /// behind the status line it is nothing (RFC 9112 §2.2).
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
            self.framing = is_framing(name);
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
        if self.framing && self.bare {
            return refuse(Misbehaviour::InvalidLineEnding);
        }
        if self.leniency != Leniency::empty() {
            self.write_strict(octets);
        }
        if !self.folded {
            self.before = if self.framing {
                Before::Framing
            } else {
                Before::Field
            };
        }
        self.next_line(State::Start);
        Ok(())
    }

    /// What is left out must not have been meant to frame the message: then two recipients would read two messages.
    fn end_skipped(&mut self, octets: &[u8]) -> Result<(), Error> {
        let line = octets
            .get(self.line_start..self.line_end())
            .unwrap_or_default();
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
        if self.bare {
            self.at
        } else {
            self.at.saturating_sub(1)
        }
    }

    fn next_line(&mut self, state: State) {
        self.state = state;
        self.line_start = self.at + 1;
        self.framing = false;
        self.folded = false;
        self.bare = false;
    }

    /// Appends the current line in strict form: a continuation is joined by one SP (RFC 9112 §5.2).
    fn write_strict(&mut self, octets: &[u8]) {
        let end = self.line_end();
        let part = |range| octets.get(range).unwrap_or_default();
        if self.folded {
            self.strict
                .truncate(self.strict.len().saturating_sub(CRLF.len()));
            self.strict.push(b' ');
            self.strict
                .extend_from_slice(trim_ows(part(self.line_start..end)));
        } else {
            self.strict_line = self.strict.len();
            self.strict
                .extend_from_slice(part(self.line_start..self.name_end));
            self.strict.push(b':');
            self.strict
                .extend_from_slice(trim_ows(part(self.value_start..end)));
        }
        self.strict.extend_from_slice(CRLF);
    }

    /// The field lines of a section that is complete.
    fn collect(&mut self, octets: &[u8]) -> Result<Vec<FieldLine>, Fault> {
        let section = if self.leniency == Leniency::empty() {
            octets.get(self.fields_start..self.at).unwrap_or_default()
        } else {
            self.strict.extend_from_slice(CRLF);
            &self.strict
        };
        let fields = if self.lines <= FIELD_LINES_FEW {
            collect(section, &mut [EMPTY_HEADER; FIELD_LINES_FEW])
        } else if self.lines <= FIELD_LINES_ON_STACK {
            collect(section, &mut [EMPTY_HEADER; FIELD_LINES_ON_STACK])
        } else {
            collect(section, &mut vec![EMPTY_HEADER; self.lines])
        };
        fields.ok_or_else(|| self.broken())
    }
}

const CRLF: &[u8] = b"\r\n";

fn refuse<T>(why: Misbehaviour) -> Result<T, Error> {
    Err(Error::PeerMisbehaved(why))
}

/// The field lines of a strict section; `None` if `httparse` has another opinion of it.
fn collect<'a>(section: &'a [u8], places: &mut [httparse::Header<'a>]) -> Option<Vec<FieldLine>> {
    match httparse::parse_headers(section, places) {
        Ok(Status::Complete((end, fields))) if end == section.len() => {
            Some(fields.iter().map(owned).collect())
        }
        _ => None,
    }
}

/// The names of the lines that frame a message (RFC 9112 §6).
const FRAMING: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

fn is_framing(name: &[u8]) -> bool {
    FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
}

/// Does such a name stand anywhere in the line?
fn mentions_framing(line: &[u8]) -> bool {
    FRAMING.iter().any(|framing| {
        line.windows(framing.len())
            .any(|part| part.eq_ignore_ascii_case(framing))
    })
}

#[cfg(test)]
mod tests;

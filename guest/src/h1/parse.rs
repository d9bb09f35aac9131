//! Reading response heads and trailer sections (RFC 9112 §2.2, §4, §5, §7.1.2).
//!
//! # Theory of operation
//!
//! Two readers of one language, so that the usual case is fast and every other case is exact.
//!
//! 1. **At once** (`whole`). Nearly every head is complete when it is first looked at. `httparse` reads it, and what `httparse`
//!    lets through and we do not is closed here: bare LF, empty lines in front, a status code below 100, a reason phrase
//!    with obs-text (which it drops). This reader never says that something is wrong: whatever it does not take goes to the
//!    other.
//! 2. **Octet by octet** (`scan.rs`). A table of states × octet classes. It keeps its place between calls, so that no octet is
//!    looked at twice however a head is cut up, and it refuses at the first octet that cannot belong to a head. When the section
//!    is complete `httparse` collects the field lines, and has to agree.
//!
//! With a leniency the scan also writes the section anew in strict form, line by line: unfolded, without the lines that are left
//! out, each ended by CRLF. So what is tolerated is decided in one place, and what is collected is always strict.
//!
//! The two readers are held against each other by the tests: a whole head goes through the first, a head in pieces through the
//! second.

mod scan;
mod table;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use httparse::{EMPTY_HEADER, ParserConfig, Response, Status};
use scan::Scan;

use crate::abnf::decimal;
pub use crate::incoming::Fault;
use crate::types::{Error, FieldLine, HttpVersion, Leniency, Limit, Misbehaviour, PackedHead};

const CRLF: &[u8] = b"\r\n";

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
    /// The place in a head whose first octets did not complete it.
    scan: Option<Scan>,
    /// What has failed stays failed.
    failed: Option<Fault>,
}

impl HeadParser {
    /// `octets` is everything from the first octet of the head, all that was given before included. `None`: more is needed.
    /// Otherwise the head and how many octets it took; the parser is then ready for the next one. The leniency given with the
    /// first octets of a head holds for all of it.
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
    ) -> Result<Option<(PackedHead, usize)>, Fault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        if octets.is_empty() {
            return Ok(None);
        }
        if self.scan.is_none()
            && let Some(head) = whole(octets, limits)
        {
            return Ok(Some(head));
        }
        let scan = self.scan.get_or_insert_with(|| Scan::of_head(leniency));
        match read_head(scan, octets, limits) {
            Ok(None) => Ok(None),
            Ok(head) => {
                self.scan = None;
                Ok(head)
            }
            Err(fault) => {
                self.failed = Some(fault);
                Err(fault)
            }
        }
    }
}

fn read_head(scan: &mut Scan, octets: &[u8], limits: &HeadLimits) -> Result<Option<(PackedHead, usize)>, Fault> {
    let Some(end) = scan.run(octets, limits)? else {
        return Ok(None);
    };
    let (line, section) = (scan.status_line(octets), scan.field_lines(octets));
    let whole = [line, CRLF, section].concat();
    let head = status_line(whole.get(..line.len()).unwrap_or_default()).and_then(|line| {
        let section = whole.get(whole.len() - section.len()..).unwrap_or_default();
        with_lines(section, scan.lines(), |fields| packed(&whole, line, fields))
    });
    Ok(Some((head.ok_or_else(|| broken(end))?, end)))
}

/// Finds and reads one trailer section, up to and with the empty line behind it.
#[derive(Debug, Default)]
pub struct TrailerParser {
    scan: Option<Scan>,
    failed: Option<Fault>,
}

impl TrailerParser {
    /// As [`HeadParser::parse`], with `octets` from the first octet behind the last chunk's line. The line ends of a trailer
    /// section are chunk framing: no leniency covers them.
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
        let scan = self.scan.get_or_insert_with(|| {
            let line_ends = Leniency::BARE_LF.bits();
            Scan::of_trailers(Leniency::from_bits_retain(leniency.bits() & !line_ends))
        });
        match read_trailers(scan, octets, limits) {
            Ok(None) => Ok(None),
            Ok(fields) => {
                self.scan = None;
                Ok(fields)
            }
            Err(fault) => {
                let fault = as_trailer_fault(fault);
                self.failed = Some(fault);
                Err(fault)
            }
        }
    }
}

fn read_trailers(scan: &mut Scan, octets: &[u8], limits: &HeadLimits) -> Result<Option<(Vec<FieldLine>, usize)>, Fault> {
    // The empty line is not part of the trailer section.
    let octets_max = limits.octets_max.saturating_add(CRLF.len());
    let Some(end) = scan.run(octets, &HeadLimits { octets_max, ..*limits })? else {
        return Ok(None);
    };
    let owned = |field: &httparse::Header<'_>| (String::from(field.name), Vec::from(field.value));
    let fields = with_lines(scan.field_lines(octets), scan.lines(), |fields| fields.iter().map(owned).collect());
    Ok(Some((fields.ok_or_else(|| broken(end))?, end)))
}

/// The two readers do not agree on a section: a rule of this module is broken.
fn broken(at: usize) -> Fault {
    Fault { error: Error::Internal, at }
}

fn as_trailer_fault(fault: Fault) -> Fault {
    let error = match fault.error {
        Error::PeerMisbehaved(_) => Error::PeerMisbehaved(Misbehaviour::InvalidTrailer),
        Error::LimitExceeded(Limit::HeadOctets) => Error::LimitExceeded(Limit::TrailerOctets),
        other => other,
    };
    Fault { error, at: fault.at }
}

/// Field lines of a whole head that are read without an allocation for their places: as many as all but a few heads have.
const FIELD_LINES_ON_STACK: usize = 128;
/// The same for a section that was scanned: their places are cheap to initialise.
const FIELD_LINES_FEW: usize = 16;

/// Reads a head that is complete and strict. `None` for every other, whatever is wrong or missing.
fn whole(octets: &[u8], limits: &HeadLimits) -> Option<(PackedHead, usize)> {
    // `httparse` would skip empty lines in front.
    if octets.first() != Some(&b'H') {
        return None;
    }
    let mut places = [const { MaybeUninit::uninit() }; FIELD_LINES_ON_STACK];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, octets, &mut places);
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
    Some((packed(octets.get(..end)?, status_line(lines_end)?, fields), end))
}

/// The head that stands in `octets`, with this status line and these field lines.
fn packed(
    octets: &[u8],
    StatusLine { line, version, status, reason }: StatusLine<'_>,
    fields: &[httparse::Header<'_>],
) -> PackedHead {
    let lines = fields.iter().map(|field| (field.name.as_bytes(), field.value));
    PackedHead::new((version, status), octets, (line, reason), lines)
}

/// What is made of the field lines of a section, of which there are at most `lines`; `None` if `httparse` does not agree with the scan.
fn with_lines<T>(section: &[u8], lines: usize, make: impl FnOnce(&[httparse::Header<'_>]) -> T) -> Option<T> {
    if lines <= FIELD_LINES_FEW {
        with_lines_in(section, &mut [EMPTY_HEADER; FIELD_LINES_FEW], make)
    } else {
        with_lines_in(section, &mut vec![EMPTY_HEADER; lines], make)
    }
}

fn with_lines_in<'a, T>(
    section: &'a [u8],
    places: &mut [httparse::Header<'a>],
    make: impl FnOnce(&[httparse::Header<'_>]) -> T,
) -> Option<T> {
    match httparse::parse_headers(section, places) {
        Ok(Status::Complete((end, fields))) if end == section.len() => Some(make(fields)),
        _ => None,
    }
}

/// A status line and its parts.
struct StatusLine<'a> {
    line: &'a [u8],
    version: HttpVersion,
    status: u16,
    reason: &'a [u8],
}

/// ```abnf
/// status-line  = HTTP-version SP status-code SP [ reason-phrase ]
/// HTTP-version = HTTP-name "/" DIGIT "." DIGIT
/// status-code  = 3DIGIT
/// ```
/// RFC 9112 §2.3, §4: version, status code and reason phrase of a line that a reader has let pass. `None`: the status code is
/// below 100. One from 600 on is invalid, and counts as 5xx (RFC 9110 §15).
///
/// A minor version above 1 is processed as 1.1 (RFC 9110 §6.2).
fn status_line(line: &[u8]) -> Option<StatusLine<'_>> {
    let (minor, rest) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
    let (code, reason) = rest.strip_prefix(b" ")?.split_first_chunk::<3>()?;
    let version = if *minor == b'0' { HttpVersion::Http10 } else { HttpVersion::Http11 };
    let status = u16::try_from(decimal(code)?).ok()?;
    let reason = reason.strip_prefix(b" ").unwrap_or(reason);
    (100..1000).contains(&status).then_some(StatusLine { line, version, status, reason })
}

#[cfg(test)]
mod tests;

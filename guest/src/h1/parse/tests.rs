mod field_lines;
mod leniency;
mod limits;
mod line_ends;
mod status_line;
mod trailers;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::abnf::{is_field_value_octet, is_tchar};
use crate::types::{Incompatibility, ResponseHead};

const LIMITS: HeadLimits = HeadLimits { octets_max: 65_536, field_lines_max: 128 };
/// What may stand behind a head or a trailer section, and belongs to somebody else.
const BEHIND: [&[u8]; 6] = [b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"\n", b" ", b"\0", b"x: y\r\n"];

type Read<T> = Result<Option<(T, usize)>, Fault>;

/// A fresh parser, as a function of all octets so far.
trait Reader<T>: FnMut(&[u8]) -> Read<T> {}
impl<T, F: FnMut(&[u8]) -> Read<T>> Reader<T> for F {}

/// Reads whole; octet by octet, with nothing to be seen before the last; in every two parts; and with more behind. All must
/// agree.
fn every_way<T, R: Reader<T>>(octets: &[u8], fresh: impl Fn() -> R) -> Read<T>
where
    T: Clone + core::fmt::Debug + PartialEq,
{
    let whole = fresh()(octets);
    let needed = match &whole {
        Ok(Some((_, end))) => *end,
        Ok(None) => usize::MAX,
        Err(fault) => fault.at,
    };
    let mut growing = fresh();
    for there in 0..=octets.len() {
        let expected = if there < needed { Ok(None) } else { whole.clone() };
        assert_eq!(growing(&octets[..there]), expected, "{there} octets of {octets:?}");
        if there >= needed {
            break;
        }
    }
    for cut in 0..octets.len().min(needed) {
        let mut parser = fresh();
        assert_eq!(parser(&octets[..cut]), Ok(None), "cut at {cut} of {octets:?}");
        assert_eq!(parser(octets), whole, "cut at {cut} of {octets:?}");
    }
    if needed <= octets.len() {
        for behind in BEHIND {
            assert_eq!(fresh()(&[octets, behind].concat()), whole, "{behind:?} behind {octets:?}");
        }
    }
    whole
}

fn read_with(octets: &[u8], limits: HeadLimits, leniency: Leniency) -> Read<ResponseHead> {
    let read = every_way(octets, || {
        let mut parser = HeadParser::default();
        move |octets: &[u8]| parser.parse(octets, &limits, leniency)
    })?;
    Ok(read.map(|(head, end)| (head.unpacked(), end)))
}

fn trailers_with(octets: &[u8], limits: HeadLimits, leniency: Leniency) -> Read<Vec<FieldLine>> {
    every_way(octets, || {
        let mut parser = TrailerParser::default();
        move |octets: &[u8]| parser.parse(octets, &limits, leniency)
    })
}

#[track_caller]
fn accepts_with(octets: &[u8], leniency: Leniency) -> ResponseHead {
    match read_with(octets, LIMITS, leniency) {
        Ok(Some((head, end))) if end == octets.len() => head,
        other => panic!("{octets:?}: {other:?}"),
    }
}

#[track_caller]
fn accepts(octets: &[u8]) -> ResponseHead {
    accepts_with(octets, strict())
}

/// Refused at the last octet of `shown`, whatever is behind it.
#[track_caller]
fn refuses_with(shown: &[u8], rest: &[u8], leniency: Leniency, error: Error) {
    let octets = [shown, rest].concat();
    let expected = Err(Fault { error, at: shown.len() });
    assert_eq!(read_with(&octets, LIMITS, leniency), expected, "{octets:?}");
}

#[track_caller]
fn refuses(shown: &[u8], rest: &[u8], why: Misbehaviour) {
    refuses_with(shown, rest, strict(), Error::PeerMisbehaved(why));
}

fn strict() -> Leniency {
    Leniency::empty()
}

fn every_leniency() -> Leniency {
    Leniency::BARE_LF
        | Leniency::LINE_FOLDING
        | Leniency::SPACE_BEFORE_COLON
        | Leniency::SKIP_INVALID_LINES
        | Leniency::EQUAL_CONTENT_LENGTHS
        | Leniency::SPACE_AFTER_CHUNK_SIZE
        | Leniency::LEADING_EMPTY_LINE
}

fn lines(fields: &[FieldLine]) -> Vec<(&str, &[u8])> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

#[test]
fn errors_hold_no_octets_of_the_peer() {
    // H1-034: a fault is an enum and a number; nothing that is printed can come from the wire.
    let fault = HeadParser::default().parse(b"HTTP/1.1 200 \x1b]0;", &LIMITS, strict());
    let printed: String = format!("{:?}", fault.unwrap_err());
    assert!(!printed.contains('\x1b') && !printed.contains("]0;"));
}

//! Writing requests (RFC 9112 §3, §6, §7.1).
//!
//! A request is checked once, by [`plan`], and written by [`head`] straight into the buffer that leaves: what could be read back
//! otherwise than it was meant is refused before an octet is written.

mod check;

use alloc::vec::Vec;

pub use check::check_trailers;
use check::{Given, check_authority, check_target, host};

use crate::abnf::{digits, is_token};
use crate::h1::framing::Asked;
use crate::types::{Error, FieldLine, Limit, Misuse, Request, RequestContent};

/// A checked request: everything about it that the connection needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What bears on the framing of the response.
    pub asked: Asked,
    /// May it be repeated, and may others be pipelined around it?
    pub idempotent: bool,
    /// It carries `Connection: close`, from the caller.
    pub closes: bool,
    /// It carries `Expect: 100-continue`.
    pub expects: bool,
    /// What follows the head.
    pub content: PlannedContent,
    /// What the head gets beside the caller's field lines.
    adds: Additions,
}

/// What follows the head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedContent {
    /// Nothing.
    None,
    /// The content that is in the request.
    Whole,
    /// This many octets.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// What the caller left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Additions {
    host: bool,
    /// `Content-Length`, with this value.
    length: Option<u64>,
    /// `Transfer-Encoding: chunked`.
    chunked: bool,
    /// `Expect: 100-continue`.
    expect: bool,
    /// The connection options that belong to the caller's `Upgrade` and `TE`.
    upgrade_option: bool,
    te_option: bool,
}

/// Checks a request and decides how it is framed. `default_authority` is that of the connection.
///
/// `Host` is, in this order: the caller's line; `authority`; the authority in the target itself, where it has one (RFC 9112
/// §3.2.2, §3.2.3); `default_authority`. The limit is for the head as the caller gave it, with what is added here, without the
/// `close` option that the connection may add.
///
/// # Errors
/// - `api-misuse`: every case that names a part of a request.
/// - `limit-exceeded(request-head-octets)`.
///
/// # Sources
/// RFC 9112 §3, §6; RFC 9110 §5, §7.2, §8.6, §9.2.2, §9.3, §10.1.
pub fn plan(request: &Request, default_authority: &str, head_octets_max: usize) -> Result<Plan, Error> {
    if !is_token(request.method.as_bytes()) {
        return misuse(Misuse::InvalidMethod);
    }
    check_target(request)?;
    let given = Given::read(&request.fields)?;
    check_authority(request, &given, default_authority)?;
    let method = request.method.as_str();
    if matches!(method, "TRACE" | "CONNECT") && !matches!(request.content, RequestContent::None) {
        return misuse(Misuse::ContentNotAllowed);
    }
    let (content, mut adds) = frame(request, &given)?;
    let options = request.options.as_ref();
    let expects = given.expects || options.and_then(|it| it.expect_continue).unwrap_or_default();
    if expects && is_empty(&request.content) {
        return misuse(Misuse::ExpectWithoutContent);
    }
    adds.host = given.host.is_none();
    adds.expect = expects && !given.expects;
    adds.upgrade_option = given.upgrade_line && !given.upgrade_option;
    adds.te_option = given.te && !given.te_option;
    let plan = Plan {
        asked: Asked { head: method == "HEAD", connect: method == "CONNECT", upgrade: given.upgrade },
        idempotent: options.and_then(|it| it.idempotent).unwrap_or(is_idempotent(method)),
        closes: given.close_option,
        expects,
        content,
        adds,
    };
    let mut octets = Count(0);
    write_head(request, &plan, default_authority, false, &mut octets);
    if octets.0 > head_octets_max {
        return Err(Error::LimitExceeded(Limit::RequestHeadOctets));
    }
    Ok(plan)
}

fn misuse<T>(why: Misuse) -> Result<T, Error> {
    Err(Error::ApiMisuse(why))
}

/// RFC 9110 §9.2.2, of the methods registered there. Others have to be declared so by the caller.
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

/// Does `100 (Continue)` make no sense? RFC 9110 §10.1.1.
fn is_empty(content: &RequestContent) -> bool {
    match content {
        RequestContent::None => true,
        RequestContent::Whole(content) => content.is_empty(),
        RequestContent::Length(length) => *length == 0,
        RequestContent::UnknownLength => false,
    }
}

/// Decides the framing, and which line says so.
///
/// # Sources
/// RFC 9112 §6.1, §6.2: never both fields. RFC 9110 §8.6: `Content-Length: 0` where the method defines content, none where it
/// does not.
fn frame(request: &Request, given: &Given<'_>) -> Result<(PlannedContent, Additions), Error> {
    let mut adds = Additions::default();
    let (content, length) = match &request.content {
        RequestContent::None => (PlannedContent::None, 0),
        RequestContent::Whole(content) => (PlannedContent::Whole, content.len() as u64),
        RequestContent::Length(length) => (PlannedContent::Length(*length), *length),
        RequestContent::UnknownLength => {
            if given.length.is_some() {
                return misuse(Misuse::ConflictingFraming);
            }
            adds.chunked = !given.chunked;
            return Ok((PlannedContent::Chunked, adds));
        }
    };
    let agrees = given.length.is_none_or(|given| given == length);
    if given.chunked || !agrees || length > LENGTH_MAX {
        return misuse(Misuse::ConflictingFraming);
    }
    let method = request.method.as_str();
    let is_needed = content != PlannedContent::None || matches!(method, "POST" | "PUT" | "PATCH");
    adds.length = (is_needed && given.length.is_none()).then_some(length);
    Ok((content, adds))
}

/// The longest content, 2^63-1 octets: what [`decimal`] reads back.
const LENGTH_MAX: u64 = i64::MAX.cast_unsigned();

/// Appends the head of a request that was planned with the same arguments. `close`: add the `close` option, if it is not there.
///
/// `Host` comes first (RFC 9110 §7.2), then the caller's lines as they are, then what they leave out.
///
/// # Sources
/// RFC 9112 §2.1, §3, §9.6.
pub fn head(request: &Request, plan: &Plan, default_authority: &str, close: bool, out: &mut Vec<u8>) {
    write_head(request, plan, default_authority, close, out);
}

/// Where a head goes: into a buffer, or only into its count.
trait Out {
    fn put(&mut self, octets: &[u8]);
}

impl Out for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// The octets that would be written.
struct Count(usize);

impl Out for Count {
    fn put(&mut self, octets: &[u8]) {
        self.0 = self.0.saturating_add(octets.len());
    }
}

fn write_head(request: &Request, plan: &Plan, default_authority: &str, close: bool, out: &mut impl Out) {
    let target = match request.request_target.as_str() {
        // RFC 9112 §3.2.1.
        "" => "/",
        target => target,
    };
    out.put(request.method.as_bytes());
    out.put(b" ");
    out.put(target.as_bytes());
    out.put(b" HTTP/1.1\r\n");
    if plan.adds.host {
        put_line("Host", host(request, default_authority).as_bytes(), out);
    }
    put_lines(&request.fields, out);
    if let Some(length) = plan.adds.length {
        out.put(b"Content-Length: ");
        put_number::<10>(length, out);
        out.put(CRLF);
    }
    if plan.adds.chunked {
        out.put(b"Transfer-Encoding: chunked\r\n");
    }
    if plan.adds.expect {
        out.put(b"Expect: 100-continue\r\n");
    }
    put_connection(plan, close && !plan.closes, out);
    out.put(CRLF);
}

/// One more `Connection` line, with what the caller's own leaves out; the lines of a list are one list (RFC 9110 §5.3).
fn put_connection(plan: &Plan, close: bool, out: &mut impl Out) {
    let options = [(plan.adds.upgrade_option, "upgrade"), (plan.adds.te_option, "TE"), (close, "close")];
    let mut before = "Connection: ";
    for (_, option) in options.iter().filter(|(is_missing, _)| *is_missing) {
        out.put(before.as_bytes());
        out.put(option.as_bytes());
        before = ", ";
    }
    if before == ", " {
        out.put(CRLF);
    }
}

const CRLF: &[u8] = b"\r\n";

fn put_lines(fields: &[FieldLine], out: &mut impl Out) {
    for (name, value) in fields {
        put_line(name, value, out);
    }
}

fn put_line(name: &str, value: &[u8], out: &mut impl Out) {
    out.put(name.as_bytes());
    out.put(if value.is_empty() { b":" } else { b": " });
    out.put(value);
    out.put(CRLF);
}

/// The shortest digits of the number, in base 10 or 16.
fn put_number<const BASE: u64>(number: u64, out: &mut impl Out) {
    out.put(digits(number, BASE, &mut [0; 20]));
}

/// Appends what stands in front of a chunk's data (RFC 9112 §7.1). For 0 octets it appends nothing: that would be the last chunk.
pub fn chunk_head(octets: u64, out: &mut Vec<u8>) {
    if octets > 0 {
        put_number::<16>(octets, out);
        out.put(CRLF);
    }
}

/// Appends what stands behind a chunk's data.
pub fn chunk_end(out: &mut Vec<u8>) {
    out.put(CRLF);
}

/// Appends the last chunk and the trailer section, which [`check_trailers`] has let pass.
///
/// # Sources
/// RFC 9112 §7.1, §7.1.2.
pub fn last_chunk(trailers: &[FieldLine], out: &mut Vec<u8>) {
    out.put(b"0\r\n");
    put_lines(trailers, out);
    out.put(CRLF);
}

#[cfg(test)]
mod tests;

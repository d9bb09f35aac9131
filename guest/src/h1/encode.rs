//! Writing requests (RFC 9112 §3, §6, §7.1).
//!
//! A request is checked once, by [`plan`], and written by [`head`] straight into the buffer that leaves: what could be read back
//! otherwise than it was meant is refused before an octet is written.

use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::str;

use crate::abnf::{decimal, is_field_value_octet, is_reg_name, is_token, is_vchar, trim_ows};
use crate::field;
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
/// `Host` is, in this order: the caller's line; `authority`; the authority in the target itself, where it has one (RFC 9112 §3.2.2,
/// §3.2.3); `default_authority`. The limit is for the head as the caller gave it, with what is added here, without the `close`
/// option that the connection may add.
///
/// # Errors
/// - `api-misuse`: every case that names a part of a request.
/// - `limit-exceeded(request-head-octets)`.
///
/// # Sources
/// RFC 9112 §3, §6; RFC 9110 §5, §7.2, §8.6, §9.2.2, §9.3, §10.1.
pub fn plan(
    request: &Request,
    default_authority: &str,
    head_octets_max: usize,
) -> Result<Plan, Error> {
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
    let expects = given.expects
        || options
            .and_then(|it| it.expect_continue)
            .unwrap_or_default();
    if expects && is_empty(&request.content) {
        return misuse(Misuse::ExpectWithoutContent);
    }
    adds.host = given.host.is_none();
    adds.expect = expects && !given.expects;
    adds.upgrade_option = given.upgrade && !given.upgrade_option;
    adds.te_option = given.te && !given.te_option;
    let plan = Plan {
        asked: Asked {
            head: method == "HEAD",
            connect: method == "CONNECT",
            upgrade: given.upgrade,
        },
        idempotent: options
            .and_then(|it| it.idempotent)
            .unwrap_or(is_idempotent(method)),
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
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
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

/// Recognises the form of the request target.
///
/// # Sources
/// RFC 9112 §3.2.1 to §3.2.4. No octet but `VCHAR`, and no fragment, in any of them. Beyond that the path and the query are the
/// caller's: servers take octets there that RFC 3986 does not.
fn check_target(request: &Request) -> Result<(), Error> {
    let target = request.request_target.as_str();
    let octets_are_good = target.bytes().all(|octet| is_vchar(octet) && octet != b'#');
    let form_is_good = match request.method.as_str() {
        "CONNECT" => is_authority(target, true),
        _ if target.is_empty() || target.starts_with('/') => true,
        "OPTIONS" if target == "*" => true,
        _ => absolute_authority(target).is_some_and(|authority| is_authority(authority, false)),
    };
    if octets_are_good && form_is_good {
        Ok(())
    } else {
        misuse(Misuse::InvalidRequestTarget)
    }
}

/// What stands where an absolute-form target has its authority. `None`: this is another form, or another scheme.
fn absolute_authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if is_http {
        rest.split(['/', '?']).next()
    } else {
        None
    }
}

/// The authority that a good target names itself.
fn target_authority(request: &Request) -> Option<&str> {
    let target = request.request_target.as_str();
    if request.method == "CONNECT" {
        Some(target)
    } else if target.starts_with('/') {
        None
    } else {
        absolute_authority(target)
    }
}

/// ```abnf
/// Host     = uri-host [ ":" port ]
/// uri-host = IP-literal / IPv4address / reg-name
/// ```
/// RFC 9110 §7.2, RFC 3986 §3.2.2. Neither part is empty, the port is at most 65535, and there is no userinfo: none is ever sent
/// (RFC 9110 §4.2.4). `with_port`: it is an authority-form target, which has a port (RFC 9112 §3.2.3), and none can connect to 0.
pub(crate) fn is_authority(authority: &str, with_port: bool) -> bool {
    let (host_is_good, port) = match authority.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (is_reg_name(host.as_bytes()), port)
        }
    };
    let port_is_good = match port.strip_prefix(':') {
        None => port.is_empty() && !with_port,
        Some(digits) => decimal(digits.as_bytes())
            .is_some_and(|port| port <= 65_535 && (port > 0 || !with_port)),
    };
    host_is_good && port_is_good
}

/// Checks the value that `Host` will have.
///
/// It agrees with the authority of an absolute-form target (RFC 9112 §3.2). Beside a target that names no authority it may be empty, as
/// for a target URI without one.
fn check_authority(
    request: &Request,
    given: &Given<'_>,
    default_authority: &str,
) -> Result<(), Error> {
    let value = match given.host {
        Some(line) => str::from_utf8(line).ok(),
        None => Some(host(request, default_authority)),
    };
    let is_good = value.is_some_and(|value| match target_authority(request) {
        None => value.is_empty() || is_authority(value, false),
        Some(_) if request.method == "CONNECT" => is_authority(value, false),
        Some(authority) => value.eq_ignore_ascii_case(authority),
    });
    if is_good {
        Ok(())
    } else {
        misuse(Misuse::InvalidAuthority)
    }
}

/// The value of the `Host` line, where the caller has given none.
fn host<'a>(request: &'a Request, default_authority: &'a str) -> &'a str {
    match &request.authority {
        Some(authority) => authority,
        None => target_authority(request).unwrap_or(default_authority),
    }
}

/// What the caller's field lines say.
#[derive(Debug, Default)]
struct Given<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    expects: bool,
    upgrade: bool,
    te: bool,
    /// Of `Connection`.
    close_option: bool,
    upgrade_option: bool,
    te_option: bool,
}

impl<'a> Given<'a> {
    fn read(fields: &'a [FieldLine]) -> Result<Given<'a>, Error> {
        let mut given = Given::default();
        for (name, value) in fields {
            check_line(name, value)?;
            given.line(name, value)?;
        }
        if given.chunked && given.length.is_some() {
            return misuse(Misuse::ConflictingFraming);
        }
        Ok(given)
    }

    fn line(&mut self, name: &str, value: &'a [u8]) -> Result<(), Error> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("host") {
            if self.host.replace(value).is_some() {
                return misuse(Misuse::InvalidAuthority);
            }
        } else if is("content-length") {
            let length = decimal(value);
            if length.is_none() || self.length.is_some() {
                return misuse(Misuse::ConflictingFraming);
            }
            self.length = length;
        } else if is("transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return misuse(Misuse::ConflictingFraming);
            }
            self.chunked = true;
        } else if is("connection") {
            self.connection(value)?;
        } else if is("upgrade") {
            self.upgrade |= field::members(value).next().is_some();
        } else if is("te") {
            // It is always accepted, and naming it is forbidden (RFC 9112 §7.4).
            if field::members(value).any(|member| names_coding(member, b"chunked")) {
                return misuse(Misuse::ConflictingFraming);
            }
            self.te = true;
        } else if is("expect") {
            self.expects |=
                field::members(value).any(|member| member.eq_ignore_ascii_case(b"100-continue"));
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Error> {
        for option in field::members(value) {
            if !is_token(option) {
                return misuse(Misuse::InvalidFieldValue);
            }
            self.close_option |= option.eq_ignore_ascii_case(b"close");
            self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
            self.te_option |= option.eq_ignore_ascii_case(b"te");
        }
        Ok(())
    }
}

/// Is this member of a list of transfer codings the named one, whatever its parameters?
fn names_coding(member: &[u8], coding: &[u8]) -> bool {
    let name = member
        .split(|&octet| octet == b';')
        .next()
        .unwrap_or_default();
    trim_ows(name).eq_ignore_ascii_case(coding)
}

/// A field line that a strict recipient reads back as it was given (RFC 9110 §5.1, §5.5; RFC 9112 §5): in particular it is one line.
fn check_line(name: &str, value: &[u8]) -> Result<(), Error> {
    if !is_token(name.as_bytes()) {
        return misuse(Misuse::InvalidFieldName);
    }
    let octets_are_good = value.iter().all(|&octet| is_field_value_octet(octet));
    if !octets_are_good || trim_ows(value).len() != value.len() {
        return misuse(Misuse::InvalidFieldValue);
    }
    Ok(())
}

/// Decides the framing, and which line says so.
///
/// # Sources
/// RFC 9112 §6.1, §6.2: never both fields. RFC 9110 §8.6: `Content-Length: 0` where the method defines content, none where it does
/// not.
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
pub fn head(
    request: &Request,
    plan: &Plan,
    default_authority: &str,
    close: bool,
    out: &mut Vec<u8>,
) {
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

fn write_head(
    request: &Request,
    plan: &Plan,
    default_authority: &str,
    close: bool,
    out: &mut impl Out,
) {
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
    let options = [
        (plan.adds.upgrade_option, "upgrade"),
        (plan.adds.te_option, "TE"),
        (close, "close"),
    ];
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
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    for (offset, place) in digits.iter_mut().enumerate().rev() {
        let digit = u8::try_from(rest % BASE).unwrap_or_default();
        *place = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        start = offset;
        rest /= BASE;
        if rest == 0 {
            break;
        }
    }
    out.put(digits.get(start..).unwrap_or_default());
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

/// Fields that mean something only before the content: framing, routing, connection, authentication, request modifiers,
/// content format (RFC 9110 §6.5.1).
const NOT_IN_TRAILERS: [&str; 30] = [
    "authentication-info",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Checks a trailer section before it is written.
///
/// # Errors
/// - `api-misuse`: `invalid-field-name`, `invalid-field-value`, `forbidden-trailer`.
///
/// # Sources
/// RFC 9110 §6.5.1.
pub fn check_trailers(trailers: &[FieldLine]) -> Result<(), Error> {
    for (name, value) in trailers {
        check_line(name, value)?;
        if NOT_IN_TRAILERS
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        {
            return misuse(Misuse::ForbiddenTrailer);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! A request, checked when the caller sends the request: method, target, authority, field lines, content and trailers. When the turn
//! of the request comes, the protocol decides how the request is written.
//!
//! The fields that frame a message are checked here too, for every protocol: lines that contradict the content are refused at once.

use core::str;

use crate::abnf::{decimal, is_field_value_octet, is_same_name, is_token, is_vchar, trim_ows};
use crate::endpoint::is_authority;
use crate::field;
use crate::types::{Error, FieldLine, Misuse, Request, RequestContent};

/// The parts of a request that bear on the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The method is `HEAD`.
    pub head: bool,
    /// The method is `CONNECT`.
    pub connect: bool,
    /// The request has an `Upgrade` field.
    pub upgrade: bool,
}

/// The content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// None.
    None,
    /// The content is in the request.
    Whole,
    /// The caller writes so many octets.
    Length(u64),
    /// The caller writes octets until it has finished.
    UnknownLength,
}

/// Lines that the caller has supplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// `Host`.
    pub host: bool,
    /// `Content-Length`.
    pub length: bool,
    /// `Transfer-Encoding`.
    pub coding: bool,
    /// `Expect: 100-continue`.
    pub expect: bool,
    /// `Upgrade`, and the connection option of the same name.
    pub upgrade: WithOption,
    /// `TE`, and the connection option of the same name.
    pub te: WithOption,
}

/// A field of which `Connection` may have an option with the same name (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WithOption {
    /// The field is there.
    pub field: bool,
    /// The option is there.
    pub option: bool,
}

/// A checked request: the facts that a connection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The parts that bear on the response.
    pub asked: Asked,
    /// May the request be repeated, and be in a pipeline?
    pub idempotent: bool,
    /// The caller has asked for the end of the connection behind the request.
    pub closes: bool,
    /// The content waits for `100 (Continue)`.
    pub expects: bool,
    /// The content.
    pub content: ContentKind,
    /// The lines that the caller has supplied.
    pub lines: Lines,
}

/// Checks a request. `default_authority` is the authority of the connection.
///
/// The value of `Host` is the first of: the line of the caller; `authority`; the authority in the target (RFC 9112 §3.2.2, §3.2.3);
/// `default_authority`.
///
/// # Errors
/// `api-misuse`: every case that names a part of a request.
///
/// # Sources
/// RFC 9112 §3, §6; RFC 9110 §5, §7.2, §8.6, §9.2.2, §9.3, §10.1.
pub fn check(request: &Request, default_authority: &str) -> Result<Checked, Error> {
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
    let content = content_kind(request, &given)?;
    let options = request.options.as_ref();
    let expects = given.expects || options.is_some_and(|options| options.expect_continue);
    if expects && is_empty(&request.content) {
        return misuse(Misuse::ExpectWithoutContent);
    }
    Ok(Checked {
        asked: Asked { head: method == "HEAD", connect: method == "CONNECT", upgrade: given.upgrade },
        idempotent: options.and_then(|it| it.idempotent).unwrap_or(is_idempotent(method)),
        closes: given.close_option,
        expects,
        content,
        lines: Lines {
            host: given.host.is_some(),
            length: given.length.is_some(),
            coding: given.chunked,
            expect: given.expects,
            upgrade: given.upgrade_field,
            te: given.te,
        },
    })
}

fn misuse<T>(why: Misuse) -> Result<T, Error> {
    Err(Error::ApiMisuse(why))
}

/// RFC 9110 §9.2.2, of the methods registered there. The caller has to declare other methods idempotent.
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

/// Octets of content that wait with a request.
pub(crate) fn content_octets(request: &Request) -> u64 {
    if let RequestContent::Whole(content) = &request.content { content.len() as u64 } else { 0 }
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

/// The content, with which the lines of the caller have to agree.
///
/// # Sources
/// RFC 9112 §6.1, §6.2: never both `Content-Length` and `Transfer-Encoding`.
fn content_kind(request: &Request, given: &Given<'_>) -> Result<ContentKind, Error> {
    let (content, length) = match &request.content {
        RequestContent::None => (ContentKind::None, 0),
        RequestContent::Whole(content) => (ContentKind::Whole, content.len() as u64),
        RequestContent::Length(length) => (ContentKind::Length(*length), *length),
        RequestContent::UnknownLength if given.length.is_some() => return misuse(Misuse::ConflictingFraming),
        RequestContent::UnknownLength => return Ok(ContentKind::UnknownLength),
    };
    let agrees = given.length.is_none_or(|given| given == length);
    if given.chunked || !agrees || length > LENGTH_MAX {
        return misuse(Misuse::ConflictingFraming);
    }
    Ok(content)
}

/// The longest content, 2^63-1 octets, the largest number that [`decimal`] reads back.
const LENGTH_MAX: u64 = i64::MAX.cast_unsigned();

/// Recognises the form of the request target.
///
/// # Sources
/// RFC 9112 §3.2.1 to §3.2.4. In every form each octet is a `VCHAR`, and there is no fragment. Beyond the form, the caller answers
/// for path and query: servers accept octets there that RFC 3986 does not.
fn check_target(request: &Request) -> Result<(), Error> {
    let target = request.request_target.as_str();
    let octets_are_good = target.bytes().all(|octet| is_vchar(octet) && octet != b'#');
    let form_is_good = match request.method.as_str() {
        "CONNECT" => is_authority(target, true),
        _ if target.is_empty() || is_origin_form(target) => true,
        "OPTIONS" if target == "*" => true,
        _ => absolute_authority(target).is_some_and(|authority| is_authority(authority, false)),
    };
    if octets_are_good && form_is_good { Ok(()) } else { misuse(Misuse::InvalidRequestTarget) }
}

/// By the first octet: a pattern would be searched for as text.
fn is_origin_form(target: &str) -> bool {
    target.as_bytes().first() == Some(&b'/')
}

/// The octets in the place of the authority in an absolute-form target. `None`: the target has another form, or another scheme.
fn absolute_authority(target: &str) -> Option<&str> {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|begin| is_same_name(begin.as_bytes(), scheme.as_bytes())))?;
    let rest = target.get(scheme.len()..)?;
    let end = rest.bytes().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(rest.len());
    rest.get(..end)
}

/// The authority that a good target names.
fn target_authority(request: &Request) -> Option<&str> {
    let target = request.request_target.as_str();
    if request.method == "CONNECT" {
        Some(target)
    } else if is_origin_form(target) {
        None
    } else {
        absolute_authority(target)
    }
}

/// Checks the value that `Host` will have.
///
/// The value agrees with the authority of an absolute-form target (RFC 9112 §3.2). If the target names no authority, the value may be
/// empty, as for a target URI without an authority.
fn check_authority(request: &Request, given: &Given<'_>, default_authority: &str) -> Result<(), Error> {
    let value = match given.host {
        Some(line) => str::from_utf8(line).ok(),
        None => Some(host(request, default_authority)),
    };
    let is_good = value.is_some_and(|value| match target_authority(request) {
        None => value.is_empty() || is_authority(value, false),
        Some(_) if request.method == "CONNECT" => is_authority(value, false),
        Some(authority) => is_same_name(value.as_bytes(), authority.as_bytes()),
    });
    if is_good { Ok(()) } else { misuse(Misuse::InvalidAuthority) }
}

/// The value of the `Host` line, if the caller has supplied none.
pub(crate) fn host<'a>(request: &'a Request, default_authority: &'a str) -> &'a str {
    match &request.authority {
        Some(authority) => authority,
        None => target_authority(request).unwrap_or(default_authority),
    }
}

/// The meaning of the caller's field lines.
#[derive(Debug, Default)]
struct Given<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    expects: bool,
    /// `Upgrade` offers a protocol.
    upgrade: bool,
    /// An `Upgrade` line is present, perhaps an empty line.
    upgrade_field: WithOption,
    te: WithOption,
    /// Of `Connection`.
    close_option: bool,
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
        let is = |known: &str| is_same_name(name.as_bytes(), known.as_bytes());
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
            if self.chunked || !is_same_name(value, b"chunked") {
                return misuse(Misuse::ConflictingFraming);
            }
            self.chunked = true;
        } else if is("connection") {
            self.connection(value)?;
        } else if is("upgrade") {
            self.upgrade |= field::members(value).next().is_some();
            self.upgrade_field.field = true;
        } else if is("te") {
            // A recipient always accepts chunked, and naming chunked is forbidden (RFC 9112 §7.4).
            if field::members(value).any(|member| names_coding(member, b"chunked")) {
                return misuse(Misuse::ConflictingFraming);
            }
            self.te.field = true;
        } else if is("expect") {
            self.expects |= field::members(value).any(|member| is_same_name(member, b"100-continue"));
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Error> {
        for option in field::members(value) {
            if !is_token(option) {
                return misuse(Misuse::InvalidFieldValue);
            }
            self.close_option |= is_same_name(option, b"close");
            self.upgrade_field.option |= is_same_name(option, b"upgrade");
            self.te.option |= is_same_name(option, b"te");
        }
        Ok(())
    }
}

/// Is the member of a list of transfer codings the named coding, with any parameters?
fn names_coding(member: &[u8], coding: &[u8]) -> bool {
    let name = member.split(|&octet| octet == b';').next().unwrap_or_default();
    is_same_name(trim_ows(name), coding)
}

/// A field line that a strict recipient reads back unchanged (RFC 9110 §5.1, §5.5; RFC 9112 §5): in particular, a single line.
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

/// Fields that mean something only before the content: framing, routing, connection, authentication, request modifiers,
/// content format (RFC 9110 §6.5.1).
pub(crate) const NOT_IN_TRAILERS: [&str; 30] = include!("not_in_trailers.in");

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
        if NOT_IN_TRAILERS.iter().any(|known| is_same_name(name.as_bytes(), known.as_bytes())) {
            return misuse(Misuse::ForbiddenTrailer);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;

    /// A request for `/`, for the tests of all modules.
    pub(crate) fn request(method: &str, content: RequestContent) -> Request {
        let (method, request_target) = (String::from(method), String::from("/"));
        Request { method, request_target, authority: None, fields: vec![], content, options: None }
    }
}

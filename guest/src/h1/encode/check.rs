//! What a request must be before it is written: its target, its authority, its field lines, its trailers.

use core::str;

use super::misuse;
use crate::abnf::{decimal, is_field_value_octet, is_token, is_vchar, trim_ows};
use crate::endpoint::is_authority;
use crate::field;
use crate::types::{Error, FieldLine, Misuse, Request};

/// Recognises the form of the request target.
///
/// # Sources
/// RFC 9112 §3.2.1 to §3.2.4. No octet but `VCHAR`, and no fragment, in any of them. Beyond that the path and the query are the
/// caller's: servers take octets there that RFC 3986 does not.
pub(super) fn check_target(request: &Request) -> Result<(), Error> {
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

/// By its first octet: as a pattern, it would be searched for as text.
fn is_origin_form(target: &str) -> bool {
    target.as_bytes().first() == Some(&b'/')
}

/// What stands where an absolute-form target has its authority. `None`: this is another form, or another scheme.
fn absolute_authority(target: &str) -> Option<&str> {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))?;
    let rest = target.get(scheme.len()..)?;
    let end = rest.bytes().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(rest.len());
    rest.get(..end)
}

/// The authority that a good target names itself.
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
/// It agrees with the authority of an absolute-form target (RFC 9112 §3.2). Beside a target that names no authority it may be
/// empty, as for a target URI without one.
pub(super) fn check_authority(request: &Request, given: &Given<'_>, default_authority: &str) -> Result<(), Error> {
    let value = match given.host {
        Some(line) => str::from_utf8(line).ok(),
        None => Some(host(request, default_authority)),
    };
    let is_good = value.is_some_and(|value| match target_authority(request) {
        None => value.is_empty() || is_authority(value, false),
        Some(_) if request.method == "CONNECT" => is_authority(value, false),
        Some(authority) => value.eq_ignore_ascii_case(authority),
    });
    if is_good { Ok(()) } else { misuse(Misuse::InvalidAuthority) }
}

/// The value of the `Host` line, where the caller has given none.
pub(super) fn host<'a>(request: &'a Request, default_authority: &'a str) -> &'a str {
    match &request.authority {
        Some(authority) => authority,
        None => target_authority(request).unwrap_or(default_authority),
    }
}

/// What the caller's field lines say.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    pub(super) host: Option<&'a [u8]>,
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) expects: bool,
    /// `Upgrade` offers a protocol.
    pub(super) upgrade: bool,
    /// There is an `Upgrade` line, perhaps with nothing in it.
    pub(super) upgrade_line: bool,
    pub(super) te: bool,
    /// Of `Connection`.
    pub(super) close_option: bool,
    pub(super) upgrade_option: bool,
    pub(super) te_option: bool,
}

impl<'a> Given<'a> {
    pub(super) fn read(fields: &'a [FieldLine]) -> Result<Given<'a>, Error> {
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
            self.upgrade_line = true;
        } else if is("te") {
            // It is always accepted, and naming it is forbidden (RFC 9112 §7.4).
            if field::members(value).any(|member| names_coding(member, b"chunked")) {
                return misuse(Misuse::ConflictingFraming);
            }
            self.te = true;
        } else if is("expect") {
            self.expects |= field::members(value).any(|member| member.eq_ignore_ascii_case(b"100-continue"));
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
    let name = member.split(|&octet| octet == b';').next().unwrap_or_default();
    trim_ows(name).eq_ignore_ascii_case(coding)
}

/// A field line that a strict recipient reads back as it was given (RFC 9110 §5.1, §5.5; RFC 9112 §5): in particular it is one
/// line.
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
pub(super) const NOT_IN_TRAILERS: [&str; 30] = include!("not_in_trailers.in");

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
        if NOT_IN_TRAILERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return misuse(Misuse::ForbiddenTrailer);
        }
    }
    Ok(())
}

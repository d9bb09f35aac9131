//! Where the content of a response ends (RFC 9112 §6).

use crate::abnf::{decimal, is_same_name, is_token, trim_ows};
use crate::field;
use crate::request::Asked;
use crate::types::{Error, HttpVersion, Incompatibility, Leniency, Misbehaviour, PackedHead};

/// How the end of a response's content is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no content.
    None,
    /// Exactly this many octets, up to 2^63-1.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
    /// No more messages: the connection is a tunnel from here on.
    Tunnel,
}

/// The message body length of RFC 9112 §6.3, by its numbered rules. The seventh is about requests.
///
/// `101` is taken here too, since it is final for HTTP on this connection; the other interim responses have no content.
/// Lines that frame wrongly are refused even where there is no content to frame: who sent them cannot be trusted with the
/// next message either. Only in a tunnel they mean nothing, as RFC 9110 §9.3.6 wants it.
///
/// # Errors
/// - `peer-misbehaved`: `unsolicited-switch`, `invalid-content-length`, `conflicting-content-length`,
///   `invalid-transfer-encoding`, `transfer-encoding-with-content-length`, `transfer-encoding-in-http10`.
/// - `peer-incompatible(transfer-coding)`.
pub fn response_framing(asked: Asked, head: &PackedHead, leniency: Leniency) -> Result<Framing, Error> {
    // RFC 9110 §7.8: only what was asked for.
    if head.status == 101 {
        return if asked.upgrade { Ok(Framing::Tunnel) } else { refuse(Misbehaviour::UnsolicitedSwitch) };
    }
    // 2. Before 1, with which it shares no response, because it alone ignores both fields.
    if asked.connect && (200..300).contains(&head.status) {
        return Ok(Framing::Tunnel);
    }
    let coding = transfer_coding(head)?;
    // 5. A length that is not one. Where there is a transfer coding too, rule 3 refuses both anyway.
    let length = content_length(head, leniency)?;
    // 3. Both: the coding would win, but it is an attempt at request smuggling or response splitting.
    if coding.is_some() && length.is_some() {
        return refuse(Misbehaviour::TransferEncodingWithContentLength);
    }
    // §6.1: HTTP/1.0 has no transfer codings; the framing is faulty.
    if coding.is_some() && head.version == HttpVersion::Http10 {
        return refuse(Misbehaviour::TransferEncodingInHttp10);
    }
    // 1. No content whatever the fields say.
    if asked.head || matches!(head.status, 100..200 | 204 | 304) {
        return Ok(Framing::None);
    }
    match (coding, length) {
        // 4. `chunked` is the final coding, and here the only one.
        (Some(Coding::Chunked), _) => Ok(Framing::Chunked),
        (Some(Coding::Other), _) => Err(Error::PeerIncompatible(Incompatibility::TransferCoding)),
        // 6.
        (None, Some(length)) => Ok(Framing::Length(length)),
        // 8.
        (None, None) => Ok(Framing::UntilClose),
    }
}

fn refuse<T>(why: Misbehaviour) -> Result<T, Error> {
    Err(Error::PeerMisbehaved(why))
}

/// The length that the `Content-Length` lines declare, if there are any.
///
/// # Sources
/// RFC 9110 §8.6; RFC 9112 §6.3 rule 5: one value, or with the leniency several that are all valid and equal.
fn content_length(head: &PackedHead, leniency: Leniency) -> Result<Option<u64>, Error> {
    let equal = Leniency::EQUAL_CONTENT_LENGTHS;
    let tolerated = leniency & equal == equal;
    let mut length = None;
    for line in field::values(head, "content-length") {
        for value in line.split(|&octet| octet == b',') {
            let Some(number) = decimal(trim_ows(value)) else {
                return refuse(Misbehaviour::InvalidContentLength);
            };
            if length.is_some_and(|length| !tolerated || length != number) {
                return refuse(Misbehaviour::ConflictingContentLength);
            }
            length = Some(number);
        }
    }
    Ok(length)
}

/// The transfer codings of a message, as far as they matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// `chunked` alone.
    Chunked,
    /// Another one, perhaps with `chunked` behind it.
    Other,
}

/// The transfer coding that the `Transfer-Encoding` lines declare, if there are any.
///
/// # Sources
/// RFC 9112 §6.1, §7: a list of tokens with parameters, compared case-insensitively; `chunked` at most once, last, and without
/// parameters.
fn transfer_coding(head: &PackedHead) -> Result<Option<Coding>, Error> {
    const NAME: &str = "transfer-encoding";
    if !field::contains(head, NAME) {
        return Ok(None);
    }
    let (mut chunked, mut other) = (false, false);
    for member in field::list_members(head, NAME) {
        let name = member.split(|&octet| octet == b';').next().unwrap_or_default();
        let is_chunked = is_same_name(trim_ows(name), b"chunked");
        let has_parameters = name.len() < member.len();
        if chunked || !is_token(trim_ows(name)) || (is_chunked && has_parameters) {
            return refuse(Misbehaviour::InvalidTransferEncoding);
        }
        chunked |= is_chunked;
        other |= !is_chunked;
    }
    match (chunked, other) {
        (_, true) => Ok(Some(Coding::Other)),
        (true, false) => Ok(Some(Coding::Chunked)),
        (false, false) => refuse(Misbehaviour::InvalidTransferEncoding),
    }
}

#[cfg(test)]
mod tests;

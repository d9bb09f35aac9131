//! Writing requests (RFC 9112 §3, §6, §7.1).
//!
//! A checked request gets its form when its turn comes: [`head`] writes it straight into the buffer that leaves.

use alloc::vec::Vec;

use crate::abnf::digits;
use crate::request::{Checked, ContentKind, host};
use crate::types::{FieldLine, Request, RequestContent};

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

/// What a head has at most beside the caller's method, target, authority and lines: the rest of the first line, and [`Additions`].
const ADDED_OCTETS_MAX: usize = 256;

/// Decides which lines a request needs beside the caller's own.
///
/// # Sources
/// RFC 9112 §6.1, §6.2: never both fields. RFC 9110 §8.6: `Content-Length: 0` where the method defines content, none where it
/// does not.
fn additions(request: &Request, checked: &Checked) -> Additions {
    let Checked { content, lines, expects, .. } = checked;
    let length = match (content, &request.content) {
        (ContentKind::UnknownLength, _) => None,
        (ContentKind::Length(length), _) => Some(*length),
        (ContentKind::Whole, RequestContent::Whole(content)) => Some(content.len() as u64),
        (ContentKind::Whole, _) => Some(0),
        (ContentKind::None, _) => matches!(request.method.as_str(), "POST" | "PUT" | "PATCH").then_some(0),
    };
    Additions {
        host: !lines.host,
        length: length.filter(|_| !lines.length),
        chunked: *content == ContentKind::UnknownLength && !lines.coding,
        expect: *expects && !lines.expect,
        upgrade_option: lines.upgrade.field && !lines.upgrade.option,
        te_option: lines.te.field && !lines.te.option,
    }
}

/// Whether the head of a checked request has at most `octets_max` octets, without the `close` option that the connection may add.
pub fn head_fits(request: &Request, checked: &Checked, default_authority: &str, octets_max: usize) -> bool {
    let lines: usize = request.fields.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len()).sum();
    let given = request.method.len() + request.request_target.len() + host(request, default_authority).len() + lines;
    // Most heads are too short to be written for it.
    given.saturating_add(ADDED_OCTETS_MAX) <= octets_max || {
        let mut octets = Vec::new();
        head(request, checked, default_authority, false, &mut octets);
        octets.len() <= octets_max
    }
}

/// Appends the head of a request that was checked for the same authority. `close`: add the `close` option, if it is not there.
///
/// `Host` comes first (RFC 9110 §7.2), then the caller's lines as they are, then what they leave out.
///
/// # Sources
/// RFC 9112 §2.1, §3, §9.6.
pub fn head(request: &Request, checked: &Checked, default_authority: &str, close: bool, out: &mut Vec<u8>) {
    let adds = additions(request, checked);
    let target = match request.request_target.as_str() {
        // RFC 9112 §3.2.1.
        "" => "/",
        target => target,
    };
    out.extend_from_slice(request.method.as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if adds.host {
        put_line("Host", host(request, default_authority).as_bytes(), out);
    }
    put_lines(&request.fields, out);
    if let Some(length) = adds.length {
        out.extend_from_slice(b"Content-Length: ");
        put_number::<10>(length, out);
        out.extend_from_slice(CRLF);
    }
    if adds.chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    if adds.expect {
        out.extend_from_slice(b"Expect: 100-continue\r\n");
    }
    put_connection(adds, close && !checked.closes, out);
    out.extend_from_slice(CRLF);
}

/// One more `Connection` line, with what the caller's own leaves out; the lines of a list are one list (RFC 9110 §5.3).
fn put_connection(adds: Additions, close: bool, out: &mut Vec<u8>) {
    let options = [(adds.upgrade_option, "upgrade"), (adds.te_option, "TE"), (close, "close")];
    let mut before = "Connection: ";
    for (_, option) in options.iter().filter(|(is_missing, _)| *is_missing) {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(option.as_bytes());
        before = ", ";
    }
    if before == ", " {
        out.extend_from_slice(CRLF);
    }
}

const CRLF: &[u8] = b"\r\n";

fn put_lines(fields: &[FieldLine], out: &mut Vec<u8>) {
    for (name, value) in fields {
        put_line(name, value, out);
    }
}

fn put_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if value.is_empty() { b":" } else { b": " });
    out.extend_from_slice(value);
    out.extend_from_slice(CRLF);
}

/// The shortest digits of the number, in base 10 or 16.
fn put_number<const BASE: u64>(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(digits(number, BASE, &mut [0; 20]));
}

/// Appends what stands in front of a chunk's data (RFC 9112 §7.1). For 0 octets it appends nothing: that would be the last chunk.
pub fn chunk_head(octets: u64, out: &mut Vec<u8>) {
    if octets > 0 {
        put_number::<16>(octets, out);
        out.extend_from_slice(CRLF);
    }
}

/// Appends what stands behind a chunk's data.
pub fn chunk_end(out: &mut Vec<u8>) {
    out.extend_from_slice(CRLF);
}

/// Appends the last chunk and the trailer section, which `request::check_trailers` has let pass.
///
/// # Sources
/// RFC 9112 §7.1, §7.1.2.
pub fn last_chunk(trailers: &[FieldLine], out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    put_lines(trailers, out);
    out.extend_from_slice(CRLF);
}

#[cfg(test)]
mod tests;

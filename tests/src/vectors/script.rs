//! What a case becomes: requests, and octets for them.

use super::case::{Case, Kind, Stated};
use super::profile;
use crate::message::{self, Build};
use sandpiper_guest::types::{ConnOptions, Request};

/// The head in front of a line with a chunk size.
const CHUNKED_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// Of longer content than this, only so much is sent: then the response must still be waiting for the rest.
pub const CONTENT_SENT_MAX: u64 = 65_536;

/// Requests of one connection, and what the peer answers.
#[derive(Clone, Debug)]
pub struct Script {
    /// Of the connection.
    pub options: ConnOptions,
    /// All sent before the peer says anything.
    pub requests: Vec<Request>,
    /// What the peer sends.
    pub octets: Vec<u8>,
    /// What was added to the octets of the case to show what its head, or its line, announces.
    pub added: Option<Added>,
}

/// Content behind a head that has none in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The content as it must be read.
    pub content: Vec<u8>,
    /// All of it was sent.
    pub complete: bool,
    /// It lasts until the connection ends.
    pub until_close: bool,
}

impl Script {
    /// The script of a case, with its own settings.
    pub fn of(case: &Case) -> Script {
        let mut octets = with_head(case);
        let added = added(case);
        if let Some((wire, _)) = &added {
            octets.extend_from_slice(wire);
        }
        Script {
            options: profile::settings(&case.options),
            requests: requests(case),
            octets,
            added: added.map(|(_, added)| added),
        }
    }

    /// The same without what the case asks for.
    pub fn strict(&self) -> Script {
        Script { options: profile::settings(&[]), ..self.clone() }
    }

    /// The same without the last octet.
    pub fn shorter(&self) -> Script {
        let mut shorter = self.clone();
        shorter.octets.pop();
        shorter
    }

    /// The same with one more thing tolerated.
    pub fn tolerating(&self, named: &str) -> Script {
        let more = profile::settings(&[named.to_owned()]).leniency;
        let options = ConnOptions { leniency: self.options.leniency | more, ..self.options.clone() };
        Script { options, ..self.clone() }
    }

    /// Whether the connection becomes a tunnel when the first response agrees.
    pub fn may_switch(&self) -> bool {
        self.requests[0].method == "CONNECT" || !self.requests[0].fields.is_empty()
    }
}

/// The octets of a case, with a head where they are a part of a response.
fn with_head(case: &Case) -> Vec<u8> {
    match case.kind {
        _ if case.octets.starts_with(b"HTTP/") => case.octets.clone(),
        Kind::Response => case.octets.clone(),
        Kind::ChunkSizeLine => [CHUNKED_HEAD, &case.octets].concat(),
        Kind::ContentLengthValue => [b"HTTP/1.1 200 OK\r\nContent-Length: ", case.octets.as_slice(), b"\r\n\r\n"].concat(),
    }
}

/// One request for each final response; the first one as the case says.
fn requests(case: &Case) -> Vec<Request> {
    let finals = case.messages.iter().filter(|message| !message.is_interim()).count();
    let first = match case.method.as_str() {
        // The persistence that a head announces does not show when its content lasts until the end: so there is none.
        _ if keep_alive_of_head_alone(case) => "HEAD",
        method => method,
    };
    let target = if first == "CONNECT" { "example.test:80" } else { "/" };
    let mut request = message::request(first, target).idempotent(true);
    if let Some(protocols) = offered(case) {
        request = request.field("Connection", "upgrade").field("Upgrade", protocols);
    }
    // A source that reads several responses without content has asked for each of them so.
    let next = if first == "HEAD" { "HEAD" } else { "GET" };
    let more = (1..finals).map(|index| message::request(next, &format!("/{index}")));
    std::iter::once(request).chain(more).collect()
}

fn keep_alive_of_head_alone(case: &Case) -> bool {
    let framed =
        [b"content-length".as_slice(), b"transfer-encoding"].iter().any(|name| field_value(&case.octets, name).is_some());
    let stated = case.stated.framing.is_some() || case.stated.length.is_some();
    case.head_only && case.stated.keep_alive.is_some() && !framed && !stated && case.method == "GET"
}

/// The protocols that the request offers: a source that says 101 has asked for it.
fn offered(case: &Case) -> Option<Vec<u8>> {
    let switches = |stated: &Stated| stated.status == Some(101) && stated.upgrade != Some(false);
    let switched = case.accept == Some(true) && (switches(&case.stated) || case.messages.iter().any(switches));
    let named = || field_value(&case.octets, b"upgrade").unwrap_or(b"echo".to_vec());
    case.offers.clone().map(String::into_bytes).or_else(|| switched.then(named))
}

/// The value of a field line, as far as it can be found without reading the head as one.
fn field_value(octets: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let line = octets
        .split(|octet| *octet == b'\n')
        .find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name))?;
    Some(line[name.len()..].strip_prefix(b":")?.trim_ascii().to_vec())
}

/// What shows the framing that a head announces, or the size that a line does: content of that length, and how it stands on the wire.
fn added(case: &Case) -> Option<(Vec<u8>, Added)> {
    if case.accept != Some(true) || case.partial {
        return None;
    }
    let all = |content: Vec<u8>| Added { content, complete: true, until_close: false };
    match (case.kind, case.stated.framing.as_deref()) {
        (Kind::ChunkSizeLine, _) => chunk(case),
        (Kind::Response, _) if !case.head_only => None,
        (_, Some("none")) => Some((Vec::new(), all(Vec::new()))),
        (_, Some("chunked")) => Some((b"3\r\nabc\r\n0\r\n\r\n".to_vec(), all(b"abc".to_vec()))),
        (_, Some("until-eof")) => Some((b"abc".to_vec(), Added { until_close: true, ..all(b"abc".to_vec()) })),
        (_, None | Some("content-length")) => {
            let length = case.stated.length?;
            let content = content(length);
            let complete = content.len() as u64 == length;
            Some((content.clone(), Added { complete, ..all(content) }))
        }
        (_, Some(_)) => None,
    }
}

/// The rest of a chunk, and the end behind it.
fn chunk(case: &Case) -> Option<(Vec<u8>, Added)> {
    let size = case.stated.length?;
    let begun = case.octets.get(case.consumed.unwrap_or(case.octets.len())..)?;
    let mut content = content(size);
    let complete = content.len() as u64 == size;
    let mut wire = content.get(begun.len()..)?.to_vec();
    content[..begun.len()].copy_from_slice(begun);
    if complete {
        wire.extend_from_slice(if size == 0 { b"\r\n" } else { b"\r\n0\r\n\r\n" });
    }
    Some((wire, Added { content, complete, until_close: false }))
}

fn content(length: u64) -> Vec<u8> {
    let octets = usize::try_from(length.min(CONTENT_SENT_MAX)).unwrap_or(0);
    b"abcdefghij".iter().copied().cycle().take(octets).collect()
}

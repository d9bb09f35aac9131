//! Requests, options and responses, made in one expression.

use crate::scenario::pace;
use sandpiper_guest::PollOptions;
use sandpiper_guest::types::{ConnOptions, Leniency, Persistence, Request, RequestContent, RequestOptions};
pub use sandpiper_guest::types::{Limit, Timer};

/// That many milliseconds, in nanoseconds.
pub fn ms(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(pace::stretch() * 1_000_000)
}

/// A request without field lines, content or options.
pub fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.to_owned(),
        request_target: target.to_owned(),
        authority: None,
        fields: Vec::new(),
        content: RequestContent::None,
        options: None,
    }
}

/// A `GET`.
pub fn get(target: &str) -> Request {
    request("GET", target)
}

/// A `POST` with its content.
pub fn post(target: &str, content: impl Into<Vec<u8>>) -> Request {
    request("POST", target).content(content)
}

/// What a scenario adds to a request.
pub trait Build: Sized {
    /// A field line behind the others.
    fn field(self, name: &str, value: impl Into<Vec<u8>>) -> Self;
    /// The whole content.
    fn content(self, content: impl Into<Vec<u8>>) -> Self;
    /// Content of this length follows.
    fn length(self, octets: u64) -> Self;
    /// Content of unknown length follows.
    fn streamed(self) -> Self;
    /// Its options.
    fn options(self, set: impl FnOnce(&mut RequestOptions)) -> Self;

    /// A deadline of its own, in milliseconds.
    fn deadline(self, timer: Timer, milliseconds: u64) -> Self {
        self.options(|options| options.deadlines.push((timer, ms(milliseconds))))
    }
    /// The caller says whether it may be repeated.
    fn idempotent(self, idempotent: bool) -> Self {
        self.options(|options| options.idempotent = Some(idempotent))
    }
    /// Its content waits for `100 (Continue)`.
    fn expecting(self) -> Self {
        self.options(|options| options.expect_continue = true)
    }
    /// It asks for another protocol.
    fn upgrade(self) -> Self {
        self.field("Connection", "upgrade").field("Upgrade", "echo")
    }
}

impl Build for Request {
    fn field(mut self, name: &str, value: impl Into<Vec<u8>>) -> Request {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    fn content(self, content: impl Into<Vec<u8>>) -> Request {
        Request { content: RequestContent::Whole(content.into()), ..self }
    }

    fn length(self, octets: u64) -> Request {
        Request { content: RequestContent::Length(octets), ..self }
    }

    fn streamed(self) -> Request {
        Request { content: RequestContent::UnknownLength, ..self }
    }

    fn options(mut self, set: impl FnOnce(&mut RequestOptions)) -> Request {
        set(self.options.get_or_insert_with(RequestOptions::default));
        self
    }
}

/// Connection options that are all left to their defaults.
pub fn options() -> ConnOptions {
    ConnOptions::default()
}

/// Options of a connection that pipelines from its first request on.
pub fn assume() -> ConnOptions {
    options().persistence(Persistence::Assume)
}

/// What a scenario changes in the options of a connection.
pub trait Tune: Sized {
    /// How many requests it carries.
    fn persistence(self, persistence: Persistence) -> Self;
    /// One of its limits.
    fn limit(self, limit: Limit, value: u64) -> Self;
    /// One of its deadlines, in milliseconds.
    fn deadline(self, timer: Timer, milliseconds: u64) -> Self;
    /// What it tolerates.
    fn tolerating(self, leniency: Leniency) -> Self;
    /// It sends FIN after its last request.
    fn half_closing(self) -> Self;

    /// How many are on the wire at once.
    fn depth(self, requests: u32) -> Self {
        self.limit(Limit::Outstanding, requests.into())
    }
    /// It keeps a log.
    fn logging(self, entries: u32) -> Self {
        self.limit(Limit::LogEntries, entries.into())
    }
}

impl Tune for ConnOptions {
    fn persistence(self, persistence: Persistence) -> ConnOptions {
        ConnOptions { persistence: Some(persistence), ..self }
    }

    fn limit(mut self, limit: Limit, value: u64) -> ConnOptions {
        self.limits.push((limit, value));
        self
    }

    fn deadline(mut self, timer: Timer, milliseconds: u64) -> ConnOptions {
        self.deadlines.push((timer, ms(milliseconds)));
        self
    }

    fn tolerating(self, leniency: Leniency) -> ConnOptions {
        ConnOptions { leniency, ..self }
    }

    fn half_closing(self) -> ConnOptions {
        ConnOptions { half_close: true, ..self }
    }
}

/// Options of a poll with these limits.
pub fn poll_options(limits: impl Into<Vec<(Limit, u64)>>) -> PollOptions {
    PollOptions { limits: limits.into(), names_kept: None }
}

/// A 200 with this content and its length.
pub fn ok(content: impl AsRef<[u8]>) -> Vec<u8> {
    response("200 OK", "", content)
}

/// A response with this content, its length, and more field lines, each with its CRLF.
pub fn response(status: &str, fields: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut octets = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", content.len()).into_bytes();
    octets.extend_from_slice(content);
    octets
}

/// A response that is to end with the connection.
pub fn last(content: impl AsRef<[u8]>) -> Vec<u8> {
    response("200 OK", "Connection: close\r\n", content)
}

/// A 200 in the chunked coding: each chunk as it is given, then the last one, the trailer lines, and the end.
pub fn chunked(chunks: &[&str], trailers: &str) -> Vec<u8> {
    let mut octets = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        octets.extend_from_slice(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
    }
    octets.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    octets
}

/// One run of octets from several.
pub fn joined(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    parts.into_iter().flatten().collect()
}

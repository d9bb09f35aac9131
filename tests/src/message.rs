//! Requests, options and responses, made in one expression.

use crate::scenario::pace;
use sandpiper_guest::types::{ConnOptions, Deadlines, Leniency, Limits, Persistence, Request, RequestContent, RequestOptions};

/// Deadlines that are all left to their defaults.
pub const NO_DEADLINES: Deadlines = Deadlines {
    queue: None,
    connect: None,
    await_continue: None,
    first_octet: None,
    between_octets: None,
    total: None,
    idle: None,
    drain: None,
    lifetime: None,
    pipeline_stall: None,
};

/// Limits that are all left to their defaults.
pub const NO_LIMITS: Limits = Limits {
    head_octets_max: None,
    field_lines_max: None,
    interim_responses_max: None,
    trailer_octets_max: None,
    chunk_extension_octets_max: None,
    receive_buffer_octets_max: None,
    send_buffer_octets_max: None,
    request_head_octets_max: None,
    queued_octets_max: None,
    queue_length_max: None,
    drain_octets_max: None,
    requests_max: None,
};

const NO_REQUEST_OPTIONS: RequestOptions = RequestOptions {
    idempotent: None,
    hold_pipeline: None,
    expect_continue: None,
    content_octets_max: None,
    deadlines: None,
    reuse: None,
};

/// That many milliseconds, as an option of `deadlines`.
pub fn ms(milliseconds: u64) -> Option<u64> {
    Some(milliseconds.saturating_mul(pace::stretch() * 1_000_000))
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

    /// Its own deadlines.
    fn deadlines(self, set: impl FnOnce(&mut Deadlines)) -> Self {
        self.options(|options| set(options.deadlines.get_or_insert(NO_DEADLINES)))
    }
    /// The caller says whether it may be repeated.
    fn idempotent(self, idempotent: bool) -> Self {
        self.options(|options| options.idempotent = Some(idempotent))
    }
    /// Its content waits for `100 (Continue)`.
    fn expecting(self) -> Self {
        self.options(|options| options.expect_continue = Some(true))
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
        set(self.options.get_or_insert(NO_REQUEST_OPTIONS));
        self
    }
}

/// Connection options that are all left to their defaults.
pub fn options() -> ConnOptions {
    ConnOptions {
        persistence: None,
        pipeline_depth_max: None,
        limits: None,
        deadlines: None,
        leniency: None,
        half_close: None,
        log_entries_max: None,
    }
}

/// Options of a connection that pipelines from its first request on.
pub fn assume() -> ConnOptions {
    options().persistence(Persistence::Assume)
}

/// What a scenario changes in the options of a connection.
pub trait Tune: Sized {
    /// How many requests it carries.
    fn persistence(self, persistence: Persistence) -> Self;
    /// How many are on the wire at once.
    fn depth(self, requests: u32) -> Self;
    /// Its limits.
    fn limits(self, set: impl FnOnce(&mut Limits)) -> Self;
    /// Its deadlines.
    fn timed(self, set: impl FnOnce(&mut Deadlines)) -> Self;
    /// What it tolerates.
    fn tolerating(self, leniency: Leniency) -> Self;
    /// It sends FIN after its last request.
    fn half_closing(self) -> Self;
    /// It keeps a log.
    fn logging(self, entries: u32) -> Self;
}

impl Tune for ConnOptions {
    fn persistence(self, persistence: Persistence) -> ConnOptions {
        ConnOptions { persistence: Some(persistence), ..self }
    }

    fn depth(self, requests: u32) -> ConnOptions {
        ConnOptions { pipeline_depth_max: Some(requests), ..self }
    }

    fn limits(mut self, set: impl FnOnce(&mut Limits)) -> ConnOptions {
        set(self.limits.get_or_insert(NO_LIMITS));
        self
    }

    fn timed(mut self, set: impl FnOnce(&mut Deadlines)) -> ConnOptions {
        set(self.deadlines.get_or_insert(NO_DEADLINES));
        self
    }

    fn tolerating(self, leniency: Leniency) -> ConnOptions {
        ConnOptions { leniency: Some(leniency), ..self }
    }

    fn half_closing(self) -> ConnOptions {
        ConnOptions { half_close: Some(true), ..self }
    }

    fn logging(self, entries: u32) -> ConnOptions {
        ConnOptions { log_entries_max: Some(entries), ..self }
    }
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

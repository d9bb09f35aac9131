//! How a server answers: every kind of framing, with and without the end of the connection.

use super::requests::Found;
use crate::choices::Choices;
use std::fmt;

/// An octet of the content of the response to a request.
pub fn answer_octet(token: u64, position: usize) -> u8 {
    let digit = (token.wrapping_mul(7).wrapping_add(position as u64)) % 10;
    b'0' + u8::try_from(digit).unwrap_or(0)
}

/// How the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which kind of response.
    pub kind: AnswerKind,
    /// How much content.
    pub octets: usize,
    /// How many interim responses come first.
    pub interim: usize,
}

/// Kinds of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// `Content-Length`.
    Length,
    /// The chunked coding, with a trailer section, in this many chunks.
    Chunked(usize),
    /// `Connection: close`.
    Close,
    /// Content until the close.
    UntilClose,
    /// HTTP/1.0 with `keep-alive`.
    Http10,
    /// 204.
    NoContent,
    /// 304 with a length.
    NotModified,
    /// `Keep-Alive`, with so many more requests.
    KeepAlive(u64),
}

/// A response that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Where it begins in all that the server sends.
    pub start: u64,
    /// Where it ends, or where its content begins to last until the close.
    pub end: u64,
    /// How much content.
    pub octets: usize,
    /// How many interim responses are before it.
    pub interim: usize,
    /// It has a trailer section.
    pub trailers: bool,
    /// Its content lasts until the close.
    pub until_close: bool,
    /// It is the last one of the connection.
    pub last: bool,
    /// It shows that the connection persists, and can be pipelined on.
    pub persists: bool,
}

impl Answer {
    /// Draws one, with content and interim responses of one of these numbers.
    pub fn draw(choices: &mut Choices, octets: &[usize], interim: &[usize]) -> Answer {
        use AnswerKind::{Chunked, Close, Http10, KeepAlive, Length, NoContent, NotModified, UntilClose};
        let kind = match choices.below(64) {
            0..40 => Length,
            40..52 => Chunked(choices.below(5)),
            52..54 => NoContent,
            54..56 => NotModified,
            56..58 => Http10,
            58..60 => KeepAlive(choices.below(8) as u64),
            60..62 => Close,
            _ => UntilClose,
        };
        let interim = if choices.chance(1, 6) { *choices.pick(interim) } else { 0 };
        Answer { kind, octets: *choices.pick(octets), interim }
    }

    /// The same with one thing less to think about, in every way.
    pub fn simpler(&self) -> Vec<Answer> {
        vec![
            Answer { kind: AnswerKind::Length, ..self.clone() },
            Answer { octets: 0, ..self.clone() },
            Answer { octets: self.octets.min(1), ..self.clone() },
            Answer { interim: 0, ..self.clone() },
        ]
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.interim > 0 {
            write!(f, "{} interim, ", self.interim)?;
        }
        write!(f, "{} octets", self.octets)?;
        match self.kind {
            AnswerKind::Length => Ok(()),
            AnswerKind::Chunked(chunks) => write!(f, " in {chunks} chunks"),
            AnswerKind::Close => f.write_str(", Connection: close"),
            AnswerKind::UntilClose => f.write_str(" until it closes"),
            AnswerKind::Http10 => f.write_str(", HTTP/1.0, keep-alive"),
            AnswerKind::NoContent => f.write_str(", 204"),
            AnswerKind::NotModified => f.write_str(", 304"),
            AnswerKind::KeepAlive(max) => write!(f, ", Keep-Alive: max={max}"),
        }
    }
}

/// A response in octets, and what is to be known of it; `start`: where it begins.
pub(super) fn compose(found: &Found, answer: &Answer, start: u64) -> (Vec<u8>, Reply) {
    let mark = format!("X-Token: {}\r\n", found.token);
    let interim = format!("HTTP/1.1 103 Early Hints\r\n{mark}\r\n").repeat(answer.interim);
    let has_content = !found.is_head && !matches!(answer.kind, AnswerKind::NoContent | AnswerKind::NotModified);
    let until_close = answer.kind == AnswerKind::UntilClose && has_content;
    let length = format!("{mark}Content-Length: {}\r\n", answer.octets);
    let head = match answer.kind {
        AnswerKind::UntilClose if has_content => format!("HTTP/1.1 200 OK\r\n{mark}\r\n"),
        AnswerKind::Length | AnswerKind::UntilClose => format!("HTTP/1.1 200 OK\r\n{length}\r\n"),
        AnswerKind::Chunked(_) => format!("HTTP/1.1 200 OK\r\n{mark}Transfer-Encoding: chunked\r\n\r\n"),
        AnswerKind::Close => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{length}\r\n"),
        AnswerKind::Http10 => format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n{length}\r\n"),
        AnswerKind::NoContent => format!("HTTP/1.1 204 No Content\r\n{mark}\r\n"),
        AnswerKind::NotModified => format!("HTTP/1.1 304 Not Modified\r\n{mark}Content-Length: 7\r\n\r\n"),
        AnswerKind::KeepAlive(max) => format!("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3, max={max}\r\n{length}\r\n"),
    };
    let content: Vec<u8> = (0..answer.octets).map(|position| answer_octet(found.token, position)).collect();
    let mut octets = format!("{interim}{head}").into_bytes();
    let trailers = matches!(answer.kind, AnswerKind::Chunked(_)) && has_content;
    match answer.kind {
        _ if !has_content => {}
        AnswerKind::Chunked(chunks) => append_chunks(&mut octets, &content, chunks, &mark),
        _ => octets.extend_from_slice(&content),
    }
    let reply = Reply {
        start,
        end: start + octets.len() as u64,
        octets: if has_content { content.len() } else { 0 },
        interim: answer.interim,
        trailers,
        until_close,
        last: until_close || answer.kind == AnswerKind::Close || found.closes,
        persists: !until_close && !matches!(answer.kind, AnswerKind::Close | AnswerKind::Http10),
    };
    (octets, reply)
}

fn append_chunks(octets: &mut Vec<u8>, content: &[u8], chunks: usize, mark: &str) {
    for chunk in content.chunks(content.len().div_ceil(chunks.max(1)).max(1)) {
        octets.extend_from_slice(format!("{:x};n=v\r\n", chunk.len()).as_bytes());
        octets.extend_from_slice(chunk);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(format!("0\r\n{mark}\r\n").as_bytes());
}

//! A stream of requests, read by a strict server's rules: which ones there are, where each begins and ends, and that each has the content that
//! its caller gave it.

use crate::peer;

/// A request in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number: its target.
    pub token: u64,
    /// It asks for no content in its response.
    pub is_head: bool,
    /// It waits for `100 (Continue)`.
    pub expects: bool,
    /// Where it begins.
    pub start: u64,
    /// As much of its content as is there.
    pub content_octets: usize,
    /// All of it is there.
    pub whole: bool,
    /// It carries `Connection: close`.
    pub closes: bool,
    /// Where it ends; where the stream ends, if it is not whole.
    pub end: u64,
}

/// Reads requests from a stream that grows.
#[derive(Debug, Default)]
pub struct RequestReader {
    rest: Vec<u8>,
    read: u64,
    /// The requests whose heads are there, in their order; all but the last are whole.
    pub found: Vec<Found>,
}

/// An octet of the content of a request.
pub fn content_octet(token: u64, position: usize) -> u8 {
    let letter = (token.wrapping_mul(11).wrapping_add(position as u64)) % 26;
    b'a' + u8::try_from(letter).unwrap_or(0)
}

impl RequestReader {
    /// Octets so far.
    pub fn len(&self) -> u64 {
        self.read + self.rest.len() as u64
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The octets behind the last whole request.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// The request of this number, if its head is there.
    pub fn get(&self, token: u64) -> Option<&Found> {
        self.found.iter().rev().find(|found| found.token == token)
    }

    /// The last request, if it is not whole.
    pub fn partial(&self) -> Option<&Found> {
        self.found.last().filter(|found| !found.whole)
    }

    /// How many octets of the request of this number are there; when only a part of a head is there, it is the next number that it can be of.
    pub fn octets_of(&self, token: u64) -> u64 {
        match self.get(token) {
            Some(found) => found.end - found.start,
            None if self.partial().is_none() && self.may_begin(token) => self.rest.len() as u64,
            None => 0,
        }
    }

    /// Whether what stands behind the last whole request may be the beginning of the request of this number.
    pub fn may_begin(&self, token: u64) -> bool {
        if self.rest.is_empty() || self.found.last().is_some_and(|last| last.token >= token) {
            return false;
        }
        let Some(target) = self.rest.split(|octet| *octet == b' ').nth(1) else { return true };
        let known = String::from_utf8_lossy(target);
        let wanted = format!("/{token}");
        let line_goes_on = self.rest.iter().filter(|octet| **octet == b' ').count() > 1;
        if line_goes_on { known == wanted } else { wanted.starts_with(known.as_ref()) }
    }

    /// The stream goes on.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(octets);
        if self.partial().is_some() {
            self.found.pop();
        }
        while let Some((seen, taken)) = peer::read(&self.rest)? {
            let found = self.check(&seen, taken)?;
            self.found.push(found);
            if !seen.whole {
                break;
            }
            self.rest.drain(..taken);
            self.read += taken as u64;
        }
        Ok(())
    }

    fn check(&self, seen: &peer::Seen, taken: usize) -> Result<Found, String> {
        let token = seen.target.strip_prefix('/').and_then(|token| token.parse().ok());
        let token: u64 = token.ok_or_else(|| format!("a target that nobody gave: {}", seen.target))?;
        if self.found.last().is_some_and(|last| last.token >= token) {
            return Err(format!("{token} is sent twice, or late"));
        }
        if let Some(position) = (0..seen.content.len()).find(|&position| seen.content[position] != content_octet(token, position))
        {
            return Err(format!("{token} has content at {position} that nobody gave"));
        }
        if let [(name, value), ..] = &seen.trailers[..]
            && (name != "X-Token" || *value != token.to_string().into_bytes())
        {
            return Err(format!("{token} has the trailer section {:?}", seen.trailers));
        }
        Ok(Found {
            token,
            is_head: seen.method == "HEAD",
            expects: seen.field("expect").is_some(),
            closes: seen.field("connection").is_some_and(|options| options.eq_ignore_ascii_case(b"close")),
            start: self.read,
            content_octets: seen.content.len(),
            whole: seen.whole,
            end: self.read + taken as u64,
        })
    }
}

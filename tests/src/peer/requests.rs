//! A stream of requests, read by a strict server's rules: which ones there are, where each begins and ends, and that each has the content that
//! its caller gave it.

use super::{Seen, read};

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
    /// The only authority that its requests may name. In a pool, requests that are sent again come behind later ones.
    pool: Option<String>,
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
    /// Reads what a connection of a pool sends to this authority: its numbers come in any order, each once.
    pub fn of_pool(authority: String) -> RequestReader {
        RequestReader { pool: Some(authority), ..RequestReader::default() }
    }

    /// The number of the request that has begun to come, once its target has: its head is not whole.
    pub fn begun(&self) -> Option<u64> {
        let mut words = self.rest.split(|octet| *octet == b' ');
        let target = words.nth(1).filter(|_| self.partial().is_none() && words.next().is_some())?;
        String::from_utf8_lossy(target).strip_prefix('/')?.parse().ok()
    }

    /// Whether any octet that tells of the request of this number has come.
    pub fn has_heard(&self, token: u64) -> bool {
        self.get(token).is_some() || self.begun() == Some(token)
    }

    /// The numbers of all of which an octet has come that tells so.
    pub fn heard(&self) -> impl Iterator<Item = u64> {
        self.found.iter().map(|found| found.token).chain(self.begun())
    }

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
        while let Some((seen, taken)) = read(&self.rest)? {
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

    fn check(&self, seen: &Seen, taken: usize) -> Result<Found, String> {
        let token = seen.target.strip_prefix('/').and_then(|token| token.parse().ok());
        let token: u64 = token.ok_or_else(|| format!("a target that nobody gave: {}", seen.target))?;
        let is_late = match &self.pool {
            Some(_) => self.get(token).is_some(),
            None => self.found.last().is_some_and(|last| last.token >= token),
        };
        if is_late {
            return Err(format!("{token} is sent twice, or late"));
        }
        if self.pool.as_ref().is_some_and(|authority| seen.field("host") != Some(authority.as_bytes())) {
            return Err(format!("{token} is sent to another origin: {seen:?}"));
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

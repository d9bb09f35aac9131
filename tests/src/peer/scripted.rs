//! A server that does what it is told, and remembers what it really received, sent and acted upon. It knows nothing of the client but
//! its octets.

use super::answer::{Answer, AnswerKind, Reply, compose};
use super::requests::{Found, RequestReader};
use std::ops::Range;

/// What a server should not send: a response too many, noise, empty lines, a switch that nobody asked for, the announcement of a time-out.
const INJECTED: [&str; 5] = [
    "HTTP/1.1 200 OK\r\nX-Token: 0\r\nContent-Length: 6\r\n\r\npoison",
    "nonsense",
    "\r\n\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 408 Request Timeout\r\nX-Token: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
];

/// What [`Server::inject`] sends.
pub fn injected(what: usize) -> &'static [u8] {
    INJECTED[what % INJECTED.len()].as_bytes()
}

/// A server's end of a connection.
#[derive(Debug, Default)]
pub struct Server {
    /// What it has received.
    pub requests: RequestReader,
    /// Its responses, with the numbers of their requests.
    pub replies: Vec<(u64, Reply)>,
    /// Where each `100 (Continue)` begins and ends, with the number of its request.
    pub continued: Vec<(u64, Range<u64>)>,
    /// Octets that it has sent.
    pub sent: u64,
    /// Where it began to send what it should not, and what.
    pub wrong: Option<(u64, usize)>,
    /// It answers no more.
    pub is_done: bool,
    /// It has ended its direction, or reset the connection.
    pub is_ended: bool,
    answered: usize,
    /// It has said that it acts on no request from this one on.
    declared: Option<usize>,
}

impl Server {
    /// A server of a pool's connection, which is this authority.
    pub fn of_pool(authority: String) -> Server {
        Server { requests: RequestReader::of_pool(authority), ..Server::default() }
    }

    /// The response to a request.
    pub fn reply(&self, token: u64) -> Option<&Reply> {
        self.replies.iter().rev().find(|(of, _)| *of == token).map(|(_, reply)| reply)
    }

    /// How many interim responses it has sent to a request.
    pub fn interim_of(&self, token: u64) -> usize {
        let continued = self.continued.iter().filter(|(of, _)| *of == token).count();
        continued + self.reply(token).map_or(0, |reply| reply.interim)
    }

    /// Whether it may have acted on a request: it has its head, and has not said that it does not.
    pub fn may_have_acted(&self, token: u64) -> bool {
        let place = self.requests.found.iter().position(|found| found.token == token);
        place.is_some_and(|place| self.declared.is_none_or(|first| place < first))
    }

    /// The request that is answered next, if all of it is there.
    pub fn next(&self) -> Option<&Found> {
        self.requests.found.get(self.answered).filter(|found| found.whole)
    }

    /// Whether it still sends what it should.
    pub fn may_answer(&self) -> bool {
        !self.is_done && self.wrong.is_none() && !self.is_ended
    }

    fn count(&mut self, octets: Vec<u8>) -> Vec<u8> {
        self.sent += octets.len() as u64;
        octets
    }

    /// Answers the next request. Gives what it sends.
    pub fn answer(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        let found = self.next().filter(|_| self.may_answer())?.clone();
        let octets = self.respond(&found, answer);
        self.answered += 1;
        Some(self.count(octets))
    }

    /// Answers a request of which only a part is there.
    pub fn answer_early(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        let found = self.unanswered_partial().filter(|_| self.may_answer())?.clone();
        let octets = self.respond(&found, answer);
        self.answered += 1;
        Some(self.count(octets))
    }

    /// The request of which only a part is there, if it is the next to be answered.
    fn unanswered_partial(&self) -> Option<&Found> {
        self.requests.found.get(self.answered).filter(|found| !found.whole)
    }

    fn respond(&mut self, found: &Found, answer: &Answer) -> Vec<u8> {
        let (octets, reply) = compose(found, answer, self.sent);
        self.is_done |= reply.last;
        if answer.kind == AnswerKind::Close {
            self.declared = Some(self.answered + 1);
        }
        self.replies.push((found.token, reply));
        octets
    }

    /// Says `100 (Continue)` to the request that waits for it.
    pub fn proceed(&mut self) -> Option<Vec<u8>> {
        let waiting =
            self.unanswered_partial().filter(|found| found.expects && found.content_octets == 0 && self.may_answer())?;
        let token = waiting.token;
        if self.continued.iter().any(|(of, _)| *of == token) {
            return None;
        }
        let start = self.sent;
        let octets = self.count(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
        self.continued.push((token, start..self.sent));
        Some(octets)
    }

    /// Acts on a request that it never answers.
    pub fn swallow(&mut self) {
        self.is_done |= self.next().is_some();
    }

    /// Sends what it should not.
    pub fn inject(&mut self, what: usize) -> Option<Vec<u8>> {
        if self.wrong.is_some() || self.is_ended {
            return None;
        }
        self.wrong = Some((self.sent, what % INJECTED.len()));
        let octets = injected(what).to_vec();
        if octets.windows(5).any(|window| window == b"close") {
            self.declared = Some(self.answered);
        }
        Some(self.count(octets))
    }
}

//! Everything in any order: a connection, its caller and its peer do what a seed says, and a small model knows what must be true of every
//! request: it is answered by its own response, or fails with what is known of its delivery; never both, never twice.
//!
//! `SANDPIPER_MODEL_STEPS` sets how many steps are taken, `SANDPIPER_MODEL_SEED` plays one episode again.

use sandpiper_guest::conn::{ClientConn, ExchangeId, TransportWish};
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{
    Chunk, CloseReason, ConnOptions, ConnState, Delivery, Ending, Error, Failure, Limit, Persistence, Request, Response,
    ResponseHead,
};
use sandpiper_tests::message::{Build, Tune, ms, options, request};
use sandpiper_tests::random::Random;
use sandpiper_tests::{memory, peer};
use std::collections::{BTreeMap, VecDeque};

const STEPS: usize = 200_000;
const STEPS_PER_EPISODE: usize = 150;
/// No episode holds more: its contents are small, and so are the limits.
const MEMORY_OCTETS_MAX: isize = 4 << 20;

/// What the peer answers to one request.
struct Plan {
    /// Where the answer begins, and where it ends, in all that the peer sends.
    start: usize,
    end: usize,
    content: Vec<u8>,
    /// It is the last one of the connection.
    closes: bool,
}

/// How one request ended.
#[derive(Debug)]
enum Outcome {
    Answered,
    Failed(Failure),
}

/// One request, as the model knows it.
struct Asked {
    id: ExchangeId,
    method: &'static str,
    /// Content that is still to be written; `None`: nothing is streamed.
    to_write: Option<usize>,
    finished: bool,
    /// It is gathered for `take_completed`.
    gathered: bool,
    collecting: bool,
    forgotten: bool,
    /// What was read of its content.
    read: Vec<u8>,
    outcome: Option<Outcome>,
}

struct Episode {
    random: Random,
    conn: ClientConn,
    now: Instant,
    asked: BTreeMap<u64, Asked>,
    last_token: u64,

    /// What the peer got, and how far it has understood it.
    got: Vec<u8>,
    parsed: usize,
    /// Tokens of requests in the order in which they came.
    seen: Vec<u64>,
    answered: usize,
    plans: BTreeMap<u64, Plan>,
    coming: VecDeque<u8>,
    sent: usize,
    delivered: usize,
    ending: Option<Ending>,
    /// The peer has sent what no response is.
    wrong: bool,
    /// It answers no more.
    last: bool,
    first_reason: Option<Error>,
}

/// A peer's answer: its octets, its content, and whether it is the last.
fn answer(random: &mut Random, token: u64, method: &str) -> (Vec<u8>, Vec<u8>, bool) {
    let content = format!("{token}:{}", "x".repeat(*random.pick(&[0, 1, 10, 100, 3_000]))).into_bytes();
    let mark = format!("X-Token: {token}\r\n");
    let mut octets = Vec::new();
    for _ in 0..*random.pick(&[0, 0, 0, 1, 2]) {
        octets.extend_from_slice(format!("HTTP/1.1 103 Early Hints\r\n{mark}\r\n").as_bytes());
    }
    let kind = random.below(24);
    let length = content.len();
    let (head, closes) = match kind {
        0 => (format!("HTTP/1.1 200 OK\r\n{mark}Connection: close\r\nContent-Length: {length}\r\n\r\n"), true),
        1 if method != "HEAD" => (format!("HTTP/1.1 200 OK\r\n{mark}\r\n"), true),
        2 => (format!("HTTP/1.0 200 OK\r\n{mark}Connection: keep-alive\r\nContent-Length: {length}\r\n\r\n"), false),
        3 => (format!("HTTP/1.1 204 No Content\r\n{mark}\r\n"), false),
        4 => (format!("HTTP/1.1 304 Not Modified\r\n{mark}Content-Length: 7\r\n\r\n"), false),
        5..10 => (format!("HTTP/1.1 200 OK\r\n{mark}Transfer-Encoding: chunked\r\n\r\n"), false),
        10 => (format!("HTTP/1.1 200 OK\r\n{mark}Keep-Alive: timeout=3, max=3\r\nContent-Length: {length}\r\n\r\n"), false),
        _ => (format!("HTTP/1.1 200 OK\r\n{mark}Content-Length: {length}\r\n\r\n"), false),
    };
    octets.extend_from_slice(head.as_bytes());
    if method == "HEAD" || kind == 3 || kind == 4 {
        return (octets, Vec::new(), closes);
    }
    if (5..10).contains(&kind) {
        let cut = random.below(length + 1);
        for piece in [&content[..cut], &content[cut..]].into_iter().filter(|piece| !piece.is_empty()) {
            octets.extend_from_slice(format!("{:x};n=v\r\n", piece.len()).as_bytes());
            octets.extend_from_slice(piece);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("0\r\n{mark}\r\n").as_bytes());
    } else {
        octets.extend_from_slice(&content);
    }
    (octets, content, closes)
}

fn conn_options(random: &mut Random) -> ConnOptions {
    let persistence = *random.pick(&[Persistence::Learn, Persistence::Assume, Persistence::Assume, Persistence::Close]);
    let seconds = *random.pick(&[5_000, 60_000]);
    let limits = [1_024, 4_096, 262_144];
    let (receive, send) = (*random.pick(&limits), *random.pick(&limits));
    let requests_max = *random.pick(&[None, None, Some(3)]);
    let given = options().persistence(persistence).depth(*random.pick(&[1, 2, 5, 64])).timed(|deadlines| {
        deadlines.first_octet = ms(seconds);
        deadlines.between_octets = ms(seconds);
        deadlines.idle = ms(seconds);
    });
    let given = given.limits(|limits| {
        limits.receive_buffer_octets_max = Some(receive);
        limits.send_buffer_octets_max = Some(send);
        limits.drain_octets_max = Some(2_000);
        limits.queue_length_max = Some(20);
        limits.requests_max = requests_max;
    });
    if random.chance(1, 4) { given.half_closing() } else { given }
}

impl Episode {
    fn new(seed: u64) -> Episode {
        let mut random = Random::new(seed);
        let settings = Settings::checked(Some(&conn_options(&mut random))).expect("valid options");
        let now = Instant(1_000_000_000);
        Episode {
            random,
            conn: ClientConn::new(1, "example.test".to_owned(), settings, now),
            now,
            asked: BTreeMap::new(),
            last_token: 0,
            got: Vec::new(),
            parsed: 0,
            seen: Vec::new(),
            answered: 0,
            plans: BTreeMap::new(),
            coming: VecDeque::new(),
            sent: 0,
            delivered: 0,
            ending: None,
            wrong: false,
            last: false,
            first_reason: None,
        }
    }

    fn step(&mut self) {
        let held_back = self.conn.wants_octets() == 0;
        match self.random.below(100) {
            0..12 => self.send(),
            12..22 => self.write(),
            22..34 => self.read(),
            34..37 => self.collect(),
            37..40 => self.cancel(),
            40..43 => self.forget(),
            43..58 => self.transmit(),
            58..70 => self.reply(),
            70..90 => self.deliver(),
            90..93 => self.pass(),
            93..96 => self.conn.established(None, None, self.now),
            96 => self.end(),
            97 => self.inject(),
            98 if self.random.chance(1, 4) => self.conn.shutdown(self.now),
            99 if self.random.chance(1, 8) => self.conn.close(CloseReason::Local, self.now),
            _ => {
                let mut reported = 0;
                self.conn.take_ready(3, |_, ready| {
                    assert_ne!(ready, sandpiper_guest::Readiness::empty());
                    reported += 1;
                });
                assert!(reported <= 3);
                let _ = self.conn.take_change();
            }
        }
        self.observe(held_back);
    }

    fn any(&mut self, fits: impl Fn(&Asked) -> bool) -> Option<u64> {
        let tokens: Vec<u64> =
            self.asked.iter().filter(|(_, asked)| !asked.forgotten && fits(asked)).map(|(token, _)| *token).collect();
        (!tokens.is_empty()).then(|| *self.random.pick(&tokens))
    }

    fn send(&mut self) {
        for _ in 0..*self.random.pick(&[1, 1, 2, 5]) {
            let token = self.last_token + 1;
            let target = format!("/{token}");
            let (method, given, to_write): (_, Request, _) = match self.random.below(12) {
                0 => ("HEAD", request("HEAD", &target), None),
                1 => ("POST", request("POST", &target).content("content"), None),
                2 => ("PUT", request("PUT", &target).content(vec![b'x'; 20_000]), None),
                3 => ("PUT", request("PUT", &target).length(3_000), Some(3_000)),
                4 => ("POST", request("POST", &target).streamed(), Some(2_000)),
                _ => ("GET", request("GET", &target), None),
            };
            let gathered = self.random.chance(1, 5);
            let given = if gathered { given.options(|options| options.collect_octets_max = Some(2_000)) } else { given };
            let given = if self.random.chance(1, 10) { given.idempotent(self.random.chance(1, 2)) } else { given };
            let given =
                if self.random.chance(1, 12) { given.options(|options| options.content_octets_max = Some(500)) } else { given };
            let given = if self.random.chance(1, 12) {
                given.deadlines(|deadlines| {
                    deadlines.total = ms(2_000);
                    deadlines.queue = ms(1_000);
                })
            } else {
                given
            };
            match self.conn.send(given, token, self.now) {
                Ok(id) => {
                    self.last_token = token;
                    let asked = Asked {
                        id,
                        method,
                        to_write,
                        finished: false,
                        gathered,
                        collecting: false,
                        forgotten: false,
                        read: Vec::new(),
                        outcome: None,
                    };
                    self.asked.insert(token, asked);
                }
                Err(failure) => {
                    assert_eq!((failure.delivery, failure.octets_sent), (Delivery::NotSent, 0));
                    let full = matches!(failure.error, Error::LimitExceeded(_) | Error::Closed(CloseReason::LocalOption));
                    assert!(self.conn.is_closed() || full, "{failure:?}");
                }
            }
        }
    }

    fn write(&mut self) {
        let Some(token) = self.any(|asked| asked.to_write.is_some() && !asked.finished) else { return };
        let Some(asked) = self.asked.get_mut(&token) else { return };
        let left = asked.to_write.unwrap_or_default();
        if left == 0 || self.random.chance(1, 20) {
            asked.finished = true;
            let _ = self.conn.finish(asked.id, Vec::new(), self.now);
            return;
        }
        let octets = 1 + self.random.below(left);
        if let Ok(accepted) = self.conn.write(asked.id, vec![b'y'; octets], self.now) {
            let accepted = usize::try_from(accepted).expect("a count");
            assert!(accepted <= octets);
            asked.to_write = Some(left - accepted);
        }
    }

    fn read(&mut self) {
        let Some(token) = self.any(|asked| !asked.gathered && !asked.collecting) else { return };
        let octets_max = *self.random.pick(&[0, 1, 100, 100_000]);
        self.read_one(token, octets_max);
    }

    fn read_one(&mut self, token: u64, octets_max: u64) -> bool {
        let Some(asked) = self.asked.get_mut(&token) else { return false };
        match self.conn.read(asked.id, octets_max, self.now) {
            Ok(Chunk::Data(octets)) => {
                assert!(!octets.is_empty() && octets.len() as u64 <= octets_max.max(1));
                asked.read.extend_from_slice(&octets);
                true
            }
            Ok(Chunk::WouldBlock) => false,
            Ok(Chunk::End(_)) => {
                let content = asked.read.clone();
                let head = self.conn.head(asked.id).expect("an end is no failure").expect("a head");
                self.check_answer(token, &head, &content);
                false
            }
            Err(_) => false,
        }
    }

    fn collect(&mut self) {
        let Some(token) =
            self.any(|asked| !asked.gathered && !asked.collecting && asked.outcome.is_none() && asked.read.is_empty())
        else {
            return;
        };
        let Some(asked) = self.asked.get_mut(&token) else { return };
        match self.conn.begin_collect(asked.id, 2_500, self.now) {
            Ok(()) => asked.collecting = true,
            // It had come whole, and was too large: that was its end.
            Err(failure) => asked.forgotten = failure.error == Error::LimitExceeded(Limit::CollectOctets),
        }
    }

    fn cancel(&mut self) {
        let Some(token) = self.any(|_| true) else { return };
        let Some(asked) = self.asked.get_mut(&token) else { return };
        self.conn.cancel(asked.id, self.now);
    }

    fn forget(&mut self) {
        let Some(token) = self.any(|_| true) else { return };
        let Some(asked) = self.asked.get_mut(&token) else { return };
        asked.forgotten = !asked.gathered;
        self.conn.forget(asked.id, self.now);
    }

    fn transmit(&mut self) {
        let octets = self.conn.to_transmit().len();
        if octets == 0 {
            return;
        }
        if self.ending == Some(Ending::Reset) {
            self.conn.transmit_failed(Ending::Reset, self.now);
            assert!(self.conn.to_transmit().is_empty());
            return;
        }
        let octets = if self.random.chance(2, 3) { octets } else { 1 + self.random.below(octets) };
        self.got.extend_from_slice(&self.conn.to_transmit()[..octets]);
        self.conn.transmitted(octets, self.now);
        self.understand();
    }

    /// The peer reads what it got.
    fn understand(&mut self) {
        loop {
            let octets = &self.got[self.parsed..];
            match peer::read(octets) {
                Err(wrong) => panic!("the peer got {wrong}"),
                Ok(Some((seen, taken))) if seen.whole => {
                    self.parsed += taken;
                    let token: u64 = seen.target[1..].parse().expect("a token");
                    assert!(self.seen.last().is_none_or(|last| *last < token), "{token} is sent twice, or late");
                    self.seen.push(token);
                }
                Ok(_) => return,
            }
        }
    }

    /// The peer answers the next request that it got.
    fn reply(&mut self) {
        if self.last || self.wrong || self.ending.is_some() {
            return;
        }
        let Some(&token) = self.seen.get(self.answered) else { return self.reply_early() };
        self.answer(token);
        self.answered += 1;
    }

    /// The peer answers a request of which it has only a part.
    fn reply_early(&mut self) {
        if !self.random.chance(1, 10) {
            return;
        }
        if let Ok(Some((seen, _))) = peer::read(&self.got[self.parsed..]) {
            self.answer(seen.target[1..].parse().expect("a token"));
            self.last = true;
        }
    }

    fn answer(&mut self, token: u64) {
        let method = self.asked[&token].method;
        let (octets, content, closes) = answer(&mut self.random, token, method);
        let start = self.sent;
        self.sent += octets.len();
        self.coming.extend(&octets);
        self.last = closes;
        self.plans.insert(token, Plan { start, end: self.sent, content, closes });
    }

    fn deliver(&mut self) {
        let wanted = self.conn.wants_octets();
        if wanted == 0 {
            return;
        }
        if self.coming.is_empty() {
            return match self.ending {
                Some(ending) => self.conn.receive_end(ending, self.now),
                None => self.conn.nothing_to_receive(self.now),
            };
        }
        let most = *self.random.pick(&[1, 10, 100, 100_000]);
        let octets = (1 + self.random.below(most)).min(self.coming.len()).min(wanted);
        let piece: Vec<u8> = self.coming.drain(..octets).collect();
        self.delivered += octets;
        self.conn.receive(piece, self.now);
    }

    fn pass(&mut self) {
        let span_ms = *self.random.pick(&[0, 1, 100, 1_000]);
        self.now = Instant(self.now.0 + span_ms * 1_000_000);
        self.conn.handle_timeout(self.now);
        let next = self.conn.deadline();
        assert!(next.is_none_or(|(at, _)| at > self.now), "not done with: {next:?}");
    }

    fn end(&mut self) {
        if self.ending.is_none() && (self.last || self.random.chance(1, 10)) {
            self.ending = Some(if self.random.chance(1, 4) { Ending::Reset } else { Ending::Ended });
        }
    }

    /// The peer sends what it should not.
    fn inject(&mut self) {
        if self.ending.is_some() || self.wrong || !self.random.chance(1, 6) {
            return;
        }
        self.wrong = true;
        let octets = self.random.pick(&[
            "HTTP/1.1 200 OK\r\nX-Token: 0\r\nContent-Length: 6\r\n\r\npoison",
            "nonsense",
            "\r\n\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 408 Request Timeout\r\nX-Token: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ]);
        self.sent += octets.len();
        self.coming.extend(octets.as_bytes());
    }

    fn check_answer(&mut self, token: u64, head: &ResponseHead, content: &[u8]) {
        let own = head.fields.iter().find(|(name, _)| name == "X-Token").map(|(_, value)| value.clone());
        let own = own.unwrap_or_default();
        if own == b"0" {
            assert!(self.wrong);
        } else {
            assert_eq!(own, token.to_string().into_bytes(), "the response of another request");
            let plan = &self.plans[&token];
            // What is injected into content that lasts until the close is content.
            let injected = self.wrong && plan.closes && content.starts_with(&plan.content);
            assert!(injected || content == plan.content, "of {token}: {}", content.escape_ascii());
            assert!(plan.end <= self.delivered, "{token} is answered before its end");
        }
        let Some(asked) = self.asked.get_mut(&token) else { return };
        assert!(!matches!(asked.outcome, Some(Outcome::Failed(_))), "{token} failed, and is answered");
        asked.outcome = Some(Outcome::Answered);
    }

    fn check_failure(&mut self, token: u64, failure: Failure, held_back: bool) {
        let Some(asked) = self.asked.get_mut(&token) else { return };
        match &asked.outcome {
            Some(Outcome::Failed(first)) => return assert_eq!(*first, failure, "{token} changes its failure"),
            Some(Outcome::Answered) => panic!("{token} is answered, and fails with {failure:?}"),
            None => asked.outcome = Some(Outcome::Failed(failure)),
        }
        assert_ne!(failure.error, Error::Internal);
        let plan = self.plans.get(&token);
        let started = plan.is_some_and(|plan| self.delivered > plan.start);
        let last = self.plans.values().any(|plan| plan.closes && self.delivered > plan.start);
        match failure.delivery {
            Delivery::NotSent => {
                assert_eq!(failure.octets_sent, 0);
                assert!(!self.seen.contains(&token), "{token} was sent");
            }
            Delivery::Unprocessed => assert!((last || self.wrong) && failure.octets_sent > 0, "{failure:?}"),
            Delivery::Unanswered => {
                assert!(failure.octets_sent > 0);
                // What an earlier response brought about stands before what came behind it.
                let from_outside = matches!(failure.error, Error::Incomplete(_) | Error::TimedOut(_))
                    || failure.error == Error::Closed(CloseReason::Cancelled)
                    || failure.error == Error::Closed(CloseReason::Local);
                assert!(
                    !started || held_back || self.wrong || !from_outside,
                    "{token}: a part of its response came: {failure:?}"
                );
            }
            Delivery::ResponseStarted => assert!(started || self.wrong, "{token}: nothing of its response came: {failure:?}"),
        }
    }

    /// What must be true after every step.
    fn observe(&mut self, held_back: bool) {
        let tokens: Vec<u64> = self.asked.iter().filter(|(_, asked)| !asked.forgotten).map(|(token, _)| *token).collect();
        for token in tokens {
            let asked = &self.asked[&token];
            if matches!(asked.outcome, Some(Outcome::Answered)) || asked.gathered {
                continue;
            }
            if asked.collecting
                && let Some(collected) = self.conn.take_response(asked.id)
            {
                self.ended(token, collected, held_back);
            } else if let Err(failure) = self.conn.head(self.asked[&token].id) {
                self.check_failure(token, failure, held_back);
            }
        }
        while let Some(completed) = self.conn.take_completed() {
            let known = &self.asked[&completed.token];
            assert!(known.gathered && known.outcome.is_none(), "{} ends twice", completed.token);
            self.ended(completed.token, completed.outcome, held_back);
        }
        if self.conn.transport() == TransportWish::HalfClose {
            self.conn.half_closed();
        }
        let (state, reason) = (self.conn.state(), self.conn.ended_by());
        assert!(self.first_reason.is_none() || self.first_reason == reason, "{:?} becomes {reason:?}", self.first_reason);
        assert_ne!(reason, Some(Error::Internal));
        self.first_reason = reason;
        if state == ConnState::Closed {
            let quiet = self.conn.to_transmit().is_empty() && self.conn.wants_octets() == 0 && self.conn.deadline().is_none();
            assert!(quiet && self.conn.length() == 0, "a closed connection has something to do");
        }
    }

    fn ended(&mut self, token: u64, outcome: Result<Response, Failure>, held_back: bool) {
        match outcome {
            Ok(response) => self.check_answer(token, &response.head, &response.content),
            Err(failure) => self.check_failure(token, failure, held_back),
        }
    }

    /// The end of the episode: everything that was asked has exactly one outcome.
    fn finish(&mut self) {
        if self.random.chance(1, 2) {
            self.finish_in_order();
        }
        let held_back = self.conn.wants_octets() == 0;
        self.conn.close(CloseReason::Local, self.now);
        self.observe(held_back);
        let readable: Vec<u64> = self.asked.keys().copied().collect();
        for token in readable {
            let asked = &self.asked[&token];
            let streamed = !asked.forgotten && !asked.gathered && !asked.collecting;
            while streamed && self.asked[&token].outcome.is_none() && self.read_one(token, 1_000) {}
        }
        for (token, asked) in &self.asked {
            assert!(asked.forgotten || asked.outcome.is_some(), "{token} never ends");
        }
        // A part of a request at the end of what the peer got is part of one that failed, but not of one that was not sent.
        let rest = &self.got[self.parsed..];
        let torn = self.asked.iter().any(|(token, asked)| {
            let sent = matches!(&asked.outcome, Some(Outcome::Failed(failure)) if failure.octets_sent > 0);
            !self.seen.contains(token) && (sent || asked.forgotten || matches!(asked.outcome, Some(Outcome::Answered)))
        });
        assert!(rest.is_empty() || torn, "nobody's octets were sent: {}", rest.escape_ascii());
    }

    /// Everybody does what is expected of them: what nobody stands in the way of is answered.
    fn finish_in_order(&mut self) {
        for _ in 0..200 {
            self.conn.established(None, None, self.now);
            let held_back = self.conn.wants_octets() == 0;
            self.deliver();
            self.transmit();
            self.reply();
            if self.last && self.coming.is_empty() && self.ending.is_none() {
                self.ending = Some(Ending::Ended);
            }
            self.write();
            let tokens: Vec<u64> = self.asked.keys().copied().collect();
            for token in tokens {
                let asked = &self.asked[&token];
                if !asked.forgotten && !asked.gathered && !asked.collecting && asked.outcome.is_none() {
                    self.read_one(token, 100_000);
                }
            }
            self.observe(held_back);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("play it again with SANDPIPER_MODEL_SEED={}", self.0);
        }
    }
}

#[test]
fn whatever_happens_every_request_has_one_true_outcome() {
    let steps = number("SANDPIPER_MODEL_STEPS").map_or(STEPS, |steps| usize::try_from(steps).expect("a count"));
    let only = number("SANDPIPER_MODEL_SEED");
    let mut answered = 0;
    let mut failed = BTreeMap::new();
    let episodes = if only.is_some() { 1 } else { steps.div_ceil(STEPS_PER_EPISODE) };
    for seed in (only.unwrap_or(0)..).take(episodes) {
        let _seed = OnPanic(seed);
        let before = memory::held();
        memory::reset_peak();
        let mut episode = Episode::new(seed);
        for _ in 0..STEPS_PER_EPISODE {
            episode.step();
        }
        episode.finish();
        for asked in episode.asked.values() {
            match &asked.outcome {
                Some(Outcome::Answered) => answered += 1,
                Some(Outcome::Failed(failure)) => *failed.entry(format!("{:?}", failure.delivery)).or_insert(0) += 1,
                None => {}
            }
        }
        drop(episode);
        let held = memory::held() - before;
        assert!(memory::peak() - before < MEMORY_OCTETS_MAX, "an episode took {} octets", memory::peak() - before);
        assert!(held < 65_536, "an episode left {held} octets behind");
    }
    if only.is_none() && steps >= STEPS {
        assert!(answered > 1_000, "{answered} answers, {failed:?}");
        assert_eq!(failed.len(), 4, "every delivery occurs: {failed:?}");
    }
}

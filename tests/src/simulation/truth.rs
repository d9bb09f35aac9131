//! What must be true of a connection after every step, told by what its server really received and sent.

use super::client::{Asked, COLLECTED_OCTETS_MAX, Client, GATHERED_OCTETS_MAX, Outcome};
use super::step::AskContent;
use crate::peer::answer::{Reply, answer_octet};
use crate::peer::scripted::{Server, injected};
use sandpiper_guest::conn::TransportWish;
use sandpiper_guest::settings::READ_OCTETS_MAX;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{
    CloseReason, ConnState, Delivery, Error, Failure, FieldLine, Limit, PackedResponse, Persistence, Response, ResponseHead,
    Timer,
};

/// `interim-responses-max`.
const INTERIM_MAX: usize = super::setup::INTERIM_RESPONSES_MAX;
const MS: u64 = 1_000_000;
/// The defaults of `connect`, `await-continue` and `drain`.
const CONNECT_NS: u64 = 30_000 * MS;
const AWAIT_CONTINUE_NS: u64 = 1_000 * MS;
const DRAIN_NS: u64 = 1_000 * MS;
/// What an exchange may take beside its contents, and a connection beside its buffers.
const MEMORY_OF_EXCHANGE: usize = 4_096;
const MEMORY_OF_CONN: usize = 16_384;

impl Client {
    /// Looks at everything that can be seen from outside. `held_back`: the connection wanted no octets before the step.
    pub(super) fn observe(&mut self, server: &Server, held_back: bool, now: Instant) {
        let before = crate::memory::held();
        let tokens: Vec<u64> = self.asked.iter().filter(|(_, asked)| !asked.dropped).map(|(token, _)| *token).collect();
        for token in tokens {
            let asked = &self.asked[&token];
            if matches!(asked.outcome, Some(Outcome::Answered)) || asked.ask.gathered {
                continue;
            }
            if asked.collecting
                && let Some(collected) = self.conn.take_response(asked.id)
            {
                self.ended(token, collected.map(PackedResponse::unpacked), server, held_back, now);
            } else if let Err(failure) = self.conn.head(self.asked[&token].id) {
                self.check_failure(token, failure, server, held_back, now);
            }
        }
        while let Some(completed) = self.conn.take_completed() {
            let known = &self.asked[&completed.token];
            assert!(known.ask.gathered && known.outcome.is_none(), "{} ends twice", completed.token);
            self.ended(completed.token, completed.outcome.map(PackedResponse::unpacked), server, held_back, now);
        }
        self.held += crate::memory::held() - before;
        self.check_conn();
        self.check_memory();
    }

    fn ended(&mut self, token: u64, outcome: Result<Response, Failure>, server: &Server, held_back: bool, now: Instant) {
        match outcome {
            Ok(response) => {
                let interim = response.interim.iter().filter(|head| head.status != 100).count() + self.asked[&token].interim;
                let sent = server.reply(token).map_or(0, |reply| reply.interim);
                assert_eq!(interim, sent, "interim responses of {token}");
                self.check_answer(token, &response.head, Some(&response.content), &response.trailers, server);
            }
            Err(failure) => self.check_failure(token, failure, server, held_back, now),
        }
    }

    /// A head belongs to the request that has it.
    pub(super) fn check_owner(&self, token: u64, head: &ResponseHead, server: &Server) {
        let own = head.fields.iter().find(|(name, _)| name == "X-Token").map(|(_, value)| value.clone());
        if own.as_deref() == Some(b"0") {
            let (start, _) = server.wrong.expect("a response that nobody sent");
            let began = Some(self.head_began).filter(|_| self.sent.may_begin(token));
            let (_, received) = self.asked[&token].left.or(began).expect("a response before the request");
            assert!(received <= start, "{token} left behind a response too many, and is answered with it");
            assert!(server.reply(token).is_none_or(|reply| reply.start > start), "{token} has another answer");
        } else {
            assert_eq!(own, Some(token.to_string().into_bytes()), "the response of another request than {token}");
        }
    }

    /// Content is that of the response to its request.
    pub(super) fn check_content(&self, token: u64, from: usize, octets: &[u8], server: &Server) {
        for (position, octet) in (from..).zip(octets) {
            let sent = match (server.reply(token), server.wrong) {
                (Some(reply), _) if position < reply.octets => Some(answer_octet(token, position)),
                // What is injected into content that lasts until the close is content.
                (Some(reply), Some((_, what))) if reply.until_close => injected(what).get(position - reply.octets).copied(),
                (None, Some(_)) => b"poison".get(position).copied(),
                _ => None,
            };
            assert_eq!(Some(*octet), sent, "content of {token} at {position}");
        }
    }

    /// A request is answered by its own response, whole.
    pub(super) fn check_answer(
        &mut self,
        token: u64,
        head: &ResponseHead,
        content: Option<&[u8]>,
        trailers: &[FieldLine],
        server: &Server,
    ) {
        self.check_owner(token, head, server);
        let asked = &self.asked[&token];
        assert!(!matches!(asked.outcome, Some(Outcome::Failed(_))), "{token} failed, and is answered");
        if let Some(content) = content {
            self.check_content(token, 0, content, server);
        }
        let octets = content.map_or(asked.read, <[u8]>::len);
        if let Some(reply) = server.reply(token) {
            self.check_whole(token, reply, octets, server);
            let own = ("X-Token".to_owned(), token.to_string().into_bytes());
            assert_eq!(trailers, if reply.trailers { vec![own] } else { Vec::new() }, "trailers of {token}");
            let interim = server.interim_of(token);
            assert!(interim <= INTERIM_MAX + asked.interim_taken, "{token} is answered behind {interim} interim responses");
        }
        let most = match (asked.ask.gathered, asked.collecting) {
            (true, _) => GATHERED_OCTETS_MAX,
            (_, true) => COLLECTED_OCTETS_MAX,
            _ => u64::MAX,
        };
        let most = most.min(asked.ask.content_octets_max.unwrap_or(u64::MAX));
        assert!(octets as u64 <= most, "{token} is answered with {octets} octets of at most {most}");
        self.asked.get_mut(&token).expect("it was asked").outcome = Some(Outcome::Answered);
    }

    fn check_whole(&self, token: u64, reply: &Reply, octets: usize, server: &Server) {
        assert!(reply.end <= self.received, "{token} is answered before its end");
        let behind = match server.wrong {
            Some((start, what)) if reply.until_close && start >= reply.end => injected(what).len(),
            _ => 0,
        };
        assert_eq!(octets, reply.octets + behind, "content of {token}");
        if reply.until_close {
            let all = self.ended_in_order && self.received == server.sent;
            assert!(all, "{token} lasts until the close, and ends before it");
        }
    }

    /// A request fails once, and its failure is true.
    fn check_failure(&mut self, token: u64, failure: Failure, server: &Server, held_back: bool, now: Instant) {
        let Some(asked) = self.asked.get_mut(&token) else { return };
        match &asked.outcome {
            Some(Outcome::Failed(first)) => return assert_eq!(*first, failure, "{token} changes its failure"),
            Some(Outcome::Answered) => panic!("{token} is answered, and fails with {failure:?}"),
            None => asked.outcome = Some(Outcome::Failed(failure)),
        }
        self.touched = now;
        let asked = &self.asked[&token];
        self.check_delivery(asked, failure, server, held_back);
        self.check_error(asked, failure.error, server);
        if let Error::TimedOut(timer) = failure.error {
            self.check_not_early(asked, timer, now);
        }
    }

    fn check_delivery(&self, asked: &Asked, failure: Failure, server: &Server, held_back: bool) {
        let token = asked.ask.token;
        let left = self.sent.get(token).is_some();
        let octets = self.sent.octets_of(token);
        let exact = failure.octets_sent == octets || (!left && failure.octets_sent == 0);
        assert!(exact, "{octets} octets of {token} were sent: {failure:?}");
        let reply = server.reply(token);
        let started = reply.is_some_and(|reply| self.received > reply.start)
            || server.continued.iter().any(|(of, at)| *of == token && at.start < self.received);
        let wrong = server.wrong.is_some_and(|(start, _)| self.received > start);
        let last = server.replies.iter().any(|(_, reply)| reply.last && self.received > reply.start);
        match failure.delivery {
            Delivery::NotSent => assert!(!left && failure.octets_sent == 0, "{token} was sent: {failure:?}"),
            Delivery::Unprocessed => assert!((last || wrong) && failure.octets_sent > 0, "{token}: {failure:?}"),
            Delivery::Unanswered => {
                assert!(failure.octets_sent > 0, "{token}: {failure:?}");
                // What an earlier response brought about stands before what came behind it.
                let from_outside = matches!(failure.error, Error::Incomplete(_) | Error::TimedOut(_))
                    || failure.error == Error::Closed(CloseReason::Cancelled)
                    || failure.error == Error::Closed(CloseReason::Local);
                let unseen = held_back || wrong || !from_outside;
                assert!(!started || unseen, "{token}: a part of its response came: {failure:?}");
            }
            Delivery::ResponseStarted => assert!(started || wrong, "{token}: nothing of its response came: {failure:?}"),
        }
    }

    /// Nobody is blamed for what they did not do.
    fn check_error(&self, asked: &Asked, error: Error, server: &Server) {
        let token = asked.ask.token;
        let wrong = server.wrong.is_some_and(|(start, _)| self.received > start);
        let received = |reply: &Reply| self.received > reply.start;
        let replies = || server.replies.iter().map(|(_, reply)| reply).filter(|reply| received(reply));
        let own = server.reply(token).filter(|reply| received(reply)).map_or(0, |reply| reply.octets) as u64;
        let holds = match error {
            Error::PeerMisbehaved(_) => wrong,
            Error::Incomplete(_) => self.saw_end || self.send_failed,
            Error::LimitExceeded(Limit::InterimResponses) => {
                server.replies.iter().any(|(of, reply)| received(reply) && server.interim_of(*of) > INTERIM_MAX)
            }
            Error::LimitExceeded(Limit::ContentOctets) => wrong || asked.ask.content_octets_max.is_some_and(|most| own > most),
            Error::LimitExceeded(Limit::CollectOctets) => wrong || own > GATHERED_OCTETS_MAX,
            Error::Closed(CloseReason::Cancelled) => asked.cancelled || asked.dropped,
            Error::Closed(CloseReason::PeerOption | CloseReason::UntilClose) => {
                wrong || replies().any(|reply| reply.last || reply.persists)
            }
            Error::Internal => false,
            _ => true,
        };
        assert!(holds, "{token} fails with {error:?}");
    }

    /// No deadline passes before its time.
    fn check_not_early(&self, asked: &Asked, timer: Timer, now: Instant) {
        let silence = self.setup.silence_ms * MS;
        let total = asked.ask.total_ms.map_or(u64::MAX, |span| span * MS);
        let (since, span) = match timer {
            Timer::Total => (asked.began, total),
            Timer::Queue => (asked.began, total / 2),
            Timer::FirstOctet => (asked.left_whole.expect("a deadline of what was not sent"), silence),
            // That of the first one ends all of them.
            Timer::PipelineStall => {
                let first = self.asked.values().filter_map(|asked| asked.left_whole).min();
                (first.expect("a deadline of what was not sent"), u64::from(self.setup.stall_ms) * MS)
            }
            Timer::BetweenOctets => (self.moved, silence),
            Timer::Connect => (self.began, CONNECT_NS),
            Timer::AwaitContinue
            | Timer::Idle
            | Timer::Drain
            | Timer::Lifetime
            | Timer::Settings
            | Timer::Ping
            | Timer::KeepAlive => {
                panic!("no request fails by the deadline {timer:?}")
            }
        };
        assert!(now.since(since) >= span, "{} is too late by {timer:?} after {} ns of {span}", asked.ask.token, now.since(since));
    }

    fn check_conn(&mut self) {
        let (state, reason) = (self.conn.state(), self.conn.ended_by());
        assert!(self.ended_by.is_none() || self.ended_by == reason, "{:?} becomes {reason:?}", self.ended_by);
        assert_ne!(reason, Some(Error::Internal));
        self.ended_by = reason;
        let info = self.conn.info();
        assert_eq!((info.octets_sent, info.octets_received), (self.sent.len(), self.received));
        assert_eq!(self.conn.length(), info.queued + info.outstanding);
        assert!(info.outstanding <= self.setup.depth, "{} requests outstanding", info.outstanding);
        assert_eq!(self.conn.is_closed(), reason.is_some());
        if state == ConnState::Closed {
            let quiet = self.conn.to_transmit().is_empty() && self.conn.wants_octets() == 0 && self.conn.deadline().is_none();
            assert!(quiet && self.conn.length() == 0, "a closed connection has something to do");
            assert_eq!(self.conn.transport(), TransportWish::Close);
            let end = (reason, info.responses);
            assert_eq!(*self.closed.get_or_insert(end), end, "something came after the end");
        }
    }

    /// What the connection holds is bounded by its limits and by what its caller gave it, not by what its server sends.
    fn check_memory(&self) {
        let setup = &self.setup;
        let buffers = setup.receive_octets_max as usize + setup.send_octets_max as usize + 3 * READ_OCTETS_MAX;
        let of = |asked: &Asked| {
            let given = if let AskContent::Whole(octets) = asked.ask.content { octets } else { 0 };
            let gathered = if asked.collecting || asked.ask.gathered { 2 * COLLECTED_OCTETS_MAX } else { 0 };
            MEMORY_OF_EXCHANGE + 2 * given + usize::try_from(gathered).unwrap_or(0)
        };
        let most = MEMORY_OF_CONN + buffers + self.asked.values().map(of).sum::<usize>();
        assert!(self.held <= most.cast_signed(), "the connection holds {} octets, and may hold {most}", self.held);
    }

    /// The transport took octets: what leaves, leaves in its turn.
    pub(super) fn note_sent(&mut self, octets: &[u8], server: &Server, now: Instant) {
        let heads = self.sent.found.len();
        let torn = self.sent.partial().is_none() && !self.sent.rest().is_empty();
        let began = if torn { self.head_began } else { (now, self.received) };
        self.sent.push(octets).unwrap_or_else(|wrong| panic!("the client sends {wrong}"));
        for place in heads..self.sent.found.len() {
            let token = self.sent.found[place].token;
            let asked = self.asked.get_mut(&token).unwrap_or_else(|| panic!("nobody asked for {token}"));
            asked.left = Some(if place == heads { began } else { (now, self.received) });
            self.check_turn(place, server);
        }
        if self.sent.partial().is_none() && (heads < self.sent.found.len() || !torn) {
            self.head_began = (now, self.received);
        }
        for found in self.sent.found.iter().skip(heads.saturating_sub(1)) {
            let asked = self.asked.get_mut(&found.token).expect("it was asked");
            if found.whole {
                self.check_request_content(found.token, found.content_octets);
                self.asked.get_mut(&found.token).expect("it was asked").left_whole.get_or_insert(now);
            } else if found.expects && found.content_octets > 0 {
                let told = server.continued.iter().any(|(of, at)| *of == found.token && at.end <= self.received);
                let waited = now.since(asked.began) >= AWAIT_CONTINUE_NS;
                // A final response that refuses nothing: the rest goes on.
                let answered = server.reply(found.token).is_some_and(|reply| !reply.last && reply.start < self.received);
                let wrong = server.wrong.is_some_and(|(start, _)| self.received > start);
                assert!(told || waited || answered || wrong, "the content of {} does not wait for 100", found.token);
            }
        }
    }

    fn check_request_content(&self, token: u64, octets: usize) {
        let asked = &self.asked[&token];
        let given = match asked.ask.content {
            AskContent::None => 0,
            AskContent::Whole(octets) | AskContent::Length(octets) => octets,
            AskContent::Unknown => asked.written,
        };
        assert_eq!(octets, given, "content of the request {token}");
    }

    /// A request leaves alone, unless it and all that are outstanding may stand in a pipeline (RFC 9112 §9.3.2).
    fn check_turn(&self, place: usize, server: &Server) {
        let token = self.sent.found[place].token;
        let asked = &self.asked[&token];
        let received = asked.left.map_or(0, |(_, received)| received);
        if server.wrong.is_some_and(|(start, _)| start < received) {
            return;
        }
        let open = |of: u64| server.reply(of).is_none_or(|reply| reply.end > received);
        let before: Vec<u64> = self.sent.found[..place].iter().map(|found| found.token).filter(|of| open(*of)).collect();
        if before.is_empty() {
            let answered = server.replies.iter().map(|(_, reply)| reply.end).filter(|end| *end <= received).max();
            let looked = self.looks > asked.looks && self.looked_at.is_some_and(|at| at >= answered.unwrap_or(0));
            assert!(asked.ask.pipelines() || looked, "{token} leaves without a look");
            return;
        }
        let fits = asked.ask.pipelines() && before.iter().all(|of| self.asked[of].ask.pipelines());
        assert!(fits, "{token} leaves behind {before:?}");
        assert!(before.len() < self.setup.depth as usize, "{} are outstanding", before.len() + 1);
        let learnt = server.replies.iter().any(|(_, reply)| reply.persists && reply.end <= received);
        let may = learnt || self.setup.persistence == Persistence::Assume;
        assert!(may && self.setup.persistence != Persistence::Close, "{token} leaves behind {before:?}, and nothing was learnt");
    }

    /// No deadline is let pass: `handle_timeout` was just called.
    pub(super) fn check_not_late(&self, server: &Server, now: Instant) {
        let next = self.conn.deadline();
        assert!(next.is_none_or(|(at, _)| at > now), "not done with {next:?}");
        if self.conn.state() == ConnState::Closed {
            return;
        }
        let silence = self.setup.silence_ms * MS;
        let silent = now.since(self.touched);
        assert!(self.conn.is_established() || now.since(self.began) < CONNECT_NS, "it never connects");
        let idle = self.conn.is_established() && self.conn.length() == 0 && self.conn.state() == ConnState::Open;
        assert!(!idle || silent < silence, "it is idle for {silent} ns");
        for asked in self.asked.values().filter(|asked| !asked.dropped && asked.outcome.is_none()) {
            let token = asked.ask.token;
            let wrong = server.wrong.is_some_and(|(start, _)| start < self.received);
            let whole = server.reply(token).map_or(wrong, |reply| reply.end <= self.received);
            let Some(total) = asked.ask.total_ms.map(|span| span * MS).filter(|_| !whole) else { continue };
            assert!(now.since(asked.began) < total, "{token} is not too late after {} ns", now.since(asked.began));
            let queued = self.conn.is_established() && self.conn.to_transmit().is_empty() && self.sent.octets_of(token) == 0;
            assert!(!queued || now.since(asked.began) < total / 2, "{token} waits too long for its turn");
        }
        self.check_front_not_late(server, silent);
    }

    /// The first request without a complete response, all of which has left, does not wait for ever.
    fn check_front_not_late(&self, server: &Server, silent: u64) {
        let open = |of: u64| server.reply(of).is_none_or(|reply| reply.end > self.received || reply.until_close);
        let Some(front) = self.sent.found.iter().find(|found| open(found.token)) else { return };
        let asked = &self.asked[&front.token];
        let paused = self.conn.wants_octets() == 0;
        let wrong = server.wrong.is_some_and(|(start, _)| start < self.received);
        if !front.whole || paused || wrong || (asked.outcome.is_none() && asked.dropped) {
            return;
        }
        let most = if asked.outcome.is_some() { DRAIN_NS } else { self.setup.silence_ms * MS };
        assert!(silent < most, "{} waits for {silent} ns", front.token);
    }

    /// At the end of a run: what is known of the delivery of each request is what the server knows of it.
    pub(super) fn check_deliveries(&self, server: &Server) {
        for (token, asked) in self.asked.iter().filter(|(_, asked)| !asked.dropped) {
            let there = server.requests.get(*token).is_some();
            match asked.outcome.unwrap_or_else(|| panic!("{token} never ends")) {
                Outcome::Answered => {
                    let wrongly = server.wrong.is_some() && server.reply(*token).is_none();
                    assert!(there || wrongly, "{token} is answered, and the server has not seen it");
                }
                Outcome::Failed(failure) => match failure.delivery {
                    Delivery::NotSent => assert!(!there && self.sent.get(*token).is_none(), "{token} was sent: {failure:?}"),
                    Delivery::Unprocessed => assert!(!server.may_have_acted(*token), "{token} was acted upon: {failure:?}"),
                    Delivery::Unanswered | Delivery::ResponseStarted => {}
                },
            }
        }
        if self.sent.rest().is_empty() || self.sent.partial().is_some() {
            return;
        }
        // A part of a head at the end is part of one that failed, and said so.
        let owner = |asked: &Asked| match asked.outcome {
            Some(Outcome::Failed(failure)) => failure.octets_sent > 0,
            Some(Outcome::Answered) => server.wrong.is_some(),
            None => asked.dropped,
        };
        let owned = self.asked.values().any(|asked| self.sent.may_begin(asked.ask.token) && owner(asked));
        assert!(owned, "nobody's octets were sent: {}", self.sent.rest().escape_ascii());
    }
}

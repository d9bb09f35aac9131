//! A connection with its caller: what was asked on it, and what came of it.

use super::setup::Setup;
use super::step::{Ask, AskContent};
use crate::memory;
use crate::message::{Build, Limit, Timer, request};
use crate::peer::requests::{RequestReader, content_octet};
use crate::peer::scripted::Server;
use sandpiper_guest::Readiness;
use sandpiper_guest::conn::{ClientConn, ExchangeId};
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{Chunk, CloseReason, Delivery, Error, Failure, Request};
use std::collections::BTreeMap;

/// What is gathered at most for `poll.take-completions`, and for `collect`.
pub(super) const GATHERED_OCTETS_MAX: u64 = 2_000;
pub(super) const COLLECTED_OCTETS_MAX: u64 = 2_500;

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With its response, whole.
    Answered,
    /// With this failure.
    Failed(Failure),
}

/// One request, as its caller knows it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: ExchangeId,
    pub(super) ask: Ask,
    pub(super) began: Instant,
    /// Content that the connection has accepted.
    pub(super) written: usize,
    pub(super) finished: bool,
    pub(super) collecting: bool,
    pub(super) cancelled: bool,
    pub(super) dropped: bool,
    /// Content and interim responses that were read.
    pub(super) read: usize,
    pub(super) interim: usize,
    /// The same, `100 (Continue)` among them.
    pub(super) interim_taken: usize,
    pub(super) outcome: Option<Outcome>,
    /// How often the transport had been found to have nothing when it was asked.
    pub(super) looks: usize,
    /// When its first octet left, and how much had been received then.
    pub(super) left: Option<(Instant, u64)>,
    /// When all of it had left.
    pub(super) left_whole: Option<Instant>,
}

impl Asked {
    /// Whether its caller reads its response piece by piece.
    pub(super) fn is_read(&self) -> bool {
        !self.dropped && !self.ask.gathered && !self.collecting
    }
}

/// A connection with its caller.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) conn: ClientConn,
    pub(super) setup: Setup,
    pub(super) began: Instant,
    pub(super) asked: BTreeMap<u64, Asked>,
    /// What the transport has taken.
    pub(super) sent: RequestReader,
    /// Octets that the transport has given.
    pub(super) received: u64,
    /// It has also given the end; an end in order, not a reset.
    pub(super) saw_end: bool,
    pub(super) ended_in_order: bool,
    /// The transport refused to take octets.
    pub(super) send_failed: bool,
    /// How often the transport was found to have nothing, and how much had been received the last time.
    pub(super) looks: usize,
    pub(super) looked_at: Option<u64>,
    /// When the head that is being sent began to leave, and how much had been received then.
    pub(super) head_began: (Instant, u64),
    /// When octets last moved; when anything last happened.
    pub(super) moved: Instant,
    pub(super) touched: Instant,
    /// Requests that were not accepted.
    pub(super) refused: usize,
    /// What the connection was closed with, and its responses then.
    pub(super) closed: Option<(Option<Error>, u64)>,
    pub(super) ended_by: Option<Error>,
    /// Octets of memory that the connection holds.
    pub(super) held: isize,
    pub(super) held_most: isize,
}

impl Client {
    /// A connection that is being established.
    pub(super) fn new(setup: &Setup, now: Instant) -> Client {
        let settings = Settings::checked(Some(&setup.options())).expect("valid options");
        Client {
            conn: ClientConn::new(1, "example.test".to_owned(), settings, now),
            setup: setup.clone(),
            began: now,
            asked: BTreeMap::new(),
            sent: RequestReader::default(),
            received: 0,
            saw_end: false,
            ended_in_order: false,
            send_failed: false,
            looks: 0,
            looked_at: None,
            head_began: (now, 0),
            moved: now,
            touched: now,
            refused: 0,
            closed: None,
            ended_by: None,
            held: 0,
            held_most: 0,
        }
    }

    /// Does something to the connection, and counts the memory that it takes or gives back. What comes out must not be on the heap.
    pub(super) fn within<R: Copy>(&mut self, act: impl FnOnce(&mut ClientConn) -> R) -> R {
        let before = memory::held();
        let result = act(&mut self.conn);
        self.held += memory::held() - before;
        self.held_most = self.held_most.max(self.held);
        result
    }

    pub(super) fn send(&mut self, ask: &Ask, now: Instant) {
        let sent = self.within(|conn| match ask.gathered {
            true => conn.send_collected(request_of(ask), ask.token, GATHERED_OCTETS_MAX, now),
            false => conn.send(request_of(ask), ask.token, now),
        });
        match sent {
            Ok(id) => {
                let asked = Asked {
                    id,
                    ask: ask.clone(),
                    began: now,
                    written: 0,
                    finished: false,
                    collecting: false,
                    cancelled: false,
                    dropped: false,
                    read: 0,
                    interim: 0,
                    interim_taken: 0,
                    outcome: None,
                    looks: self.looks,
                    left: None,
                    left_whole: None,
                };
                assert!(self.asked.insert(ask.token, asked).is_none(), "{} is asked twice", ask.token);
            }
            Err(failure) => {
                assert_eq!((failure.delivery, failure.octets_sent), (Delivery::NotSent, 0));
                let full = matches!(failure.error, Error::LimitExceeded(_) | Error::Closed(CloseReason::LocalOption));
                assert!(self.conn.is_closed() || full, "{failure:?}");
                self.refused += 1;
            }
        }
    }

    /// The exchange of this number, if its handle is there and `fits`.
    fn handle(&self, token: u64, fits: impl Fn(&Asked) -> bool) -> Option<ExchangeId> {
        self.asked.get(&token).filter(|asked| !asked.dropped && fits(asked)).map(|asked| asked.id)
    }

    pub(super) fn write(&mut self, token: u64, octets: usize, now: Instant) {
        let Some(id) = self.handle(token, |asked| asked.ask.is_streamed()) else { return };
        let written = self.asked[&token].written;
        let accepted = self.within(|conn| {
            let content = (written..written + octets).map(|position| content_octet(token, position)).collect();
            conn.write(id, content, now)
        });
        let Ok(accepted) = accepted else { return };
        let accepted = usize::try_from(accepted).expect("a count");
        assert!(accepted <= octets, "{accepted} octets of {octets} are accepted");
        if let Some(asked) = self.asked.get_mut(&token) {
            assert!(!asked.finished || accepted == 0, "content behind its end");
            asked.written += accepted;
        }
    }

    pub(super) fn finish(&mut self, token: u64, trailers: bool, now: Instant) {
        let Some(id) = self.handle(token, |_| true) else { return };
        let unknown = self.asked[&token].ask.content == AskContent::Unknown;
        let finished = self.within(|conn| {
            let lines = vec![("X-Token".to_owned(), token.to_string().into_bytes())];
            conn.finish(id, if trailers && unknown { lines } else { Vec::new() }, now)
        });
        if let Some(asked) = self.asked.get_mut(&token) {
            asked.finished |= finished.is_ok();
        }
    }

    /// Writes what is left of a request's content, and ends it. Gives whether that did anything.
    pub(super) fn end_content(&mut self, token: u64, now: Instant) -> bool {
        let asked = &self.asked[&token];
        if !asked.ask.is_streamed() || asked.finished || matches!(asked.outcome, Some(Outcome::Failed(_))) || asked.dropped {
            return false;
        }
        let (written, content) = (asked.written, asked.ask.content);
        let left = if let AskContent::Length(octets) = content { octets - written } else { 0 };
        if left > 0 {
            self.write(token, left, now);
        } else {
            self.finish(token, true, now);
        }
        self.asked[&token].written > written || self.asked[&token].finished
    }

    /// Reads what there is of a response. Gives whether content came.
    pub(super) fn read(&mut self, token: u64, octets_max: u64, server: &Server, now: Instant) -> bool {
        let Some(id) = self.handle(token, Asked::is_read) else { return false };
        let before = memory::held();
        self.read_interim(token, id, server);
        let came = match self.conn.read(id, octets_max, now) {
            Ok(Chunk::Data(octets)) => {
                assert!(!octets.is_empty() && octets.len() as u64 <= octets_max.max(1), "{} octets", octets.len());
                let from = self.asked[&token].read;
                self.check_content(token, from, &octets, server);
                self.asked.get_mut(&token).expect("it was asked").read += octets.len();
                true
            }
            Ok(Chunk::WouldBlock) => false,
            Ok(Chunk::End(trailers)) => {
                let head = self.conn.head(id).expect("an end is no failure").expect("a head").unpacked();
                self.check_answer(token, &head, None, &trailers, server);
                false
            }
            Err(_) => false,
        };
        self.held += memory::held() - before;
        came
    }

    fn read_interim(&mut self, token: u64, id: ExchangeId, server: &Server) {
        let heads = self.conn.take_interim(id);
        for head in heads.iter().filter(|head| head.status != 100) {
            self.check_owner(token, &head.unpacked(), server);
        }
        let Some(asked) = self.asked.get_mut(&token) else { return };
        asked.interim_taken += heads.len();
        asked.interim += heads.iter().filter(|head| head.status != 100).count();
        let most = server.reply(token).map_or(0, |reply| reply.interim);
        assert!(asked.interim <= most, "{token} has {} interim responses of {most}", asked.interim);
    }

    pub(super) fn collect(&mut self, token: u64, now: Instant) {
        let fits = |asked: &Asked| asked.is_read() && asked.outcome.is_none() && asked.read == 0;
        let Some(id) = self.handle(token, fits) else { return };
        let begun = self.within(|conn| conn.begin_collect(id, COLLECTED_OCTETS_MAX, now));
        self.asked.get_mut(&token).expect("it was asked").collecting = begun.is_ok();
    }

    pub(super) fn cancel(&mut self, token: u64, now: Instant) {
        let Some(id) = self.handle(token, |_| true) else { return };
        self.within(|conn| conn.cancel(id, now));
        self.asked.get_mut(&token).expect("it was asked").cancelled = true;
    }

    pub(super) fn drop_handle(&mut self, token: u64, now: Instant) {
        let Some(id) = self.handle(token, |_| true) else { return };
        self.within(|conn| conn.forget(id, now));
        let asked = self.asked.get_mut(&token).expect("it was asked");
        asked.dropped = !asked.ask.gathered;
    }

    /// A request can be had back only if none of it was sent, and once.
    pub(super) fn take_request(&mut self, token: u64) {
        let Some(id) = self.handle(token, |asked| !asked.ask.gathered) else { return };
        let before = memory::held();
        let taken = self.conn.take_request(id);
        let asked = &self.asked[&token];
        let unsent = matches!(asked.outcome, Some(Outcome::Failed(failure)) if failure.delivery == Delivery::NotSent);
        if let Some(taken) = taken {
            assert!(unsent, "{token} is given back");
            assert_eq!(taken, request_of(&asked.ask));
            assert!(self.conn.take_request(id).is_none(), "{token} is given back twice");
        }
        self.held += memory::held() - before;
    }

    /// Every event is one of an exchange that has a handle, and none but the failure comes behind a failure.
    pub(super) fn report(&mut self, events_max: usize) {
        let before = memory::held();
        let mut events = Vec::new();
        self.conn.take_ready(events_max, |token, ready| events.push((token, ready)));
        assert!(events.len() <= events_max, "{} events", events.len());
        for (token, ready) in events {
            let asked = &self.asked[&token];
            assert!(!asked.dropped && ready != Readiness::empty(), "{token} is {ready:?}");
            let failed = matches!(asked.outcome, Some(Outcome::Failed(_)));
            let alive = Readiness::HEAD | Readiness::COMPLETE | Readiness::WRITABLE;
            assert!(!failed || ready & alive == Readiness::empty(), "{token} failed, and is {ready:?}");
        }
        let _ = self.conn.take_change();
        self.held += memory::held() - before;
    }
}

/// A request as it is sent.
pub(super) fn request_of(ask: &Ask) -> Request {
    let given = request(ask.method, &format!("/{}", ask.token));
    let given = match ask.content {
        AskContent::None => given,
        AskContent::Whole(octets) => {
            given.content((0..octets).map(|position| content_octet(ask.token, position)).collect::<Vec<_>>())
        }
        AskContent::Length(octets) => given.length(octets as u64),
        AskContent::Unknown => given.streamed(),
    };
    let given = if ask.expects { given.expecting() } else { given };
    let given = match ask.total_ms {
        Some(span) => given.deadline(Timer::Total, span).deadline(Timer::Queue, span / 2),
        None => given,
    };
    given.options(|options| {
        options.idempotent = ask.idempotent;
        options.limits.extend(ask.content_octets_max.map(|octets| (Limit::ContentOctets, octets)));
    })
}

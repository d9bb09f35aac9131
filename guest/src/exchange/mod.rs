//! One exchange: a request and its response (RFC 9110 §3.4).
//!
//! # Theory of operation
//!
//! Two machines, one for each half. Neither machine knows the connection, the octets, or the other machine; `conn` feeds both.
//!
//! 1. **Request half.** `Queued` until its turn. With `Expect: 100-continue` the head leaves first and the content waits in
//!    `Continue`. `Content` until the last octet of the content has been given to the connection, then `Sent`. `Stopped` when the rest is
//!    not wanted: a final response that comes first and is an error, or has `close`, says so (RFC 9110 §7.5, RFC 9112 §9.5). A request of
//!    a pool goes back to `Queued` when it moves to another connection.
//! 2. **Response half.** `Head` until a final head; interim heads stay in `Head`. Then `Content` until the end. After a switch of
//!    protocols, `Tunnel` until an end. `Failed` holds the failure, and nothing leaves it: what still comes of a response changes nothing.
//!
//! The exchange has ended when both halves have: a response may be complete while its request is still being written. If the rest of the
//! request then cannot leave, a complete response turns into a failure.
//!
//! A wish of the caller is checked before the wish becomes an input. An input without an entry is a broken invariant: the connection
//! ends with `internal`.

mod ending;
mod halves;

pub use halves::{RequestHalf, RequestInput, ResponseHalf, ResponseInput};

use crate::content::Content;
use crate::request::{self, Checked, ContentKind};
use crate::settings::Deadlines;
use crate::slab::{Id, Slab};
use crate::table::Illegal;
use crate::timer::Instant;
use crate::types::{
    Error, ExchangeTiming, Failure, FieldLine, Misuse, PackedHead, PackedResponse, Request, RequestOptions, Reuse,
};
use crate::wit::{self, client::Readiness};
use alloc::vec::Vec;

/// Names an exchange of one connection. The id of an exchange is never the id of another exchange.
pub type ExchangeId = Id;

/// The exchanges of a connection, by id. A slot stays when its exchange has gone: the number of slots follows the most exchanges that
/// lived at once.
pub type Exchanges = Slab<Exchange>;

/// Who wants the response, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The caller streams the response.
    Caller,
    /// The response is gathered whole, up to so many octets of content, for `collect`.
    Collect(u64),
    /// The response is gathered whole, up to so many octets of content, for `poll.take-completions`.
    Completion(u64),
    /// Nobody: the response is read and thrown away.
    Nobody,
}

/// Whether the caller has called `finish`.
#[derive(Debug, Default)]
pub enum Finish {
    /// `finish` was not called.
    #[default]
    Awaited,
    /// `finish` was called; the trailers have yet to be written.
    Called(Option<Vec<FieldLine>>),
}

/// The request half of an exchange.
#[derive(Debug)]
pub struct Sending {
    /// The state of the half.
    pub half: RequestHalf,
    /// The request, until the request has left. A request that offers to switch protocols stays until the exchange has ended; so does
    /// a request of a pool that may be repeated. After writing, a content that is not short is in the send buffer alone.
    pub request: Option<Request>,
    /// The content of the request is in the send buffer alone.
    pub content_moved: bool,
    /// The checked request.
    pub checked: Checked,
    /// May other requests be in a pipeline with the request?
    pub pipelines: bool,
    /// Nothing is written behind the request until the head of the response has come.
    pub holds_pipeline: bool,
    /// Which connections may carry the request.
    pub reuse: Reuse,
    /// Octets of content that the declared length still wants; `None`: no length was declared.
    pub to_write: Option<u64>,
    /// Whether `finish` was called.
    pub finish: Finish,
    /// Octets of content that wait for the turn of the request.
    pub queued_octets: u64,
    /// When the content began to wait for `100 (Continue)`.
    pub continue_since: Option<Instant>,
    /// Octets of a request that has left as a whole.
    pub octets: u64,
}

/// Interim responses of an exchange.
#[derive(Debug)]
pub struct Interims {
    /// Heads that have not been taken.
    pub heads: Vec<PackedHead>,
    /// The octets of the heads.
    pub octets: usize,
    /// Octets of all interim responses, less the octets that the time since has allowed for.
    pub debt: u64,
    /// When the last interim response came.
    pub since: Instant,
    /// An interim response has come.
    pub came: bool,
}

/// The response half of an exchange.
#[derive(Debug)]
pub struct Receiving {
    /// The state of the half.
    pub half: ResponseHalf,
    /// Interim responses.
    pub interim: Interims,
    /// The final head.
    pub head: Option<PackedHead>,
    /// With the head, the connection, or the part of the connection that belongs to the exchange, became a tunnel.
    pub switched: bool,
    /// Content that has not been read.
    pub content: Content,
    /// Octets of content so far.
    pub content_octets: u64,
    /// The most octets of content.
    pub content_octets_max: u64,
    /// Octets thrown away.
    pub drained: u64,
    /// The trailer section.
    pub trailers: Vec<FieldLine>,
}

/// The verbs that the caller may still use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// All.
    Open,
    /// `collect` has handed the response out.
    Taken,
    /// None: the handle is gone.
    Forgotten,
}

/// How much of the end the caller has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndTold {
    /// Nothing.
    No,
    /// The end of the response.
    Response,
    /// The end of the request too.
    Both,
}

/// The caller's side of an exchange.
#[derive(Debug)]
pub struct Handle {
    /// The verbs that may be used.
    pub hold: Hold,
    /// Who reads the response.
    pub reader: Reader,
    /// The exchange ends in a completion of the poll.
    pub completes: bool,
    /// When the last reader went away.
    pub nobody_since: Instant,
    /// The conditions that waits report.
    pub wanted: Readiness,
    /// The caller has seen the head.
    pub head_told: bool,
    /// The caller has had the end.
    pub end_told: EndTold,
    /// The caller has seen the failure.
    pub failure_told: bool,
}

/// One exchange of a connection.
#[derive(Debug)]
pub struct Exchange {
    /// The number of the caller for the exchange.
    pub token: u64,
    /// The job of a pool that the exchange carries out.
    pub job: Option<Id>,
    /// The request half.
    pub sending: Sending,
    /// The response half.
    pub receiving: Receiving,
    /// The side of the caller.
    pub handle: Handle,
    /// Why the exchange failed.
    pub failure: Option<Failure>,
    /// How often a pool has sent the request again, on another connection.
    pub resent: u32,
    /// The failure of the attempt that got furthest, if the request was sent again.
    pub furthest: Option<Failure>,
    /// The exchange is in the queue of the connection.
    pub is_queued: bool,
    /// The exchange is in the list of exchanges to report.
    pub in_ready_list: bool,
    /// The deadlines of the exchange.
    pub deadlines: Deadlines,
    /// When `send` was called.
    pub started: Instant,
    /// When the steps of the exchange happened.
    pub timing: ExchangeTiming,
}

impl Exchange {
    /// An exchange whose turn has yet to come; `bounds`: the deadlines, and the largest content of the response.
    #[inline]
    pub fn new(request: Request, checked: Checked, bounds: (Deadlines, u64), token: u64, now: Instant) -> Exchange {
        Exchange {
            token,
            job: None,
            receiving: Receiving::new(bounds.1, now),
            handle: Handle {
                hold: Hold::Open,
                reader: Reader::Caller,
                completes: false,
                nobody_since: now,
                wanted: every_condition(),
                head_told: false,
                end_told: EndTold::No,
                failure_told: false,
            },
            failure: None,
            resent: 0,
            furthest: None,
            is_queued: false,
            in_ready_list: false,
            deadlines: bounds.0,
            started: now,
            timing: wit::NO_TIMING,
            sending: Sending::new(request, checked),
        }
    }

    /// Octets of the response have come.
    pub fn begin_response(&mut self, now: Instant) {
        self.timing.response_started.get_or_insert(now.since(self.started));
    }

    /// Whether nothing more can happen to the exchange: both halves are over.
    pub fn has_ended(&self) -> bool {
        self.receiving.half == ResponseHalf::Failed || (self.receiving.half == ResponseHalf::Done && !self.is_leaving())
    }

    /// Whether octets of the request have yet to leave; not before its turn.
    pub fn is_leaving(&self) -> bool {
        let is_written = matches!(self.sending.half, RequestHalf::Continue | RequestHalf::Content | RequestHalf::Sent);
        is_written && self.timing.request_sent.is_none() && !self.is_tunnel()
    }

    /// Whether the response is complete, and the request leaves without the caller.
    pub fn awaits_departure(&self) -> bool {
        self.receiving.half == ResponseHalf::Done && self.is_leaving() && !self.awaits_content()
    }

    /// Whether content is missing that only the caller can write.
    pub fn awaits_content(&self) -> bool {
        let is_open = matches!(self.sending.half, RequestHalf::Queued | RequestHalf::Content);
        is_open && self.is_streamed() && !self.sending.is_finished()
    }

    /// Whether the request can be sent from its start, with the content.
    pub fn has_whole_request(&self) -> bool {
        self.sending.request.is_some() && !self.is_streamed() && !self.sending.content_moved
    }

    /// Has the response collected, with at most so many octets of content, and reported in a completion.
    pub fn complete(&mut self, octets_max: u64) {
        self.handle.completes = true;
        self.handle.reader = Reader::Completion(octets_max);
    }

    /// When the exchange ends if the turn of the exchange has not come, and when the exchange ends at the latest.
    pub fn ends(&self) -> [Option<Instant>; 2] {
        [self.started.after(self.deadlines.queue), self.started.after(self.deadlines.total)]
    }

    /// Whether the caller may write so many octets of content, now or later.
    ///
    /// Errors: no; the exchange goes on.
    pub fn check_write(&self, octets: u64) -> Result<(), Misuse> {
        let sending = &self.sending;
        match sending.to_write {
            _ if sending.is_finished() => Err(Misuse::ContentFinished),
            _ if self.is_tunnel() => Ok(()),
            _ if !self.is_streamed() => Err(Misuse::ContentFinished),
            Some(left) if octets > left => Err(Misuse::ContentTooLong),
            _ => Ok(()),
        }
    }

    /// Whether the caller may finish the request with these trailers.
    ///
    /// Errors: no; the exchange goes on.
    pub fn check_finish(&self, trailers: &[FieldLine]) -> Result<(), Error> {
        let is_open_ended = self.sending.checked.content == ContentKind::UnknownLength && !self.is_tunnel();
        if self.sending.is_finished() || !(self.is_streamed() || self.is_tunnel()) {
            return Err(Error::ApiMisuse(Misuse::ContentFinished));
        }
        if !trailers.is_empty() && !is_open_ended {
            return Err(Error::ApiMisuse(Misuse::ForbiddenTrailer));
        }
        request::check_trailers(trailers)
    }

    /// Has the exchange wait for a turn on another connection.
    ///
    /// Errors: the request half has no such step.
    pub fn begin_again(&mut self) -> Result<(), Illegal> {
        self.sending.input(RequestInput::Again)?;
        self.sending.continue_since = None;
        self.sending.octets = 0;
        self.sending.queued_octets = self.sending.request.as_ref().map_or(0, request::content_octets);
        self.timing = wit::NO_TIMING;
        Ok(())
    }

    /// When the last octet of the request left.
    pub fn sent_at(&self) -> Option<Instant> {
        self.timing.request_sent.map(|sent| Instant(self.started.0.saturating_add(sent)))
    }

    /// Whether raw octets belong to the exchange, in both directions, also after the peer has ended the direction of the peer.
    pub fn is_tunnel(&self) -> bool {
        self.receiving.switched
    }

    /// Whether the content streams through `write`.
    pub fn is_streamed(&self) -> bool {
        matches!(self.sending.checked.content, ContentKind::Length(_) | ContentKind::UnknownLength)
    }

    /// What can be done with the exchange without waiting; `room`: the send buffer accepts octets.
    pub fn readiness(&self, room: bool) -> Readiness {
        let Exchange { handle, receiving, .. } = self;
        if handle.hold == Hold::Forgotten || matches!(handle.reader, Reader::Completion(_)) {
            return Readiness::empty();
        }
        let heads = when(Readiness::FAILED, self.failure.is_some() && !handle.failure_told)
            | when(Readiness::INTERIM, !receiving.interim.heads.is_empty())
            | when(Readiness::HEAD, receiving.head.is_some() && !handle.head_told && self.failure.is_none());
        if self.failure.is_some() {
            return (heads | when(Readiness::READABLE, !receiving.content.is_empty())) & handle.wanted;
        }
        let done = receiving.half == ResponseHalf::Done && !self.awaits_departure();
        let streams = self.is_tunnel() || (self.sending.half == RequestHalf::Content && self.is_streamed());
        let readable = !receiving.content.is_empty() || (done && handle.end_told == EndTold::No);
        let ready = heads
            | when(Readiness::WRITABLE, streams && !self.sending.is_finished() && room)
            | when(Readiness::READABLE, handle.reader == Reader::Caller && readable)
            | when(Readiness::COMPLETE, done && self.has_ended() && handle.end_told != EndTold::Both);
        ready & handle.wanted
    }

    /// The caller has had the end of the response, and the end of a request that ends later.
    pub fn tell_end(&mut self) {
        self.handle.end_told = if self.has_ended() { EndTold::Both } else { EndTold::Response };
    }

    /// Hands out the whole response of an exchange that has one, once.
    pub fn take_response(&mut self) -> Option<PackedResponse> {
        let head = self.receiving.head.take()?;
        self.handle.hold = Hold::Taken;
        self.tell_end();
        Some(PackedResponse {
            interim: core::mem::take(&mut self.receiving.interim.heads),
            head,
            content: self.receiving.content.take_all(),
            trailers: core::mem::take(&mut self.receiving.trailers),
        })
    }
}

impl Sending {
    #[inline]
    fn new(request: Request, checked: Checked) -> Sending {
        let options: Option<&RequestOptions> = request.options.as_ref();
        Sending {
            half: RequestHalf::Queued,
            content_moved: false,
            pipelines: pipelines(&checked, options.and_then(|options| options.idempotent)),
            holds_pipeline: options.is_some_and(|options| options.hold_pipeline),
            reuse: options.map_or(Reuse::empty(), |options| options.reuse),
            to_write: if let ContentKind::Length(octets) = checked.content { Some(octets) } else { None },
            finish: Finish::Awaited,
            queued_octets: request::content_octets(&request),
            continue_since: None,
            octets: 0,
            checked,
            request: Some(request),
        }
    }

    /// Moves the request half.
    ///
    /// Errors: the table has no such step; the state stays.
    pub fn input(&mut self, input: RequestInput) -> Result<(), Illegal> {
        self.half = self.half.next(input).ok_or_else(Illegal::step)?;
        Ok(())
    }

    /// Whether `finish` was called.
    pub fn is_finished(&self) -> bool {
        matches!(self.finish, Finish::Called(_))
    }

    /// The trailers that `finish` was called with before they could be written.
    pub fn take_early_trailers(&mut self) -> Option<Vec<FieldLine>> {
        match &mut self.finish {
            Finish::Called(trailers) => trailers.take(),
            Finish::Awaited => None,
        }
    }

    /// Whether the request asks for a switch of protocols.
    pub fn may_switch(&self) -> bool {
        self.checked.asked.connect || self.checked.asked.upgrade
    }
}

impl Receiving {
    #[inline]
    fn new(content_octets_max: u64, now: Instant) -> Receiving {
        Receiving {
            half: ResponseHalf::Head,
            interim: Interims { heads: Vec::new(), octets: 0, debt: 0, since: now, came: false },
            head: None,
            switched: false,
            content: Content::default(),
            content_octets: 0,
            content_octets_max,
            drained: 0,
            trailers: Vec::new(),
        }
    }

    /// Moves the response half.
    ///
    /// Errors: the table has no such step; the state stays.
    pub fn input(&mut self, input: ResponseInput) -> Result<(), Illegal> {
        self.half = self.half.next(input).ok_or_else(Illegal::step)?;
        Ok(())
    }
}

/// Every condition that a wait can report.
pub fn every_condition() -> Readiness {
    Readiness::WRITABLE | Readiness::INTERIM | Readiness::HEAD | Readiness::READABLE | Readiness::COMPLETE | Readiness::FAILED
}

/// Whether a request asks for this kind of connection.
pub fn asks(reuse: Reuse, what: Reuse) -> bool {
    reuse & what == what
}

fn when(flag: Readiness, holds: bool) -> Readiness {
    if holds { flag } else { Readiness::empty() }
}

/// May other requests be in a pipeline with a request (RFC 9112 §9.3.2)? Never with a request that can switch protocols. Otherwise
/// `overridden` decides, or, without `overridden`, whether the request is idempotent and leaves at once.
pub fn pipelines(checked: &Checked, overridden: Option<bool>) -> bool {
    let switches = checked.asked.connect || checked.asked.upgrade;
    let leaves_at_once = matches!(checked.content, ContentKind::None | ContentKind::Whole) && !checked.expects;
    !switches && overridden.unwrap_or(checked.idempotent && leaves_at_once)
}

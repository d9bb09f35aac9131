//! One exchange: a request and its response (RFC 9110 §3.4).
//!
//! # Theory of operation
//!
//! Two machines, one for each half. They do not know the connection, the octets, or each other; `conn` feeds them.
//!
//! 1. **Request half.** `Queued` until its turn. With `Expect: 100-continue` the head leaves first and the content waits in
//!    `Continue`. `Content` until the last octet of the content has been given to the connection, then `Sent`. `Stopped` when the rest is
//!    not wanted: a final response that comes first and is an error, or has `close`, says so (RFC 9110 §7.5, RFC 9112 §9.5). A request of
//!    a pool goes back to `Queued` when it moves to another connection.
//! 2. **Response half.** `Head` until a final head; interim heads stay in `Head`. Then `Content` until the end. After a switch of
//!    protocols, `Tunnel` until an end. `Failed` holds the failure, and nothing leaves it.
//!
//! The exchange has ended when both halves have: a response may be complete while its request is still being written. If the rest of the
//! request then cannot leave, a complete response turns into a failure.
//!
//! An input that has no entry is refused: what the caller asks for is `api-misuse`; response inputs
//! come from the reader, which cannot produce an illegal one, so there it is `internal`.

use crate::h1::encode::{Plan, PlannedContent};
use crate::h1::framing::Framing;
use crate::settings::{Deadlines, READ_OCTETS_MAX};
use crate::slab::{Id, Slab};
use crate::table::table_enum;
use crate::timer::Instant;
use crate::types::{ExchangeTiming, Failure, FieldLine, PackedHead, Request, RequestContent, Reuse};
use crate::wit::{self, client::Readiness};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Names an exchange of one connection. Never used again for another one.
pub type ExchangeId = Id;

/// The exchanges of a connection, by id. A slot stays when its exchange has gone: their number follows the most that lived at once.
pub type Exchanges = Slab<Exchange>;

table_enum! {
    /// How far the request is.
    RequestHalf {
        /// Not written.
        Queued,
        /// The head is written, the content waits for `100 (Continue)`.
        Continue,
        /// The content is being written.
        Content,
        /// All of it is written.
        Sent,
        /// A final response came first, or it failed: nothing more of it is written.
        Stopped,
    }
}

table_enum! {
    /// What can happen to the request.
    RequestInput {
        /// Its turn has come, and the content may follow at once.
        Head,
        /// Its turn has come, and the content waits.
        HeadOnly,
        /// The content need not wait any longer.
        Continue,
        /// A piece of content.
        Content,
        /// The end of the content.
        End,
        /// The rest is not wanted.
        Stop,
        /// It moves to another connection, which writes it from its beginning.
        Again,
    }
}

#[rustfmt::skip]
const REQUEST: [[Option<RequestHalf>; RequestInput::ALL.len()]; RequestHalf::ALL.len()] = {
    use RequestHalf::{Content, Continue, Queued, Sent, Stopped};
    const NO: Option<RequestHalf> = None;
    [
//                   Head           HeadOnly        Continue       Content        End         Stop           Again
/* Queued   */      [Some(Content), Some(Continue), NO,            NO,            NO,         Some(Stopped), NO          ],
/* Continue */      [NO,            NO,             Some(Content), NO,            NO,         Some(Stopped), Some(Queued)],
/* Content  */      [NO,            NO,             NO,            Some(Content), Some(Sent), Some(Stopped), Some(Queued)],
/* Sent     */      [NO,            NO,             NO,            NO,            NO,         Some(Stopped), Some(Queued)],
/* Stopped  */      [NO,            NO,             NO,            NO,            NO,         Some(Stopped), NO          ],
    ]
};

table_enum! {
    /// How far the response is.
    ResponseHalf {
        /// A head is expected.
        Head,
        /// Content, or the end of it.
        Content,
        /// It is complete.
        Done,
        /// Raw octets, until an end.
        Tunnel,
        /// The exchange failed.
        Failed,
    }
}

table_enum! {
    /// What can happen to the response.
    ResponseInput {
        /// An interim head (1xx).
        Interim,
        /// The final head.
        Final,
        /// The head that makes the connection a tunnel.
        Switch,
        /// Octets.
        Content,
        /// The end, with the trailer section.
        End,
        /// The exchange cannot go on.
        Fail,
    }
}

#[rustfmt::skip]
const RESPONSE: [[Option<ResponseHalf>; ResponseInput::ALL.len()]; ResponseHalf::ALL.len()] = {
    use ResponseHalf::{Content, Done, Failed, Head, Tunnel};
    const NO: Option<ResponseHalf> = None;
    [
//                 Interim     Final          Switch        Content        End         Fail
/* Head    */     [Some(Head), Some(Content), Some(Tunnel), NO,            NO,         Some(Failed)],
/* Content */     [NO,         NO,            NO,           Some(Content), Some(Done), Some(Failed)],
/* Done    */     [NO,         NO,            NO,           NO,            NO,         Some(Failed)],
/* Tunnel  */     [NO,         NO,            NO,           Some(Tunnel),  Some(Done), Some(Failed)],
/* Failed  */     [NO,         NO,            NO,           NO,            NO,         NO          ],
    ]
};

impl RequestHalf {
    /// The state after `input`; `None`: the input is illegal here.
    pub fn next(self, input: RequestInput) -> Option<RequestHalf> {
        REQUEST.get(self as usize)?.get(input as usize).copied()?
    }
}

impl ResponseHalf {
    /// The state after `input`; `None`: the input is illegal here.
    pub fn next(self, input: ResponseInput) -> Option<ResponseHalf> {
        RESPONSE.get(self as usize)?.get(input as usize).copied()?
    }
}

/// Who wants the response, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The caller streams it.
    Caller,
    /// It is gathered whole, up to this many octets, for `collect`.
    Collect(u64),
    /// It is gathered whole, up to this many octets, for `poll.completions`.
    Completion(u64),
    /// Nobody: it is read and thrown away.
    Nobody,
}

/// One exchange of a connection.
#[derive(Debug)]
pub struct Exchange {
    /// The caller's number for it.
    pub token: u64,
    /// The job of a pool that it carries out.
    pub job: Option<Id>,
    /// The request: until it has left. One that offers to switch protocols stays until the exchange has ended, one of a pool that may be
    /// repeated stays as long. Once it is written, a content that is not short stands in the send buffer alone.
    pub request: Option<Request>,
    /// What the request needs on the wire.
    pub plan: Plan,
    /// May others stand beside it in a pipeline?
    pub pipelines: bool,
    /// Nothing is written behind it until its head is there.
    pub holds_pipeline: bool,
    /// Which connections may carry it.
    pub reuse: Reuse,
    /// The request half.
    pub sending: RequestHalf,
    /// Octets of content that the declared length still wants; `None`: no length was declared.
    pub to_write: Option<u64>,
    /// `finish` was called.
    pub finished: bool,
    /// Octets of content that wait for its turn.
    pub queued_octets: u64,
    /// `finish` was called before its turn, with these trailers.
    pub finished_early: Option<Vec<FieldLine>>,
    /// Where the request begins in the outgoing stream; `None`: it is not written.
    pub wire_start: Option<u64>,
    /// Where its head ends.
    pub wire_head_end: u64,
    /// Where it ends.
    pub wire_end: Option<u64>,
    /// How many octets the connection had received when its first octet left: none of them can be of its response.
    pub received_before: u64,
    /// It was written behind another one that had no complete response.
    pub is_behind: bool,
    /// How often it was sent again by itself, on another connection.
    pub resent: u32,
    /// How the attempt failed that got furthest, when it was sent again.
    pub furthest: Option<Failure>,

    /// The response half.
    pub receiving: ResponseHalf,
    /// Octets of the interim responses that have not been taken.
    pub interim_octets: usize,
    /// Interim responses that have not been taken.
    pub interim: Vec<PackedHead>,
    /// Octets of interim responses, less what the time since has allowed for.
    pub interim_debt: u64,
    /// When the last one came.
    pub interim_since: Instant,
    /// An interim response came.
    pub had_interim: bool,
    /// The final head.
    pub head: Option<PackedHead>,
    /// The caller has seen the head.
    pub head_told: bool,
    /// How the content is framed.
    pub framing: Framing,
    /// Content that has not been read.
    pub content: Content,
    /// Octets of content so far.
    pub content_octets: u64,
    /// The most octets of content.
    pub content_octets_max: u64,
    /// The trailer section.
    pub trailers: Vec<FieldLine>,
    /// It ends in a completion of the poll.
    pub completes: bool,
    /// Who reads it.
    pub reader: Reader,
    /// When the last reader went away.
    pub nobody_since: Instant,
    /// The caller has had the end of the response.
    pub end_told: bool,
    /// The caller has had the end, of the request too.
    pub both_ends_told: bool,
    /// What waits report.
    pub wanted: Readiness,
    /// `collect` has handed the response out.
    pub taken: bool,

    /// Why it failed.
    pub failure: Option<Failure>,
    /// The caller has seen the failure.
    pub failure_told: bool,
    /// The caller's handle is gone.
    pub forgotten: bool,
    /// It is in the connection's queue.
    pub is_queued: bool,
    /// It is in the connection's list of exchanges to report.
    pub in_ready_list: bool,

    /// Its deadlines.
    pub deadlines: Deadlines,
    /// When `send` was called.
    pub started: Instant,
    /// When its content began to wait for `100 (Continue)`.
    pub continue_since: Option<Instant>,
    /// When its steps happened.
    pub timing: ExchangeTiming,
}

impl Exchange {
    /// Moves the request half. Returns whether the input was legal; the state stays if it was not.
    pub fn request_input(&mut self, input: RequestInput) -> bool {
        let next = self.sending.next(input);
        self.sending = next.unwrap_or(self.sending);
        next.is_some()
    }

    /// Moves the response half. Returns whether the input was legal; the state stays if it was not.
    pub fn response_input(&mut self, input: ResponseInput) -> bool {
        let next = self.receiving.next(input);
        self.receiving = next.unwrap_or(self.receiving);
        next.is_some()
    }

    /// Whether nothing more can happen to it: both halves are over.
    pub fn has_ended(&self) -> bool {
        self.receiving == ResponseHalf::Failed || (self.receiving == ResponseHalf::Done && !self.is_leaving())
    }

    /// Whether octets of the request have yet to leave; not before its turn.
    pub fn is_leaving(&self) -> bool {
        self.wire_start.is_some()
            && self.timing.request_sent.is_none()
            && self.sending != RequestHalf::Stopped
            && !self.is_tunnel()
    }

    /// Whether the response is complete, and the request leaves without the caller's doing.
    pub fn awaits_departure(&self) -> bool {
        self.receiving == ResponseHalf::Done && self.is_leaving() && !self.awaits_content()
    }

    /// Whether content is missing that only the caller can write.
    pub fn awaits_content(&self) -> bool {
        matches!(self.sending, RequestHalf::Queued | RequestHalf::Content) && self.is_streamed() && !self.finished
    }

    /// Whether all of the request is at hand, its content with it.
    pub fn has_whole_request(&self) -> bool {
        let content = self.request.as_ref().map(|request| match &request.content {
            RequestContent::Whole(content) => content.len() as u64,
            _ => 0,
        });
        let written = self.wire_end.map(|end| end.saturating_sub(self.wire_head_end));
        !self.is_streamed() && content.is_some() && (written.is_none() || written == content)
    }

    /// Makes it one that waits for its turn on another connection. Returns whether that was legal.
    pub fn begin_again(&mut self) -> bool {
        let legal = self.request_input(RequestInput::Again);
        self.continue_since = None;
        self.wire_start = None;
        self.wire_head_end = 0;
        self.wire_end = None;
        self.received_before = 0;
        self.is_behind = false;
        self.timing = wit::NO_TIMING;
        legal
    }

    /// Whether the connection belongs to it, in both directions, also after the peer has ended its own.
    pub fn is_tunnel(&self) -> bool {
        self.framing == Framing::Tunnel && self.head.is_some()
    }

    /// Whether the content streams through `write`.
    pub fn is_streamed(&self) -> bool {
        matches!(self.plan.content, PlannedContent::Length(_) | PlannedContent::Chunked)
    }

    /// What can be done with it without waiting; `room`: the send buffer accepts octets.
    pub fn readiness(&self, room: bool) -> Readiness {
        if self.forgotten || matches!(self.reader, Reader::Completion(_)) {
            return Readiness::empty();
        }
        let heads = when(Readiness::FAILED, self.failure.is_some() && !self.failure_told)
            | when(Readiness::INTERIM, !self.interim.is_empty())
            | when(Readiness::HEAD, self.head.is_some() && !self.head_told && self.failure.is_none());
        if self.failure.is_some() {
            return (heads | when(Readiness::READABLE, !self.content.is_empty())) & self.wanted;
        }
        let done = self.receiving == ResponseHalf::Done && !self.awaits_departure();
        let tunnel = self.is_tunnel();
        let streams = tunnel || (self.sending == RequestHalf::Content && self.is_streamed());
        let readable = !self.content.is_empty() || (done && !self.end_told);
        let ready = heads
            | when(Readiness::WRITABLE, streams && !self.finished && room)
            | when(Readiness::READABLE, self.reader == Reader::Caller && readable)
            | when(Readiness::COMPLETE, done && self.has_ended() && !self.both_ends_told);
        ready & self.wanted
    }
}

/// Every condition that a wait can report.
pub fn every_condition() -> Readiness {
    Readiness::WRITABLE | Readiness::INTERIM | Readiness::HEAD | Readiness::READABLE | Readiness::COMPLETE | Readiness::FAILED
}

/// Whether a request asks this of the connection that carries it.
pub fn asks(reuse: Reuse, what: Reuse) -> bool {
    reuse & what == what
}

fn when(flag: Readiness, holds: bool) -> Readiness {
    if holds { flag } else { Readiness::empty() }
}

/// May others stand beside a request in a pipeline (RFC 9112 §9.3.2)? Never beside one that can switch protocols; else `overridden` decides,
/// else whether it is idempotent and leaves at once.
pub fn pipelines(plan: &Plan, overridden: Option<bool>) -> bool {
    let switches = plan.asked.connect || plan.asked.upgrade;
    let leaves_at_once = matches!(plan.content, PlannedContent::None | PlannedContent::Whole) && !plan.expects;
    !switches && overridden.unwrap_or(plan.idempotent && leaves_at_once)
}

/// What costs less to copy than to keep as a piece of its own.
const SHORT_PIECE_OCTETS_MAX: usize = 1_024;

/// Content that has arrived, in the pieces in which it came.
#[derive(Debug, Default)]
pub struct Content {
    pieces: VecDeque<Vec<u8>>,
    front_start: usize,
    octets: usize,
}

impl Content {
    /// Octets that wait.
    pub fn len(&self) -> usize {
        self.octets
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// Adds a piece. A short one is copied behind the last: octets that come one by one would else take many times their memory.
    pub fn push(&mut self, piece: Vec<u8>) {
        self.octets += piece.len();
        match self.pieces.back_mut() {
            Some(run) if piece.len() <= SHORT_PIECE_OCTETS_MAX && run.len() <= READ_OCTETS_MAX => run.extend_from_slice(&piece),
            _ if piece.is_empty() => {}
            _ => self.pieces.push_back(piece),
        }
    }

    /// Adds a piece to one growing run of octets, for a reader that wants all of it together.
    pub fn gather(&mut self, piece: Vec<u8>) {
        match self.pieces.back_mut() {
            Some(run) => {
                self.octets += piece.len();
                run.extend_from_slice(&piece);
            }
            None => self.push(piece),
        }
    }

    /// Takes the next octets, at most `octets_max`: a whole piece as it is, or a part of it.
    pub fn take(&mut self, octets_max: usize) -> Vec<u8> {
        let Some(piece) = self.pieces.front_mut() else { return Vec::new() };
        let left = piece.len().saturating_sub(self.front_start);
        let taken = if left > octets_max {
            let part = piece.get(self.front_start..self.front_start + octets_max).unwrap_or_default().to_vec();
            self.front_start += octets_max;
            part
        } else {
            let mut piece = self.pieces.pop_front().unwrap_or_default();
            piece.drain(..self.front_start);
            self.front_start = 0;
            piece
        };
        self.octets = self.octets.saturating_sub(taken.len());
        taken
    }

    /// Takes all, together.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = self.take(usize::MAX);
        all.reserve(self.octets);
        while !self.is_empty() {
            all.extend_from_slice(&self.take(usize::MAX));
        }
        all
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Content::default();
    }
}

//! The caller's verbs. What each does, and its errors, is documented in `wit/client.wit`; here stands how.

use super::deadlines::TimerOrder;
use super::{ClientConn, ExchangeId};
use crate::exchange::{Content, Exchange, Reader, RequestHalf, ResponseHalf, every_condition, pipelines};
use crate::failure::refused;
use crate::h1::encode::{self, Plan, PlannedContent};
use crate::h1::framing::Framing;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{
    Chunk, CloseReason, ConnState, Delivery, Error, ExchangeTiming, Failure, FieldLine, Limit, LogEvent, Misuse, PackedHead,
    PackedResponse, Phase, Request, RequestContent, RequestOptions, Reuse,
};
use crate::wit::{self, client::Readiness};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The end of an exchange that was collected for `poll.take-completions`.
#[derive(Debug)]
pub struct Completed {
    /// Which one.
    pub id: ExchangeId,
    /// The caller's number for it.
    pub token: u64,
    /// The job of a pool that it carried out.
    pub job: Option<Id>,
    /// The response, or why there is none.
    pub outcome: Result<PackedResponse, Failure>,
    /// When its steps happened.
    pub timing: ExchangeTiming,
    /// Whether the request may be repeated although the server may have acted on it.
    pub idempotent: bool,
    /// How often it was sent again by itself.
    pub resent: u32,
}

impl ClientConn {
    /// `client-conn.send`.
    pub fn send(&mut self, request: Request, token: u64, now: Instant) -> Result<ExchangeId, Failure> {
        let exchange = self.checked(request, token, now)?;
        let id = self.enqueue(exchange, now);
        self.queue.push_back(id, &mut self.exchanges);
        self.dispatch(now);
        Ok(id)
    }

    /// `send` for one request of `poll.fetch-all`: its response is collected, with at most `octets_max` octets of content.
    ///
    /// Errors: as `send`; `api-misuse(tunnel)`: the response may have no end.
    pub fn send_collected(&mut self, request: Request, token: u64, octets_max: u64, now: Instant) -> Result<ExchangeId, Failure> {
        let exchange = self.collected(request, token, octets_max, now)?;
        let id = self.enqueue(exchange, now);
        self.queue.push_back(id, &mut self.exchanges);
        self.dispatch(now);
        Ok(id)
    }

    /// The exchange of a request that can be sent here and is collected.
    pub(super) fn collected(
        &self,
        request: Request,
        token: u64,
        octets_max: u64,
        now: Instant,
    ) -> Result<Box<Exchange>, Failure> {
        let mut exchange = self.checked(request, token, now)?;
        if exchange.plan.asked.connect || exchange.plan.asked.upgrade {
            return Err(self.refused(Error::ApiMisuse(Misuse::Tunnel)));
        }
        exchange.completes = true;
        exchange.reader = Reader::Completion(octets_max);
        Ok(exchange)
    }

    /// The exchange of a request that can be sent here.
    pub(super) fn checked(&self, request: Request, token: u64, now: Instant) -> Result<Box<Exchange>, Failure> {
        let plan = self.plan(&request).map_err(|error| self.refused(error))?;
        Ok(Box::new(self.new_exchange(request, plan, token, now)))
    }

    /// Takes over an exchange whose turn is to come; it still has to be put into the queue.
    pub(super) fn enqueue(&mut self, exchange: Box<Exchange>, now: Instant) -> ExchangeId {
        let (started, spans) = (exchange.started, exchange.deadlines);
        self.queued_octets += exchange.queued_octets;
        if let Some(request) = &exchange.request {
            let what = || LogEvent::Queued((request.method.clone(), request.request_target.clone()));
            self.log.add(now, Some(exchange.token), what);
        }
        let id = self.exchanges.insert_boxed(exchange);
        self.deadlines.set(id, TimerOrder::Queue, started.after(spans.queue));
        self.deadlines.set(id, TimerOrder::Total, started.after(spans.total));
        self.changed = true;
        if self.outstanding.is_empty() {
            // The peer may have said something since the last look (RFC 9112 §9.2).
            self.looked = false;
        }
        id
    }

    /// Checks a request against the connection's state and limits.
    fn plan(&self, request: &Request) -> Result<Plan, Error> {
        if let (true, reason) = (self.is_closed(), self.ended_by) {
            return Err(reason.unwrap_or(Error::Internal));
        }
        let limits = &self.settings.limits;
        if self.requests.saturating_add(self.queue.len() as u64) >= limits.requests_max {
            return Err(Error::Closed(CloseReason::LocalOption));
        }
        if self.queue.len() >= limits.queue_length_max {
            return Err(Error::LimitExceeded(Limit::QueueLength));
        }
        let octets = if let RequestContent::Whole(content) = &request.content { content.len() as u64 } else { 0 };
        if self.queued_octets.saturating_add(octets) > limits.queued_octets_max {
            return Err(Error::LimitExceeded(Limit::QueuedOctets));
        }
        encode::plan(request, &self.authority, limits.request_head_octets_max)
    }

    fn refused(&self, error: Error) -> Failure {
        let phase = if self.established { Phase::Queued } else { Phase::Connecting };
        Failure { phase, ..refused(error, self.id, self.octets_received) }
    }

    fn new_exchange(&self, request: Request, plan: Plan, token: u64, now: Instant) -> Exchange {
        let options: Option<&RequestOptions> = request.options.as_ref();
        let queued_octets = if let RequestContent::Whole(content) = &request.content { content.len() as u64 } else { 0 };
        Exchange {
            token,
            job: None,
            pipelines: pipelines(&plan, options.and_then(|options| options.idempotent)),
            holds_pipeline: options.and_then(|options| options.hold_pipeline).unwrap_or(false),
            reuse: options.and_then(|options| options.reuse).unwrap_or(Reuse::empty()),
            sending: RequestHalf::Queued,
            to_write: if let PlannedContent::Length(octets) = plan.content { Some(octets) } else { None },
            finished: false,
            queued_octets,
            finished_early: None,
            wire_start: None,
            wire_head_end: 0,
            wire_end: None,
            received_before: 0,
            is_behind: false,
            resent: 0,
            furthest: None,
            receiving: ResponseHalf::Head,
            interim_octets: 0,
            interim: Vec::new(),
            interim_debt: 0,
            interim_since: now,
            had_interim: false,
            head: None,
            head_told: false,
            framing: Framing::None,
            content: Content::default(),
            content_octets: 0,
            content_octets_max: options.and_then(|options| options.content_octets_max).unwrap_or(u64::MAX),
            trailers: Vec::new(),
            completes: false,
            reader: Reader::Caller,
            nobody_since: now,
            end_told: false,
            both_ends_told: false,
            wanted: every_condition(),
            taken: false,
            failure: None,
            failure_told: false,
            forgotten: false,
            is_queued: false,
            in_ready_list: false,
            deadlines: self.settings.deadlines.with(options.and_then(|options| options.deadlines.as_ref())),
            started: now,
            continue_since: None,
            timing: wit::NO_TIMING,
            plan,
            request: Some(request),
        }
    }

    /// The exchange, or the failure that it, or its absence, is.
    fn live(&mut self, id: ExchangeId) -> Result<&mut Exchange, Failure> {
        let absent = Failure {
            phase: Phase::Ended,
            delivery: Delivery::ResponseStarted,
            ..self.refused(Error::Closed(CloseReason::Dropped))
        };
        let exchange = self.exchanges.get_mut(id).ok_or(absent)?;
        match exchange.failure {
            Some(failure) => {
                exchange.failure_told = true;
                Err(failure)
            }
            None => Ok(exchange),
        }
    }

    /// A misuse by one call: the exchange goes on.
    fn misuse(&self, id: ExchangeId, misuse: Misuse) -> Failure {
        self.call_failure(id, Error::ApiMisuse(misuse))
    }

    fn call_failure(&self, id: ExchangeId, error: Error) -> Failure {
        let exchange = self.exchanges.get(id);
        let sent = exchange.and_then(|exchange| exchange.wire_start).is_some_and(|start| start < self.outbox.taken());
        let answered = exchange.is_some_and(|exchange| exchange.timing.response_started.is_some());
        let delivery = match (sent, answered) {
            (_, true) => Delivery::ResponseStarted,
            (true, false) => Delivery::Unanswered,
            (false, false) => Delivery::NotSent,
        };
        self.failure(id, error, delivery)
    }

    /// `send.write`.
    pub fn write(&mut self, id: ExchangeId, mut content: Vec<u8>, now: Instant) -> Result<u64, Failure> {
        let space = (self.settings.limits.send_buffer_octets_max as u64).saturating_sub(self.outbox.len());
        // The server may have refused nothing: its transport takes no more.
        let stopped_by = self.write_failed.filter(|_| !self.refuses_rest(id));
        let exchange = self.live(id)?;
        let octets = content.len() as u64;
        let tunnel = exchange.is_tunnel();
        let refusal = match exchange.sending {
            _ if exchange.finished => Some(Error::ApiMisuse(Misuse::ContentFinished)),
            _ if tunnel => None,
            RequestHalf::Stopped => Some(stopped_by.map_or(Error::Closed(CloseReason::EarlyResponse), Error::Incomplete)),
            RequestHalf::Sent if exchange.plan.asked.connect || exchange.plan.asked.upgrade => return Ok(0),
            _ if !exchange.is_streamed() => Some(Error::ApiMisuse(Misuse::ContentFinished)),
            _ if exchange.to_write.is_some_and(|left| octets > left) => Some(Error::ApiMisuse(Misuse::ContentTooLong)),
            _ => None,
        };
        let its_turn = tunnel || exchange.sending == RequestHalf::Content;
        if let Some(error) = refusal {
            return Err(self.call_failure(id, error));
        }
        let accepted = octets.min(space);
        if accepted == 0 || !its_turn {
            return Ok(0);
        }
        content.truncate(usize::try_from(accepted).unwrap_or(usize::MAX));
        if tunnel {
            self.outbox.push(content);
        } else {
            self.write_piece(id, content, now);
        }
        Ok(accepted)
    }

    /// `send.finish`.
    pub fn finish(&mut self, id: ExchangeId, trailers: Vec<FieldLine>, now: Instant) -> Result<(), Failure> {
        let exchange = self.live(id)?;
        let chunked = exchange.plan.content == PlannedContent::Chunked;
        let tunnel = exchange.is_tunnel();
        let refusal = if exchange.finished || !(exchange.is_streamed() || tunnel) {
            Some(Error::ApiMisuse(Misuse::ContentFinished))
        } else if !trailers.is_empty() && (!chunked || tunnel) {
            Some(Error::ApiMisuse(Misuse::ForbiddenTrailer))
        } else {
            encode::check_trailers(&trailers).err()
        };
        if let Some(error) = refusal {
            return Err(self.call_failure(id, error));
        }
        let Ok(exchange) = self.live(id) else { return Ok(()) };
        exchange.finished = true;
        match exchange.sending {
            _ if tunnel => self.settle_tunnel(now),
            RequestHalf::Sent | RequestHalf::Stopped => {}
            // What is missing cannot come any more.
            _ if exchange.to_write.is_some_and(|left| left > 0) => {
                self.give_up(id, Error::ApiMisuse(Misuse::ContentTooShort), now);
                self.live(id)?;
            }
            RequestHalf::Queued | RequestHalf::Continue => exchange.finished_early = Some(trailers),
            RequestHalf::Content if chunked => self.end_chunked(id, &trailers, now),
            RequestHalf::Content => {}
        }
        self.dispatch(now);
        Ok(())
    }

    /// `send.take-interim`.
    pub fn take_interim(&mut self, id: ExchangeId) -> Vec<PackedHead> {
        let Some(exchange) = self.exchanges.get_mut(id) else { return Vec::new() };
        exchange.interim_octets = 0;
        core::mem::take(&mut exchange.interim)
    }

    /// `send.head`.
    pub fn head(&mut self, id: ExchangeId) -> Result<Option<PackedHead>, Failure> {
        let exchange = self.live(id)?;
        exchange.head_told |= exchange.head.is_some();
        Ok(exchange.head.clone())
    }

    /// `send.read`.
    pub fn read(&mut self, id: ExchangeId, octets_max: u64, now: Instant) -> Result<Chunk, Failure> {
        let waiting = self.exchanges.get(id).is_some_and(|exchange| !exchange.content.is_empty());
        match self.exchanges.get(id).map(|exchange| exchange.reader) {
            Some(Reader::Caller | Reader::Nobody) if waiting => {
                let octets_max = usize::try_from(octets_max.max(1)).unwrap_or(usize::MAX);
                return Ok(Chunk::Data(self.take_content(id, octets_max, now)));
            }
            _ => {}
        }
        let exchange = self.live(id)?;
        if exchange.taken {
            // Nobody is told of it again.
            exchange.both_ends_told = exchange.has_ended();
            return Err(self.misuse(id, Misuse::ResponseTaken));
        }
        if exchange.receiving != ResponseHalf::Done || !exchange.content.is_empty() || exchange.awaits_departure() {
            return Ok(Chunk::WouldBlock);
        }
        exchange.end_told = true;
        exchange.both_ends_told = exchange.has_ended();
        Ok(Chunk::End(exchange.trailers.clone()))
    }

    /// Takes content that waits, and goes on with what was held back by it.
    fn take_content(&mut self, id: ExchangeId, octets_max: usize, now: Instant) -> Vec<u8> {
        let paused = self.is_paused();
        let Some(exchange) = self.exchanges.get_mut(id) else { return Vec::new() };
        let content = exchange.content.take(octets_max);
        self.unread = self.unread.saturating_sub(content.len());
        if paused {
            // The time the caller took is not the peer's.
            self.progress = now;
            self.process(now);
        }
        content
    }

    /// `send.collect` begins: the response is gathered whole from now on.
    pub fn begin_collect(&mut self, id: ExchangeId, octets_max: u64, now: Instant) -> Result<(), Failure> {
        let exchange = self.live(id)?;
        if exchange.taken {
            exchange.both_ends_told = exchange.has_ended();
            return Err(self.misuse(id, Misuse::ResponseTaken));
        }
        let gathered = exchange.content.take_all();
        let octets = gathered.len();
        let counted = if exchange.reader == Reader::Caller { octets } else { 0 };
        exchange.reader = Reader::Collect(octets_max);
        exchange.content.push(gathered);
        self.unread = self.unread.saturating_sub(counted);
        let begun = if octets as u64 > octets_max { self.refuse_collect(id, now) } else { Ok(()) };
        // What its content had held back.
        self.progress = now;
        self.process(now);
        begun
    }

    /// More has come than `collect` may take.
    fn refuse_collect(&mut self, id: ExchangeId, now: Instant) -> Result<(), Failure> {
        let error = Error::LimitExceeded(Limit::CollectOctets);
        let failure = self.call_failure(id, error);
        self.give_up(id, error, now);
        if let Some(exchange) = self.exchanges.get_mut(id) {
            // Later calls repeat it, also when the response had ended.
            exchange.content.clear();
            exchange.failure.get_or_insert(failure);
            exchange.failure_told = true;
        }
        Err(failure)
    }

    /// The whole response, once it is there, or the failure; only after `begin_collect`.
    pub fn take_response(&mut self, id: ExchangeId) -> Option<Result<PackedResponse, Failure>> {
        match self.live(id) {
            Err(failure) => Some(Err(failure)),
            Ok(exchange) if exchange.receiving == ResponseHalf::Done && !exchange.awaits_departure() => {
                whole_response(exchange).map(Ok)
            }
            Ok(_) => None,
        }
    }

    /// `send.want`.
    pub fn want(&mut self, id: ExchangeId, wanted: Readiness) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.wanted = wanted;
            self.mark(id);
        }
    }

    /// Why waiting for the whole response of this exchange would be in vain, as the caller's failure.
    pub fn refuses_wait(&mut self, id: ExchangeId) -> Option<Failure> {
        let exchange = self.exchanges.get(id)?;
        let queued = exchange.sending == RequestHalf::Queued;
        let misuse = if exchange.receiving == ResponseHalf::Tunnel {
            Misuse::Tunnel
        } else if self.is_paused() && self.outstanding.front() != Some(&id) {
            Misuse::BehindUnreadResponse
        } else if self.awaits_content(id) || (queued && self.writer.is_some_and(|writer| self.awaits_content(writer))) {
            Misuse::ContentUnfinished
        } else {
            return None;
        };
        Some(self.refuse_wait(id, misuse))
    }

    /// The caller may read it piece by piece after all.
    fn return_to_caller(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.exchanges.get_mut(id)
            && matches!(exchange.reader, Reader::Collect(_))
        {
            exchange.reader = Reader::Caller;
            self.unread += exchange.content.len();
            self.mark(id);
        }
    }

    /// Why waiting for this exchange is in vain, where it is not this connection that knows.
    pub fn refuse_wait(&mut self, id: ExchangeId, misuse: Misuse) -> Failure {
        self.return_to_caller(id);
        self.misuse(id, misuse)
    }

    /// Whether the request is waiting, or will be, for content that only the caller can write.
    fn awaits_content(&self, id: ExchangeId) -> bool {
        self.exchanges.get(id).is_some_and(Exchange::awaits_content)
    }

    /// An exchange that was collected for `poll.take-completions` and has ended.
    pub fn take_completed(&mut self) -> Option<Completed> {
        let internal = self.refused(Error::Internal);
        while let Some(id) = self.completed.pop_front() {
            let Some(exchange) = self.exchanges.get_mut(id) else { continue };
            let completed = Completed {
                id,
                token: exchange.token,
                job: exchange.job,
                outcome: match exchange.failure {
                    Some(failure) => Err(failure),
                    None => whole_response(exchange).ok_or(internal),
                },
                timing: exchange.timing,
                idempotent: exchange.plan.idempotent,
                resent: exchange.resent,
            };
            exchange.forgotten = true;
            self.drop_if_forgotten(id);
            return Some(completed);
        }
        None
    }

    /// `send.take-request`.
    pub fn take_request(&mut self, id: ExchangeId) -> Option<Request> {
        let exchange = self.exchanges.get_mut(id)?;
        let unsent = exchange.failure.is_some_and(|failure| failure.delivery == Delivery::NotSent);
        exchange.request.take_if(|_| unsent)
    }

    /// `send.timing`.
    pub fn timing(&self, id: ExchangeId) -> Option<ExchangeTiming> {
        self.exchanges.get(id).map(|exchange| exchange.timing)
    }

    /// `send.cancel`.
    pub fn cancel(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        if !exchange.has_ended() {
            self.log.add(now, Some(exchange.token), || LogEvent::Cancelled);
        }
        self.give_up(id, Error::Closed(CloseReason::Cancelled), now);
        // What it had held back.
        self.process(now);
    }

    /// The handle of an exchange was dropped.
    pub fn forget(&mut self, id: ExchangeId, now: Instant) {
        match self.exchanges.get(id) {
            Some(exchange) if exchange.completes => return,
            Some(_) => self.cancel(id, now),
            None => return,
        }
        let outstanding = self.outstanding.contains(&id);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        exchange.forgotten = true;
        let unread = if matches!(exchange.reader, Reader::Caller | Reader::Nobody) { exchange.content.len() } else { 0 };
        exchange.content.clear();
        if !outstanding {
            self.exchanges.remove(id);
        }
        if unread > 0 {
            self.unread = self.unread.saturating_sub(unread);
            self.progress = now;
            self.process(now);
        }
    }

    /// `client-conn.shutdown`.
    pub fn shutdown(&mut self, now: Instant) {
        self.retire(CloseReason::Shutdown, now);
    }

    /// Takes no more requests, for this reason; those that it has are finished.
    pub fn retire(&mut self, reason: CloseReason, now: Instant) {
        if self.is_closed() {
            return;
        }
        self.stop_accepting(Error::Closed(reason), now);
        self.settle(now);
    }

    /// `client-conn.close`, or the drop of its handle.
    pub fn close(&mut self, reason: CloseReason, now: Instant) {
        if self.state != ConnState::Closed {
            self.end(Error::Closed(reason), now);
        }
    }

    /// Whether the transport may be taken: it is established, and nobody waits for anything.
    ///
    /// Errors: `api-misuse(requests-outstanding)`, or what the connection was closed with.
    pub fn check_parts(&self) -> Result<(), Error> {
        let closed = Error::Closed(CloseReason::Local);
        if self.state == ConnState::Closed || !self.established {
            return Err(self.ended_by.unwrap_or(closed));
        }
        let waiting = self.length() > 0 && !self.is_tunnel();
        if waiting || !self.outbox.is_empty() {
            return Err(Error::ApiMisuse(Misuse::RequestsOutstanding));
        }
        Ok(())
    }

    /// Ends the connection without its transport; gives the octets that belong to nobody yet.
    pub fn take_parts(&mut self, now: Instant) -> Vec<u8> {
        let mut unread = Vec::new();
        if let Some(exchange) = self.outstanding.front().and_then(|id| self.exchanges.get_mut(*id)) {
            unread = exchange.content.take_all();
            self.unread = self.unread.saturating_sub(unread.len());
        }
        unread.extend_from_slice(&self.inbox.take_all());
        self.end(Error::Closed(CloseReason::Taken), now);
        unread
    }
}

/// The response of an exchange that is complete, handed out once.
fn whole_response(exchange: &mut Exchange) -> Option<PackedResponse> {
    let head = exchange.head.take()?;
    exchange.taken = true;
    exchange.end_told = true;
    exchange.both_ends_told = exchange.has_ended();
    Some(PackedResponse {
        interim: core::mem::take(&mut exchange.interim),
        head,
        content: exchange.content.take_all(),
        trailers: core::mem::take(&mut exchange.trailers),
    })
}

//! The caller's verbs. What each does, and its errors, is documented in `wit/client.wit`; here stands how.

use super::{ClientConn, Completed, ExchangeId, entry};
use crate::exchange::{EndTold, Exchange, Finish, Hold, Reader, RequestHalf, ResponseHalf};
use crate::failure::Place;
use crate::incoming::Progress;
use crate::request::ContentKind;
use crate::timer::Instant;
use crate::types::{
    Chunk, CloseReason, ConnState, Error, ExchangeTiming, Failure, FieldLine, Limit, LogEvent, Misuse, PackedHead,
    PackedResponse, Request,
};
use crate::wit::client::Readiness;
use alloc::vec::Vec;

impl ClientConn {
    /// `client-conn.send`.
    pub fn send(&mut self, request: Request, token: u64, now: Instant) -> Result<ExchangeId, Failure> {
        self.send_checked(request, token, None, now)
    }

    /// `send` for a request whose response is collected, with at most `octets_max` octets of content.
    ///
    /// Errors: as `send`; `api-misuse(tunnel)`: the response may have no end.
    pub fn send_collected(&mut self, request: Request, token: u64, octets_max: u64, now: Instant) -> Result<ExchangeId, Failure> {
        self.send_checked(request, token, Some(octets_max), now)
    }

    fn send_checked(&mut self, request: Request, token: u64, collects: Option<u64>, now: Instant) -> Result<ExchangeId, Failure> {
        let refused = |error| self.no_exchange().refused(error);
        self.check_room(&request).map_err(refused)?;
        let exchange = entry::exchange(request, token, collects, &self.authority, &self.settings, now).map_err(refused)?;
        Ok(self.admit(exchange, now))
    }

    /// Whether the connection takes one more request.
    fn check_room(&self, request: &Request) -> Result<(), Error> {
        if let (true, reason) = (self.is_closed(), self.ended_by) {
            return Err(reason.unwrap_or(Error::Internal));
        }
        let limits = &self.settings.limits;
        if self.requests().saturating_add(self.queued() as u64) >= limits.requests_max {
            return Err(Error::Closed(CloseReason::LocalOption));
        }
        if self.queued() >= limits.queue_length_max {
            return Err(Error::LimitExceeded(Limit::QueueLength));
        }
        entry::check_queued_octets(request, self.book.queued_octets, &self.settings)
    }

    /// Where a call fails that has no exchange.
    fn no_exchange(&self) -> Place {
        self.place(self.protocol.counts().octets_received)
    }

    /// The exchange, or the failure that it, or its absence, is.
    fn live(&mut self, id: ExchangeId) -> Result<&mut Exchange, Failure> {
        let place = self.no_exchange();
        self.book.live(id, place)
    }

    /// A misuse by one call: the exchange goes on.
    fn misuse(&self, id: ExchangeId, misuse: Misuse) -> Failure {
        self.call_failure(id, Error::ApiMisuse(misuse))
    }

    fn call_failure(&self, id: ExchangeId, error: Error) -> Failure {
        let place = self.no_exchange();
        let Some(exchange) = self.book.exchanges.get(id) else { return place.absent() };
        let gone = Progress { octets_sent: exchange.sending.octets, in_trailers: false };
        place.failure(error, exchange, self.protocol.progress(id).unwrap_or(gone))
    }

    /// `send.write`.
    pub fn write(&mut self, id: ExchangeId, mut content: Vec<u8>, now: Instant) -> Result<u64, Failure> {
        let space = self.protocol.send_room(&self.settings);
        let place = self.no_exchange();
        let exchange = self.book.live(id, place)?;
        let octets = content.len() as u64;
        let tunnel = exchange.is_tunnel();
        let half = exchange.sending.half;
        let refusal = match half {
            _ if exchange.sending.is_finished() || tunnel => exchange.check_write(octets).err().map(Error::ApiMisuse),
            RequestHalf::Stopped => Some(self.protocol.stopped_by(exchange)),
            RequestHalf::Sent if exchange.sending.may_switch() => return Ok(0),
            _ => exchange.check_write(octets).err().map(Error::ApiMisuse),
        };
        let its_turn = tunnel || half == RequestHalf::Content;
        if let Some(error) = refusal {
            return Err(self.call_failure(id, error));
        }
        let accepted = octets.min(space);
        if accepted == 0 || !its_turn {
            return Ok(0);
        }
        content.truncate(usize::try_from(accepted).unwrap_or(usize::MAX));
        if tunnel {
            self.protocol.content(content);
        } else {
            self.write_piece(id, content, now);
        }
        self.settle(now);
        Ok(accepted)
    }

    /// `send.finish`.
    pub fn finish(&mut self, id: ExchangeId, trailers: Vec<FieldLine>, now: Instant) -> Result<(), Failure> {
        let exchange = self.live(id)?;
        let open_ended = exchange.sending.checked.content == ContentKind::UnknownLength;
        let tunnel = exchange.is_tunnel();
        if let Err(error) = exchange.check_finish(&trailers) {
            return Err(self.call_failure(id, error));
        }
        let Ok(exchange) = self.live(id) else { return Ok(()) };
        let sending = &mut exchange.sending;
        let is_short = sending.to_write.is_some_and(|left| left > 0);
        sending.finish = Finish::Called(None);
        match sending.half {
            _ if tunnel => {}
            RequestHalf::Sent | RequestHalf::Stopped => {}
            // What is missing cannot come any more.
            _ if is_short => {
                self.give_up(id, Error::ApiMisuse(Misuse::ContentTooShort), now);
                self.settle(now);
                self.live(id)?;
            }
            RequestHalf::Queued | RequestHalf::Continue => sending.finish = Finish::Called(Some(trailers)),
            RequestHalf::Content if open_ended => self.end_request(id, &trailers, now),
            RequestHalf::Content => {}
        }
        self.settle(now);
        Ok(())
    }

    /// `send.take-interim`.
    pub fn take_interim(&mut self, id: ExchangeId) -> Vec<PackedHead> {
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return Vec::new() };
        exchange.receiving.interim.octets = 0;
        core::mem::take(&mut exchange.receiving.interim.heads)
    }

    /// `send.head`.
    pub fn head(&mut self, id: ExchangeId) -> Result<Option<PackedHead>, Failure> {
        let exchange = self.live(id)?;
        exchange.handle.head_told |= exchange.receiving.head.is_some();
        Ok(exchange.receiving.head.clone())
    }

    /// `send.read`.
    pub fn read(&mut self, id: ExchangeId, octets_max: u64, now: Instant) -> Result<Chunk, Failure> {
        let readable = |exchange: &Exchange| {
            matches!(exchange.handle.reader, Reader::Caller | Reader::Nobody) && !exchange.receiving.content.is_empty()
        };
        if self.book.exchanges.get(id).is_some_and(readable) {
            let octets_max = usize::try_from(octets_max.max(1)).unwrap_or(usize::MAX);
            return Ok(Chunk::Data(self.take_content(id, octets_max, now)));
        }
        let exchange = self.live(id)?;
        if exchange.handle.hold == Hold::Taken {
            return Err(self.refuse_taken(id));
        }
        let receiving = &exchange.receiving;
        if receiving.half != ResponseHalf::Done || !receiving.content.is_empty() || exchange.awaits_departure() {
            return Ok(Chunk::WouldBlock);
        }
        exchange.tell_end();
        Ok(Chunk::End(exchange.receiving.trailers.clone()))
    }

    /// The response was handed out whole: nobody is told of its end again.
    fn refuse_taken(&mut self, id: ExchangeId) -> Failure {
        if let Some(exchange) = self.book.exchanges.get_mut(id)
            && exchange.has_ended()
        {
            exchange.handle.end_told = EndTold::Both;
        }
        self.misuse(id, Misuse::ResponseTaken)
    }

    /// Takes content that waits, and goes on with what was held back by it.
    fn take_content(&mut self, id: ExchangeId, octets_max: usize, now: Instant) -> Vec<u8> {
        let paused = self.is_paused(now);
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return Vec::new() };
        let content = exchange.receiving.content.take(octets_max);
        self.book.release_unread(content.len());
        if paused {
            self.resume(now);
        }
        content
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.protocol.paused_by(self.scene(now)).is_some()
    }

    /// Goes on with what unread content had held back. The time that the caller took is not the peer's.
    fn resume(&mut self, now: Instant) {
        self.protocol.resume(now);
        self.settle(now);
    }

    /// `send.collect` begins: the response is gathered whole from now on.
    pub fn begin_collect(&mut self, id: ExchangeId, octets_max: u64, now: Instant) -> Result<(), Failure> {
        let paused = self.is_paused(now);
        let exchange = self.live(id)?;
        if exchange.handle.hold == Hold::Taken {
            return Err(self.refuse_taken(id));
        }
        let gathered = exchange.receiving.content.take_all();
        let octets = gathered.len();
        let counted = if exchange.handle.reader == Reader::Caller { octets } else { 0 };
        exchange.handle.reader = Reader::Collect(octets_max);
        exchange.receiving.content.push(gathered);
        self.book.release_unread(counted);
        if octets as u64 > octets_max {
            let refused = self.refuse_collect(id, now);
            self.resume(now);
            return Err(refused);
        }
        self.protocol.resume(now);
        if paused {
            self.settle(now);
        }
        Ok(())
    }

    /// More has come than `collect` may take.
    fn refuse_collect(&mut self, id: ExchangeId, now: Instant) -> Failure {
        let error = Error::LimitExceeded(Limit::CollectOctets);
        let failure = self.call_failure(id, error);
        self.give_up(id, error, now);
        // Later calls repeat it, also when the response had ended.
        self.book.fail(id, failure, None, now);
        self.live(id).err().unwrap_or(failure)
    }

    /// The whole response, once it is there, or the failure; only after `begin_collect`.
    pub fn take_response(&mut self, id: ExchangeId) -> Option<Result<PackedResponse, Failure>> {
        match self.live(id) {
            Err(failure) => Some(Err(failure)),
            Ok(exchange) if exchange.receiving.half == ResponseHalf::Done && !exchange.awaits_departure() => {
                exchange.take_response().map(Ok)
            }
            Ok(_) => None,
        }
    }

    /// `send.want`.
    pub fn want(&mut self, id: ExchangeId, wanted: Readiness) {
        if let Some(exchange) = self.book.exchanges.get_mut(id) {
            exchange.handle.wanted = wanted;
            self.book.mark(id);
        }
    }

    /// Why waiting for the whole response of this exchange would be in vain, as the caller's failure.
    pub fn refuses_wait(&mut self, id: ExchangeId) -> Option<Failure> {
        let exchange = self.book.exchanges.get(id)?;
        let queued = exchange.sending.half == RequestHalf::Queued;
        let is_next = self.protocol.writer().filter(|_| queued);
        let misuse = if exchange.receiving.half == ResponseHalf::Tunnel {
            Misuse::Tunnel
        } else if self.protocol.paused_by(self.scene(Instant(0))).is_some_and(|other| other != id) {
            Misuse::BehindUnreadResponse
        } else if exchange.awaits_content() || is_next.is_some_and(|writer| self.awaits_content(writer)) {
            Misuse::ContentUnfinished
        } else {
            return None;
        };
        Some(self.refuse_wait(id, misuse))
    }

    /// The caller may read it piece by piece after all.
    fn return_to_caller(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.book.exchanges.get_mut(id)
            && matches!(exchange.handle.reader, Reader::Collect(_))
        {
            exchange.handle.reader = Reader::Caller;
            self.book.unread += exchange.receiving.content.len();
            self.book.mark(id);
        }
    }

    /// Why waiting for this exchange is in vain, where it is not this connection that knows.
    pub fn refuse_wait(&mut self, id: ExchangeId, misuse: Misuse) -> Failure {
        self.return_to_caller(id);
        self.misuse(id, misuse)
    }

    /// Whether the request is waiting, or will be, for content that only the caller can write.
    fn awaits_content(&self, id: ExchangeId) -> bool {
        self.book.exchanges.get(id).is_some_and(Exchange::awaits_content)
    }

    /// An exchange that was collected for `poll.take-completions` and has ended.
    pub fn take_completed(&mut self) -> Option<Completed> {
        while let Some(id) = self.book.reports.completed.pop_front() {
            let internal = self.no_exchange().refused(Error::Internal);
            let Some(exchange) = self.book.exchanges.get_mut(id) else { continue };
            let completed = Completed::of(exchange, internal);
            exchange.handle.hold = Hold::Forgotten;
            self.drop_if_forgotten(id);
            return Some(completed);
        }
        None
    }

    /// `send.take-request`.
    pub fn take_request(&mut self, id: ExchangeId) -> Option<Request> {
        self.book.exchanges.get_mut(id)?.take_request()
    }

    /// `send.timing`.
    pub fn timing(&self, id: ExchangeId) -> Option<ExchangeTiming> {
        self.book.exchanges.get(id).map(|exchange| exchange.timing)
    }

    /// `send.cancel`.
    pub fn cancel(&mut self, id: ExchangeId, now: Instant) {
        let Some(exchange) = self.book.exchanges.get(id) else { return };
        if exchange.has_ended() && !exchange.is_tunnel() {
            return;
        }
        if !exchange.has_ended() {
            self.book.log.add(now, Some(exchange.token), || LogEvent::Cancelled);
        }
        self.give_up(id, Error::Closed(CloseReason::Cancelled), now);
        self.settle(now);
    }

    /// The handle of an exchange was dropped.
    pub fn forget(&mut self, id: ExchangeId, now: Instant) {
        match self.book.exchanges.get(id) {
            Some(exchange) if exchange.handle.completes => return,
            Some(_) => self.cancel(id, now),
            None => return,
        }
        let Some(exchange) = self.book.exchanges.get_mut(id) else { return };
        exchange.handle.hold = Hold::Forgotten;
        let is_counted = matches!(exchange.handle.reader, Reader::Caller | Reader::Nobody);
        let unread = if is_counted { exchange.receiving.content.len() } else { 0 };
        exchange.receiving.content.clear();
        self.drop_if_forgotten(id);
        if unread > 0 {
            self.book.release_unread(unread);
            self.resume(now);
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
        if self.state == ConnState::Closed || !self.is_established() {
            return Err(self.ended_by.unwrap_or(closed));
        }
        let waiting = self.length() > 0 && self.protocol.tunnel().is_none();
        if waiting || !self.protocol.to_transmit().is_empty() {
            return Err(Error::ApiMisuse(Misuse::RequestsOutstanding));
        }
        Ok(())
    }

    /// Ends the connection without its transport; gives the octets that belong to nobody yet.
    pub fn take_parts(&mut self, now: Instant) -> Vec<u8> {
        let mut unread = Vec::new();
        let tunnel = self.protocol.tunnel();
        if let Some(exchange) = tunnel.and_then(|id| self.book.exchanges.get_mut(id)) {
            unread = exchange.receiving.content.take_all();
            self.book.unread = self.book.unread.saturating_sub(unread.len());
        }
        unread.extend_from_slice(&self.protocol.take_octets());
        self.end(Error::Closed(CloseReason::Taken), now);
        unread
    }
}

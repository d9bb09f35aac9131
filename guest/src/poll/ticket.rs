//! The caller's hold on a request of the pool. A ticket has the verbs of an exchange that no connection has; those of the others are its
//! connection's.

use super::Poll;
use super::line;
use crate::conn::ExchangeId;
use crate::driver::{Driver, Shared};
use crate::exchange::{Exchange, Finish, Reader};
use crate::incoming::Progress;
use crate::link::Network;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{Chunk, Error, ExchangeTiming, Failure, FieldLine, Misuse, PackedHead, Request};
use crate::wit::{
    self,
    client::{ExchangeInfo, Readiness},
};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{RefCell, RefMut};
use core::fmt;

/// The caller's hold on a request of the pool, wherever it moves.
pub struct Ticket<N: Network> {
    pub(super) poll: Rc<RefCell<Poll<N>>>,
    pub(super) job: Id,
}

impl<N: Network> fmt::Debug for Ticket<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Ticket").field(&self.job).finish()
    }
}

impl<N: Network> Ticket<N> {
    /// The connection that has the exchange, and its id there. `None`: the exchange waits for a connection, or has failed before it had one.
    pub fn seat(&self) -> Option<(Shared<N::Link>, ExchangeId)> {
        self.poll.borrow().pool.jobs.get(self.job)?.on_connection()
    }

    /// The poll.
    pub fn poll(&self) -> &RefCell<Poll<N>> {
        &self.poll
    }

    /// The exchange, while no connection has it.
    #[inline(never)]
    fn exchange(&self) -> Option<RefMut<'_, Exchange>> {
        RefMut::filter_map(self.poll.borrow_mut(), |poll| poll.pool.jobs.get_mut(self.job)?.waiting_mut()).ok()
    }

    /// The exchange, while it waits.
    ///
    /// Errors: its failure.
    #[inline(never)]
    fn waiting(&self) -> Result<RefMut<'_, Exchange>, Failure> {
        let Some(mut exchange) = self.exchange() else { return Err(line::place(Error::Internal, 0).absent()) };
        match exchange.tell_failure() {
            Some(failure) => Err(failure),
            None => Ok(exchange),
        }
    }

    /// `send.write` of so many octets.
    pub fn write(&self, octets: u64) -> Result<u64, Failure> {
        let exchange = self.waiting()?;
        exchange.check_write(octets).map_err(|misuse| failure(Error::ApiMisuse(misuse), &exchange))?;
        Ok(0)
    }

    /// `send.finish`.
    pub fn finish(&self, trailers: Vec<FieldLine>) -> Result<(), Failure> {
        let mut exchange = self.waiting()?;
        exchange.check_finish(&trailers).map_err(|error| failure(error, &exchange))?;
        exchange.sending.finish = Finish::Called(Some(trailers));
        if exchange.sending.to_write.is_none_or(|left| left == 0) {
            return Ok(());
        }
        drop(exchange);
        // What is missing cannot come any more.
        self.poll.borrow_mut().fail_waiting(self.job, Error::ApiMisuse(Misuse::ContentTooShort), 0);
        self.waiting().map(drop)
    }

    /// `send.head`.
    pub fn head(&self) -> Result<Option<PackedHead>, Failure> {
        self.waiting().map(|_| None)
    }

    /// `send.read`.
    pub fn read(&self) -> Result<Chunk, Failure> {
        self.waiting().map(|_| Chunk::WouldBlock)
    }

    /// `send.collect` begins.
    pub fn begin_collect(&self, octets_max: u64) -> Result<(), Failure> {
        self.waiting()?.handle.reader = Reader::Collect(octets_max);
        Ok(())
    }

    /// Why waiting for the whole response would be in vain.
    pub fn refuses_wait(&self) -> Option<Failure> {
        let is_held_back = self.poll.borrow().holds_back();
        let awaits_content = self.exchange()?.awaits_content();
        match awaits_content {
            true => Some(self.refuse_wait(Misuse::ContentUnfinished)),
            // No request has a turn until completions are taken.
            false if is_held_back => Some(self.refuse_wait(Misuse::BehindUnreadResponse)),
            false => self.waiting().err(),
        }
    }

    /// Waiting is in vain: the caller may read the response piece by piece after all.
    pub fn refuse_wait(&self, misuse: Misuse) -> Failure {
        match self.waiting() {
            Ok(mut exchange) => {
                exchange.handle.reader = Reader::Caller;
                failure(Error::ApiMisuse(misuse), &exchange)
            }
            Err(failure) => failure,
        }
    }

    /// `send.take-request`.
    pub fn take_request(&self) -> Option<Request> {
        self.exchange()?.take_request()
    }

    /// `send.timing`.
    pub fn timing(&self) -> ExchangeTiming {
        self.exchange().map_or(wit::NO_TIMING, |exchange| exchange.timing)
    }

    /// `send.info`.
    pub fn info(&self) -> ExchangeInfo {
        let retries = self.exchange().map_or(0, |exchange| exchange.resent);
        ExchangeInfo { connection: None, retries, turn: None }
    }

    /// `send.want`, wherever the exchange is.
    pub fn want(&self, wanted: Readiness) {
        if let Some(mut exchange) = self.exchange() {
            exchange.handle.wanted = wanted;
        }
        let mut poll = self.poll.borrow_mut();
        poll.report_waiting(self.job);
        let Some((shared, id)) = poll.pool.jobs.get(self.job).and_then(|job| job.on_connection()) else { return };
        let mut driver = shared.borrow_mut();
        driver.conn.want(id, wanted);
        driver.flag();
        drop(driver);
        poll.take_in(self.job, &shared);
    }

    /// `send.cancel`, wherever the exchange is. One that has failed, and is about to be sent again, is given up too.
    pub fn cancel(&self, now: Instant) {
        let mut poll = self.poll.borrow_mut();
        poll.heed_failed(now);
        poll.cancel_job(self.job, now);
    }

    /// Gives the request up, as `send` is dropped, wherever the exchange is.
    pub fn forget(&self, now: Instant) {
        self.poll.borrow_mut().forget_job(self.job, now);
    }
}

/// The failure that an error is for an exchange that waits.
#[inline(never)]
fn failure(error: Error, exchange: &Exchange) -> Failure {
    line::place(error, 0).failure(error, exchange, Progress::default())
}

/// `send.info` of an exchange on this connection.
pub fn info<L>(driver: &Driver<L>, id: ExchangeId) -> ExchangeInfo {
    let conn = &driver.conn;
    let (retries, started) = conn.resent(id).unwrap_or_default();
    let turn = conn.turn(id).map(|turn| turn.since(started));
    ExchangeInfo { connection: Some(conn.info()), retries, turn }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::{Broken, Progress as Dialled};
    use crate::link::Link;
    use crate::poll::Origin;
    use crate::poll::limits::ORIGINS_MAX;
    use crate::request::tests::request;
    use crate::stream::{End, Read, Stream};
    use crate::types::{CloseReason, Delivery, Endpoint, Phase, RequestContent, RequestOptions, Timer};
    use crate::wit::client::Event;
    use alloc::string::String;
    use alloc::vec;

    /// A network in which no connection is ever established.
    #[derive(Debug, Default)]
    struct Nowhere(Broken);

    impl Network for Nowhere {
        type Link = Nowhere;

        fn dial(&self, _: &Endpoint) -> Result<(u64, Nowhere), Error> {
            Ok((1, Nowhere::default()))
        }

        fn broken(&self) -> &Broken {
            &self.0
        }

        fn changed(&self) {}
    }

    impl Link for Nowhere {
        fn dial(&mut self, _: Instant, _: &mut Vec<Dialled>) {}

        fn deadline(&self) -> Option<Instant> {
            None
        }

        fn close(&mut self) {}

        fn broken(&self) -> &Broken {
            &self.0
        }
    }

    impl Stream for Nowhere {
        fn read(&mut self, _: usize) -> Result<Read, End> {
            Ok(Read::Nothing)
        }

        fn room(&mut self) -> Result<usize, End> {
            Ok(0)
        }

        fn write(&mut self, _: &[u8]) -> Result<(), End> {
            Ok(())
        }

        fn half_close(&mut self) {}
    }

    /// The failures of a ticket's verbs, as error, delivery, phase and connection.
    type Failed = (Error, Delivery, Phase, u64);

    struct Waiting {
        poll: Rc<RefCell<Poll<Nowhere>>>,
        origin: Rc<Origin>,
    }

    impl Waiting {
        fn new() -> Waiting {
            let endpoint = Endpoint { host: String::from("h"), port: 80, addresses: vec![], tls: None };
            let origin = Rc::new(Origin::new(endpoint, None).expect("an origin"));
            Waiting { poll: Rc::new(RefCell::new(Poll::new(None, Nowhere::default(), Instant(0)))), origin }
        }

        fn submit(&self, content: RequestContent) -> Ticket<Nowhere> {
            let options = Some(RequestOptions { deadlines: vec![(Timer::Queue, 50)], ..RequestOptions::default() });
            let request = Request { options, ..request("PUT", content) };
            Poll::submit(&self.poll, &self.origin, request, 7, Instant(0)).expect("room")
        }

        fn events(&self, now: Instant) -> Vec<Event> {
            let mut poll = self.poll.borrow_mut();
            poll.settle(now);
            poll.looked();
            poll.events(9)
        }
    }

    fn failed<T>(result: Result<T, Failure>) -> Option<Failed> {
        result.err().map(|failure| (failure.error, failure.delivery, failure.phase, failure.connection))
    }

    fn unsent(error: Error, phase: Phase) -> Option<Failed> {
        Some((error, Delivery::NotSent, phase, 0))
    }

    #[test]
    fn a_request_that_waits_takes_every_verb() {
        let waiting = Waiting::new();
        let ticket = waiting.submit(RequestContent::Length(4));
        assert!(ticket.seat().is_none() && ticket.info().connection.is_none());
        assert_eq!((ticket.write(4), failed(ticket.head()), failed(ticket.read())), (Ok(0), None, None));
        let too_long = Error::ApiMisuse(Misuse::ContentTooLong);
        assert_eq!(failed(ticket.write(5)), unsent(too_long, Phase::Queued));
        assert_eq!(failed(ticket.begin_collect(9)), None);
        let unfinished = Error::ApiMisuse(Misuse::ContentUnfinished);
        assert_eq!(failed(ticket.refuses_wait().map_or(Ok(()), Err)), unsent(unfinished, Phase::Queued));
        assert!(ticket.take_request().is_none(), "it may still leave");
        let too_short = Error::ApiMisuse(Misuse::ContentTooShort);
        assert_eq!(failed(ticket.finish(vec![])), unsent(too_short, Phase::Queued));
        assert_eq!(waiting.poll.borrow().info().counts.queued, 0);
    }

    #[test]
    fn a_request_that_is_cancelled_while_it_waits_comes_back() {
        let waiting = Waiting::new();
        let ticket = waiting.submit(RequestContent::Whole(vec![1, 2]));
        ticket.cancel(Instant(1));
        assert_eq!(failed(ticket.read()), unsent(Error::Closed(CloseReason::Cancelled), Phase::Queued));
        let request = ticket.take_request().expect("nothing of it has left");
        assert_eq!((request.content, ticket.take_request().is_none()), (RequestContent::Whole(vec![1, 2]), true));
        assert!(waiting.events(Instant(2)).is_empty(), "the caller has had the failure");
    }

    #[test]
    fn a_request_whose_time_in_the_line_is_over_says_so_until_the_caller_has_heard_it() {
        let waiting = Waiting::new();
        let ticket = waiting.submit(RequestContent::None);
        assert_eq!(waiting.poll.borrow_mut().next_deadline(), Some(Instant(50)));
        assert!(waiting.events(Instant(49)).is_empty());
        let ready = |events: Vec<Event>| match events[..] {
            [Event::Exchange(ref event)] => Some((event.token, event.ready)),
            _ => None,
        };
        assert_eq!(ready(waiting.events(Instant(50))), Some((7, Readiness::FAILED)));
        ticket.want(Readiness::empty());
        assert!(waiting.events(Instant(51)).is_empty(), "the caller does not want to hear it");
        ticket.want(Readiness::FAILED);
        assert_eq!(ready(waiting.events(Instant(52))), Some((7, Readiness::FAILED)));
        assert_eq!(failed(ticket.head()), unsent(Error::TimedOut(Timer::Queue), Phase::Queued));
        assert!(waiting.events(Instant(53)).is_empty());
    }

    #[test]
    fn a_request_that_waits_when_its_poll_is_dropped_fails_and_its_ticket_stays_good() {
        let waiting = Waiting::new();
        let (ticket, other) = (waiting.submit(RequestContent::None), waiting.submit(RequestContent::None));
        other.forget(Instant(1));
        waiting.poll.borrow_mut().close(Instant(2));
        drop(waiting);
        assert_eq!(failed(ticket.head()), unsent(Error::Closed(CloseReason::Dropped), Phase::Queued));
        assert!(ticket.take_request().is_some());
        ticket.cancel(Instant(3));
        ticket.forget(Instant(4));
        assert_eq!(failed(ticket.head()).map(|failed| failed.2), Some(Phase::Ended), "nothing is left of it");
    }

    #[test]
    fn a_request_that_is_to_be_sent_again_holds_on_to_its_origin() {
        let waiting = Waiting::new();
        let mut poll = waiting.poll.borrow_mut();
        let get = || request("GET", RequestContent::None);
        poll.fetch_all(&waiting.origin, vec![get()], 7, 1, Instant(0));
        let (job, origin) = poll.pool.jobs.with_token(7).next().map(|(id, job)| (id, job.origin)).expect("it is there");
        assert!(poll.pool.leave_line(job).is_some());
        poll.pool.again.push((job, get()));
        // The origin has no connection and no request in its line: as if nobody used it.
        poll.pool.origins.get_mut(origin).expect("it is known").open = 0;
        for number in 0..ORIGINS_MAX {
            let endpoint = Endpoint { host: alloc::format!("h{number}"), port: 80, addresses: vec![], tls: None };
            let other = Rc::new(Origin::new(endpoint, None).expect("an origin"));
            poll.fetch_all(&other, vec![get()], 8, 1, Instant(1));
        }
        let job = poll.pool.jobs.get(job).expect("it has not ended");
        assert!(job.waiting().is_some() && poll.pool.origins.get(job.origin).is_some());
    }
}

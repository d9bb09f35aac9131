//! The line of an origin: its requests that wait for a connection, in their order. The exchange of each is with its job.

use super::Poll;
use super::chain::{Chain, Kind};
use super::job::{Job, Seat};
use super::jobs::Jobs;
use super::member::Reporter;
use crate::conn::{self, Completed};
use crate::exchange::{Exchange, asks};
use crate::failure::{Place, is_local, of_all_attempts};
use crate::incoming::Progress;
use crate::link::Network;
use crate::settings::Settings;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{Error, Failure, Phase, Request, Reuse};
use crate::wit::client::Readiness;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// How many requests in front another request passes by, on the way out of the line or in: so the cost is the same, however many requests wait.
/// A request that comes in again, or ahead, and has its place farther back, comes behind so many, whatever was submitted first.
const PASSED_MAX: usize = 256;

/// The requests of an origin that wait.
#[derive(Debug, Default)]
pub(super) struct Line {
    chain: Chain,
    length: usize,
    /// Octets of their contents.
    octets: u64,
}

/// Which of the requests that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// All requests.
    All,
    /// The requests that need a connection that has carried none.
    Fresh,
    /// The others.
    NotFresh,
}

/// Where a request comes into the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// Once more: in front of those that were submitted later.
    Again,
    /// For the first time: behind all, unless the request is ahead of the others.
    New,
}

impl Whom {
    fn includes(self, exchange: &Exchange) -> bool {
        let fresh = asks(exchange.sending.reuse, Reuse::FRESH);
        match self {
            Whom::All => true,
            Whom::Fresh => fresh,
            Whom::NotFresh => !fresh,
        }
    }
}

impl Line {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The requests, in their order.
    fn requests<'a, L>(&self, jobs: &'a Jobs<L>) -> impl Iterator<Item = (Id, &'a Job<L>, &'a Exchange)> {
        self.chain.entries(Kind::Line, &jobs.nodes).filter_map(|(id, job)| Some((id, job, job.waiting()?)))
    }

    /// The first one, among so many in front as may be passed by.
    pub(super) fn first<'a, L>(&self, whom: Whom, jobs: &'a Jobs<L>) -> Option<(Id, &'a Job<L>, &'a Exchange)> {
        self.requests(jobs).take(PASSED_MAX).find(|(_, _, exchange)| whom.includes(exchange))
    }

    /// Lists a request, whose exchange is with its job.
    pub(super) fn enter<L>(&mut self, id: Id, entrance: Entrance, jobs: &mut Jobs<L>) {
        let Some((job, exchange)) = jobs.get(id).and_then(|job| Some((job, job.waiting()?))) else { return };
        self.octets += exchange.sending.queued_octets;
        self.length += 1;
        let rank = job.rank(exchange);
        let behind = match entrance {
            Entrance::New if rank > 0 => None,
            Entrance::New | Entrance::Again => {
                let mut requests = self.requests(jobs).enumerate();
                requests.find(|(place, (_, job, other))| *place == PASSED_MAX || job.rank(other) > rank).map(|(_, (id, ..))| id)
            }
        };
        self.chain.insert(id, behind, Kind::Line, &mut jobs.nodes);
    }

    /// A request leaves the line, with this exchange.
    pub(super) fn leave<L>(&mut self, id: Id, exchange: &Exchange, jobs: &mut Jobs<L>) {
        self.octets = self.octets.saturating_sub(exchange.sending.queued_octets);
        self.length = self.length.saturating_sub(1);
        self.chain.remove(id, Kind::Line, &mut jobs.nodes);
    }

    /// The exchange of a request that comes into the line.
    ///
    /// Errors: as `poll.submit`.
    pub(super) fn exchange(
        &self,
        request: Request,
        token: u64,
        collects: Option<u64>,
        (authority, settings): (&str, &Settings),
        now: Instant,
    ) -> Result<Box<Exchange>, Failure> {
        let exchange = conn::check_queued_octets(&request, self.octets, settings)
            .and_then(|()| conn::exchange(request, token, collects, authority, settings, now));
        exchange.map_err(refused)
    }
}

/// Where a request that waits fails, for what has happened to this connection; 0: to none.
pub(super) fn place(error: Error, connection: u64) -> Place {
    let waiting = if is_local(&error) { Phase::Queued } else { Phase::Connecting };
    Place { connection, octets_received: 0, waiting, declared: None }
}

/// The failure of a request that does not come into a line.
pub(super) fn refused(error: Error) -> Failure {
    place(error, 0).refused(error)
}

impl<N: Network> Poll<N> {
    /// Fails the requests that wait for an origin, for what has happened to this connection; 0: to none.
    pub(super) fn fail_line(&mut self, id: Id, whom: Whom, error: Error, connection: u64) {
        let Some(known) = self.pool.origins.get(id) else { return };
        let requests = known.line.requests(&self.pool.jobs).filter(|(_, _, exchange)| whom.includes(exchange));
        let meant: Vec<Id> = requests.map(|(id, ..)| id).collect();
        for id in meant {
            self.fail_waiting(id, error, connection);
        }
    }

    /// Fails a request, if it waits. Those behind it may have a turn.
    pub(super) fn fail_waiting(&mut self, id: Id, error: Error, connection: u64) {
        let Some(mut exchange) = self.pool.leave_line(id) else { return };
        let failure = place(error, connection).failure(error, &exchange, Progress::default());
        let mut failure = of_all_attempts(exchange.furthest, failure);
        if exchange.fail(failure, None).is_err() {
            failure.error = Error::Internal;
            exchange.failure = Some(failure);
        }
        let Some(job) = self.pool.jobs.get_mut(id) else { return };
        let origin = job.origin;
        if job.collects.is_some() {
            let completed = Completed::of(&mut exchange, failure);
            self.end_job(id, completed, 0);
        } else {
            job.seat = Seat::Line(exchange);
            self.report_waiting(id);
        }
        self.mark(origin);
    }

    /// A request that no connection has may have something to report.
    pub(super) fn report_waiting(&mut self, id: Id) {
        if let Some(exchange) = self.pool.jobs.get_mut(id).and_then(Job::waiting_mut)
            && exchange.readiness(false) != Readiness::empty()
            && !core::mem::replace(&mut exchange.in_ready_list, true)
        {
            self.reporting.push_back(Reporter::Waiting(id));
        }
    }

    /// Ends the requests that wait, and whose deadlines have passed.
    pub(super) fn end_late(&mut self, now: Instant) {
        while let Some(passed) = self.pool.deadlines.take_passed(now) {
            self.fail_waiting(passed.exchange, Error::TimedOut(passed.timer.into()), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::Origin;
    use crate::poll::origin::Known;
    use crate::poll::stock::Pool;
    use crate::request::tests::request;
    use crate::types::{Endpoint, Limit, RequestContent, RequestOptions, Timer};
    use alloc::rc::Rc;
    use alloc::string::String;
    use alloc::vec;

    /// The line of one origin.
    struct One {
        pool: Pool<()>,
        origin: Id,
    }

    impl One {
        fn new() -> One {
            let endpoint = Endpoint { host: String::from("h"), port: 80, addresses: vec![], tls: None };
            let mut pool = Pool::default();
            let origin = pool.origins.insert(Known::new(Rc::new(Origin::new(endpoint, None).expect("an origin"))));
            One { pool, origin }
        }

        fn line(&self) -> &Line {
            &self.pool.origins.get(self.origin).expect("the origin").line
        }

        fn exchange(&self, token: u64, reuse: Reuse, content: RequestContent) -> Result<Box<Exchange>, Failure> {
            let deadlines = vec![(Timer::Queue, 5), (Timer::Total, 9)];
            let options = Some(RequestOptions { reuse, deadlines, ..RequestOptions::default() });
            let request = Request { options, ..request("GET", content) };
            self.line().exchange(request, token, None, ("h", &Settings::checked(None).expect("the defaults")), Instant(0))
        }

        fn enter(&mut self, token: u64, reuse: Reuse) -> Id {
            let exchange = self.exchange(token, reuse, RequestContent::None).expect("a good request");
            let job = Job::new(token, self.origin, token + 1, Instant(0), None, None);
            let id = self.pool.jobs.insert(job);
            self.pool.enter_line(id, exchange, Entrance::New);
            id
        }

        fn tokens(&self) -> Vec<u64> {
            self.line().requests(&self.pool.jobs).map(|(_, job, _)| job.token).collect()
        }
    }

    #[test]
    fn so_many_that_need_a_fresh_connection_are_passed_by_and_no_more() {
        for (fresh, passes) in [(0, true), (1, true), (PASSED_MAX - 1, true), (PASSED_MAX, false)] {
            let mut one = One::new();
            for reuse in core::iter::repeat_n(Reuse::FRESH, fresh).chain([Reuse::empty()]) {
                one.enter(0, reuse);
            }
            let first = |whom| one.line().first(whom, &one.pool.jobs);
            assert_eq!(first(Whom::NotFresh).is_some(), passes, "{fresh}");
            assert_eq!(first(Whom::Fresh).is_some(), fresh > 0);
            assert!(first(Whom::All).is_some());
        }
    }

    #[test]
    fn requests_that_are_ahead_stand_before_the_others_in_their_own_order() {
        let mut one = One::new();
        for (token, reuse) in
            [(0, Reuse::empty()), (1, Reuse::empty()), (2, Reuse::AHEAD), (3, Reuse::empty()), (4, Reuse::AHEAD)]
        {
            one.enter(token, reuse);
        }
        assert_eq!(one.tokens(), [2, 4, 0, 1, 3]);
    }

    #[test]
    fn a_request_that_is_ahead_stands_behind_earlier_ones_also_where_one_between_them_has_left() {
        let mut one = One::new();
        one.enter(0, Reuse::empty());
        let ahead: Vec<Id> = (1..=3).map(|token| one.enter(token, Reuse::AHEAD)).collect();
        assert!(one.pool.leave_line(ahead[1]).is_some());
        assert!(one.pool.leave_line(ahead[1]).is_none(), "it waits no more");
        one.enter(4, Reuse::AHEAD);
        assert_eq!(one.tokens(), [1, 3, 4, 0]);
    }

    #[test]
    fn what_leaves_the_line_takes_its_deadlines_along_and_comes_back_to_its_place() {
        let mut one = One::new();
        let [first, second, third] = [1, 2, 3].map(|token| one.enter(token, Reuse::empty()));
        let exchange = one.pool.leave_line(second).expect("it waits");
        assert_eq!((one.line().len(), one.pool.queued, one.tokens()), (2, 2, vec![1, 3]));
        one.pool.enter_line(second, exchange, Entrance::Again);
        assert_eq!(one.tokens(), [1, 2, 3]);
        for id in [second, third, first] {
            assert!(one.pool.leave_line(id).is_some());
        }
        assert_eq!((one.line().len(), one.pool.queued, one.pool.deadlines.first().is_none()), (0, 0, true));
        assert!(one.line().first(Whom::All, &one.pool.jobs).is_none());
    }

    #[test]
    fn a_line_holds_so_many_octets_of_contents_and_no_more() {
        let mut one = One::new();
        let most = usize::try_from(Settings::checked(None).expect("the defaults").limits.queued_octets_max).expect("a size");
        let id = one.enter(1, Reuse::empty());
        let exchange = one.exchange(1, Reuse::empty(), RequestContent::Whole(vec![0; most])).expect("room");
        one.pool.leave_line(id);
        one.pool.enter_line(id, exchange, Entrance::New);
        let refusal = one.exchange(2, Reuse::empty(), RequestContent::Whole(vec![0])).expect_err("no room");
        assert_eq!((refusal.error, refusal.phase), (Error::LimitExceeded(Limit::QueuedOctets), Phase::Queued));
        one.pool.leave_line(id);
        assert!(one.exchange(2, Reuse::empty(), RequestContent::Whole(vec![0])).is_ok());
    }
}

//! Decisions of a pool on the core alone, where a test says what each connection does, and when.

use sandpiper_guest::dial::{Broken, Progress};
use sandpiper_guest::link::{Link, Network};
use sandpiper_guest::poll::{Origin, Poll};
use sandpiper_guest::stream::{End, Read, Stream};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{ConnOptions, ConnectProblem, Delivery, Ending, Endpoint, Error, Request, Reuse, Timer};
use sandpiper_guest::{Completion, PollOptions};
use sandpiper_tests::message::{Build, Limit, Tune, assume, get, last, ms, ok, options, poll_options};
use std::cell::RefCell;
use std::rc::Rc;

/// One connection, as the test has it.
#[derive(Debug, Default)]
struct Side {
    /// Whether the connection is established or refused; `None`: not decided.
    accepted: Option<bool>,
    told: bool,
    heard: Vec<u8>,
    says: Vec<u8>,
    ended: bool,
}

/// All connections, in the order in which they were dialled.
#[derive(Clone, Debug, Default)]
struct Net(Rc<RefCell<Vec<Side>>>, Rc<Broken>);

#[derive(Debug)]
struct Wire(Net, usize);

impl Network for Net {
    type Link = Wire;

    fn dial(&self, _: &Endpoint) -> Result<(u64, Wire), Error> {
        let place = self.0.borrow().len();
        self.0.borrow_mut().push(Side::default());
        Ok((place as u64 + 1, Wire(self.clone(), place)))
    }

    fn broken(&self) -> &Broken {
        &self.1
    }

    fn changed(&self) {}
}

impl Wire {
    fn with<T>(&self, act: impl FnOnce(&mut Side) -> T) -> T {
        act(&mut self.0.0.borrow_mut()[self.1])
    }
}

impl Link for Wire {
    fn dial(&mut self, _: Instant, progress: &mut Vec<Progress>) {
        let report = self.with(|side| side.accepted.filter(|_| !std::mem::replace(&mut side.told, side.accepted.is_some())));
        progress.extend(report.map(|accepted| match accepted {
            true => Progress::ESTABLISHED,
            false => Progress::Failed(Error::Connect(ConnectProblem::Refused)),
        }));
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn close(&mut self) {}

    fn broken(&self) -> &Broken {
        &self.0.1
    }
}

impl Stream for Wire {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        self.with(|side| match side.says.len().min(octets_max) {
            0 if side.ended => Err(End::Transport(Ending::Reset)),
            0 => Ok(Read::Nothing),
            octets => Ok(Read::Octets(side.says.drain(..octets).collect())),
        })
    }

    fn room(&mut self) -> Result<usize, End> {
        Ok(1 << 20)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        self.with(|side| side.heard.extend_from_slice(octets));
        Ok(())
    }

    fn half_close(&mut self) {}
}

/// The content of a response, or the failure.
type Outcome = Result<String, (Error, Delivery)>;

/// A poll with one origin.
struct Stage {
    net: Net,
    poll: Poll<Net>,
    origin: Rc<Origin>,
    now: Instant,
}

impl Stage {
    fn new(of_poll: &PollOptions, of_conn: ConnOptions) -> Stage {
        let (net, now) = (Net::default(), Instant(1_000_000_000));
        let endpoint = Endpoint { host: "a.test".to_owned(), port: 1, addresses: Vec::new(), tls: None };
        let origin = Rc::new(Origin::new(endpoint, Some(of_conn)).expect("valid options"));
        Stage { poll: Poll::new(Some(of_poll), net.clone(), now), net, origin, now }
    }

    /// Everything happens that can happen by now.
    fn turn(&mut self) {
        for _ in 0..4 {
            self.poll.settle(self.now);
            for (id, _) in self.poll.watched(self.now) {
                self.poll.advance(id, self.now);
            }
            self.poll.settle(self.now);
            self.poll.looked();
            self.poll.events(1_000);
        }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = Instant(self.now.0 + ms(milliseconds));
        self.turn();
    }

    fn submit(&mut self, token: u64, request: Request) {
        self.poll.fetch_all(&self.origin, vec![request], token, 1 << 20, self.now);
        self.turn();
    }

    fn side(&mut self, number: usize, act: impl FnOnce(&mut Side)) {
        act(&mut self.net.0.borrow_mut()[number - 1]);
        self.turn();
    }

    fn accepts(&mut self, number: usize, accepted: bool) {
        self.side(number, |side| side.accepted = Some(accepted));
    }

    fn says(&mut self, number: usize, octets: Vec<u8>) {
        self.side(number, |side| side.says.extend(octets));
    }

    fn ends(&mut self, number: usize) {
        self.side(number, |side| side.ended = true);
    }

    /// How many connections there are, and what the last one has heard.
    fn dialled(&self) -> (usize, String) {
        let sides = self.net.0.borrow();
        (sides.len(), sides.last().map(|side| String::from_utf8_lossy(&side.heard).into_owned()).unwrap_or_default())
    }

    /// The ends of requests since the last time: token, and content or failure.
    fn ended(&mut self) -> Vec<(u64, Outcome)> {
        let completions = self.poll.take_completions(1_000, self.now).into_iter().map(|completion| completion.unpacked());
        let outcome = |completion: Completion| match completion.outcome {
            Ok(response) => Ok(String::from_utf8_lossy(&response.content).into_owned()),
            Err(failure) => Err((failure.error, failure.delivery)),
        };
        completions.map(|completion| (completion.token, outcome(completion))).collect()
    }
}

#[test]
fn a_refused_connection_fails_no_request_that_another_connection_can_carry() {
    let mut stage = Stage::new(&poll_options([(Limit::ConnectionsPerOrigin, 2)]), options().depth(1));
    stage.submit(1, get("/1"));
    stage.accepts(1, true);
    stage.submit(2, get("/2"));
    assert_eq!(stage.dialled().0, 2);
    stage.accepts(2, false);
    assert_eq!(stage.ended(), []);
    stage.says(1, ok("one"));
    stage.says(1, ok("two"));
    assert_eq!(stage.ended(), [(1, Ok("one".to_owned())), (2, Ok("two".to_owned()))]);
}

#[test]
fn a_refused_connection_fails_the_requests_that_wait_when_no_other_is_established() {
    let mut stage = Stage::new(&poll_options([(Limit::ConnectionsPerOrigin, 2)]), options().depth(1));
    for token in [1, 2] {
        stage.submit(token, get("/"));
    }
    stage.accepts(1, false);
    let refused = Err((Error::Connect(ConnectProblem::Refused), Delivery::NotSent));
    assert_eq!(stage.ended(), [(1, refused.clone()), (2, refused)]);
}

#[test]
fn an_origin_that_refuses_is_left_alone_for_longer_each_time() {
    let mut stage = Stage::new(&poll_options([(Limit::Retries, 2)]), options());
    stage.submit(1, get("/"));
    for (number, back_off) in [(1, 100), (2, 200)] {
        stage.accepts(number, false);
        stage.pass(back_off - 1);
        assert_eq!(stage.dialled().0, number, "before {back_off} ms have passed");
        stage.pass(1);
        assert_eq!(stage.dialled().0, number + 1);
    }
    stage.accepts(3, false);
    assert_eq!(stage.ended(), [(1, Err((Error::Connect(ConnectProblem::Refused), Delivery::NotSent)))]);
}

#[test]
fn idle_connections_beyond_the_limit_are_closed_and_the_others_are_not() {
    for (idle_max, idle) in [(0, 0), (1, 1), (2, 2), (3, 2)] {
        let mut stage = Stage::new(&poll_options([(Limit::IdleConnections, idle_max)]), options().depth(1));
        stage.submit(1, get("/"));
        stage.submit(2, get("/"));
        for number in [1, 2] {
            stage.accepts(number, true);
        }
        for number in [1, 2] {
            stage.says(number, ok(""));
        }
        let counts = stage.poll.origin_info(&stage.origin, stage.now).counts;
        assert_eq!((counts.connections, counts.idle), (idle, idle), "{idle_max} may be idle");
    }
}

#[test]
fn a_change_of_the_network_forgets_that_an_origin_could_not_be_reached() {
    let mut stage = Stage::new(&poll_options([]), options());
    stage.submit(1, get("/"));
    stage.accepts(1, false);
    let info = stage.poll.origin_info(&stage.origin, stage.now);
    assert_eq!((info.connect_failures, info.retry_after), (1, Some(ms(100))));
    stage.poll.network_changed(stage.now);
    let info = stage.poll.origin_info(&stage.origin, stage.now);
    assert_eq!((info.connect_failures, info.retry_after), (0, None));
}

#[test]
fn a_request_that_has_had_its_turn_has_no_deadline_for_a_turn_any_more() {
    let mut stage = Stage::new(&poll_options([]), options());
    stage.submit(1, get("/1"));
    stage.accepts(1, true);
    stage.says(1, ok("one"));
    stage.submit(2, get("/2").deadline(Timer::Queue, 500));
    stage.pass(1_000);
    stage.ends(1);
    assert_eq!((stage.dialled().0, stage.ended()), (2, vec![(1, Ok("one".to_owned()))]));
    // The request goes once more by itself, and waits for the other connection.
    stage.pass(1_000);
    assert_eq!(stage.ended(), []);
    stage.accepts(2, true);
    stage.says(2, ok("two"));
    assert_eq!(stage.ended(), [(2, Ok("two".to_owned()))]);
}

#[test]
fn a_request_joins_no_pipeline_of_a_request_that_was_submitted_later() {
    let mut stage = Stage::new(&poll_options([(Limit::ConnectionsPerOrigin, 2)]), assume());
    stage.submit(1, get("/1"));
    stage.accepts(1, true);
    stage.submit(2, get("/2"));
    stage.pass(10);
    stage.submit(3, get("/3").options(|options| options.reuse = Reuse::FRESH));
    stage.accepts(2, true);
    assert!(stage.dialled().1.starts_with("GET /3 "));
    // The server declares the end behind the first response: the second request goes to another connection.
    stage.says(1, last("one"));
    stage.ends(1);
    let (connections, heard) = stage.dialled();
    assert_eq!((connections, heard.as_str()), (3, ""), "not behind the third request");
    stage.accepts(3, true);
    assert!(stage.dialled().1.starts_with("GET /2 "));
}

#[test]
fn after_an_end_that_was_declared_pipelines_are_as_long_as_the_server_answers() {
    let mut stage = Stage::new(&poll_options([(Limit::ConnectionsPerOrigin, 1)]), assume());
    for token in 1..=6 {
        stage.submit(token, get(&format!("/{token}")));
    }
    stage.accepts(1, true);
    stage.says(1, [ok("1"), last("2")].concat());
    stage.ends(1);
    stage.accepts(2, true);
    assert_eq!(stage.dialled().1.matches("GET ").count(), 1, "a connection after one that ended begins with one request");
    stage.says(2, ok("3"));
    assert_eq!(stage.dialled().1.matches("GET ").count(), 2, "the server ends its connections with the second response");
    stage.says(2, ok("4"));
    assert!(stage.dialled().1.matches("GET ").count() > 2, "unless the server goes on");
}

#[test]
fn a_request_that_may_have_ended_its_connection_goes_once_more_on_a_fresh_one() {
    let mut stage = Stage::new(&poll_options([]), options().depth(1));
    for number in [1, 2] {
        stage.submit(number, get("/").options(|options| options.reuse = Reuse::FRESH));
        stage.accepts(usize::try_from(number).expect("a number"), true);
    }
    stage.says(1, ok("one"));
    stage.says(2, ok("two"));
    stage.submit(3, get("/3"));
    let carries = |side: &Side| String::from_utf8_lossy(&side.heard).contains("GET /3 ");
    let carrier = stage.net.0.borrow().iter().position(carries).expect("an idle connection has the request") + 1;
    stage.ends(carrier);
    assert_eq!(stage.dialled().0, 3, "the other idle connection is not asked");
    stage.accepts(3, true);
    assert!(stage.dialled().1.starts_with("GET /3 "));
    // Alone, behind no answer, the request ends with its connection.
    stage.ends(3);
    let ended = stage.ended().pop().map(|(token, outcome)| (token, outcome.map_err(|(_, delivery)| delivery)));
    assert_eq!(ended, Some((3, Err(Delivery::Unanswered))));
}

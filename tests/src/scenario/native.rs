//! The core, with virtual time and a network that cuts octets where it likes.

use crate::net::{Cuts, Network, Wire};
use crate::scenario::story::{self, Answer, Chunk, Failed, Head, Info};
use crate::scenario::world::World;
use sandpiper_guest::conn::{ClientConn, ExchangeId, TransportWish};
use sandpiper_guest::driver::{Driver, Shared};
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{
    self, CloseReason, ConnOptions, ConnState, Ending, Error, Failure, FieldLine, Request, RequestContent, ResponseHead,
};
use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The port in the authority of connections that have none.
const PORT: u16 = 54_321;
/// A connection and its network.
#[derive(Debug)]
pub struct Native {
    driver: Option<Shared<Wire>>,
    now: Instant,
    ids: BTreeMap<u64, ExchangeId>,
    network: Rc<RefCell<Network>>,
    /// What the peer has read.
    octets: Vec<u8>,
    /// The first reason for which no more requests were accepted.
    ended_by: Option<Error>,
}

impl Native {
    /// A world without a connection.
    pub fn new(inbound: Cuts, outbound: Cuts) -> Native {
        let network = Rc::new(RefCell::new(Network::new(inbound, outbound)));
        Native { driver: None, now: Instant(1_000_000_000), ids: BTreeMap::new(), network, octets: Vec::new(), ended_by: None }
    }

    /// A world with a request on the wire, whose token is 1.
    ///
    /// # Panics
    /// When the request is refused.
    pub fn asking(request: Request, options: ConnOptions, inbound: Cuts) -> Native {
        let mut world = Native::new(inbound, Cuts::Nowhere);
        world.connect(options);
        world.send_all(1, vec![request]).remove(0).expect("accepted");
        world.settle();
        world
    }

    /// The connection.
    ///
    /// # Panics
    /// Before `connect`.
    pub fn conn(&self) -> RefMut<'_, ClientConn> {
        RefMut::map(self.driver().borrow_mut(), |driver| &mut driver.conn)
    }

    fn driver(&self) -> &Shared<Wire> {
        self.driver.as_ref().expect("connected")
    }

    fn id(&self, token: u64) -> ExchangeId {
        *self.ids.get(&token).unwrap_or_else(|| panic!("no exchange has the token {token}"))
    }

    /// Moves the clock on, to every deadline on the way.
    pub fn pass(&mut self, span_ns: u64) {
        self.settle();
        let until = Instant(self.now.0.saturating_add(span_ns));
        loop {
            let due = self.driver().borrow().deadline();
            let Some(at) = due.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.settle();
        }
        self.now = until;
        self.settle();
    }

    /// What must hold at any time.
    fn check(&mut self) {
        let (sent, delivered) = (self.network.borrow().sent as u64, self.network.borrow().delivered as u64);
        let conn = self.conn();
        let info = conn.info();
        let (state, ended_by, ready, wants) = (conn.state(), conn.ended_by(), conn.is_ready(), conn.wants_octets());
        assert_eq!(info.octets_sent, sent);
        assert_eq!(info.octets_received, delivered);
        assert_eq!(conn.length(), info.queued + info.outstanding);
        assert_eq!(conn.is_closed(), ended_by.is_some());
        assert!(!(ready && conn.is_closed()));
        assert_ne!(ended_by, Some(Error::Internal));
        if state == ConnState::Closed {
            let idle = wants == 0 && conn.to_transmit().is_empty() && conn.deadline().is_none() && conn.length() == 0;
            assert!(idle, "a closed connection still has something to do: {info:?}");
            assert_eq!(conn.transport(), TransportWish::Close);
            assert!(self.network.borrow().closed, "the transport is not closed");
        }
        drop(conn);
        if self.ended_by.is_some() {
            assert_eq!(self.ended_by, ended_by, "the first reason stays");
        }
        self.ended_by = ended_by;
    }
}

/// A failure in words.
pub fn failed(failure: Failure) -> Failed {
    assert_ne!(failure.error, Error::Internal, "{failure:?}");
    Failed {
        error: story::wit_name(&failure.error),
        delivery: story::wit_name(&failure.delivery),
        phase: story::wit_name(&failure.phase),
        octets_sent: failure.octets_sent,
        octets_received: failure.octets_received,
    }
}

/// A head in words.
pub fn head(head: ResponseHead) -> Head {
    Head { version: story::wit_name(&head.version), status: head.status, reason: head.reason, fields: head.fields }
}

/// Method, target and content of a request.
pub fn request_text(request: &Request) -> String {
    let content = match &request.content {
        RequestContent::Whole(content) => format!(" {}", story::octets(content)),
        _ => String::new(),
    };
    format!("{} {}{content}", request.method, request.request_target)
}

fn answer(response: types::Response) -> Answer {
    Answer {
        interim: response.interim.into_iter().map(head).collect(),
        head: head(response.head),
        content: response.content,
        trailers: response.trailers,
    }
}

/// The names of the flags that are set.
pub fn readiness(ready: sandpiper_guest::Readiness) -> String {
    use sandpiper_guest::Readiness as R;
    let names = [
        (R::WRITABLE, "writable"),
        (R::INTERIM, "interim"),
        (R::HEAD, "head"),
        (R::READABLE, "readable"),
        (R::COMPLETE, "complete"),
        (R::FAILED, "failed"),
    ];
    let set: Vec<&str> = names.iter().filter(|(flag, _)| (ready & *flag) == *flag).map(|(_, name)| *name).collect();
    set.join(" ")
}

impl World for Native {
    fn connect(&mut self, options: ConnOptions) {
        let settings = Settings::checked(Some(&options)).expect("valid options");
        let conn = ClientConn::new(1, format!("example.test:{PORT}"), settings, self.now);
        self.driver = Some(Driver::new(conn, Wire::new(&self.network)));
    }

    fn send_all(&mut self, first_token: u64, requests: Vec<Request>) -> Vec<Result<(), Failed>> {
        let now = self.now;
        let mut results = Vec::new();
        for (request, token) in requests.into_iter().zip(first_token..) {
            let sent = self.conn().send(request, token, now);
            results.push(match sent {
                Ok(id) => {
                    self.ids.insert(token, id);
                    Ok(())
                }
                Err(failure) => Err(failed(failure)),
            });
        }
        results
    }

    fn write(&mut self, token: u64, content: &[u8]) -> Result<u64, Failed> {
        let (id, now) = (self.id(token), self.now);
        self.conn().write(id, content.to_vec(), now).map_err(failed)
    }

    fn finish(&mut self, token: u64, trailers: Vec<FieldLine>) -> Result<(), Failed> {
        let (id, now) = (self.id(token), self.now);
        self.conn().finish(id, trailers, now).map_err(failed)
    }

    fn interim(&mut self, token: u64) -> Vec<Head> {
        let id = self.id(token);
        self.conn().take_interim(id).into_iter().map(|interim| head(interim.unpacked())).collect()
    }

    fn head(&mut self, token: u64) -> Result<Option<Head>, Failed> {
        let id = self.id(token);
        self.conn().head(id).map(|found| found.map(|found| head(found.unpacked()))).map_err(failed)
    }

    fn read(&mut self, token: u64, octets_max: u64) -> Result<Chunk, Failed> {
        let id = self.id(token);
        let mut now = self.now;
        let mut read = self.conn().read(id, octets_max, now);
        if let Ok(types::Chunk::WouldBlock) = read {
            self.settle();
            now = self.now;
            read = self.conn().read(id, octets_max, now);
        }
        match read.map_err(failed)? {
            types::Chunk::Data(octets) => {
                assert!(!octets.is_empty() && octets.len() as u64 <= octets_max.max(1), "1 to octets-max octets");
                Ok(Chunk::Data(octets))
            }
            types::Chunk::WouldBlock => Ok(Chunk::WouldBlock),
            types::Chunk::End(trailers) => Ok(Chunk::End(trailers)),
        }
    }

    fn collect(&mut self, token: u64, octets_max: u64) -> Result<Answer, Failed> {
        let (id, now) = (self.id(token), self.now);
        self.settle();
        self.conn().begin_collect(id, octets_max, now).map_err(failed)?;
        loop {
            self.settle();
            if let Some(response) = self.conn().take_response(id) {
                return response.map(|response| answer(response.unpacked())).map_err(failed);
            }
            if let Some(refusal) = self.conn().refuses_wait(id) {
                return Err(failed(refusal));
            }
            let (at, _) = self.conn().deadline().expect("a deadline, or `collect` blocks for ever");
            let span_ns = at.since(self.now);
            self.pass(span_ns);
        }
    }

    fn take_request(&mut self, token: u64) -> Option<String> {
        let id = self.id(token);
        self.conn().take_request(id).map(|request| request_text(&request))
    }

    fn cancel(&mut self, token: u64) {
        let (id, now) = (self.id(token), self.now);
        self.conn().cancel(id, now);
    }

    fn drop_exchange(&mut self, token: u64) {
        let (id, now) = (self.id(token), self.now);
        self.conn().forget(id, now);
    }

    fn drop_conn(&mut self) {
        let now = self.now;
        self.conn().close(CloseReason::Dropped, now);
    }

    fn shutdown(&mut self) {
        let now = self.now;
        self.conn().shutdown(now);
    }

    fn close(&mut self) {
        let now = self.now;
        self.conn().close(CloseReason::Local, now);
    }

    fn info(&mut self) -> Info {
        let info = self.conn().info();
        Info {
            state: story::wit_name(&info.state),
            closed_by: info.closed_by.map(|error| story::wit_name(&error)).unwrap_or_default(),
            persistence: story::wit_name(&info.persistence),
            queued: info.queued,
            outstanding: info.outstanding,
            requests: info.requests,
            responses: info.responses,
            octets_sent: info.octets_sent,
            octets_received: info.octets_received,
        }
    }

    fn standing(&mut self) -> (u32, bool, bool) {
        let conn = self.conn();
        (conn.length(), conn.is_ready(), conn.is_closed())
    }

    fn ready(&mut self) -> Vec<(u64, String)> {
        let mut ready = Vec::new();
        self.conn().take_ready(usize::MAX, |token, flags| ready.push((token, readiness(flags))));
        ready.sort();
        ready
    }

    fn peer_sends(&mut self, octets: &[u8]) {
        self.network.borrow_mut().say(octets);
    }

    fn peer_ends(&mut self) {
        self.network.borrow_mut().end(Ending::Ended);
    }

    fn peer_resets(&mut self) {
        self.network.borrow_mut().end(Ending::Reset);
    }

    fn peer_reads(&mut self, reads: bool) {
        self.network.borrow_mut().reads = reads;
        self.octets.append(&mut self.network.borrow_mut().take_arrived());
    }

    fn peer_octets(&self) -> &[u8] {
        &self.octets
    }

    fn peer_saw_end(&self) -> bool {
        let network = self.network.borrow();
        network.half_closed || network.closed
    }

    fn advance(&mut self, milliseconds: u64) {
        self.pass(milliseconds * 1_000_000);
    }

    fn settle(&mut self) {
        let now = self.now;
        loop {
            self.driver().borrow_mut().advance(now);
            let next = self.driver().borrow().deadline();
            assert!(next.is_none_or(|at| at > now), "not done with: {next:?} at {now:?}");
            self.octets.append(&mut self.network.borrow_mut().take_arrived());
            self.check();
            if !self.network.borrow_mut().has_moved() {
                break;
            }
        }
    }

    fn writes(&self) -> Option<usize> {
        let network = self.network.borrow();
        matches!(network.outbound, Cuts::Nowhere).then_some(network.writes)
    }

    fn port(&self) -> u16 {
        PORT
    }
}

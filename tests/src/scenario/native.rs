//! The core, with virtual time and a network that cuts octets where it likes.

use crate::random::Random;
use crate::scenario::story::{self, Answer, Chunk, Failed, Head, Info};
use crate::scenario::world::World;
use sandpiper_guest::conn::{ClientConn, ExchangeId, TransportWish};
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{
    self, CloseReason, ConnOptions, ConnState, Ending, Error, Failure, FieldLine, Request, RequestContent, ResponseHead,
};
use std::collections::{BTreeMap, VecDeque};

/// The port in the authority of connections that have none.
const PORT: u16 = 54_321;
/// What a network holds for a peer that does not read.
const WINDOW_OCTETS: usize = 65_536;

/// Where a direction of the network cuts the octets.
#[derive(Clone, Debug)]
pub enum Cuts {
    /// Nowhere: what was sent together arrives together.
    Nowhere,
    /// Behind every octet.
    Everywhere,
    /// Once, behind this many octets.
    At(usize),
    /// Anywhere.
    Random(Random),
}

impl Cuts {
    /// How many of `octets` waiting octets come next, when `before` have come.
    pub(crate) fn next(&mut self, before: usize, octets: usize) -> usize {
        match self {
            Cuts::Nowhere => octets,
            Cuts::Everywhere => octets.min(1),
            Cuts::At(position) if before < *position => octets.min(*position - before),
            Cuts::At(_) => octets,
            Cuts::Random(random) => {
                let most = *random.pick(&[1, 2, 8, 64, 1_024, octets]);
                octets.min(1 + random.below(most))
            }
        }
    }
}

/// A connection and its network.
#[derive(Debug)]
pub struct Native {
    conn: Option<ClientConn>,
    now: Instant,
    ids: BTreeMap<u64, ExchangeId>,
    inbound: Cuts,
    outbound: Cuts,
    /// From the peer, on their way.
    coming: VecDeque<u8>,
    /// How many have been delivered.
    delivered: usize,
    /// What follows them.
    ending: Option<Ending>,
    ending_told: bool,
    peer_reads: bool,
    /// To the peer, not read.
    standing: Vec<u8>,
    /// What the peer has read.
    octets: Vec<u8>,
    writes: usize,
    half_closed: bool,
    /// The first reason for which no more requests were accepted.
    ended_by: Option<Error>,
}

impl Native {
    /// A world without a connection.
    pub fn new(inbound: Cuts, outbound: Cuts) -> Native {
        Native {
            conn: None,
            now: Instant(1_000_000_000),
            ids: BTreeMap::new(),
            inbound,
            outbound,
            coming: VecDeque::new(),
            delivered: 0,
            ending: None,
            ending_told: false,
            peer_reads: true,
            standing: Vec::new(),
            octets: Vec::new(),
            writes: 0,
            half_closed: false,
            ended_by: None,
        }
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
    pub fn conn(&mut self) -> &mut ClientConn {
        self.conn.as_mut().expect("connected")
    }

    fn id(&self, token: u64) -> ExchangeId {
        *self.ids.get(&token).unwrap_or_else(|| panic!("no exchange has the token {token}"))
    }

    /// Establishes the transport.
    pub fn establish(&mut self) {
        let now = self.now;
        if !self.conn().is_established() {
            self.conn().established(Some("127.0.0.1:80".to_owned()), None, now);
        }
    }

    /// Delivers the next octets from the peer, or the end, or tells that there are none. Gives whether something came.
    pub fn deliver(&mut self) -> bool {
        let now = self.now;
        let wanted = self.conn().wants_octets();
        if wanted == 0 {
            return false;
        }
        if !self.coming.is_empty() {
            let octets = self.inbound.next(self.delivered, self.coming.len()).min(wanted);
            let piece: Vec<u8> = self.coming.drain(..octets).collect();
            self.delivered += octets;
            self.conn().receive(piece, now);
            return true;
        }
        match self.ending {
            Some(ending) if !self.ending_told => {
                self.ending_told = true;
                self.conn().receive_end(ending, now);
                true
            }
            // A real transport repeats its end for as long as it is asked.
            Some(ending) => {
                self.conn().receive_end(ending, now);
                false
            }
            None => {
                self.conn().nothing_to_receive(now);
                false
            }
        }
    }

    /// Takes the next octets from the connection. Gives whether there were any.
    pub fn transmit(&mut self) -> bool {
        let now = self.now;
        let before = self.octets.len() + self.standing.len();
        let octets = self.conn().to_transmit().len();
        if octets == 0 {
            return false;
        }
        if self.ending == Some(Ending::Reset) && self.ending_told {
            self.conn().transmit_failed(Ending::Reset, now);
            assert!(self.conn().to_transmit().is_empty(), "nothing is sent after that");
            return true;
        }
        let room = if self.peer_reads { octets } else { WINDOW_OCTETS.saturating_sub(self.standing.len()) };
        let octets = self.outbound.next(before, octets).min(room);
        if octets == 0 {
            return false;
        }
        let piece = self.conn().to_transmit()[..octets].to_vec();
        if self.peer_reads {
            self.octets.extend_from_slice(&piece);
        } else {
            self.standing.extend_from_slice(&piece);
        }
        self.writes += 1;
        self.conn().transmitted(octets, now);
        true
    }

    /// Does what the connection wishes for its transport.
    pub fn heed_wish(&mut self) {
        match self.conn().transport() {
            TransportWish::Keep => {}
            TransportWish::HalfClose => {
                self.half_closed = true;
                self.conn().half_closed();
            }
            TransportWish::Close => self.coming.clear(),
        }
    }

    /// Moves the clock on, to every deadline on the way.
    pub fn pass(&mut self, span_ns: u64) {
        self.settle();
        let until = Instant(self.now.0.saturating_add(span_ns));
        while let Some((at, timer)) = self.conn().deadline()
            && at <= until
        {
            self.now = self.now.max(at);
            let now = self.now;
            self.conn().handle_timeout(now);
            self.settle();
            let next = self.conn().deadline();
            assert!(next.is_none_or(|(at, _)| at > now), "the {timer:?} deadline is not done with: {next:?} at {now:?}");
        }
        self.now = until;
        self.settle();
    }

    /// What must hold at any time.
    fn check(&mut self) {
        let sent = (self.octets.len() + self.standing.len()) as u64;
        let delivered = self.delivered as u64;
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
        }
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
        self.conn = Some(ClientConn::new(1, format!("example.test:{PORT}"), settings, self.now));
    }

    fn send_all(&mut self, first_token: u64, requests: Vec<Request>) -> Vec<Result<(), Failed>> {
        let now = self.now;
        let mut results = Vec::new();
        for (request, token) in requests.into_iter().zip(first_token..) {
            results.push(match self.conn().send(request, token, now) {
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
        self.coming.extend(octets);
    }

    fn peer_ends(&mut self) {
        self.ending = Some(Ending::Ended);
    }

    fn peer_resets(&mut self) {
        self.ending = Some(Ending::Reset);
        self.ending_told = false;
    }

    fn peer_reads(&mut self, reads: bool) {
        self.peer_reads = reads;
        if reads {
            self.octets.append(&mut self.standing);
        }
    }

    fn peer_octets(&self) -> &[u8] {
        &self.octets
    }

    fn peer_saw_end(&self) -> bool {
        self.half_closed || self.conn.as_ref().is_some_and(|conn| conn.transport() == TransportWish::Close)
    }

    fn advance(&mut self, milliseconds: u64) {
        self.pass(milliseconds * 1_000_000);
    }

    fn settle(&mut self) {
        self.establish();
        loop {
            let now = self.now;
            let came = self.deliver();
            let left = self.transmit();
            if self.conn().deadline().is_some_and(|(at, _)| at <= now) {
                self.conn().handle_timeout(now);
                let next = self.conn().deadline();
                assert!(next.is_none_or(|(at, _)| at > now), "not done with: {next:?} at {now:?}");
            }
            self.heed_wish();
            self.check();
            if !came && !left {
                break;
            }
        }
    }

    fn writes(&self) -> Option<usize> {
        matches!(self.outbound, Cuts::Nowhere).then_some(self.writes)
    }

    fn port(&self) -> u16 {
        PORT
    }
}

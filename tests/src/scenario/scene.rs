//! The verbs of scenarios. Each acts or asserts, and adds what happened to the transcript.

use crate::peer::{self, Seen};
use crate::scenario::story::{self, Answer, Chunk, Failed, Info};
use crate::scenario::world::World;
use sandpiper_guest::types::{ConnOptions, FieldLine, Request};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How the caller takes responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// With `head` and `read`, this many octets at a time.
    Streamed(u64),
    /// With `collect`.
    Collected,
}

/// A connection, its caller and its peer, while a scenario is played.
pub struct Scene {
    world: Box<dyn World>,
    reading: Reading,
    transcript: String,
    /// Exchanges whose outcome has not been told.
    untold: BTreeMap<u64, ()>,
    connected: bool,
    conn_dropped: bool,
    /// How many of the peer's octets were part of requests that it got whole.
    parsed: usize,
    /// Requests as the peer got them.
    requests: Vec<Seen>,
    /// The last request the peer was asked for was not whole.
    partial: Option<Seen>,
    /// All that comes belongs to a tunnel.
    tunnel: bool,
    /// Octets sent by the peer.
    sent: usize,
    /// The peer has let octets stand: how many a network holds is not known, nor when the peer sees an end.
    stood: bool,
}

impl Scene {
    /// A scene in `world`, before anything has happened.
    pub fn new(world: Box<dyn World>, reading: Reading) -> Scene {
        Scene {
            world,
            reading,
            transcript: String::new(),
            untold: BTreeMap::new(),
            connected: false,
            conn_dropped: false,
            parsed: 0,
            requests: Vec::new(),
            partial: None,
            tunnel: false,
            sent: 0,
            stood: false,
        }
    }

    fn tell(&mut self, line: &str) {
        let port = format!(":{}", self.world.port());
        let _ = writeln!(self.transcript, "{}", line.replace(&port, ":port"));
    }

    /// Connects with these options. Without it, a scenario has the default options.
    pub fn connect(&mut self, options: ConnOptions) {
        assert!(!self.connected, "connects first, and once");
        self.connected = true;
        self.world.connect(options);
    }

    fn world(&mut self) -> &mut dyn World {
        if !self.connected {
            self.connect(crate::message::options());
        }
        &mut *self.world
    }

    // The caller.

    /// Sends a request, which is accepted.
    #[track_caller]
    pub fn send(&mut self, token: u64, request: Request) {
        self.send_all(token, vec![request]);
    }

    /// Sends requests in one step, which are all accepted.
    #[track_caller]
    pub fn send_all(&mut self, first_token: u64, requests: Vec<Request>) {
        let count = requests.len() as u64;
        for result in self.world().send_all(first_token, requests) {
            if let Err(failure) = result {
                panic!("refused: {failure}");
            }
        }
        self.untold.extend((first_token..first_token + count).map(|token| (token, ())));
        self.world.settle();
    }

    /// Sends a request that is refused.
    #[track_caller]
    pub fn refuses(&mut self, request: Request, expected: &str) {
        let refusal = self.world().send_all(1 << 63, vec![request]).remove(0).expect_err("refused");
        assert_eq!(format!("{} {}", refusal.error, refusal.delivery), format!("{expected} not-sent"));
        self.tell(&format!("refused: {refusal}"));
        self.world.settle();
    }

    /// Writes content, all of which is accepted.
    #[track_caller]
    pub fn write(&mut self, token: u64, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        assert_eq!(self.world.write(token, content), Ok(content.len() as u64));
        self.world.settle();
    }

    /// Writes content, as much as is accepted.
    #[track_caller]
    pub fn write_some(&mut self, token: u64, content: impl AsRef<[u8]>) -> usize {
        let accepted = self.world.write(token, content.as_ref()).expect("not refused");
        self.world.settle();
        usize::try_from(accepted).expect("no more than was given")
    }

    /// Writes content, which is refused.
    #[track_caller]
    pub fn write_fails(&mut self, token: u64, content: impl AsRef<[u8]>, expected: &str) {
        let failure = self.world.write(token, content.as_ref()).expect_err("refused");
        assert_eq!(failure.error, expected);
        self.tell(&format!("{token}: write fails: {failure}"));
        self.world.settle();
    }

    /// Ends the content.
    #[track_caller]
    pub fn finish(&mut self, token: u64) {
        self.finish_with(token, &[]);
    }

    /// Ends the content with trailers.
    #[track_caller]
    pub fn finish_with(&mut self, token: u64, trailers: &[(&str, &str)]) {
        assert_eq!(self.world.finish(token, lines(trailers)), Ok(()));
        self.world.settle();
    }

    /// Ends the content, which is refused.
    #[track_caller]
    pub fn finish_fails(&mut self, token: u64, trailers: &[(&str, &str)], expected: &str) {
        let failure = self.world.finish(token, lines(trailers)).expect_err("refused");
        assert_eq!(failure.error, expected);
        self.tell(&format!("{token}: finish fails: {failure}"));
        self.world.settle();
    }

    /// Cancels exchanges in one step.
    pub fn cancel(&mut self, tokens: &[u64]) {
        for token in tokens {
            self.world.cancel(*token);
        }
        self.world.settle();
    }

    /// Drops the handle of an exchange.
    pub fn drop_exchange(&mut self, token: u64) {
        self.world.drop_exchange(token);
        self.untold.remove(&token);
        self.world.settle();
    }

    /// Drops the handle of the connection.
    pub fn drop_conn(&mut self) {
        self.world().drop_conn();
        self.conn_dropped = true;
        self.world.settle();
    }

    /// Accepts no more requests.
    pub fn shutdown(&mut self) {
        self.world().shutdown();
        self.world.settle();
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.world().close();
        self.world.settle();
    }

    /// Reads what has come of the content, no more than that, and finds `expected`.
    #[track_caller]
    pub fn reads(&mut self, token: u64, expected: impl AsRef<[u8]>) {
        let (content, end) = self.read_all(token);
        assert_eq!(story::octets(&content), story::octets(expected.as_ref()));
        assert_eq!(end, Ok(Chunk::WouldBlock));
    }

    /// Reads the rest of the content, and finds `expected` and the end.
    #[track_caller]
    pub fn reads_to_end(&mut self, token: u64, expected: impl AsRef<[u8]>) {
        let (content, end) = self.read_all(token);
        assert_eq!(story::octets(&content), story::octets(expected.as_ref()));
        assert!(matches!(end, Ok(Chunk::End(_))), "{end:?}");
    }

    /// Reads what had come of the content before it failed, and finds `content` and the failure.
    #[track_caller]
    pub fn reads_until_failure(&mut self, token: u64, content: &str, failure: &str) {
        let (read, end) = self.read_all(token);
        assert_eq!(story::octets(&read), content);
        assert_eq!(end.map_err(|failed| failed.to_string()), Err(failure.to_owned()));
    }

    /// Reads at most this many octets, once.
    #[track_caller]
    pub fn read_once(&mut self, token: u64, octets_max: u64) -> Vec<u8> {
        let read = self.world.read(token, octets_max);
        self.world.settle();
        match read {
            Ok(Chunk::Data(octets)) => octets,
            other => panic!("no content: {other:?}"),
        }
    }

    /// Fails to read at once.
    #[track_caller]
    pub fn read_fails(&mut self, token: u64, expected: &str) {
        let failure = self.world.read(token, 1).expect_err("fails");
        assert_eq!(failure.error, expected);
    }

    /// Reads the rest of the content, however it comes, and the end. Gives how many octets it was; the transcript does not tell.
    #[track_caller]
    pub fn reads_rest(&mut self, token: u64) -> usize {
        let mut octets = 0;
        loop {
            let read = self.world.read(token, u64::MAX);
            self.world.settle();
            match read {
                Ok(Chunk::Data(piece)) => octets += piece.len(),
                Ok(Chunk::End(_)) => break,
                other => panic!("no end: {other:?}"),
            }
        }
        self.untold.remove(&token);
        octets
    }

    fn read_all(&mut self, token: u64) -> (Vec<u8>, Result<Chunk, Failed>) {
        let mut content = Vec::new();
        let octets_max = if let Reading::Streamed(octets_max) = self.reading { octets_max } else { u64::MAX };
        loop {
            let read = self.world.read(token, octets_max);
            self.world.settle();
            let Ok(Chunk::Data(octets)) = read else {
                self.tell(&format!("{token}: read {}, {}", story::octets(&content), end_text(&read, self.stood)));
                return (content, read);
            };
            content.extend_from_slice(&octets);
        }
    }

    /// Takes the response, and finds it whole: see [`Answer`] for the text.
    #[track_caller]
    pub fn answered(&mut self, token: u64, expected: &str) {
        match self.outcome(token) {
            Some(Ok(answer)) => assert_eq!(answer.to_string(), expected, "of {token}"),
            other => panic!("{token} is not answered: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Takes the response as it is.
    #[track_caller]
    pub fn answer(&mut self, token: u64) -> Answer {
        match self.outcome(token) {
            Some(Ok(answer)) => answer,
            other => panic!("{token} is not answered: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Takes the failure: error, delivery and phase.
    #[track_caller]
    pub fn failed(&mut self, token: u64, expected: &str) {
        match self.outcome(token) {
            Some(Err(failure)) => assert_eq!(failure.to_string(), expected, "of {token}"),
            other => panic!("{token} has not failed: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Takes the failure as it is.
    #[track_caller]
    pub fn failure(&mut self, token: u64) -> Failed {
        match self.outcome(token) {
            Some(Err(failure)) => failure,
            other => panic!("{token} has not failed: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Collects the response within this many octets of content.
    pub fn collect(&mut self, token: u64, octets_max: u64) -> Result<Answer, Failed> {
        self.untold.remove(&token);
        let collected = self.world.collect(token, octets_max);
        self.world.settle();
        self.tell(&format!("{token}: collect {}", outcome_text(&Some(collected.clone()), self.stood)));
        collected
    }

    /// Has no final head yet, and has not failed.
    #[track_caller]
    pub fn pending(&mut self, token: u64) {
        assert_eq!(self.world.head(token), Ok(None));
        self.tell(&format!("{token}: pending"));
    }

    /// The final head has come: its status.
    #[track_caller]
    pub fn head(&mut self, token: u64) -> u16 {
        let head = self.world.head(token).expect("not failed").expect("a head");
        self.tell(&format!("{token}: head {head}"));
        head.status
    }

    /// The statuses of the interim responses that have come since the last time.
    pub fn interim(&mut self, token: u64) -> Vec<u16> {
        let interim = self.world.interim(token);
        for head in &interim {
            self.tell(&format!("{token}: interim {head}"));
        }
        interim.iter().map(|head| head.status).collect()
    }

    /// What the caller gets back of a request that was not sent.
    pub fn take_request(&mut self, token: u64) -> Option<String> {
        self.world.take_request(token)
    }

    /// What is reported of the exchange.
    pub fn ready(&mut self, token: u64) -> String {
        let ready = self.world.ready();
        ready.into_iter().find(|(given, _)| *given == token).map(|(_, flags)| flags).unwrap_or_default()
    }

    fn outcome(&mut self, token: u64) -> Option<Result<Answer, Failed>> {
        self.untold.remove(&token);
        let outcome = match self.reading {
            Reading::Collected => {
                let collected = self.world.collect(token, u64::MAX);
                self.world.settle();
                Some(collected)
            }
            Reading::Streamed(octets_max) => self.stream(token, octets_max),
        };
        self.tell(&format!("{token}: {}", outcome_text(&outcome, self.stood)));
        outcome
    }

    fn stream(&mut self, token: u64, octets_max: u64) -> Option<Result<Answer, Failed>> {
        let interim = self.world.interim(token);
        let head = match self.world.head(token) {
            Ok(head) => head?,
            Err(failure) => return Some(Err(failure)),
        };
        let mut content = Vec::new();
        loop {
            let read = self.world.read(token, octets_max);
            self.world.settle();
            match read {
                Ok(Chunk::Data(octets)) => content.extend_from_slice(&octets),
                Ok(Chunk::WouldBlock) => return None,
                Ok(Chunk::End(trailers)) => return Some(Ok(Answer { interim, head, content, trailers })),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    // The peer.

    /// Sends octets, in one write.
    pub fn peer_sends(&mut self, octets: impl AsRef<[u8]>) {
        self.sent += octets.as_ref().len();
        self.world().peer_sends(octets.as_ref());
        self.world.settle();
    }

    /// Sends octets that nobody has had the time to see when the next thing happens.
    pub fn peer_sends_unseen(&mut self, octets: impl AsRef<[u8]>) {
        self.sent += octets.as_ref().len();
        self.world().peer_sends(octets.as_ref());
    }

    /// Sends octets one at a time, with so much time after each.
    pub fn peer_dribbles(&mut self, octets: impl AsRef<[u8]>, milliseconds: u64) {
        for octet in octets.as_ref() {
            self.peer_sends([*octet]);
            self.advance(milliseconds);
        }
    }

    /// Sends the last octets and FIN, but goes on reading.
    pub fn peer_ends(&mut self, octets: impl AsRef<[u8]>) {
        self.sent += octets.as_ref().len();
        self.world().peer_sends(octets.as_ref());
        self.world.peer_ends();
        self.world.settle();
    }

    /// Sends FIN that nobody has had the time to see when the next thing happens.
    pub fn peer_ends_unseen(&mut self) {
        self.world().peer_ends();
    }

    /// Sends octets, which arrive, and then resets the connection.
    pub fn peer_resets(&mut self, octets: impl AsRef<[u8]>) {
        if !octets.as_ref().is_empty() {
            self.peer_sends(octets);
        }
        self.world().peer_resets();
        self.world.settle();
    }

    /// Stops reading, or reads again.
    pub fn peer_reads(&mut self, reads: bool) {
        self.stood = true;
        self.world().peer_reads(reads);
        self.world.settle();
    }

    /// Got these requests since the last time, and nothing else: see [`Seen`] for the text. One that is not whole is told again.
    #[track_caller]
    pub fn peer_got(&mut self, expected: &[&str]) {
        let got = self.take_requests();
        let got: Vec<String> = got.iter().map(ToString::to_string).collect();
        assert_eq!(got, expected);
    }

    /// Takes the requests that came since the last time.
    ///
    /// # Panics
    /// When what came is no request.
    #[track_caller]
    pub fn take_requests(&mut self) -> Vec<Seen> {
        let mut got = Vec::new();
        loop {
            let octets = &self.world.peer_octets()[self.parsed..];
            match peer::read(octets) {
                Err(wrong) => panic!("the peer got {wrong}"),
                Ok(None) => {
                    assert!(octets.is_empty(), "the peer got a part of a head: {}", story::octets(octets));
                    return got;
                }
                Ok(Some((seen, _))) if !seen.whole => {
                    if self.partial.as_ref() != Some(&seen) {
                        self.partial = Some(seen.clone());
                        got.push(seen);
                    }
                    return got;
                }
                Ok(Some((seen, taken))) => {
                    self.parsed += taken;
                    self.partial = None;
                    self.requests.push(seen.clone());
                    got.push(seen);
                }
            }
        }
    }

    /// Got these octets in the tunnel since the last time.
    #[track_caller]
    pub fn peer_got_raw(&mut self, expected: impl AsRef<[u8]>) {
        self.tunnel = true;
        let octets = self.world.peer_octets()[self.parsed..].to_vec();
        self.parsed += octets.len();
        assert_eq!(story::octets(&octets), story::octets(expected.as_ref()));
    }

    /// How many octets the peer has got so far, in all.
    pub fn peer_octets(&self) -> usize {
        self.world.peer_octets().len()
    }

    /// The octets that the peer has got after the first so many. The transcript does not tell, and nothing else is to be told of them.
    pub fn octets_since(&mut self, start: usize) -> Vec<u8> {
        self.tunnel = true;
        self.world.peer_octets()[start..].to_vec()
    }

    /// Has seen the end of what it gets.
    #[track_caller]
    pub fn peer_saw_end(&self) {
        assert!(self.stood || self.world.peer_saw_end(), "the peer has not seen an end");
    }

    /// Has not: both directions are open.
    #[track_caller]
    pub fn peer_saw_no_end(&self) {
        assert!(!self.world.peer_saw_end(), "the peer has seen an end");
    }

    /// In how many writes the requests have left so far, where that can be told.
    pub fn writes(&self) -> Option<usize> {
        self.world.writes()
    }

    // The connection, and time.

    /// Lets time pass.
    pub fn advance(&mut self, milliseconds: u64) {
        self.world().advance(milliseconds);
    }

    /// Requests are accepted.
    #[track_caller]
    pub fn open(&mut self) {
        let info = self.world().info();
        assert_eq!((info.state.as_str(), info.closed_by.as_str()), ("open", ""));
    }

    /// No more requests are accepted, for this reason, but some go on.
    #[track_caller]
    pub fn closing(&mut self, reason: &str) {
        let info = self.world().info();
        assert_eq!((info.state.as_str(), info.closed_by.as_str()), ("closing", reason));
    }

    /// The connection has ended, for this reason, and the peer has seen it.
    #[track_caller]
    pub fn closed(&mut self, reason: &str) {
        let info = self.world().info();
        assert_eq!((info.state.as_str(), info.closed_by.as_str()), ("closed", reason));
        self.peer_saw_end();
    }

    /// What is known of the connection.
    pub fn info(&mut self) -> Info {
        self.world().info()
    }

    /// `length`, `is-ready` and `is-closed`.
    pub fn standing(&mut self) -> (u32, bool, bool) {
        self.world().standing()
    }

    /// Ends the scenario: everything that it has not told is told. Gives the transcript.
    ///
    /// # Panics
    /// When the peer got what it was not asked for.
    #[must_use]
    pub fn end(mut self) -> (String, usize) {
        self.world().settle();
        if !self.tunnel {
            let unexpected: Vec<String> = self.take_requests().iter().map(ToString::to_string).collect();
            assert!(unexpected.is_empty(), "the peer also got {unexpected:?}");
        }
        if !self.conn_dropped {
            let Info { state, closed_by, persistence, queued, outstanding, requests, responses, .. } = self.world.info();
            let standing = self.world.standing();
            self.tell(&format!("{state} {closed_by} {persistence} {queued} {outstanding} {requests} {responses} {standing:?}"));
        }
        let untold: Vec<u64> = self.untold.keys().copied().collect();
        for token in untold {
            let outcome = self.stream(token, u64::MAX);
            self.tell(&format!("{token}: {}", outcome_text(&outcome, self.stood)));
        }
        let requests = std::mem::take(&mut self.requests);
        for seen in &requests {
            self.tell(&format!("peer got: {seen} [{}]", story::fields(&seen.fields)));
        }
        let rest = self.world.peer_octets()[self.parsed..].to_vec();
        let saw_end = !self.stood && self.world.peer_saw_end();
        self.tell(&format!("peer got: {} and {saw_end}", story::octets(&rest)));
        (self.transcript, self.sent)
    }
}

fn lines(lines: &[(&str, &str)]) -> Vec<FieldLine> {
    lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn end_text(end: &Result<Chunk, Failed>, stood: bool) -> String {
    match end {
        Ok(Chunk::End(trailers)) => format!("end [{}]", story::fields(trailers)),
        Ok(_) => "would block".to_owned(),
        Err(failure) => failed_text(failure, stood),
    }
}

fn failed_text(failure: &Failed, stood: bool) -> String {
    let Failed { error, octets_sent, octets_received, .. } = failure;
    // How much had been received when the caller, or a limit of its own, gave up depends on how the octets came.
    let own = ["closed(cancelled)", "closed(local)", "closed(dropped)", "closed(abandoned)", "limit-exceeded(c", "api-misuse"];
    match own.iter().any(|decision| error.starts_with(decision)) {
        _ if stood => failure.to_string(),
        true => format!("{failure}, {octets_sent} sent"),
        false => format!("{failure}, {octets_sent} sent, {octets_received} received"),
    }
}

fn outcome_text(outcome: &Option<Result<Answer, Failed>>, stood: bool) -> String {
    match outcome {
        None => "pending".to_owned(),
        Some(Ok(answer)) => format!("{answer} {} [{}]", answer.head, story::fields(&answer.trailers)),
        Some(Err(failure)) => failed_text(failure, stood),
    }
}

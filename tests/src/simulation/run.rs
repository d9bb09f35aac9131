//! A run: connections, each with its network and its server, under one clock.

use super::client::{Asked, Client, Outcome};
use super::setup::Setup;
use super::step::{Action, Step};
use crate::net::{Cuts, Network};
use crate::peer::answer::{Answer, AnswerKind};
use crate::peer::scripted::Server;
use sandpiper_guest::conn::TransportWish;
use sandpiper_guest::dial::Progress;
use sandpiper_guest::stream::{End, Read};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{CloseReason, ConnState, Ending};

const MS: u64 = 1_000_000;
/// Rounds in which everybody does what is expected of them. Contents of 100,000 octets go through receive buffers of 1,024.
const ORDERLY_ROUNDS_MAX: usize = 20_000;
/// What a connection may still hold when it is closed and all handles are dropped.
const LEFT_OCTETS_MAX: isize = 16_384;

/// One connection, and all that it talks to.
#[derive(Debug)]
pub struct Line {
    /// The connection with its caller.
    pub(super) client: Client,
    /// What is between them.
    pub network: Network,
    /// The server.
    pub server: Server,
    deepest: u32,
}

/// Connections under one clock.
#[derive(Debug)]
pub struct Run {
    /// What it began with.
    pub setup: Setup,
    /// The time.
    pub now: Instant,
    /// The connections.
    pub lines: Vec<Line>,
}

impl Run {
    /// The beginning of a run.
    pub fn new(setup: &Setup) -> Run {
        let now = Instant(1_000_000_000);
        let line = || {
            let mut network = Network::new(Cuts::Nowhere, Cuts::Nowhere);
            network.arrive(now);
            Line { client: Client::new(setup, now), network, server: Server::default(), deepest: 0 }
        };
        Run { setup: setup.clone(), now, lines: (0..setup.connections).map(|_| line()).collect() }
    }

    /// Whether no connection can do anything more.
    pub fn is_closed(&self) -> bool {
        self.lines.iter().all(|line| line.client.conn.state() == ConnState::Closed)
    }

    /// Takes a step, and looks whether everything is as it must be.
    pub fn take(&mut self, step: &Step) {
        match step.action {
            Action::Pass { ms } => self.pass(Instant(self.now.0 + ms * MS)),
            Action::PassToDeadline => {
                let next = self.lines.iter().filter_map(|line| line.client.conn.deadline()).map(|(at, _)| at).min();
                self.pass(next.unwrap_or(self.now).max(self.now));
            }
            _ => {
                let now = self.now;
                if let Some(line) = self.lines.get_mut(step.connection) {
                    line.take(&step.action, now);
                }
            }
        }
    }

    fn pass(&mut self, until: Instant) {
        self.now = until;
        for line in &mut self.lines {
            let held_back = line.client.conn.wants_octets() == 0;
            line.network.arrive(until);
            line.client.within(|conn| conn.handle_timeout(until));
            line.settle(held_back, until);
            line.client.check_not_late(&line.server, until);
        }
    }

    /// The end: every request has one outcome, and it is true.
    pub fn finish(&mut self) {
        if self.setup.orderly {
            self.finish_in_order();
        }
        let now = self.now;
        for line in &mut self.lines {
            line.close(now);
            line.client.check_deliveries(&line.server);
            line.check_left(now);
        }
    }

    /// Everybody does what is expected of them, and the clock goes on when nobody can: nothing waits for ever.
    fn finish_in_order(&mut self) {
        for line in &mut self.lines {
            line.mend();
        }
        for _ in 0..ORDERLY_ROUNDS_MAX {
            let now = self.now;
            let moved: usize = self.lines.iter_mut().map(|line| usize::from(line.oblige(now))).sum();
            if self.lines.iter().all(Line::is_settled) {
                return;
            }
            if moved == 0 {
                let next = self.lines.iter().filter_map(|line| line.client.conn.deadline()).map(|(at, _)| at).min();
                let next = next.unwrap_or_else(|| panic!("requests wait, and for nothing: {}", self.waiting()));
                self.pass(next.max(self.now));
            }
        }
        panic!("requests wait for ever: {}", self.waiting());
    }

    fn waiting(&self) -> String {
        let waits = |asked: &&Asked| !asked.dropped && asked.outcome.is_none();
        let tokens = self.lines.iter().flat_map(|line| line.client.asked.values().filter(waits));
        format!("{:?}", tokens.map(|asked| asked.ask.token).collect::<Vec<_>>())
    }
}

impl Line {
    /// The most requests that were outstanding at once.
    pub fn deepest(&self) -> u32 {
        self.deepest
    }

    fn take(&mut self, action: &Action, now: Instant) {
        let held_back = self.client.conn.wants_octets() == 0;
        let (client, server) = (&mut self.client, &mut self.server);
        match action {
            Action::Send(ask) => client.send(ask, now),
            Action::Write { token, octets } => client.write(*token, *octets, now),
            Action::Finish { token, trailers } => client.finish(*token, *trailers, now),
            Action::Read { token, octets_max } => {
                client.read(*token, *octets_max, server, now);
            }
            Action::Collect { token } => client.collect(*token, now),
            Action::Cancel { token } => client.cancel(*token, now),
            Action::Drop { token } => client.drop_handle(*token, now),
            Action::TakeRequest { token } => client.take_request(*token),
            Action::Report { events_max } => client.report(*events_max),
            Action::Shutdown => client.within(|conn| conn.shutdown(now)),
            Action::Close => client.within(|conn| conn.close(CloseReason::Local, now)),
            Action::Establish => client.within(|conn| conn.progress(Progress::ESTABLISHED, now)),
            Action::Transmit { octets } => {
                self.transmit(*octets, now);
            }
            Action::Receive { octets } => {
                self.receive(*octets, now);
            }
            Action::Delay { ms } => self.network.delay(ms * MS),
            Action::Split => self.network.split(true),
            Action::Heal => self.network.split(false),
            Action::Reset { loses } => self.end(Ending::Reset, *loses),
            Action::Reads(reads) => self.network.reads = *reads,
            Action::Continue => self.reply(Server::proceed),
            Action::Answer(answer) => self.reply(|server| server.answer(answer)),
            Action::AnswerEarly(answer) => self.reply(|server| server.answer_early(answer)),
            Action::Swallow => server.swallow(),
            Action::Inject { what } => self.reply(|server| server.inject(*what)),
            Action::End => self.end(Ending::Ended, false),
            Action::Pass { .. } | Action::PassToDeadline => {}
        }
        if !matches!(action, Action::Transmit { .. } | Action::Receive { .. } | Action::Report { .. }) {
            self.client.touched = now;
        }
        self.settle(held_back, now);
    }

    /// What happens by itself behind every step.
    fn settle(&mut self, held_back: bool, now: Instant) {
        self.network.arrive(now);
        let octets = self.network.take_arrived();
        self.server.requests.push(&octets).unwrap_or_else(|wrong| panic!("the server gets {wrong}"));
        self.client.observe(&self.server, held_back, now);
        self.deepest = self.deepest.max(self.client.conn.info().outstanding);
        match self.client.conn.transport() {
            TransportWish::Keep => {}
            TransportWish::HalfClose => {
                self.network.half_closed = true;
                self.client.conn.half_closed();
            }
            TransportWish::Close => self.network.close(),
        }
    }

    fn reply(&mut self, speak: impl FnOnce(&mut Server) -> Option<Vec<u8>>) {
        if let Some(octets) = speak(&mut self.server) {
            self.network.say(octets);
        }
    }

    fn end(&mut self, ending: Ending, loses: bool) {
        if !self.server.is_ended || ending == Ending::Reset {
            self.server.is_ended = true;
            if loses {
                self.network.lose(0);
            }
            self.network.end(ending);
        }
    }

    /// The transport takes octets. Gives whether it did.
    fn transmit(&mut self, octets_max: usize, now: Instant) -> bool {
        let waiting = self.client.conn.to_transmit().len();
        if waiting == 0 {
            return false;
        }
        let Ok(room) = self.network.room() else {
            self.client.send_failed = true;
            self.client.within(|conn| conn.transmit_failed(Ending::Reset, now));
            assert!(self.client.conn.to_transmit().is_empty(), "something is left to send where nothing can be sent");
            return true;
        };
        let octets = waiting.min(octets_max).min(room);
        if octets == 0 {
            return false;
        }
        let piece = self.client.conn.to_transmit()[..octets].to_vec();
        self.client.note_sent(&piece, &self.server, now);
        self.network.write(&piece).expect("room");
        (self.client.moved, self.client.touched) = (now, now);
        self.client.within(|conn| conn.transmitted(octets, now));
        true
    }

    /// The transport gives octets, or says that there are none, or its end. Gives whether something came.
    fn receive(&mut self, octets_max: usize, now: Instant) -> bool {
        let wanted = self.client.conn.wants_octets();
        if wanted == 0 {
            return false;
        }
        let network = &mut self.network;
        // The octets are the connection's from here on, and counted.
        let read = self.client.within(|conn| match network.read(octets_max.min(wanted)) {
            Ok(Read::Octets(octets)) => {
                let count = octets.len();
                conn.receive(octets, now);
                Ok(count)
            }
            Ok(Read::Nothing | Read::Partly) => {
                conn.nothing_to_receive(now);
                Ok(0)
            }
            Err(End::Transport(ending)) => {
                conn.receive_end(ending, now);
                Err(ending)
            }
            Err(End::Layer(error)) => unreachable!("no layer is here: {error:?}"),
        });
        let client = &mut self.client;
        match read {
            Ok(0) => {
                client.looks += 1;
                client.looked_at = Some(client.received);
                false
            }
            Ok(octets) => {
                client.received += octets as u64;
                (client.moved, client.touched) = (now, now);
                true
            }
            Err(ending) => {
                client.ended_in_order = ending == Ending::Ended;
                !std::mem::replace(&mut client.saw_end, true)
            }
        }
    }

    /// Whatever stands in the way is removed.
    fn mend(&mut self) {
        self.network.split(false);
        self.network.delay(0);
        self.network.reads = true;
    }

    fn is_settled(&self) -> bool {
        self.client.asked.values().all(|asked| asked.dropped || asked.outcome.is_some())
    }

    /// Everybody does what is expected of them, once. Gives whether something moved.
    fn oblige(&mut self, now: Instant) -> bool {
        let held_back = self.client.conn.wants_octets() == 0;
        let established = self.client.conn.is_established();
        self.client.within(|conn| conn.progress(Progress::ESTABLISHED, now));
        let mut moved = self.client.conn.is_established() != established;
        moved |= self.receive(usize::MAX, now);
        moved |= self.transmit(usize::MAX, now);
        self.settle(held_back, now);
        moved |= self.serve();
        let tokens: Vec<u64> = self.client.asked.keys().copied().collect();
        for token in tokens {
            moved |= self.client.end_content(token, now);
            moved |= self.client.read(token, 100_000, &self.server, now);
        }
        self.settle(held_back, now);
        moved
    }

    /// The server answers what it has read, and ends behind its last answer.
    fn serve(&mut self) -> bool {
        let sent = self.server.sent;
        let plain = Answer { kind: AnswerKind::Length, octets: 3, interim: 0 };
        self.reply(Server::proceed);
        self.reply(|server| server.answer(&plain));
        if self.server.is_done && !self.server.is_ended {
            self.end(Ending::Ended, false);
            return true;
        }
        self.server.sent > sent
    }

    /// Closes, and lets the server have all that was sent.
    fn close(&mut self, now: Instant) {
        let held_back = self.client.conn.wants_octets() == 0;
        self.client.within(|conn| conn.close(CloseReason::Local, now));
        self.mend();
        self.settle(held_back, now);
        let distant = Instant(u64::MAX);
        self.network.arrive(distant);
        self.settle(held_back, now);
        assert_eq!(self.client.conn.state(), ConnState::Closed);
        let tokens: Vec<u64> = self.client.asked.keys().copied().collect();
        for token in tokens {
            while self.client.read(token, 1_000, &self.server, now) {}
        }
    }

    /// When everything has been dropped, next to nothing is held.
    fn check_left(&mut self, now: Instant) {
        let tokens: Vec<u64> = self.client.asked.keys().copied().collect();
        for token in tokens {
            self.client.drop_handle(token, now);
        }
        self.client.report(usize::MAX);
        assert!(self.client.held < LEFT_OCTETS_MAX, "{} octets are held for nobody", self.client.held);
    }

    /// How its requests ended.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.client.asked.values().filter_map(|asked| asked.outcome)
    }
}

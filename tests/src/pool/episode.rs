//! A poll, its caller and its peers, step by step.

use super::asked::{self, Asked, Hold, Outcome};
use super::network::{Dial, Net, Wire, World};
use super::options::{self, Bounds, Given};
use crate::choices::Choices;
use crate::peer::requests::content_octet;
use sandpiper_guest::conn::ClientConn;
use sandpiper_guest::driver::{Driver, Shared};
use sandpiper_guest::endpoint;
use sandpiper_guest::link::Network;
use sandpiper_guest::poll::{Origin, Poll, Ticket};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{Chunk, CloseReason, Delivery, Ending, Error, Failure, Limit};
use sandpiper_guest::{Completion, Event};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Ports, each an origin.
const ORIGINS: u16 = 3;

/// One run.
pub struct Episode {
    pub(super) random: Choices,
    pub(super) bounds: Bounds,
    pub(super) world: Rc<RefCell<World>>,
    pub(super) net: Net,
    pub(super) poll: Rc<RefCell<Poll<Net>>>,
    pub(super) origins: Vec<Rc<Origin>>,
    pub(super) now: Instant,
    pub(super) asked: BTreeMap<u64, Asked>,
    pub(super) last_token: u64,
    /// Connections of the caller's own; in the poll or not.
    pub(super) own: Vec<(Shared<Wire>, bool)>,
    /// Connections that were dialled for the caller.
    pub(super) dialled_for_caller: u64,
    /// Tokens that the poll said were too late.
    /// How often requests that have ended were sent again.
    pub(super) retries: u64,
    /// How often requests ended in which way.
    pub(super) outcomes: BTreeMap<String, u64>,
}

impl Episode {
    /// The run of a seed.
    pub fn new(seed: u64) -> Episode {
        let mut random = Choices::seeded(seed);
        let bounds = Bounds::new(&mut random);
        let now = Instant(1_000_000_000);
        let of_world = Choices::seeded(!seed);
        let world = World { random: of_world, now, sides: Vec::new(), wires: 0, calm: bounds.calm };
        let world = Rc::new(RefCell::new(world));
        let net = Net(Rc::clone(&world), Rc::default());
        let poll = Rc::new(RefCell::new(Poll::new(Some(&bounds.options()), net.clone(), now)));
        let origins = (1..=ORIGINS).map(|port| options::origin(&mut random, &bounds, port)).collect();
        Episode {
            random,
            bounds,
            world,
            net,
            poll,
            origins,
            now,
            asked: BTreeMap::new(),
            last_token: 0,
            own: Vec::new(),
            dialled_for_caller: 0,
            retries: 0,
            outcomes: BTreeMap::new(),
        }
    }

    /// Something happens.
    ///
    /// # Panics
    /// When what must hold does not.
    pub fn step(&mut self) {
        match self.random.below(100) {
            0..10 => self.submit(),
            10..13 => self.fetch_all(),
            13..15 => self.cancel_by_token(),
            15..17 => self.cancel_ticket(),
            17..19 => self.drop_ticket(),
            19..27 => self.write(),
            27..36 => self.read(),
            36..39 => self.take_completions(),
            39..60 => drop(self.turn()),
            60..85 => self.peer(),
            85..90 => self.pass(),
            90..95 => self.audit(),
            95..98 => self.own_connection(),
            98 if self.random.chance(1, 3) => self.poll.borrow_mut().network_changed(self.now),
            _ => {}
        }
        self.observe();
    }

    fn ask(&mut self, port: u16, given: Given, pooled: bool, hold: Hold) {
        let after = |span| self.now.after(span);
        let asked = Asked {
            port,
            pooled,
            idempotent: given.idempotent,
            collected: given.collected,
            ahead: given.ahead,
            to_write: given.to_write,
            written: 0,
            finished: false,
            hold,
            read: Vec::new(),
            total: after(given.total),
            queue: after(given.queue),
            forgotten: false,
            cancelled: false,
            told: false,
            attempts: Vec::new(),
            outcome: None,
        };
        self.asked.insert(self.last_token, asked);
    }

    fn submit(&mut self) {
        self.last_token += 1;
        let token = self.last_token;
        let port = 1 + u16::try_from(self.random.below(usize::from(ORIGINS))).expect("a port");
        let mut given = options::given(&mut self.random, &self.bounds, token, false);
        let request = std::mem::replace(&mut given.request, crate::message::get("/0"));
        let origin = Rc::clone(&self.origins[usize::from(port) - 1]);
        let waited = self.standing();
        match Poll::submit(&self.poll, &origin, request, token, self.now) {
            Ok(ticket) => {
                self.check_queue(waited);
                self.ask(port, given, true, Hold::Ticket(ticket));
            }
            Err(failure) => self.check_refusal(&failure),
        }
    }

    fn check_refusal(&self, failure: &Failure) {
        assert_eq!((failure.delivery, failure.octets_sent), (Delivery::NotSent, 0));
        let full = failure.error == Error::LimitExceeded(Limit::QueueLength) && self.bounds.queue_max < 1_000;
        assert!(full, "refused: {failure:?}");
    }

    fn fetch_all(&mut self) {
        let first = self.last_token + 1;
        let port = 1 + u16::try_from(self.random.below(usize::from(ORIGINS))).expect("a port");
        let mut requests = Vec::new();
        for _ in 0..=self.random.below(5) {
            self.last_token += 1;
            let mut given = options::given(&mut self.random, &self.bounds, self.last_token, true);
            requests.push(std::mem::replace(&mut given.request, crate::message::get("/0")));
            self.ask(port, given, true, Hold::Nobody);
        }
        let origin = Rc::clone(&self.origins[usize::from(port) - 1]);
        let waited = self.standing();
        let most = if self.random.chance(1, 20) { 50 } else { 4_000 };
        self.poll.borrow_mut().fetch_all(&origin, requests, first, most, self.now);
        self.check_queue(waited);
    }

    pub(super) fn any(&mut self, fits: impl Fn(&Asked) -> bool) -> Option<u64> {
        let tokens: Vec<u64> = self.asked.iter().filter(|(_, asked)| fits(asked)).map(|(token, _)| *token).collect();
        (!tokens.is_empty()).then(|| *self.random.pick(&tokens))
    }

    fn cancel_by_token(&mut self) {
        let Some(token) = self.any(|asked| asked.pooled) else { return };
        let cancelled = self.poll.borrow_mut().cancel(token, self.now);
        self.note_attempts();
        let Some(asked) = self.asked.get_mut(&token) else { return };
        // Of those that are not collected, none is found.
        assert!(asked.collected || cancelled.is_err());
        assert!(cancelled.is_err() || asked.outcome.is_none(), "{token} had ended");
        asked.cancelled |= cancelled.is_ok();
    }

    fn cancel_ticket(&mut self) {
        let Some(token) = self.any(|asked| asked.is_held() && !asked.forgotten) else { return };
        match &self.asked[&token].hold {
            Hold::Nobody => {}
            Hold::Ticket(ticket) => ticket.cancel(self.now),
            Hold::Own(shared, id) => {
                let mut driver = shared.borrow_mut();
                driver.conn.cancel(*id, self.now);
                driver.heed_wish();
            }
        }
        // It may have been sent again before.
        self.note_attempts();
        if let Some(asked) = self.asked.get_mut(&token) {
            asked.cancelled = true;
        }
    }

    fn drop_ticket(&mut self) {
        // What is collected, and still to be written by the caller, would wait for ever.
        let whole = |asked: &Asked| asked.to_write.is_none() || asked.finished || !asked.collected;
        if let Some(token) = self.any(|asked| asked.is_held() && whole(asked)) {
            self.forget(token);
        }
    }

    /// Drops the caller's hold.
    pub(super) fn forget(&mut self, token: u64) {
        let Some(asked) = self.asked.get_mut(&token) else { return };
        asked.forgotten = !asked.collected;
        match std::mem::replace(&mut asked.hold, Hold::Nobody) {
            Hold::Nobody => {}
            Hold::Ticket(ticket) => ticket.forget(self.now),
            Hold::Own(shared, id) => {
                let mut driver = shared.borrow_mut();
                driver.conn.forget(id, self.now);
                driver.heed_wish();
            }
        }
    }

    fn write(&mut self) {
        if let Some(token) = self.any(|asked| asked.to_write.is_some() && !asked.finished && asked.is_held()) {
            self.write_one(token);
        }
    }

    pub(super) fn write_one(&mut self, token: u64) {
        let Some(asked) = self.asked.get_mut(&token) else { return };
        let left = asked.to_write.unwrap_or_default();
        let octets = 1 + self.random.below(left.max(1));
        let written = match (asked.seat(), left) {
            (None, 0) => asked.waits().map(|ticket| ticket.finish(Vec::new()).map(|()| 0)),
            (None, _) => asked.waits().map(|ticket| ticket.write(octets as u64)),
            (Some((shared, id)), 0) => {
                let mut driver = shared.borrow_mut();
                let finished = driver.conn.finish(id, Vec::new(), self.now);
                driver.advance(self.now);
                Some(finished.map(|()| 0))
            }
            (Some((shared, id)), _) => {
                let content = (asked.written..asked.written + octets).map(|position| content_octet(token, position)).collect();
                let mut driver = shared.borrow_mut();
                let accepted = driver.conn.write(id, content, self.now);
                driver.advance(self.now);
                Some(accepted)
            }
        };
        match written {
            None => {}
            Some(Ok(accepted)) => {
                let accepted = usize::try_from(accepted).expect("a count");
                (asked.to_write, asked.written) = (Some(left - accepted), asked.written + accepted);
                asked.finished |= left == 0;
            }
            Some(Err(_)) => (asked.finished, asked.told) = (true, true),
        }
    }

    fn read(&mut self) {
        if let Some(token) = self.any(|asked| asked.is_read() && asked.outcome.is_none()) {
            let octets_max = *self.random.pick(&[0, 1, 100, 100_000]);
            self.read_one(token, octets_max);
        }
    }

    /// Reads as a caller does. Returns whether there was something.
    pub(super) fn read_one(&mut self, token: u64, octets_max: u64) -> bool {
        let Some(asked) = self.asked.get_mut(&token) else { return false };
        let Some((shared, id)) = asked.seat() else {
            let read = asked.waits().map(Ticket::read);
            return match read {
                Some(Err(failure)) => {
                    self.fail(token, failure);
                    true
                }
                read => {
                    assert!(matches!(read, None | Some(Ok(Chunk::WouldBlock))), "{token} waits, and has {read:?}");
                    false
                }
            };
        };
        let mut driver = shared.borrow_mut();
        let mut read = driver.conn.read(id, octets_max, self.now);
        if let Ok(Chunk::WouldBlock) = read {
            driver.advance(self.now);
            read = driver.conn.read(id, octets_max, self.now);
        }
        driver.heed_wish();
        match read {
            Ok(Chunk::Data(octets)) => asked.read.extend_from_slice(&octets),
            Ok(Chunk::WouldBlock) => return false,
            Ok(Chunk::End(_)) => {
                let head = driver.conn.head(id).expect("an end is no failure").expect("a head").unpacked();
                drop(driver);
                asked::check_answer(&self.world.borrow(), token, None, &head, &asked.read);
                asked.end(token, Outcome::Answered);
                *self.outcomes.entry("answered".to_owned()).or_default() += 1;
            }
            Err(failure) => {
                drop(driver);
                self.fail(token, failure);
            }
        }
        true
    }

    /// A request has failed.
    pub(super) fn fail(&mut self, token: u64, failure: Failure) {
        if !matches!(self.asked[&token].outcome, Some(Outcome::Failed(first)) if first == failure) {
            let reads = |other: u64| self.asked.get(&other).is_some_and(|other| !other.collected);
            asked::check_failure(&self.world.borrow(), token, &self.asked[&token], &failure, reads);
            let asked = self.asked.get_mut(&token).expect("asked");
            asked.end(token, Outcome::Failed(failure));
            *self.outcomes.entry(format!("{:?}", failure.delivery)).or_default() += 1;
        }
    }

    fn take_completions(&mut self) {
        let most = *self.random.pick(&[0, 1, 100]);
        let completions = self.poll.borrow_mut().take_completions(most, self.now);
        assert!(completions.len() <= usize::try_from(most).expect("a count"));
        for completion in completions {
            self.complete(completion.unpacked());
        }
    }

    /// Takes all of them.
    pub(super) fn drain(&mut self) {
        loop {
            let completions = self.poll.borrow_mut().take_completions(u32::MAX, self.now);
            if completions.is_empty() {
                return;
            }
            completions.into_iter().for_each(|completion| self.complete(completion.unpacked()));
        }
    }

    pub(super) fn complete(&mut self, completion: Completion) {
        self.note_attempts();
        let Completion { token, outcome, connection, retries, .. } = completion;
        let asked = &self.asked[&token];
        assert!(asked.collected && asked.outcome.is_none(), "{token} ends twice, or is not collected");
        let heard = u32::try_from(asked.attempts.len()).expect("a count");
        assert!(
            retries + 1 >= heard && (asked.pooled || retries == 0),
            "{token} was heard {heard} times, and sent again {retries}"
        );
        self.retries += u64::from(retries);
        match outcome {
            Ok(response) => {
                asked::check_answer(&self.world.borrow(), token, Some(connection), &response.head, &response.content);
                self.asked.get_mut(&token).expect("asked").end(token, Outcome::Answered);
                *self.outcomes.entry("answered".to_owned()).or_default() += 1;
            }
            Err(failure) => self.fail(token, failure),
        }
    }

    /// `poll.wait` with a timeout of 0.
    pub(super) fn turn(&mut self) -> Vec<Event> {
        let events_max = *self.random.pick(&[1, 2, 1_000]);
        let mut poll = self.poll.borrow_mut();
        poll.settle(self.now);
        let watched = poll.watched(self.now);
        for (id, shared) in watched {
            let ready = {
                let driver = shared.borrow();
                let number = usize::try_from(driver.conn.id()).expect("a number");
                self.world.borrow().sides[number - 1].is_ready(driver.interest(), self.now)
            };
            if ready {
                poll.advance(id, self.now);
            }
        }
        poll.settle(self.now);
        poll.looked();
        let events = poll.events(events_max);
        assert!(events.len() <= events_max);
        events
    }

    fn peer(&mut self) {
        let random = &mut self.random;
        let World { sides, calm, .. } = &mut *self.world.borrow_mut();
        let live: Vec<usize> =
            (0..sides.len()).filter(|place| !sides[*place].network.closed && sides[*place].dial == Dial::Established).collect();
        if live.is_empty() {
            return;
        }
        let side = &mut sides[*random.pick(&live)];
        side.network.room = *random.pick(&[0, 100, 1 << 20, 1 << 20, 1 << 20]);
        match random.below(100) {
            0 if !*calm => side.misbehave(random),
            1 | 2 if !*calm => side.end(Ending::Ended, None),
            3 if !*calm => {
                let cut = random.below(side.network.coming() + 1);
                side.end(*random.pick(&[Ending::Reset, Ending::Ended]), Some(cut));
            }
            4 if !*calm => side.answer(random, true),
            5 if side.server.is_done => side.end(Ending::Ended, None),
            _ => side.answer(random, false),
        }
    }

    fn pass(&mut self) {
        let span_ms = *self.random.pick(&[0, 1, 100, 1_000, 4_000]);
        self.set_time(Instant(self.now.0 + span_ms * 1_000_000));
    }

    pub(super) fn set_time(&mut self, now: Instant) {
        self.now = now;
        self.world.borrow_mut().now = now;
    }

    /// What a caller does with connections of its own.
    fn own_connection(&mut self) {
        let index = self.random.below(self.own.len() + 1);
        if index == self.own.len() {
            return self.open_own();
        }
        let (shared, inserted) = &mut self.own[index];
        match self.random.below(8) {
            0 if *inserted => {
                self.poll.borrow_mut().remove(shared);
                *inserted = false;
            }
            1 if !*inserted => *inserted = self.poll.borrow_mut().insert(shared, 7).is_ok(),
            2 => {
                let (shared, _) = self.own.swap_remove(index);
                let mut driver = shared.borrow_mut();
                driver.dropped = true;
                driver.conn.close(CloseReason::Dropped, self.now);
                driver.heed_wish();
            }
            _ if *inserted => {
                let (shared, port) = (Rc::clone(shared), 1);
                self.last_token += 1;
                let token = self.last_token;
                let mut given = options::given(&mut self.random, &self.bounds, token, false);
                let request = std::mem::replace(&mut given.request, crate::message::get("/0"));
                let mut driver = shared.borrow_mut();
                if let Ok(id) = driver.conn.send(request, token, self.now) {
                    driver.advance(self.now);
                    drop(driver);
                    self.ask(port, given, false, Hold::Own(Rc::clone(&shared), id));
                }
            }
            _ => shared.borrow_mut().advance(self.now),
        }
    }

    fn open_own(&mut self) {
        if self.own.len() > 2 {
            return;
        }
        let endpoint = options::endpoint(1);
        let (number, link) = self.net.dial(&endpoint).expect("a transport");
        self.dialled_for_caller += 1;
        let settings = (*self.origins[0].settings).clone();
        let conn = ClientConn::new(number, endpoint::authority(&endpoint), settings, self.now);
        let shared = Driver::new(conn, link);
        shared.borrow_mut().advance(self.now);
        assert_eq!(self.poll.borrow_mut().insert(&shared, 7), Ok(()));
        assert!(self.poll.borrow_mut().insert(&shared, 8).is_err(), "inserted twice");
        self.own.push((shared, true));
    }
}

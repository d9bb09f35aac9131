//! A request as the model knows it, and what its end must agree with.

use super::network::{Net, Side, World};
use crate::peer::answer::answer_octet;
use sandpiper_guest::conn::ExchangeId;
use sandpiper_guest::driver::Shared;
use sandpiper_guest::poll::Ticket;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{CloseReason, Delivery, Error, Failure, Phase, ResponseHead};

/// Where the caller holds a request.
#[derive(Debug)]
pub enum Hold {
    /// It is collected, and nobody holds it.
    Nobody,
    /// A ticket of the pool.
    Ticket(Ticket<Net>),
    /// An exchange on a connection of the caller's own.
    Own(Shared<super::network::Wire>, ExchangeId),
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With its own response.
    Answered,
    /// With this.
    Failed(Failure),
}

/// One request.
#[derive(Debug)]
pub struct Asked {
    /// The port of its origin.
    pub port: u16,
    /// It is one of the pool's.
    pub pooled: bool,
    /// What was asked.
    pub idempotent: bool,
    /// The same.
    pub collected: bool,
    /// The same.
    pub ahead: bool,
    /// The caller streams its content: this much is left.
    pub to_write: Option<usize>,
    /// And this much is written.
    pub written: usize,
    /// The caller has ended its content.
    pub finished: bool,
    /// The caller's hold.
    pub hold: Hold,
    /// What was read of the response.
    pub read: Vec<u8>,
    /// When it must have ended, and when it must have had its turn.
    pub total: Option<Instant>,
    /// The same.
    pub queue: Option<Instant>,
    /// The caller has given it up, and must not hear of it.
    pub forgotten: bool,
    /// The caller has asked for its end.
    pub cancelled: bool,
    /// A call has returned its failure.
    pub told: bool,
    /// The connections on which it was heard.
    pub attempts: Vec<usize>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Asked {
    /// The connection that has its exchange.
    pub fn seat(&self) -> Option<(Shared<super::network::Wire>, ExchangeId)> {
        match &self.hold {
            Hold::Nobody => None,
            Hold::Ticket(ticket) => ticket.seat(),
            Hold::Own(shared, id) => Some((std::rc::Rc::clone(shared), *id)),
        }
    }

    /// The ticket of a request that no connection has.
    pub fn waits(&self) -> Option<&Ticket<Net>> {
        match &self.hold {
            Hold::Ticket(ticket) if ticket.seat().is_none() => Some(ticket),
            _ => None,
        }
    }

    /// The caller holds it.
    pub fn is_held(&self) -> bool {
        !matches!(self.hold, Hold::Nobody)
    }

    /// It is streamed, and the caller still wants it.
    pub fn is_read(&self) -> bool {
        !self.collected && !self.forgotten
    }

    /// Ends it, once.
    ///
    /// # Panics
    /// When it has ended in another way.
    pub fn end(&mut self, token: u64, outcome: Outcome) {
        match &self.outcome {
            None => self.outcome = Some(outcome),
            Some(first) => assert_eq!(*first, outcome, "{token} ends twice"),
        }
    }
}

/// The peer of that connection.
fn side(world: &World, connection: u64) -> Option<&Side> {
    world.sides.get(usize::try_from(connection).ok()?.checked_sub(1)?)
}

/// A response is the request's own, whole, and from the connection that is named; `None`: the caller is not told.
///
/// # Panics
/// When it is not.
pub fn check_answer(world: &World, token: u64, connection: Option<u64>, head: &ResponseHead, content: &[u8]) {
    let own = head.fields.iter().find(|(name, _)| name == "X-Token").map(|(_, value)| value.as_slice()).unwrap_or_default();
    let sides = || world.sides.iter().filter(|side| side.server.requests.has_heard(token));
    if own == b"0" {
        assert!(sides().any(Side::is_wrong), "{token} is answered with what nobody has said");
        return;
    }
    assert_eq!(own, token.to_string().as_bytes(), "the response of another request");
    let named = connection.map(|number| side(world, number).unwrap_or_else(|| panic!("{token}: no connection {number}")));
    let answered = sides().filter(|side| named.is_none_or(|named| std::ptr::eq(named, *side))).any(|side| {
        side.server.reply(token).is_some_and(|reply| {
            let planned: Vec<u8> = (0..reply.octets).map(|position| answer_octet(token, position)).collect();
            let injected = side.is_wrong() && reply.until_close && content.starts_with(&planned);
            // Content that lasts until the close is what came before the close.
            let shortened = side.cut && reply.until_close && planned.starts_with(content);
            ((injected || planned == content) && reply.end <= side.network.delivered as u64) || shortened
        })
    });
    assert!(answered, "{token} on {connection:?} got: {}", content.escape_ascii());
}

/// What a failure says is what the peers have seen.
///
/// # Panics
/// When it is not.
pub fn check_failure(world: &World, token: u64, asked: &Asked, failure: &Failure, reads: impl Fn(u64) -> bool) {
    assert_ne!(failure.error, Error::Internal, "{token}");
    assert!(
        !asked.pooled || failure.error != Error::Closed(CloseReason::Idle),
        "{token} was on a connection that was closed as idle"
    );
    let sides = || world.sides.iter().filter(|side| side.server.requests.has_heard(token));
    if failure.delivery == Delivery::NotSent {
        assert_eq!((failure.octets_sent, sides().count()), (0, 0), "{token} was sent: {failure:?} {asked:?}");
        return;
    }
    assert!(failure.octets_sent > 0, "{token}: {failure:?}");
    let Some(side) = side(world, failure.connection) else { panic!("{token}: on no connection: {failure:?}") };
    assert!(side.server.requests.has_heard(token) || failure.octets_sent < 30, "{token} was not heard: {failure:?}");
    let begun = side.server.reply(token).is_some_and(|reply| failure.octets_received > reply.start) || side.is_wrong();
    // What an earlier response holds back has come, and has not been looked at.
    let held_back = side.server.requests.found.iter().any(|found| found.token != token && reads(found.token));
    match failure.delivery {
        Delivery::NotSent => {}
        Delivery::Unprocessed => assert!(side.has_declared_end() || side.is_wrong(), "{token}: nothing declared it: {failure:?}"),
        Delivery::Unanswered => {
            let outside = matches!(failure.error, Error::Incomplete(_) | Error::TimedOut(_))
                || failure.error == Error::Closed(CloseReason::Cancelled);
            // The error is that of the last attempt, the delivery that of the one that got furthest.
            let outside = outside && asked.attempts.len() < 2 && failure.phase != Phase::Queued;
            // The attempt before was on a connection that is gone; the last one has not been heard.
            let outside = outside && (!side.network.closed || failure.error != Error::Closed(CloseReason::Cancelled));
            assert!(!begun || side.is_wrong() || held_back || !outside, "{token}: a part of its response came: {failure:?}");
        }
        Delivery::ResponseStarted => assert!(begun, "{token}: nothing of its response came: {failure:?}"),
    }
}

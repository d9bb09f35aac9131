//! A connection with its transport.

use crate::conn::{ClientConn, TransportWish};
use crate::link::Link;
use crate::slab::Id;
use crate::timer::Instant;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;

/// A driver, shared by the handles of its connection and of its exchanges, and by the poll that it is in.
pub type Shared<L> = Rc<RefCell<Driver<L>>>;

/// Moves octets between a connection and its transport.
#[derive(Debug)]
pub struct Driver<L> {
    /// The connection.
    pub conn: ClientConn,
    /// Its transport; `None` for the waiting line of a pool, which is a connection that is never established.
    pub link: Option<L>,
    /// The handle of the connection is gone.
    pub dropped: bool,
    attention: Option<(Attention, Id)>,
    flagged: bool,
}

/// The members of a poll to which something was done by others.
#[derive(Clone, Debug, Default)]
pub struct Attention(Rc<RefCell<VecDeque<Id>>>);

impl Attention {
    /// The next one.
    pub fn take(&self) -> Option<Id> {
        self.0.borrow_mut().pop_front()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl<L: Link> Driver<L> {
    /// A connection with its transport.
    pub fn new(conn: ClientConn, link: Option<L>) -> Shared<L> {
        let driver = Driver { conn, link, dropped: false, attention: None, flagged: false };
        Rc::new(RefCell::new(driver))
    }

    /// Moves what can be moved without waiting, and does what is due.
    pub fn advance(&mut self, now: Instant) {
        if let Some(link) = &mut self.link {
            link.advance(&mut self.conn, now);
        }
        if self.conn.deadline().is_some_and(|(at, _)| at <= now) {
            self.conn.handle_timeout(now);
            if let Some(link) = &mut self.link {
                link.advance(&mut self.conn, now);
            }
        }
        self.heed_wish();
    }

    /// Does with the transport what the connection wishes, after a call has changed it.
    pub fn heed_wish(&mut self) {
        self.flag();
        let Some(link) = &mut self.link else { return };
        match self.conn.transport() {
            TransportWish::Keep => {}
            TransportWish::HalfClose => {
                link.half_close();
                self.conn.half_closed();
            }
            TransportWish::Close => link.close(&self.conn),
        }
    }

    /// The next deadline, of the connection or of its transport.
    pub fn deadline(&self) -> Option<Instant> {
        let of_link = self.link.as_ref().and_then(Link::deadline).filter(|_| !self.conn.is_established());
        match (self.conn.deadline(), of_link) {
            (Some((at, _)), Some(of_link)) => Some(at.min(of_link)),
            (of_conn, of_link) => of_conn.map(|(at, _)| at).or(of_link),
        }
    }

    /// Moves what calls have left to be moved.
    pub fn catch_up(&mut self, now: Instant) {
        if self.link.as_ref().is_some_and(|link| link.is_behind(&self.conn)) {
            self.advance(now);
        }
    }

    /// Whether it is in a poll.
    pub fn is_polled(&self) -> bool {
        self.attention.is_some()
    }

    /// From now on the poll with this list is told when something was done to it; it is the member `id` there.
    pub fn join(&mut self, attention: &Attention, id: Id) {
        self.attention = Some((attention.clone(), id));
        self.flagged = false;
        self.flag();
    }

    /// Ends that.
    pub fn leave(&mut self) {
        self.attention = None;
    }

    /// The member that it is in the poll with this list.
    pub fn member_of(&self, attention: &Attention) -> Option<Id> {
        let (of, id) = self.attention.as_ref()?;
        Rc::ptr_eq(&of.0, &attention.0).then_some(*id)
    }

    /// The poll is about to do something to it, and need not be told.
    pub fn known_to_change(&mut self) {
        self.flagged = true;
    }

    /// The poll knows what was done so far.
    pub fn heeded(&mut self) {
        self.flagged = false;
    }

    /// Tells the poll, once.
    pub fn flag(&mut self) {
        if let (false, Some((attention, id))) = (self.flagged, &self.attention) {
            self.flagged = true;
            attention.0.borrow_mut().push_back(*id);
        }
    }
}

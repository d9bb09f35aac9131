//! The resource `send`.

use super::clock;
use super::wait::{self, Ticket};
use super::wire::{self, Shared};
use crate::conn::ExchangeId;
use crate::types::{
    Chunk, ExchangeTiming, Failure, FieldLine, Misuse, PackedHead, PackedResponse, Request, Response, ResponseHead,
};
use crate::wit::client::{ExchangeInfo, Readiness};
use crate::wit::{self, client};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The handle of an exchange: an id, not a borrow, so that any drop order is legal.
pub(crate) struct Handle {
    place: Place,
    token: u64,
}

enum Place {
    /// On a connection of the caller's.
    Conn(Shared, ExchangeId),
    /// Where the pool has put it.
    Pool(Ticket),
}

impl Handle {
    pub(super) fn of_conn(shared: &Shared, id: ExchangeId, token: u64) -> client::Send {
        client::Send::new(Handle { place: Place::Conn(Rc::clone(shared), id), token })
    }

    pub(super) fn of_pool(ticket: Ticket, token: u64) -> client::Send {
        client::Send::new(Handle { place: Place::Pool(ticket), token })
    }

    fn place(&self) -> (Shared, ExchangeId) {
        match &self.place {
            Place::Conn(shared, id) => (Rc::clone(shared), *id),
            Place::Pool(ticket) => ticket.seat(),
        }
    }

    /// Waits until something has moved that may bring the exchange on. Returns whether there was something to wait for.
    fn wait(&self, shared: &Shared) -> bool {
        match &self.place {
            Place::Pool(ticket) => ticket.poll().is_some_and(|poll| !poll.borrow().is_held_back(shared) && wait::turn(&poll)),
            Place::Conn(..) => {
                wire::wait(&mut shared.borrow_mut(), clock::now());
                true
            }
        }
    }
}

/// What `send` and `packed` have in common.
impl Handle {
    pub(super) fn packed_head(&self) -> Result<Option<PackedHead>, Failure> {
        let (shared, id) = self.place();
        shared.borrow_mut().conn.head(id)
    }

    pub(super) fn collect_packed(&self, octets_max: u64) -> Result<PackedResponse, Failure> {
        let (shared, id) = self.place();
        let now = clock::now();
        // What the transport has is read by the wait: often it is not there yet.
        shared.borrow_mut().conn.begin_collect(id, octets_max, now)?;
        loop {
            let (shared, id) = self.place();
            let mut driver = shared.borrow_mut();
            if let Some(response) = driver.conn.take_response(id) {
                driver.catch_up(clock::now());
                // It may have been the last that the connection had to do.
                driver.heed_wish();
                return response;
            }
            if let Some(refusal) = driver.conn.refuses_wait(id) {
                return Err(refusal);
            }
            drop(driver);
            if !self.wait(&shared) {
                // Every connection that could carry it is held up by a response, or by completions, that nobody takes.
                return Err(shared.borrow_mut().conn.refuse_wait(id, Misuse::BehindUnreadResponse));
            }
        }
    }
}

impl client::GuestSend for Handle {
    fn token(&self) -> u64 {
        self.token
    }

    fn write(&self, content: Vec<u8>) -> Result<u64, Failure> {
        let (shared, id) = self.place();
        let mut driver = shared.borrow_mut();
        let now = clock::now();
        let accepted = driver.conn.write(id, content, now);
        driver.advance(now);
        accepted
    }

    fn finish(&self, trailers: Vec<FieldLine>) -> Result<(), Failure> {
        let (shared, id) = self.place();
        let mut driver = shared.borrow_mut();
        let now = clock::now();
        let finished = driver.conn.finish(id, trailers, now);
        driver.advance(now);
        finished
    }

    fn take_interim(&self) -> Vec<ResponseHead> {
        let (shared, id) = self.place();
        shared.borrow_mut().conn.take_interim(id).iter().map(PackedHead::unpacked).collect()
    }

    fn head(&self) -> Result<Option<ResponseHead>, Failure> {
        Ok(self.packed_head()?.map(|head| head.unpacked()))
    }

    fn read(&self, octets_max: u64) -> Result<Chunk, Failure> {
        let (shared, id) = self.place();
        let mut driver = shared.borrow_mut();
        let now = clock::now();
        let read = driver.conn.read(id, octets_max, now);
        if let Ok(Chunk::WouldBlock) = read {
            driver.advance(now);
            return driver.conn.read(id, octets_max, now);
        }
        // What was read may have been the last that the connection had to do.
        driver.heed_wish();
        read
    }

    fn collect(&self, octets_max: u64) -> Result<Response, Failure> {
        self.collect_packed(octets_max).map(PackedResponse::unpacked)
    }

    fn take_request(&self) -> Option<Request> {
        let (shared, id) = self.place();
        shared.borrow_mut().conn.take_request(id)
    }

    fn timing(&self) -> ExchangeTiming {
        let (shared, id) = self.place();
        shared.borrow().conn.timing(id).unwrap_or(wit::NO_TIMING)
    }

    fn info(&self) -> ExchangeInfo {
        match &self.place {
            Place::Conn(shared, id) => crate::poll::info(&shared.borrow(), *id),
            Place::Pool(ticket) => ticket.info(),
        }
    }

    fn cancel(&self) {
        let now = clock::now();
        if let Place::Pool(ticket) = &self.place {
            // What has failed, and is about to be sent again, is given up too.
            ticket.heed_failed(now);
        }
        let (shared, id) = self.place();
        let mut driver = shared.borrow_mut();
        driver.conn.cancel(id, now);
        driver.heed_wish();
    }

    fn want(&self, readiness: Readiness) {
        let (shared, id) = match &self.place {
            Place::Conn(shared, id) => (shared, *id),
            Place::Pool(ticket) => return ticket.want(readiness),
        };
        let mut driver = shared.borrow_mut();
        driver.conn.want(id, readiness);
        driver.flag();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        match &self.place {
            Place::Conn(shared, id) => {
                let mut driver = shared.borrow_mut();
                driver.conn.forget(*id, clock::now());
                driver.heed_wish();
            }
            Place::Pool(ticket) => ticket.forget(clock::now()),
        }
    }
}

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

    /// The connection that has the exchange, and its id there; else the ticket of the request that waits for one.
    fn seat(&self) -> Result<(Shared, ExchangeId), &Ticket> {
        match &self.place {
            Place::Conn(shared, id) => Ok((Rc::clone(shared), *id)),
            Place::Pool(ticket) => ticket.seat().ok_or(ticket),
        }
    }

    /// Waits until something has moved that may bring the exchange on. Returns whether there was something to wait for.
    fn wait(&self) -> bool {
        match &self.place {
            Place::Pool(ticket) => wait::turn(ticket.poll()),
            Place::Conn(shared, _) => {
                wire::wait(&mut shared.borrow_mut(), clock::now());
                true
            }
        }
    }
}

/// What `send` and `packed` have in common.
impl Handle {
    pub(super) fn packed_head(&self) -> Result<Option<PackedHead>, Failure> {
        match self.seat() {
            Ok((shared, id)) => shared.borrow_mut().conn.head(id),
            Err(ticket) => ticket.head(),
        }
    }

    pub(super) fn collect_packed(&self, octets_max: u64) -> Result<PackedResponse, Failure> {
        // What the transport has is read by the wait: often it is not there yet.
        match self.seat() {
            Ok((shared, id)) => shared.borrow_mut().conn.begin_collect(id, octets_max, clock::now())?,
            Err(ticket) => ticket.begin_collect(octets_max)?,
        }
        loop {
            let refusal = match self.seat() {
                Ok((shared, id)) => {
                    let mut driver = shared.borrow_mut();
                    if let Some(response) = driver.conn.take_response(id) {
                        driver.catch_up(clock::now());
                        // It may have been the last that the connection had to do.
                        driver.heed_wish();
                        return response;
                    }
                    driver.conn.refuses_wait(id)
                }
                Err(ticket) => ticket.refuses_wait(),
            };
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            if !self.wait() {
                // Every connection that could carry it is held up by a response that nobody takes.
                return Err(match self.seat() {
                    Ok((shared, id)) => shared.borrow_mut().conn.refuse_wait(id, Misuse::BehindUnreadResponse),
                    Err(ticket) => ticket.refuse_wait(Misuse::BehindUnreadResponse),
                });
            }
        }
    }
}

impl client::GuestSend for Handle {
    fn token(&self) -> u64 {
        self.token
    }

    fn write(&self, content: Vec<u8>) -> Result<u64, Failure> {
        let (shared, id) = match self.seat() {
            Ok(seat) => seat,
            Err(ticket) => return ticket.write(content.len() as u64),
        };
        let mut driver = shared.borrow_mut();
        let now = clock::now();
        let accepted = driver.conn.write(id, content, now);
        driver.advance(now);
        accepted
    }

    fn finish(&self, trailers: Vec<FieldLine>) -> Result<(), Failure> {
        let (shared, id) = match self.seat() {
            Ok(seat) => seat,
            Err(ticket) => return ticket.finish(trailers),
        };
        let mut driver = shared.borrow_mut();
        let now = clock::now();
        let finished = driver.conn.finish(id, trailers, now);
        driver.advance(now);
        finished
    }

    fn take_interim(&self) -> Vec<ResponseHead> {
        let Ok((shared, id)) = self.seat() else { return Vec::new() };
        shared.borrow_mut().conn.take_interim(id).iter().map(PackedHead::unpacked).collect()
    }

    fn head(&self) -> Result<Option<ResponseHead>, Failure> {
        Ok(self.packed_head()?.map(|head| head.unpacked()))
    }

    fn read(&self, octets_max: u64) -> Result<Chunk, Failure> {
        let (shared, id) = match self.seat() {
            Ok(seat) => seat,
            Err(ticket) => return ticket.read(),
        };
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
        match self.seat() {
            Ok((shared, id)) => shared.borrow_mut().conn.take_request(id),
            Err(ticket) => ticket.take_request(),
        }
    }

    fn timing(&self) -> ExchangeTiming {
        match self.seat() {
            Ok((shared, id)) => shared.borrow().conn.timing(id).unwrap_or(wit::NO_TIMING),
            Err(ticket) => ticket.timing(),
        }
    }

    fn info(&self) -> ExchangeInfo {
        match self.seat() {
            Ok((shared, id)) => crate::poll::info(&shared.borrow(), id),
            Err(ticket) => ticket.info(),
        }
    }

    fn cancel(&self) {
        match &self.place {
            Place::Conn(shared, id) => {
                let mut driver = shared.borrow_mut();
                driver.conn.cancel(*id, clock::now());
                driver.heed_wish();
            }
            Place::Pool(ticket) => ticket.cancel(clock::now()),
        }
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

//! The resource `send`.

use super::clock;
use super::driver::Shared;
use crate::conn::ExchangeId;
use crate::types::{Chunk, ExchangeTiming, Failure, FieldLine, Request, Response, ResponseHead};
use crate::wit::{self, client};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The handle of an exchange: an id, not a borrow, so that any drop order is legal.
pub(crate) struct Handle {
    shared: Shared,
    id: ExchangeId,
    token: u64,
}

impl Handle {
    pub(super) fn resource(shared: &Shared, id: ExchangeId, token: u64) -> client::Send {
        client::Send::new(Handle { shared: Rc::clone(shared), id, token })
    }
}

impl client::GuestSend for Handle {
    fn token(&self) -> u64 {
        self.token
    }

    fn write(&self, content: Vec<u8>) -> Result<u64, Failure> {
        let mut driver = self.shared.borrow_mut();
        let now = clock::now();
        let accepted = driver.conn.write(self.id, content, now);
        driver.advance_at(now);
        accepted
    }

    fn finish(&self, trailers: Vec<FieldLine>) -> Result<(), Failure> {
        let mut driver = self.shared.borrow_mut();
        let now = clock::now();
        let finished = driver.conn.finish(self.id, trailers, now);
        driver.advance_at(now);
        finished
    }

    fn interim(&self) -> Vec<ResponseHead> {
        self.shared.borrow_mut().conn.interim(self.id)
    }

    fn head(&self) -> Result<Option<ResponseHead>, Failure> {
        self.shared.borrow_mut().conn.head(self.id)
    }

    fn read(&self, octets_max: u64) -> Result<Chunk, Failure> {
        let mut driver = self.shared.borrow_mut();
        let now = clock::now();
        match driver.conn.read(self.id, octets_max, now) {
            Ok(Chunk::WouldBlock) => {
                driver.advance_at(now);
                driver.conn.read(self.id, octets_max, now)
            }
            read => read,
        }
    }

    fn collect(&self, octets_max: u64) -> Result<Response, Failure> {
        let mut driver = self.shared.borrow_mut();
        let mut now = driver.advance();
        driver.conn.begin_collect(self.id, octets_max, now)?;
        loop {
            if let Some(response) = driver.conn.take_response(self.id) {
                driver.advance();
                return response;
            }
            if let Some(refusal) = driver.conn.refuses_wait(self.id) {
                return Err(refusal);
            }
            now = driver.wait(now);
        }
    }

    fn take_request(&self) -> Option<Request> {
        self.shared.borrow_mut().conn.take_request(self.id)
    }

    fn timing(&self) -> ExchangeTiming {
        self.shared.borrow().conn.timing(self.id).unwrap_or(wit::NO_TIMING)
    }

    fn cancel(&self) {
        let mut driver = self.shared.borrow_mut();
        let now = clock::now();
        driver.conn.cancel(self.id, now);
        driver.advance_at(now);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut driver = self.shared.borrow_mut();
        driver.conn.forget(self.id, clock::now());
        driver.heed_wish();
    }
}

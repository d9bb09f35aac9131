//! The resource `client-conn`.

use super::wire::{self, Shared};
use super::{clock, network, origin, send};
use crate::types::{CloseReason, ConnInfo, ConnState, Error, Failure, Request};
use crate::wit::client;
use alloc::vec::Vec;

/// The handle of a connection.
pub(crate) struct Handle {
    pub(super) shared: Shared,
}

impl client::GuestClientConn for Handle {
    fn connect(origin: client::OriginBorrow<'_>) -> client::ClientConn {
        let shared = network::connect(&origin.get::<origin::Handle>().0);
        shared.borrow_mut().advance(clock::now());
        client::ClientConn::new(Handle { shared })
    }

    fn wait_connected(&self) -> Result<(), Error> {
        let mut driver = self.shared.borrow_mut();
        let mut now = clock::now();
        driver.advance(now);
        loop {
            if driver.conn.state() == ConnState::Closed {
                return Err(driver.conn.ended_by().unwrap_or(Error::Internal));
            }
            if driver.conn.is_established() {
                return Ok(());
            }
            now = wire::wait(&mut driver, now);
        }
    }

    fn send(&self, request: Request, token: u64) -> Result<client::Send, Failure> {
        let mut driver = self.shared.borrow_mut();
        let now = clock::now();
        let id = driver.conn.send(request, token, now)?;
        driver.advance(now);
        Ok(send::Handle::of_conn(&self.shared, id, token))
    }

    fn send_all(&self, requests: Vec<Request>, first_token: u64) -> Vec<Result<client::Send, Failure>> {
        let mut driver = self.shared.borrow_mut();
        let now = clock::now();
        let sent = requests
            .into_iter()
            .zip(0..)
            .map(|(request, index)| {
                let token = first_token.wrapping_add(index);
                let id = driver.conn.send(request, token, now)?;
                Ok(send::Handle::of_conn(&self.shared, id, token))
            })
            .collect();
        driver.advance(now);
        sent
    }

    fn length(&self) -> u32 {
        self.shared.borrow().conn.length()
    }

    fn is_ready(&self) -> bool {
        self.shared.borrow().conn.is_ready()
    }

    fn is_closed(&self) -> bool {
        self.shared.borrow().conn.is_closed()
    }

    fn shutdown(&self) {
        let mut driver = self.shared.borrow_mut();
        driver.conn.shutdown(clock::now());
        driver.heed_wish();
    }

    fn close(&self) {
        let mut driver = self.shared.borrow_mut();
        driver.conn.close(CloseReason::Local, clock::now());
        driver.heed_wish();
    }

    fn info(&self) -> ConnInfo {
        self.shared.borrow().conn.info()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut driver = self.shared.borrow_mut();
        driver.dropped = true;
        driver.conn.close(CloseReason::Dropped, clock::now());
        driver.heed_wish();
    }
}

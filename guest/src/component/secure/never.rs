//! A build without TLS.

use super::Secured;
use crate::component::socket::Socket;
use crate::timer::Instant;
use crate::types::{Endpoint, Error, TlsProblem};
use crate::wit::wasi::io::poll::Pollable;
use alloc::vec::Vec;

/// The way to secure a transport: none.
pub(crate) enum Plan {}

/// A transport that is being secured: none.
pub(crate) enum Securing {}

impl Plan {
    pub(crate) fn of(endpoint: &Endpoint) -> Result<Option<Plan>, Error> {
        if endpoint.tls.is_some() { Err(Error::Tls(TlsProblem::Unavailable)) } else { Ok(None) }
    }

    pub(crate) fn begin(self, _socket: Socket, _connection: u64, _now: Instant) -> Securing {
        match self {}
    }
}

impl Securing {
    pub(crate) fn advance(&mut self, _now: Instant) -> Secured {
        match *self {}
    }

    pub(crate) fn give_up(&mut self) {
        match *self {}
    }

    pub(crate) fn prepare_wait(&mut self) {
        match *self {}
    }

    pub(crate) fn pollables<'a>(&'a self, _pollables: &mut Vec<&'a Pollable>) {
        match *self {}
    }

    pub(crate) fn lend_pollables(&self, _pollables: &mut Vec<Pollable>) {
        match *self {}
    }
}

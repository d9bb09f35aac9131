//! Where a pool opens its connections, and where a caller opens one.

use super::clock;
use super::dial::{self, Dial, SharedNames};
use super::secure::Plan;
use super::socket::Socket;
use super::wire::{BROKEN, Driver, Shared, Wire};
use crate::conn::ClientConn;
use crate::dial::Broken;
use crate::link::Network;
use crate::poll::Origin;
use crate::settings::Settings;
use crate::types::{Endpoint, Error};
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use alloc::rc::Rc;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering};

/// The id of the last connection of the instance.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The network of `wasi:sockets`, and what a poll knows about names.
pub(super) struct Sockets {
    pub(super) names: SharedNames,
}

impl Network for Sockets {
    type Link = Wire;

    fn dial(&self, endpoint: &Endpoint) -> Result<(u64, Wire), Error> {
        dial(endpoint, Some(Rc::clone(&self.names)))
    }

    fn broken(&self) -> &Broken {
        &BROKEN
    }

    fn changed(&self) {
        self.names.borrow_mut().forget();
    }
}

/// Begins to connect, for a caller. If the host has come to forbid the connection, the connection has ended.
pub(super) fn connect(origin: &Origin) -> Shared {
    let now = clock::now();
    let mut settings = origin.settings_of_own();
    settings.persistence = BROKEN.expects(&origin.authority, settings.persistence);
    let (number, wire, refused) = match dial(&origin.endpoint, None) {
        Ok((number, wire)) => (number, wire, None),
        Err(error) => (next_connection(), Wire::gone(), Some(error)),
    };
    let mut conn = ClientConn::new(number, origin.authority.clone(), settings, now);
    if let Some(error) = refused {
        conn.end(error, now);
    }
    Driver::new(conn, wire)
}

/// Takes over streams that are established.
pub(super) fn handshake(input: InputStream, output: OutputStream, authority: String, settings: Settings) -> Shared {
    let (now, number) = (clock::now(), next_connection());
    let conn = ClientConn::new(number, authority, settings, now);
    let driver = Driver::new(conn, Wire::connected(number, Socket::new(input, output, None)));
    driver.borrow_mut().dial(now);
    driver
}

fn dial(endpoint: &Endpoint, names: Option<SharedNames>) -> Result<(u64, Wire), Error> {
    let plan = Plan::of(endpoint)?;
    let dial = Dial::new(endpoint, names, dial::Sockets::default())?;
    let number = next_connection();
    Ok((number, Wire::dialling(number, dial, plan)))
}

fn next_connection() -> u64 {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1
}

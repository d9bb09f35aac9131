//! Where a pool opens its connections, and where a caller opens one.

use super::broken;
use super::clock;
use super::dial::Dial;
use super::names::Names;
use super::secure::Plan;
use super::socket::Socket;
use super::wire::{Driver, Shared, Wire};
use crate::conn::ClientConn;
use crate::endpoint;
use crate::link::Network;
use crate::settings::Settings;
use crate::types::{ConnOptions, Endpoint, Error, Persistence};
use crate::wit::wasi::io::streams::{InputStream, OutputStream};
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};

/// The id of the last connection of the instance.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The network of `wasi:sockets`, and what a poll knows about names.
pub(super) struct Sockets {
    pub(super) names: Rc<RefCell<Names>>,
}

impl Network for Sockets {
    type Link = Wire;

    fn dial(&self, endpoint: &Endpoint) -> Result<Wire, Error> {
        let plan = Plan::of(endpoint)?;
        Ok(Wire::dialling(Dial::new(endpoint, Some(Rc::clone(&self.names)))?, plan))
    }

    fn take_broken(&self, authority: &str) -> bool {
        broken::take(authority)
    }

    fn next_connection(&self) -> u64 {
        next_connection()
    }

    fn changed(&self) {
        self.names.borrow_mut().forget();
    }
}

/// Begins to connect, for a caller.
pub(super) fn connect(endpoint: &Endpoint, options: Option<&ConnOptions>) -> Result<Shared, Error> {
    let mut settings = Settings::checked(options)?;
    let plan = Plan::of(endpoint)?;
    let wire = Wire::dialling(Dial::new(endpoint, None)?, plan);
    let authority = endpoint::authority(endpoint);
    if settings.persistence == Persistence::Assume && broken::take(&authority) {
        settings.persistence = Persistence::Learn;
    }
    let conn = ClientConn::new(next_connection(), authority, settings, clock::now());
    Ok(Driver::new(conn, Some(wire)))
}

/// Takes over streams that are established.
pub(super) fn handshake(input: InputStream, output: OutputStream, authority: String, settings: Settings) -> Shared {
    let now = clock::now();
    let mut conn = ClientConn::new(next_connection(), authority, settings, now);
    let wire = Wire::connected(Socket::new(input, output, None), None, &mut conn, now);
    Driver::new(conn, Some(wire))
}

fn next_connection() -> u64 {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1
}

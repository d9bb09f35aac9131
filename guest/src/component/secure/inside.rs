//! TLS inside: from a socket to a session over it.

use super::Secured;
use crate::component::permitted;
use crate::component::socket::Socket;
use crate::component::transport::{Layers, Transport};
use crate::driver::Interest;
use crate::timer::Instant;
use crate::tls::session::Shaken;
use crate::tls::{Config, Configs, KeyLines, Session, config};
use crate::types::{Denial, Endpoint, Error};
use crate::wit::tls_admin::Permissions;
use crate::wit::wasi::clocks::wall_clock;
use crate::wit::wasi::io::poll::Pollable;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;

pub(crate) static KEY_LINES: KeyLines = KeyLines::new();

static CONFIGS: Configs = Configs::new(|| Arc::new(WallClock), &KEY_LINES);

/// The clock that the dates of certificates are compared with.
#[derive(Debug)]
struct WallClock;

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(wall_clock::now().seconds)))
    }
}

/// The way to secure a transport.
pub(crate) struct Plan {
    config: Arc<Config>,
    name: ServerName<'static>,
}

impl Plan {
    /// The plan that an endpoint asks for; `None`: no TLS.
    ///
    /// Errors: `denied(any-certificate | key-log)`; `api-misuse(invalid-server-name | invalid-trust-anchors | invalid-identity |
    /// invalid-tls-option)`.
    pub(crate) fn of(endpoint: &Endpoint) -> Result<Option<Plan>, Error> {
        let Some(options) = &endpoint.tls else { return Ok(None) };
        for (asked, permission, denial) in [
            (options.accept_any_certificate, Permissions::ANY_CERTIFICATE, Denial::AnyCertificate),
            (options.key_log, Permissions::KEY_LOG, Denial::KeyLog),
        ] {
            if asked == Some(true) && !permitted::allows(permission) {
                return Err(Error::Denied(denial));
            }
        }
        Ok(Some(Plan { name: config::server_name(endpoint, options)?, config: CONFIGS.of(options)? }))
    }

    /// Begins the handshake.
    pub(crate) fn begin(self, socket: Socket, connection: u64, now: Instant) -> Securing {
        match Session::new(socket, self.config, self.name, connection, now) {
            Ok(session) => {
                let transport = Transport::new(Layers::Tls(Box::new(session)));
                Securing::Shaking { transport, output_full: false }
            }
            Err(error) => Securing::Over(Some(error)),
        }
    }
}

/// A transport that is being secured.
pub(crate) enum Securing {
    /// The handshake is under way.
    Shaking {
        /// Its transport.
        transport: Transport,
        /// There is no room for what is to be said.
        output_full: bool,
    },
    /// The handshake has ended. Holds its error until `advance` has reported it.
    Over(Option<Error>),
}

impl Securing {
    /// Goes on as far as possible without waiting.
    pub(crate) fn advance(&mut self, _now: Instant) -> Secured {
        let (transport, output_full) = match self {
            Securing::Shaking { transport, output_full } => (transport, output_full),
            Securing::Over(error) => return error.take().map_or(Secured::Waiting, Secured::Failed),
        };
        match transport.handshake() {
            Ok(Shaken::Done(protocol)) => match core::mem::replace(self, Securing::Over(None)) {
                Securing::Shaking { transport, .. } => Secured::Established(transport, protocol),
                Securing::Over(_) => Secured::Waiting,
            },
            Ok(shaken) => {
                *output_full = shaken == Shaken::AwaitsRoom;
                Secured::Waiting
            }
            Err(error) => Secured::Failed(error),
        }
    }

    /// Abandons the handshake and keeps its record for `tls.info`.
    pub(crate) fn give_up(&mut self) {
        if let Securing::Shaking { transport, .. } = self {
            transport.remember_handshake();
        }
    }

    /// Makes sure that there is something to wait for.
    pub(crate) fn prepare_wait(&mut self) {
        if let Securing::Shaking { transport, output_full } = self {
            transport.prepare_wait(interest(*output_full));
        }
    }

    /// Adds what to wait for.
    pub(crate) fn pollables<'a>(&'a self, pollables: &mut Vec<&'a Pollable>) {
        if let Securing::Shaking { transport, output_full } = self {
            pollables.extend(transport.pollables(interest(*output_full)));
        }
    }

    /// Adds the same for somebody else, who must drop them before this is dropped.
    pub(crate) fn lend_pollables(&self, pollables: &mut Vec<Pollable>) {
        if let Securing::Shaking { transport, output_full } = self {
            pollables.extend(transport.lend_pollables(interest(*output_full)));
        }
    }
}

/// While there is no room for what is to be said, nothing is read.
fn interest(output_full: bool) -> Interest {
    Interest { input: !output_full, output: output_full }
}

//! Sessions to go on with (RFC 8446 §2.2, RFC 5077), bounded. They belong to connections with equal options, for the names that they
//! were made with.

use alloc::collections::VecDeque;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use spin::Mutex;

/// Servers that are remembered; then the one whose sessions were made first makes way.
const SERVERS_MAX: usize = 16;

/// Tickets of one server; each is used once (RFC 8446 §C.4). With its certificates one may take 128 KiB: 4 MiB for a set of options.
const TICKETS_MAX: usize = 2;

/// The sessions of one set of options.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<VecDeque<Server>>);

#[derive(Debug)]
struct Server {
    name: ServerName<'static>,
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl Sessions {
    fn with<T>(&self, name: &ServerName<'_>, then: impl FnOnce(&mut Server) -> T) -> Option<T> {
        self.0.lock().iter_mut().find(|server| server.name == *name).map(then)
    }

    fn insert(&self, name: ServerName<'static>, then: impl FnOnce(&mut Server)) {
        let mut servers = self.0.lock();
        if let Some(server) = servers.iter_mut().find(|server| server.name == name) {
            return then(server);
        }
        if servers.len() >= SERVERS_MAX {
            servers.pop_front();
        }
        let mut server = Server { name, group: None, tls12: None, tickets: VecDeque::new() };
        then(&mut server);
        servers.push_back(server);
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.insert(name, |server| server.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.with(name, |server| server.group).flatten()
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.insert(name, |server| server.tls12 = Some(session));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.with(name, |server| server.tls12.clone()).flatten()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.with(name, |server| server.tls12 = None);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.insert(name, |server| {
            if server.tickets.len() >= TICKETS_MAX {
                server.tickets.pop_front();
            }
            server.tickets.push_back(ticket);
        });
    }

    /// The newest: it is good for longest.
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.with(name, |server| server.tickets.pop_back()).flatten()
    }
}

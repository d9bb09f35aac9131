//! The way to an established transport, as the transport reports it.

use super::ClientConn;
use crate::address;
use crate::dial::{Negotiated, Progress};
use crate::timer::Instant;
use crate::types::{ConnState, LogEvent};
use core::net::SocketAddr;

impl ClientConn {
    /// Takes a report of the transport. Once the transport is established, requests are written as soon as it has been seen that the peer says
    /// nothing first.
    pub fn progress(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Resolved(addresses) => {
                self.resolved = Some(now.since(self.created));
                self.log.add(now, None, || LogEvent::Resolved(u32::try_from(addresses).unwrap_or(u32::MAX)));
            }
            Progress::Trying(address) => self.log.add(now, None, || LogEvent::Connecting(address::text(address))),
            Progress::Refused(error) => self.log.add(now, None, || LogEvent::ConnectFailed(error)),
            Progress::Connected { remote, local } => self.connected(remote, local, now),
            Progress::Secured => self.log.add(now, None, || LogEvent::Secured),
            Progress::Established(protocol) => self.open(protocol, now),
            Progress::Failed(error) => self.end(error, now),
        }
    }

    fn connected(&mut self, remote: Option<SocketAddr>, local: Option<SocketAddr>, now: Instant) {
        if self.connected.is_some() || self.state == ConnState::Closed {
            return;
        }
        self.connected = Some(now.since(self.created));
        self.remote_address = remote.map(address::text);
        self.local_address = local.map(address::text);
        self.log.add(now, None, || LogEvent::Connected(self.remote_address.clone().unwrap_or_default()));
    }

    fn open(&mut self, protocol: Negotiated, now: Instant) {
        // Both cases mean HTTP/1.1: if nothing was negotiated, no other protocol may be assumed.
        let (Negotiated::Nothing | Negotiated::Http11) = protocol;
        if self.established || self.state == ConnState::Closed {
            return;
        }
        self.established = true;
        self.opened = Some(now);
        self.idle_since = now;
        if self.state == ConnState::Connecting {
            self.state = ConnState::Open;
        }
        self.changed = true;
    }
}

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
                self.facts.resolved = Some(now.since(self.facts.created));
                self.book.log.add(now, None, || LogEvent::Resolved(u32::try_from(addresses).unwrap_or(u32::MAX)));
            }
            Progress::Trying(address) => self.book.log.add(now, None, || LogEvent::Connecting(address::text(address))),
            Progress::Refused(error) => self.book.log.add(now, None, || LogEvent::ConnectFailed(error)),
            Progress::Connected { remote, local } => self.connected(remote, local, now),
            Progress::Secured => self.book.log.add(now, None, || LogEvent::Secured),
            Progress::Established(protocol) => self.open(protocol, now),
            Progress::Failed(error) => self.end(error, now),
        }
    }

    fn connected(&mut self, remote: Option<SocketAddr>, local: Option<SocketAddr>, now: Instant) {
        if self.facts.connected.is_some() || self.state == ConnState::Closed {
            return;
        }
        self.facts.connected = Some(now.since(self.facts.created));
        self.facts.remote_address = remote.map(address::text);
        self.facts.local_address = local.map(address::text);
        self.book.log.add(now, None, || LogEvent::Connected(self.facts.remote_address.clone().unwrap_or_default()));
    }

    fn open(&mut self, protocol: Negotiated, now: Instant) {
        if self.is_established() || self.state == ConnState::Closed {
            return;
        }
        self.protocol.decide(protocol, &self.settings, now);
        self.facts.opened = Some(now);
        self.idle_since = now;
        if self.state == ConnState::Connecting {
            self.state = ConnState::Open;
        }
        self.book.reports.changed = true;
    }
}

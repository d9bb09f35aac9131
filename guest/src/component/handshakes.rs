//! Handshakes that are remembered.

use crate::wit::tls::TlsInfo;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use spin::Mutex;

/// Handshakes that are remembered, and octets of their certificates.
const HANDSHAKES_MAX: usize = 64;
const CERTIFICATE_OCTETS_MAX: usize = 1 << 20;

static STATE: Mutex<State> = Mutex::new(State { handshakes: VecDeque::new(), certificate_octets: 0 });

struct State {
    /// Oldest first.
    handshakes: VecDeque<TlsInfo>,
    certificate_octets: usize,
}

/// The record of the handshake of a connection.
pub(super) fn info(connection: u64) -> Option<TlsInfo> {
    STATE.lock().handshakes.iter().find(|info| info.connection == connection).cloned()
}

/// Remembers a handshake, in place of the oldest ones; what is told first of a connection stays.
pub(super) fn remember(info: TlsInfo) {
    let state = &mut *STATE.lock();
    if state.handshakes.iter().any(|known| known.connection == info.connection) {
        return;
    }
    state.certificate_octets += certificate_octets(&info);
    state.handshakes.push_back(info);
    while state.handshakes.len() > HANDSHAKES_MAX || state.certificate_octets > CERTIFICATE_OCTETS_MAX {
        let Some(oldest) = state.handshakes.pop_front() else { return };
        state.certificate_octets -= certificate_octets(&oldest);
    }
}

/// Adds what a connection was ended for to what is remembered of its handshake.
#[cfg(feature = "tls")]
pub(super) fn amend(complaint: TlsInfo) {
    let mut state = STATE.lock();
    if let Some(info) = state.handshakes.iter_mut().find(|info| info.connection == complaint.connection) {
        info.alert = complaint.alert;
        info.detail = complaint.detail;
    }
}

fn certificate_octets(info: &TlsInfo) -> usize {
    info.certificates.iter().map(Vec::len).sum()
}

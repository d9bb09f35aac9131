//! When a connection came about, and between whom.

use crate::timer::Instant;
use alloc::string::String;

/// Facts that stay true of a connection.
#[derive(Debug)]
pub(super) struct Facts {
    /// When it was asked for.
    pub(super) created: Instant,
    /// When its transport was established.
    pub(super) opened: Option<Instant>,
    /// When its name was resolved, in nanoseconds since it was asked for.
    pub(super) resolved: Option<u64>,
    /// When its peer was connected to.
    pub(super) connected: Option<u64>,
    pub(super) remote_address: Option<String>,
    pub(super) local_address: Option<String>,
}

impl Facts {
    pub(super) fn new(created: Instant) -> Facts {
        Facts { created, opened: None, resolved: None, connected: None, remote_address: None, local_address: None }
    }
}

//! Connections and requests, counted since the beginning.

/// Connections and requests since the beginning, as in `client.pool-counts`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Connections that were opened.
    pub(super) opened: u64,
    /// Requests that went onto a connection that had carried others.
    pub(super) reused: u64,
    /// Requests that were sent again.
    pub(super) retried: u64,
}

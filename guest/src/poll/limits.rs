//! The options of a poll, each with its value. Names, ranges and reasons are documented in `wit/client.wit`.

use crate::settings::SECOND_NS;
use crate::types::Limit;
use crate::wit::client::PollOptions;

/// Origins that are remembered without a connection or a request.
pub const ORIGINS_MAX: usize = 1_024;

/// Idle connections that one wait looks at.
pub const IDLE_WATCHED_MAX: usize = 256;

/// The same when so many were looked at a moment ago and others are busy.
pub(super) const IDLE_WATCHED_MIN: usize = 4;

/// How long that moment is.
pub(super) const IDLE_LOOK_NS: u64 = 50_000_000;

/// What the response in front of a pipeline may still have to come without making it unattractive.
pub(super) const HEAVY_OCTETS: u64 = 65_536;

/// How long no connection is opened after one could not be established, the first time.
pub(super) const BACK_OFF_NS: u64 = 100_000_000;
/// The longest such time.
pub(super) const BACK_OFF_NS_MAX: u64 = 10_000_000_000;

/// How long an origin that breaks pipelines is spoken to one request at a time.
pub(super) const ONE_AT_A_TIME_NS: u64 = 600 * SECOND_NS;
/// How many pipelines it must break for that, in such a time and without having declared an end.
pub(super) const BREAKS_MAX: u32 = 2;

/// How long the first octet of a pipelined response may take, unless the caller says otherwise: longer than TCP takes to repeat what was lost
/// three times in a row (0.2 + 0.4 + 0.8 s and a round trip), and no wait that a person who fetches a list would notice as a fault.
pub(super) const PIPELINE_STALL_NS: u64 = 3 * SECOND_NS;

/// The limits of a poll.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "one for one the cases of `types.limit` that are of a poll")]
pub struct Limits {
    pub connections_max: usize,
    pub connections_per_origin_max: usize,
    pub queue_length_max: usize,
    pub idle_connections_max: usize,
    pub retries_max: u32,
    pub completion_octets_max: u64,
    pub log_entries_max: usize,
}

impl Limits {
    /// The given limits, each as the nearest value in its range, and the defaults.
    pub fn new(options: Option<&PollOptions>) -> Limits {
        let mut limits = Limits {
            connections_max: 1_024,
            connections_per_origin_max: 6,
            queue_length_max: 65_536,
            idle_connections_max: 64,
            retries_max: 0,
            completion_octets_max: 64 << 20,
            log_entries_max: 0,
        };
        for (limit, value) in options.map_or(&[][..], |options| &options.limits) {
            limits.set(*limit, *value);
        }
        limits
    }

    fn set(&mut self, limit: Limit, value: u64) {
        let size = |min: u64, max: u64| usize::try_from(value.clamp(min, max)).unwrap_or(usize::MAX);
        match limit {
            Limit::Connections => self.connections_max = size(1, 65_536),
            Limit::ConnectionsPerOrigin => self.connections_per_origin_max = size(1, 65_536),
            Limit::QueueLength => self.queue_length_max = size(0, 1 << 20),
            Limit::IdleConnections => self.idle_connections_max = size(0, 65_536),
            Limit::Retries => self.retries_max = u32::try_from(value.min(16)).unwrap_or(16),
            Limit::CompletionOctets => self.completion_octets_max = value,
            Limit::LogEntries => self.log_entries_max = size(0, 65_536),
            _ => {}
        }
    }
}

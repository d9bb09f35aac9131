//! The options of a poll, each with its value. Names, ranges and reasons are documented in `wit/client.wit`.

use crate::settings::SECOND_NS;
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
#[allow(missing_docs, reason = "one for one the fields of `client.poll-options`")]
pub struct Limits {
    pub connections_max: usize,
    pub connections_per_origin_max: usize,
    pub queue_length_max: usize,
    pub idle_connections_max: usize,
    pub retries_max: u32,
    pub completion_octets_max: u64,
}

impl Limits {
    /// The given options, each as the nearest value in its range.
    pub fn new(options: Option<&PollOptions>) -> Limits {
        let of = |field: fn(&PollOptions) -> Option<u32>, default: u32, min: u32, max: u32| {
            options.and_then(field).unwrap_or(default).clamp(min, max)
        };
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        Limits {
            connections_max: size(of(|o| o.connections_max, 1_024, 1, 65_536)),
            connections_per_origin_max: size(of(|o| o.connections_per_origin_max, 6, 1, 65_536)),
            queue_length_max: size(of(|o| o.queue_length_max, 65_536, 0, 1 << 20)),
            idle_connections_max: size(of(|o| o.idle_connections_max, 64, 0, 65_536)),
            retries_max: of(|o| o.retries_max, 0, 0, 16),
            completion_octets_max: options.and_then(|o| o.completion_octets_max).unwrap_or(64 << 20),
        }
    }
}

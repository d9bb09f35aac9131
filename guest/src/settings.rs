//! Options, checked: every limit and deadline of a connection with its value.
//!
//! The names, units, ranges and reasons are documented in `wit/types.wit`; the defaults stand here, once.

use crate::types::{self, ConnOptions, Error, Leniency, Misuse, Persistence};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// How many octets one read asks the transport for: what wasmtime's own streams give at most.
pub const READ_OCTETS_MAX: usize = 65_536;

/// The same where little is expected: nothing at all, or one head with a content of 16 KiB. A host sets aside as many as it is asked for,
/// and many hosts clear them.
pub const READ_OCTETS_SHORT: usize = 20_480;

/// The options of a connection, each with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many requests it carries.
    pub persistence: Persistence,
    /// Requests on the wire at once, when the peer can.
    pub pipeline_depth_max: usize,
    /// Limits.
    pub limits: Limits,
    /// Deadlines: the connection's own, and the defaults of its exchanges.
    pub deadlines: Deadlines,
    /// What is tolerated in the peer.
    pub leniency: Leniency,
    /// Send FIN after the last request.
    pub half_close: bool,
    /// Entries in the log; 0 is off.
    pub log_entries_max: usize,
}

/// `types.limits` with values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "one for one the fields of `types.limits`")]
pub struct Limits {
    pub head_octets_max: usize,
    pub field_lines_max: usize,
    pub interim_responses_max: usize,
    pub trailer_octets_max: usize,
    pub chunk_extension_octets_max: usize,
    pub receive_buffer_octets_max: usize,
    pub send_buffer_octets_max: usize,
    pub request_head_octets_max: usize,
    pub queued_octets_max: u64,
    pub queue_length_max: usize,
    pub drain_octets_max: u64,
    pub requests_max: u64,
}

/// `types.deadlines` with values; `None` is "no deadline".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "one for one the fields of `types.deadlines`")]
pub struct Deadlines {
    pub queue: Option<u64>,
    pub connect: Option<u64>,
    pub await_continue: Option<u64>,
    pub first_octet: Option<u64>,
    pub between_octets: Option<u64>,
    pub total: Option<u64>,
    pub idle: Option<u64>,
    pub drain: Option<u64>,
    pub lifetime: Option<u64>,
    pub pipeline_stall: Option<u64>,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            queue: None,
            connect: Some(30 * SECOND_NS),
            await_continue: Some(SECOND_NS),
            first_octet: Some(60 * SECOND_NS),
            between_octets: Some(60 * SECOND_NS),
            total: None,
            idle: Some(60 * SECOND_NS),
            drain: Some(SECOND_NS),
            lifetime: None,
            pipeline_stall: None,
        }
    }
}

impl Deadlines {
    /// These deadlines with the given ones put in their place.
    pub fn with(self, given: Option<&types::Deadlines>) -> Deadlines {
        let Some(given) = given else { return self };
        Deadlines {
            queue: given.queue.or(self.queue),
            connect: given.connect.or(self.connect),
            await_continue: given.await_continue.or(self.await_continue),
            first_octet: given.first_octet.or(self.first_octet),
            between_octets: given.between_octets.or(self.between_octets),
            total: given.total.or(self.total),
            idle: given.idle.or(self.idle),
            drain: given.drain.or(self.drain),
            lifetime: given.lifetime.or(self.lifetime),
            pipeline_stall: given.pipeline_stall.or(self.pipeline_stall),
        }
    }
}

impl Settings {
    /// Checks options against their ranges.
    ///
    /// Errors: `api-misuse(invalid-option)`.
    pub fn checked(options: Option<&ConnOptions>) -> Result<Settings, Error> {
        let limits = Limits::checked(options.and_then(|o| o.limits.as_ref()))?;
        let persistence = options.and_then(|o| o.persistence).unwrap_or(Persistence::Learn);
        let depth = options.and_then(|o| o.pipeline_depth_max);
        let log = options.and_then(|o| o.log_entries_max);
        Ok(Settings {
            persistence,
            pipeline_depth_max: in_range(depth, 64, 1, 1_024)?,
            limits,
            deadlines: Deadlines::default().with(options.and_then(|o| o.deadlines.as_ref())),
            leniency: options.and_then(|o| o.leniency).unwrap_or(Leniency::empty()),
            half_close: options.and_then(|o| o.half_close).unwrap_or(false),
            log_entries_max: in_range(log, 0, 0, 65_536)?,
        })
    }
}

impl Limits {
    #[rustfmt::skip]
    fn checked(given: Option<&types::Limits>) -> Result<Limits, Error> {
        const MIB: u32 = 1 << 20;
        let of = |field: fn(&types::Limits) -> Option<u32>| given.and_then(field);
        Ok(Limits {
            head_octets_max:            in_range(of(|l| l.head_octets_max), 307_200, 256, MIB)?,
            field_lines_max:            in_range(of(|l| l.field_lines_max), 5_000, 1, 65_536)?,
            interim_responses_max:      in_range(of(|l| l.interim_responses_max), 1_024, 0, 65_536)?,
            trailer_octets_max:         in_range(of(|l| l.trailer_octets_max), 16_384, 0, MIB)?,
            chunk_extension_octets_max: in_range(of(|l| l.chunk_extension_octets_max), 16_384, 0, MIB)?,
            receive_buffer_octets_max:  in_range(of(|l| l.receive_buffer_octets_max), 262_144, 1_024, 16 * MIB)?,
            send_buffer_octets_max:     in_range(of(|l| l.send_buffer_octets_max), 262_144, 1_024, 16 * MIB)?,
            request_head_octets_max:    in_range(of(|l| l.request_head_octets_max), 65_536, 256, MIB)?,
            queue_length_max:           in_range(of(|l| l.queue_length_max), 1_024, 1, 65_536)?,
            queued_octets_max: given.and_then(|l| l.queued_octets_max).unwrap_or(16 << 20),
            drain_octets_max:  given.and_then(|l| l.drain_octets_max).unwrap_or(65_536),
            requests_max:      given.and_then(|l| l.requests_max).unwrap_or(u64::MAX),
        })
    }
}

fn in_range(given: Option<u32>, default: u32, min: u32, max: u32) -> Result<usize, Error> {
    let value = given.unwrap_or(default);
    if value < min || value > max {
        return Err(Error::ApiMisuse(Misuse::InvalidOption));
    }
    usize::try_from(value).map_err(|_| Error::ApiMisuse(Misuse::InvalidOption))
}

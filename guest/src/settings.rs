//! Options, checked: every limit and deadline of a connection with its value.
//!
//! The names, units, ranges and reasons are documented in `wit/types.wit`; the defaults stand here, once. Options come as pairs: a limit or a
//! deadline, and its value. A pair that is not given leaves the default.

use crate::types::{ConnOptions, Error, Leniency, Limit, Misuse, Persistence, RequestOptions, Timer};
use core::ops::RangeInclusive;

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

/// The limits of a connection, each with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "one for one the cases of `types.limit` that are of a connection")]
pub struct Limits {
    pub head_octets_max: usize,
    pub field_lines_max: usize,
    pub interim_responses_max: usize,
    pub trailer_octets_max: usize,
    pub chunk_extension_octets_max: usize,
    pub content_octets_max: u64,
    pub receive_buffer_octets_max: usize,
    pub send_buffer_octets_max: usize,
    pub request_head_octets_max: usize,
    pub queued_octets_max: u64,
    pub queue_length_max: usize,
    pub drain_octets_max: u64,
    pub requests_max: u64,
}

/// Deadlines with their values; `None` is "no deadline".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "one for one the cases of `types.timer` that are not reserved")]
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

const INVALID: Error = Error::ApiMisuse(Misuse::InvalidOption);

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
    ///
    /// Errors: `api-misuse(invalid-option)`: one of them is reserved.
    pub fn with(mut self, given: &[(Timer, u64)]) -> Result<Deadlines, Error> {
        for (timer, span) in given {
            let place = match timer {
                Timer::Queue => &mut self.queue,
                Timer::Connect => &mut self.connect,
                Timer::AwaitContinue => &mut self.await_continue,
                Timer::FirstOctet => &mut self.first_octet,
                Timer::BetweenOctets => &mut self.between_octets,
                Timer::Total => &mut self.total,
                Timer::Idle => &mut self.idle,
                Timer::Drain => &mut self.drain,
                Timer::Lifetime => &mut self.lifetime,
                Timer::PipelineStall => &mut self.pipeline_stall,
                Timer::Settings | Timer::Ping | Timer::KeepAlive => return Err(INVALID),
            };
            *place = Some(*span);
        }
        Ok(self)
    }
}

impl Settings {
    /// Checks options against their ranges.
    ///
    /// Errors: `api-misuse(invalid-option)`.
    pub fn checked(options: Option<&ConnOptions>) -> Result<Settings, Error> {
        let mut settings = Settings {
            persistence: options.and_then(|options| options.persistence).unwrap_or(Persistence::Learn),
            pipeline_depth_max: 64,
            limits: Limits::default(),
            deadlines: Deadlines::default().with(options.map_or(&[], |options| &options.deadlines))?,
            leniency: options.map_or(Leniency::empty(), |options| options.leniency),
            half_close: options.is_some_and(|options| options.half_close),
            log_entries_max: 0,
        };
        for (limit, value) in options.map_or(&[][..], |options| &options.limits) {
            settings.set(*limit, *value)?;
        }
        Ok(settings)
    }

    /// The deadlines of one exchange, and the largest content of its response.
    ///
    /// Errors: `api-misuse(invalid-option)`.
    pub fn of_exchange(&self, options: Option<&RequestOptions>) -> Result<(Deadlines, u64), Error> {
        let mut content_octets_max = self.limits.content_octets_max;
        for (limit, value) in options.map_or(&[][..], |options| &options.limits) {
            if *limit != Limit::ContentOctets {
                return Err(INVALID);
            }
            content_octets_max = *value;
        }
        let deadlines = self.deadlines.with(options.map_or(&[], |options| &options.deadlines))?;
        Ok((deadlines, content_octets_max))
    }
}

const MIB: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_octets_max: 307_200,
            field_lines_max: 5_000,
            interim_responses_max: 1_024,
            trailer_octets_max: 16_384,
            chunk_extension_octets_max: 16_384,
            content_octets_max: u64::MAX,
            receive_buffer_octets_max: 262_144,
            send_buffer_octets_max: 262_144,
            request_head_octets_max: 65_536,
            queued_octets_max: 16 * MIB,
            queue_length_max: 1_024,
            drain_octets_max: 65_536,
            requests_max: u64::MAX,
        }
    }
}

impl Settings {
    #[rustfmt::skip]
    fn set(&mut self, limit: Limit, value: u64) -> Result<(), Error> {
        let limits = &mut self.limits;
        let (place, range): (&mut usize, RangeInclusive<u64>) = match limit {
            Limit::HeadOctets           => (&mut limits.head_octets_max, 256..=MIB),
            Limit::FieldLines           => (&mut limits.field_lines_max, 1..=65_536),
            Limit::InterimResponses     => (&mut limits.interim_responses_max, 0..=65_536),
            Limit::TrailerOctets        => (&mut limits.trailer_octets_max, 0..=MIB),
            Limit::ChunkExtensionOctets => (&mut limits.chunk_extension_octets_max, 0..=MIB),
            Limit::ReceiveBufferOctets  => (&mut limits.receive_buffer_octets_max, 1_024..=16 * MIB),
            Limit::SendBufferOctets     => (&mut limits.send_buffer_octets_max, 1_024..=16 * MIB),
            Limit::RequestHeadOctets    => (&mut limits.request_head_octets_max, 256..=MIB),
            Limit::QueueLength          => (&mut limits.queue_length_max, 1..=65_536),
            Limit::Outstanding          => (&mut self.pipeline_depth_max, 1..=1_024),
            Limit::LogEntries           => (&mut self.log_entries_max, 0..=65_536),
            Limit::ContentOctets        => return set_count(&mut limits.content_octets_max, value),
            Limit::QueuedOctets         => return set_count(&mut limits.queued_octets_max, value),
            Limit::DrainOctets          => return set_count(&mut limits.drain_octets_max, value),
            Limit::Requests if value > 0 => return set_count(&mut limits.requests_max, value),
            _ => return Err(INVALID),
        };
        if !range.contains(&value) {
            return Err(INVALID);
        }
        *place = usize::try_from(value).map_err(|_| INVALID)?;
        Ok(())
    }
}

/// A limit that may have any value.
fn set_count(place: &mut u64, value: u64) -> Result<(), Error> {
    *place = value;
    Ok(())
}

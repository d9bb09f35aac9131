//! What a run begins with.

use crate::choices::Choices;
use crate::message::{Limit, Timer, Tune, options};
use sandpiper_guest::types::{ConnOptions, Persistence};

/// Octets that are drained for an exchange that nobody wants.
pub const DRAIN_OCTETS_MAX: u64 = 2_000;
/// Interim responses that wait to be taken.
pub const INTERIM_RESPONSES_MAX: usize = 16;
/// Requests that wait.
pub const QUEUE_LENGTH_MAX: u32 = 40;

/// The options of the connections of a run, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How many connections there are.
    pub connections: usize,
    /// `persistence`.
    pub persistence: Persistence,
    /// The limit `outstanding`.
    pub depth: u32,
    /// `receive-buffer-octets-max`.
    pub receive_octets_max: u32,
    /// `send-buffer-octets-max`.
    pub send_octets_max: u32,
    /// `requests-max`.
    pub requests_max: Option<u64>,
    /// `half-close`.
    pub half_close: bool,
    /// `first-octet`, `between-octets` and `idle`, in milliseconds.
    pub silence_ms: u64,
    /// `pipeline-stall`, in milliseconds; 0: none.
    pub stall_ms: u32,
    /// At the end everybody does what is expected of them; otherwise the connections are closed.
    pub orderly: bool,
}

/// The plainest one.
impl Default for Setup {
    fn default() -> Setup {
        Setup {
            connections: 1,
            persistence: Persistence::Learn,
            depth: 64,
            receive_octets_max: 262_144,
            send_octets_max: 262_144,
            requests_max: None,
            half_close: false,
            silence_ms: 60_000,
            stall_ms: 0,
            orderly: false,
        }
    }
}

impl Setup {
    /// Draws one.
    pub fn draw(choices: &mut Choices) -> Setup {
        use Persistence::{Assume, Close, Learn};
        let limits = [262_144, 4_096, 1_024];
        Setup {
            connections: *choices.pick(&[1, 1, 1, 2]),
            persistence: *choices.pick(&[Learn, Assume, Assume, Assume, Close]),
            depth: *choices.pick(&[64, 64, 1, 2, 5]),
            receive_octets_max: *choices.pick(&limits),
            send_octets_max: *choices.pick(&limits),
            requests_max: *choices.pick(&[None, None, None, Some(3)]),
            half_close: choices.chance(1, 4),
            silence_ms: *choices.pick(&[60_000, 5_000]),
            stall_ms: *choices.pick(&[0, 0, 1_000]),
            orderly: choices.chance(1, 2),
        }
    }

    /// As options.
    pub fn options(&self) -> ConnOptions {
        let mut given = options().persistence(self.persistence).depth(self.depth);
        for timer in [Timer::FirstOctet, Timer::BetweenOctets, Timer::Idle] {
            given = given.deadline(timer, self.silence_ms);
        }
        if self.stall_ms > 0 {
            given = given.deadline(Timer::PipelineStall, self.stall_ms.into());
        }
        given = given
            .limit(Limit::ReceiveBufferOctets, self.receive_octets_max.into())
            .limit(Limit::SendBufferOctets, self.send_octets_max.into())
            .limit(Limit::DrainOctets, DRAIN_OCTETS_MAX)
            .limit(Limit::QueueLength, QUEUE_LENGTH_MAX.into())
            .limit(Limit::InterimResponses, INTERIM_RESPONSES_MAX as u64);
        if let Some(requests) = self.requests_max {
            given = given.limit(Limit::Requests, requests);
        }
        if self.half_close { given.half_closing() } else { given }
    }

    /// The same with one thing less to think about, in every way.
    pub fn simpler(&self) -> Vec<Setup> {
        let plain = Setup::default();
        let all = [
            Setup { connections: plain.connections, ..self.clone() },
            Setup { persistence: plain.persistence, ..self.clone() },
            Setup { depth: plain.depth, ..self.clone() },
            Setup { receive_octets_max: plain.receive_octets_max, ..self.clone() },
            Setup { send_octets_max: plain.send_octets_max, ..self.clone() },
            Setup { requests_max: plain.requests_max, ..self.clone() },
            Setup { half_close: plain.half_close, ..self.clone() },
            Setup { silence_ms: plain.silence_ms, ..self.clone() },
            Setup { stall_ms: plain.stall_ms, ..self.clone() },
            Setup { orderly: plain.orderly, ..self.clone() },
        ];
        all.into_iter().filter(|simpler| simpler != self).collect()
    }
}

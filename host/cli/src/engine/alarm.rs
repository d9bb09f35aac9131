//! What is to be done at a moment. An alarm is set anew rather than taken back: whoever hears it asks whether it still holds.

use std::collections::BTreeSet;
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// The origin's requests may be submitted again.
    Origin(usize),
    /// The request may be sent again.
    Job(usize),
    /// The exchange with this token may have used up its time.
    Time(u64),
    /// Octets of the exchange with this token may move again.
    Pause(u64),
    /// The run has used up its time.
    End,
}

#[derive(Debug, Default)]
pub(super) struct Alarms(BTreeSet<(Instant, Alarm)>);

impl Alarms {
    pub(super) fn set(&mut self, at: Instant, alarm: Alarm) {
        self.0.insert((at, alarm));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|&(at, _)| at)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<Alarm> {
        self.next().filter(|&at| at <= now)?;
        self.0.pop_first().map(|(_, alarm)| alarm)
    }
}

//! The monotonic clock, and waiting on it.

use crate::timer::Instant;
use crate::wit::wasi::clocks::monotonic_clock;
use crate::wit::wasi::io::poll::{Pollable, poll};
use alloc::vec::Vec;

/// How long a host may take to turn to others, if what it is asked for is ready.
const TURN_NS: u64 = 1_000_000;

/// The time now.
pub(super) fn now() -> Instant {
    Instant(monotonic_clock::now())
}

/// A timer that is made anew only when it must go off earlier than before, or has gone off: most deadlines only move away.
#[derive(Default)]
pub(super) struct Alarm {
    set: Option<(Instant, Pollable)>,
}

impl Alarm {
    /// A pollable that is ready at `at`, or before.
    fn at(&mut self, at: Instant, now: Instant) -> &Pollable {
        let fits = self.set.as_ref().is_some_and(|(set, _)| *set <= at && *set > now);
        if !fits {
            self.set = None;
        }
        let (_, pollable) = self.set.get_or_insert_with(|| (at, monotonic_clock::subscribe_instant(at.0)));
        pollable
    }
}

/// Waits until one of `pollables` is ready or `deadline` has passed; gives the indexes of those that are. Returns at once when there is
/// nothing to wait for.
pub(super) fn wait(pollables: &[&Pollable], deadline: Option<Instant>, now: Instant, alarm: &mut Alarm) -> Vec<u32> {
    let Some(at) = deadline else {
        return if pollables.is_empty() { Vec::new() } else { poll(pollables) };
    };
    let mut all = Vec::with_capacity(pollables.len() + 1);
    all.extend_from_slice(pollables);
    all.push(alarm.at(at, now));
    let mut ready = poll(&all);
    ready.retain(|index| (*index as usize) < pollables.len());
    ready
}

/// Lets the host turn to others, if it must before it answers more: by a wait for what is ready.
pub(super) fn turn(ready: &[&Pollable]) {
    let now = now();
    wait(ready, now.after(Some(TURN_NS)), now, &mut Alarm::default());
}

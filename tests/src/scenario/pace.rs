//! Real time for scenarios: on a machine that is too slow for their spans, each is made longer.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// By how much the spans of a scenario are stretched, one try after the other. Not every span is a scenario's own: where a default or a
/// number of the peer's plays a part, only tries without stretching can succeed.
pub const STRETCHES: [u64; 6] = [1, 1, 4, 1, 16, 1];
/// How much longer than its spans a try may take and still be in time.
const SLACK: Duration = Duration::from_millis(20);

thread_local! {
    static STRETCH: Cell<u64> = const { Cell::new(1) };
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How many times as long as it says a span is, in this thread.
pub fn stretch() -> u64 {
    STRETCH.get()
}

/// A try that began.
#[derive(Debug)]
pub struct Try(Instant);

impl Try {
    /// Begins one with spans so many times as long.
    pub fn begin(stretch: u64) -> Try {
        STRETCH.set(stretch);
        WAITED.set(Duration::ZERO);
        Try(Instant::now())
    }

    /// Whether the machine can be the reason why it failed: it waits for spans, and took longer than they say.
    pub fn was_late(&self) -> bool {
        WAITED.get() > Duration::ZERO && self.0.elapsed() > WAITED.get() + SLACK
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        STRETCH.set(1);
    }
}

/// A span of a scenario, as it is in this try. It counts as waited for.
pub fn wait(milliseconds: u64) -> Duration {
    let span = Duration::from_millis(milliseconds.saturating_mul(stretch()));
    WAITED.set(WAITED.get() + span);
    span
}

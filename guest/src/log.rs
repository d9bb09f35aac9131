//! The connection's log: ordered, typed, bounded, and free of cost while it is off.

use crate::timer::Instant;
use crate::types::{LogEntry, LogEvent};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The entries that have not been taken, oldest first.
#[derive(Debug)]
pub struct Log {
    created: Instant,
    entries_max: usize,
    entries: VecDeque<LogEntry>,
    sequence: u64,
}

impl Log {
    /// A log that holds `entries_max` entries; 0 is off. Times are measured from `created`.
    pub fn new(entries_max: usize, created: Instant) -> Log {
        Log { created, entries_max, entries: VecDeque::new(), sequence: 0 }
    }

    /// Adds what `event` makes, unless the log is off; the oldest entry makes room.
    pub fn add(&mut self, now: Instant, token: Option<u64>, event: impl FnOnce() -> LogEvent) {
        if self.entries_max == 0 {
            return;
        }
        if self.entries.len() >= self.entries_max {
            self.entries.pop_front();
        }
        let time = now.since(self.created);
        self.entries.push_back(LogEntry { time, sequence: self.sequence, token, what: event() });
        self.sequence += 1;
    }

    /// Takes up to `entries_max` entries.
    pub fn take(&mut self, entries_max: usize) -> Vec<LogEntry> {
        let count = entries_max.min(self.entries.len());
        (0..count).filter_map(|_| self.entries.pop_front()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_off_never_makes_its_entries() {
        let mut log = Log::new(0, Instant(0));
        log.add(Instant(1), None, || panic!("made"));
        assert!(log.take(9).is_empty());
    }

    #[test]
    fn the_oldest_entries_make_room_and_leave_a_gap_in_the_sequence() {
        let mut log = Log::new(2, Instant(10));
        for octets in 0..5 {
            log.add(Instant(10 + octets), Some(octets), || LogEvent::Wrote(octets));
        }
        let taken = log.take(9);
        assert_eq!(taken.iter().map(|e| e.sequence).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(taken.iter().map(|e| e.time).collect::<Vec<_>>(), [3, 4]);
        assert!(log.take(9).is_empty());
    }
}

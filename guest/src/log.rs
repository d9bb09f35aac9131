//! A log of connections: ordered, typed, bounded, and free of cost while it is off. A connection has a log of its own, or shares the log of
//! the poll whose pool it is in.

use crate::timer::Instant;
use crate::types::{LogEntry, LogEvent};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

/// One connection's way to a log.
#[derive(Clone, Debug)]
pub struct Log {
    /// The id of the connection whose events are noted; 0: of none yet.
    connection: u64,
    /// `None`: the log is off.
    entries: Option<Rc<RefCell<Entries>>>,
}

/// The entries that have not been taken, oldest first.
#[derive(Debug)]
struct Entries {
    began: Instant,
    entries_max: usize,
    entries: VecDeque<LogEntry>,
    sequence: u64,
}

impl Log {
    /// A log that holds `entries_max` entries; 0 is off. Times are measured from `began`.
    pub fn new(entries_max: usize, began: Instant) -> Log {
        let entries = || Entries { began, entries_max, entries: VecDeque::new(), sequence: 0 };
        Log { connection: 0, entries: (entries_max > 0).then(|| Rc::new(RefCell::new(entries()))) }
    }

    /// The same log, for the events of this connection.
    #[must_use]
    pub fn of(&self, connection: u64) -> Log {
        Log { connection, entries: self.entries.clone() }
    }

    /// Adds what `event` makes, unless the log is off; the oldest entry makes room.
    #[inline]
    pub fn add(&self, now: Instant, token: Option<u64>, event: impl FnOnce() -> LogEvent) {
        if self.entries.is_some() {
            self.note(now, token, event());
        }
    }

    #[inline(never)]
    fn note(&self, now: Instant, token: Option<u64>, what: LogEvent) {
        let Some(log) = &self.entries else { return };
        let log = &mut *log.borrow_mut();
        if log.entries.len() >= log.entries_max {
            log.entries.pop_front();
        }
        let (time, sequence) = (now.since(log.began), log.sequence);
        log.entries.push_back(LogEntry { time, sequence, connection: self.connection, token, what });
        log.sequence += 1;
    }

    /// Takes up to `entries_max` entries.
    pub fn take(&self, entries_max: usize) -> Vec<LogEntry> {
        let Some(log) = &self.entries else { return Vec::new() };
        let log = &mut *log.borrow_mut();
        let count = entries_max.min(log.entries.len());
        (0..count).filter_map(|_| log.entries.pop_front()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_off_never_makes_its_entries() {
        let log = Log::new(0, Instant(0));
        log.add(Instant(1), None, || panic!("made"));
        assert!(log.take(9).is_empty());
    }

    #[test]
    fn the_oldest_entries_make_room_and_leave_a_gap_in_the_sequence() {
        let log = Log::new(2, Instant(10));
        for octets in 0..5 {
            log.add(Instant(10 + octets), Some(octets), || LogEvent::Wrote(octets));
        }
        let taken = log.take(9);
        assert_eq!(taken.iter().map(|e| e.sequence).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(taken.iter().map(|e| e.time).collect::<Vec<_>>(), [3, 4]);
        assert!(log.take(9).is_empty());
    }

    #[test]
    fn entries_of_several_connections_stand_in_one_order() {
        let log = Log::new(9, Instant(0));
        let (first, second) = (log.of(1), log.of(2));
        first.add(Instant(1), None, || LogEvent::Secured);
        second.add(Instant(2), None, || LogEvent::Secured);
        drop(second);
        first.add(Instant(3), None, || LogEvent::Tunnel);
        let order: Vec<_> = log.take(9).iter().map(|entry| (entry.sequence, entry.connection)).collect();
        assert_eq!(order, [(0, 1), (1, 2), (2, 1)]);
    }
}

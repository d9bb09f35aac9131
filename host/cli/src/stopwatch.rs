//! The time of the first exchange of a connection, for `--max-time` and `--speed-limit`.

use std::time::{Duration, Instant};

/// What the command line allows one transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// `--max-time`.
    pub(crate) time: Option<Duration>,
    /// `--speed-limit` in octets per second, and `--speed-time`.
    pub(crate) speed: Option<(u64, Duration)>,
}

/// What a transfer has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Time,
    Speed,
}

/// It stands still while a response waits for its turn on standard output.
#[derive(Clone, Debug)]
pub(crate) struct Stopwatch {
    allowance: Allowance,
    began: Instant,
    stopped: Option<Instant>,
    /// When the time over which the speed is measured began.
    measured: Instant,
    /// Octets that have moved since.
    octets: u64,
}

impl Stopwatch {
    /// `None`: nothing is limited.
    pub(crate) fn start(allowance: Allowance, now: Instant) -> Option<Self> {
        let limits = allowance.time.is_some() || allowance.speed.is_some();
        limits.then_some(Self { allowance, began: now, stopped: None, measured: now, octets: 0 })
    }

    pub(crate) fn stop(&mut self, now: Instant) {
        self.stopped.get_or_insert(now);
    }

    pub(crate) fn go_on(&mut self, now: Instant) {
        if let Some(stopped) = self.stopped.take() {
            let still = now.saturating_duration_since(stopped);
            self.began += still;
            self.measured += still;
        }
    }

    /// Content has moved.
    pub(crate) fn count(&mut self, octets: u64) {
        self.octets += octets;
    }

    /// When it is to be asked again; `None`: not while it stands still.
    pub(crate) fn next(&self) -> Option<Instant> {
        let end = self.allowance.time.and_then(|time| self.began.checked_add(time));
        let measure = self.allowance.speed.and_then(|(_, time)| self.measured.checked_add(time));
        end.into_iter().chain(measure).min().filter(|_| self.stopped.is_none())
    }

    /// Is it too late, or too slow? Each time of measuring is followed by the next.
    pub(crate) fn exceeded(&mut self, now: Instant) -> Option<Exceeded> {
        if self.stopped.is_some() {
            return None;
        }
        if self.allowance.time.is_some_and(|time| now.saturating_duration_since(self.began) >= time) {
            return Some(Exceeded::Time);
        }
        let (rate, time) = self.allowance.speed?;
        let passed = now.saturating_duration_since(self.measured);
        if passed < time {
            return None;
        }
        let due = u128::from(rate) * passed.as_millis() / 1000;
        let slow = u128::from(std::mem::take(&mut self.octets)) < due;
        self.measured = now;
        slow.then_some(Exceeded::Speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn time_stands_still_while_a_response_waits_for_its_turn() {
        let start = Instant::now();
        let allowance = Allowance { time: Some(milliseconds(100)), speed: None };
        let mut watch = Stopwatch::start(allowance, start).unwrap();
        assert_eq!(watch.next(), Some(start + milliseconds(100)));
        watch.stop(start + milliseconds(60));
        assert_eq!((watch.next(), watch.exceeded(start + milliseconds(500))), (None, None));
        watch.go_on(start + milliseconds(1000));
        assert_eq!(watch.next(), Some(start + milliseconds(1040)));
        assert_eq!(watch.exceeded(start + milliseconds(1039)), None);
        assert_eq!(watch.exceeded(start + milliseconds(1040)), Some(Exceeded::Time));
        assert!(Stopwatch::start(Allowance::default(), start).is_none());
    }

    #[test]
    fn a_transfer_is_too_slow_when_one_measure_says_so() {
        let start = Instant::now();
        let allowance = Allowance { time: None, speed: Some((1000, milliseconds(100))) };
        let mut watch = Stopwatch::start(allowance, start).unwrap();
        watch.count(100);
        assert_eq!(watch.exceeded(start + milliseconds(99)), None);
        assert_eq!(watch.exceeded(start + milliseconds(100)), None);
        watch.count(99);
        assert_eq!(watch.exceeded(start + milliseconds(200)), Some(Exceeded::Speed));
    }
}

//! The time of one exchange, for `--max-time` and `--speed-limit`.

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

/// The time of a transfer begins when the response is the next one on its connection, and stops while the response waits for its turn on
/// standard output.
#[derive(Clone, Debug)]
pub(crate) struct Stopwatch {
    allowance: Allowance,
    /// `None`: it is not known that the transfer has begun. It has not at `asked`, and cannot have exceeded anything before its time has
    /// passed since then.
    began: Option<Instant>,
    asked: Instant,
    stopped: Option<Instant>,
    /// How long the time was stopped before the transfer was known to have begun.
    still: Duration,
    /// When the time over which the speed is measured began.
    measured: Instant,
    /// Octets that have moved since.
    octets: u64,
}

impl Stopwatch {
    /// `None`: nothing is limited.
    pub(crate) fn new(allowance: Allowance, now: Instant) -> Option<Self> {
        let limits = allowance.time.is_some() || allowance.speed.is_some();
        limits.then_some(Self {
            allowance,
            began: None,
            asked: now,
            stopped: None,
            still: Duration::ZERO,
            measured: now,
            octets: 0,
        })
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// The transfer began then.
    pub(crate) fn begin(&mut self, at: Instant) {
        let began = at + self.still;
        self.began = Some(began);
        self.measured = began;
    }

    /// The transfer has not begun yet.
    pub(crate) fn has_not_begun(&mut self, now: Instant) {
        self.asked = now;
        self.octets = 0;
    }

    pub(crate) fn stop(&mut self, now: Instant) {
        self.stopped.get_or_insert(now);
    }

    pub(crate) fn go_on(&mut self, now: Instant) {
        let Some(stopped) = self.stopped.take() else {
            return;
        };
        let still = now.saturating_duration_since(stopped);
        match &mut self.began {
            Some(began) => {
                *began += still;
                self.measured += still;
            }
            None => self.still += still,
        }
    }

    /// Content has moved.
    pub(crate) fn count(&mut self, octets: u64) {
        self.octets += octets;
    }

    /// When it is to be asked again; `None`: not while it stands still.
    pub(crate) fn next(&self) -> Option<Instant> {
        let after = |since: Instant, time: Option<Duration>| time.and_then(|time| since.checked_add(time));
        let (began, measured) = if self.has_begun() { (self.began?, self.measured) } else { (self.asked, self.asked) };
        let end = after(began, self.allowance.time);
        let measure = after(measured, self.allowance.speed.map(|(_, time)| time));
        end.into_iter().chain(measure).min().filter(|_| self.stopped.is_none())
    }

    /// Is it too late, or too slow? Each time of measuring is followed by the next.
    pub(crate) fn exceeded(&mut self, now: Instant) -> Option<Exceeded> {
        let began = self.began.filter(|_| self.stopped.is_none())?;
        if self.allowance.time.is_some_and(|time| now.saturating_duration_since(began) >= time) {
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
        let mut watch = Stopwatch::new(allowance, start).unwrap();
        watch.begin(start);
        assert_eq!(watch.next(), Some(start + milliseconds(100)));
        watch.stop(start + milliseconds(60));
        assert_eq!((watch.next(), watch.exceeded(start + milliseconds(500))), (None, None));
        watch.go_on(start + milliseconds(1000));
        assert_eq!(watch.next(), Some(start + milliseconds(1040)));
        assert_eq!(watch.exceeded(start + milliseconds(1039)), None);
        assert_eq!(watch.exceeded(start + milliseconds(1040)), Some(Exceeded::Time));
        assert!(Stopwatch::new(Allowance::default(), start).is_none());
    }

    #[test]
    fn time_begins_with_the_turn_however_late_that_is_known() {
        let start = Instant::now();
        let allowance = Allowance { time: Some(milliseconds(100)), speed: None };
        let mut watch = Stopwatch::new(allowance, start).unwrap();
        assert_eq!(watch.exceeded(start + milliseconds(100)), None);
        watch.has_not_begun(start + milliseconds(100));
        assert_eq!(watch.next(), Some(start + milliseconds(200)));
        // It stood still in between.
        watch.stop(start + milliseconds(150));
        watch.go_on(start + milliseconds(180));
        watch.begin(start + milliseconds(120));
        assert_eq!(watch.next(), Some(start + milliseconds(250)));
        assert_eq!(watch.exceeded(start + milliseconds(250)), Some(Exceeded::Time));
    }

    #[test]
    fn a_transfer_is_too_slow_when_one_measure_says_so() {
        let start = Instant::now();
        let allowance = Allowance { time: None, speed: Some((1000, milliseconds(100))) };
        let mut watch = Stopwatch::new(allowance, start).unwrap();
        watch.begin(start);
        watch.count(100);
        assert_eq!(watch.exceeded(start + milliseconds(99)), None);
        assert_eq!(watch.exceeded(start + milliseconds(100)), None);
        watch.count(99);
        assert_eq!(watch.exceeded(start + milliseconds(200)), Some(Exceeded::Speed));
    }
}

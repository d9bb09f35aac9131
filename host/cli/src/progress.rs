//! What a terminal shows while a fetch runs: the bar of one long download, or the counts of several exchanges.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter fetches show nothing.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
const FRAMES_PER_SECOND: u8 = 10;
/// How often counts are looked at anew.
pub(crate) const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// A line on standard error, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    wanted: bool,
    exchanges: usize,
    counted: Option<Instant>,
}

/// What there is at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) done: usize,
    pub(crate) active: u32,
    pub(crate) queued: u32,
    pub(crate) connections: u32,
    pub(crate) idle: u32,
    pub(crate) reused: u64,
    pub(crate) repeated: u64,
}

impl Counts {
    fn text(&self) -> String {
        let Self { done, active, queued, connections, idle, reused, repeated } = self;
        format!(
            "{done} done {active} active {queued} queued, {connections} open {idle} idle {reused} reused, {repeated} repeated"
        )
    }
}

impl Progress {
    /// `to_stdout`: contents go to standard output, which then must not be the terminal that the line is on.
    pub(crate) fn new(exchanges: usize, to_stdout: bool, wanted: bool) -> Self {
        let visible = std::io::stderr().is_terminal() && !(to_stdout && std::io::stdout().is_terminal());
        Self { bar: ProgressBar::hidden(), started: Instant::now(), wanted: wanted && visible, exchanges, counted: None }
    }

    /// The octets that a response is going to have.
    pub(crate) fn expect(&mut self, octets: u64) {
        if self.exchanges == 1 {
            self.bar.set_length(octets);
        }
    }

    pub(crate) fn advance(&self, octets: u64) {
        if !self.wanted {
            return;
        }
        self.bar.inc(octets);
        if self.exchanges == 1 {
            self.show();
        }
    }

    /// Are counts shown?
    pub(crate) fn counts(&self) -> bool {
        self.wanted && self.exchanges > 1
    }

    /// Are counts to be shown anew?
    pub(crate) fn is_due(&self) -> bool {
        self.counts() && self.counted.is_none_or(|last| last.elapsed() >= COUNT_INTERVAL)
    }

    pub(crate) fn count(&mut self, counts: &Counts) {
        self.counted = Some(Instant::now());
        self.bar.set_message(counts.text());
        self.show();
    }

    fn show(&self) {
        if !self.bar.is_hidden() || self.started.elapsed() < SHOWN_AFTER {
            return;
        }
        let template = match self.bar.length() {
            _ if self.exchanges > 1 => "{bytes}  {wide_msg}",
            Some(length) if length > 0 => "{bar:30} {bytes} of {total_bytes}  {binary_bytes_per_sec}  {eta} left",
            _ => "{bytes}  {binary_bytes_per_sec}  {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(FRAMES_PER_SECOND));
    }

    /// Takes the line off the screen for as long as something else is written there.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

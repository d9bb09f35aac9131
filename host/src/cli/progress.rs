//! The progress bar of long downloads, on a terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter fetches show none.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
const FRAMES_PER_SECOND: u8 = 10;

/// A bar on standard error, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    wanted: bool,
    exchanges: usize,
    ended: usize,
}

impl Progress {
    /// `to_stdout`: contents go to standard output, which then must not be the terminal that the bar is on.
    pub(crate) fn new(exchanges: usize, to_stdout: bool, wanted: bool) -> Self {
        let visible = std::io::stderr().is_terminal() && !(to_stdout && std::io::stdout().is_terminal());
        Self { bar: ProgressBar::hidden(), started: Instant::now(), wanted: wanted && visible, exchanges, ended: 0 }
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
        if self.bar.is_hidden() && self.started.elapsed() >= SHOWN_AFTER {
            self.show();
        }
    }

    pub(crate) fn end_exchange(&mut self) {
        self.ended += 1;
        if self.exchanges > 1 {
            self.bar.set_message(format!("{} of {} exchanges", self.ended, self.exchanges));
        }
    }

    fn show(&self) {
        let template = if self.bar.length().is_some_and(|length| length > 0) {
            "{bar:30} {bytes} of {total_bytes}  {binary_bytes_per_sec}  {eta} left"
        } else {
            "{bytes}  {binary_bytes_per_sec}  {elapsed}  {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(FRAMES_PER_SECOND));
    }

    /// Takes the bar off the screen for as long as something else is written there.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

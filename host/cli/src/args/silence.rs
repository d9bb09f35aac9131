//! The options for standard error.

use clap::Args;

use super::OUTPUT;

#[derive(Args, Debug, Default, Clone, Copy)]
pub(crate) struct Silence {
    /// No complaints about failed exchanges, no warnings, no progress bar; the exit status tells of failures
    #[arg(short = 's', long, help_heading = OUTPUT)]
    silent: bool,

    /// With -s, complaints about failed exchanges all the same
    #[arg(short = 'S', long, help_heading = OUTPUT)]
    show_error: bool,
}

impl Silence {
    /// Are failures not told?
    pub(crate) fn of_failures(self) -> bool {
        self.silent && !self.show_error
    }

    /// Is there no progress bar and no warning?
    pub(crate) fn of_progress(self) -> bool {
        self.silent
    }
}

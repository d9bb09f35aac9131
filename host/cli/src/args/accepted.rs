//! Options of curl that are accepted because the program does what they ask for without them.

use clap::Args;

use super::REQUEST;

#[derive(Args, Debug)]
pub(crate) struct Accepted {
    /// For scripts that were written for curl: a URL is never a pattern here
    #[arg(short = 'g', long, hide_short_help = true, help_heading = REQUEST)]
    globoff: bool,

    /// For scripts that were written for curl: no file of settings is read
    #[arg(short = 'q', long, hide_short_help = true, help_heading = REQUEST)]
    disable: bool,

    /// For scripts that were written for curl: the progress bar is as it is
    #[arg(short = '#', long, hide_short_help = true, help_heading = REQUEST)]
    progress_bar: bool,

    /// For scripts that were written for curl: HTTP/1.1 is the version that is spoken
    #[arg(long = "http1.1", hide_short_help = true, help_heading = REQUEST)]
    http11: bool,

    /// For scripts that were written for curl: credentials of -u are sent so
    #[arg(long, hide_short_help = true, help_heading = REQUEST)]
    basic: bool,

    /// For scripts that were written for curl: Nagle's algorithm is off
    #[arg(long, hide_short_help = true, help_heading = REQUEST)]
    tcp_nodelay: bool,
}

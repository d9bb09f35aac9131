//! The program as a user runs it: exit status, standard output and standard error, against servers on loopback.

mod contents;
mod curl;
mod delivery;
mod early;
mod failures;
mod files;
#[cfg(unix)]
mod guide;
mod hosts;
mod https;
mod lists;
mod many;
mod other_commands;
mod program;
mod record;
mod recovery;
mod repeats;
mod requests;
mod resume;
mod secured;
mod server;
mod standard;
mod terminal;
mod time;
#[path = "../../../tests/tls/mod.rs"]
mod tls;
mod turns;
#[cfg(unix)]
mod unix_sockets;
mod uploads;
mod write_out;

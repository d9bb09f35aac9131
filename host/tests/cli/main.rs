//! The program as a user runs it: exit status, standard output and standard error, against servers on loopback.

mod contents;
mod delivery;
mod failures;
mod files;
mod https;
mod lists;
mod many;
mod other_commands;
mod program;
mod record;
mod resume;
mod secured;
mod server;
mod standard;
mod terminal;
#[path = "../tls/mod.rs"]
mod tls;
mod uploads;
mod write_out;

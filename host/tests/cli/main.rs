//! The program as a user runs it: exit status, standard output and standard error, against servers on loopback.

mod contents;
mod curl;
mod delivery;
mod failures;
mod https;
mod lists;
mod many;
mod other_commands;
mod program;
mod record;
mod requests;
mod secured;
mod server;
#[path = "../tls/mod.rs"]
mod tls;
mod uploads;

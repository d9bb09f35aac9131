//! HTTP client connections as a WebAssembly component, from the shell.
//!
//! `fetch` reads its arguments (`args`, `help`, `usage`; `refused` has the options of curl that are not here) and lists of URLs (`listing`),
//! checks them as a whole (`plan`, `target`, `protocols`, `resolve`, `family`, `template` with `content`, `condition`, `credentials`, `form` and `pieces`,
//! `output`, `standard`), and drives everything in one loop (`engine`), which submits requests to the pool of the component (`bounds`, `connections`), moves
//! what goes out (`outgoing`) and what comes in (`incoming`; `spool`, what comes before its turn), says how fast (`rate`) and how long (`stopwatch`), waits for
//! repeats (`backoff`), records or replays it all (`tape`), and tells how it came out (`report`, `told`, `complaint`,
//! `json`, `progress`, `summary`, `wire_log`, `write_out`, `interrupt`). Of TLS, `tls` has the options, `secured` what is
//! told about a handshake, `key_log` its secrets.

mod args;
mod backoff;
mod bounds;
mod complaint;
mod component;
mod condition;
mod connections;
mod content;
mod credentials;
mod demo;
mod demo_server;
mod engine;
mod family;
mod fetch;
mod form;
mod help;
mod incoming;
mod inspect;
mod interrupt;
mod json;
mod key_log;
mod listing;
mod outgoing;
mod output;
mod pieces;
mod plan;
mod progress;
mod protocols;
mod proxies;
mod rate;
mod refused;
mod report;
mod resolve;
mod secured;
mod spool;
mod standard;
mod stopwatch;
mod summary;
mod tape;
mod target;
mod template;
mod tls;
mod told;
mod usage;
mod wire_log;
mod write_out;

use std::io::{self, Write};
use std::process::ExitCode;

use args::Command;
use usage::Answer;

/// Wrong arguments; as clap ends with them too.
const USAGE: u8 = 2;
/// 128 and SIGPIPE: what a shell reports for programs that a closed pipe ends.
const READER_GONE: u8 = 141;

/// Writes to standard error. That nobody reads it is no reason to fail, as `eprintln` does.
fn tell(text: &str) {
    let lines: String = text.split_inclusive('\n').map(escape_line).collect();
    _ = io::stderr().write_all(lines.as_bytes());
}

/// One line, with or without its end.
fn escape_line(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(line) => escape(line) + "\n",
        None => escape(line),
    }
}

/// Control characters, C1 included, must not reach a terminal.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped
}

fn main() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let arguments = match usage::parse(&words) {
        Ok(arguments) => arguments,
        Err(Answer::OfClap(error)) => {
            let lost = !error.use_stderr() && standard::output_problem().is_some();
            _ = error.print();
            return if lost { refuse_output() } else { ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE)) };
        }
        Err(Answer::Wrong(why)) => {
            tell(&format!("sandpiper: {why}\n"));
            return ExitCode::from(USAGE);
        }
    };
    // `fetch` can do without it.
    if !matches!(arguments.command, Command::Fetch(_)) && standard::output_problem().is_some() {
        return refuse_output();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("sandpiper: no runtime: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let status = runtime.block_on(async {
        match &arguments.command {
            Command::Fetch(fetch) => fetch::run(fetch).await,
            Command::Demo(demo) => demo::run(demo).await,
            Command::Inspect(inspect) => inspect::run(inspect),
        }
    });
    // A thread may still be reading standard input.
    runtime.shutdown_background();
    ExitCode::from(status)
}

fn refuse_output() -> ExitCode {
    tell(&format!("sandpiper: {}\n", standard::output_problem().unwrap_or_default()));
    ExitCode::from(USAGE)
}

/// The component runs on the main thread; these see to signals, and the demo's server.
const WORKERS: usize = 2;

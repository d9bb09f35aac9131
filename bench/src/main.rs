//! Measures Sandpiper beside other HTTP clients: see `docs/evidence/performance.md`.

mod affinity;
mod alone;
mod chart;
mod clients;
mod counts;
mod document;
mod measure;
mod memory;
mod outcome;
mod plugin;
mod server;
mod servers;
mod table;
mod work;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures all clients side by side.
    Run(measure::Options),
    /// Counts what does not depend on the machine, and compares with what was committed.
    Counts(counts::Options),
    /// Works like one client, alone, for a profiler.
    Only(alone::Options),
    /// The server that answers pipelined batches; writes its port, and ends with its standard input.
    #[command(hide = true)]
    Serve,
    /// So many exchanges of the core, without a socket, under an instrument.
    #[command(hide = true)]
    Core(counts::Core),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(options) => measure::run(&options),
        Command::Counts(options) => counts::run(&options),
        Command::Only(options) => alone::run(&options),
        Command::Serve => server::run(),
        Command::Core(core) => core.run(),
    }
}

//! HTTP client connections as a WebAssembly component, from the shell.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}

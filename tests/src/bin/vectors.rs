//! Runs the response vectors of this project and of folders, prints a table, writes a report. See `docs/vectors.md`.

use sandpiper_tests::vectors::run::Run;
use sandpiper_tests::vectors::stance::Stances;
use sandpiper_tests::vectors::trial::Component;
use sandpiper_tests::vectors::{folder, report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "vectors [DIR...] [--report FILE] [--native] [--stances]

Runs the cases of every *.json in DIR, and those of this project. Without DIR: the folder in SANDPIPER_VECTORS, or shared/vectors
beside the workspace, where there is one.

  --report FILE  where the outcome of every case is written (target/vectors.json)
  --native       on the core alone, not through the component
  --stances      prints the table of the stances instead, for docs/vectors.md";

struct Arguments {
    folders: Vec<PathBuf>,
    report: PathBuf,
    component: Component,
    stances: bool,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vectors: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = package.parent().unwrap_or(package).join("target/vectors.json");
    let component = if cfg!(feature = "sandboxed") { Component::Cut } else { Component::Nothing };
    let mut arguments = Arguments { folders: Vec::new(), report, component, stances: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--report" => arguments.report = words.next().ok_or("--report needs a file")?.into(),
            "--native" => arguments.component = Component::Nothing,
            "--stances" => arguments.stances = true,
            _ if word.starts_with('-') => return Err(format!("there is no option {word}\n{USAGE}")),
            _ => arguments.folders.push(word.into()),
        }
    }
    if arguments.folders.is_empty() {
        arguments.folders.extend(folder::shared());
        if arguments.folders.is_empty() {
            eprintln!("vectors: no folder is given, and there is no shared/vectors: only those of this project are run");
        }
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.stances {
        print!("{}", Stances::read()?.table());
        return Ok(true);
    }
    let own = folder::own();
    let folders: Vec<&Path> = std::iter::once(&own).chain(&arguments.folders).map(PathBuf::as_path).collect();
    let run = Run::of(&folders, arguments.component, |progress| eprintln!("vectors: {progress}"))?;
    print!("{}", report::table(&run));
    let text = serde_json::to_string_pretty(&report::json(&run)).map_err(|error| error.to_string())?;
    std::fs::write(&arguments.report, text).map_err(|error| format!("{}: {error}", arguments.report.display()))?;
    println!("every outcome: {}", arguments.report.display());
    Ok(run.is_right())
}

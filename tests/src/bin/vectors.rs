//! Runs the response vectors of this project and of folders, prints a table, writes a report. See `docs/evidence/vectors.md`.

use sandpiper_tests::vectors::run::Run;
use sandpiper_tests::vectors::stance::Stances;
use sandpiper_tests::vectors::trial::{Component, Trial};
use sandpiper_tests::vectors::{folder, report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "vectors [DIR...] [--report FILE] [--native] [--stances] [--every-cut CASES_MAX]

Runs the cases of every *.json in DIR, and those of this project. Without DIR: the folder in SANDPIPER_VECTORS, or shared/vectors
beside the workspace, where there is one.

  --report FILE          where the outcome of every case is written (target/vectors.json)
  --native               on the core alone, not through the component
  --stances              prints the table of the stances instead, for docs/evidence/vectors.md
  --every-cut CASES_MAX  only the first so many cases, through the component cut at every position and octet by octet; no report";

struct Arguments {
    folders: Vec<PathBuf>,
    report: PathBuf,
    component: Component,
    stances: bool,
    every_cut: Option<usize>,
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
    let mut arguments = Arguments { folders: Vec::new(), report, component, stances: false, every_cut: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--report" => arguments.report = words.next().ok_or("--report needs a file")?.into(),
            "--native" => arguments.component = Component::Nothing,
            "--stances" => arguments.stances = true,
            "--every-cut" => {
                let cases_max = words.next().and_then(|number| number.parse().ok());
                arguments.every_cut = Some(cases_max.ok_or("--every-cut needs a number of cases")?);
            }
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
    if let Some(cases_max) = arguments.every_cut {
        return cut_everywhere(&folders, cases_max);
    }
    let run = Run::of(&folders, arguments.component, |progress| eprintln!("vectors: {progress}"))?;
    print!("{}", report::table(&run));
    let text = serde_json::to_string_pretty(&report::json(&run)).map_err(|error| error.to_string())?;
    std::fs::write(&arguments.report, text).map_err(|error| format!("{}: {error}", arguments.report.display()))?;
    println!("every outcome: {}", arguments.report.display());
    Ok(run.is_right())
}

/// What others make of a case is not a case to cut: its octets are those of another.
fn cut_everywhere(folders: &[&Path], cases_max: usize) -> Result<bool, String> {
    let mut cases = Vec::new();
    for folder in folders {
        for case in folder::read(folder)?.sources.into_iter().flat_map(|source| source.cases) {
            cases.push(case.map_err(|(id, why)| format!("{id}: {why}"))?);
        }
    }
    cases.retain(|case| !case.agreement);
    cases.truncate(cases_max);
    let (mut runs, mut wrong) = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        eprintln!("vectors: {} of {}: {}, {} octets", number + 1, cases.len(), case.id, case.octets.len());
        let trial = Trial::of(case, None, Component::CutEverywhere);
        trial.faults.iter().for_each(|fault| println!("{}: {fault}", case.id));
        runs += trial.component_runs;
        wrong += usize::from(!trial.faults.is_empty());
    }
    println!("{} cases, {runs} runs through the component, {wrong} cases with faults", cases.len());
    if runs == 0 { Err("nothing was run through the component".to_owned()) } else { Ok(wrong == 0) }
}

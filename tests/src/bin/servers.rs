//! `just servers`: real servers, each with what it can do, through the component. Writes `docs/evidence/servers.md` when all servers were here and nothing
//! failed. `just servers nginx` tries those that are named, and writes nothing.

use sandpiper_tests::servers::capability::{ROWS, Scale};
use sandpiper_tests::servers::matrix::{Cell, counts, document, named, run};
use std::process::ExitCode;
use std::time::Instant;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence/servers.md");

fn main() -> ExitCode {
    let began = Instant::now();
    let mut columns = Vec::new();
    let names: Vec<String> = std::env::args().skip(1).collect();
    let kinds = match named(&names) {
        Ok(kinds) => kinds,
        Err(error) => {
            eprintln!("servers: {error}");
            return ExitCode::from(2);
        }
    };
    for (number, kind) in kinds.iter().enumerate() {
        println!("[{} of {}] {}", number + 1, kinds.len(), kind.name);
        let column = run(kind, Scale::FULL, |name, cell| println!("    {name}: {}", said(cell)));
        if let Some(Cell::Skipped(why) | Cell::Failed(why)) = column.cells.first().filter(|_| column.took.is_zero()) {
            println!("    NOT RUN: {why}");
        }
        println!("    {} in {:.1} s", column.server, column.took.as_secs_f64());
        columns.push(column);
    }
    let [passed, unsupported, skipped, failed] = counts(&columns);
    let cells = kinds.len() * ROWS.len();
    println!(
        "{cells} cells: {passed} passed, {unsupported} not supported, {skipped} skipped, {failed} failed, in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    if names.is_empty() && skipped + failed > 0 {
        eprintln!("docs/evidence/servers.md was not written: {skipped} cells were skipped, {failed} failed");
    } else if names.is_empty()
        && let Err(error) = std::fs::write(DOCUMENT, document(&columns, Scale::FULL))
    {
        eprintln!("{DOCUMENT}: {error}");
        return ExitCode::FAILURE;
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn said(cell: &Cell) -> String {
    match cell {
        Cell::Passed(note) if note.is_empty() => "passed".to_owned(),
        Cell::Passed(note) => format!("passed ({note})"),
        Cell::Unsupported(why) => format!("not supported: {why}"),
        Cell::Skipped(why) => format!("skipped: {why}"),
        Cell::Failed(what) => format!("FAILED: {what}"),
    }
}

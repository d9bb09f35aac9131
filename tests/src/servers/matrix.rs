//! Server by capability: the run, and its table.

use super::caller::Caller;
use super::capability::{Found, ROWS, Scale};
use super::kind::{KINDS, Kind};
use super::running::Running;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What one server showed for one capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// As it must be; with a note, or nothing.
    Passed(String),
    /// The server does not do it, for a reason that is known; what came instead was right.
    Unsupported(String),
    /// The server is not here.
    Skipped(String),
    /// A difference.
    Failed(String),
}

/// What one server showed.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name, with its version if it is here.
    pub server: String,
    /// One cell per capability.
    pub cells: Vec<Cell>,
    /// How long it took.
    pub took: Duration,
}

/// The servers with these names, or with these for the first word of their names; without names, all.
///
/// # Errors
/// There is no such server.
pub fn named(names: &[String]) -> Result<Vec<&'static Kind>, String> {
    let is_named = |kind: &Kind, name: &String| {
        let first_word = kind.name.split(' ').next().unwrap_or_default();
        kind.name.eq_ignore_ascii_case(name) || first_word.eq_ignore_ascii_case(name)
    };
    if let Some(unknown) = names.iter().find(|name| !KINDS.iter().any(|kind| is_named(kind, name))) {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(format!("there is no server {unknown:?}; there are {}", known.join(", ")));
    }
    Ok(KINDS.iter().filter(|kind| names.is_empty() || names.iter().any(|name| is_named(kind, name))).collect())
}

/// Tries everything with one server; `report` is told each cell.
pub fn run(kind: &'static Kind, scale: Scale, mut report: impl FnMut(&str, &Cell)) -> Column {
    let began = Instant::now();
    let mut column = Column { server: kind.name.to_owned(), cells: Vec::new(), took: Duration::ZERO };
    let mut server = match Running::start(kind, scale.large_octets) {
        Ok(server) => server,
        Err(reason) => {
            let cell = reason.map_or_else(Cell::Failed, Cell::Skipped);
            column.cells = vec![cell; ROWS.len()];
            return column;
        }
    };
    column.server = format!("{} {}", kind.name, server.version);
    for (capability, name, _, attempt) in ROWS {
        let tried = catch_unwind(AssertUnwindSafe(|| attempt(&mut server, &mut Caller::new(), scale)));
        let tried = tried.unwrap_or_else(|_| Err("it panicked: see above".to_owned()));
        let cell = match (tried, kind.lacking(capability)) {
            (Ok(Found::Passed(note)), _) => Cell::Passed(note),
            (Ok(Found::Absent(_)), Some(why)) => Cell::Unsupported(why.to_owned()),
            (Ok(Found::Absent(what)), None) => Cell::Failed(what),
            (Err(what), _) => Cell::Failed(what),
        };
        report(name, &cell);
        column.cells.push(cell);
    }
    column.took = began.elapsed();
    column
}

/// How many cells are of each sort: passed, unsupported, skipped, failed.
pub fn counts(columns: &[Column]) -> [usize; 4] {
    let mut counts = [0; 4];
    for cell in columns.iter().flat_map(|column| &column.cells) {
        counts[match cell {
            Cell::Passed(_) => 0,
            Cell::Unsupported(_) => 1,
            Cell::Skipped(_) => 2,
            Cell::Failed(_) => 3,
        }] += 1;
    }
    counts
}

/// The cells as a table, with their reasons below.
pub fn document(columns: &[Column], scale: Scale) -> String {
    let [passed, unsupported, skipped, failed] = counts(columns);
    let mut text = format!(
        "# Real servers\n\nThe component, through the host library, against servers as they are. Written by `just servers`, which fails where a cell does.\n\
         The normal tests run the same with contents of {} MiB, lists of {} and {} requests instead of {} MiB, {} and {}.\n\n\
         In this run: {} servers, {} cells: {passed} passed, {unsupported} not supported by that server, {skipped} skipped, {failed} failed.\n\n",
        Scale::BOUNDED.large_octets >> 20,
        Scale::BOUNDED.list,
        Scale::BOUNDED.requests,
        scale.large_octets >> 20,
        scale.list,
        scale.requests,
        columns.len(),
        columns.len() * ROWS.len(),
    );
    let names: Vec<&str> = columns.iter().map(|column| column.server.as_str()).collect();
    let _ = writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---|".repeat(columns.len()));
    for (row, (_, name, ..)) in ROWS.iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| mark(&column.cells[row])).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text.push_str("\n## What is tried\n\n| | |\n|---|---|\n");
    for (_, name, what, _) in ROWS {
        let _ = writeln!(text, "| {name} | {what} |");
    }
    text.push_str("\n## What was seen\n\n| server | | |\n|---|---|---|\n");
    for column in columns {
        for ((_, name, ..), cell) in ROWS.iter().zip(&column.cells) {
            let (Cell::Passed(note) | Cell::Unsupported(note) | Cell::Skipped(note) | Cell::Failed(note)) = cell;
            if !note.is_empty() {
                let _ = writeln!(text, "| {} | {name} | {}: {note} |", column.server, mark(cell));
            }
        }
    }
    text
}

fn mark(cell: &Cell) -> &'static str {
    match cell {
        Cell::Passed(_) => "passed",
        Cell::Unsupported(_) => "not supported",
        Cell::Skipped(_) => "skipped",
        Cell::Failed(_) => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Result<Vec<&'static str>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        named(&names).map(|kinds| kinds.iter().map(|kind| kind.name).collect())
    }

    #[test]
    fn servers_are_found_by_name_or_its_first_word_and_no_other_name_is_passed_over() {
        assert_eq!(found(&["node", "NGINX"]), Ok(vec!["nginx", "Node http"]));
        assert_eq!(found(&["Python HTTP.server"]), Ok(vec!["Python http.server"]));
        assert_eq!(found(&[]).map(|kinds| kinds.len()), Ok(KINDS.len()));
        let error = found(&["nginx", "ngin"]).expect_err("no server");
        assert!(error.contains("\"ngin\"") && error.contains("Node http"), "{error}");
    }
}

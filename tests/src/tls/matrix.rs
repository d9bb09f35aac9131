//! Case by client: the run, and its table.

use super::case::{Case, Expected};
use super::cases::Group;
use super::client::{Outcome, TlsClient, Told};
use super::serving::Seen;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What one client showed in one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// As it must be: what came of it.
    Passed(String),
    /// Otherwise, for a reason that is known.
    Differs(String),
    /// The server is not here, or the client cannot do what it is told.
    Skipped(String),
    /// A difference.
    Failed(String),
}

/// Runs one case through one client.
pub fn run(case: &Case, client: &dyn TlsClient) -> Cell {
    let mut last = Cell::Skipped("the case has no points".to_owned());
    for point in &case.points {
        let cell = catch_unwind(AssertUnwindSafe(|| run_at(case, client, *point)));
        last = match cell.unwrap_or_else(|_| Cell::Failed("it panicked: see above".to_owned())) {
            Cell::Failed(what) if case.points.len() > 1 => return Cell::Failed(format!("at {point}: {what}")),
            cell => cell,
        };
        if !matches!(last, Cell::Passed(_)) {
            break;
        }
    }
    last
}

fn run_at(case: &Case, client: &dyn TlsClient, point: usize) -> Cell {
    let serving = match (case.serve)(point) {
        Ok(serving) => serving,
        Err(why) => return Cell::Skipped(why),
    };
    let tells = serving.tells;
    let told = case.all_told(serving.address);
    let outcomes = match client.fetch(&told) {
        Ok(outcomes) => outcomes,
        Err(why) => return Cell::Skipped(why),
    };
    let seen = tells.then(|| serving.finish());
    let what = outcomes.iter().map(Outcome::to_string).collect::<Vec<_>>().join(", ");
    match judge(case, client, &told, &outcomes, seen.as_deref()) {
        Ok(()) => Cell::Passed(what),
        Err(wrong) => match case.differs.iter().find(|(library, _)| *library == client.library()) {
            Some((_, why)) => Cell::Differs(format!("{what}: {why}")),
            None => Cell::Failed(wrong),
        },
    }
}

fn judge(case: &Case, client: &dyn TlsClient, told: &[Told], outcomes: &[Outcome], seen: Option<&[Seen]>) -> Result<(), String> {
    let Some((last, before)) = outcomes.split_last() else { return Err("no outcome".to_owned()) };
    if let Some(early) = before.iter().find(|outcome| !matches!(outcome, Outcome::Answered(_))) {
        return Err(format!("{early}, before the last connection"));
    }
    if told.len() > outcomes.len() {
        return Err(format!("{last}, before the last connection"));
    }
    case.expected.judge(last, client)?;
    if client.tells_problems() {
        judge_words(case, told.get(before.len()), last)?;
    }
    if let Some(seen) = seen {
        judge_seen(&case.expected, client, seen, outcomes)?;
    }
    case.checks.iter().try_for_each(|check| check(seen.unwrap_or_default(), outcomes))
}

/// A client that refuses a certificate says for which name; and what else the case asks for.
fn judge_words(case: &Case, told: Option<&Told>, last: &Outcome) -> Result<(), String> {
    let Outcome::Refused(problem, words) = last else { return Ok(()) };
    let name = told.map(|told| &told.name).filter(|_| problem.is_of_certificate());
    if let Some(name) = name.filter(|name| !words.contains(name.as_str())) {
        return Err(format!("{words:?} does not name {name}"));
    }
    match case.words.iter().find(|one_of| !one_of.iter().any(|word| words.contains(word))) {
        Some(missing) => Err(format!("none of {missing:?} in {words:?}")),
        None => Ok(()),
    }
}

/// What holds in every case, at the server.
fn judge_seen(expected: &Expected, client: &dyn TlsClient, seen: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    let tried = outcomes.len();
    let last = seen.get(tried - 1).ok_or_else(|| format!("the server saw {} connections of {tried}", seen.len()))?;
    if let Some(Outcome::Answered(answer)) = outcomes.last()
        && client.tells_protocol()
        && answer.alpn != last.alpn
    {
        return Err(format!("the server selected {:?}, and the client tells of {:?}", last.alpn, answer.alpn));
    }
    let refused = matches!(expected, Expected::Refused(_) | Expected::RefusedByServer(_));
    if refused && last.plaintext > 0 {
        return Err(format!("{} octets of a request reached the server", last.plaintext));
    }
    if *expected == Expected::Answered && client.tells_problems() && seen.iter().any(|seen| seen.close_notify == Some(false)) {
        return Err("the client ended without close_notify".to_owned());
    }
    Ok(())
}

/// How many cells are of each sort: passed, known to differ, skipped, failed.
pub fn counts<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> [usize; 4] {
    let mut counts = [0; 4];
    for cell in cells {
        counts[match cell {
            Cell::Passed(_) => 0,
            Cell::Differs(_) => 1,
            Cell::Skipped(_) => 2,
            Cell::Failed(_) => 3,
        }] += 1;
    }
    counts
}

/// A case with its cells, one for each client.
pub struct Row {
    /// Of which group.
    pub group: &'static str,
    /// The case's.
    pub name: String,
    /// What must come of it, in words.
    pub expected: String,
    /// What came of it.
    pub cells: Vec<Cell>,
}

/// Runs all cases through all clients; `report` is told each row.
pub fn run_all(groups: &[Group], clients: &[Box<dyn TlsClient>], mut report: impl FnMut(&Row)) -> Vec<Row> {
    let mut rows = Vec::new();
    for (group, case) in groups.iter().flat_map(|group| group.cases.iter().map(move |case| (group, case))) {
        let cells = clients.iter().map(|client| run(case, client.as_ref())).collect();
        let row = Row { group: group.name, name: case.name.clone(), expected: case.expected.to_string(), cells };
        report(&row);
        rows.push(row);
    }
    rows
}

/// Where the table begins in the page.
const BEGIN: &str = "<!-- the matrix: written by `just tls-matrix` -->";
/// Where it ends.
const END: &str = "<!-- the end of the matrix -->";

/// The page with the table in its place: between the two marks, or at the end.
pub fn insert(page: &str, table: &str) -> String {
    insert_between(page, [BEGIN, END], table)
}

/// The same, between other marks.
pub fn insert_between(page: &str, [begin_mark, end_mark]: [&str; 2], table: &str) -> String {
    let table = format!("{begin_mark}\n{table}{end_mark}\n");
    match (page.find(begin_mark), page.find(end_mark)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{table}{}", &page[..begin], page[end + end_mark.len()..].trim_start_matches('\n'))
        }
        _ => format!("{}\n\n{table}", page.trim_end()),
    }
}

/// The rows as tables, group by group.
pub fn table(rows: &[Row], clients: &[String]) -> String {
    let [passed, differ, skipped, failed] = counts(rows.iter().flat_map(|row| &row.cells));
    let mut text = format!(
        "\nIn this run: {} cases, {} clients, {} cells: {passed} passed, {differ} known to differ, {skipped} skipped, {failed} failed.\n",
        rows.len(),
        clients.len(),
        rows.len() * clients.len(),
    );
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let _ = write!(
                text,
                "\n### {group}\n\n| server | must be | {} |\n|---|---|{}\n",
                clients.join(" | "),
                "---|".repeat(clients.len())
            );
        }
        let cells: Vec<&str> = row.cells.iter().map(mark).collect();
        let _ = writeln!(text, "| {} | {} | {} |", row.name, row.expected, cells.join(" | "));
    }
    text.push_str("\n### What differs, and why\n\n| server | client | |\n|---|---|---|\n");
    for row in rows {
        for (client, cell) in clients.iter().zip(&row.cells) {
            if let Cell::Differs(why) | Cell::Skipped(why) | Cell::Failed(why) = cell {
                let _ = writeln!(text, "| {} | {client} | {}: {} |", row.name, mark(cell), why.replace('\n', " "));
            }
        }
    }
    text.push('\n');
    text
}

/// In one word.
pub fn mark(cell: &Cell) -> &'static str {
    match cell {
        Cell::Passed(_) => "as it must",
        Cell::Differs(_) => "differs",
        Cell::Skipped(_) => "skipped",
        Cell::Failed(_) => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_the_one_that_was_there_and_nothing_else() {
        let page = insert("# TLS\n\nWords.\n", "one\n");
        let page = insert(&format!("{page}\nMore words.\n"), "two\n");
        assert_eq!(page, format!("# TLS\n\nWords.\n\n{BEGIN}\ntwo\n{END}\n\nMore words.\n").replace("\n\nMore", "\nMore"));
    }
}

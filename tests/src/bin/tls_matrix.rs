//! `just tls-matrix`: servers with TLS, good and bad, through every client. Writes the table of `docs/evidence/tls-matrix.md` when nothing failed. With WORDS,
//! tries the cases that have all of them in their name or their group's, and writes nothing.

use sandpiper_host::Build;
use sandpiper_tests::tls::cases::groups;
use sandpiper_tests::tls::client::TlsClient;
use sandpiper_tests::tls::component::Component;
use sandpiper_tests::tls::curl::Curl;
use sandpiper_tests::tls::matrix::{Cell, Row, counts, insert, mark, run_all, table};
use sandpiper_tests::tls::reference::Reference;
use std::process::ExitCode;
use std::time::Instant;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence/tls-matrix.md");

fn main() -> ExitCode {
    let began = Instant::now();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let inside = Component::new(Build::Tls);
    let by_host = Component::new(Build::HostTls);
    let mut clients: Vec<Box<dyn TlsClient>> = vec![Box::new(inside), Box::new(by_host), Box::new(Reference)];
    let missing = match Curl::find() {
        Ok(curl) => {
            clients.push(Box::new(curl));
            0
        }
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            1
        }
    };
    let mut groups = groups();
    for group in &mut groups {
        group
            .cases
            .retain(|case| words.iter().all(|word| case.name.contains(word.as_str()) || group.name.contains(word.as_str())));
    }
    let names: Vec<String> = clients.iter().map(|client| client.name()).collect();
    let rows = run_all(&groups, &clients, |row| report(row, &names));
    let [passed, differ, skipped, failed] = counts(rows.iter().flat_map(|row| &row.cells));
    println!(
        "{} cases, {} cells: {passed} passed, {differ} known to differ, {skipped} skipped, {failed} failed, in {:.1} s",
        rows.len(),
        rows.len() * clients.len(),
        began.elapsed().as_secs_f64()
    );
    if words.is_empty() && failed + missing > 0 {
        eprintln!("docs/evidence/tls-matrix.md was not written: {failed} cells failed, {missing} clients are missing");
    } else if words.is_empty() {
        let page = std::fs::read_to_string(DOCUMENT).unwrap_or_else(|_| "# TLS\n".to_owned());
        if let Err(error) = std::fs::write(DOCUMENT, insert(&page, &table(&rows, &names))) {
            eprintln!("{DOCUMENT}: {error}");
            return ExitCode::FAILURE;
        }
    }
    if failed == 0 && !rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(row: &Row, clients: &[String]) {
    println!("{}: {}", row.group, row.name);
    for (client, cell) in clients.iter().zip(&row.cells) {
        let (Cell::Passed(what) | Cell::Differs(what) | Cell::Skipped(what) | Cell::Failed(what)) = cell;
        println!("    {client}: {} ({what})", mark(cell));
    }
}

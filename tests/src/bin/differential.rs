//! `just differential`: the same responses through the core and through other clients. Fails where a difference has no explanation; writes
//! `docs/evidence/differential.md` when none has none and all clients and vectors were here.

use sandpiper_tests::differential::case::{Case, own, vectors};
use sandpiper_tests::differential::document::{Client, document};
use sandpiper_tests::differential::groups::{Column, equal, group, unexplained};
use sandpiper_tests::differential::outcome::{Outcome, core};
use sandpiper_tests::differential::peers::{Peer, hyper, others};
use sandpiper_tests::vectors::folder;
use std::process::ExitCode;
use std::time::Instant;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence/differential.md");

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives how much is wrong.
fn run() -> Result<usize, String> {
    let began = Instant::now();
    let mut skipped = 0;
    let mut cases = own();
    match folder::shared() {
        Some(folder) => cases.extend(vectors(&folder)?),
        None => {
            println!("SKIPPED: the vectors of other projects; SANDPIPER_VECTORS names their directory");
            skipped += 1;
        }
    }
    let ours: Vec<Outcome> = cases.iter().map(core).collect();
    println!("{} responses", cases.len());
    let (mut clients, mut columns) = (Vec::new(), Vec::new());
    for found in std::iter::once(Ok(hyper())).chain(others()) {
        match found {
            Ok(peer) => {
                let column = compare(&peer, &cases)?;
                let equal = equal(&ours, &column);
                println!("{} {}: {equal} equal", peer.name, peer.version);
                clients.push(Client { name: peer.name, version: peer.version, equal });
                columns.push(column);
            }
            Err(why) => {
                println!("SKIPPED: {why}");
                skipped += 1;
            }
        }
    }
    let groups = group(&cases, &ours, &columns);
    let unexplained = unexplained(&groups);
    for id in &unexplained {
        let example = groups[*id].example.as_ref().map(|case| format!("{}: {}", case.id, case.octets.escape_ascii()));
        println!("UNEXPLAINED: {id}: {:?}, such as {}", groups[*id].counts, example.unwrap_or_default());
    }
    let (compared, seconds) = (cases.len() * columns.len(), began.elapsed().as_secs_f64());
    println!(
        "{compared} comparisons, {} groups of differences, {} unexplained, in {seconds:.1} s",
        groups.len(),
        unexplained.len()
    );
    if skipped + unexplained.len() > 0 {
        eprintln!(
            "docs/evidence/differential.md was not written: {skipped} clients or sources were skipped, {} groups are unexplained",
            unexplained.len()
        );
    } else {
        std::fs::write(DOCUMENT, document(&cases, &clients, &groups)).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    }
    Ok(unexplained.len())
}

fn compare(peer: &Peer, cases: &[Case]) -> Result<Column, String> {
    print!("{} ... ", peer.name);
    std::io::Write::flush(&mut std::io::stdout()).map_err(|error| error.to_string())?;
    Ok(Column { client: peer.name, outcomes: peer.outcomes(cases)? })
}

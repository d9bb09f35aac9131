//! The tables of `docs/evidence/performance.md`, between its markers.

use crate::outcome::{Facts, Outcome};
use crate::table::{aims, latencies, ratios};
use crate::work::Axis;
use anyhow::Context;
use std::fmt::Write;

/// The page with its tables made anew.
pub fn filled(page: &str, outcome: &Outcome) -> anyhow::Result<String> {
    let mut page = page.to_owned();
    let facts = outcome.facts.as_ref().context("nothing was measured")?;
    for (name, table) in [
        ("machine", machine(outcome)),
        ("aims", aims_table(outcome)),
        ("ratios", ratios(outcome)),
        ("latencies", latencies(outcome)),
        ("growth", growth(outcome)),
        ("facts", facts_table(facts)),
        ("memory", memory_table(facts)),
    ] {
        page = replaced(&page, name, &table)?;
    }
    Ok(page)
}

fn replaced(page: &str, name: &str, table: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).with_context(|| format!("no marker {name}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no end of marker {name}"))?;
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

fn machine(outcome: &Outcome) -> String {
    let machine = &outcome.machine;
    let mut text = format!(
        "- {}, {} cores, {}, Rust {}; servers and clients on {}.\n- {} rounds of about {} ms for each client in each workload, taking turns.\n",
        machine.processor,
        machine.cores,
        machine.system,
        machine.rust,
        if machine.cores_differ { "different cores" } else { "one core" },
        outcome.rounds,
        outcome.slice_ms,
    );
    if let Some(nginx) = &machine.nginx {
        let _ = writeln!(
            text,
            "- nginx {nginx} (`nginx/…` and `down/…`), and for the rest a server that answers what it has read in one write."
        );
    }
    text.push_str("\n| client | |\n|---|---|\n");
    for client in &outcome.clients {
        let _ = writeln!(text, "| {} | {} |", client.name, client.about);
    }
    text
}

fn aims_table(outcome: &Outcome) -> String {
    let mut text = "| what | against | aim | found | |\n|---|---|---|---|---|\n".to_owned();
    for aim in aims(outcome) {
        let verdict = if aim.reached { "reached" } else { "**missed**" };
        let _ = writeln!(text, "| {} | {} | {} | {} | {verdict} |", aim.what, aim.against, aim.aim, aim.found);
    }
    text
}

/// From the smallest to the largest: how much what grows grew, and what an exchange costs at each end.
fn growth(outcome: &Outcome) -> String {
    let mut text =
        "| what grows | from | to | cost of an exchange: sandpiper | core | hyper |\n|---|---|---|---|---|---|\n".to_owned();
    for axis in Axis::ALL {
        let points: Vec<_> =
            outcome.works.iter().filter(|work| work.grows.as_ref().is_some_and(|(title, _)| title == axis.title())).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        let size = |work: &&crate::outcome::WorkOutcome| work.grows.as_ref().map_or(0, |(_, size)| *size);
        let cost = |client: &str| match (first.client(client), last.client(client)) {
            (Some(first), Some(last)) if last.median > 0.0 => format!("× {:.2}", first.median / last.median),
            _ => "–".to_owned(),
        };
        let (sandpiper, core, hyper) = (cost("sandpiper"), cost("core"), cost("hyper"));
        let _ = writeln!(text, "| {} | {} | {} | {sandpiper} | {core} | {hyper} |", axis.title(), size(first), size(last));
    }
    text
}

fn facts_table(facts: &Facts) -> String {
    let mut text = "| what | |\n|---|---|\n".to_owned();
    let _ = writeln!(text, "| an instance of the compiled component | {:.3} ms |", facts.instantiate_ms);
    let _ = writeln!(text, "| the same, with room set aside (`pooled_clients`) | {:.3} ms |", facts.instantiate_pooled_ms);
    for (program, ms) in &facts.cold_start_ms {
        let _ = writeln!(text, "| a small GET by `{program}`, from start to exit | {ms:.1} ms |");
    }
    for (client, octets) in &facts.connection_octets {
        let _ = writeln!(text, "| an idle connection of {client}, in the process | {octets:.0} octets |");
    }
    let _ = writeln!(
        text,
        "| an idle connection of sandpiper, in the component's memory | {:.0} octets |",
        facts.connection_octets_inside
    );
    text
}

fn memory_table(facts: &Facts) -> String {
    let mut text = "| what | octets | component's memory at the end | growth of the process |\n|---|---|---|---|\n".to_owned();
    for memory in &facts.memory {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            memory.what, memory.content_octets, memory.inside_octets, memory.grown_octets
        );
    }
    text
}

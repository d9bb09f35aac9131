//! Tables, as text and as Markdown: ratios to the reference.

use crate::outcome::{ClientOutcome, Outcome, WorkOutcome};
use std::fmt::Write;

/// For a terminal: the ratio to the reference, the rate, and how far the rounds are from it.
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for work in &outcome.works {
        let _ = writeln!(text, "\n{}: {}", work.name, work.about);
        for client in &work.clients {
            let _ = writeln!(text, "  {:18} {}", client.client, line(client));
        }
    }
    text
}

/// The rest of it: what is no workload, and what was to be reached.
pub fn closing(outcome: &Outcome) -> String {
    let mut text = "\n".to_owned();
    if let Some(facts) = &outcome.facts {
        let _ = writeln!(text, "{facts:#?}");
    }
    for aim in aims(outcome) {
        let verdict = if aim.reached { "reached" } else { "MISSED" };
        let _ = writeln!(
            text,
            "{:64} aim {:10} {:>10}  {verdict}",
            format!("{} against {}", aim.what, aim.against),
            aim.aim,
            aim.found
        );
    }
    text
}

fn line(client: &ClientOutcome) -> String {
    if let Some(reason) = &client.failed {
        return format!("FAILED: {reason}");
    }
    let ratio = client.ratio.map_or_else(|| "      ".to_owned(), |ratio| format!("{ratio:5.2}×"));
    let mut line = format!("{ratio}  {:>12.0}/s ±{:3.0} %", client.median, client.spread() * 100.0);
    if let Some(cpu_us) = client.cpu_us {
        let _ = write!(line, "   cpu {cpu_us:.1} µs");
    }
    if let (Some(p50), Some(p99)) = (client.p50_ns, client.p99_ns) {
        let _ = write!(line, "   p50 {:.1} µs   p99 {:.1} µs", micro(p50), micro(p99));
    }
    line
}

#[expect(clippy::cast_precision_loss, reason = "durations of exchanges are far below 2^53 ns")]
fn micro(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// For the document: one row for each workload, one column for each client.
pub fn ratios(outcome: &Outcome) -> String {
    let names: Vec<&str> = outcome.clients.iter().map(|client| client.name.as_str()).collect();
    let cell = |work: &WorkOutcome, name: &str| match work.client(name) {
        Some(client) => client.ratio.map_or_else(|| "failed".to_owned(), |ratio| format!("{ratio:.2}")),
        None => "–".to_owned(),
    };
    grid(outcome, &names, cell, |_| true)
}

/// For the document: p50 and p99 as multiples of the reference's p50.
pub fn latencies(outcome: &Outcome) -> String {
    let timed = |work: &WorkOutcome, name: &str| {
        let client = work.client(name)?;
        Some((client.p50_ns?, client.p99_ns?))
    };
    let names: Vec<&str> = outcome.clients.iter().map(|client| client.name.as_str()).collect();
    let names: Vec<&str> =
        names.into_iter().filter(|name| outcome.works.iter().any(|work| timed(work, name).is_some())).collect();
    let cell = |work: &WorkOutcome, name: &str| {
        let reference = timed(work, crate::clients::REFERENCE).map_or(1, |(p50, _)| p50.max(1));
        let Some((p50, p99)) = timed(work, name) else { return "–".to_owned() };
        format!("{:.2}, {:.2}", micro(p50) / micro(reference), micro(p99) / micro(reference))
    };
    grid(outcome, &names, cell, |work| timed(work, crate::clients::REFERENCE).is_some())
}

fn grid(
    outcome: &Outcome,
    names: &[&str],
    cell: impl Fn(&WorkOutcome, &str) -> String,
    chosen: impl Fn(&WorkOutcome) -> bool,
) -> String {
    let mut text = format!("| workload | | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for work in outcome.works.iter().filter(|work| chosen(work)) {
        let cells: Vec<String> = names.iter().map(|name| cell(work, name)).collect();
        let _ = writeln!(text, "| `{}` | {} | {} |", work.name, work.about, cells.join(" | "));
    }
    text
}

/// What the project is to reach.
pub struct Aim {
    pub what: &'static str,
    pub against: &'static str,
    pub aim: String,
    pub found: String,
    pub reached: bool,
}

pub fn aims(outcome: &Outcome) -> Vec<Aim> {
    let at_least = |what, against, work, client, than, least: f64| {
        let found = outcome.ratio(work, client, than)?;
        Some(Aim { what, against, aim: format!("≥ {least} ×"), found: format!("{found:.2} ×"), reached: found >= least })
    };
    let mut aims = vec![
        at_least("small GETs, one at a time", "hyper", "small/1", "sandpiper", "hyper", 0.9),
        at_least("small GETs, 64 deep", "hyper, one at a time", "small/64", "sandpiper", "hyper", 8.0),
        at_least("small GETs, 64 deep", "the same core, native", "small/64", "sandpiper", "core", 0.8),
        at_least(
            "small GETs, 64 deep, from a guest",
            "`wasi:http` from a guest",
            "small/64",
            "guest, sandpiper",
            "guest, wasi:http",
            10.0,
        ),
        at_least("1 MiB down", "hyper", "down/1m", "sandpiper", "hyper", 0.9),
        at_least("1 MiB up", "hyper", "up/1m", "sandpiper", "hyper", 0.9),
    ];
    aims.push(outcome.facts.as_ref().map(|facts| Aim {
        what: "an instance of the compiled component",
        against: "–",
        aim: "≤ 0.5 ms".to_owned(),
        found: format!("{:.3} ms", facts.instantiate_ms),
        reached: facts.instantiate_ms <= 0.5,
    }));
    let octets = outcome.machine.component_octets;
    aims.push(Some(Aim {
        what: "`sandpiper.wasm`",
        against: "–",
        aim: "≤ 320 KB".to_owned(),
        found: format!("{} KB", octets / 1_000),
        reached: octets <= 320_000,
    }));
    aims.into_iter().flatten().collect()
}

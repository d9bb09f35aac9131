//! The table and the report.

use super::judge::Verdict;
use super::play::{End, Outcome};
use super::run::{Run, Standing, Table, Tried};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Cases that are told in full.
const WRONG_TOLD_MAX: usize = 40;

/// What is counted of the cases of one file, in the order of the columns.
#[derive(Debug, Default)]
struct Counts {
    cases: usize,
    accepted: usize,
    refused: usize,
    waits: usize,
    as_source: usize,
    by_stance: usize,
    unsaid: usize,
    differences: usize,
    faults: usize,
    seconds: usize,
    runs: usize,
    component_runs: usize,
}

const COLUMNS: [&str; 12] = [
    "cases",
    "accepted",
    "refused",
    "waits",
    "as source",
    "stance",
    "unsaid",
    "differ",
    "faults",
    "seconds",
    "runs",
    "component",
];

impl Counts {
    fn of<'a>(tried: impl Iterator<Item = &'a Tried>) -> Counts {
        let mut counts = Counts::default();
        for one in tried {
            counts.add(one);
        }
        counts
    }

    fn add(&mut self, tried: &Tried) {
        self.cases += 1;
        match tried.standing() {
            Standing::AsSource => self.as_source += 1,
            Standing::ByStance => self.by_stance += 1,
            Standing::Unsaid => self.unsaid += 1,
            Standing::Differs => self.differences += 1,
        }
        let Some(trial) = &tried.trial else { return };
        match trial.verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Waits => self.waits += 1,
        }
        self.faults += usize::from(!trial.faults.is_empty());
        self.seconds += usize::from(trial.second.is_some());
        self.runs += trial.runs;
        self.component_runs += trial.component_runs;
    }

    fn columns(&self) -> [usize; 12] {
        let Counts {
            cases,
            accepted,
            refused,
            waits,
            as_source,
            by_stance,
            unsaid,
            differences,
            faults,
            seconds,
            runs,
            component_runs,
        } = *self;
        [cases, accepted, refused, waits, as_source, by_stance, unsaid, differences, faults, seconds, runs, component_runs]
    }
}

/// A row for each file, and what is wrong.
pub fn table(run: &Run) -> String {
    let mut text = format!("{:<18}", "source");
    for column in COLUMNS {
        let _ = write!(text, " {column:>9}");
    }
    for table in &run.tables {
        row(&mut text, &name(table), &Counts::of(table.tried.iter()));
    }
    row(&mut text, "all", &Counts::of(run.tables.iter().flat_map(|table| &table.tried)));
    let _ = writeln!(text, "\n\nin {:.1} s", run.took.as_secs_f64());
    for path in &run.others {
        let _ = writeln!(text, "{} has no cases", path.display());
    }
    for table in run.tables.iter().filter(|table| table.absent > 0) {
        let _ = writeln!(text, "{} more cases of {} are about octets that are not here", table.absent, name(table));
    }
    for source in &run.not_as_reviewed {
        let _ = writeln!(text, "{source} is not here as it was reviewed: its stances were not all judged");
    }
    by_difference(run, &mut text);
    wrong(run, &mut text);
    text
}

/// What differs without a stance, and under which rules the same was decided for other cases.
fn by_difference(run: &Run, text: &mut String) {
    let all = run.tables.iter().flat_map(|table| &table.tried).filter(|tried| tried.standing() == Standing::Differs);
    let mut counts: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for trial in all.filter_map(|tried| tried.trial.as_ref()) {
        *counts.entry(trial.seen()).or_default() += 1;
    }
    for (seen, count) in counts {
        let rules = run.stances.precedents(&seen);
        let decided = if rules.is_empty() {
            "for no other case decided".to_owned()
        } else {
            format!("for others decided by {}", rules.join(" or "))
        };
        let _ = writeln!(text, "{count} to decide: {}: {decided}", seen.join(", "));
    }
}

fn row(text: &mut String, name: &str, counts: &Counts) {
    let _ = write!(text, "\n{name:<18}");
    for count in counts.columns() {
        let _ = write!(text, " {count:>9}");
    }
}

fn name(table: &Table) -> String {
    table.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What has to be looked at.
fn wrong(run: &Run, text: &mut String) {
    let wrong: Vec<&Tried> = run.tables.iter().flat_map(|table| &table.tried).filter(|tried| !tried.is_right()).collect();
    for tried in wrong.iter().take(WRONG_TOLD_MAX) {
        tell(tried, text);
    }
    if wrong.len() > WRONG_TOLD_MAX {
        let _ = writeln!(text, "and {} more cases: they are in the report", wrong.len() - WRONG_TOLD_MAX);
    }
    for id in &run.unneeded {
        let _ = writeln!(text, "{id} has a stance that it does not need");
    }
}

fn tell(tried: &Tried, text: &mut String) {
    let _ = writeln!(text, "{}:", tried.id);
    if let Err(why) = &tried.case {
        let _ = writeln!(text, "    cannot be read: {why}");
    }
    let Some(trial) = &tried.trial else { return };
    if tried.standing() == Standing::Differs {
        for difference in &trial.differences {
            let _ = writeln!(text, "    {}: {}", difference.what, difference.detail);
        }
        let stance = tried
            .stance
            .as_ref()
            .map_or("there is no stance".to_owned(), |stance| format!("the stance: {}", stance.ours.join(", ")));
        let _ = writeln!(text, "    {stance}");
    }
    for fault in &trial.faults {
        let _ = writeln!(text, "    fault: {fault:.600}");
    }
    if let Ok(case) = &tried.case {
        let _ = writeln!(text, "    {:.300}", case.octets.escape_ascii().to_string());
    }
}

/// Everything, for programs.
pub fn json(run: &Run) -> Value {
    let sources = run.tables.iter().map(|table| {
        let counts = COLUMNS.iter().zip(Counts::of(table.tried.iter()).columns());
        let counts: serde_json::Map<String, Value> =
            counts.map(|(column, count)| (column.replace(' ', "_"), json!(count))).collect();
        json!({ "source": name(table), "file": table.path, "absent": table.absent, "counts": counts })
    });
    let cases = run.tables.iter().flat_map(|table| table.tried.iter().map(|tried| case(run, &name(table), tried)));
    json!({
        "right": run.is_right(),
        "sources": sources.collect::<Vec<_>>(),
        "files_without_cases": run.others,
        "stances_unneeded": run.unneeded,
        "sources_not_as_reviewed": run.not_as_reviewed,
        "cases": cases.collect::<Vec<_>>(),
    })
}

fn case(run: &Run, source: &str, tried: &Tried) -> Value {
    let standing = match tried.standing() {
        Standing::AsSource => "as-source",
        Standing::Unsaid => "unsaid",
        Standing::ByStance => "by-stance",
        Standing::Differs => "differs",
    };
    let mut value = json!({ "id": tried.id, "source": source, "standing": standing, "right": tried.is_right() });
    match &tried.case {
        Ok(case) => {
            value["source_says"] = json!(case.says());
            value["source_conflicts_with"] = json!(case.conflicts_with);
        }
        Err(why) => value["unreadable"] = json!(why),
    }
    if let Some(trial) = &tried.trial {
        value["outcome"] = json!(trial.verdict.to_string());
        value["seen"] = trial.outcome.as_ref().map_or(Value::Null, outcome);
        value["differences"] = trial.differences.iter().map(|one| json!([one.what, one.detail])).collect();
        if tried.standing() == Standing::Differs {
            value["precedents"] = json!(run.stances.precedents(&trial.seen()));
        }
        value["faults"] = json!(trial.faults);
        value["second"] = json!(trial.second.as_ref().map(ToString::to_string));
        value["strict_outcome"] = json!(trial.strict.as_ref().map(ToString::to_string));
        value["runs"] = json!(trial.runs);
        value["component_runs"] = json!(trial.component_runs);
    }
    value["stance"] = json!(tried.stance.as_ref().map(|stance| json!({ "rule": stance.rule, "reason": stance.reason })));
    value
}

fn outcome(outcome: &Outcome) -> Value {
    let seen = outcome.seen.iter().map(|seen| {
        let head = seen.head.as_ref();
        json!({
            "interim": seen.interim.iter().map(|head| head.status).collect::<Vec<_>>(),
            "status": head.map(|head| head.status),
            "version": head.map(|head| &head.version),
            "reason": head.map(|head| head.reason.escape_ascii().to_string()),
            "field_lines": head.map(|head| head.fields.len()),
            "content_octets": seen.content.len(),
            "complete_before_end": matches!(seen.end, End::Complete(_)),
            "end": seen.end.to_string(),
            "end_after_close": seen.last_end.to_string(),
        })
    });
    json!({ "responses": seen.collect::<Vec<_>>(), "closed_by": outcome.closed_by })
}

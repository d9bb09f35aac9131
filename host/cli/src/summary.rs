//! What came of each origin: for `--summary`, and for the live line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use sandpiper_host::types::PoolCounts;
use serde::Serialize;

use super::escape;

/// Counts of one origin, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// URLs.
    pub(crate) requests: usize,
    /// Responses that are whole, and not refused by `--fail`.
    completed: usize,
    /// Failed ones, by class.
    failed: BTreeMap<&'static str, usize>,
    /// Requests that were sent again.
    pub(crate) repeated: u64,
    /// Connections that were opened.
    pub(crate) opened: u64,
    /// Requests that a connection carried after another one.
    pub(crate) reused: u64,
    /// Octets of content that were received.
    pub(crate) octets: u64,
    began: Option<Instant>,
    ended: Option<Instant>,
}

impl Tally {
    pub(crate) fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    pub(crate) fn complete(&mut self) {
        self.completed += 1;
        self.ended = Some(Instant::now());
    }

    pub(crate) fn fail(&mut self, class: &'static str) {
        *self.failed.entry(class).or_default() += 1;
        self.ended = Some(Instant::now());
    }

    /// Adds what the pool has counted.
    pub(crate) fn take_over(&mut self, counts: &PoolCounts) {
        self.repeated += counts.retried;
        self.opened += counts.opened;
        self.reused += counts.reused;
    }

    fn failures(&self) -> usize {
        self.failed.values().sum()
    }

    pub(crate) fn done(&self) -> usize {
        self.completed + self.failures()
    }

    /// From the first request to the end of the last.
    fn time(&self) -> Duration {
        self.began.zip(self.ended).map_or(Duration::ZERO, |(began, ended)| ended.saturating_duration_since(began))
    }

    pub(crate) fn total(tallies: &[Self]) -> Self {
        let mut total = Self::default();
        for tally in tallies {
            total.requests += tally.requests;
            total.completed += tally.completed;
            for (class, count) in &tally.failed {
                *total.failed.entry(class).or_default() += count;
            }
            total.repeated += tally.repeated;
            total.opened += tally.opened;
            total.reused += tally.reused;
            total.octets += tally.octets;
            total.began = [total.began, tally.began].into_iter().flatten().min();
            total.ended = total.ended.max(tally.ended);
        }
        total
    }

    /// `connect 3, timed-out 1`.
    fn classes(&self) -> String {
        let classes: Vec<String> = self.failed.iter().map(|(class, count)| format!("{class} {count}")).collect();
        if classes.is_empty() { "-".to_owned() } else { classes.join(", ") }
    }
}

const COLUMNS: [&str; 9] = ["origin", "requests", "ok", "repeated", "opened", "reused", "octets", "time", "failed"];

/// One line per origin, and one for all of several.
pub(crate) fn table(names: &[&str], tallies: &[Tally]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(names.iter().zip(tallies).map(|(name, tally)| row(name, tally)));
    if tallies.len() > 1 {
        rows.push(row("total", &Tally::total(tallies)));
    }
    let mut widths = [0; COLUMNS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            match column {
                0 => _ = write!(text, "{cell:width$}"),
                _ if column == COLUMNS.len() - 1 => _ = writeln!(text, "  {cell}"),
                _ => _ = write!(text, "  {cell:>width$}"),
            }
        }
    }
    text
}

fn row(name: &str, tally: &Tally) -> [String; COLUMNS.len()] {
    [
        escape(name),
        tally.requests.to_string(),
        tally.completed.to_string(),
        tally.repeated.to_string(),
        tally.opened.to_string(),
        tally.reused.to_string(),
        tally.octets.to_string(),
        format!("{:.3} s", tally.time().as_secs_f64()),
        tally.classes(),
    ]
}

#[derive(Serialize)]
struct Object<'a> {
    summary: Whole<'a>,
}

#[derive(Serialize)]
struct Whole<'a> {
    total: Counts<'a>,
    origins: Vec<Counts<'a>>,
}

#[derive(Serialize)]
struct Counts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    requests: usize,
    ok: usize,
    repeated: u64,
    opened: u64,
    reused: u64,
    octets: u64,
    seconds: f64,
    failed: BTreeMap<&'static str, usize>,
}

/// One line of JSON, without its end.
pub(crate) fn json(names: &[&str], tallies: &[Tally]) -> Option<String> {
    let origins = names.iter().zip(tallies).map(|(name, tally)| counts(Some(name), tally)).collect();
    serde_json::to_string(&Object { summary: Whole { total: counts(None, &Tally::total(tallies)), origins } }).ok()
}

fn counts<'a>(origin: Option<&'a str>, tally: &Tally) -> Counts<'a> {
    Counts {
        origin,
        requests: tally.requests,
        ok: tally.completed,
        repeated: tally.repeated,
        opened: tally.opened,
        reused: tally.reused,
        octets: tally.octets,
        seconds: tally.time().as_secs_f64(),
        failed: tally.failed.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [Tally; 2] {
        let mut first = Tally { requests: 3, repeated: 2, opened: 1, reused: 2, octets: 1234, ..Tally::default() };
        first.complete();
        first.fail("timed-out");
        first.fail("connect");
        [first, Tally { requests: 10, ..Tally::default() }]
    }

    #[test]
    fn a_table_has_a_line_for_each_and_one_for_all() {
        let expected = "\
origin         requests  ok  repeated  opened  reused  octets     time  failed
http://h:8000         3   1         2       1       2    1234  0.000 s  connect 1, timed-out 1
http://i:80          10   0         0       0       0       0  0.000 s  -
total                13   1         2       1       2    1234  0.000 s  connect 1, timed-out 1
";
        assert_eq!(table(&["http://h:8000", "http://i:80"], &two()), expected);
        assert_eq!(table(&["http://h:8000"], &two()[..1]).lines().count(), 2);
    }

    #[test]
    fn json_says_the_same() {
        let line = json(&["http://h:8000", "http://i:80"], &two()).unwrap();
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        let summary = &object["summary"];
        assert_eq!((&summary["total"]["requests"], summary["total"].get("origin")), (&13.into(), None));
        assert_eq!(summary["origins"][0]["failed"], serde_json::json!({"connect": 1, "timed-out": 1}));
        assert_eq!((&summary["origins"][1]["origin"], &summary["origins"][1]["ok"]), (&"http://i:80".into(), &0.into()));
    }

    #[test]
    fn time_runs_from_the_first_request_to_the_last_end() {
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        let tallies = [(2, 5), (1, 3)].map(|(began, ended)| Tally { began: at(began), ended: at(ended), ..Tally::default() });
        let times = tallies.each_ref().map(|tally| tally.time().as_secs());
        assert_eq!((times, Tally::total(&tallies).time().as_secs()), ([3, 2], 4));
    }
}

//! Clients of other languages: a script reads one case in a line of JSON, and writes what became of it in another. Octets are hexadecimal.

use crate::differential::case::Case;
use crate::differential::outcome::{Fields, Outcome, Reading};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// For all cases together.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(20);

/// What the client of a script makes of each case.
pub(super) fn outcomes(program: &Path, file: &str, text: &str, cases: &[Case]) -> Result<Vec<Outcome>, String> {
    let wrong = |error: std::io::Error| format!("{file}: {error}");
    let directory = tempfile::tempdir().map_err(wrong)?;
    let path = |name: &str| directory.path().join(name);
    let lines: Vec<String> =
        cases.iter().map(|case| json!({ "method": case.method, "octets": hex(&case.octets) }).to_string()).collect();
    fs::write(path("cases"), lines.join("\n")).map_err(wrong)?;
    fs::write(path(file), text).map_err(wrong)?;
    let mut process = Command::new(program)
        .arg(path(file))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(File::open(path("cases")).map_err(wrong)?)
        .stdout(File::create(path("outcomes")).map_err(wrong)?)
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(wrong)?;
    let began = Instant::now();
    while process.try_wait().map_err(wrong)?.is_none() {
        if began.elapsed() > PATIENCE {
            process.kill().and_then(|()| process.wait()).map_err(wrong)?;
            return Err(format!("{file}: it takes longer than {PATIENCE:?}"));
        }
        std::thread::sleep(PAUSE);
    }
    let said = fs::read_to_string(path("outcomes")).map_err(wrong)?;
    let outcomes: Option<Vec<Outcome>> = said.lines().map(outcome).collect();
    match outcomes {
        Some(outcomes) if outcomes.len() == cases.len() => Ok(outcomes),
        _ => Err(format!("{file}: {} lines for {} cases, or one that cannot be read", said.lines().count(), cases.len())),
    }
}

fn outcome(line: &str) -> Option<Outcome> {
    let value: Value = serde_json::from_str(line).ok()?;
    if let Some(words) = value["refused"].as_str() {
        return Some(Outcome::Refused(words.to_owned()));
    }
    Some(Outcome::Accepted(Reading {
        status: u16::try_from(value["status"].as_u64()?).ok()?,
        fields: fields(&value["fields"])?,
        content: octets(value["content"].as_str()?)?,
        trailers: if value["trailers"].is_null() { None } else { Some(fields(&value["trailers"])?) },
        reusable: value["reusable"].as_bool()?,
        ended_by: String::new(),
    }))
}

fn fields(lines: &Value) -> Option<Fields> {
    let lines: Option<Vec<(String, Vec<u8>)>> = lines.as_array()?.iter().map(field).collect();
    Some(crate::differential::outcome::fields(lines?.iter().map(|(name, value)| (name.as_str(), value.as_slice()))))
}

fn field(line: &Value) -> Option<(String, Vec<u8>)> {
    let name = octets(line[0].as_str()?)?;
    Some((name.iter().copied().map(char::from).collect(), octets(line[1].as_str()?)?))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

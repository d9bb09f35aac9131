//! Where this project differs from a source on purpose: `tests/stance.json`, reviewed by hand.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// One decision, and the cases that it is for.
#[derive(Clone, Debug)]
pub struct Stance {
    /// The decision, in a sentence.
    pub reason: String,
    /// Where it comes from: an RFC section, a row of a table.
    pub rule: String,
    /// What is seen instead of what the source says: the name of each difference.
    pub ours: Vec<String>,
    /// The leniency with which the case is as the source says.
    pub with: Option<String>,
    /// The cases, by id.
    pub cases: Vec<String>,
}

/// All decisions.
#[derive(Clone, Debug, Default)]
pub struct Stances {
    all: Vec<Stance>,
    by_case: HashMap<String, usize>,
    /// How many cases each source had when its stances were reviewed.
    reviewed: BTreeMap<String, usize>,
}

/// The file.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stance.json")
}

/// The source of a case: its id up to the first slash.
pub fn source_of(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

impl Stance {
    /// Whether exactly this is seen instead of what the source says.
    pub fn is_for(&self, seen: &[&str]) -> bool {
        self.ours.len() == seen.len() && seen.iter().all(|what| self.ours.iter().any(|one| one == what))
    }
}

impl Stances {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or not as it should be; or a case stands in it twice.
    pub fn read() -> Result<Stances, String> {
        let path = path();
        let complain = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| complain(&error))?;
        let file: Value = serde_json::from_str(&text).map_err(|error| complain(&error))?;
        Stances::of(&file).map_err(|error| complain(&error))
    }

    fn of(file: &Value) -> Result<Stances, String> {
        let mut stances = Stances::default();
        for (source, cases) in file["reviewed"].as_object().into_iter().flatten() {
            let cases = cases.as_u64().and_then(|cases| usize::try_from(cases).ok()).ok_or("reviewed: no number")?;
            stances.reviewed.insert(source.clone(), cases);
        }
        for value in file["stances"].as_array().ok_or("there are no stances")? {
            let stance = stance(value)?;
            for id in &stance.cases {
                if stances.by_case.insert(id.clone(), stances.all.len()).is_some() {
                    return Err(format!("{id} has two stances"));
                }
            }
            stances.all.push(stance);
        }
        Ok(stances)
    }

    /// That of a case.
    pub fn of_case(&self, id: &str) -> Option<&Stance> {
        self.by_case.get(id).map(|index| &self.all[*index])
    }

    /// The rules of decisions for other cases in which the same was seen: a case that has none yet may fall under one of them.
    pub fn precedents(&self, seen: &[&str]) -> Vec<&str> {
        self.all.iter().filter(|stance| stance.is_for(seen)).map(|stance| stance.rule.as_str()).collect()
    }

    /// Those that no case needs. `needed` has every case that was played, and whether it differs from its source. A source is judged when it is
    /// there as it was reviewed; the second list names the others.
    pub fn unneeded(&self, needed: &HashMap<String, bool>) -> (Vec<String>, Vec<String>) {
        let mut there: BTreeMap<&str, usize> = BTreeMap::new();
        for id in needed.keys() {
            *there.entry(source_of(id)).or_default() += 1;
        }
        let complete = |source: &str| there.get(source) == self.reviewed.get(source);
        let mut unneeded: Vec<String> = self
            .by_case
            .keys()
            .filter(|id| {
                needed.get(*id).map_or_else(|| there.contains_key(source_of(id)) && complete(source_of(id)), |needed| !needed)
            })
            .cloned()
            .collect();
        unneeded.sort();
        let mut others: Vec<String> = there.keys().map(|source| (*source).to_owned()).collect();
        others.retain(|source| self.reviewed.contains_key(source) && !complete(source));
        (unneeded, others)
    }

    /// The decisions and how many cases each is for, as a table for `docs/evidence/vectors.md`.
    pub fn table(&self) -> String {
        let mut table = String::from("| what we do | why | rule | cases |\n|---|---|---|---:|\n");
        for stance in &self.all {
            let with = stance.with.as_ref().map(|with| format!("; as the source with `{with}`")).unwrap_or_default();
            let ours = stance.ours.join(", ");
            table += &format!("| {ours}{with} | {} | {} | {} |\n", stance.reason, stance.rule, stance.cases.len());
        }
        table
    }
}

fn stance(value: &Value) -> Result<Stance, String> {
    let text = |name: &str| value[name].as_str().map(str::to_owned).ok_or_else(|| format!("{name} is missing: {value:.80}"));
    let texts = |name: &str| {
        let texts = value[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let texts: Vec<String> = texts.collect();
        if texts.is_empty() { Err(format!("{name} is missing: {value:.80}")) } else { Ok(texts) }
    };
    let with = value["with"].as_str().map(str::to_owned);
    Ok(Stance { reason: text("reason")?, rule: text("rule")?, ours: texts("ours")?, with, cases: texts("cases")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stances(cases: &[&[&str]]) -> Result<Stances, String> {
        let stance = |cases: &&[&str]| json!({ "reason": "so", "rule": "RFC 9112 §1", "ours": ["accepted"], "cases": cases });
        Stances::of(&json!({ "reviewed": { "one": 2, "two": 1 }, "stances": cases.iter().map(stance).collect::<Vec<_>>() }))
    }

    fn unneeded(stances: &Stances, needed: &[(&str, bool)]) -> (Vec<String>, Vec<String>) {
        stances.unneeded(&needed.iter().map(|(id, needed)| ((*id).to_owned(), *needed)).collect())
    }

    #[test]
    fn a_case_has_one_stance() {
        assert!(stances(&[&["one/a"], &["one/b"]]).is_ok());
        assert!(stances(&[&["one/a"], &["one/a"]]).is_err());
        assert!(stances(&[&[]]).is_err());
    }

    #[test]
    fn a_stance_is_unneeded_where_its_case_is_as_the_source_says_or_not_there() {
        let stances = stances(&[&["one/a", "one/gone", "two/a"]]).expect("stances");
        let none: Vec<String> = Vec::new();
        assert_eq!(unneeded(&stances, &[("one/a", true), ("one/b", false)]), (vec!["one/gone".to_owned()], none.clone()));
        assert_eq!(unneeded(&stances, &[("one/a", false), ("one/gone", true)]), (vec!["one/a".to_owned()], none.clone()));
        assert_eq!(unneeded(&stances, &[("three/a", false)]), (none.clone(), none));
    }

    #[test]
    fn a_source_that_is_not_as_it_was_reviewed_is_named() {
        let stances = stances(&[&["one/a", "one/gone"]]).expect("stances");
        assert_eq!(unneeded(&stances, &[("one/a", true)]), (Vec::new(), vec!["one".to_owned()]));
    }
}

//! Differences by group, each with its reviewed explanation.

use super::case::Case;
use super::outcome::{Outcome, Reading};
use std::collections::BTreeMap;

/// The explanation of each group, by its id. Reviewed; nothing is generated.
const EXPLAINED: &str = include_str!("explained.json");

/// Differences of one kind.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// How many cases, by client.
    pub counts: BTreeMap<&'static str, usize>,
    /// The shortest case of our own, or else the shortest.
    pub example: Option<Case>,
}

/// Groups by id.
pub type Groups = BTreeMap<String, Group>;

/// What one client made of all cases.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub client: &'static str,
    /// In the order of the cases.
    pub outcomes: Vec<Outcome>,
}

/// The explanations by id.
///
/// # Panics
/// When the table is not what it must be.
pub fn explanations() -> BTreeMap<String, String> {
    serde_json::from_str(EXPLAINED).expect("explained.json is an object of texts")
}

/// How the clients differ from the core. Where there are several, what the core does alone has groups of its own.
pub fn group(cases: &[Case], ours: &[Outcome], theirs: &[Column]) -> Groups {
    let mut groups = Groups::new();
    for (number, (case, ours)) in cases.iter().zip(ours).enumerate() {
        for column in theirs {
            for id in differences(column.client, ours, &column.outcomes[number]) {
                enter(&mut groups, id, column.client, case);
            }
        }
        if theirs.len() > 1
            && let Some(id) = alone(ours, theirs.iter().map(|column| &column.outcomes[number]))
        {
            enter(&mut groups, id, "all", case);
        }
    }
    groups
}

fn enter(groups: &mut Groups, id: String, client: &'static str, case: &Case) {
    let group = groups.entry(id).or_default();
    *group.counts.entry(client).or_default() += 1;
    let rank = |case: &Case| (!case.is_ours, case.id.contains('~'), case.octets.len());
    if group.example.as_ref().is_none_or(|example| rank(case) < rank(example)) {
        group.example = Some(case.clone());
    }
}

/// In how many cases this client agrees with the core.
pub fn equal(ours: &[Outcome], theirs: &Column) -> usize {
    let pairs = ours.iter().zip(&theirs.outcomes);
    pairs.filter(|(ours, outcome)| differences(theirs.client, ours, outcome).is_empty()).count()
}

/// The groups without an explanation.
pub fn unexplained(groups: &Groups) -> Vec<&str> {
    let explanations = explanations();
    groups.keys().map(String::as_str).filter(|id| !explanations.contains_key(*id)).collect()
}

fn alone<'a>(ours: &Outcome, mut theirs: impl Iterator<Item = &'a Outcome>) -> Option<String> {
    match ours {
        Outcome::Refused(error) => {
            theirs.all(|outcome| matches!(outcome, Outcome::Accepted(_))).then(|| format!("refused by the core alone: {error}"))
        }
        Outcome::Accepted(_) => {
            theirs.all(|outcome| matches!(outcome, Outcome::Refused(_))).then(|| "accepted by the core alone".to_owned())
        }
    }
}

/// In what the two differ: ids of groups, none when they agree. What both refuse, they agree on: words are each client's own.
fn differences(client: &str, ours: &Outcome, theirs: &Outcome) -> Vec<String> {
    match (ours, theirs) {
        (Outcome::Refused(_), Outcome::Refused(_)) => Vec::new(),
        (Outcome::Refused(error), Outcome::Accepted(_)) => vec![format!("refused: {error}")],
        (Outcome::Accepted(_), Outcome::Refused(words)) => vec![format!("{client} refuses: {}", general(words))],
        (Outcome::Accepted(ours), Outcome::Accepted(theirs)) => aspects(client, ours, theirs),
    }
}

/// The words without what is different in each case.
fn general(words: &str) -> &str {
    let end = words.find(['\'', '"', '(', '[', '{', '\\']).unwrap_or(words.len());
    words[..end].trim_end_matches([' ', ':'])
}

fn aspects(client: &str, ours: &Reading, theirs: &Reading) -> Vec<String> {
    // With another status, nothing else can be the same.
    if ours.status != theirs.status {
        return vec![format!("{client} reads another status")];
    }
    let mut ids = Vec::new();
    let mut differs = |holds: bool, what: String| {
        if holds {
            ids.push(format!("{client} {what}"));
        }
    };
    differs(ours.fields != theirs.fields, "reads another header section".to_owned());
    differs(ours.content != theirs.content, "reads another content".to_owned());
    let trailers = theirs.trailers.as_ref().is_some_and(|trailers| ours.trailers.as_ref() != Some(trailers));
    differs(trailers, "reads another trailer section".to_owned());
    differs(ours.reusable && !theirs.reusable, format!("does not reuse the connection ({})", circumstance(ours)));
    differs(!ours.reusable && theirs.reusable, format!("reuses the connection that the core closes with {}", ours.ended_by));
    ids
}

/// What a client may have taken for a reason not to reuse a connection.
fn circumstance(ours: &Reading) -> &'static str {
    let names = |name: &str| ours.fields.contains_key(name);
    match () {
        () if names("connection") => "with a Connection field",
        () if names("proxy-connection") => "with a Proxy-Connection field",
        () if !names("content-length") && !names("transfer-encoding") => "without framing fields",
        () => "otherwise",
    }
}

//! `docs/evidence/differential.md`: what was compared in a run, and every difference with its explanation.

use super::case::Case;
use super::groups::{Group, Groups, explanations};
use std::fmt::Write as _;

/// Longer examples are named only.
const EXAMPLE_OCTETS_MAX: usize = 160;

/// A client of a run.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub name: &'static str,
    /// Which it was.
    pub version: String,
    /// In how many cases it agreed with the core.
    pub equal: usize,
}

/// The page.
pub fn document(cases: &[Case], clients: &[Client], groups: &Groups) -> String {
    let own = cases.iter().filter(|case| case.is_ours).count();
    let mut text = format!(
        "# Beside other clients\n\n\
         The same octets of a server, given to the core and to other clients. Written by `just differential`, which fails where a difference has no\n\
         explanation. Compared are: is there a whole final response; its status, header section, content and trailer section (http.client and curl do\n\
         not show the last); would the client send another request on the connection. What both refuse counts as equal, in whatever words.\n\n\
         In this run: {} responses, {own} of our own (`tests/src/differential/seeds.txt`, mutations of it, and responses made by the grammar) and {} that other projects test with.\n\n\
         | client | version | equal | different |\n|---|---|---|---|\n",
        cases.len(),
        cases.len() - own,
    );
    for client in clients {
        let _ = writeln!(text, "| {} | {} | {} | {} |", client.name, client.version, client.equal, cases.len() - client.equal);
    }
    let alone = |id: &str| id.contains("the core alone");
    let refused = |id: &str| id.starts_with("refused:");
    section(&mut text, "The core alone", "All clients of the run agree, and the core does not.", groups, alone);
    section(&mut text, "Refused by the core, accepted by others", "", groups, refused);
    section(&mut text, "Other differences", "", groups, |id| !alone(id) && !refused(id));
    text
}

fn section(text: &mut String, title: &str, lead: &str, groups: &Groups, wanted: impl Fn(&str) -> bool) {
    let _ = write!(text, "\n## {title}\n\n");
    if !lead.is_empty() {
        let _ = write!(text, "{lead}\n\n");
    }
    let explanations = explanations();
    text.push_str("| group | cases | such as | why |\n|---|---|---|---|\n");
    for (id, group) in groups.iter().filter(|(id, _)| wanted(id)) {
        let why = explanations.get(id).map_or("UNEXPLAINED", String::as_str);
        let counts: Vec<String> = group.counts.iter().map(|(client, count)| format!("{client} {count}")).collect();
        let _ = writeln!(text, "| {id} | {} | {} | {why} |", counts.join(", "), example(group));
    }
}

/// Our own octets; of others, the name.
fn example(group: &Group) -> String {
    let Some(case) = &group.example else { return String::new() };
    if !case.is_ours || case.octets.len() > EXAMPLE_OCTETS_MAX {
        return format!("`{}`", case.id);
    }
    let method = if case.method == "GET" { String::new() } else { format!("to {}: ", case.method) };
    let octets = case.octets.escape_ascii().to_string().replace('|', "\\|").replace('`', "\\x60");
    format!("{method}`{octets}`")
}

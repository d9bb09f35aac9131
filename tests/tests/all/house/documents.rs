//! What the documents name exists: tests, rows, items of the WIT package, files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use wit_parser::{Resolve, TypeDefKind};

/// The rows of `docs/reference/http.md`, group by group.
const HTTP_ROWS: [RangeInclusive<usize>; 6] = [1..=34, 40..=65, 70..=84, 90..=102, 110..=130, 140..=173];
/// The inputs on which implementations disagree, in `docs/reference/http.md`.
const DECISIONS: RangeInclusive<usize> = 1..=33;
/// The rows of `docs/evidence/faults.md`, and those of `docs/evidence/cve.md`.
const FAULTS: RangeInclusive<usize> = 1..=43;
const VULNERABILITIES: RangeInclusive<usize> = 1..=71;
/// The rows of `docs/reference/features.md`.
const FEATURE_ROWS: [(char, usize); 8] = [('A', 15), ('B', 12), ('C', 22), ('D', 29), ('E', 12), ('F', 23), ('G', 8), ('H', 9)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of this ending below a directory; not those that are built.
fn files(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                files(&path, ending, found);
            }
        } else if name.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["guest/src", "guest/tools", "host", "tests"] {
        files(&root().join(directory), ".rs", &mut found);
    }
    found
}

/// The names of all tests: functions behind `#[test]` or the like, scenarios, and what is listed for a macro that makes a test of each name.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut marked, mut listed) = (false, false);
        for whole in text.lines() {
            let line = whole.trim();
            let lists = matches!(line, "scripts! {" | "$each! {" | "groups_run! {" | "tortured_over_tls! {");
            listed = lists || (listed && line != "}");
            if listed {
                found.extend(line.split(':').next().map(str::to_owned));
            }
            let scenario = whole.starts_with("    fn ") && whole.ends_with("(s: &mut Scene) {");
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            match name.map(|rest| rest.split('(').next().unwrap_or_default()) {
                Some(name) if marked || scenario => {
                    found.insert(name.to_owned());
                    marked = false;
                }
                Some(_) => marked = false,
                None => marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test"),
            }
        }
    }
    found
}

/// The cells of every table row whose first cell is an id that begins like this and goes on with a digit.
fn rows<'a>(text: &'a str, begin: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>());
    let is_id = |cell: &str| cell.strip_prefix(begin).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    cells.filter(|cells| is_id(cells[0])).map(|cells| (cells[0], cells)).collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A cell that names what shows something names tests, at least one, or says why there is none.
fn check_evidence(id: &str, evidence: &str, tests: &BTreeSet<String>, wrong: &mut Vec<String>) {
    let named: Vec<&str> = quoted(evidence).collect();
    let excused = ["not: ", "open: ", "by "].iter().any(|begin| evidence.starts_with(begin));
    if named.is_empty() && !excused {
        wrong.push(format!("{id} names no test and no reason: {evidence}"));
    }
    for name in named.into_iter().filter(|name| !tests.contains(*name)) {
        wrong.push(format!("{id} names a test that does not exist: {name}"));
    }
}

fn check_ids<'a>(found: impl Iterator<Item = &'a str>, expected: impl Iterator<Item = String>, wrong: &mut Vec<String>) {
    let mut counts: BTreeMap<String, usize> = expected.map(|id| (id, 0)).collect();
    for id in found {
        match counts.get_mut(id) {
            Some(count) => *count += 1,
            None => wrong.push(format!("{id} is no row")),
        }
    }
    let uneven = counts.iter().filter(|(_, count)| **count != 1);
    wrong.extend(uneven.map(|(id, count)| format!("{id} is there {count} times")));
}

#[test]
fn every_row_of_http_is_there_once_with_tests_that_exist_or_a_reason() {
    let (text, tests) = (read("docs/reference/http.md"), tests());
    let mut wrong = Vec::new();
    let http = rows(&text, "H1-");
    let decisions = rows(&text, "D");
    let ids = HTTP_ROWS.into_iter().flatten().map(|number| format!("H1-{number:03}"));
    check_ids(http.iter().map(|(id, _)| *id), ids, &mut wrong);
    check_ids(decisions.iter().map(|(id, _)| *id), DECISIONS.map(|number| format!("D{number}")), &mut wrong);
    for (id, cells) in http.iter().chain(&decisions) {
        match cells.as_slice() {
            [_, _, evidence] | [_, _, _, evidence] => check_evidence(id, evidence, &tests, &mut wrong),
            _ => wrong.push(format!("{id} has {} cells", cells.len())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_is_there_once_with_tests_that_exist_or_a_reason() {
    check_rows("docs/evidence/faults.md", "F-", FAULTS.map(|number| format!("F-{number:02}")));
}

#[test]
fn every_vulnerability_is_there_once_with_tests_that_exist_or_a_reason() {
    check_rows("docs/evidence/cve.md", "C", VULNERABILITIES.map(|number| format!("C{number}")));
}

/// Rows of four cells, the last of which is the evidence.
fn check_rows(path: &str, begin: &str, ids: impl Iterator<Item = String>) {
    let (text, tests) = (read(path), tests());
    let mut wrong = Vec::new();
    let found = rows(&text, begin);
    check_ids(found.iter().map(|(id, _)| *id), ids, &mut wrong);
    for (id, cells) in found {
        match cells.as_slice() {
            [_, what, happens, evidence] if !what.is_empty() && !happens.is_empty() => {
                check_evidence(id, evidence, &tests, &mut wrong);
            }
            _ => wrong.push(format!("{id} has {} cells, or an empty one", cells.len())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_feature_is_there_once_with_items_and_tests_that_exist_or_a_reason() {
    let (text, tests, items) = (read("docs/reference/features.md"), tests(), wit_items());
    let mut wrong = Vec::new();
    for (group, count) in FEATURE_ROWS {
        let found = rows(&text, &group.to_string());
        check_ids(found.iter().map(|(id, _)| *id), (1..=count).map(|number| format!("{group}{number}")), &mut wrong);
        for (id, cells) in found {
            let [_, _, offers, named, evidence] = cells.as_slice() else {
                wrong.push(format!("{id} has {} cells", cells.len()));
                continue;
            };
            if offers.is_empty() {
                wrong.push(format!("{id} offers nothing and does not say so"));
            }
            for item in quoted(named).filter(|item| !items.contains(*item)) {
                wrong.push(format!("{id} names {item}, which is not in the WIT package"));
            }
            check_evidence(id, evidence, &tests, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every item of the WIT package, as the documents write it: `request`, `request.method`, `client-conn.send`, `streams.handshake`.
fn wit_items() -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("a WIT package");
    let mut items = BTreeSet::new();
    for (interface, id) in &resolve.packages[package].interfaces {
        let interface_items = &resolve.interfaces[*id];
        items.insert(interface.clone());
        for (name, id) in &interface_items.types {
            items.insert(name.clone());
            let parts: Vec<&String> = match &resolve.types[*id].kind {
                TypeDefKind::Record(record) => record.fields.iter().map(|field| &field.name).collect(),
                TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| &flag.name).collect(),
                TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| &case.name).collect(),
                TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| &case.name).collect(),
                _ => Vec::new(),
            };
            items.extend(parts.into_iter().map(|part| format!("{name}.{part}")));
        }
        for name in interface_items.functions.keys() {
            let function = match name.split_once(']') {
                Some((_, method)) => method.to_owned(),
                None => format!("{interface}.{name}"),
            };
            items.insert(function);
        }
    }
    items
}

#[test]
fn every_error_of_the_wit_package_has_a_next_step() {
    let page = read("docs/guide/errors.md");
    let named: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let items = wit_items();
    let errors: BTreeSet<&str> = items.iter().filter_map(|item| item.strip_prefix("error.")).collect();
    let missing: Vec<_> = errors.difference(&named).collect();
    assert!(missing.is_empty(), "docs/guide/errors.md has no row for {missing:?}");
}

#[test]
fn links_inside_the_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|page| root().join(page)).into();
    files(&root().join("docs"), ".md", &mut documents);
    files(&root().join("tests"), ".md", &mut documents);
    let mut wrong = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !leads_somewhere(&document, &text, link) {
                wrong.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

/// Whether the file of a link exists, and the heading. Links into other places are not followed.
fn leads_somewhere(document: &Path, text: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = document.with_file_name(path);
    if !path.is_empty() && !target.exists() {
        return false;
    }
    // The reference of the WIT package has anchors of its own.
    if anchor.is_empty() || text.contains("<a id=") {
        return true;
    }
    let page = if path.is_empty() { text.to_owned() } else { fs::read_to_string(&target).unwrap_or_default() };
    page.lines().filter_map(|line| line.strip_prefix('#')).any(|heading| slug(heading.trim_start_matches('#')) == anchor)
}

/// The anchor of a heading, as pages of Markdown have it.
fn slug(heading: &str) -> String {
    let letters = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    letters.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn expanded(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (names, behind))) => names.split(',').map(|name| format!("{before}{name}{behind}")).collect(),
        None => vec![path.to_owned()],
    }
}

#[test]
fn the_code_map_names_files_that_exist() {
    let text = read("ARCHITECTURE.md");
    let (_, behind) = text.split_once("## Code map").expect("a code map");
    let map = behind.split("\n## ").next().unwrap_or_default();
    let names: BTreeSet<_> = sources().iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let mut places = 0;
    for row in map.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (place, what) = row.split_once(" | ").expect("two cells");
        for path in quoted(&format!("`{place}")).flat_map(expanded) {
            assert!(root().join(&path).exists(), "the code map names {path}");
            places += 1;
        }
        for file in quoted(what).filter(|name| name.ends_with(".rs")).filter_map(|path| path.rsplit('/').next()) {
            assert!(names.contains(file), "the code map names {file}");
        }
    }
    assert!(places > 10, "only {places} places");
}

//! Response vectors: those of this project, and those of other projects where they are there.

use sandpiper_tests::vectors::run::{Run, Standing};
use sandpiper_tests::vectors::stance::Stances;
use sandpiper_tests::vectors::trial::Component;
use sandpiper_tests::vectors::{folder, report};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn run(folder: &Path, component: Component) -> Run {
    Run::of(&[folder], component, |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_vectors_of_this_project_are_read_as_they_say() {
    let run = run(&folder::own(), Component::Cut);
    assert!(run.is_right(), "{}", report::table(&run));
    let cases: Vec<_> = run.tables.iter().flat_map(|table| &table.tried).collect();
    let ids: BTreeSet<&str> = cases.iter().map(|tried| tried.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "every id stands there once");
    // Whoever writes a vector here says what becomes of it.
    assert!(cases.iter().all(|tried| tried.standing() == Standing::AsSource));
}

#[test]
fn every_misbehaviour_has_a_vector() {
    let types = include_str!("../../../../wit/types.wit");
    let named = types.split("enum misbehaviour {").nth(1).and_then(|rest| rest.split('}').next()).expect("the enumeration");
    let lines: Vec<&str> = named.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Each case stands behind its documentation; no build reports one that is reserved.
    let cases = lines.windows(2).filter(|pair| !pair[1].starts_with("///") && !pair[0].ends_with("Reserved."));
    let all: BTreeSet<String> = cases.map(|pair| format!("peer-misbehaved({})", pair[1].trim_end_matches(','))).collect();
    assert!(all.contains("peer-misbehaved(not-http)"), "{all:?}");
    let own = folder::read(&folder::own()).expect("vectors");
    let cases = own.sources.iter().flat_map(|source| &source.cases).flatten();
    let refusals: BTreeSet<String> = cases.filter_map(|case| case.stated.refusal.clone()).collect();
    let missing: Vec<&String> = all.difference(&refusals).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_vectors_of_others_are_read_as_they_say_or_as_the_stances_say() {
    let Some(folder) = folder::shared() else {
        sandpiper_tests::skipped("no vectors of other projects; SANDPIPER_VECTORS names their folder");
        return;
    };
    let run = run(&folder, Component::Whole);
    assert!(run.is_right(), "{}", report::table(&run));
}

#[test]
fn the_document_has_the_stances() {
    let document = include_str!("../../../../docs/evidence/vectors.md");
    let table = Stances::read().expect("stances").table();
    assert!(
        document.contains(&table),
        "docs/evidence/vectors.md is stale: put the output of `./dev vectors --stances` there:\n{table}"
    );
}

/// A response with a trailer section, and all that a source may say of it.
fn response() -> Value {
    json!({
        "id": "made/up",
        "kind": "response",
        "request_method": "GET",
        "raw_response_latin1": "HTTP/1.1 200 Fine\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nC: d\r\n\r\n",
        "expect": {
            "accept": true,
            "status": 200,
            "version": "1.1",
            "reason": "Fine",
            "headers": [["a", "b"], ["transfer-encoding", "chunked"]],
            "body_latin1": "ab",
            "trailers": [["c", "d"]],
            "framing": "chunked",
            "keep_alive": true,
            "complete": true,
        },
    })
}

/// The names of what differs from what these cases say; a case that cannot be read is `unreadable`.
fn differences(cases: &[Value]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let text = json!({ "cases": cases }).to_string();
    std::fs::write(folder.path().join("made.json"), text).expect("a file");
    let run = run(folder.path(), Component::Nothing);
    let told = run.tables.iter().flat_map(|table| &table.tried).map(|tried| {
        assert_eq!(tried.is_right(), tried.standing() != Standing::Differs, "no faults");
        match &tried.trial {
            Some(trial) => trial.differences.iter().map(|difference| difference.what.clone()).collect(),
            None => vec!["unreadable".to_owned()],
        }
    });
    told.collect()
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("other.json"), "[]").expect("a file");
    assert!(Run::of(&[folder.path()], Component::Nothing, |_| {}).is_err());
    assert!(Run::of(&[&folder.path().join("missing")], Component::Nothing, |_| {}).is_err());
}

#[test]
fn what_is_as_it_says_is_right() {
    assert_eq!(differences(&[response()]), [[""; 0]]);
}

#[test]
fn whatever_a_source_states_is_held_against_what_is_seen() {
    let wrong = [
        ("accept", json!(false), "accepted"),
        ("status", json!(201), "status"),
        ("version", json!("1.0"), "version"),
        ("reason", json!("fine"), "reason"),
        ("headers", json!([["a", "b"]]), "headers"),
        ("headers", json!([["transfer-encoding", "chunked"], ["a", "b"]]), "headers"),
        ("header_values", json!(["b", "gzip"]), "headers"),
        ("body_latin1", json!("abc"), "content"),
        ("body_b64", json!("YWI"), "unreadable"),
        ("body_b64", json!("YWJj"), "unreadable"),
        ("body_len", json!(3), "content"),
        ("trailers", json!([]), "trailers"),
        ("framing", json!("until-eof"), "framing"),
        ("framing", json!("none"), "framing"),
        ("keep_alive", json!(false), "keep-alive true"),
        ("complete", json!(false), "complete"),
        ("status", json!("200"), "unreadable"),
        ("messages", json!([{ "status": 200 }, { "status": 404 }]), "messages"),
        ("messages", json!([{ "status": 103 }, { "status": 200 }]), "messages"),
        ("upgrade", json!(true), "upgrade"),
    ];
    for (name, value, expected) in wrong {
        let mut case = response();
        case["expect"][name] = value.clone();
        let found = differences(&[case]).remove(0);
        assert!(found.iter().any(|what| what == expected), "{name} {value}: {found:?}");
    }
    for (name, value, expected) in [
        ("partial", json!(true), "accepted"),
        ("interim", json!(1), "interim"),
        ("kind", json!("request"), "unreadable"),
        ("raw_response_b64", json!("SFRUUA=="), "unreadable"),
        ("raw_response_latin1", json!(null), "unreadable"),
        ("raw_response_latin1", json!("HTTP/1.1 200 Fine\r\nA : b\r\n\r\n"), "refused peer-misbehaved(invalid-field-line)"),
        (
            "raw_response_latin1",
            json!("HTTP/1.1 200 Fine\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"),
            "waits",
        ),
    ] {
        let mut case = response();
        case[name] = value.clone();
        let found = differences(&[case]).remove(0);
        assert!(found.iter().any(|what| what == expected), "{name} {value}: {found:?}");
    }
}

#[test]
fn the_size_in_a_line_and_the_length_in_a_head_are_held_against_what_is_seen() {
    let line = |size: u64| json!({ "id": "made/line", "kind": "chunk-size-line", "raw_response_latin1": "1a\r\n", "expect": { "accept": true, "size": size } });
    let head = |length: u64| {
        let octets = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n";
        let expect = json!({ "accept": true, "length": length });
        json!({ "id": "made/head", "kind": "content-length-value", "head_only": true, "raw_response_latin1": octets, "expect": expect })
    };
    assert_eq!(differences(&[line(26), head(26)]), [[""; 0], [""; 0]]);
    for case in [line(25), line(27), line(1 << 40), head(25), head(27), head(0)] {
        let found = differences(std::slice::from_ref(&case)).remove(0);
        assert!(!found.is_empty(), "{case}");
    }
}

#[test]
fn what_others_agree_on_is_held_against_what_is_seen() {
    let agreement = |accept: bool, status: u16, length: u64| {
        let mut cases = vec![response()];
        cases.push(json!({ "id": "made/up", "accept": accept, "status": status, "body_len": length }));
        differences(&cases).remove(1)
    };
    assert_eq!(agreement(true, 200, 2), [""; 0]);
    assert_eq!(agreement(false, 200, 2), ["accepted"]);
    assert_eq!(agreement(true, 201, 2), ["status"]);
    assert_eq!(agreement(true, 200, 3), ["content"]);
}

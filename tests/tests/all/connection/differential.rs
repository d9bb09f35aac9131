//! The core beside hyper. `just differential` adds the clients of other languages, and writes the page.

use sandpiper_tests::differential::case::{Case, own, vectors, vectors_directory};
use sandpiper_tests::differential::groups::{Column, equal, explanations, group, unexplained};
use sandpiper_tests::differential::outcome::{Outcome, core};
use sandpiper_tests::differential::peers::hyper;

#[test]
fn every_difference_from_hyper_is_explained() {
    let mut cases = own();
    match vectors_directory() {
        Some(directory) => cases.extend(vectors(&directory).expect("vectors that can be read")),
        None => sandpiper_tests::skipped("no vectors; SANDPIPER_VECTORS names their directory. Our own responses are compared"),
    }
    let ours: Vec<Outcome> = cases.iter().map(core).collect();
    let column = Column { client: "hyper", outcomes: hyper().outcomes(&cases).expect("outcomes") };
    let equal = equal(&ours, &column);
    assert!(equal * 10 > cases.len() * 8, "only {equal} of {} are equal", cases.len());
    let accepted = ours.iter().filter(|outcome| matches!(outcome, Outcome::Accepted(_))).count();
    assert!(accepted * 10 > cases.len() * 3, "only {accepted} of {} are accepted", cases.len());
    let groups = group(&cases, &ours, &[column]);
    let unexplained = unexplained(&groups);
    assert!(unexplained.is_empty(), "{unexplained:?}, such as {:?}", unexplained.first().map(|id| &groups[*id]));
}

#[test]
fn what_the_grammar_makes_is_read_as_hyper_reads_it() {
    let cases: Vec<Case> = own().into_iter().filter(Case::is_generated).collect();
    let ours: Vec<Outcome> = cases.iter().map(core).collect();
    let column = Column { client: "hyper", outcomes: hyper().outcomes(&cases).expect("outcomes") };
    let groups = group(&cases, &ours, &[column]);
    assert!(groups.is_empty(), "{groups:?}");
    assert!(cases.len() >= 500, "only {} responses", cases.len());
    let accepted = ours.iter().filter(|outcome| matches!(outcome, Outcome::Accepted(_))).count();
    assert!(accepted * 10 > cases.len() * 9, "only {accepted} of {} are accepted", cases.len());
}

#[test]
fn an_explanation_is_more_than_its_group() {
    for (id, why) in explanations() {
        assert!(why.len() > 30 && why.ends_with('.'), "{id}: {why}");
    }
}

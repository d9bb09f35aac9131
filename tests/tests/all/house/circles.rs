//! Circles among files: each of a circle leads to each other of it.

use super::imports::edges;
use super::sources::Source;
use std::collections::BTreeSet;

/// The circles, each with the names of its files in their order.
pub(super) fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let reached = reached(&edges(sources));
    let mut circles = BTreeSet::new();
    for from in 0..sources.len() {
        let circle: Vec<usize> = reached[from].iter().copied().filter(|to| reached[*to].contains(&from)).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    let names = |circle: Vec<usize>| circle.into_iter().map(|number| sources[number].name.clone()).collect();
    circles.into_iter().map(names).collect()
}

/// From each number, all to which edges lead, over others too.
fn reached(edges: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let from = |start: usize| {
        let (mut found, mut ahead) = (BTreeSet::new(), vec![start]);
        while let Some(at) = ahead.pop() {
            ahead.extend(edges[at].iter().filter(|to| found.insert(**to)));
        }
        found
    };
    (0..edges.len()).map(from).collect()
}

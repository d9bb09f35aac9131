//! Real servers through the component, in a size that the normal tests can afford. `just servers` does more, and writes the matrix.

use sandpiper_tests::servers::capability::Scale;
use sandpiper_tests::servers::kind::KINDS;
use sandpiper_tests::servers::matrix::{Cell, run};
use sandpiper_tests::skipped;

fn check(name: &str) {
    let kind = KINDS.iter().find(|kind| kind.name == name).expect("a server of this name");
    let mut wrong = Vec::new();
    let column = run(kind, Scale::BOUNDED, |capability, cell| {
        if let Cell::Failed(what) = cell {
            wrong.push(format!("{capability}: {what}"));
        }
    });
    if let Some(Cell::Skipped(why)) = column.cells.first() {
        skipped(&format!("{name}: {why}"));
    }
    if let Some(Cell::Failed(what)) = column.cells.first().filter(|_| wrong.is_empty()) {
        wrong.push(what.clone());
    }
    assert!(wrong.is_empty(), "{}:\n{}", column.server, wrong.join("\n"));
}

#[test]
fn nginx_does_what_it_can() {
    check("nginx");
}

#[test]
fn apache_does_what_it_can() {
    check("Apache");
}

#[test]
fn haproxy_does_what_it_can() {
    check("HAProxy");
}

#[test]
fn lighttpd_does_what_it_can() {
    check("lighttpd");
}

#[test]
fn caddy_does_what_it_can() {
    check("Caddy");
}

#[test]
fn node_does_what_it_can() {
    check("Node http");
}

#[test]
fn http_server_of_python_does_what_it_can() {
    check("Python http.server");
}

#[test]
fn aiohttp_does_what_it_can() {
    check("aiohttp");
}

//! What people who know curl write: accepted, or refused by one line that says what to do.

use std::net::TcpListener;

use super::program::{Run, command, finish, run};
use super::server::{Server, dead_port};

#[test]
fn options_that_are_not_here_are_refused_by_one_line() {
    let server = Server::echo();
    let url = server.url("/");
    for (arguments, words) in [
        (&["-fsSL"][..], "-L is not an option here: redirects are not followed yet"),
        (&["-x", "http://p/"], "-x is not an option here: proxies are not used yet"),
        (&["--compressed"], "--compressed is not an option here: contents are not decompressed yet"),
        (&["--json={\"a\":1}"], "write --data-json DATA"),
        (&["--json", "{\"a\":1}"], "write --data-json '{\"a\":1}'"),
        (&["-d", "a", "--next"], "--next is not an option here: one run has one kind of request"),
        (&["--no-such-option"], "there is no option --no-such-option: --help lists all"),
    ] {
        let run = run(&[&["fetch"], arguments, &[&url]].concat()).ended_with(2).complains_of(&["sandpiper: ", words]);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn a_line_of_an_install_script_works() {
    let url = Server::echo().url("/script");
    let habits = ["fetch", "--proto", "=http", "--tlsv1.2", "-sSf", "-g", "-q", "-#", "--http1.1", &url];
    assert_eq!(run(&habits).ended_with(0).text(), "/script");
    run(&["fetch", "--proto", "=https", &url]).ended_with(2).complains_of(&["--proto does not allow"]);
}

#[test]
fn s_silences_and_shows_errors_with_s() {
    let url = format!("http://{}/", dead_port());
    assert_eq!(run(&["fetch", "-s", &url]).ended_with(1).stderr, "");
    run(&["fetch", "-sS", &url]).ended_with(1).complains_of(&["connect(refused)"]);
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    assert_eq!(run(&["fetch", "-sf", &server.url("/")]).ended_with(1).stderr, "");
}

fn with_proxy(variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    finish(command().envs(variables.iter().copied()).arg("fetch").args(arguments).spawn().unwrap(), b"")
}

#[test]
fn a_proxy_of_the_environment_is_named_once() {
    let url = Server::echo().url("/");
    let proxy = ("http_proxy", "http://me:secret@127.0.0.1:1");
    let named = with_proxy(&[proxy], &[&url, &url]).ended_with(0);
    assert_eq!(named.stderr.matches("http_proxy (http://***@127.0.0.1:1)").count(), 1, "{}", named.stderr);
    assert_eq!((named.text(), named.stderr.contains("secret")), ("//", false));
    assert_eq!(with_proxy(&[proxy], &["-s", &url]).ended_with(0).stderr, "");
    assert_eq!(with_proxy(&[proxy, ("no_proxy", "127.0.0.0/8")], &[&url]).ended_with(0).stderr, "");
    assert_eq!(with_proxy(&[("https_proxy", "http://p/")], &[&url]).ended_with(0).stderr, "");
}

#[test]
fn addresses_of_one_family_are_tried() {
    let server = Server::echo();
    let port = server.address.port();
    let both = ["--resolve", &format!("h.test:{port}:::1,127.0.0.1"), "-4", &format!("http://h.test:{port}/a")];
    assert_eq!(run(&[&["fetch"][..], &both].concat()).ended_with(0).text(), "/a");
    let six = ["fetch", "-6", &server.url("/")];
    run(&six).ended_with(2).complains_of(&["-6: IPv6 is asked for, and 127.0.0.1 is no such address"]);
    for name in ["localhost", "a.localhost"] {
        assert_eq!(run(&["fetch", "-4", &format!("http://{name}:{port}/b")]).ended_with(0).text(), "/b");
    }
    // On a machine with IPv6, that its address of localhost is not that of the server.
    if TcpListener::bind(("::1", 0)).is_ok() {
        run(&["fetch", "-6", "--connect-timeout", "5", &format!("http://localhost:{port}/")]).ended_with(1);
    }
}

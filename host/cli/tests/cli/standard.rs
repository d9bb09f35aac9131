//! Standard input, output and error that are closed, or one file.

use super::program::{finish, run, scratch, shell};
use super::server::Server;

#[test]
fn a_closed_standard_output_is_an_error_before_anything_is_sent() {
    let server = Server::echo();
    let url = server.url("/");
    for arguments in [&["fetch", &url][..], &["fetch", "--json", &url], &["fetch", "-o", "/dev/null", "-w", "x", &url]] {
        for (script, why) in [("exec \"$@\" >&-", "standard output is closed"), ("exec \"$@\" 1</dev/null", "for reading alone")]
        {
            finish(shell(script, arguments), b"").ended_with(2).complains_of(&[why, "nothing was sent"]);
        }
    }
    for arguments in [&["--version"][..], &["inspect"], &["demo", "--resources", "1"]] {
        finish(shell("exec \"$@\" >&-", arguments), b"").ended_with(2).complains_of(&["standard output is closed"]);
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn nobody_needs_a_standard_output_that_nothing_goes_to() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let file = directory.join("f");
    let arguments = ["fetch", "-o", file.to_str().unwrap(), "-w", "%{stderr}done", &server.url("/x")];
    let run = finish(shell("exec \"$@\" >&-", &arguments), b"").ended_with(0);
    assert_eq!((std::fs::read(&file).unwrap(), run.stderr.as_str()), (b"/x".to_vec(), "done"));
}

#[test]
fn a_null_device_is_not_a_closed_output() {
    let server = Server::echo();
    for script in ["exec \"$@\" >/dev/null", "exec \"$@\" 1<>/dev/null"] {
        finish(shell(script, &["fetch", &server.url("/")]), b"").ended_with(0);
    }
}

#[test]
fn a_closed_standard_input_is_not_an_empty_content() {
    let server = Server::echo();
    let url = server.url("/");
    for arguments in [&["-T", "-"][..], &["-d", "@-"], &["-w", "@-"], &["--upgrade", "x"]] {
        let arguments = [&["fetch", url.as_str()], arguments].concat();
        finish(shell("exec \"$@\" <&-", &arguments), b"").ended_with(2).complains_of(&["standard input is closed"]);
    }
    assert_eq!(server.accepted(), 0);
    finish(shell("exec \"$@\" <&-", &["fetch", &server.url("/")]), b"").ended_with(0);
}

#[test]
fn a_closed_standard_error_does_no_harm() {
    let server = Server::echo();
    let (good, bad) = (server.url("/x"), "http://127.0.0.1:1/");
    let run = finish(shell("exec \"$@\" 2>&-", &["fetch", "-v", &good, bad]), b"").ended_with(1);
    assert_eq!(run.text(), "/x");
}

#[test]
fn a_complaint_comes_behind_the_content_that_it_is_about() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello");
    });
    let run = finish(shell("exec \"$@\" 2>&1", &["fetch", &server.url("/")]), b"").ended_with(1);
    assert!(run.text().starts_with("hellosandpiper: [0] "), "{}", run.text());
    let refused = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 404 \r\nContent-Length: 5\r\n\r\nhello");
    });
    let run = finish(shell("exec \"$@\" 2>&1", &["fetch", "--fail-with-body", &refused.url("/")]), b"").ended_with(1);
    assert!(run.text().starts_with("hellosandpiper: [0] "), "{}", run.text());
}

#[test]
fn output_is_not_held_back_and_the_option_says_so() {
    let server = Server::echo();
    for option in ["-N", "--no-buffer"] {
        assert_eq!(run(&["fetch", option, &server.url("/x")]).ended_with(0).text(), "/x");
    }
}

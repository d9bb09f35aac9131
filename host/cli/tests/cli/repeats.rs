//! `--retry` and its kin: which responses are repeated, after what time, and what becomes of the output.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::program::{names_in, run, run_with_input, scratch};
use super::server::Server;

/// Answers so many times with this status and these field lines, then with 200; the content says which it is.
fn at_first(times: usize, status: &'static str, fields: &'static str) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            if asked.fetch_add(1, Ordering::SeqCst) < times {
                let content = "trouble";
                let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{content}", content.len());
                connection.write(head.as_bytes());
            } else {
                connection.answer(request.target().as_bytes());
            }
        }
    })
}

#[test]
fn a_server_in_trouble_is_asked_again_and_its_trouble_is_not_written() {
    for status in ["408 x", "429 x", "500 x", "502 x", "503 x", "504 x"] {
        let server = at_first(2, status, "Retry-After: 0\r\n");
        let url = server.url("/a");
        for form in [&[][..], &["-i"]] {
            let server = at_first(2, status, "Retry-After: 0\r\n");
            let run = run(&[&["fetch", "--retry", "2", &server.url("/a")], form].concat()).ended_with(0);
            assert!(
                run.text().ends_with("/a") && !run.text().contains("trouble") && !run.text().contains(status),
                "{}",
                run.text()
            );
            assert_eq!(run.stderr, "");
        }
        let (_keep, directory) = scratch();
        let file = directory.join("f");
        run(&["fetch", "--retry", "2", "-o", file.to_str().unwrap(), &url]).ended_with(0);
        assert_eq!((std::fs::read(&file).unwrap(), names_in(&directory).len()), (b"/a".to_vec(), 1));
        let server = at_first(2, status, "Retry-After: 0\r\n");
        let lines = run(&["fetch", "--retry", "2", "--json", "--summary", &server.url("/a")]).ended_with(0).json();
        assert_eq!((&lines[0]["status"], &lines[1]["summary"]["total"]["repeated"]), (&200.into(), &2.into()));
    }
}

#[test]
fn a_repeat_has_its_turn_before_what_is_under_way() {
    for options in [&[][..], &["--max-host-conns", "2"], &["-Z"]] {
        let server = at_first(1, "503 x", "Retry-After: 1\r\n");
        let urls: String = (0..40).map(|number| server.url(&format!("/{number}\n"))).collect();
        let run = run_with_input(&[&["fetch", "-K", "-", "--retry", "1"], options].concat(), urls.as_bytes()).ended_with(0);
        assert_eq!(run.text(), (0..40).map(|number| format!("/{number}")).collect::<String>(), "{options:?}");
    }
}

#[test]
fn the_last_trouble_is_the_response() {
    let server = at_first(9, "503 Busy", "Retry-After: 0\r\n");
    assert_eq!(run(&["fetch", "--retry", "2", &server.url("/")]).ended_with(0).text(), "trouble");
    let refused = run(&["fetch", "--retry", "2", "--fail", &server.url("/")]).ended_with(1);
    refused.complains_of(&["status 503 Busy"]);
    let server = at_first(1, "404 No", "Retry-After: 0\r\n");
    assert_eq!(run(&["fetch", "--retry", "2", &server.url("/")]).ended_with(0).text(), "trouble");
}

#[test]
fn trouble_that_may_have_acted_is_not_repeated_with_a_post() {
    for (status, content) in [("503 x", "/"), ("429 x", "/"), ("500 x", "trouble"), ("502 x", "trouble")] {
        let server = at_first(1, status, "Retry-After: 0\r\n");
        assert_eq!(run(&["fetch", "--retry", "2", "-d", "x", &server.url("/")]).ended_with(0).text(), content, "{status}");
    }
    let server = at_first(1, "500 x", "Retry-After: 0\r\n");
    let all = ["fetch", "--retry", "2", "--retry-all-errors", "-d", "x", &server.url("/")];
    assert_eq!(run(&all).ended_with(0).text(), "/");
}

#[test]
fn a_stream_is_not_sent_twice_because_of_a_status() {
    let server = at_first(1, "503 x", "Retry-After: 0\r\n");
    let run = run_with_input(&["fetch", "--retry", "2", "-T", "-", &server.url("/")], b"content").ended_with(0);
    assert_eq!(run.text(), "trouble");
}

#[test]
fn retry_after_and_the_delay_are_waited_for() {
    for (fields, options, least) in [
        ("Retry-After: 1\r\n", &[][..], 1000),
        ("", &[], 1000),
        ("", &["--retry-delay", "0.3"], 300),
        ("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", &[], 0),
    ] {
        let server = at_first(1, "503 x", fields);
        let started = Instant::now();
        let run = run(&[&["fetch", "--retry", "1", &server.url("/")], options].concat()).ended_with(0);
        assert_eq!(run.text(), "/");
        assert!(started.elapsed() >= Duration::from_millis(least), "{fields} {options:?}: {:?}", started.elapsed());
    }
}

#[test]
fn a_wait_that_is_too_long_is_none() {
    for (fields, options) in
        [("Retry-After: 99999999999999999999\r\n", &[][..]), ("Retry-After: 60\r\n", &["--retry-max-time", "10"])]
    {
        let server = at_first(1, "503 x", fields);
        let run = run(&[&["fetch", "--retry", "1", &server.url("/")], options].concat()).ended_with(0);
        assert_eq!(run.text(), "trouble");
    }
}

#[test]
fn others_go_on_while_one_waits() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.target() {
                "/0" => connection.write(b"HTTP/1.1 503 x\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n"),
                target => connection.answer(target.as_bytes()),
            }
        }
    });
    let arguments = ["fetch", "--json", "--retry", "1", "--max-time-all", "2", &server.url("/0"), &server.url("/1")];
    let lines = run(&arguments).ended_with(1).complains_of(&["[0]", "timed-out(total)"]).json();
    assert_eq!((&lines[0]["index"], &lines[0]["ok"]), (&1.into(), &true.into()));
    assert_eq!((&lines[1]["index"], &lines[1]["detail"]), (&0.into(), &"total".into()));
}

#[test]
fn all_errors_means_also_what_the_server_acted_on() {
    let server = || {
        Server::start(|number, mut connection| {
            let Some(request) = connection.request() else { return };
            if number == 1 {
                return connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            }
            connection.answer(request.target().as_bytes());
        })
    };
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    let to_file = ["--retry", "1", "--retry-all-errors", "-o", file.to_str().unwrap()];
    run(&[&["fetch", "-d", "x", &server().url("/a")], &to_file[..]].concat()).ended_with(0);
    assert_eq!(std::fs::read(&file).unwrap(), b"/a");
    // What is on standard output cannot be taken back.
    let run = run(&["fetch", "--retry", "1", "--retry-all-errors", &server().url("/a")]).ended_with(1);
    assert_eq!(run.text(), "half");
}

#[test]
fn refused_statuses_are_repeated_with_all_errors() {
    let server = at_first(1, "404 x", "Retry-After: 0\r\n");
    let run = run(&["fetch", "--fail", "--retry", "1", "--retry-all-errors", &server.url("/a")]).ended_with(0);
    assert_eq!(run.text(), "/a");
}

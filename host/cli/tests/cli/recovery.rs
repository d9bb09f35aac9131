//! Lists of URLs on servers that end connections: every URL is answered, with no option given.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::program::{PATIENCE, Run, run_with_input};
use super::server::{Connection, Request, Server};

/// Runs `fetch` with `options` on so many URLs of the server.
fn list(server: &Server, urls: usize, options: &[&str]) -> Run {
    let list: String = (0..urls).map(|number| server.url(&format!("/{number}\n"))).collect();
    run_with_input(&[&["fetch", "-K", "-"], options].concat(), list.as_bytes())
}

fn in_order(urls: usize) -> String {
    (0..urls).map(|number| format!("/{number}")).collect()
}

/// How a server ends a connection after its last response.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It says `close`, and reads on until the client has closed.
    Declared,
    /// It closes at once, unannounced.
    Silent,
    /// It takes one more request, and then closes.
    WithOneMore,
}

/// Answers so many requests on each connection.
fn ends_after(requests: usize, end: End) -> Server {
    Server::start(move |_, mut connection| {
        for number in 1..=requests {
            let Some(request) = connection.request() else { return };
            match end {
                End::Declared if number == requests => closes(&mut connection, request.target()),
                _ => connection.answer(request.target().as_bytes()),
            }
        }
        match end {
            End::Declared => {
                _ = connection.stream().shutdown(std::net::Shutdown::Write);
                connection.linger();
            }
            End::Silent => {}
            End::WithOneMore => _ = connection.request(),
        }
    })
}

fn closes(connection: &mut Connection, content: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{content}", content.len());
    connection.write(head.as_bytes());
}

#[test]
fn a_list_is_answered_whatever_number_of_requests_a_connection_carries() {
    for end in [End::Declared, End::Silent, End::WithOneMore] {
        for (requests, urls) in [(1, 3), (1, 40), (2, 40), (7, 100), (64, 200)] {
            for options in [&[][..], &["--depth", "1"], &["--max-host-conns", "3"], &["-Z"]] {
                let server = ends_after(requests, end);
                let run = list(&server, urls, options).ended_with(0);
                assert_eq!(run.text(), in_order(urls), "{requests} {end:?} {options:?}");
                // Two for each that carried something, at most: it, and one that met its end.
                assert!(server.accepted() <= 2 * urls + 2, "{}: {requests} {end:?} {options:?}", server.accepted());
            }
        }
    }
}

#[test]
fn an_orderly_end_is_no_reason_to_stop_pipelining() {
    let server = ends_after(7, End::Declared);
    list(&server, 100, &[]).ended_with(0);
    assert_eq!(server.accepted(), 15);
}

/// Ends its first two connections when two requests have come behind the first response, without an answer to them. On the others, says how
/// many come before each answer.
fn breaks_pipelines(seen: Arc<Mutex<Vec<usize>>>) -> Server {
    Server::start(move |number, mut connection| {
        let Some(first) = connection.request() else { return };
        connection.answer(first.target().as_bytes());
        if number <= 2 {
            // A client that sends one at a time waits here, and its run does not end.
            connection.request();
            connection.request();
            _ = connection.stream().shutdown(std::net::Shutdown::Write);
            return connection.linger();
        }
        while let Some(request) = connection.request() {
            // On a machine that stalls, fewer may come in this time; never more.
            connection.stream().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let mut together = 1;
            while connection.request().is_some() {
                together += 1;
            }
            connection.stream().set_read_timeout(None).unwrap();
            seen.lock().unwrap().push(together);
            connection.answer(request.target().as_bytes());
        }
    })
}

#[test]
fn a_server_whose_pipelines_break_twice_is_asked_one_at_a_time() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = breaks_pipelines(Arc::clone(&seen));
    let run = list(&server, 8, &[]).ended_with(0);
    assert_eq!((run.text(), server.accepted()), (in_order(8).as_str(), 3));
    assert_eq!(*seen.lock().unwrap(), [1, 1, 1, 1, 1]);
}

#[test]
fn a_server_that_loses_what_is_pipelined_is_asked_one_at_a_time() {
    // It takes what one read returns for one request.
    let server = Server::start(|_, mut connection| {
        let mut octets = [0; 1 << 16];
        while let Ok(1..) = connection.read(&mut octets) {
            let request = String::from_utf8_lossy(&octets);
            connection.answer(request.split(' ').nth(1).unwrap().as_bytes());
        }
    });
    let started = Instant::now();
    let run = list(&server, 6, &[]).ended_with(0);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert_eq!((run.text(), server.accepted()), (in_order(6).as_str(), 2));
}

#[test]
fn a_request_that_a_fresh_connection_loses_too_is_given_up() {
    let server = || {
        Server::start(|number, mut connection| {
            let Some(first) = connection.request() else { return };
            if number == 1 {
                connection.answer(first.target().as_bytes());
                connection.request();
            }
        })
    };
    for (retry, connections) in [("0", 2), ("2", 4)] {
        let server = server();
        let run = list(&server, 2, &["--depth", "1", "--retry", retry]).ended_with(1).complains_of(&["[1]", "unanswered"]);
        assert_eq!((run.text(), server.accepted()), ("/0", connections));
    }
}

#[test]
fn what_is_not_idempotent_reaches_a_server_once() {
    for end in [End::Silent, End::WithOneMore] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let server = Server::start(move |_, mut connection| {
            let note = |request: Option<Request>| {
                log.lock().unwrap().extend(request.as_ref().map(|request| request.target().to_owned()));
                request
            };
            if let Some(request) = note(connection.request()) {
                connection.answer(request.target().as_bytes());
            }
            if matches!(end, End::WithOneMore) {
                note(connection.request());
            }
        });
        let run = list(&server, 20, &["-d", "x", "--retry", "5"]);
        let mut targets = seen.lock().unwrap().clone();
        let all = targets.len();
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), all, "{end:?}: {targets:?}");
        assert!(targets.contains(&"/0".to_owned()), "{end:?}: {}", run.stderr);
        if matches!(end, End::WithOneMore) {
            // It reads all of them, and answers every second one.
            assert_eq!((all, run.code), (20, Some(1)), "{targets:?}: {}", run.stderr);
        }
    }
}

#[test]
fn a_file_goes_again_and_a_stream_does_not() {
    let server = || {
        let lost = AtomicUsize::new(0);
        Server::start(move |_, mut connection| {
            while let Some(request) = connection.request() {
                if request.target() == "/1" && lost.fetch_add(1, Ordering::SeqCst) == 0 {
                    return;
                }
                connection.answer(&request.content);
            }
        })
    };
    let (_keep, directory) = super::program::scratch();
    let file = directory.join("f");
    std::fs::write(&file, "upload").unwrap();
    let of_file = server();
    assert_eq!(list(&of_file, 2, &["-T", file.to_str().unwrap()]).ended_with(0).text(), "uploadupload");
    // A stream is for one URL, whose connection has answered nothing.
    let of_stream = server();
    let lost = run_with_input(&["fetch", "-T", "-", &of_stream.url("/1")], b"stream");
    lost.ended_with(1).complains_of(&["unanswered"]);
    assert_eq!(of_stream.accepted(), 1);
}

#[test]
fn a_dead_origin_is_told_with_a_count() {
    let dead = super::server::dead_port();
    let urls: String = (0..2500).map(|number| format!("http://{dead}/{number}\n")).collect();
    let told = run_with_input(&["fetch", "-K", "-"], urls.as_bytes()).ended_with(1);
    assert!(told.stderr.lines().count() < 30, "{}", told.stderr);
    let told = told.complains_of(&["[0]", "in all 2500 requests", "connect(refused)", "not-sent"]);
    assert_eq!(told.text(), "");
    let json = run_with_input(&["fetch", "-K", "-", "--json"], urls.as_bytes()).ended_with(1).json();
    assert_eq!(json.len(), 2500);
}

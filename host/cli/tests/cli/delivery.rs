//! What is repeated, what is moved, and what is not.

use super::program::run;
use super::server::Server;

/// Answers `/close` with the `close` option, everything else plainly.
fn closes_when_asked() -> Server {
    Server::start(|number, mut connection| {
        while let Some(request) = connection.request() {
            let content = format!("{}@{number} ", request.target());
            if request.target() == "/close" && number == 1 {
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", content.len());
                connection.write(head.as_bytes());
                connection.write(content.as_bytes());
                _ = connection.stream().shutdown(std::net::Shutdown::Write);
                return connection.linger();
            }
            connection.answer(content.as_bytes());
        }
    })
}

#[test]
fn what_had_not_left_moves_to_the_next_connection() {
    let server = closes_when_asked();
    let urls = ["/close", "/a", "/b"].map(|path| server.url(path));
    let run = run(&["fetch", "--retry", "0", &urls[0], &urls[1], &urls[2]]).ended_with(0);
    assert_eq!((run.text(), server.accepted()), ("/close@1 /a@2 /b@2 ", 2));
}

#[test]
fn what_the_server_declared_unprocessed_moves_to_the_next_connection() {
    for options in [&[][..], &["--retry", "0"], &["--idempotent", "-d", "x"]] {
        let server = closes_when_asked();
        let urls = ["/close", "/a", "/b"].map(|path| server.url(path));
        let assumed = ["fetch", "--json", "--persistence", "assume", &urls[0], &urls[1], &urls[2]];
        let run = run(&[&assumed[..], options].concat()).ended_with(0);
        let connections: Vec<_> = run.json().iter().map(|line| line["connection"].as_u64().unwrap()).collect();
        assert_eq!((connections.as_slice(), server.accepted()), (&[1, 2, 2][..], 2), "{options:?}");
    }
}

/// Reads one request on its first connection and closes it; answers on later ones.
fn drops_the_first() -> Server {
    Server::start(|number, mut connection| {
        while let Some(request) = connection.request() {
            if number == 1 {
                return;
            }
            connection.answer(format!("{}@{number}", request.head.split(' ').next().unwrap()).as_bytes());
        }
    })
}

#[test]
fn unanswered_requests_are_repeated_if_idempotent_and_asked_for() {
    let server = drops_the_first();
    run(&["fetch", &server.url("/")]).ended_with(1).complains_of(&["unanswered", "--retry"]);
    let server = drops_the_first();
    assert_eq!(run(&["fetch", "--retry", "1", &server.url("/")]).ended_with(0).text(), "GET@2");
    let server = drops_the_first();
    run(&["fetch", "--retry", "5", "-d", "x", &server.url("/")]).ended_with(1).complains_of(&["unanswered"]);
    assert_eq!(server.accepted(), 1);
    let server = drops_the_first();
    assert_eq!(run(&["fetch", "--retry", "1", "--idempotent", "-d", "x", &server.url("/")]).ended_with(0).text(), "POST@2");
}

#[test]
fn retries_are_counted() {
    let server = Server::start(|_, mut connection| _ = connection.request());
    run(&["fetch", "--retry", "3", &server.url("/")]).ended_with(1).complains_of(&["unanswered", "tried 4 times"]);
    assert_eq!(server.accepted(), 4);
}

#[test]
fn a_response_that_started_is_never_repeated() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    });
    run(&["fetch", "--retry", "5", &server.url("/")]).ended_with(1).complains_of(&["response-started"]);
    assert_eq!(server.accepted(), 1);
}

#[test]
fn after_a_failed_pipeline_requests_go_one_at_a_time_until_one_is_answered() {
    let server = Server::start(|number, mut connection| {
        if number == 1 {
            // Both arrive, neither is answered.
            connection.request();
            connection.request();
            return;
        }
        let first = connection.request().unwrap();
        connection.stream().set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        let alone = connection.request().is_none();
        connection.stream().set_read_timeout(None).unwrap();
        connection.answer(format!("{} alone: {alone} ", first.target()).as_bytes());
        while let Some(request) = connection.request() {
            connection.answer(request.target().as_bytes());
        }
    });
    let run = run(&["fetch", "--retry", "1", "--persistence", "assume", &server.url("/1"), &server.url("/2")]).ended_with(0);
    // The pool sends the second one again by itself: it may be there before the first one, which counts as a repeat.
    assert!(["/1 alone: true /2", "/1/2 alone: true "].contains(&run.text()), "{}", run.text());
    assert_eq!(server.accepted(), 2);
}

#[test]
fn a_post_is_neither_pipelined_nor_repeated_by_itself() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            connection.stream().set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
            let alone = connection.stream().peek(&mut [0]).is_err();
            connection.stream().set_read_timeout(None).unwrap();
            connection.answer(format!("{} {alone} ", String::from_utf8_lossy(&request.content)).as_bytes());
        }
    });
    let url = server.url("/");
    let run = run(&["fetch", "-d", "x", &url, &url, &url]).ended_with(0);
    assert_eq!(run.text(), "x true x true x true ");
}

#[test]
fn a_deadline_is_repeated_only_when_asked_for() {
    for (retry, tries) in [("0", 1), ("2", 3)] {
        let server = Server::start(|_, mut connection| connection.linger());
        let arguments = ["fetch", "--retry", retry, "--max-time", "0.3", &server.url("/")];
        run(&arguments).ended_with(1).complains_of(&["timed-out(total)"]);
        assert_eq!(server.accepted(), tries);
    }
}

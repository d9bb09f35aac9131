//! Standard output in the order of the URLs: the response whose turn it is always comes, whatever the limits of connections are.
//!
//! The responses are longer than a connection's buffer (256 KiB): one that nobody reads keeps its connection.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use super::program::{PATIENCE, Run, command, finish, run_with_input, scratch};
use super::server::{Server, dead_port};

const LONG: usize = 300 << 10;

/// The content of the `number`th URL.
fn content(number: usize, octets: usize) -> Vec<u8> {
    let words = format!("/{number} ");
    let mut content = words.repeat(octets.div_ceil(words.len())).into_bytes();
    content.truncate(octets);
    content
}

fn contents(numbers: impl IntoIterator<Item = usize>, octets: usize) -> Vec<u8> {
    numbers.into_iter().flat_map(|number| content(number, octets)).collect()
}

/// Answers with so many octets. `in_trouble`: the first request for each of these targets is answered with 503.
fn answering(octets: usize, in_trouble: &'static [usize]) -> Server {
    let asked = Mutex::new(HashSet::new());
    Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            let number: usize = request.target()[1..].parse().unwrap();
            match in_trouble.contains(&number) && asked.lock().unwrap().insert(number) {
                true => connection.write(b"HTTP/1.1 503 x\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
                false => connection.answer(&content(number, octets)),
            }
        }
    })
}

#[track_caller]
fn is_whole(options: &[&str], urls: &str, expected: &[u8]) {
    let run = run_with_input(&[&["fetch", "-K", "-"], options].concat(), urls.as_bytes());
    assert_eq!(run.code, Some(0), "{options:?}: {}", run.stderr);
    let same = run.stdout.iter().zip(expected).take_while(|(written, expected)| written == expected).count();
    assert_eq!((same, run.stdout.len()), (expected.len(), expected.len()), "{options:?}");
}

#[test]
fn more_origins_than_connections_with_several_urls_each() {
    let servers: Vec<Server> = (0..70).map(|_| answering(LONG, &[])).collect();
    let blocks: String = (0..210).map(|number| servers[number / 3].url(&format!("/{number}\n"))).collect();
    let rounds: String = (0..210).map(|number| servers[number % 70].url(&format!("/{number}\n"))).collect();
    let expected = contents(0..210, LONG);
    is_whole(&[], &blocks, &expected);
    is_whole(&[], &rounds, &expected);
    for options in [&["--max-conns", "7", "--max-host-conns", "2"][..], &["-Z", "--parallel-max", "3"]] {
        is_whole(options, &blocks, &expected);
    }
}

#[test]
fn origins_that_alternate_on_few_connections() {
    let servers = [0; 4].map(|_| answering(LONG, &[]));
    let urls: String = (0..12).map(|number| servers[number % 4].url(&format!("/{number}\n"))).collect();
    for options in [["--max-conns", "2"], ["--max-conns", "1"], ["--max-conns", "3"]] {
        is_whole(&options, &urls, &contents(0..12, LONG));
    }
}

#[test]
fn one_connection_for_two_origins() {
    let (_keep, directory) = scratch();
    let log = directory.join("log");
    let servers = [0, 1].map(|_| answering(LONG, &[]));
    let urls: String = (0..4).map(|number| servers[number / 3].url(&format!("/{number}\n"))).collect();
    let expected = contents(0..4, LONG);
    for options in [
        &[][..],
        &["--persistence", "assume"],
        &["-v"],
        &["--log", log.to_str().unwrap()],
        &["-m", "60"],
        &["-Z"],
        &["--depth", "1"],
    ] {
        is_whole(&[&["--max-conns", "1"], options].concat(), &urls, &expected);
    }
}

#[test]
fn a_repeat_among_more_urls_than_are_submitted_at_once() {
    for options in [&[][..], &["--depth", "1"], &["-Z", "--parallel-max", "2"], &["-v"]] {
        let server = answering(20, &[0, 7]);
        let urls: String = (0..300).map(|number| server.url(&format!("/{number}\n"))).collect();
        is_whole(&[&["--retry", "1"], options].concat(), &urls, &contents(0..300, 20));
    }
}

#[test]
fn a_repeat_beside_long_responses_of_its_own_origin() {
    for options in [
        &[][..],
        &["--max-host-conns", "2"],
        &["--max-conns", "1"],
        &["--persistence", "assume"],
        &["-Z"],
        &["-m", "60"],
        &["-v"],
    ] {
        for (urls, in_trouble) in [(2, &[0][..]), (6, &[0, 4])] {
            let server = answering(LONG, in_trouble);
            let list: String = (0..urls).map(|number| server.url(&format!("/{number}\n"))).collect();
            is_whole(&[&["--retry", "1"], options].concat(), &list, &contents(0..urls, LONG));
        }
    }
}

#[test]
fn a_repeat_beside_long_responses_of_other_origins() {
    for options in [["--max-conns", "2"], ["--max-conns", "1"]] {
        let servers: Vec<Server> = (0..6).map(|_| answering(LONG, &[0, 3])).collect();
        let urls: String = (0..6).map(|number| servers[number].url(&format!("/{number}\n"))).collect();
        is_whole(&[&["--retry", "1"], &options[..]].concat(), &urls, &contents(0..6, LONG));
    }
}

#[test]
fn an_origin_that_is_not_there_holds_up_nobody_behind_it() {
    let server = answering(LONG, &[]);
    let urls: String = [format!("http://{}/\n", dead_port())]
        .into_iter()
        .chain((0..3).map(|number| server.url(&format!("/{number}\n"))))
        .collect();
    let run = run_with_input(&["fetch", "-K", "-", "-Z", "--parallel-max", "1", "--retry", "1"], urls.as_bytes()).ended_with(1);
    assert!(run.stdout == contents(0..3, LONG));
    run.complains_of(&["[0]", "connect(refused)", "tried 2 times"]);
}

#[test]
fn a_connection_that_ends_with_each_response() {
    let servers = [0, 1, 2].map(|_| {
        Server::start(|_, mut connection| {
            if let Some(request) = connection.request() {
                connection.answer(&content(request.target()[1..].parse().unwrap(), LONG));
                connection.end();
            }
        })
    });
    let urls: String = (0..60).map(|number| servers[number / 7 % 3].url(&format!("/{number}\n"))).collect();
    for options in [
        &["--max-conns", "3", "--max-host-conns", "2"][..],
        &["--max-host-conns", "6"],
        &["--max-conns", "1"],
        &["--persistence", "close"],
    ] {
        is_whole(options, &urls, &contents(0..60, LONG));
    }
}

#[test]
fn responses_that_are_whole_do_not_stay_in_the_memory_of_the_component() {
    // The first response comes when all others were asked for: 500 of them, 200 KiB each, are more than the 64 MiB of the component.
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let first = Server::start(move |_, mut connection| {
        connection.request();
        released.lock().unwrap().recv().unwrap();
        connection.answer(&content(0, 200 << 10));
    });
    let asked = AtomicUsize::new(0);
    let others = Server::start(move |_, mut connection| {
        if let Some(request) = connection.request() {
            connection.answer(&content(request.target()[1..].parse().unwrap(), 200 << 10));
            connection.end();
            if asked.fetch_add(1, Ordering::SeqCst) == 498 {
                _ = release.send(());
            }
        }
    });
    let urls = first.url("/0\n") + &(1..=500).map(|number| others.url(&format!("/{number}\n"))).collect::<String>();
    is_whole(&["--max-host-conns", "6"], &urls, &contents(0..=500, 200 << 10));
}

#[test]
fn responses_that_are_whole_hold_up_no_other_origin_nor_files() {
    let (_keep, directory) = scratch();
    // The first response comes when all others were asked for.
    let (note, asked) = mpsc::channel();
    let asked = Mutex::new(asked);
    let first = Server::start(move |_, mut connection| {
        connection.request();
        let asked = asked.lock().unwrap();
        if (1..8).all(|_| asked.recv_timeout(PATIENCE / 2).is_ok()) {
            connection.answer(&content(0, 20));
        }
    });
    let others = [0; 7].map(|_| {
        let note = Mutex::new(note.clone());
        Server::start(move |_, mut connection| {
            while let Some(request) = connection.request() {
                _ = note.lock().unwrap().send(());
                connection.answer(&content(request.target()[1..].parse().unwrap(), 20));
            }
        })
    });
    let file = |number: usize| directory.join(number.to_string());
    let list: String = (0..8)
        .map(|number| match number {
            0 => format!("url = {}\noutput = -\n", first.url("/0")),
            6 | 7 => format!("url = {}\noutput = {}\n", others[number - 1].url(&format!("/{number}")), file(number).display()),
            _ => format!("url = {}\noutput = -\n", others[number - 1].url(&format!("/{number}"))),
        })
        .collect();
    is_whole(&["--max-conns", "3"], &list, &contents(0..6, 20));
    for number in [6, 7] {
        assert_eq!(std::fs::read(file(number)).unwrap(), content(number, 20));
    }
}

/// Longer than what the spool has in memory (8 MiB).
const VERY_LONG: usize = 9 << 20;

/// A run whose spool has no directory for its file.
fn without_temporary_files(options: &[&str], urls: &str) -> Run {
    let mut command = command();
    command.args(["fetch", "-K", "-"]).args(options).env("TMPDIR", "/there-is-no-such-directory");
    finish(command.spawn().unwrap(), urls.as_bytes())
}

#[test]
fn responses_that_find_no_room_in_the_spool_are_asked_for_again_at_their_turn() {
    for (options, origins, urls, octets) in
        [(&[][..], 1, 3, VERY_LONG), (&["--max-host-conns", "2"], 1, 3, VERY_LONG), (&["--max-conns", "2"], 4, 12, VERY_LONG / 3)]
    {
        let servers: Vec<Server> = (0..origins).map(|_| answering(octets, &[0, 1])).collect();
        let list: String = (0..urls).map(|number| servers[number % origins].url(&format!("/{number}\n"))).collect();
        // The one retry is for the 503.
        let run = without_temporary_files(&[&["--retry", "1"], options].concat(), &list);
        assert_eq!(run.code, Some(0), "{options:?}: {}", run.stderr);
        assert!(run.stdout == contents(0..urls, octets), "{options:?}: {} octets", run.stdout.len());
    }
}

#[test]
fn a_response_that_finds_no_room_and_must_not_be_asked_for_again_fails() {
    let server = answering(VERY_LONG, &[0]);
    let urls: String = (0..2).map(|number| server.url(&format!("/{number}\n"))).collect();
    let run = without_temporary_files(&["--retry", "1", "-d", "x"], &urls);
    assert!(run.code == Some(1) && run.stdout == content(0, VERY_LONG), "{}", run.stderr);
    run.complains_of(&["[1]", "/there-is-no-such-directory: ", "TMPDIR", "-o"]);
}

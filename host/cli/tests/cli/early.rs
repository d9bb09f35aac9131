//! Responses that come before the request is whole.

use std::io::{BufRead, BufReader, Read, Write};

use super::program::{run, run_with_input, scratch, start, wait};
use super::server::{Connection, Server};

const UPLOAD_OCTETS: usize = 8 << 20;

/// Reads the rest of an upload of known length, or as much of it as comes.
fn rest(connection: &mut Connection) -> usize {
    let mut octets = [0; 1 << 16];
    let mut count = 0;
    while count < UPLOAD_OCTETS {
        let most = octets.len().min(UPLOAD_OCTETS - count);
        match connection.read(&mut octets[..most]) {
            Ok(0) | Err(_) => break,
            Ok(some) => count += some,
        }
    }
    count
}

/// Answers with this head as soon as it has that of the request; reports what came of the content.
fn answers_early(head: &'static str) -> (Server, std::sync::mpsc::Receiver<usize>) {
    let (report, count) = std::sync::mpsc::channel();
    let server = Server::start(move |_, mut connection| {
        while connection.head().is_some() {
            connection.write(head.as_bytes());
            _ = report.send(rest(&mut connection));
        }
    });
    (server, count)
}

#[test]
fn an_early_success_does_not_end_the_upload() {
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    std::fs::write(&file, vec![b'x'; UPLOAD_OCTETS]).unwrap();
    let file = file.to_str().unwrap();
    let of_data = format!("@{file}");
    for content in [["-T", file], ["-d", &of_data]] {
        for head in ["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"] {
            let (server, count) = answers_early(head);
            let urls = [server.url("/1"), server.url("/2")];
            let run = run(&["fetch", "--json", content[0], content[1], &urls[0], &urls[1]]).ended_with(0);
            assert_eq!((count.recv(), count.recv()), (Ok(UPLOAD_OCTETS), Ok(UPLOAD_OCTETS)), "{content:?}");
            assert!(run.json().iter().all(|line| line["ok"] == true && line["timing_ns"]["request_sent"].is_u64()));
            assert_eq!((run.stderr.as_str(), server.accepted()), ("", 1));
        }
    }
}

#[test]
fn an_early_refusal_ends_it_and_that_is_said() {
    let head = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    for (options, code) in [(&[][..], 0), (&["--fail"], 1)] {
        let (server, count) = answers_early(head);
        let run = run_with_input(&[&["fetch", "-T", "-", &server.url("/")], options].concat(), &vec![b'x'; UPLOAD_OCTETS]);
        let run = run.ended_with(code).complains_of(&["was not sent whole", "413 Too Large"]);
        assert_eq!(run.text(), if code == 0 { "no" } else { "" });
        assert!(count.recv().unwrap() < UPLOAD_OCTETS);
    }
    let (server, _count) = answers_early(head);
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    std::fs::write(&file, vec![b'x'; UPLOAD_OCTETS]).unwrap();
    let lines = run(&["fetch", "--json", "-T", file.to_str().unwrap(), &server.url("/")]).ended_with(0).json();
    assert_eq!((&lines[0]["status"], lines[0]["timing_ns"]["request_sent"].is_null()), (&413.into(), true));
}

#[test]
fn an_upload_that_breaks_after_its_response_is_a_failure() {
    let (release, released) = std::sync::mpsc::channel();
    let released = std::sync::Mutex::new(released);
    let server = Server::start(move |_, mut connection| {
        connection.head();
        connection.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
        released.lock().unwrap().recv().unwrap();
    });
    let mut child = start(&["fetch", "-v", "-T", "-", &server.url("/")]);
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || _ = stdin.write_all(&vec![b'x'; UPLOAD_OCTETS]));
    // The connection breaks once the program has the response.
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.contains("202 Accepted")));
    release.send(()).unwrap();
    let rest: Vec<String> = stderr.collect();
    assert_eq!(wait(&mut child).code(), Some(1), "{rest:?}");
    assert!(["[0]", "response-started"].iter().all(|word| rest.iter().any(|line| line.contains(word))), "{rest:?}");
}

#[test]
fn an_echo_comes_back_while_the_upload_goes_on() {
    let server = Server::start(|_, mut connection| {
        connection.head();
        connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {UPLOAD_OCTETS}\r\n\r\n").as_bytes());
        let (mut octets, mut count) = ([0; 1 << 16], 0);
        while count < UPLOAD_OCTETS {
            let some = connection.read(&mut octets).unwrap();
            connection.write(&octets[..some]);
            count += some;
        }
    });
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    let octets: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(UPLOAD_OCTETS).collect();
    std::fs::write(&file, &octets).unwrap();
    assert!(run(&["fetch", "-T", file.to_str().unwrap(), &server.url("/")]).ended_with(0).stdout == octets);
}

#[test]
fn a_conversation_line_by_line() {
    let server = Server::start(|_, mut connection| {
        connection.head();
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Some(line) = connection.chunk() {
            let answer = String::from_utf8(line).unwrap().to_uppercase();
            connection.write(format!("{:x}\r\n{answer}\r\n", answer.len()).as_bytes());
        }
        connection.write(b"0\r\n\r\n");
    });
    let mut child = start(&["fetch", "-T", "-", &server.url("/")]);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for line in ["one\n", "two\n", "three\n"] {
        stdin.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        assert_eq!(answer, line.to_uppercase());
    }
    drop(stdin);
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    assert_eq!(wait(&mut child).code(), Some(0));
}

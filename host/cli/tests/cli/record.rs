//! `--record` and `--replay`.

use std::time::Duration;

use serde_json::Value;

use super::program::{Run, drain, run, scratch, start, wait};
use super::server::{Connection, Server, dead_port};

/// Answers what it is asked for; the fourth request of a connection gets half a response, and a reset.
fn moody() -> Server {
    Server::start(|_, mut connection: Connection| {
        for number in 1.. {
            let Some(request) = connection.request() else { return };
            match number {
                2 => connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"),
                4 => return connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
                _ => connection.answer(request.target().as_bytes()),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    })
}

/// Its lines without times, in the order of the URLs.
fn lines(run: &Run) -> Vec<Value> {
    let mut lines = run.json();
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("timing_ns");
        line.get_mut("tls").map(|tls| tls.as_object_mut().unwrap().remove("duration_ns"));
    }
    lines.sort_by_key(|line| line["index"].as_u64());
    lines
}

#[test]
fn a_replay_gives_the_same_lines_without_the_servers() {
    let (_keep, directory) = scratch();
    let file = directory.join("recording");
    let file = file.to_str().unwrap();
    let server = moody();
    let mut urls: Vec<String> = (0..6).map(|number| server.url(&format!("/{number}"))).collect();
    urls.push(format!("http://{}/", dead_port()));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let recorded = run(&[&["fetch", "--json", "--record", file], urls.as_slice()].concat()).ended_with(1);
    let connections = server.accepted();
    assert!(recorded.json().iter().any(|line| line["ok"] == true) && recorded.json().iter().any(|line| line["ok"] == false));
    for _ in 0..2 {
        let replayed = run(&[&["fetch", "--json", "--replay", file], urls.as_slice()].concat()).ended_with(1);
        assert_eq!(lines(&replayed), lines(&recorded));
        assert!(!replayed.stderr.contains("--replay"), "{}", replayed.stderr);
    }
    assert_eq!(server.accepted(), connections);
}

/// Where the recordings of an earlier program are: see the file `README.md` there.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");

#[test]
fn recordings_of_an_earlier_program_are_replayed_with_the_same_story() {
    let authority = format!("{RECORDINGS}/authority.pem");
    let of_secured = ["--cacert", &authority, "-d", "content"];
    let (plain, secured) = ("http://localhost:18080", "https://localhost:18443");
    for (name, options, origin, targets) in [
        ("plain", &["-H", "X-Test:yes"][..], plain, &["/hello", "/chunked", "/hints", "/close", "/cut"][..]),
        ("secured", &of_secured, secured, &["/echo", "/hello", "/close"]),
    ] {
        let mut urls: Vec<String> = targets.iter().map(|target| format!("{origin}{target}")).collect();
        urls.extend((name == "plain").then(|| "http://127.0.0.1:9/refused".to_owned()));
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let recording = format!("{RECORDINGS}/{name}.recording");
        let arguments = ["fetch", "--json", "--depth", "1", "-A", "example/1", "--replay", &recording];
        let replayed = run(&[&arguments, options, &urls].concat()).ended_with(1);
        let reported = std::fs::read_to_string(format!("{RECORDINGS}/{name}.json")).unwrap();
        let reported: Vec<Value> = reported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines(&replayed), reported, "{name}");
        assert!(!replayed.stderr.contains("--replay"), "{}", replayed.stderr);
    }
}

#[test]
fn a_recording_of_another_version_is_refused_by_its_version() {
    let (_keep, directory) = scratch();
    let file = directory.join("recording");
    let text = std::fs::read_to_string(format!("{RECORDINGS}/plain.recording")).unwrap();
    std::fs::write(&file, text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    let words = ["it is a recording of version 2, and version 1 is what can be read"];
    run(&["fetch", "--replay", file.to_str().unwrap(), "http://127.0.0.1:1/"]).ended_with(2).complains_of(&words);
}

#[test]
fn another_request_is_told_with_its_octet() {
    let (_keep, directory) = scratch();
    let file = directory.join("recording");
    let file = file.to_str().unwrap();
    let server = Server::echo();
    run(&["fetch", "--record", file, &server.url("/a")]).ended_with(0);
    assert_eq!(run(&["fetch", "--replay", file, &server.url("/a")]).ended_with(0).text(), "/a");
    let words = ["--replay: connection 1 writes something else at octet 5: \"b HTTP/1.1", "recorded is \"a HTTP/1.1"];
    run(&["fetch", "--replay", file, &server.url("/b")]).ended_with(1).complains_of(&words);
    run(&["fetch", "--replay", file, "http://127.0.0.1:1/a"])
        .ended_with(1)
        .complains_of(&["no further connection to 127.0.0.1:1"]);
    assert_eq!(server.accepted(), 1);
}

#[test]
fn what_is_no_recording_ends_with_2() {
    let (_keep, directory) = scratch();
    let file = directory.join("foreign");
    std::fs::write(&file, "{}").unwrap();
    let file = file.to_str().unwrap();
    run(&["fetch", "--replay", file, "http://127.0.0.1:1/"]).ended_with(2).complains_of(&[file, "not a recording of sandpiper"]);
    run(&["fetch", "--replay", "/no/such/file", "http://127.0.0.1:1/"]).ended_with(2).complains_of(&["/no/such/file"]);
    run(&["fetch", "--record", "/no/such/directory/file", "http://127.0.0.1:1/"])
        .ended_with(2)
        .complains_of(&["/no/such/directory"]);
    run(&["fetch", "--record", file, "--replay", file, "http://127.0.0.1:1/"]).ended_with(2);
}

#[test]
fn ctrl_c_leaves_a_recording_that_plays_as_far_as_it_goes() {
    let (_keep, directory) = scratch();
    let file = directory.join("recording");
    let file = file.to_str().unwrap();
    let (report, reached) = std::sync::mpsc::channel();
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.answer(b"first");
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        _ = report.send(());
        connection.linger();
    });
    let urls = [server.url("/1"), server.url("/2")];
    let mut child = start(&["fetch", "--record", file, &urls[0], &urls[1]]);
    reached.recv().unwrap();
    while !recorded_half(file) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let stdout = drain(child.stdout.take().unwrap());
    assert_eq!(wait(&mut child).code(), Some(130));
    let recorded = stdout.join().unwrap();
    let replayed = run(&["fetch", "--replay", file, &urls[0], &urls[1]]).ended_with(1);
    assert_eq!((replayed.text(), recorded.as_slice()), ("firsthalf", b"firsthalf".as_slice()));
    replayed.complains_of(&["--replay: the recording ends before connection 1 does"]);
}

/// Has the last block been written to the recording?
fn recorded_half(file: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap();
    let reads = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|line| line["what"] == "read");
    reads.count() == 2
}

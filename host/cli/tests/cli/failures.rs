//! Every way to fail is its own error: which request, which connection, what is known, what to do.

use std::io::Read;
use std::time::{Duration, Instant};

use super::program::{PATIENCE, Run, drain, finish, names_in, run, scratch, shell, start, wait};
use super::server::{Server, dead_port, never_accepts};

#[track_caller]
fn fails(arguments: &[&str], words: &[&str]) -> Run {
    run(&[&["fetch"], arguments].concat()).ended_with(1).complains_of(words)
}

#[test]
fn a_wrong_url_ends_it_before_anything_is_sent() {
    let server = Server::echo();
    for wrong in ["http://h:99999/", "ftp://h/", "not a url", "localhost:80/x", "http://h/a\tb"] {
        let run = run(&["fetch", &server.url("/"), wrong]).ended_with(2).complains_of(&[&wrong.replace('\t', "\\t")]);
        assert_eq!(run.text(), "");
    }
    let secret = run(&["fetch", "http://user:secret@h/"]).ended_with(2).complains_of(&["http://***@h/", "-u"]);
    assert!(!secret.stderr.contains("secret"), "{}", secret.stderr);
    assert_eq!(server.accepted(), 0);
}

#[test]
fn wrong_arguments_end_with_2() {
    for arguments in
        [&["fetch"][..], &["fetch", "--depth", "0", "http://h/"], &["fetch", "-H", "none", "http://h/"], &["nothing"], &[]]
    {
        run(arguments).ended_with(2);
    }
}

#[test]
fn an_unknown_host() {
    fails(&["http://no-such-host.invalid/"], &["[0] http://no-such-host.invalid/", "dns(", "connection 1", "not-sent"]);
}

#[test]
fn a_refused_connection() {
    let url = format!("http://{}/", dead_port());
    fails(&[&url], &[&format!("[0] {url}"), "connect(refused)", "connection 1", "not-sent"]);
}

#[test]
fn an_address_that_no_server_has() {
    let port = dead_port().port();
    fails(&[&format!("http://0.0.0.0:{port}/")], &["use 127.0.0.1"]);
    fails(&[&format!("http://[::ffff:127.0.0.1]:{port}/")], &["write the IPv4 address"]);
}

#[test]
fn an_output_that_takes_nothing() {
    let server = Server::echo();
    fails(&["-o", "/dev/full", &server.url("/")], &["/dev/full", "connection 1", "delivery response-started"]);
}

#[test]
fn what_cannot_be_stored_is_not_asked_for() {
    let (_keep, directory) = scratch();
    let long = directory.join("n".repeat(256));
    let below = directory.join("no/f");
    let server = Server::echo();
    for (output, why) in [
        ("", "a file needs a name"),
        ("/proc/sandpiper", "no file can be made in the directory /proc"),
        (directory.to_str().unwrap(), "this is a directory"),
        (long.to_str().unwrap(), "too long"),
        (below.to_str().unwrap(), "there is no directory"),
        ("/dev/fd/60", "started without this descriptor"),
    ] {
        run(&["fetch", "-d", "x", "-o", output, &server.url("/")]).ended_with(2).complains_of(&["-o", why]);
    }
    run(&["fetch", "-d", "x", "-D", below.to_str().unwrap(), &server.url("/")]).ended_with(2).complains_of(&["-D"]);
    run(&["fetch", "-d", "x", "-O", &server.url("/")]).ended_with(2).complains_of(&["ends without a name"]);
    assert_eq!((server.accepted(), names_in(&directory)), (0, Vec::new()));
}

#[test]
fn a_limit_that_was_reached_names_its_option_and_can_be_raised() {
    let server = Server::start(|_, mut connection| {
        while connection.request().is_some() {
            let head = format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 2\r\n\r\nok", "a".repeat(2000));
            connection.write(head.as_bytes());
        }
    });
    let low = ["--limit", "head-octets=1K", &server.url("/")];
    fails(&low, &["limit-exceeded(head-octets)", "--limit head-octets=OCTETS"]);
    let raised = run(&["fetch", "--limit", "head-octets=1K", "--limit", "head-octets=4K", &server.url("/")]).ended_with(0);
    assert_eq!(raised.text(), "ok");
}

#[test]
fn a_limit_that_the_component_does_not_take_is_refused_before_anything_is_sent() {
    let server = Server::echo();
    let arguments = ["fetch", "--limit", "field-lines=100", "--limit", "head-octets=1", &server.url("/")];
    run(&arguments)
        .ended_with(2)
        .complains_of(&["--limit head-octets=1: the component does not take this value. Of a connection: octets of ", "default"]);
    assert_eq!(server.accepted(), 0);
}

#[test]
fn a_defect_that_can_be_tolerated_names_its_option() {
    for (head, leniency) in [
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\n", "bare-lf"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n", "line-folding"),
        ("HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\n", "space-before-colon"),
        ("HTTP/1.1 200 OK\r\nA b\r\nContent-Length: 2\r\n\r\n", "skip-invalid-lines"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", "equal-content-lengths"),
        ("\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "leading-empty-line"),
        ("", "http09"),
    ] {
        let server = Server::start(move |_, mut connection| {
            connection.request();
            connection.write([head.as_bytes(), b"ok"].concat().as_slice());
        });
        fails(&[&server.url("/")], &["peer-misbehaved(", &format!("--lenient {leniency}")]);
        let run = run(&["fetch", "--lenient", leniency, &server.url("/")]).ended_with(0);
        assert_eq!(run.text(), "ok", "{leniency}");
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write("HTTP/1.1 404 a\u{9b}31mb\r\nContent-Length: 0\r\n\r\n".as_bytes());
    });
    let refused = fails(&["--fail", &server.url("/")], &["404"]);
    assert!(!refused.stderr.contains(|character: char| character.is_control() && character != '\n'), "{:?}", refused.stderr);
    let wrong = run(&["fetch", "http://no\u{9b}-such.invalid/\u{1b}[31m"]).ended_with(2);
    assert!(!wrong.stderr.contains(|character: char| character.is_control() && character != '\n'), "{:?}", wrong.stderr);
}

#[test]
fn a_host_that_is_not_allowed() {
    let (allowed, other) = (Server::echo(), Server::echo());
    let allow = allowed.address.to_string();
    let run = fails(
        &["--allow", &allow, &allowed.url("/a"), &other.url("/b")],
        &["[1]", &other.url("/b"), "denied(", "not-sent", "--allow"],
    );
    assert_eq!((run.text(), other.accepted()), ("/a", 0));
}

#[test]
fn garbage() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"SSH-2.0-OpenSSH_9.2\r\n");
        connection.linger();
    });
    let run = fails(&[&server.url("/")], &["[0]", "peer-misbehaved(not-http)", "connection 1"]);
    assert_eq!(run.text(), "");
    let json = fails(&["--json", &server.url("/")], &[]).json();
    assert_eq!(json[0]["ok"], false);
    assert_eq!(
        (&json[0]["error"], &json[0]["detail"], &json[0]["connection"]),
        (&"peer-misbehaved".into(), &"not-http".into(), &1.into())
    );
    let keys: Vec<&String> = json[0].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 7, "{keys:?}");
}

fn stops_in_the_middle() -> Server {
    Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    })
}

#[test]
fn half_a_response_on_standard_output_is_called_half() {
    let server = stops_in_the_middle();
    let run =
        fails(&[&server.url("/")], &["[0]", "incomplete(ended)", "connection 1", "response-started", "4 octets", "not whole"]);
    assert_eq!(run.text(), "half");
}

#[test]
fn half_a_response_never_becomes_a_file() {
    let server = stops_in_the_middle();
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    let name = file.to_str().unwrap();
    fails(&["-o", name, &server.url("/")], &["incomplete(ended)", "was not written", "4 octets removed"]);
    assert_eq!(names_in(&directory), [""; 0]);
    std::fs::write(&file, "before").unwrap();
    fails(&["-o", name, &server.url("/")], &["unchanged"]);
    assert_eq!((names_in(&directory), std::fs::read(&file).unwrap()), (vec!["f".to_owned()], b"before".to_vec()));
}

#[test]
fn a_server_that_never_answers() {
    let server = Server::start(|_, mut connection| connection.linger());
    let started = Instant::now();
    fails(&["--max-time", "0.5", &server.url("/")], &["[0]", "timed-out(total)", "connection 1", "unanswered"]);
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_server_that_never_accepts() {
    let Some((address, ..)) = &never_accepts() else {
        return;
    };
    let url = format!("http://{address}/");
    fails(&["--connect-timeout", "0.3", &url], &["timed-out(connect)", "not-sent"]);
}

#[test]
fn the_other_requests_live() {
    let server = Server::start(|number, mut connection| {
        while let Some(request) = connection.request() {
            if request.target() == "/bad" {
                return connection.write(b"garbage\r\n\r\n");
            }
            connection.answer(format!("{}@{number} ", request.target()).as_bytes());
        }
    });
    let mut urls: Vec<String> = (0..20).map(|number| server.url(&format!("/{number}"))).collect();
    urls[1] = server.url("/bad");
    let mut arguments: Vec<&str> = urls.iter().map(String::as_str).collect();
    // One at a time: the requests behind the bad one never left on its connection.
    arguments.extend(["--depth", "1"]);
    let run = fails(&arguments, &["[1]", "peer-misbehaved"]);
    // The bad one went once more by itself, on a connection of its own.
    let later: String = (2..20).map(|number| format!("/{number}@3 ")).collect();
    assert_eq!(run.text(), format!("/0@1 {later}"));
}

#[test]
fn a_signal_ends_it_and_says_what_was_unfinished() {
    for (signal, status, word) in [("-HUP", 129, "hung up"), ("-INT", 130, "interrupted"), ("-TERM", 143, "terminated")] {
        ends_on(signal, status, word);
    }
}

fn ends_on(signal: &str, status: i32, word: &str) {
    let (report, reached) = std::sync::mpsc::channel();
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        _ = report.send(());
        connection.linger();
    });
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    let url = server.url("/");
    let mut child = start(&["fetch", "-o", file.to_str().unwrap(), &url]);
    reached.recv().unwrap();
    while names_in(&directory).is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Instant::now();
    assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let stderr = drain(child.stderr.take().unwrap());
    assert_eq!(wait(&mut child).code(), Some(status));
    assert!(killed.elapsed() < PATIENCE);
    let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
    assert!(stderr.contains(&format!("{word}: 1 of 1 exchanges unfinished: [0] {url}")), "{stderr}");
    assert_eq!(names_in(&directory), [""; 0]);
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let (report, reached) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel();
    let released = std::sync::Mutex::new(released);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        _ = report.send(());
        released.lock().unwrap().recv().unwrap();
        connection.answer(b"whole");
    });
    let child = shell("trap '' HUP; exec \"$@\"", &["fetch", &server.url("/")]);
    reached.recv().unwrap();
    assert!(std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    release.send(()).unwrap();
    assert_eq!(finish(child, b"").ended_with(0).text(), "whole");
}

#[test]
fn a_closed_standard_output_ends_it_quietly() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let piece = vec![b'x'; 1 << 16];
        (0..1000).for_each(|_| connection.write(&piece));
        connection.linger();
    });
    let mut child = start(&["fetch", &server.url("/")]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let stderr = drain(child.stderr.take().unwrap());
    assert_eq!(wait(&mut child).code(), Some(141));
    assert_eq!(stderr.join().unwrap(), b"");
}

#[test]
fn a_component_that_is_none() {
    let (_keep, directory) = scratch();
    let file = directory.join("no.wasm");
    std::fs::write(&file, "no component").unwrap();
    let name = file.to_str().unwrap();
    run(&["fetch", "--component", name, "http://127.0.0.1:1/"]).ended_with(2).complains_of(&[name]);
    run(&["fetch", "--component", "/no/such/file", "http://127.0.0.1:1/"]).ended_with(2).complains_of(&["/no/such/file"]);
}

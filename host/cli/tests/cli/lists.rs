//! URLs from files, `--resolve`, and what `--summary` and a terminal say about many exchanges.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use super::program::{PATIENCE, drain, names_in, run, run_with_input, scratch, start, wait};
use super::server::{Server, dead_port};
use super::terminal::on_terminal;

#[test]
fn urls_come_from_the_command_line_then_from_files_then_in_the_order_of_the_lines() {
    let server = Server::echo();
    let (_keep, directory) = scratch();
    let (first, second) = (directory.join("first"), directory.join("second"));
    fs::write(&first, format!("# two\n{}\r\n\n  {}\n", server.url("/a"), server.url("/b#part"))).unwrap();
    fs::write(&second, format!("url = \"{}\"", server.url("/c"))).unwrap();
    let files = ["-K", first.to_str().unwrap(), "-K", second.to_str().unwrap()];
    let fetched = run(&[&["fetch", &server.url("/0")], &files[..]].concat()).ended_with(0);
    assert_eq!(fetched.text(), "/0/a/b/c");
    let piped = run_with_input(&["fetch", "-K", "-", &server.url("/0")], server.url("/1").as_bytes()).ended_with(0);
    assert_eq!(piped.text(), "/0/1");
}

#[test]
fn a_file_names_the_outputs_of_its_urls() {
    let server = Server::echo();
    let (_keep, directory) = scratch();
    let lines = format!(
        "url = {}\noutput = {dir}/one\n{}\noutput = {dir}/number-{{}}\n{}\n",
        server.url("/1"),
        server.url("/2"),
        server.url("/3"),
        dir = directory.display()
    );
    let fetched = run_with_input(&["fetch", "-K", "-"], lines.as_bytes()).ended_with(0);
    assert_eq!((fetched.text(), names_in(&directory)), ("/3", vec!["number-1".to_owned(), "one".to_owned()]));
    assert_eq!(fs::read(directory.join("number-1")).unwrap(), b"/2");
    for other in [&["--json"][..], &["-o", "x-{}"]] {
        run_with_input(&[&["fetch", "-K", "-"], other].concat(), lines.as_bytes()).ended_with(2).complains_of(&["output = FILE"]);
    }
}

#[test]
fn a_wrong_line_ends_it_before_anything_is_sent() {
    let server = Server::echo();
    let lines = format!("{}\nlocalhost:80/x\n\nproxy = y\n", server.url("/"));
    let wrong = run_with_input(&["fetch", "-K", "-"], lines.as_bytes()).ended_with(2);
    wrong.complains_of(&["standard input, line 2: `localhost:80/x`", "write http://localhost:80/x", "line 4: `proxy`"]);
    for (arguments, why) in [
        (&["fetch", "-K", "/no/such/file"][..], "-K /no/such/file: No such file"),
        (&["fetch", "-K", "/dev/null"], "/dev/null: it holds no URL"),
        (&["fetch", "-"], "-K - reads URLs"),
        (&["fetch", "-K", "-", "-T", "-"], "would both read standard input"),
        (&["fetch"], "required"),
    ] {
        assert_eq!(run(arguments).ended_with(2).complains_of(&[why]).text(), "");
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn wrong_limits_name_the_option_and_what_is_allowed() {
    for (arguments, words) in [
        (&["--max-conns", "0"][..], &["'0'", "--max-conns", "1..=1000"][..]),
        (&["--max-host-conns", "many"], &["'many'", "--max-host-conns", "invalid digit"]),
        (&["-Z", "--parallel-max", "1001"], &["'1001'", "--parallel-max", "1..=1000"]),
        (&["--parallel-max", "5"], &["--parallel"]),
        (&["--resolve", "h:80"], &["'h:80'", "--resolve", "write HOST:PORT:ADDR"]),
        (&["--resolve", "h:80:name"], &["`name` is not an IPv4 or IPv6 address"]),
        (&["--retry", "1001"], &["--retry", "0..=1000"]),
    ] {
        run(&[&["fetch", "http://h/"], arguments].concat()).ended_with(2).complains_of(words);
    }
}

#[test]
fn given_addresses_are_used_instead_of_a_lookup() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            connection.answer(request.field("Host").unwrap().as_bytes());
        }
    });
    let port = server.address.port();
    let url = format!("http://no-such-name.invalid:{port}/");
    let name = format!("no-such-name.invalid:{port}");
    // The first address refuses.
    for resolve in [format!("{name}:127.0.0.1"), format!("{name}:127.0.0.2,127.0.0.1"), format!("*:{port}:127.0.0.1")] {
        assert_eq!(run(&["fetch", "--resolve", &resolve, &url]).ended_with(0).text(), name, "{resolve}");
    }
    let other_port = format!("no-such-name.invalid:{}:127.0.0.1", dead_port().port());
    run(&["fetch", "--resolve", &other_port, &url]).ended_with(1).complains_of(&["dns("]);
    let resolve = format!("{name}:127.0.0.1");
    let denied = ["fetch", "--resolve", &resolve, "--allow", &name, &url];
    run(&denied).ended_with(1).complains_of(&["denied(connect)", &format!("127.0.0.1:{port}"), "--allow"]);
}

#[test]
fn a_summary_has_a_line_for_each_origin() {
    let (server, dead) = (Server::echo(), dead_port());
    let lines = format!("{0}\n{0}\n{0}\nhttp://{dead}/\n", server.url("/four"));
    let told = run_with_input(&["fetch", "-K", "-", "--summary", "--retry", "1"], lines.as_bytes()).ended_with(1);
    let row = |beginning: &str| {
        let line = told.stderr.lines().find(|line| line.starts_with(beginning)).unwrap();
        let columns: Vec<&str> = line.split_whitespace().collect();
        [&columns[1..7], &columns[9..]].concat().join(" ")
    };
    // requests, ok, repeated, opened, reused, octets; failed.
    assert_eq!(row(&format!("http://{}", server.address)), "3 3 0 1 2 15 -");
    assert_eq!(row(&format!("http://{dead}")), "1 0 1 2 0 0 connect 1");
    assert_eq!(row("total"), "4 3 1 3 2 15 connect 1");
    assert_eq!(told.text(), "/four/four/four");

    let json = run_with_input(&["fetch", "-K", "-", "--summary", "--json"], lines.as_bytes()).ended_with(1);
    assert!(!json.stderr.contains("requests"), "{}", json.stderr);
    let mut lines = json.json();
    let last = lines.pop().unwrap();
    assert!(lines.len() == 4 && lines.iter().all(|line| line["summary"].is_null()));
    assert_eq!((&last["summary"]["total"]["ok"], &last["summary"]["origins"][1]["failed"]["connect"]), (&3.into(), &1.into()));
    let refused = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        connection.linger();
    });
    run(&["fetch", "--summary", "--fail", &refused.url("/")]).ended_with(1).complains_of(&["status 1"]);
}

/// Answers each request after a second and a half.
fn takes_its_time() -> Server {
    Server::start(|_, mut connection| {
        while connection.request().is_some() {
            std::thread::sleep(Duration::from_millis(1500));
            connection.answer(b"late");
        }
    })
}

#[test]
fn a_terminal_shows_counts_and_a_pipe_does_not() {
    let server = takes_its_time();
    let (_keep, directory) = scratch();
    let (into, url) = (format!("{}/{{}}", directory.display()), server.url("/"));
    let Some((shown, _)) = on_terminal(&["-Z", "--parallel-max", "2", "-o", &into, &url, &url, &url]) else {
        return;
    };
    for words in
        ["0 done 2 active 1 queued, 2 open 0 idle 0 reused, 0 repeated", "2 done 1 active 0 queued, 2 open 1 idle 1 reused"]
    {
        assert!(shown.contains(words), "{shown:?}");
    }
    let piped = run(&["fetch", "-Z", &url, &url]).ended_with(0);
    assert_eq!((piped.text(), piped.stderr.as_str()), ("latelate", ""));
}

#[test]
fn ctrl_c_among_many_says_how_many_are_left() {
    let server = Server::start(|number, mut connection| {
        while let Some(request) = connection.request() {
            match number {
                1 => connection.answer(request.target().as_bytes()),
                _ => return connection.linger(),
            }
        }
    });
    let (_keep, directory) = scratch();
    let file = directory.join("urls");
    fs::write(&file, format!("{}\n", server.url("/x")).repeat(50)).unwrap();
    let mut child = start(&["fetch", "-K", file.to_str().unwrap(), "--json", "-Z", "--parallel-max", "3"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // All but the requests of the two connections that are not answered.
    assert_eq!(lines.by_ref().take(40).filter(|line| line.is_ok()).count(), 40);
    let killed = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let stderr = drain(child.stderr.take().unwrap());
    let lines = 40 + lines.count();
    assert_eq!(wait(&mut child).code(), Some(130));
    assert!(killed.elapsed() < PATIENCE);
    let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
    assert!(stderr.contains(&format!("interrupted: {} of 50 exchanges unfinished", 50 - lines)), "{lines} lines, then: {stderr}");
}

//! Contents, heads and JSON.

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::program::{names_in, run, scratch, start, wait};
use super::server::Server;

#[test]
fn contents_come_in_the_order_of_the_urls_over_one_connection() {
    let server = Server::echo();
    let urls: Vec<String> = (0..150).map(|number| server.url(&format!("/{number}?"))).collect();
    let arguments: Vec<&str> = std::iter::once("fetch").chain(urls.iter().map(String::as_str)).collect();
    let run = run(&arguments).ended_with(0);
    let expected: String = (0..150).map(|number| format!("/{number}?")).collect();
    assert_eq!((run.text(), run.stderr.as_str()), (expected.as_str(), ""));
    assert_eq!(server.accepted(), 1);
}

#[test]
fn requests_are_pipelined_once_the_server_has_shown_that_it_can() {
    let server = Server::start(|_, mut connection| {
        let first = connection.request().unwrap();
        connection.answer(first.target().as_bytes());
        // Neither answer before both requests.
        let both = [connection.request().unwrap(), connection.request().unwrap()];
        for request in both {
            connection.answer(request.target().as_bytes());
        }
        connection.linger();
    });
    let run = run(&["fetch", &server.url("/a"), &server.url("/b"), &server.url("/c")]).ended_with(0);
    assert_eq!((run.text(), server.accepted()), ("/a/b/c", 1));
}

#[test]
fn origins_run_at_once_and_outputs_keep_their_order() {
    let both = Arc::new(Barrier::new(2));
    let meet = || {
        let both = Arc::clone(&both);
        Server::start(move |_, mut connection| {
            let request = connection.request().unwrap();
            both.wait();
            connection.answer(request.target().as_bytes());
            connection.linger();
        })
    };
    let (one, two) = (meet(), meet());
    let run = run(&["fetch", &one.url("/one"), &two.url("/two")]).ended_with(0);
    assert_eq!(run.text(), "/one/two");
}

#[test]
fn a_response_whose_turn_has_not_come_is_not_read() {
    const OCTETS: usize = 64 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let large = Server::start(move |_, mut connection| {
        connection.request().unwrap();
        connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {OCTETS}\r\n\r\n").as_bytes());
        let piece = vec![b'x'; 1 << 16];
        for _ in (0..OCTETS).step_by(piece.len()) {
            connection.write(&piece);
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
        connection.linger();
    });
    let slow = Server::start(move |_, mut connection| {
        connection.request().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        connection.answer(format!("{} ", sent.load(Ordering::SeqCst)).as_bytes());
        connection.linger();
    });
    let run = run(&["fetch", &slow.url("/"), &large.url("/")]).ended_with(0);
    let (sent, content) = run.text().split_once(' ').unwrap();
    assert_eq!(content.len(), OCTETS);
    assert!(sent.parse::<usize>().unwrap() < OCTETS / 2, "{sent} octets were taken before their turn");
}

#[test]
fn heads_are_written_with_i_and_requested_with_capital_i() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.head.split(' ').next() {
                Some("HEAD") => connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                _ => connection.write(
                    b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 200 \r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi",
                ),
            }
        }
    });
    let url = server.url("/");
    assert_eq!(run(&["fetch", &url]).ended_with(0).text(), "hi");
    let heads = "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 200 \r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(run(&["fetch", "-i", &url]).ended_with(0).text(), heads);
    assert_eq!(run(&["fetch", "-I", &url]).ended_with(0).text(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

#[test]
fn a_head_is_shown_as_it_came() {
    const HEAD: &str = "HTTP/1.1 200  Fine \r\nX-A:b \t\r\nx-a:   c\r\nContent-Length:0\r\n\r\n";
    let server = Server::start(|_, mut connection| {
        while connection.request().is_some() {
            connection.write(HEAD.as_bytes());
        }
    });
    let url = server.url("/");
    assert_eq!(run(&["fetch", "-i", &url]).ended_with(0).text(), HEAD);
    assert_eq!(run(&["fetch", "-I", &url]).ended_with(0).text(), HEAD);
    assert_eq!(run(&["fetch", "-D", "-", &url]).ended_with(0).text(), HEAD);
}

#[test]
fn heads_go_to_a_file_of_their_own() {
    let (_keep, directory) = scratch();
    let heads = directory.join("deep/heads");
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let head = format!("HTTP/1.1 103 \r\nA: {0}\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n", request.target());
            connection.write(format!("{head}hi").as_bytes());
        }
    });
    let name = heads.to_str().unwrap();
    let run = run(&["fetch", "--create-dirs", "-D", name, &server.url("/1"), &server.url("/2")]).ended_with(0);
    assert_eq!(run.text(), "hihi");
    let head = |target: &str| format!("HTTP/1.1 103 \r\nA: {target}\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n");
    assert_eq!(std::fs::read_to_string(heads).unwrap(), head("/1") + &head("/2"));
}

#[test]
fn the_request_is_what_was_asked_for() {
    let server = Server::start(|_, mut connection| {
        let request = connection.request().unwrap();
        connection.answer(&[request.head.as_bytes(), &request.content].concat());
    });
    let run = run(&[
        "fetch",
        "-X",
        "PATCH",
        "-H",
        "X-One: 1",
        "-H",
        "x-one: 2",
        "-H",
        "User-Agent:",
        "-d",
        "a=1",
        "-d",
        "b=2",
        &server.url("/p?q#f"),
    ]);
    let run = run.ended_with(0);
    let (head, content) = run.text().split_once("\r\n\r\n").unwrap();
    assert_eq!(content, "a=1&b=2");
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "PATCH /p?q HTTP/1.1");
    let host = format!("Host: {}", server.address);
    for line in
        ["X-One: 1", "x-one: 2", "Accept: */*", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 7", &host]
    {
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    assert!(!head.to_ascii_lowercase().contains("user-agent"));
}

#[test]
fn json_has_every_part_of_an_exchange() {
    let server = Server::start(|_, mut connection| {
        connection.request().unwrap();
        connection.write(
            b"HTTP/1.1 103 Early\r\nLink: </s>\r\n\r\nHTTP/1.1 200 O\xe9\r\nServer: t\xfc\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        connection.write(b"3\r\n\x00\xff!\r\n0\r\nX-Sum: 1\r\n\r\n");
        connection.linger();
    });
    let url = server.url("/j");
    let run = run(&["fetch", "--json", &url]).ended_with(0);
    let expected = format!(
        r#"{{"index":0,"url":"{url}","ok":true,"status":200,"reason":"Oé","version":"HTTP/1.1","fields":[["Server","tü"],["Transfer-Encoding","chunked"]],"content_base64":"AP8h","trailers":[["X-Sum","1"]],"interim":[{{"status":103,"reason":"Early","fields":[["Link","</s>"]]}}],"connection":1,"timing_ns":{{"#
    );
    assert!(run.text().starts_with(&expected), "{}", run.text());
    let timing = &run.json()[0]["timing_ns"];
    let step = |name: &str| timing[name].as_u64().unwrap();
    let steps = ["request_started", "request_sent", "response_started", "response_head", "response_ended"].map(step);
    assert!(steps.is_sorted() && steps[4] > 0, "{steps:?}");
}

#[test]
fn json_comes_in_the_order_of_completion() {
    let (release, released) = std::sync::mpsc::channel();
    let released = std::sync::Mutex::new(released);
    let slow = Server::start(move |_, mut connection| {
        connection.request().unwrap();
        released.lock().unwrap().recv().unwrap();
        connection.answer(b"slow");
    });
    let fast = Server::start(move |_, mut connection| {
        connection.request().unwrap();
        connection.answer(b"fast");
    });
    let mut child = start(&["fetch", "--json", &slow.url("/"), &fast.url("/")]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut index = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap()["index"].as_u64();
    assert_eq!(index(), Some(1));
    // The second line cannot come before the first one has been read.
    release.send(()).unwrap();
    assert_eq!(index(), Some(0));
    assert!(wait(&mut child).success());
}

#[test]
fn json_contents_have_a_limit() {
    let server = Server::echo();
    let run = run(&["fetch", "--json", "--max-content", "3", &server.url("/12"), &server.url("/123")]).ended_with(1);
    let lines = run.json();
    assert_eq!(lines[0]["ok"], true);
    assert_eq!((&lines[1]["error"], &lines[1]["detail"]), (&"limit-exceeded".into(), &"content-octets".into()));
    assert_eq!(lines[1]["delivery"], "response-started");
}

#[test]
fn files_are_written_by_index_or_one_by_one() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (a, b) = (server.url("/a"), server.url("/b"));
    let by_index = run(&["fetch", "-o", &path("page-{}.txt"), &a, &b]).ended_with(0);
    assert_eq!((by_index.text(), by_index.stderr.as_str()), ("", ""));
    assert_eq!(std::fs::read(path("page-0.txt")).unwrap(), b"/a");
    assert_eq!(std::fs::read(path("page-1.txt")).unwrap(), b"/b");
    let mixed = run(&["fetch", "-o", &path("x"), "-o", "-", &a, &b]).ended_with(0);
    assert_eq!((mixed.text(), std::fs::read(path("x")).unwrap()), ("/b", b"/a".to_vec()));
    run(&["fetch", "-o", &path("y"), &a, &b]).ended_with(2).complains_of(&["2 URLs and 1 -o"]);
    assert_eq!(names_in(&directory), ["page-0.txt", "page-1.txt", "x"]);
}

#[test]
fn status_400_fails_only_with_f() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let status = if request.target() == "/good" { "200 OK" } else { "404 Not Found" };
            connection.write(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n<>").as_bytes());
        }
    });
    let (_keep, directory) = scratch();
    let file = directory.join("f").to_str().unwrap().to_owned();
    let (bad, good) = (server.url("/bad"), server.url("/good"));
    assert_eq!(run(&["fetch", &bad]).ended_with(0).text(), "<>");
    let both = run(&["fetch", "-f", &bad, &good]).ended_with(1).complains_of(&["[0]", &bad, "404 Not Found"]);
    assert_eq!(both.text(), "<>");
    run(&["fetch", "-f", "-o", &file, &bad]).ended_with(1);
    assert_eq!(names_in(&directory), [""; 0]);
    let kept = run(&["fetch", "--fail-with-body", "-o", &file, &bad]).ended_with(1).complains_of(&["404", "--fail-with-body"]);
    assert_eq!((kept.text(), std::fs::read(&file).unwrap()), ("", b"<>".to_vec()));
    let json = run(&["fetch", "-f", "--json", &bad]).ended_with(1);
    assert_eq!((&json.json()[0]["ok"], &json.json()[0]["status"]), (&true.into(), &404.into()));
}

#[test]
fn a_server_of_http10_gets_a_connection_per_request() {
    let server = Server::start(|_, mut connection| {
        let request = connection.request().unwrap();
        connection.write(format!("HTTP/1.0 200 OK\r\n\r\n{}", request.target()).as_bytes());
    });
    let run = run(&["fetch", &server.url("/1"), &server.url("/2"), &server.url("/3")]).ended_with(0);
    assert_eq!((run.text(), server.accepted()), ("/1/2/3", 3));
}

#[test]
fn persistence_close_asks_the_server_to_close() {
    let server = Server::start(|_, mut connection| {
        let request = connection.request().unwrap();
        connection.answer(format!("{} ", request.field("Connection").unwrap_or("none")).as_bytes());
        connection.linger();
    });
    let run = run(&["fetch", "--persistence", "close", &server.url("/1"), &server.url("/2")]).ended_with(0);
    assert_eq!((run.text(), server.accepted()), ("close close ", 2));
}

#[test]
fn a_large_content_passes_through_in_little_memory() {
    const OCTETS: u64 = 256 << 20;
    let server = Server::start(|_, mut connection| {
        connection.request().unwrap();
        connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {OCTETS}\r\n\r\n").as_bytes());
        let piece = vec![b'x'; 1 << 16];
        (0..OCTETS).step_by(piece.len()).for_each(|_| connection.write(&piece));
        connection.linger();
    });
    let mut child = start(&["fetch", &server.url("/")]);
    let mut stdout = child.stdout.take().unwrap();
    let mut peak = 0;
    let mut received = 0;
    let mut buffer = vec![0; 1 << 20];
    while let count @ 1.. = std::io::Read::read(&mut stdout, &mut buffer).unwrap() {
        received += count as u64;
        if received > OCTETS * 3 / 4 && peak == 0 {
            peak = resident_kilobytes_max(child.id());
        }
    }
    assert_eq!((received, wait(&mut child).code()), (OCTETS, Some(0)));
    assert!(peak < 128 << 10, "{peak} kB");
}

/// The most memory that a process has had at once; 0 where the system does not tell.
fn resident_kilobytes_max(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

//! `-C`: downloads that go on.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::program::{names_in, run, scratch};
use super::server::Server;

/// A server of one content, and what it was asked with.
struct Origin {
    server: Server,
    requests: Arc<Mutex<Vec<String>>>,
    /// The next responses break off after ten octets.
    breaks: Arc<AtomicBool>,
    content: Arc<Mutex<(&'static str, &'static str)>>,
}

const CONTENT: &str = "0123456789abcdefghij";

impl Origin {
    fn start() -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (breaks, content) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new((CONTENT, "\"one\""))));
        let (seen, broken, now) = (Arc::clone(&requests), Arc::clone(&breaks), Arc::clone(&content));
        let server = Server::start(move |_, mut connection| {
            while let Some(request) = connection.request() {
                let (content, tag) = *now.lock().unwrap();
                let field = |name: &str| request.field(name).unwrap_or("-");
                seen.lock().unwrap().push(format!("{} {}", field("Range"), field("If-Range")));
                let from = field("Range").strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok());
                let is_same = ["-", tag].contains(&field("If-Range"));
                let whole = content.len();
                let (status, from) = match from {
                    Some(from) if is_same && from >= whole => {
                        connection.write(
                            format!("HTTP/1.1 416 \r\nContent-Range: bytes */{whole}\r\nContent-Length: 4\r\n\r\nnone")
                                .as_bytes(),
                        );
                        continue;
                    }
                    Some(from) if is_same => (206, from),
                    _ => (200, 0),
                };
                let part = &content[from..];
                let range =
                    if status == 206 { format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1) } else { String::new() };
                let head = format!("HTTP/1.1 {status} \r\nETag: {tag}\r\n{range}Content-Length: {}\r\n\r\n", part.len());
                connection.write(head.as_bytes());
                if broken.load(Ordering::SeqCst) {
                    return connection.write(&part.as_bytes()[..10]);
                }
                connection.write(part.as_bytes());
            }
        });
        Self { server, requests, breaks, content }
    }

    fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().unwrap().clone()
    }
}

#[test]
fn a_download_that_was_broken_off_goes_on() {
    let (_keep, directory) = scratch();
    let (file, origin) = (directory.join("f"), Origin::start());
    let url = origin.server.url("/");
    let arguments = ["fetch", "-C", "-", "-o", file.to_str().unwrap(), &url];
    origin.breaks.store(true, Ordering::SeqCst);
    run(&arguments).ended_with(1).complains_of(&["10 octets of it went to", "-C - goes on from there"]);
    assert_eq!((fs::read(&file).unwrap(), names_in(&directory).len()), (CONTENT.as_bytes()[..10].to_vec(), 2));
    origin.breaks.store(false, Ordering::SeqCst);
    run(&arguments).ended_with(0);
    assert_eq!(origin.last_request(), "bytes=10- \"one\"");
    assert_eq!((fs::read(&file).unwrap(), names_in(&directory).len()), (CONTENT.as_bytes().to_vec(), 1));
    // It is whole: the server says so, once.
    let before = origin.requests.lock().unwrap().len();
    run(&[&arguments[..], &["-f", "--retry", "1", "--retry-all-errors"]].concat()).ended_with(0);
    assert_eq!((origin.last_request().as_str(), origin.requests.lock().unwrap().len()), ("bytes=20- -", before + 1));
    assert_eq!((fs::read(&file).unwrap(), names_in(&directory).len()), (CONTENT.as_bytes().to_vec(), 1));
}

#[test]
fn other_content_is_never_mixed_with_it() {
    let (_keep, directory) = scratch();
    let (file, origin) = (directory.join("f"), Origin::start());
    let url = origin.server.url("/");
    let arguments = ["fetch", "-C", "-", "-o", file.to_str().unwrap(), &url];
    origin.breaks.store(true, Ordering::SeqCst);
    run(&arguments).ended_with(1);
    origin.breaks.store(false, Ordering::SeqCst);
    *origin.content.lock().unwrap() = ("ANOTHER CONTENT", "\"two\"");
    run(&arguments).ended_with(0);
    assert_eq!(origin.last_request(), "bytes=10- \"one\"");
    assert_eq!((fs::read(&file).unwrap(), names_in(&directory).len()), (b"ANOTHER CONTENT".to_vec(), 1));
    // Longer than what the server has.
    fs::write(&file, "a file that something else left behind").unwrap();
    run(&arguments).ended_with(1).complains_of(&["38 octets already", "has 15"]);
    assert_eq!(fs::read(&file).unwrap(), b"a file that something else left behind");
}

#[test]
fn what_is_no_part_of_it_is_not_written() {
    for (response, why) in [
        ("404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "status 404 Not Found"),
        ("206 \r\nContent-Range: bytes 0-3/4\r\nContent-Length: 4\r\n\r\nfour", "those from 0 on came"),
        ("206 \r\nContent-Length: 4\r\n\r\nfour", "does not say which"),
        ("206 \r\nContent-Range: bytes 4-5/9\r\nContent-Length: 2\r\n\r\nxy", "2 octets came of the 5"),
    ] {
        let (_keep, directory) = scratch();
        let file = directory.join("f");
        fs::write(&file, "have").unwrap();
        let server = Server::start(move |_, mut connection| {
            connection.request();
            connection.write(format!("HTTP/1.1 {response}").as_bytes());
            connection.linger();
        });
        run(&["fetch", "-C", "-", "-o", file.to_str().unwrap(), &server.url("/")]).ended_with(1).complains_of(&[why]);
        let written = fs::read_to_string(&file).unwrap();
        assert!(written == "have" || written == "havexy" && why.starts_with("2 octets"), "{written}");
    }
}

#[test]
fn an_offset_leaves_out_the_beginning() {
    let (_keep, directory) = scratch();
    let (file, origin) = (directory.join("f"), Origin::start());
    let url = origin.server.url("/");
    assert_eq!(run(&["fetch", "-C", "15", &url]).ended_with(0).text(), "fghij");
    fs::write(&file, "before ").unwrap();
    run(&["fetch", "-C", "15", "-o", file.to_str().unwrap(), &url]).ended_with(0);
    assert_eq!(fs::read(&file).unwrap(), b"before fghij");
    let without = run(&["fetch", "-C", "1", &Server::echo().url("/all")]).ended_with(1).complains_of(&["does not send parts"]);
    assert_eq!(without.text(), "");
}

#[test]
fn it_is_for_one_file_and_for_get() {
    for (arguments, why) in [
        (&["-C", "-"][..], "-o FILE"),
        (&["-C", "-", "-o", "-"], "-o FILE"),
        (&["-C", "-", "-o", "/dev/null"], "a regular file"),
        (&["-C", "-", "-o", "x", "-X", "POST"], "for GET"),
        (&["-C", "-", "-o", "x", "-H", "Range: bytes=0-1"], "Range"),
        (&["-C", "-", "-o", "x", "-d", "y"], "cannot be used with"),
        (&["-C", "-", "-OJ"], "cannot be used with"),
    ] {
        run(&[&["fetch", "http://127.0.0.1:1/x"], arguments].concat()).ended_with(2).complains_of(&[why]);
    }
}

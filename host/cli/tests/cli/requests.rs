//! What a request is made of: fields, contents, forms, queries, credentials.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::program::{Run, command, finish, run, run_with_input, scratch};
use super::server::Server;
use super::uploads::mirror;

/// What a server was sent.
fn sent(arguments: &[&str]) -> String {
    let url = mirror().url("/p");
    run(&[&["fetch"], arguments, &[&url]].concat()).ended_with(0).text().to_owned()
}

#[test]
fn the_options_of_curl_make_the_same_requests() {
    let all = sent(&["-A", "agent", "-e", "http://r/", "-u", "a:b", "-r", "0-9", "-z", "2024-02-29"]);
    for line in [
        "User-Agent: agent",
        "Referer: http://r/",
        "Authorization: Basic YTpi",
        "Range: bytes=0-9",
        "If-Modified-Since: Thu, 29 Feb 2024 00:00:00 GMT",
    ] {
        assert!(all.lines().any(|own| own == line), "{line:?} is not in:\n{all}");
    }
    assert!(sent(&["-G", "-d", "a=1", "--data-urlencode", "b=c d"]).starts_with("GET /p?a=1&b=c+d HTTP/1.1\r\n"));
    let json = sent(&["--data-json", "{\"a\":", "--data-json", "1}"]);
    assert!(json.starts_with("POST /p ") && json.ends_with("\r\n\r\n{\"a\":1}"), "{json}");
    assert!(json.contains("Content-Type: application/json\r\n") && json.contains("Accept: application/json\r\n"), "{json}");
    assert!(sent(&["--data-raw", "@a", "--data-binary", "b"]).ends_with("\r\n\r\n@a&b"));
    let chunked = sent(&["-H", "Transfer-Encoding: chunked", "-d", "abc"]);
    assert!(chunked.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n") && !chunked.contains("Content-Length"), "{chunked}");
}

#[test]
fn urls_come_from_an_option_too() {
    let server = Server::echo();
    let run = run(&["fetch", "--url", &server.url("/1"), &server.url("/2"), "--url", &server.url("/3")]).ended_with(0);
    assert_eq!(run.text(), "/1/2/3");
}

#[test]
fn a_path_is_sent_as_it_is() {
    let server = Server::echo();
    let run = run(&["fetch", "--path-as-is", &server.url("/a/../%2e/b?x#y"), &server.url("?q")]).ended_with(0);
    assert_eq!(run.text(), "/a/../%2e/b?x/?q");
}

#[test]
fn a_form_is_streamed_with_its_length() {
    let (_keep, directory) = scratch();
    let file = directory.join("large.png");
    std::fs::write(&file, vec![b'p'; 3 << 20]).unwrap();
    let text = sent(&["-F", "a=b", "-F", &format!("f=@{}", file.display()), "--form-string", "s=@x"]);
    let (head, content) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /p ") && head.lines().any(|line| line == format!("Content-Length: {}", content.len())),
        "{head}"
    );
    let boundary = head.split("multipart/form-data; boundary=").nth(1).unwrap().lines().next().unwrap();
    let parts: Vec<&str> = content.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[4]), (5, "--\r\n"));
    assert_eq!(parts[1], "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n");
    assert!(parts[2].contains("name=\"f\"; filename=\"large.png\"\r\nContent-Type: image/png\r\n\r\nppp"));
    assert_eq!(
        parts[2].matches('p').count(),
        (3 << 20) + "Disposition".matches('p').count() + "Content-Type: large.png image/png".matches('p').count()
    );
    assert!(parts[3].ends_with("\r\n\r\n@x\r\n"));
}

#[test]
fn a_form_with_a_pipe_is_chunked_and_standard_input_is_not() {
    let url = mirror().url("/");
    let piped = run_with_input(&["fetch", "-F", "f=@-;filename=x", &url], b"from stdin").ended_with(0);
    assert!(piped.text().contains("Content-Length: ") && piped.text().contains("\r\n\r\nfrom stdin\r\n"), "{}", piped.text());
    let device = run(&["fetch", "-F", "f=</dev/null", &url]).ended_with(0);
    assert!(device.text().contains("Transfer-Encoding: chunked\r\n"), "{}", device.text());
}

#[test]
fn a_file_of_a_form_that_has_gone_fails_its_exchange() {
    run(&["fetch", "-F", "f=@/no/such/file", "http://h/"]).ended_with(2).complains_of(&["-F f: /no/such/file: No such file"]);
}

#[test]
fn field_lines_come_from_files_and_standard_input() {
    let url = mirror().url("/");
    let run = run_with_input(&["fetch", "-H", "@-", "-H", "B: 2", &url], b"A: 1\r\nAccept:\n").ended_with(0);
    assert!(run.text().contains("A: 1\r\nB: 2\r\n") && !run.text().contains("Accept"), "{}", run.text());
}

#[test]
fn credentials_are_not_shown() {
    let (_keep, directory) = scratch();
    let log = directory.join("log");
    let log = log.to_str().unwrap();
    let url = mirror().url("/");
    let run_with = |more: &[&str]| run(&[&["fetch", "-v", "--log", log, "-u", "me:secret", &url], more].concat()).ended_with(0);
    let masked = run_with(&[]);
    assert!(masked.text().contains("Authorization: Basic bWU6c2VjcmV0\r\n"));
    let written = std::fs::read_to_string(log).unwrap();
    assert!(masked.stderr.contains("> Authorization: Basic ***\n") && written.contains("Basic ***"), "{}", masked.stderr);
    assert!(!masked.stderr.contains("bWU6c2VjcmV0") && !written.contains("bWU6c2VjcmV0"));
    assert!(run_with(&["--show-credentials"]).stderr.contains("> Authorization: Basic bWU6c2VjcmV0\n"));
}

#[test]
fn a_password_that_nobody_can_be_asked_for_is_refused() {
    run(&["fetch", "-u", "me", "http://h/"]).ended_with(2).complains_of(&["-u me: the password is missing", "'me:PASSWORD'"]);
}

#[test]
fn what_has_not_changed_leaves_its_file() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.field("If-Modified-Since") {
                Some(_) => connection.write(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
                None => connection.answer(b"content"),
            }
        }
    });
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    std::fs::write(&file, "before").unwrap();
    let path = file.to_str().unwrap();
    run(&["fetch", "-z", path, "-o", path, &server.url("/")]).ended_with(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "before");
    std::fs::remove_file(&file).unwrap();
    run(&["fetch", "-z", path, "-o", path, &server.url("/")]).ended_with(0).complains_of(&["this is no date", "and no file"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "content");
}

fn run_octets(arguments: &[&[u8]]) -> Run {
    finish(command().args(arguments.iter().map(|octets| OsStr::from_bytes(octets))).spawn().unwrap(), b"")
}

#[test]
fn octets_that_are_not_utf_8_are_sent_where_they_may_be() {
    let server = Server::start(|_, mut connection| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(connection.read_exact(1));
        }
        let content = connection.read_exact(1);
        connection.answer(&[head, content].concat());
    });
    let (_keep, directory) = scratch();
    let file = directory.join(OsStr::from_bytes(b"f\xff"));
    std::fs::write(&file, b"\xfe").unwrap();
    let url = server.url("/");
    let data = [&b"@"[..], file.as_os_str().as_bytes()].concat();
    let run = run_octets(&[b"fetch", b"-H", b"X: \xe4", b"-A", b"\xe5", b"--data-binary", &data, url.as_bytes()]).ended_with(0);
    for octets in [&b"X: \xe4\r\n"[..], b"User-Agent: \xe5\r\n", b"\r\n\r\n\xfe"] {
        assert!(run.stdout.windows(octets.len()).any(|window| window == octets), "{octets:?}");
    }
    run_octets(&[b"fetch", b"-H", b"X: \xe4", b"http://h/\xfc"]).ended_with(2).complains_of(&["\"http://h/\\xFC\" is not UTF-8"]);
}

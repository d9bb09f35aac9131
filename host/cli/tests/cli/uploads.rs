//! Streamed contents and tunnels.

use std::time::Duration;

use super::program::{run, run_with_input, scratch};
use super::server::Server;

/// Answers with what it got: head and framed content.
pub(crate) fn mirror() -> Server {
    Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            connection.answer(&[request.head.as_bytes(), &request.content].concat());
        }
    })
}

#[test]
fn a_file_is_sent_with_its_length() {
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    let octets: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&file, &octets).unwrap();
    let run = run(&["fetch", "-T", file.to_str().unwrap(), &mirror().url("/up")]).ended_with(0);
    let end = run.stdout.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = std::str::from_utf8(&run.stdout[..end]).unwrap();
    assert!(head.starts_with("PUT /up HTTP/1.1\r\n") && head.contains("Content-Length: 12000000\r\n"), "{head}");
    assert!(run.stdout[end..] == octets);
}

#[test]
fn a_large_d_is_sent_with_its_length_to_each_url() {
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    std::fs::write(&file, vec![b'd'; 1_000_000]).unwrap();
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let all = request.content.iter().all(|&octet| octet == b'd');
            connection.answer(format!("{} {} {all}\n", request.target(), request.content.len()).as_bytes());
        }
    });
    let run = run(&["fetch", "-d", &format!("@{}", file.display()), &server.url("/1"), &server.url("/2")]).ended_with(0);
    assert_eq!(run.text(), "/1 1000000 true\n/2 1000000 true\n");
}

#[test]
fn standard_input_is_sent_chunked_with_trailers() {
    let url = mirror().url("/");
    let run = run_with_input(&["fetch", "-T", "-", "--trailer", "X-Sum: 7", &url], b"from stdin").ended_with(0);
    assert!(run.text().contains("Transfer-Encoding: chunked\r\n"), "{}", run.text());
    assert!(run.text().contains("from stdin\r\n") && run.text().ends_with("0\r\nX-Sum: 7\r\n\r\n"), "{}", run.text());
}

#[test]
fn a_large_standard_input_passes_through() {
    let octets = vec![b'y'; 8 << 20];
    let server = Server::start(|_, mut connection| {
        let request = connection.request().unwrap();
        connection.answer(request.content.iter().filter(|&&octet| octet == b'y').count().to_string().as_bytes());
    });
    let run = run_with_input(&["fetch", "-T", "-", &server.url("/")], &octets).ended_with(0);
    assert_eq!(run.text(), octets.len().to_string());
}

/// What its requests had for content, without the framing.
fn contents_later() -> Server {
    Server::start_later(Duration::from_millis(600), |_, mut connection| {
        while let Some(request) = connection.request() {
            let mut rest = &request.content[..];
            let mut content = Vec::new();
            loop {
                let end = rest.windows(2).position(|window| window == b"\r\n").unwrap();
                let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
                if size == 0 {
                    break;
                }
                content.extend_from_slice(&rest[end + 2..end + 2 + size]);
                rest = &rest[end + 2 + size + 2..];
            }
            connection.answer(&content);
        }
    })
}

#[test]
fn standard_input_arrives_whole_at_a_server_that_is_late() {
    let octets: Vec<u8> = (0..150_000_u32).flat_map(u32::to_le_bytes).collect();
    let server = contents_later();
    let run = run_with_input(&["fetch", "-T", "-", "--retry", "5", &server.url("/up")], &octets).ended_with(0);
    assert!(run.stdout == octets, "{} of {} octets", run.stdout.len(), octets.len());
    let run = run_with_input(&["fetch", "-T", "-", "--retry", "5", &contents_later().url("/up")], b"").ended_with(0);
    assert_eq!(run.text(), "");
}

#[test]
fn standard_input_that_a_connection_has_taken_is_not_sent_again() {
    let server = Server::start(|_, mut connection| {
        connection.head();
        connection.read_exact(100_000);
    });
    let arguments = ["fetch", "-T", "-", "--retry", "5", "--idempotent", &server.url("/up")];
    run_with_input(&arguments, &vec![b'x'; 8 << 20]).ended_with(1).complains_of(&["unanswered"]);
    assert_eq!(server.accepted(), 1);
}

#[test]
fn a_trailer_that_is_none_is_refused_before_anything_is_sent() {
    let server = mirror();
    let arguments = ["fetch", "-T", "-", "--trailer", "Content-Length: 3", &server.url("/")];
    run_with_input(&arguments, b"abc").ended_with(2).complains_of(&["Content-Length", "trailer"]);
    assert_eq!(server.accepted(), 0);
}

#[test]
fn an_upgrade_is_asked_for_by_its_option_alone() {
    let server = mirror();
    let arguments = ["fetch", "-H", "Connection: upgrade", "-H", "Upgrade: x", &server.url("/")];
    run(&arguments).ended_with(2).complains_of(&["--upgrade"]);
    assert_eq!(server.accepted(), 0);
}

#[test]
fn d_takes_standard_input_and_files() {
    let (_keep, directory) = scratch();
    let file = directory.join("f");
    std::fs::write(&file, "in file\n").unwrap();
    let url = mirror().url("/");
    let from_file = run(&["fetch", "-d", &format!("@{}", file.display()), &url]).ended_with(0);
    assert!(from_file.text().ends_with("\r\n\r\nin file"));
    let from_input = run_with_input(&["fetch", "-d", "@-", &url], b"piped").ended_with(0);
    assert!(from_input.text().ends_with("\r\n\r\npiped"));
}

#[test]
fn content_waits_for_100_continue() {
    let server = Server::start(|_, mut connection| {
        let head = connection.head().unwrap();
        connection.stream().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let waited = connection.stream().peek(&mut [0]).is_err();
        connection.stream().set_read_timeout(None).unwrap();
        connection.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        let content = connection.read_exact(5);
        let asked = head.contains("Expect: 100-continue");
        connection.answer(format!("{waited} {asked} {}", String::from_utf8_lossy(&content)).as_bytes());
    });
    let run = run(&["fetch", "--expect-continue", "-d", "hello", &server.url("/")]).ended_with(0);
    assert_eq!(run.text(), "true true hello");
}

#[test]
fn an_early_response_ends_the_upload() {
    let server = Server::start(|_, mut connection| {
        connection.head();
        connection.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much");
        _ = connection.stream().shutdown(std::net::Shutdown::Write);
        std::thread::sleep(Duration::from_millis(500));
        connection.linger();
    });
    let run = run_with_input(&["fetch", "-T", "-", &server.url("/")], &vec![b'z'; 32 << 20]).ended_with(0);
    assert_eq!(run.text(), "too much");
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let server = Server::start(|_, mut connection| {
        let request = connection.request().unwrap();
        assert_eq!((request.field("Upgrade"), request.field("Connection")), (Some("echo"), Some("upgrade")));
        connection.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello ");
        let octets = connection.read_exact(5);
        connection.write(&octets);
    });
    let run = run_with_input(&["fetch", "--upgrade", "echo", &server.url("/")], b"world").ended_with(0);
    assert_eq!(run.text(), "hello world");
}

/// As the Docker Engine has it: `POST /exec/ID/start`.
#[test]
fn an_upgrade_can_have_content() {
    let server = Server::start(|_, mut connection| {
        let request = connection.request().unwrap();
        assert!(request.head.starts_with("POST /exec/1/start HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!((request.field("Upgrade"), request.content.as_slice()), (Some("tcp"), &b"{\"Tty\":true}"[..]));
        connection
            .write(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n$ ");
        let octets = connection.read_exact(3);
        connection.write(&octets);
    });
    let arguments = ["fetch", "--upgrade", "tcp", "--data-json", "{\"Tty\":true}", &server.url("/exec/1/start")];
    let run = run_with_input(&arguments, b"ls\n").ended_with(0);
    assert_eq!(run.text(), "$ ls\n");
}

#[test]
fn standard_input_can_have_a_declared_length() {
    let server = mirror();
    let arguments = ["fetch", "-H", "Content-Length: 5", "-T", "-", &server.url("/")];
    let whole = run_with_input(&arguments, b"12345").ended_with(0);
    assert!(whole.text().contains("Content-Length: 5\r\n") && whole.text().ends_with("\r\n\r\n12345"), "{}", whole.text());
    assert!(!whole.text().contains("chunked"));
    run_with_input(&arguments, b"1234").ended_with(1).complains_of(&["api-misuse(content-too-short)"]);
    run_with_input(&arguments, b"123456").ended_with(1).complains_of(&["api-misuse(content-too-long)", "Content-Length: N"]);
}

#[test]
fn connect_becomes_a_tunnel() {
    let server = Server::start(|_, mut connection| {
        assert!(connection.head().unwrap().starts_with("CONNECT other:99 HTTP/1.1\r\n"));
        connection.write(b"HTTP/1.1 200 OK\r\n\r\n");
        let octets = connection.read_exact(4);
        connection.write(&octets);
    });
    let run =
        run_with_input(&["fetch", "-X", "CONNECT", "--request-target", "other:99", &server.url("/")], b"ping").ended_with(0);
    assert_eq!(run.text(), "ping");
}

#[test]
fn requests_can_be_sent_elsewhere() {
    let server = mirror();
    let to = server.address.to_string();
    let run =
        run(&["fetch", "--connect-to", &to, "-X", "OPTIONS", "--request-target", "*", "http://example.invalid/"]).ended_with(0);
    assert!(
        run.text().starts_with("OPTIONS * HTTP/1.1\r\n") && run.text().contains("Host: example.invalid\r\n"),
        "{}",
        run.text()
    );
}

#[test]
fn a_tunnel_that_is_not_opened_is_a_failure() {
    let answers = |status: &'static str| {
        Server::start(move |_, mut connection| {
            while connection.head().is_some() {
                connection.write(format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\npage\n").as_bytes());
            }
        })
    };
    for status in ["200 OK", "403 Forbidden", "426 Upgrade Required"] {
        let server = answers(status);
        let run = run_with_input(&["fetch", "--upgrade", "tcp", &server.url("/")], b"hello").ended_with(1);
        let run = run.complains_of(&["[0]", status, "no tunnel was opened", "nothing of standard input was sent"]);
        assert_eq!(run.text(), "page\n");
    }
    let server = answers("407 Proxy Authentication Required");
    let connect = ["fetch", "-X", "CONNECT", "--request-target", "other:99", "--summary", &server.url("/")];
    let run = run_with_input(&connect, b"hello").ended_with(1);
    let run = run.complains_of(&["407 Proxy Authentication Required", "no tunnel was opened", "status 1"]);
    assert_eq!(run.text(), "page\n");
}

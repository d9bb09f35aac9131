//! `-w`.

use super::program::{run, run_with_input, scratch};
use super::server::{Server, dead_port};

#[test]
fn what_is_known_of_an_exchange_is_written_behind_its_content() {
    let server = Server::echo();
    let format = "|%{http_code} %{size_download} %{num_connects} %{urlnum} %{remote_port} %{url}\\n";
    let (a, b) = (server.url("/a"), server.url("/bcd"));
    let run = run(&["fetch", "-w", format, &a, &b]).ended_with(0);
    let port = server.address.port();
    assert_eq!(run.text(), format!("/a|200 2 1 0 {port} {a}\n/bcd|200 4 0 1 {port} {b}\n"));
}

#[test]
fn every_number_has_its_meaning() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(
            b"HTTP/1.1 103 \r\nA: b\r\n\r\nHTTP/1.1 201 Made\r\nContent-Type: text/x\r\nX:  y \r\nContent-Length: 3\r\n\r\nabc",
        );
        connection.linger();
    });
    let data = "d".repeat(70_000);
    let run =
        run(&["fetch", "-w", "%{json}", "-o", "/dev/null", "-d", &data, "-H", "Referer: r", &server.url("/")]).ended_with(0);
    let value = &run.json()[0];
    for (name, expected) in [
        ("response_code", 201_u64),
        ("size_upload", 70_000),
        ("size_download", 3),
        ("size_header", 23 + 70),
        ("num_headers", 3),
        ("exitcode", 0),
        ("num_retries", 0),
    ] {
        assert_eq!(value[name], expected, "{name}");
    }
    for (name, expected) in [
        ("method", "POST"),
        ("content_type", "text/x"),
        ("http_version", "1.1"),
        ("scheme", "http"),
        ("remote_ip", "127.0.0.1"),
        ("local_ip", "127.0.0.1"),
        ("filename_effective", "/dev/null"),
        ("referer", "r"),
    ] {
        assert_eq!(value[name], expected, "{name}");
    }
    let times =
        ["time_connect", "time_pretransfer", "time_starttransfer", "time_total"].map(|name| value[name].as_f64().unwrap());
    assert!(times.is_sorted() && times[0] > 0.0, "{times:?}");
}

#[test]
fn failures_are_written_about_too() {
    let url = format!("http://{}/", dead_port());
    let failed = run(&["fetch", "-w", "%{http_code} %{exitcode} %{onerror}%{errormsg}", &url]).ended_with(1);
    assert!(failed.text().starts_with("000 1 ") && failed.text().contains("refused"), "{}", failed.text());
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n");
    });
    let refused = run(&["fetch", "-f", "-w", "%{http_code} %{exitcode}", &server.url("/")]).ended_with(1);
    assert_eq!(refused.text(), "404 1");
}

#[test]
fn a_format_comes_from_a_file_and_goes_where_it_says() {
    let (_keep, directory) = scratch();
    let (server, file) = (Server::echo(), directory.join("format"));
    std::fs::write(&file, "a%{stderr}b%{no_such}%{stdout}c\n").unwrap();
    let named = format!("@{}", file.to_str().unwrap());
    let shown = run(&["fetch", "-o", "/dev/null", "-w", &named, &server.url("/")]).ended_with(0);
    assert_eq!((shown.text(), shown.stderr.as_str()), ("ac\n", "sandpiper: unknown --write-out variable: 'no_such'\nb"));
    let read = run_with_input(&["fetch", "-o", "/dev/null", "-w", "@-", &server.url("/")], b"%{response_code}").ended_with(0);
    assert_eq!(read.text(), "200");
    let both = run(&["fetch", "-w", "@-", "-T", "-", &server.url("/")]).ended_with(2);
    both.complains_of(&["-w @- and -T - would both read standard input"]);
    let query = ["fetch", "-o", "/dev/null", "-w", "%{url_effective}", "-G", "-d", "a=1", &server.url("/x?b")];
    assert_eq!(run(&query).ended_with(0).text(), server.url("/x?b&a=1"));
}

//! The log, the demo, and what the program says about itself.

use super::program::{run, run_with_input, scratch};
use super::server::Server;

#[test]
fn v_shows_both_directions() {
    let server = Server::echo();
    let run = run(&["fetch", "-v", &server.url("/a"), &server.url("/b")]).ended_with(0);
    assert_eq!(run.text(), "/a/b");
    let host = format!("> Host: {}", server.address);
    for line in ["> GET /a HTTP/1.1", "> GET /b HTTP/1.1", "< HTTP/1.1 200 OK", "< Content-Length: 2", &host] {
        assert!(run.stderr.lines().any(|own| own == line), "{line:?} is not in:\n{}", run.stderr);
    }
    assert!(
        run.stderr.lines().all(|line| matches!(line.as_bytes(), [b'>' | b'<' | b'*', b' ', ..] | [b'>' | b'<'])),
        "{}",
        run.stderr
    );
}

#[test]
fn a_log_has_one_object_per_line() {
    let (_keep, directory) = scratch();
    let file = directory.join("log");
    let server = Server::echo();
    run(&["fetch", "--log", file.to_str().unwrap(), &server.url("/a")]).ended_with(0);
    let log = std::fs::read_to_string(file).unwrap();
    let entries: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    for event in ["connecting", "connected", "queued", "request-head", "wrote", "read", "head", "end"] {
        assert!(events.contains(&event), "{event} is not in {events:?}");
    }
    let sequence: Vec<u64> = entries.iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect();
    assert!(sequence.iter().copied().eq(0..sequence.len() as u64), "{sequence:?}");
    assert_eq!(entries[0]["connection"], 1);
}

#[test]
fn a_log_of_a_long_list_is_whole() {
    let (_keep, directory) = scratch();
    let file = directory.join("log");
    let servers: Vec<Server> = (0..60).map(|_| Server::echo()).collect();
    let urls: String = (0..6000).map(|number| servers[number % 60].url(&format!("/{number}\n"))).collect();
    run_with_input(&["fetch", "--no-progress", "--log", file.to_str().unwrap(), "-K", "-"], urls.as_bytes()).ended_with(0);
    let log = std::fs::read_to_string(file).unwrap();
    let sequence = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["sequence"].as_u64().unwrap());
    let (count, last) = sequence.fold((0, 0), |(count, _), sequence| (count + 1, sequence));
    assert_eq!(count, last + 1);
    assert!(count > 6 * 6000, "{count} entries");
}

#[test]
fn the_demo_fits_on_a_screen() {
    let run = run(&["demo", "--resources", "30", "--latency", "5"]).ended_with(0);
    assert!(run.text().lines().count() <= 24, "{}", run.text());
    assert!(run.text().lines().all(|line| line.chars().count() <= 80), "{}", run.text());
    for words in ["wasi:sockets/{", "All 93 contents are equal", "and no address but 127.0.0.1:"] {
        assert!(run.text().contains(words), "{words:?} is not in:\n{}", run.text());
    }
}

#[test]
fn the_demo_measures() {
    let run = run(&["demo", "--json", "--resources", "30", "--latency", "5"]).ended_with(0);
    let result = &run.json()[0];
    let of = |key: &str| result["runs"].as_array().unwrap().iter().map(|run| run[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(of("connections"), [31, 1, 1]);
    assert_eq!(of("requests"), [31, 31, 31]);
    assert_eq!(result["contents_equal"], true);
    let times = of("time_ns");
    assert!(times[0] > times[1] && times[1] > 2 * times[2], "{times:?}");
}

#[test]
fn inspect_lists_what_the_component_may_reach() {
    let run = run(&["inspect"]).ended_with(0);
    for name in ["wasi:sockets/tcp@", "wasi:clocks/monotonic-clock@", "sandpiper:http/client@"] {
        assert!(run.text().contains(name), "{name} is not in:\n{}", run.text());
    }
    assert!(!run.text().contains("wasi:filesystem") && !run.text().contains("wasi:cli"));
}

#[test]
fn inspect_refuses_what_is_no_component() {
    let (_keep, directory) = scratch();
    let file = directory.join("no.wasm");
    std::fs::write(&file, "no component").unwrap();
    run(&["inspect", "--component", file.to_str().unwrap()]).ended_with(2).complains_of(&["no.wasm is not a component"]);
}

#[test]
fn inspect_takes_a_file_or_a_build() {
    let (_keep, directory) = scratch();
    let file = directory.join("no.wasm");
    std::fs::write(&file, "no component").unwrap();
    run(&["inspect", file.to_str().unwrap()]).ended_with(2).complains_of(&["no.wasm is not a component"]);
    assert!(run(&["inspect", "host-tls"]).ended_with(0).text().contains("wasi:tls/types@"));
    run(&["inspect", "tls", "--component", "plain"]).ended_with(2);
}

#[test]
fn help_is_a_command_too() {
    assert!(run(&["help"]).ended_with(0).text().contains("inspect"));
    let help = run(&["help", "fetch"]).ended_with(0);
    assert_eq!(help.text(), run(&["fetch", "--help"]).ended_with(0).text());
    for command in ["inspect", "demo"] {
        let help = run(&[command, "--help"]).ended_with(0);
        assert!(!help.text().contains("https URLs"), "{}", help.text());
    }
}

/// Nothing is installed or built, so that it takes no time.
#[test]
fn dev_knows_what_is_no_command() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let dev = |word: &str| {
        std::process::Command::new("bash").args(["dev", word]).current_dir(root).env("PATH", "/usr/bin:/bin").output()
    };
    for word in ["fethc", "tools", "a.b", "../x"] {
        let output = dev(word).unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(complaint.starts_with(&format!("dev: '{word}' is no recipe")), "{complaint}");
    }
}

#[test]
fn help_and_version() {
    let version = run(&["--version"]).ended_with(0);
    assert_eq!(version.text(), concat!("sandpiper ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = run(&["fetch", "--help"]).ended_with(0);
    for word in ["--retry", "--json", "content_base64", "response-started", "Exit status", "{}"] {
        assert!(help.text().contains(word), "{word}");
    }
}

//! Many requests on few connections: the limits, what is shared, and what must not hold up the rest.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::program::{PATIENCE, Run, names_in, run, run_with_input, scratch};
use super::server::{Connection, Server, dead_port, never_accepts};

/// Connections at once: how many of one server and of all there may be, and how many there were at most.
#[derive(Default)]
struct Watch {
    may: [usize; 2],
    open: [AtomicUsize; 4],
    peaks: [AtomicUsize; 2],
}

/// How long the end of a connection that was closed before may be on its way.
const CLOSING: Duration = Duration::from_millis(500);

impl Watch {
    fn opened(&self, server: usize) {
        for (count, all) in [(server, 0), (3, 1)] {
            let mut now = self.open[count].fetch_add(1, Ordering::SeqCst) + 1;
            let started = Instant::now();
            while now > self.may[all] && started.elapsed() < CLOSING {
                std::thread::sleep(Duration::from_millis(1));
                now = self.open[count].load(Ordering::SeqCst);
            }
            self.peaks[all].fetch_max(now, Ordering::SeqCst);
        }
    }

    fn closed(&self, server: usize) {
        for count in [server, 3] {
            self.open[count].fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Runs `fetch` with these options on 20 URLs of each of three servers, and says the most connections of one and of all.
fn peaks(options: &[&str], may: [usize; 2]) -> [usize; 2] {
    let watch = Arc::new(Watch { may, ..Watch::default() });
    let servers = [0, 1, 2].map(|server| {
        let watch = Arc::clone(&watch);
        Server::start(move |_, mut connection| {
            watch.opened(server);
            while let Some(request) = connection.request() {
                std::thread::sleep(Duration::from_millis(4));
                connection.answer(request.target().as_bytes());
            }
            watch.closed(server);
        })
    });
    let urls: String = (0..60).map(|number| servers[number % 3].url(&format!("/{number}\n"))).collect();
    let run = run_with_input(&[&["fetch", "-K", "-"], options].concat(), urls.as_bytes()).ended_with(0);
    let expected: String = (0..60).map(|number| format!("/{number}")).collect();
    assert_eq!(run.text(), expected);
    watch.peaks.each_ref().map(|peak| peak.load(Ordering::SeqCst))
}

#[test]
fn there_are_never_more_connections_than_allowed() {
    for (options, may) in [
        (&["--max-conns", "4", "--max-host-conns", "2", "--depth", "1"][..], [2, 4]),
        (&["--max-conns", "1"], [1, 1]),
        (&["-Z", "--parallel-max", "5", "--max-host-conns", "3"], [3, 5]),
        (&["-Z", "--parallel-max", "5", "--max-host-conns", "2", "--persistence", "close"], [2, 5]),
    ] {
        assert_eq!(peaks(options, may), may, "{options:?}");
    }
}

#[test]
fn one_connection_per_origin_is_the_default() {
    let server = Server::echo();
    let urls: Vec<String> = (0..50).map(|number| server.url(&format!("/{number}"))).collect();
    let arguments: Vec<&str> = ["fetch"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    run(&arguments).ended_with(0);
    assert_eq!(server.accepted(), 1);
}

/// Answers when so many requests wait, or after this time, with how many did.
fn answers_together(count: usize, patience: Duration) -> Server {
    let waiting = AtomicUsize::new(0);
    Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            waiting.fetch_add(1, Ordering::SeqCst);
            let started = Instant::now();
            while waiting.load(Ordering::SeqCst) < count && started.elapsed() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
            connection.answer(format!("{} ", waiting.load(Ordering::SeqCst)).as_bytes());
        }
    })
}

#[test]
fn parallel_requests_are_on_the_wire_at_once() {
    let server = answers_together(8, PATIENCE);
    let urls = vec![server.url("/"); 8];
    let arguments: Vec<&str> = ["fetch", "-Z"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    assert_eq!(run(&arguments).ended_with(0).text(), "8 ".repeat(8));
    let server = answers_together(8, Duration::from_secs(1));
    let urls = vec![server.url("/"); 8];
    let arguments: Vec<&str> = ["fetch"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    assert_eq!(run(&arguments).ended_with(0).text().split(' ').next(), Some("1"));
}

#[test]
fn more_origins_than_connections() {
    let servers: Vec<Server> = (0..70).map(|_| Server::echo()).collect();
    let urls: String = servers.iter().map(|server| server.url("/x\n")).collect();
    for bound in [&[][..], &["--max-conns", "2"], &["-Z", "--parallel-max", "3"]] {
        let (_keep, directory) = scratch();
        let template = directory.join("{}");
        let to_files = ["fetch", "-K", "-", "-o", template.to_str().unwrap()];
        run_with_input(&[&to_files[..], bound].concat(), urls.as_bytes()).ended_with(0);
        assert_eq!(names_in(&directory).len(), 70);
        let to_stdout = run_with_input(&[&["fetch", "-K", "-"], bound].concat(), urls.as_bytes()).ended_with(0);
        assert_eq!(to_stdout.text(), "/x".repeat(70));
    }
}

/// Every URL's line, by index, once each.
fn by_index(run: &Run, urls: usize) -> Vec<Value> {
    let mut lines = run.json();
    lines.sort_by_key(|line| line["index"].as_u64());
    let indices: Vec<u64> = lines.iter().filter_map(|line| line["index"].as_u64()).collect();
    assert_eq!(indices, (0..urls as u64).collect::<Vec<_>>());
    lines
}

fn count_by(lines: &[Value], what: impl Fn(&Value) -> String) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(what(line)).or_default() += 1;
    }
    counts
}

#[test]
fn a_dead_host_fails_at_once_and_holds_up_nobody() {
    let (live, dead) = (Server::echo(), dead_port());
    let urls: String =
        (0..600).map(|number| if number % 2 == 0 { format!("http://{dead}/\n") } else { live.url("/\n") }).collect();
    let run = run_with_input(&["fetch", "-K", "-", "--json", "--summary"], urls.as_bytes()).ended_with(1);
    let lines = by_index(&run, 600);
    let counts = count_by(&lines, |line| format!("{} {}", line["ok"], line["detail"].as_str().unwrap_or("")));
    assert_eq!(counts.get("false refused"), Some(&300), "{counts:?}");
    assert_eq!(counts.get("true "), Some(&300), "{counts:?}");
    let summary = &run.json().pop().unwrap()["summary"];
    // One connection tells it for all that wait.
    assert_eq!((&summary["origins"][0]["opened"], &summary["origins"][0]["failed"]["connect"]), (&1.into(), &300.into()));
}

#[test]
fn a_host_that_never_accepts_costs_one_timeout() {
    let Some((address, ..)) = &never_accepts() else {
        eprintln!("SKIPPED: this machine's queues of connections are never full");
        return;
    };
    let live = Server::echo();
    let urls: String =
        (0..600).map(|number| if number % 2 == 0 { format!("http://{address}/\n") } else { live.url("/\n") }).collect();
    let arguments = ["fetch", "-K", "-", "--json", "--summary", "--depth", "1", "--connect-timeout", "4"];
    let run = run_with_input(&arguments, urls.as_bytes()).ended_with(1);
    let lines = by_index(&run, 600);
    assert!(lines[lines.len() - 600..].iter().all(|line| (line["ok"] == true) == (line["index"].as_u64().unwrap() % 2 == 1)));
    assert!(run.json()[..300].iter().all(|line| line["ok"] == true));
    assert_eq!(run.json().pop().unwrap()["summary"]["origins"][0]["opened"], 1);
}

#[test]
fn a_server_that_takes_no_further_connection_is_asked_on_the_one_that_it_has() {
    // Of three connections two end with their first response, and then nobody listens any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let connections: Vec<TcpStream> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        drop(listener);
        for (number, stream) in connections.into_iter().enumerate() {
            std::thread::spawn(move || {
                let mut connection = Connection::on(stream);
                while connection.request().is_some() {
                    if number > 0 {
                        std::thread::sleep(Duration::from_millis(200));
                        return connection.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nyes ");
                    }
                    std::thread::sleep(Duration::from_millis(20));
                    connection.answer(b"yes ");
                }
            });
        }
    });
    let urls = vec![url.as_str(); 40];
    let arguments = [&["fetch", "--summary", "--max-host-conns", "3", "--depth", "1"], &urls[..]].concat();
    let started = Instant::now();
    let run = run(&arguments).ended_with(0);
    let took = started.elapsed();
    assert_eq!(run.text(), "yes ".repeat(40));
    // It was tried once more, or twice at the same time, and again after each of the pool's waits: 0.1 s, and then twice as long each time.
    let opened: u32 = run.stderr.lines().nth(1).unwrap().split_whitespace().nth(4).unwrap().parse().unwrap();
    let waits = (took.as_millis() / 100 + 1).ilog2();
    assert!((4..=5 + 2 * waits).contains(&opened), "in {took:?}: {}", run.stderr);
}

#[test]
fn repeats_of_a_dead_host_are_bounded() {
    let dead = dead_port();
    let urls = format!("http://{dead}/\n").repeat(300);
    let arguments = ["fetch", "-K", "-", "-Z", "--parallel-max", "4", "--json", "--summary", "--retry", "2"];
    let run = run_with_input(&arguments, urls.as_bytes()).ended_with(1);
    by_index(&run, 300);
    let total = run.json().pop().unwrap()["summary"]["total"].clone();
    assert_eq!((&total["failed"]["connect"], &total["repeated"]), (&300.into(), &600.into()));
    assert!(total["opened"].as_u64().unwrap() <= 3 * 4, "{total}");
}

#[test]
fn a_silent_server_ends_by_its_deadline_and_leaves_connections_to_others() {
    let (silent, live) = (Server::start(|_, mut connection| connection.linger()), Server::echo());
    let urls = [silent.url("/\n").repeat(8), live.url("/\n").repeat(20)].concat();
    let arguments = ["fetch", "-K", "-", "--json", "-Z", "--parallel-max", "4", "-m", "4"];
    let run = run_with_input(&arguments, urls.as_bytes()).ended_with(1);
    let lines = by_index(&run, 28);
    assert!(lines[..8].iter().all(|line| line["error"] == "timed-out") && lines[8..].iter().all(|line| line["ok"] == true));
    // The live ones were done before the first of the silent ones was given up.
    let first: Vec<bool> = run.json()[..20].iter().map(|line| line["ok"] == true).collect();
    assert_eq!(first, [true; 20]);
}

#[test]
fn standard_output_stays_in_order_when_requests_are_repeated() {
    // Every connection answers two requests and closes on the third.
    let unreliable = || {
        Server::start(|_, mut connection| {
            for _ in 0..2 {
                let Some(request) = connection.request() else { return };
                connection.answer(format!("{} ", request.target()).as_bytes());
            }
            connection.request();
        })
    };
    let servers = [unreliable(), unreliable(), unreliable()];
    let urls: String = (0..60).map(|number| servers[number % 3].url(&format!("/{number}\n"))).collect();
    let expected: String = (0..60).map(|number| format!("/{number} ")).collect();
    for bounds in [["--max-conns", "1"], ["--max-conns", "2"], ["--max-host-conns", "3"], ["--depth", "2"]] {
        let arguments = [&["fetch", "-K", "-", "--retry", "100"], &bounds[..]].concat();
        assert_eq!(run_with_input(&arguments, urls.as_bytes()).ended_with(0).text(), expected, "{bounds:?}");
    }
}

#[test]
fn long_contents_wait_for_their_turn_in_bounded_memory() {
    // 200 responses of 1 MiB, of which the first comes last: the component has 64 MiB.
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            if request.target() == "/0" {
                std::thread::sleep(Duration::from_millis(500));
            }
            connection.answer(&vec![b'x'; 1 << 20]);
        }
    });
    let urls: String = (0..200).map(|number| server.url(&format!("/{number}\n"))).collect();
    let run = run_with_input(&["fetch", "-K", "-", "-Z", "--parallel-max", "200"], urls.as_bytes()).ended_with(0);
    assert_eq!(run.stdout.len(), 200 << 20);
}

#[test]
fn twenty_thousand_urls_on_standard_input() {
    let server = Server::echo();
    let urls: String = (0..20_000).map(|number| server.url(&format!("/{number}\n"))).collect();
    let run = run_with_input(&["fetch", "-K", "-", "--json", "--max-host-conns", "4"], urls.as_bytes()).ended_with(0);
    assert!(by_index(&run, 20_000).iter().all(|line| line["ok"] == true));
    assert_eq!(server.accepted(), 4);
}

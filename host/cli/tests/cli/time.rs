//! How long transfers may take, and how fast they may go.

use std::time::{Duration, Instant};

use super::program::{PATIENCE, run, run_with_input};
use super::server::Server;

/// Answers each request after this time.
fn slow(time: Duration) -> Server {
    Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            std::thread::sleep(time);
            connection.answer(request.target().as_bytes());
        }
    })
}

#[test]
fn each_transfer_has_its_own_time() {
    // All together take longer than one may; one takes a tenth of that.
    let server = slow(Duration::from_millis(600));
    let urls: Vec<String> = (0..11).map(|number| server.url(&format!("/{number}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    std::thread::scope(|scope| {
        for options in [&["-m", "6"][..], &["-m", "6", "--depth", "1"], &["-m", "6", "--persistence", "assume"]] {
            let urls = &urls;
            scope.spawn(move || {
                let run = run(&[&["fetch"], options, urls].concat()).ended_with(0);
                assert_eq!(run.text(), "/0/1/2/3/4/5/6/7/8/9/10", "{options:?}");
            });
        }
    });
}

#[test]
fn a_transfer_that_takes_too_long_is_the_only_one_that_fails() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            if request.target() == "/1" {
                return connection.linger();
            }
            connection.answer(request.target().as_bytes());
        }
    });
    let urls: Vec<String> = (0..6).map(|number| server.url(&format!("/{number}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    for options in [&["-m", "3"][..], &["-m", "3", "--depth", "1"], &["-m", "3", "-Z"]] {
        let run = run(&[&["fetch"], options, &urls].concat()).ended_with(1).complains_of(&["[1]", "timed-out(total)"]);
        assert_eq!(run.text(), "/0/2/3/4/5", "{options:?}: {}", run.stderr);
    }
}

#[test]
fn waiting_for_a_turn_on_standard_output_takes_none_of_it() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            if request.target() == "/0" {
                std::thread::sleep(Duration::from_secs(2));
            }
            let content = vec![b'x'; if request.target() == "/0" { 1 } else { 4 << 20 }];
            connection.answer(&content);
        }
    });
    let run = run(&["fetch", "-Z", "-m", "5", &server.url("/0"), &server.url("/1"), &server.url("/2")]).ended_with(0);
    assert_eq!(run.stdout.len(), (8 << 20) + 1);
}

#[test]
fn the_whole_run_has_a_time_too() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            if request.target() != "/0" {
                return connection.linger();
            }
            connection.answer(b"first");
        }
    });
    // Without that time, the run would not end: nothing but the first is ever answered.
    let urls = [server.url("/0"), server.url("/1"), server.url("/2")];
    let arguments = ["fetch", "--json", "--retry", "5", "--max-time-all", "5", &urls[0], &urls[1], &urls[2]];
    let mut lines = run(&arguments).ended_with(1).complains_of(&["timed-out(total)", "--max-time-all"]).json();
    lines.sort_by_key(|line| line["index"].as_u64());
    let ok: Vec<bool> = lines.iter().map(|line| line["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, false]);
}

#[test]
fn a_rate_holds_in_both_directions() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let length = if request.content.is_empty() { 300_000 } else { request.content.len() };
            connection.answer(&vec![b'x'; length]);
        }
    });
    let started = Instant::now();
    let run = run(&["fetch", "--limit-rate", "300K", &server.url("/")]).ended_with(0);
    assert_eq!(run.stdout.len(), 300_000);
    assert!(started.elapsed() > Duration::from_millis(700), "{:?}", started.elapsed());
    let started = Instant::now();
    let arguments = ["fetch", "--limit-rate", "300K", "-T", "-", "-o", "/dev/null", &server.url("/")];
    run_with_input(&arguments, &vec![b'x'; 300_000]).ended_with(0);
    assert!(started.elapsed() > Duration::from_millis(1500), "{:?}", started.elapsed());
    let started = Instant::now();
    super::program::run(&["fetch", "--limit-rate", "1G", &server.url("/")]).ended_with(0);
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_transfer_that_is_too_slow_is_given_up() {
    let server = Server::start(|_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        // Fewer in all than the speed asks for within its time, whenever they arrive.
        for _ in 0..100 {
            connection.write(b"x");
            std::thread::sleep(Duration::from_millis(20));
        }
        connection.linger();
    });
    let arguments = ["fetch", "--speed-limit", "1K", "--speed-time", "0.5", &server.url("/")];
    run(&arguments).ended_with(1).complains_of(&["slower than 1024 octets per second for 0.5 seconds"]);
    let quick = Server::echo();
    run(&["fetch", "-Y", "1K", "-y", "20", &quick.url("/")]).ended_with(0);
}

#[test]
fn new_connections_come_a_few_at_a_time() {
    // The times at which connections are accepted: their answers wait until all have come.
    let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&times);
    let server = Server::start(move |_, mut connection| {
        seen.lock().unwrap().push(Instant::now());
        while let Some(request) = connection.request() {
            let started = Instant::now();
            while seen.lock().unwrap().len() < 30 && started.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(1));
            }
            connection.answer(request.target().as_bytes());
        }
    });
    let urls: String = (0..30).map(|number| server.url(&format!("/{number}\n"))).collect();
    let started = Instant::now();
    run_with_input(&["fetch", "-K", "-", "-Z"], urls.as_bytes()).ended_with(0);
    let mut times = times.lock().unwrap().clone();
    times.sort();
    assert_eq!(times.len(), 30);
    // Four at most within 30 ms: the thirtieth is in the eighth group. A machine that stalls only makes it later.
    assert!(times[29] - started >= Duration::from_millis(200), "{:?}", times[29] - started);
}

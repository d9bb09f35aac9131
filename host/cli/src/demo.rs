//! `sandpiper demo`: the same page three ways, measured, on one screen.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandpiper_host::types::{ConnOptions, Endpoint, Persistence, Request};
use sandpiper_host::{Client, Limit};
use serde::Serialize;

use super::args::Demo;
use super::component::out_of_reach;
use super::demo_server::{Counts, DemoServer, Page};
use super::tell;

/// As `fetch` has it by default.
const DEPTH: u32 = 64;
/// More than any resource has.
const COLLECT_OCTETS_MAX: u64 = 1 << 20;
/// An import of types alone.
const VALUES: &str = "sandpiper:http/types@";
/// The screen is 80 columns wide.
const BAR_COLUMNS: usize = 40;
const SCREEN_COLUMNS: usize = 80;

/// One way to fetch the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    NewConnections,
    OneAtATime,
    Pipelined,
}

impl Way {
    const ALL: [Self; 3] = [Self::NewConnections, Self::OneAtATime, Self::Pipelined];

    fn name(self) -> &'static str {
        match self {
            Self::NewConnections => "new-connections",
            Self::OneAtATime => "one-at-a-time",
            Self::Pipelined => "pipelined",
        }
    }

    fn title(self) -> String {
        match self {
            Self::NewConnections => "a new connection for each request, as wasi:http in wasmtime".to_owned(),
            Self::OneAtATime => "one connection, one request at a time".to_owned(),
            Self::Pipelined => format!("one connection, pipelined, up to {DEPTH} deep"),
        }
    }
}

/// The cost of one way: the time by this program's clock, the rest as the server counted it.
#[derive(Debug, Serialize)]
struct Measured {
    way: &'static str,
    time_ns: u64,
    requests: u64,
    connections: usize,
    requests_per_connection_max: u64,
    octets_sent_by_server: u64,
    octets_received_by_server: u64,
    speed_up: f64,
}

#[derive(Serialize)]
struct Outcome<'a> {
    resources: u32,
    round_trip_ns: u64,
    runs: &'a [Measured],
    contents_equal: bool,
    memory_octets: usize,
    component_octets: usize,
    imports: &'a [String],
    allowed: String,
}

/// The exit status.
pub(crate) async fn run(demo: &Demo) -> u8 {
    match show(demo).await {
        Ok(equal) => u8::from(!equal),
        Err(message) => {
            tell(&format!("sandpiper: {message}\n"));
            1
        }
    }
}

/// Are all contents what the server has?
async fn show(demo: &Demo) -> Result<bool, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let round_trip = Duration::from_millis(demo.latency);
    let page = Arc::new(Page::new(demo.resources));
    let server = DemoServer::start(Arc::clone(&page), round_trip).await.map_err(|error| text(&error))?;
    let allowed = server.address.to_string();
    let build = demo.component().build(None)?;
    let sandbox = demo.component().builder(build).allow(&allowed).and_then(sandpiper_host::SandboxBuilder::build);
    let sandbox = sandbox.map_err(|error| demo.component().explain(&error))?;
    let mut client = sandbox.instantiate().await.map_err(|error| text(&error))?;
    let show = |lines: &str| {
        if !demo.json {
            print(lines);
        }
    };
    show(&introduction(demo));

    let mut runs: Vec<Measured> = Vec::new();
    let mut equal = true;
    for way in Way::ALL {
        let began = Instant::now();
        let contents = fetch(way, &mut client, server.address, page.contents().len()).await?;
        let time = began.elapsed();
        equal &= contents == page.contents();
        runs.push(measured(way, time, &server.take_counts(), runs.first()));
        show(&row(way, &runs));
    }
    let imports = sandbox.imports();
    let outcome = Outcome {
        resources: demo.resources,
        round_trip_ns: nanoseconds(round_trip),
        runs: &runs,
        contents_equal: equal,
        memory_octets: client.memory_octets(),
        component_octets: demo.component().octets()?.len(),
        imports: &imports,
        allowed,
    };
    let end =
        if demo.json { serde_json::to_string(&outcome).map_err(|error| text(&error))? + "\n" } else { conclusion(&outcome) };
    print(&end);
    Ok(equal)
}

/// Writes to standard output; whoever closed it has seen enough.
fn print(text: &str) {
    let mut stdout = io::stdout();
    _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// The contents, in the order of the page.
async fn fetch(way: Way, client: &mut Client, server: SocketAddr, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let requests: Vec<Request> = (0..count).map(|index| Request::get(Page::path(index))).collect();
    match way {
        Way::NewConnections => {
            let mut contents = Vec::with_capacity(count);
            for request in requests {
                contents.extend(on_one_connection(client, server, options(Persistence::Close, 1), vec![request]).await?);
            }
            Ok(contents)
        }
        Way::OneAtATime => on_one_connection(client, server, options(Persistence::Learn, 1), requests).await,
        Way::Pipelined => on_one_connection(client, server, options(Persistence::Learn, DEPTH), requests).await,
    }
}

fn options(persistence: Persistence, depth: u32) -> ConnOptions {
    ConnOptions { persistence: Some(persistence), ..ConnOptions::default() }.limit(Limit::Outstanding, depth.into())
}

async fn on_one_connection(
    client: &mut Client,
    server: SocketAddr,
    options: ConnOptions,
    requests: Vec<Request>,
) -> Result<Vec<Vec<u8>>, String> {
    let endpoint = Endpoint::plain(server.ip().to_string(), server.port());
    let conn = client.connect(endpoint, options).await.map_err(|error| error.to_string())?;
    let exchanges = conn.send_all(client, &requests, 0).await.map_err(|error| error.to_string())?;
    let mut contents = Vec::with_capacity(requests.len());
    for exchange in exchanges {
        let exchange = exchange.map_err(|failure| failure.sentence())?;
        let response = exchange.collect(client, COLLECT_OCTETS_MAX).await.map_err(|error| error.to_string())?;
        contents.push(response.content);
    }
    conn.release(client).await.map_err(|error| error.to_string())?;
    Ok(contents)
}

fn measured(way: Way, time: Duration, counts: &Counts, first: Option<&Measured>) -> Measured {
    let time_ns = nanoseconds(time);
    Measured {
        way: way.name(),
        time_ns,
        requests: counts.requests.iter().sum(),
        connections: counts.requests.len(),
        requests_per_connection_max: counts.requests.iter().copied().max().unwrap_or(0),
        octets_sent_by_server: counts.octets_sent,
        octets_received_by_server: counts.octets_received,
        speed_up: first.map_or(1.0, |first| first.time_ns as f64 / time_ns.max(1) as f64),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn introduction(demo: &Demo) -> String {
    format!(
        "A page with {} resources, fetched three ways from a server in this program.\n\
         {}\n\n",
        demo.resources,
        simulated(demo.latency)
    )
}

fn simulated(latency: u64) -> String {
    match latency {
        0 => "No distance is simulated.".to_owned(),
        // Timers count whole milliseconds.
        _ => format!("Simulated: a round trip of {latency} to {} ms, and one more to set up a connection.", latency + 1),
    }
}

/// The last run, with a bar that compares it with the first.
fn row(way: Way, runs: &[Measured]) -> String {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return String::new();
    };
    let columns = u128::from(last.time_ns) * BAR_COLUMNS as u128 / u128::from(first.time_ns.max(1));
    let bar = "#".repeat(usize::try_from(columns).unwrap_or(BAR_COLUMNS).clamp(1, BAR_COLUMNS));
    let seconds = last.time_ns as f64 / 1e9;
    format!("  {}\n    {bar:<BAR_COLUMNS$} {seconds:7.3} s {:>15}\n", way.title(), faster(last))
}

fn faster(run: &Measured) -> String {
    if run.way == Way::NewConnections.name() { "1 x".to_owned() } else { format!("{:.1} x as fast", run.speed_up) }
}

fn conclusion(outcome: &Outcome<'_>) -> String {
    let mut text = String::from("\n  counted by the server  requests  connections  on one  octets in  octets out\n");
    for run in outcome.runs {
        text += &format!(
            "    {:<19} {:>9} {:>12} {:>7} {:>10} {:>11}\n",
            run.way,
            run.requests,
            run.connections,
            run.requests_per_connection_max,
            run.octets_received_by_server,
            run.octets_sent_by_server
        );
    }
    let requests: u64 = outcome.runs.iter().map(|run| run.requests).sum();
    text += &match outcome.contents_equal {
        true => {
            format!("  All {requests} contents are equal to the server's, octet for octet.\n\n")
        }
        false => "  CONTENTS DIFFER from the server's: this is a defect.\n\n".to_owned(),
    };
    let (octets, kilobytes) = (outcome.component_octets, outcome.memory_octets >> 10);
    text += &format!("The component ({octets} octets, {kilobytes} KiB of memory used) can reach\n");
    text += &wrapped(&short_names(outcome.imports));
    text += &format!("and no address but {}. Out of its reach:\n", outcome.allowed);
    text += &wrapped(&out_of_reach(outcome.imports).into_iter().map(str::to_owned).collect::<Vec<_>>());
    text
}

/// `wasi:io/error@0.2.12`, `wasi:io/poll@0.2.12` become `wasi:io/{error poll}`. Without what has no functions: it reaches nothing.
fn short_names(imports: &[String]) -> Vec<String> {
    let mut packages: Vec<(&str, Vec<&str>)> = Vec::new();
    for import in imports.iter().filter(|import| !import.starts_with(VALUES)) {
        let name = import.split('@').next().unwrap_or(import);
        let (package, interface) = name.split_once('/').unwrap_or((name, ""));
        match packages.iter_mut().find(|(known, _)| *known == package) {
            Some((_, interfaces)) => interfaces.push(interface),
            None => packages.push((package, vec![interface])),
        }
    }
    let name = |(package, interfaces): (&str, Vec<&str>)| match interfaces.as_slice() {
        [interface] => format!("{package}/{interface}"),
        several => format!("{package}/{{{}}}", several.join(" ")),
    };
    packages.into_iter().map(name).collect()
}

/// Comma-separated, indented lines that fit the screen; broken at spaces.
fn wrapped(items: &[String]) -> String {
    const INDENT: &str = "   ";
    let mut text = String::new();
    let mut line = INDENT.to_owned();
    for word in items.join(", ").split(' ') {
        if line.len() + 1 + word.len() > SCREEN_COLUMNS - 1 {
            text += &format!("{line}\n");
            line = INDENT.to_owned();
        }
        line += " ";
        line += word;
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_lines_fit() {
        let imports =
            ["wasi:io/error@0.2.12", "wasi:io/poll@0.2.12", "wasi:clocks/monotonic-clock@0.2.12", "sandpiper:http/types@0.2.0"];
        let imports = imports.map(str::to_owned);
        assert_eq!(short_names(&imports), ["wasi:io/{error poll}", "wasi:clocks/monotonic-clock"]);
        let text = wrapped(&vec!["word".to_owned(); 100]);
        assert!(text.lines().all(|line| line.len() < SCREEN_COLUMNS && line.starts_with("    word")));
        assert_eq!(text.matches("word").count(), 100);
    }
}

//! `counts`: what does not depend on the machine, compared with what was committed.

use crate::clients::{connection, core_request};
use crate::plugin::{self, Asked, Plugin};
use crate::servers::Servers;
use crate::work::Kind;
use anyhow::Context;
use sandpiper_guest::timer::Instant;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Where the counts are kept.
const COMMITTED: &str = "counts.json";
/// More than this part above what was committed is worse.
const TOLERANCE: f64 = 0.01;
/// Exchanges of the shorter of two runs; the other has twice as many, and the difference is what they cost.
const EXCHANGES: u32 = 1_024;

#[derive(clap::Args)]
pub struct Options {
    /// Keeps what is counted now, to be committed.
    #[arg(long)]
    accept: bool,
}

/// What is counted, by `shape: unit`.
type Counts = BTreeMap<String, f64>;

/// What an exchange looks like.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    target: &'static str,
    depth: u32,
}

const SHAPES: [Shape; 5] = [
    Shape { name: "small, depth 1", target: "/fields/6", depth: 1 },
    Shape { name: "small, depth 64", target: "/fields/6", depth: 64 },
    Shape { name: "40 field lines, depth 1", target: "/fields/40", depth: 1 },
    Shape { name: "40 field lines, depth 64", target: "/fields/40", depth: 64 },
    Shape { name: "64 KiB in chunks of 64, depth 1", target: "/chunks/1024", depth: 1 },
];

pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut counts = Counts::new();
    for shape in SHAPES {
        count_core(shape, &mut counts);
    }
    count_guest(&mut counts)?;
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    let committed: Counts = match std::fs::read(&place) {
        Ok(text) => serde_json::from_slice(&text).context("the committed counts")?,
        Err(_) => Counts::new(),
    };
    let worse = compare(&counts, &committed);
    if options.accept {
        std::fs::write(&place, serde_json::to_string_pretty(&counts)? + "\n")?;
        println!("kept in bench/{COMMITTED}");
        return Ok(());
    }
    anyhow::ensure!(worse == 0, "{worse} counts got worse: if that has its reason, keep them with --accept");
    Ok(())
}

/// Prints what changed, and gives how many counts are worse.
fn compare(counts: &Counts, committed: &Counts) -> usize {
    let mut worse = 0;
    println!("{:60} {:>12} {:>12}", "for each exchange", "committed", "now");
    for (name, now) in counts {
        let before = committed.get(name);
        let verdict = match before {
            None => "new",
            Some(before) if *now > before * (1.0 + TOLERANCE) => {
                worse += 1;
                "WORSE"
            }
            Some(before) if *now < before * (1.0 - TOLERANCE) => "better: keep it with --accept",
            Some(_) => "",
        };
        let before = before.map_or_else(|| "–".to_owned(), |before| format!("{before:.2}"));
        println!("{name:60} {before:>12} {now:>12.2} {verdict}");
    }
    for name in committed.keys().filter(|name| !counts.contains_key(*name)) {
        println!("{name:60} was not counted");
    }
    worse
}

/// Instructions and allocations of the core, without a socket.
fn count_core(shape: Shape, counts: &mut Counts) {
    let twice = |instrument: Instrument| Ok((instrument(shape, EXCHANGES)?, instrument(shape, 2 * EXCHANGES)?));
    let found: anyhow::Result<_> = twice(instructions).and_then(|counted| Ok((counted, twice(allocations)?)));
    match found {
        Ok((instructions, allocations)) => {
            for (unit, once, twice) in [
                ("instructions", instructions.0[0], instructions.1[0]),
                ("allocations", allocations.0[0], allocations.1[0]),
                ("octets allocated", allocations.0[1], allocations.1[1]),
            ] {
                counts.insert(format!("{}: core: {unit}", shape.name), each(once, twice));
            }
        }
        Err(reason) => eprintln!("bench: instructions and allocations SKIPPED: {reason:#}"),
    }
}

/// What one exchange costs, when twice as many cost `twice`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn each(once: u64, twice: u64) -> f64 {
    twice.saturating_sub(once) as f64 / f64::from(EXCHANGES)
}

/// Host calls and fuel of a plugin that is composed with the component. Who sees how much of an answer at once differs from run to run, so the
/// fewest of some runs count.
fn count_guest(counts: &mut Counts) -> anyhow::Result<()> {
    const RUNS: usize = 5;
    let servers = Servers::start()?;
    let server = servers.address(Kind::Batching).context("no server")?;
    let mut plugin = Plugin::load(&plugin::over_sandpiper()?, true)?;
    for shape in SHAPES {
        let asked = Asked { target: shape.target.to_owned(), connections: 1, depth: shape.depth, upload: 0 };
        plugin.run(server, &asked, shape.depth)?;
        let (mut host_calls, mut fuel) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..RUNS {
            let before = plugin.cost()?;
            plugin.run(server, &asked, EXCHANGES)?;
            let between = plugin.cost()?;
            plugin.run(server, &asked, 2 * EXCHANGES)?;
            let after = plugin.cost()?;
            let calls = (between.host_calls - before.host_calls, after.host_calls - between.host_calls);
            host_calls = host_calls.min(each(calls.0, calls.1));
            fuel = fuel.min(each(between.fuel - before.fuel, after.fuel - between.fuel));
        }
        counts.insert(format!("{}: component: host calls", shape.name), host_calls);
        counts.insert(format!("{}: component: fuel", shape.name), fuel);
    }
    Ok(())
}

/// Runs the core in a process of its own, and counts there.
type Instrument = fn(Shape, u32) -> anyhow::Result<[u64; 2]>;

fn instructions(shape: Shape, exchanges: u32) -> anyhow::Result<[u64; 2]> {
    let output = tempfile::NamedTempFile::new()?;
    valgrind(&["--quiet", "--tool=callgrind", &format!("--callgrind-out-file={}", output.path().display())], shape, exchanges)?;
    let text = std::fs::read_to_string(output.path())?;
    let line = text.lines().find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")));
    Ok([line.context("callgrind gave no sum")?.trim().parse()?, 0])
}

/// Allocations, and their octets.
fn allocations(shape: Shape, exchanges: u32) -> anyhow::Result<[u64; 2]> {
    let text = valgrind(&["--tool=memcheck", "--leak-check=no"], shape, exchanges)?;
    let (_, usage) = text.split_once("total heap usage: ").context("memcheck gave no sum")?;
    let number = |before: &str| -> Option<u64> { usage.split_once(before)?.0.rsplit(' ').next()?.replace(',', "").parse().ok() };
    let found = number(" allocs").zip(number(" bytes allocated"));
    found.map(|(allocations, octets)| [allocations, octets]).context("memcheck's sum is not what was expected")
}

/// What it says.
fn valgrind(options: &[&str], shape: Shape, exchanges: u32) -> anyhow::Result<String> {
    let output = Command::new("valgrind")
        .args(options)
        .arg(std::env::current_exe()?)
        .args(["core", shape.target, &shape.depth.to_string(), &exchanges.to_string()])
        .output()
        .context("there is no valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "valgrind ended with {}: {said}", output.status);
    Ok(said)
}

/// `core`: what callgrind looks at.
#[derive(clap::Args)]
pub struct Core {
    target: String,
    depth: u32,
    exchanges: u32,
}

impl Core {
    pub fn run(&self) -> anyhow::Result<()> {
        let answer = crate::server::compose(&self.target)?;
        exchange_on_core(Shape { name: "", target: "", depth: self.depth }, &answer, self.exchanges)
    }
}

/// Every answer comes as a whole, in blocks as a socket gives them.
fn exchange_on_core(shape: Shape, answer: &[u8], exchanges: u32) -> anyhow::Result<()> {
    let now = Instant(1);
    let mut conn = connection("127.0.0.1:80".to_owned(), shape.depth)?;
    let request = core_request("/fields/6", 0);
    let answers = answer.repeat(shape.depth as usize);
    let mut ids = Vec::with_capacity(shape.depth as usize);
    for _ in 0..exchanges / shape.depth {
        for _ in 0..shape.depth {
            let id = conn.send(request.clone(), 0, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            conn.begin_collect(id, u64::MAX, now).map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            ids.push(id);
        }
        conn.nothing_to_receive(now);
        while !conn.to_transmit().is_empty() {
            conn.transmitted(conn.to_transmit().len(), now);
        }
        for block in answers.chunks(conn.wants_octets().max(1)) {
            conn.receive(block.to_vec(), now);
        }
        for id in ids.drain(..) {
            let response = conn.take_response(id).context("no response")?.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            anyhow::ensure!(response.head.status == 200, "status {}", response.head.status);
            conn.forget(id, now);
        }
    }
    Ok(())
}

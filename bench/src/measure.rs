//! `run`: every client, every workload, round by round.

use crate::affinity::Cores;
use crate::clients::{self, Client, PumpLine, Times};
use crate::outcome::{ClientOutcome, Described, Machine, Outcome, WorkOutcome, median, quantile};
use crate::plugin::component;
use crate::servers::Servers;
use crate::work::{self, Work};
use crate::{chart, document, memory, table};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Rounds that find out how many exchanges fill a slice.
const TRIES_MAX: u32 = 12;

#[derive(clap::Args)]
pub struct Options {
    /// Workloads, by their names or how these begin; all when none is given. Only a run of all writes the documents.
    workloads: Vec<String>,
    /// Clients, by their names; all when none is given.
    #[arg(long)]
    client: Vec<String>,
    /// How often each client has its turn in each workload.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// How long a turn takes, about.
    #[arg(long, default_value_t = 150)]
    slice_ms: u64,
    /// Three short rounds, and a smaller large content; writes nothing.
    #[arg(long)]
    quick: bool,
    /// Names the workloads, and ends.
    #[arg(long)]
    list: bool,
}

impl Options {
    fn chooses(&self, work: &Work) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|name| work.name.starts_with(name.as_str()))
    }

    fn chooses_client(&self, client: &dyn Client) -> bool {
        self.client.is_empty() || client.name() == clients::REFERENCE || self.client.iter().any(|name| name == client.name())
    }

    fn is_whole(&self) -> bool {
        self.workloads.is_empty() && self.client.is_empty() && !self.quick
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let works: Vec<Work> = work::all(options.quick).into_iter().filter(|work| options.chooses(work)).collect();
    if options.list {
        works.iter().for_each(|work| println!("{:12} {}", work.name, work.about));
        return Ok(());
    }
    anyhow::ensure!(!works.is_empty(), "no workload has such a name: --list names them");
    let (rounds, slice) = match options.quick {
        true => (3, Duration::from_millis(40)),
        false => (options.rounds.max(1), Duration::from_millis(options.slice_ms.max(1))),
    };
    allow_many_sockets()?;
    let cores = Cores::find()?;
    if !cores.differ() {
        eprintln!("bench: there is one core: the servers and the clients share it");
    }
    cores.become_server()?;
    let servers = Servers::start()?;
    cores.become_client()?;
    let mut all = clients::all();
    all.retain(|client| options.chooses_client(&**client));
    let progress = progress(works.len());
    let mut outcome = Outcome {
        machine: machine(cores, &servers),
        rounds,
        slice_ms: u64::try_from(slice.as_millis())?,
        clients: all.iter().map(|client| Described { name: client.name().to_owned(), about: client.about() }).collect(),
        works: Vec::new(),
        facts: None,
    };
    for work in &works {
        progress.set_message(work.about.clone());
        if let Some(server) = servers.address(work.server) {
            outcome.works.push(measure(work, server, &mut all, rounds, slice, cores)?);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    drop(all);
    print!("{}", table::text(&outcome));
    if options.workloads.is_empty() {
        outcome.facts = Some(memory::facts(&servers, options.quick)?);
    }
    print!("{}", table::closing(&outcome));
    if options.is_whole() {
        write(&outcome)?;
    }
    let failed = outcome.works.iter().flat_map(|work| &work.clients).filter(|client| client.failed.is_some()).count();
    anyhow::ensure!(failed == 0, "{failed} clients failed in a workload");
    Ok(())
}

/// Thousands of connections need as many descriptors.
fn allow_many_sockets() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

fn progress(works: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    ProgressBar::new(works as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// All rounds of one workload, the clients taking turns.
fn measure(
    work: &Work,
    server: SocketAddr,
    clients: &mut [Box<dyn Client>],
    rounds: u32,
    slice: Duration,
    cores: Cores,
) -> anyhow::Result<WorkOutcome> {
    let _load = work.loaded.then(|| Load::start(work, server, cores)).transpose()?;
    let mut turns: Vec<Turns> =
        clients.iter_mut().filter(|client| client.does(work)).map(|client| Turns::new(&mut **client)).collect();
    for turns in &mut turns {
        turns.calibrate(work, server, slice);
    }
    for _ in 0..rounds {
        for turns in &mut turns {
            turns.take(work, server);
        }
    }
    let grows = work.grows.map(|(axis, size)| (axis.title().to_owned(), size));
    let clients = turns.into_iter().map(Turns::outcome).collect();
    let mut outcome = WorkOutcome { name: work.name.clone(), about: work.about.clone(), grows, clients };
    outcome.compare();
    Ok(outcome)
}

/// What one client does in one workload.
struct Turns<'a> {
    client: &'a mut dyn Client,
    exchanges: u32,
    rates: Vec<f64>,
    /// Microseconds of the processor for each exchange, by round.
    cpu_us: Vec<f64>,
    times: Times,
    failed: Option<String>,
}

impl<'a> Turns<'a> {
    fn new(client: &'a mut dyn Client) -> Turns<'a> {
        Turns { client, exchanges: 0, rates: Vec::new(), cpu_us: Vec::new(), times: Times::default(), failed: None }
    }

    /// Finds out how many exchanges take about as long as a slice; which warms up, too.
    fn calibrate(&mut self, work: &Work, server: SocketAddr, slice: Duration) {
        self.exchanges = work.window();
        for _ in 0..TRIES_MAX {
            let Some(taken) = self.exchange(work, server) else { return };
            let times = (slice.as_secs_f64() / taken.as_secs_f64()).min(50.0);
            if times < 1.1 {
                break;
            }
            let more = rounded(f64::from(self.exchanges) * times, work.window())
                .min(self.client.exchanges_max() / work.window() * work.window());
            if more <= self.exchanges {
                break;
            }
            self.exchanges = more;
            if times < 2.0 {
                break;
            }
        }
        self.times = Times { wanted: work.times_each(), nanoseconds: Vec::new() };
    }

    fn take(&mut self, work: &Work, server: SocketAddr) {
        let cpu = cpu_time();
        if let Some(taken) = self.exchange(work, server) {
            self.rates.push(f64::from(self.exchanges) / taken.as_secs_f64());
            let cpu = cpu_time().saturating_sub(cpu);
            if self.client.is_in_this_process() && !work.loaded {
                self.cpu_us.push(cpu.as_secs_f64() * 1e6 / f64::from(self.exchanges));
            }
        }
    }

    fn exchange(&mut self, work: &Work, server: SocketAddr) -> Option<Duration> {
        if self.failed.is_some() {
            return None;
        }
        let begun = Instant::now();
        let octets = self.client.run(work, server, self.exchanges, &mut self.times);
        let taken = begun.elapsed();
        match octets {
            Ok(octets) if octets == u64::from(self.exchanges) * work.content => return Some(taken),
            Ok(octets) => self.failed = Some(format!("{octets} octets came in {} exchanges", self.exchanges)),
            Err(error) => self.failed = Some(format!("{error:#}")),
        }
        eprintln!("bench: {} failed in {}: {}", self.client.name(), work.name, self.failed.as_deref().unwrap_or_default());
        None
    }

    fn outcome(mut self) -> ClientOutcome {
        let nanoseconds = &mut self.times.nanoseconds;
        ClientOutcome {
            client: self.client.name().to_owned(),
            median: if self.rates.is_empty() { 0.0 } else { median(&self.rates) },
            rates: self.rates,
            cpu_us: self.cpu_us.into_iter().reduce(f64::min),
            ratio: None,
            p50_ns: quantile(nanoseconds, 0.5),
            p99_ns: quantile(nanoseconds, 0.99),
            failed: self.failed,
        }
    }
}

/// Of this process, in user and in kernel mode.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

/// A multiple of `window`, at least one.
fn rounded(exchanges: f64, window: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of windows, far below the limit")]
    let windows = (exchanges / f64::from(window)).round().max(1.0) as u32;
    windows * window
}

/// Somebody else who keeps the server busy, where the server runs.
struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn start(work: &Work, server: SocketAddr, cores: Cores) -> anyhow::Result<Load> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut line = PumpLine::connect(&Work { depth: 4, ..work.clone() }, server)?;
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let _ = cores.become_server();
            while !stopped.load(Ordering::Relaxed) && line.turn().is_ok() {}
        });
        Ok(Load { stop, thread: Some(thread) })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn machine(cores: Cores, servers: &Servers) -> Machine {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()));
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Machine {
        processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from).max(processors.matches("processor\t").count()),
        cores_differ: cores.differ(),
        system: format!("{} {}", std::env::consts::OS, system.trim().split('-').next().unwrap_or_default()),
        nginx: servers.version.clone(),
        rust: rust_version(),
        component_octets: component().map_or(0, |component| component.len()),
    }
}

fn rust_version() -> String {
    let output = std::process::Command::new("rustc").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    version.split(' ').nth(1).unwrap_or("unknown").to_owned()
}

/// `docs/evidence/bench.json`, `docs/evidence/bench.svg`, and the tables of `docs/evidence/performance.md`.
fn write(outcome: &Outcome) -> anyhow::Result<()> {
    let evidence = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/evidence");
    std::fs::write(evidence.join("bench.json"), serde_json::to_string_pretty(outcome)? + "\n")?;
    std::fs::write(evidence.join("bench.svg"), chart::svg(outcome))?;
    let page = evidence.join("performance.md");
    let text = std::fs::read_to_string(&page).context("docs/evidence/performance.md")?;
    std::fs::write(&page, document::filled(&text, outcome)?)?;
    eprintln!("bench: wrote docs/evidence/bench.json, docs/evidence/bench.svg and the tables of docs/evidence/performance.md");
    Ok(())
}

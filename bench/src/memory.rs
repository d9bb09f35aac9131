//! What is no workload: instances, cold starts, memory.

use crate::alone::{Needed, resident_octets};
use crate::clients::sandbox;
use crate::outcome::{Facts, MemoryOutcome, median};
use crate::servers::Servers;
use crate::work::Kind;
use anyhow::Context;
use sandpiper_host::{Chunk, Request, Sandbox};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const INSTANCES: usize = 300;
const STARTS: usize = 20;
/// Pieces of a content that a slow reader takes, and how long it rests before each.
const PIECES: usize = 200;
const REST: Duration = Duration::from_millis(2);

pub fn facts(servers: &Servers, quick: bool) -> anyhow::Result<Facts> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let batching = servers.address(Kind::Batching).context("no server")?;
    let pooled = Sandbox::builder().memory_octets_max(1 << 26).pooled_clients(4).build()?;
    let mut facts = Facts {
        instantiate_ms: runtime.block_on(instantiate(&sandbox()?))?,
        instantiate_pooled_ms: runtime.block_on(instantiate(&pooled))?,
        cold_start_ms: cold_starts(batching)?,
        ..Facts::default()
    };
    let many = 1_000.0;
    for client in ["sandpiper", "hyper", "curl"] {
        let needed = only(client, "wide/1000", batching, quick)?;
        facts.connection_octets.push((client.to_owned(), as_float(needed.grown_octets) / many));
        if client == "sandpiper" {
            facts.connection_octets_inside = as_float((needed.inside_octets - needed.inside_octets_before) as u64) / many;
        }
    }
    if let Some(nginx) = servers.address(Kind::Nginx) {
        facts.memory = memory(nginx, quick, &runtime)?;
    }
    Ok(facts)
}

async fn instantiate(sandbox: &Sandbox) -> anyhow::Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..INSTANCES {
        let begun = Instant::now();
        let client = sandbox.instantiate().await?;
        taken.push(begun.elapsed().as_secs_f64() * 1e3);
        drop(client);
    }
    Ok(median(&taken))
}

/// The command line, and curl's, taking turns.
fn cold_starts(server: SocketAddr) -> anyhow::Result<Vec<(String, f64)>> {
    let url = format!("http://{server}/fields/6");
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/sandpiper");
    let programs = [("sandpiper fetch", ours.as_path(), vec!["fetch", &url]), ("curl", Path::new("curl"), vec!["-s", &url])];
    let mut taken = vec![Vec::new(); programs.len()];
    for _ in 0..STARTS {
        for ((name, program, arguments), taken) in programs.iter().zip(&mut taken) {
            let begun = Instant::now();
            let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
            match status {
                Ok(status) if status.success() => taken.push(begun.elapsed().as_secs_f64() * 1e3),
                Ok(status) => anyhow::bail!("{name} ended with {status}"),
                Err(reason) if taken.is_empty() => eprintln!("bench: {name} SKIPPED: {reason}"),
                Err(reason) => return Err(reason.into()),
            }
        }
    }
    let started = programs.iter().zip(&taken).filter(|(_, taken)| !taken.is_empty());
    Ok(started.map(|((name, ..), taken)| ((*name).to_owned(), median(taken))).collect())
}

/// One exchange, or one for each connection, in a process of its own.
fn only(client: &str, workload: &str, server: SocketAddr, quick: bool) -> anyhow::Result<Needed> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["only", client, workload, "--exchanges", "1", "--server", &server.to_string()]);
    command.args(quick.then_some("--quick"));
    let output = command.stdin(Stdio::null()).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Large contents take constant memory, and so do slow readers.
fn memory(server: SocketAddr, quick: bool, runtime: &tokio::runtime::Runtime) -> anyhow::Result<Vec<MemoryOutcome>> {
    let mut found = Vec::new();
    for (quick, octets) in [(true, 1 << 26), (quick, if quick { 1 << 26 } else { 1 << 30 })] {
        let needed = only("sandpiper", "down/huge", server, quick)?;
        let what = "a content that is not gathered".to_owned();
        let (inside_octets, grown_octets) = (needed.inside_octets, needed.grown_octets);
        found.push(MemoryOutcome { what, content_octets: octets, inside_octets, grown_octets });
    }
    found.push(runtime.block_on(slow_reader(server, if quick { 1 << 26 } else { 1 << 30 }))?);
    Ok(found)
}

async fn slow_reader(server: SocketAddr, octets: u64) -> anyhow::Result<MemoryOutcome> {
    let mut client = sandbox()?.instantiate().await?;
    let conn = client.connect(&*format!("http://{server}"), None).await?;
    let poll = client.poll(None).await?;
    poll.insert(&mut client, &conn, 0).await?;
    let grown = resident_octets()?;
    let exchange = conn.send(&mut client, Request::get(format!("/{octets}")), 0).await?;
    let mut read = 0;
    for _ in 0..PIECES {
        tokio::time::sleep(REST).await;
        poll.wait(&mut client, Some(Duration::ZERO), 1).await?;
        if let Chunk::Data(piece) = exchange.read(&mut client, 1_024).await? {
            read += piece.len() as u64;
        }
    }
    Ok(MemoryOutcome {
        what: format!("a reader that takes 1 KiB each {} ms", REST.as_millis()),
        content_octets: read,
        inside_octets: client.memory_octets(),
        grown_octets: resident_octets()?.saturating_sub(grown),
    })
}

#[expect(clippy::cast_precision_loss, reason = "octets of memory are far below 2^53")]
fn as_float(octets: u64) -> f64 {
    octets as f64
}

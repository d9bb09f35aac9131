//! `only`: one client, one workload: for a profiler, and to see what one costs in memory.

use crate::affinity::Cores;
use crate::clients::{self, Client, Times};
use crate::servers::Servers;
use crate::work::{self, Work};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Options {
    client: String,
    workload: String,
    /// How long.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// So many exchanges instead.
    #[arg(long)]
    exchanges: Option<u32>,
    /// A server that runs already.
    #[arg(long)]
    server: Option<SocketAddr>,
    /// With the small large content.
    #[arg(long)]
    quick: bool,
}

/// What one client needed.
#[derive(Debug, Deserialize, Serialize)]
pub struct Needed {
    pub exchanges: u64,
    pub per_second: f64,
    /// What the process grew by, in octets.
    pub grown_octets: u64,
    /// The component's memory at the end, where there is one.
    pub inside_octets: usize,
    pub inside_octets_before: usize,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let work = work::all(options.quick).into_iter().find(|work| work.name == options.workload).context("no such workload")?;
    let _servers;
    let server = match options.server {
        Some(server) => server,
        None => {
            let cores = Cores::find()?;
            cores.become_server()?;
            let servers = Servers::start()?;
            cores.become_client()?;
            let address = servers.address(work.server).context("its server is not here")?;
            _servers = servers;
            address
        }
    };
    let mut client = clients::named(&options.client)?;
    let needed = measure(&mut *client, &work, server, options)?;
    println!("{}", serde_json::to_string(&needed)?);
    Ok(())
}

fn measure(client: &mut dyn Client, work: &Work, server: SocketAddr, options: &Options) -> anyhow::Result<Needed> {
    // With one connection, so that what is made once is there.
    let first = Work { connections: 1, depth: 1, ..work.clone() };
    if options.exchanges.is_some() && !work.streamed {
        client.run(&first, server, 1, &mut Times::default())?;
    }
    let (grown, inside_octets_before) = (resident_octets()?, client.memory_octets());
    let begun = Instant::now();
    let mut exchanges = 0;
    loop {
        let batch = options.exchanges.unwrap_or(work.window() * 16).next_multiple_of(work.window()).min(client.exchanges_max());
        client.run(work, server, batch, &mut Times::default())?;
        exchanges += u64::from(batch);
        if options.exchanges.is_some() || begun.elapsed() > Duration::from_secs(options.seconds) {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of exchanges")]
    let per_second = exchanges as f64 / begun.elapsed().as_secs_f64();
    let grown_octets = resident_octets()?.saturating_sub(grown);
    Ok(Needed { exchanges, per_second, grown_octets, inside_octets: client.memory_octets(), inside_octets_before })
}

/// What this process has in memory.
pub fn resident_octets() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the system does not say")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

//! Which core a process runs on: the servers and the clients on different ones, where there are two.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core of the servers, and that of the clients.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    server: usize,
    client: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub fn find() -> anyhow::Result<Cores> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let server = cores.next().unwrap_or(0);
        Ok(Cores { server, client: cores.next().unwrap_or(server) })
    }

    /// Are there two?
    pub fn differ(self) -> bool {
        self.server != self.client
    }

    /// From now on this thread, and what it starts, runs where the servers do.
    pub fn become_server(self) -> anyhow::Result<()> {
        pin(self.server)
    }

    /// From now on this thread, and what it starts, runs where the clients do.
    pub fn become_client(self) -> anyhow::Result<()> {
        pin(self.client)
    }
}

fn pin(core: usize) -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

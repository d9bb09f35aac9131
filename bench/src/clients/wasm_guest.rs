//! Guests that are clients, in wasmtime: over Sandpiper, and over `wasi:http`.

use super::{Client, Times};
use crate::plugin::{self, Asked, Plugin};
use crate::work::Work;
use std::net::SocketAddr;

/// Exchanges that one run may have where every exchange opens a connection, and how many of them at once: ports are used up.
const OPENED_MAX: u32 = 2_000;
const OPEN_MAX: u32 = 100;

pub struct WasmGuest {
    name: &'static str,
    about: &'static str,
    exchanges_max: u32,
    connections_max: u32,
    plugin: Plugin,
}

impl WasmGuest {
    pub fn over_sandpiper() -> anyhow::Result<WasmGuest> {
        Ok(WasmGuest {
            name: "guest, sandpiper",
            about: "a guest composed with the component, in wasmtime",
            exchanges_max: u32::MAX,
            connections_max: u32::MAX,
            plugin: Plugin::load(&plugin::over_sandpiper()?, false)?,
        })
    }

    pub fn over_wasi_http() -> anyhow::Result<WasmGuest> {
        Ok(WasmGuest {
            name: "guest, wasi:http",
            about: "a guest over `wasi:http`, in the same wasmtime, with its default handler: a connection for every request",
            exchanges_max: OPENED_MAX,
            connections_max: OPEN_MAX,
            plugin: Plugin::load(&plugin::over_wasi_http()?, false)?,
        })
    }
}

impl Client for WasmGuest {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> String {
        self.about.to_owned()
    }

    fn does(&self, work: &Work) -> bool {
        work.connections <= self.connections_max && !work.streamed
    }

    fn exchanges_max(&self) -> u32 {
        self.exchanges_max
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, _: &mut Times) -> anyhow::Result<u64> {
        let upload = u32::try_from(work.upload)?;
        let asked = Asked { target: work.target.clone(), connections: work.connections, depth: work.depth, upload };
        self.plugin.run(server, &asked, exchanges)
    }
}

//! Guests that are clients, in wasmtime: over Sandpiper, and over `wasi:http`.

use super::{Client, Times};
use crate::plugin::{self, Plugin};
use crate::work::Work;
use std::net::SocketAddr;

/// Exchanges that one run may have where every exchange opens a connection: ports are used up.
const CONNECTIONS_MAX: u32 = 2_000;

pub struct WasmGuest {
    name: &'static str,
    about: &'static str,
    exchanges_max: u32,
    plugin: Plugin,
}

impl WasmGuest {
    pub fn over_sandpiper() -> anyhow::Result<WasmGuest> {
        Ok(WasmGuest {
            name: "guest, sandpiper",
            about: "a guest composed with the component, in wasmtime",
            exchanges_max: u32::MAX,
            plugin: Plugin::load(&plugin::over_sandpiper()?, false)?,
        })
    }

    pub fn over_wasi_http() -> anyhow::Result<WasmGuest> {
        Ok(WasmGuest {
            name: "guest, wasi:http",
            about: "a guest over `wasi:http`, in the same wasmtime, with its default handler: a connection for every request",
            exchanges_max: CONNECTIONS_MAX,
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
        work.connections == 1 && work.upload == 0 && !work.streamed
    }

    fn exchanges_max(&self) -> u32 {
        self.exchanges_max
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, _: &mut Times) -> anyhow::Result<u64> {
        self.plugin.run(server, &work.target, work.depth, exchanges)
    }
}

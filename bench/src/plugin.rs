//! The guests that are clients, in a wasmtime of our own: one configuration for both.

use anyhow::Context;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};
use wasmtime::component::{Component, ComponentType, Linker, Lower, ResourceTable, TypedFunc};
use wasmtime::{CallHook, Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView, default_hooks};

/// Enough fuel for any run.
const FUEL: u64 = u64::MAX / 2;

type Run = TypedFunc<(u16, Asked, u32), (Result<u64, String>,)>;

/// What a guest is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Asked {
    pub target: String,
    pub connections: u32,
    /// Requests under way on each connection.
    pub depth: u32,
    /// Octets of each request's content; 0: a GET.
    pub upload: u32,
}

/// One instance of a guest.
pub struct Plugin {
    runtime: Runtime,
    store: Store<State>,
    run: Run,
    host_calls: Arc<AtomicU64>,
}

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: default_hooks(), table: &mut self.table, ctx: &mut self.http }
    }
}

/// What a guest cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub host_calls: u64,
    pub fuel: u64,
}

impl Plugin {
    /// `counted`: with fuel, and host calls counted; slower.
    pub fn load(component: &[u8], counted: bool) -> anyhow::Result<Plugin> {
        let mut config = Config::new();
        config.concurrency_support(false);
        config.consume_fuel(counted);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        let wasi = WasiCtx::builder().inherit_network().allow_tcp(true).build();
        let mut store = Store::new(&engine, State { table: ResourceTable::new(), wasi, http: WasiHttpCtx::new() });
        let host_calls = Arc::new(AtomicU64::new(0));
        if counted {
            let count = Arc::clone(&host_calls);
            store.call_hook(move |_, hook| {
                count.fetch_add(u64::from(matches!(hook, CallHook::CallingHost)), Ordering::Relaxed);
                Ok(())
            });
            store.set_fuel(FUEL)?;
        }
        let component = Component::new(&engine, component)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let instance = runtime.block_on(linker.instantiate_async(&mut store, &component))?;
        let run = instance.get_typed_func(&mut store, "run")?;
        Ok(Plugin { runtime, store, run, host_calls })
    }

    /// So many exchanges. Gives the octets of all contents.
    pub fn run(&mut self, server: SocketAddr, asked: &Asked, exchanges: u32) -> anyhow::Result<u64> {
        let parameters = (server.port(), asked.clone(), exchanges);
        let (octets,) = self.runtime.block_on(self.run.call_async(&mut self.store, parameters))?;
        octets.map_err(anyhow::Error::msg)
    }

    /// What it has cost so far.
    pub fn cost(&self) -> anyhow::Result<Cost> {
        Ok(Cost { host_calls: self.host_calls.load(Ordering::Relaxed), fuel: FUEL - self.store.get_fuel()? })
    }
}

/// A guest that uses `wasi:http`.
pub fn over_wasi_http() -> anyhow::Result<Vec<u8>> {
    guest("over_wasi_http")
}

/// A guest composed with our component.
pub fn over_sandpiper() -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let component = Package::from_bytes("sandpiper", None, component()?, graph.types_mut())?;
    let guest = Package::from_bytes("guest", None, guest("over_sandpiper")?, graph.types_mut())?;
    let (component, guest) = (graph.register_package(component)?, graph.register_package(guest)?);
    wac_graph::plug(&mut graph, vec![component], guest)?;
    Ok(graph.encode(EncodeOptions::default())?)
}

/// Ours: that of the host, or another one, to compare the two without building everything again.
pub fn component() -> anyhow::Result<Vec<u8>> {
    match std::env::var_os("SANDPIPER_BENCH_COMPONENT") {
        Some(path) => Ok(std::fs::read(path)?),
        None => Ok(sandpiper_host::COMPONENT.to_vec()),
    }
}

/// As the recipe has built it.
fn guest(name: &str) -> anyhow::Result<Vec<u8>> {
    let built = "target/bench-guests/wasm32-unknown-unknown/guest/examples";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(built).join(name).with_extension("wasm");
    std::fs::read(&path).with_context(|| format!("{} is not built: run it by ./dev bench", path.display()))
}

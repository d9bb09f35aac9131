//! What belongs to one instance on the host's side, and the interfaces that the component is given: these and no
//! others.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::coop::consume_budget;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtx, WasiClocksCtxView};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::random;
use wasmtime_wasi::p2::bindings::sockets::network::LinkOptions;
use wasmtime_wasi::p2::bindings::sockets::{instance_network, network};
use wasmtime_wasi::random::{WasiRandom, WasiRandomCtx};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtx, WasiSocketsCtxView};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams as io_streams};
use wasmtime_wasi_tls::{WasiTlsCtx, WasiTlsCtxBuilder, WasiTlsCtxView, WasiTlsView};

use crate::bindings::{ip_name_lookup, streams, tcp, tcp_create_socket};
use crate::client::Parts;
use crate::error::HostError;
use crate::host_tls::HostTls;
use crate::limits::{ClientLimits, Computing, Memory};
use crate::policy::Reach;
use crate::record::{Tape, Taped};
use crate::wasi::lookup::{LOOKUPS_MAX, Resolver};
use crate::wasi::sockets::{self, Streams};
use crate::wasi::timers::keep_timers;
use crate::wasi::watch::Watch;

/// The interfaces that every component is given, without their versions.
const ALWAYS: [&str; 10] = [
    "sandpiper:http/types", // types alone: nothing has to be linked for it
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:sockets/network",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
];

/// What a component is given besides, since it imports it: TLS inside takes the first two, the host's TLS is the third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// `wasi:clocks/wall-clock`
    pub(crate) date: bool,
    /// `wasi:random/random`
    pub(crate) randomness: bool,
    /// `wasi:tls/types`
    pub(crate) host_tls: bool,
}

impl Given {
    /// What of these imports, `package:name/interface@version`, is given on demand. Versions are for the linker to compare.
    ///
    /// # Errors
    /// Those that are not given.
    pub(crate) fn of(imports: &[String]) -> Result<Self, Vec<String>> {
        let mut given = Self::default();
        let mut foreign = Vec::new();
        for import in imports {
            match import.split_once('@').map_or(import.as_str(), |(interface, _)| interface) {
                "wasi:clocks/wall-clock" => given.date = true,
                "wasi:random/random" => given.randomness = true,
                "wasi:tls/types" => given.host_tls = true,
                interface if ALWAYS.contains(&interface) => {}
                _ => foreign.push(import.clone()),
            }
        }
        if foreign.is_empty() { Ok(given) } else { Err(foreign) }
    }
}

/// The data of a store.
pub(crate) struct State {
    /// What the component has handles of.
    pub(crate) table: ResourceTable,
    pub(crate) reach: Arc<Reach>,
    pub(crate) resolver: Resolver,
    pub(crate) lookup_slots: Arc<Semaphore>,
    pub(crate) memory: Memory,
    pub(crate) computing: Computing,
    /// `None`: nothing is recorded or replayed.
    pub(crate) taped: Option<Taped>,
    clocks: WasiClocksCtx,
    pub(crate) random: WasiRandomCtx,
    host_tls: WasiTlsCtx,
    has_host_tls: bool,
    /// Wasmtime's, for what it has of networks and names of errors; sockets are our own.
    sockets: WasiSocketsCtx,
    /// Those in the table that are TCP of our own.
    pub(crate) streams: Streams,
    pub(crate) watch: Watch,
    pub(crate) sockets_open: usize,
    pub(crate) sockets_max: usize,
}

impl State {
    pub(crate) fn new(
        reach: Arc<Reach>,
        resolver: Resolver,
        limits: &ClientLimits,
        tape: Option<Tape>,
        host_tls: Option<&HostTls>,
    ) -> Self {
        let tls = WasiTlsCtxBuilder::new();
        let tls = match host_tls {
            Some(host_tls) => tls.provider(Box::new(host_tls.clone())),
            None => tls,
        };
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.table_entries_max());
        Self {
            table,
            streams: Streams::default(),
            watch: Watch::default(),
            sockets: WasiSocketsCtx::default(),
            reach,
            resolver,
            lookup_slots: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            memory: Memory::new(limits.memory_octets_max),
            computing: Computing::new(limits.ticks_max()),
            taped: tape.map(Taped::new),
            clocks: WasiClocksCtx::default(),
            random: WasiRandomCtx::default(),
            host_tls: tls.build(),
            has_host_tls: host_tls.is_some(),
            sockets_open: 0,
            sockets_max: limits.sockets_max,
        }
    }

    /// Takes what the component handed over out of the table: the streams first, which are the socket's children.
    ///
    /// # Errors
    /// The component has kept something of it.
    pub(crate) fn take_parts(&mut self, parts: streams::Parts) -> Result<Parts, HostError> {
        let streams::Parts { socket, input, output, unread } = parts;
        for stream in [input.rep(), output.rep()] {
            self.streams.forget(&mut self.watch, stream);
        }
        let (input, output) = (self.take(input)?, self.take(output)?);
        if let (Some(socket), Some(taped)) = (&socket, &mut self.taped) {
            taped.forget(socket);
        }
        let socket = socket.map(|socket| self.take(socket)).transpose()?;
        if let Some(socket) = &socket {
            socket.leave_instance();
            self.sockets_open = self.sockets_open.saturating_sub(1);
        }
        Ok(Parts { input, output, socket, unread })
    }

    fn take<T: 'static>(&mut self, resource: Resource<T>) -> Result<T, HostError> {
        self.table.delete(resource).map_err(|error| HostError::Engine(error.to_string().into()))
    }

    /// Do streams of ours stay in the table as they are? A recording wraps them, and the host's TLS takes them out of it.
    pub(crate) fn goes_straight(&self) -> bool {
        self.taped.is_none() && !self.has_host_tls
    }

    /// Sockets that the component has open.
    pub(crate) fn sockets_open(&self) -> usize {
        self.sockets_open
    }
}

/// Wasmtime's interfaces of `wasi:io` are implemented by the table alone.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// Gives the component its interfaces.
///
/// # Errors
/// Out of memory.
pub(crate) fn link(linker: &mut Linker<State>, given: Given) -> wasmtime::Result<()> {
    error::add_to_linker::<State, Table>(linker, |state| &mut state.table)?;
    io_streams::add_to_linker::<State, Table>(linker, |state| &mut state.table)?;
    poll::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    monotonic_clock::add_to_linker::<State, WasiClocks>(linker, clocks)?;
    network::add_to_linker::<State, WasiSockets>(linker, &LinkOptions::default(), sockets)?;
    instance_network::add_to_linker::<State, WasiSockets>(linker, sockets)?;
    ip_name_lookup::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    tcp::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    tcp_create_socket::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    keep_timers(linker)?;
    sockets::link(linker, given.host_tls)?;
    link_on_demand(linker, given)
}

fn link_on_demand(linker: &mut Linker<State>, given: Given) -> wasmtime::Result<()> {
    if given.date {
        wall_clock::add_to_linker::<State, WasiClocks>(linker, clocks)?;
    }
    if given.randomness {
        random::add_to_linker::<State, WasiRandom>(linker, |state| &mut state.random)?;
    }
    if given.host_tls {
        let mut options = wasmtime_wasi_tls::p2::LinkOptions::default();
        options.tls(true);
        wasmtime_wasi_tls::p2::add_to_linker(linker, &options)?;
    }
    Ok(())
}

impl WasiTlsView for State {
    fn tls(&mut self) -> WasiTlsCtxView<'_> {
        WasiTlsCtxView { ctx: &mut self.host_tls, table: &mut self.table }
    }
}

pub(crate) fn clocks(state: &mut State) -> WasiClocksCtxView<'_> {
    WasiClocksCtxView { ctx: &mut state.clocks, table: &mut state.table }
}

pub(crate) fn sockets(state: &mut State) -> WasiSocketsCtxView<'_> {
    WasiSocketsCtxView { ctx: &mut state.sockets, table: &mut state.table }
}

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        // Others have their turn, which is not a wait: a component that polls what is always ready would never be found to compute.
        consume_budget().await;
        let Self { table, watch, computing, .. } = self;
        noting_waits(computing, watch.poll(table, &pollables)).await
    }
}

impl poll::HostPollable for State {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        consume_budget().await;
        let Self { table, watch, computing, .. } = self;
        noting_waits(computing, watch.poll(table, &[pollable])).await.map(drop)
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        match self.watch.is_ready(&pollable) {
            Some(ready) => Ok(ready),
            None => poll::HostPollable::ready(&mut self.table, pollable).await,
        }
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.watch.forget(&pollable);
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

/// Notes whether the component really waited.
async fn noting_waits<T>(computing: &mut Computing, wait: impl Future<Output = T>) -> T {
    let mut wait = pin!(wait);
    poll_fn(|context| {
        let polled = wait.as_mut().poll(context);
        if polled.is_pending() {
            computing.waited();
        }
        polled
    })
    .await
}

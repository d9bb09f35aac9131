//! What belongs to one instance on the host's side, and the interfaces that the component is given: these and no
//! others.

use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtx, WasiClocksCtxView};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::random;
use wasmtime_wasi::p2::bindings::sockets::network::LinkOptions;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket;
use wasmtime_wasi::p2::bindings::sockets::{instance_network, network, tcp, tcp_create_socket};
use wasmtime_wasi::p2::{DynOutputStream, DynPollable, Network, SocketError, SocketResult, TcpSocket};
use wasmtime_wasi::random::{WasiRandom, WasiRandomCtx};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSockets, WasiSocketsCtx, WasiSocketsCtxView, WasiSocketsView};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams as io_streams};
use wasmtime_wasi_tls::{WasiTlsCtx, WasiTlsCtxBuilder, WasiTlsCtxView, WasiTlsView};

use crate::bindings::{ip_name_lookup, streams};
use crate::client::Parts;
use crate::error::HostError;
use crate::host_tls::HostTls;
use crate::limits::{ClientLimits, Computing, Memory};
use crate::lookup::{LOOKUPS_MAX, Resolver};
use crate::policy::Reach;
use crate::record::{Tape, Taped};
use crate::timer::keep_timers;

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
    sockets: WasiSocketsCtx,
    sockets_open: usize,
    sockets_max: usize,
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
            sockets: sockets_under(&reach),
            reach,
            resolver,
            lookup_slots: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            memory: Memory::new(limits.memory_octets_max),
            computing: Computing::new(limits.ticks_max()),
            taped: tape.map(Taped::new),
            clocks: WasiClocksCtx::default(),
            random: WasiRandomCtx::default(),
            host_tls: tls.build(),
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
        let (input, output) = (self.take(input)?, self.take(output)?);
        if let (Some(socket), Some(taped)) = (&socket, &mut self.taped) {
            taped.forget(socket);
        }
        let socket = socket.map(|socket| self.take(socket)).transpose()?;
        self.sockets_open = self.sockets_open.saturating_sub(usize::from(socket.is_some()));
        Ok(Parts { input, output, socket, unread })
    }

    fn take<T: 'static>(&mut self, resource: Resource<T>) -> Result<T, HostError> {
        self.table.delete(resource).map_err(|error| HostError::Engine(error.to_string().into()))
    }

    /// Sockets that the component has open.
    pub(crate) fn sockets_open(&self) -> usize {
        self.sockets_open
    }
}

/// TCP, with every address put to the policy. A whole context of WASI is the only way to make one, and the rest of it
/// is dropped.
fn sockets_under(reach: &Arc<Reach>) -> WasiSocketsCtx {
    struct Context(WasiCtx, ResourceTable);
    impl WasiView for Context {
        fn ctx(&mut self) -> WasiCtxView<'_> {
            WasiCtxView { ctx: &mut self.0, table: &mut self.1 }
        }
    }
    let reach = Arc::clone(reach);
    let check = move |address: SocketAddr, used: SocketAddrUse| -> Pin<Box<dyn Future<Output = bool> + Send + Sync>> {
        Box::pin(std::future::ready(admits(&reach, address, used)))
    };
    let context = WasiCtx::builder().allow_tcp(true).socket_addr_check(check).build();
    Context(context, ResourceTable::new()).sockets().ctx.clone()
}

/// The component is a client: it connects, and does nothing else with an address.
fn admits(reach: &Reach, address: SocketAddr, used: SocketAddrUse) -> bool {
    match used {
        SocketAddrUse::TcpConnect => reach.may_connect(address),
        // Asked before every connect too, with the unspecified address.
        SocketAddrUse::TcpBind => reach.may_bind(address),
        SocketAddrUse::TcpListen
        | SocketAddrUse::TcpAccept
        | SocketAddrUse::UdpBind
        | SocketAddrUse::UdpSend
        | SocketAddrUse::UdpReceive => false,
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
    tcp::add_to_linker::<State, WasiSockets>(linker, sockets)?;
    tcp_create_socket::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    count_closed_sockets(linker)?;
    keep_timers(linker)?;
    close_streams_behind_the_component(linker, given.host_tls)?;
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

/// How long octets may take that the component has written and not seen leave when it drops the stream.
const LINGER: Duration = Duration::from_secs(10);

/// Replaces the destructor of output streams. Wasmtime's own waits until what was written has left: a peer that does not read would
/// stop the instance, for ever and with all its connections. The streams of the host's TLS do not wait, but throw away what has not
/// left, and so are waited for here.
fn close_streams_behind_the_component(linker: &mut Linker<State>, host_tls: bool) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let close = move |mut store: wasmtime::StoreContextMut<'_, State>, handle: u32| {
        let mut stream = store.data_mut().table.delete(Resource::<DynOutputStream>::new_own(handle))?;
        let leave = async move {
            if host_tls {
                stream.ready().await;
            }
            stream.cancel().await;
        };
        let mut closed = Box::pin(async move { tokio::time::timeout(LINGER, leave).await });
        // When all has left, its socket is closed before the component goes on, and another may be opened in its place.
        if closed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(closed);
        }
        Ok(())
    };
    linker.instance("wasi:io/streams@0.2.12")?.resource("output-stream", ResourceType::host::<DynOutputStream>(), close)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces the destructor of sockets with one that counts.
fn count_closed_sockets(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let close = |mut store: wasmtime::StoreContextMut<'_, State>, handle: u32| {
        let state = store.data_mut();
        state.sockets_open = state.sockets_open.saturating_sub(1);
        let socket = Resource::<TcpSocket>::new_own(handle);
        if let Some(taped) = &mut state.taped {
            taped.forget(&socket);
        }
        HostTcpSocket::drop(&mut sockets(state), socket)
    };
    linker.instance("wasi:sockets/tcp@0.2.12")?.resource("tcp-socket", ResourceType::host::<TcpSocket>(), close)?;
    linker.allow_shadowing(false);
    Ok(())
}

pub(crate) fn clocks(state: &mut State) -> WasiClocksCtxView<'_> {
    WasiClocksCtxView { ctx: &mut state.clocks, table: &mut state.table }
}

pub(crate) fn sockets(state: &mut State) -> WasiSocketsCtxView<'_> {
    WasiSocketsCtxView { ctx: &mut state.sockets, table: &mut state.table }
}

/// Wasmtime's own; making sockets is bound to it.
impl network::Host for State {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut sockets(self), error)
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut sockets(self), error)
    }
}

impl network::HostNetwork for State {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut sockets(self), network)
    }
}

impl tcp_create_socket::Host for State {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        if self.sockets_open >= self.sockets_max {
            return Err(ErrorCode::NewSocketLimit.into());
        }
        let socket = sockets(self).create_tcp_socket(family)?;
        self.sockets_open += 1;
        Ok(socket)
    }
}

/// Wasmtime's own, and a note of whether the component really waited.
impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let Self { table, computing, .. } = self;
        noting_waits(computing, poll::Host::poll(table, pollables)).await
    }
}

impl poll::HostPollable for State {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let Self { table, computing, .. } = self;
        noting_waits(computing, poll::HostPollable::block(table, pollable)).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

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

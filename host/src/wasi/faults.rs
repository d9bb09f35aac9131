//! Faults: functions that the component imports answer with an error, instead of doing anything. For tests of the component, and of what
//! calls it.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{Datetime, Host as _};
use wasmtime_wasi::p2::bindings::random::random::Host as _;
pub use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::p2::bindings::sockets::network::{IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError};
use wasmtime_wasi_io::bindings::wasi::io::poll::Host as _;
use wasmtime_wasi_io::bindings::wasi::io::streams::{HostInputStream, HostOutputStream};
use wasmtime_wasi_tls::WasiTlsView;
use wasmtime_wasi_tls::p2::HostFutureClientStreams;
use wasmtime_wasi_tls::p2::bindings::types::HostFutureClientStreams as _;

use crate::bindings::ip_name_lookup::{Host as _, HostResolveAddressStream as _};
use crate::bindings::tcp::{HostTcpSocket, ShutdownType};
use crate::bindings::tcp_create_socket::Host as _;
use crate::record::{Answer, answer};
use crate::wasi::lookup::Lookup;
use crate::wasi::sockets::{TcpSocket, stream_answer};
use crate::wasi::state::{Given, State, clocks};

/// A function that the component imports, and that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Import {
    /// `create-tcp-socket`
    CreateTcpSocket,
    /// `tcp-socket.start-connect`
    StartConnect,
    /// `tcp-socket.finish-connect`
    FinishConnect,
    /// `tcp-socket.local-address`
    LocalAddress,
    /// `tcp-socket.remote-address`
    RemoteAddress,
    /// `tcp-socket.shutdown`
    Shutdown,
    /// `resolve-addresses`
    ResolveAddresses,
    /// `resolve-address-stream.resolve-next-address`
    ResolveNextAddress,
    /// `input-stream.read`
    Read,
    /// `output-stream.check-write`
    CheckWrite,
    /// `output-stream.write`
    Write,
    /// `poll`
    Poll,
    /// `get-random-bytes`
    GetRandomBytes,
    /// `wall-clock.now`
    Now,
    /// `future-client-streams.get`
    GetClientStreams,
}

/// What a function answers instead of doing anything.
///
/// `get-random-bytes` cannot fail: with `Nothing` it gives no octets, with `One` one, whatever was asked for. `now` tells 1970 with any
/// fault. `future-client-streams.get` gives an error where a stream would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A function of `wasi:sockets` fails with this code. One of a stream: [`Fault::Failed`].
    Code(ErrorCode),
    /// A stream answers `last-operation-failed`. A function of `wasi:sockets`: `unknown`.
    Failed,
    /// A stream answers `closed`. A function of `wasi:sockets`: `connection-aborted`.
    Closed,
    /// There is nothing yet: no octets, no room, `would-block`, no streams with TLS. `poll` says that everything is ready, and nothing
    /// need be. `write` has no such answer, and does its work.
    Nothing,
    /// There is one octet, or room for one. Other functions do their work.
    One,
}

/// Asked before each call of such a function, with the octets that a write hands over: `None` lets it do its work.
pub(crate) type Faults = Arc<dyn Fn(Import, &[u8]) -> Option<Fault> + Send + Sync>;

type Store<'a> = StoreContextMut<'a, State>;
type Socket = Resource<TcpSocket>;

impl Fault {
    /// As a function of `wasi:sockets` says it; `None`: it does its work.
    fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Code(code) => Some(code),
            Self::Failed => Some(ErrorCode::Unknown),
            Self::Closed => Some(ErrorCode::ConnectionAborted),
            Self::Nothing => Some(ErrorCode::WouldBlock),
            Self::One => None,
        }
    }

    /// As a stream says it; `None`: it is no error.
    fn stream_error(self) -> Option<StreamError> {
        match self {
            Self::Code(_) | Self::Failed => Some(StreamError::LastOperationFailed(wasmtime::Error::msg("a fault"))),
            Self::Closed => Some(StreamError::Closed),
            Self::Nothing | Self::One => None,
        }
    }
}

/// Has `faults` asked before each call.
///
/// # Errors
/// Out of memory.
pub(crate) fn interpose(linker: &mut Linker<State>, faults: &Faults, given: Given) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    fail_sockets(linker, faults)?;
    fail_connections(linker, faults)?;
    fail_lookups(linker, faults)?;
    fail_input(linker, faults)?;
    fail_output(linker, faults)?;
    fail_polls(linker, faults)?;
    fail_on_demand(linker, faults, given)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The code that a function of `wasi:sockets` fails with; `None`: it does its work.
fn code_of(faults: &Faults, import: Import) -> Option<ErrorCode> {
    faults(import, &[]).and_then(Fault::code)
}

fn fail_sockets(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let faults = Arc::clone(faults);
    let create = move |mut store: Store<'_>, (family,): (IpAddressFamily,)| match code_of(&faults, Import::CreateTcpSocket) {
        Some(code) => Ok((Err(code),)),
        None => answer(store.data_mut().create_tcp_socket(family)),
    };
    linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?.func_wrap("create-tcp-socket", create)
}

fn fail_connections(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let mut tcp = linker.instance("wasi:sockets/tcp@0.2.12")?;
    let asked = Arc::clone(faults);
    let start = move |mut store: Store<'_>, (socket, network, to): (Socket, Resource<Network>, IpSocketAddress)| {
        let code = code_of(&asked, Import::StartConnect);
        code.map_or_else(|| answer(store.data_mut().start_connect(socket, network, to)), failed)
    };
    tcp.func_wrap("[method]tcp-socket.start-connect", start)?;
    let asked = Arc::clone(faults);
    let finish = move |mut store: Store<'_>, (socket,): (Socket,)| {
        let code = code_of(&asked, Import::FinishConnect);
        code.map_or_else(|| answer(store.data_mut().finish_connect(socket)), failed)
    };
    tcp.func_wrap("[method]tcp-socket.finish-connect", finish)?;
    let asked = Arc::clone(faults);
    let local = move |mut store: Store<'_>, (socket,): (Socket,)| {
        let code = code_of(&asked, Import::LocalAddress);
        code.map_or_else(|| answer(store.data_mut().local_address(socket)), failed)
    };
    tcp.func_wrap("[method]tcp-socket.local-address", local)?;
    let asked = Arc::clone(faults);
    let remote = move |mut store: Store<'_>, (socket,): (Socket,)| {
        let code = code_of(&asked, Import::RemoteAddress);
        code.map_or_else(|| answer(store.data_mut().remote_address(socket)), failed)
    };
    tcp.func_wrap("[method]tcp-socket.remote-address", remote)?;
    let asked = Arc::clone(faults);
    let end = move |mut store: Store<'_>, (socket, how): (Socket, ShutdownType)| {
        let code = code_of(&asked, Import::Shutdown);
        code.map_or_else(|| answer(store.data_mut().shutdown(socket, how)), failed)
    };
    tcp.func_wrap("[method]tcp-socket.shutdown", end)
}

fn failed<T>(code: ErrorCode) -> Answer<T> {
    Ok((Err(code),))
}

fn fail_lookups(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let mut lookups = linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?;
    let asked = Arc::clone(faults);
    let begin = move |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
        Ok((match code_of(&asked, Import::ResolveAddresses) {
            Some(code) => Err(code),
            None => store.data_mut().resolve_addresses(network, name)?,
        },))
    };
    lookups.func_wrap("resolve-addresses", begin)?;
    let asked = Arc::clone(faults);
    let next = move |mut store: Store<'_>, (lookup,): (Resource<Lookup>,)| {
        Ok((match code_of(&asked, Import::ResolveNextAddress) {
            Some(code) => Err(code),
            None => store.data_mut().resolve_next_address(lookup)?,
        },))
    };
    lookups.func_wrap("[method]resolve-address-stream.resolve-next-address", next)
}

fn fail_input(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let faults = Arc::clone(faults);
    let read = move |mut store: Store<'_>, (stream, octets_max): (Resource<DynInputStream>, u64)| {
        let table = &mut store.data_mut().table;
        let read = match faults(Import::Read, &[]) {
            Some(Fault::Nothing) => Ok(Vec::new()),
            Some(Fault::One) => HostInputStream::read(table, stream, octets_max.min(1)),
            fault => match fault.and_then(Fault::stream_error) {
                Some(error) => Err(error),
                None => HostInputStream::read(table, stream, octets_max),
            },
        };
        stream_answer(store.data_mut(), read)
    };
    linker.instance("wasi:io/streams@0.2.12")?.func_wrap("[method]input-stream.read", read)
}

fn fail_output(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let mut io = linker.instance("wasi:io/streams@0.2.12")?;
    let asked = Arc::clone(faults);
    let check = move |mut store: Store<'_>, (stream,): (Resource<DynOutputStream>,)| {
        let fault = asked(Import::CheckWrite, &[]);
        let room = match (fault, fault.and_then(Fault::stream_error)) {
            (_, Some(error)) => Err(error),
            (Some(Fault::Nothing), _) => Ok(0),
            (Some(Fault::One), _) => store.data_mut().table.check_write(stream).map(|room| room.min(1)),
            _ => store.data_mut().table.check_write(stream),
        };
        stream_answer(store.data_mut(), room)
    };
    io.func_wrap("[method]output-stream.check-write", check)?;
    let asked = Arc::clone(faults);
    let write = move |mut store: Store<'_>, (stream, octets): (Resource<DynOutputStream>, Vec<u8>)| {
        let written = match asked(Import::Write, &octets).and_then(Fault::stream_error) {
            Some(error) => Err(error),
            None => store.data_mut().table.write(stream, octets),
        };
        stream_answer(store.data_mut(), written)
    };
    io.func_wrap("[method]output-stream.write", write)
}

fn fail_polls(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let faults = Arc::clone(faults);
    linker.instance("wasi:io/poll@0.2.12")?.func_wrap_async(
        "poll",
        move |mut store: Store<'_>, (pollables,): (Vec<Resource<DynPollable>>,)| {
            let fault = faults(Import::Poll, &[]);
            Box::new(async move {
                let indexes = 0..u32::try_from(pollables.len()).unwrap_or(u32::MAX);
                match fault {
                    Some(_) => Ok((indexes.collect::<Vec<_>>(),)),
                    None => Ok((store.data_mut().poll(pollables).await?,)),
                }
            })
        },
    )
}

fn fail_on_demand(linker: &mut Linker<State>, faults: &Faults, given: Given) -> wasmtime::Result<()> {
    if given.randomness {
        fail_randomness(linker, faults)?;
    }
    if given.date {
        fail_dates(linker, faults)?;
    }
    if given.host_tls {
        fail_host_tls(linker, faults)?;
    }
    Ok(())
}

fn fail_randomness(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let faults = Arc::clone(faults);
    let draw = move |mut store: Store<'_>, (octets,): (u64,)| {
        let octets = match faults(Import::GetRandomBytes, &[]) {
            Some(Fault::Nothing) => 0,
            Some(Fault::One) => 1,
            _ => octets,
        };
        Ok((store.data_mut().random.get_random_bytes(octets)?,))
    };
    linker.instance("wasi:random/random@0.2.12")?.func_wrap("get-random-bytes", draw)
}

fn fail_dates(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let faults = Arc::clone(faults);
    let now = move |mut store: Store<'_>, (): ()| match faults(Import::Now, &[]) {
        Some(_) => Ok((Datetime { seconds: 0, nanoseconds: 0 },)),
        None => Ok((clocks(store.data_mut()).now()?,)),
    };
    linker.instance("wasi:clocks/wall-clock@0.2.12")?.func_wrap("now", now)
}

fn fail_host_tls(linker: &mut Linker<State>, faults: &Faults) -> wasmtime::Result<()> {
    let faults = Arc::clone(faults);
    let get = move |mut store: Store<'_>, (future,): (Resource<HostFutureClientStreams>,)| {
        let fault = faults(Import::GetClientStreams, &[]);
        Ok((match (fault, fault.and_then(Fault::stream_error)) {
            (_, Some(_)) => {
                let error = store.data_mut().table.push(wasmtime::Error::msg("a fault"))?;
                Some(Ok(Err(error)))
            }
            (Some(Fault::Nothing), _) => None,
            _ => store.data_mut().tls().get(future)?,
        },))
    };
    linker.instance("wasi:tls/types@0.2.0-draft")?.func_wrap("[method]future-client-streams.get", get)
}

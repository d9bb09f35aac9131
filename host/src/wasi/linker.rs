//! The interfaces that the component is given: these and no others.

use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::clocks::WasiClocks;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::random;
use wasmtime_wasi::p2::bindings::sockets::network::LinkOptions;
use wasmtime_wasi::p2::bindings::sockets::{instance_network, network};
use wasmtime_wasi::sockets::WasiSockets;
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};

use super::sockets::io_streams;
use super::state::{State, clocks, sockets};
use super::timers::keep_timers;
#[cfg(feature = "host-tls")]
use super::tls;
use crate::bindings::{ip_name_lookup, tcp, tcp_create_socket};

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
                "wasi:tls/types" if cfg!(feature = "host-tls") => given.host_tls = true,
                interface if ALWAYS.contains(&interface) => {}
                _ => foreign.push(import.clone()),
            }
        }
        if foreign.is_empty() { Ok(given) } else { Err(foreign) }
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
    streams::add_to_linker::<State, Table>(linker, |state| &mut state.table)?;
    poll::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    monotonic_clock::add_to_linker::<State, WasiClocks>(linker, clocks)?;
    network::add_to_linker::<State, WasiSockets>(linker, &LinkOptions::default(), sockets)?;
    instance_network::add_to_linker::<State, WasiSockets>(linker, sockets)?;
    ip_name_lookup::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    tcp::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    tcp_create_socket::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    keep_timers(linker)?;
    io_streams::link(linker, given.host_tls)?;
    link_on_demand(linker, given)
}

fn link_on_demand(linker: &mut Linker<State>, given: Given) -> wasmtime::Result<()> {
    if given.date {
        wall_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    }
    if given.randomness {
        random::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    }
    #[cfg(feature = "host-tls")]
    if given.host_tls {
        tls::link(linker)?;
    }
    Ok(())
}

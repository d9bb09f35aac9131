//! What belongs to one instance on the host's side.

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::clocks::{WasiClocksCtx, WasiClocksCtxView};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};
use wasmtime_wasi::sockets::{WasiSocketsCtx, WasiSocketsCtxView};

use super::faults::Faults;
use super::host_tls::{self, HostTls};
use super::outside::{self, Outside};
use super::parts::Parts;
use super::sockets::streams::Streams;
use super::watch::Watch;
use crate::bindings::streams;
use crate::error::HostError;
use crate::limits::{ClientLimits, Computing, Memory};

/// The data of a store.
pub(crate) struct State {
    /// What the component has handles of.
    pub(crate) table: ResourceTable,
    pub(super) outside: Box<dyn Outside>,
    pub(super) faults: Faults,
    pub(crate) memory: Memory,
    pub(crate) computing: Computing,
    clocks: WasiClocksCtx,
    #[cfg_attr(not(feature = "host-tls"), expect(dead_code, reason = "nothing is in it"))]
    pub(super) host_tls: host_tls::Context,
    /// Wasmtime's, for what it has of networks and names of errors; sockets are our own.
    sockets: WasiSocketsCtx,
    /// Those in the table that are TCP of our own.
    pub(crate) streams: Streams,
    pub(crate) watch: Watch,
    pub(crate) sockets_open: usize,
    pub(crate) sockets_max: usize,
}

impl State {
    pub(crate) fn new(outside: Box<dyn Outside>, faults: Faults, limits: &ClientLimits, host_tls: Option<&HostTls>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.table_entries_max());
        Self {
            table,
            outside,
            faults,
            streams: Streams::new(host_tls.is_none()),
            watch: Watch::default(),
            sockets: WasiSocketsCtx::default(),
            memory: Memory::new(limits.memory_octets_max),
            computing: Computing::new(limits.ticks_max()),
            clocks: WasiClocksCtx::default(),
            host_tls: host_tls::context(host_tls),
            sockets_open: 0,
            sockets_max: limits.sockets_max,
        }
    }

    /// The streams of a transport that the caller has for this authority, in the table.
    ///
    /// # Errors
    /// The table is full.
    pub(crate) fn handshake(
        &mut self,
        authority: &str,
        streams: outside::Streams,
    ) -> Result<(Resource<DynInputStream>, Resource<DynOutputStream>), HostError> {
        let (input, output) = self.outside.handshake(authority, streams);
        let full = |error: ResourceTableError| HostError::Engine(error.to_string().into());
        Ok((self.table.push(input).map_err(full)?, self.table.push(output).map_err(full)?))
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

    /// Sockets that the component has open.
    pub(crate) fn sockets_open(&self) -> usize {
        self.sockets_open
    }
}

pub(crate) fn clocks(state: &mut State) -> WasiClocksCtxView<'_> {
    WasiClocksCtxView { ctx: &mut state.clocks, table: &mut state.table }
}

pub(crate) fn sockets(state: &mut State) -> WasiSocketsCtxView<'_> {
    WasiSocketsCtxView { ctx: &mut state.sockets, table: &mut state.table }
}

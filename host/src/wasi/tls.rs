//! `wasi:tls`: wasmtime's own.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_tls::p2::bindings::types::HostFutureClientStreams as _;
use wasmtime_wasi_tls::p2::{HostFutureClientStreams, LinkOptions, add_to_linker};
use wasmtime_wasi_tls::{WasiTlsCtxView, WasiTlsView};

use super::faults::{Fault, Import};
use super::state::State;

/// Gives the component the interface.
///
/// # Errors
/// Out of memory.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut options = LinkOptions::default();
    options.tls(true);
    add_to_linker(linker, &options)?;
    linker.allow_shadowing(true);
    let get = |mut store: StoreContextMut<'_, State>, (future,): (Resource<HostFutureClientStreams>,)| {
        let state = store.data_mut();
        let fault = state.faults.fault(Import::GetClientStreams, &[]);
        Ok((match (fault, fault.and_then(Fault::stream_error)) {
            (_, Some(error)) => {
                let error = state.table.push(wasmtime::Error::msg(error.to_string()))?;
                Some(Ok(Err(error)))
            }
            (Some(Fault::Nothing), _) => None,
            _ => state.tls().get(future)?,
        },))
    };
    linker.instance("wasi:tls/types@0.2.0-draft")?.func_wrap("[method]future-client-streams.get", get)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl WasiTlsView for State {
    fn tls(&mut self) -> WasiTlsCtxView<'_> {
        WasiTlsCtxView { ctx: &mut self.host_tls, table: &mut self.table }
    }
}

//! `wasi:sockets/ip-name-lookup`: wasmtime's own allows every name or none.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, subscribe};

use super::faults::Import;
use super::lookup::Lookup;
use super::state::State;
use crate::bindings::ip_name_lookup;

impl ip_name_lookup::Host for State {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Lookup>, ErrorCode>> {
        // Only whoever has a network may look up.
        self.table.get(&network)?;
        let started = self.faults.check(Import::ResolveAddresses).and_then(|()| self.outside.look_up(&name));
        match started {
            Ok(looking_up) => Ok(Ok(self.table.push(Lookup::new(looking_up))?)),
            Err(code) => Ok(Err(code)),
        }
    }
}

impl ip_name_lookup::HostResolveAddressStream for State {
    fn resolve_next_address(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<Result<Option<IpAddress>, ErrorCode>> {
        let lookup = self.table.get_mut(&lookup)?;
        Ok(self.faults.check(Import::ResolveNextAddress).and_then(|()| lookup.next()))
    }

    fn subscribe(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, lookup)
    }

    fn drop(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<()> {
        self.table.delete(lookup)?;
        Ok(())
    }
}

//! `wasi:random/random` and `wasi:clocks/wall-clock`, which TLS inside the component takes.

use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};
use wasmtime_wasi::p2::bindings::random::random;

use super::faults::{Fault, Import};
use super::state::{State, clocks};

impl random::Host for State {
    fn get_random_bytes(&mut self, octets: u64) -> wasmtime::Result<Vec<u8>> {
        let octets = match self.faults.fault(Import::GetRandomBytes, &[]) {
            Some(Fault::Nothing) => 0,
            Some(Fault::One) => 1,
            _ => octets,
        };
        self.outside.random(octets)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let octets = self.outside.random(8)?;
        Ok(octets.try_into().map_or(0, u64::from_le_bytes))
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        match self.faults.fault(Import::Now, &[]) {
            Some(_) => Ok(Datetime { seconds: 0, nanoseconds: 0 }),
            None => Ok(self.outside.now()),
        }
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        wall_clock::Host::resolution(&mut clocks(self))
    }
}

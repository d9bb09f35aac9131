//! Randomness and the date, which TLS inside the component takes from the host: recorded, and given again, or a replayed handshake would
//! be another one. Each instance has its own.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{Datetime, Host as _};
use wasmtime_wasi::p2::bindings::random::random::Host as _;

use super::{Tape, Taped};
use crate::state::{Given, State, clocks};

type Store<'a> = StoreContextMut<'a, State>;

/// Shadows what of the two the component is given.
///
/// # Errors
/// Out of memory.
pub(super) fn shadow_chance(linker: &mut Linker<State>, given: &Given) -> wasmtime::Result<()> {
    if given.randomness {
        let mut random = linker.instance("wasi:random/random@0.2.12")?;
        let octets = |mut store: Store<'_>, (octets,): (u64,)| Ok((random_octets(store.data_mut(), octets)?,));
        let number = |mut store: Store<'_>, (): ()| {
            let octets = random_octets(store.data_mut(), 8)?;
            Ok((octets.try_into().map_or(0, u64::from_le_bytes),))
        };
        random.func_wrap("get-random-bytes", octets)?;
        random.func_wrap("get-random-u64", number)?;
    }
    if given.date {
        let now = |mut store: Store<'_>, (): ()| Ok((now(store.data_mut())?,));
        linker.instance("wasi:clocks/wall-clock@0.2.12")?.func_wrap("now", now)?;
    }
    Ok(())
}

fn random_octets(state: &mut State, octets: u64) -> wasmtime::Result<Vec<u8>> {
    match &state.taped {
        Some(Taped { tape: Tape::Replay(replay), instance, .. }) => Ok(replay.random(*instance, octets)),
        _ => {
            let drawn = state.random.get_random_bytes(octets)?;
            if let Some(Taped { tape: Tape::Record(recorder), instance, .. }) = &state.taped {
                recorder.random(*instance, &drawn);
            }
            Ok(drawn)
        }
    }
}

fn now(state: &mut State) -> wasmtime::Result<Datetime> {
    match &state.taped {
        Some(Taped { tape: Tape::Replay(replay), instance, .. }) => {
            let (seconds, nanoseconds) = replay.date(*instance);
            Ok(Datetime { seconds, nanoseconds })
        }
        _ => {
            let now = clocks(state).now()?;
            if let Some(Taped { tape: Tape::Record(recorder), instance, .. }) = &state.taped {
                recorder.date(*instance, now.seconds, now.nanoseconds);
            }
            Ok(now)
        }
    }
}

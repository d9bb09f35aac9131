//! Randomness and the date, which TLS inside the component takes from the host: recorded, and given again, or a replayed handshake would
//! be another one. Each instance has its own.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{Datetime, Host as _};
use wasmtime_wasi::p2::bindings::random::random::Host as _;

use super::{Tape, Taped};
use crate::wasi::state::{Given, State, clocks};

type Store<'a> = StoreContextMut<'a, State>;

/// Shadows what of the two the component is given.
///
/// # Errors
/// Out of memory.
pub(super) fn shadow_chance(linker: &mut Linker<State>, given: Given) -> wasmtime::Result<()> {
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

#[cfg(test)]
mod tests {
    use crate::record::{Difference, Recorder, Replay};

    #[test]
    fn each_instance_gets_what_it_got() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let recorder = Recorder::create(&path).unwrap();
        let (one, other) = (recorder.begin_instance(), recorder.begin_instance());
        recorder.random(one, b"ab");
        recorder.random(other, b"xyz");
        recorder.date(one, 5, 6);
        recorder.date(one, 7, 8);
        recorder.random(one, b"cd");
        drop(recorder);
        let replay = Replay::open(&path).unwrap();
        let (one, other) = (replay.begin_instance(), replay.begin_instance());
        assert_eq!(
            (replay.random(other, 3), replay.random(one, 2), replay.random(one, 2)),
            (b"xyz".into(), b"ab".into(), b"cd".into())
        );
        assert_eq!([replay.date(one), replay.date(one), replay.date(one)], [(5, 6), (7, 8), (7, 8)]);
        assert_eq!(replay.difference(), None);
        assert_eq!(replay.date(other), (0, 0));
        assert_eq!(replay.difference(), Some(Difference::NotDrawn { instance: other }));
    }

    #[test]
    fn another_number_of_octets_is_a_difference() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let recorder = Recorder::create(&path).unwrap();
        let instance = recorder.begin_instance();
        recorder.random(instance, b"ab");
        drop(recorder);
        for wanted in [1, 3] {
            let replay = Replay::open(&path).unwrap();
            let instance = replay.begin_instance();
            assert_eq!(replay.random(instance, wanted).len() as u64, wanted);
            assert_eq!(replay.difference(), Some(Difference::NotDrawn { instance }));
        }
    }
}

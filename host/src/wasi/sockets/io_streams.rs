//! The functions of `wasi:io/streams` that are shadowed: those that the component calls for every exchange, and the destructors.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError};
use wasmtime_wasi_io::bindings::wasi::io::streams::{self, Host as _, HostInputStream, HostOutputStream};

use super::connection::{WRITE_OCTETS_MAX, not_permitted};
use crate::wasi::faults::Import;
use crate::wasi::state::State;

type Store<'a> = StoreContextMut<'a, State>;
type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;
type StreamAnswer<T> = wasmtime::Result<(Result<T, streams::StreamError>,)>;

/// How long octets may take that the component has written and not seen leave when it drops the stream. Meanwhile a task has the
/// connection: no more of them than the instance may have sockets, since its descriptor counts until it is closed, and none for longer than
/// this, also when the client is dropped. Then what is left is given up, and the connection is reset.
const LINGER: Duration = Duration::from_secs(10);

/// Has streams of ours go straight to their connections. `host_tls`: there may be streams of the host's TLS.
///
/// # Errors
/// Out of memory.
pub(crate) fn link(linker: &mut Linker<State>, host_tls: bool) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut io = linker.instance("wasi:io/streams@0.2.12")?;
    shadow_input(&mut io)?;
    shadow_output(&mut io)?;
    close_output_behind_the_component(&mut io, host_tls)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn shadow_input(io: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    let read = |mut store: Store<'_>, (stream, octets_max): (Input, u64)| {
        let state = store.data_mut();
        let read = match state.faults.octets_max(Import::Read, octets_max) {
            Err(error) => Err(error),
            Ok(0) if octets_max > 0 => Ok(Vec::new()),
            Ok(octets_max) => match state.streams.get(stream.rep()) {
                Some(stream) => stream.connection.read(octets_max),
                None => HostInputStream::read(&mut state.table, stream, octets_max),
            },
        };
        stream_answer(state, read)
    };
    let subscribe = |mut store: Store<'_>, (stream,): (Input,)| {
        let (state, number) = (store.data_mut(), stream.rep());
        let pollable = HostInputStream::subscribe(&mut state.table, stream)?;
        watch(state, number, &pollable);
        Ok((pollable,))
    };
    io.func_wrap("[method]input-stream.read", read)?;
    io.func_wrap("[method]input-stream.subscribe", subscribe)?;
    io.resource_async("input-stream", ResourceType::host::<DynInputStream>(), |mut store, stream| {
        Box::new(async move {
            let State { streams, watch, table, .. } = store.data_mut();
            streams.forget(watch, stream);
            HostInputStream::drop(table, Input::new_own(stream)).await
        })
    })
}

fn shadow_output(io: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    let check = |mut store: Store<'_>, (stream,): (Output,)| {
        let state = store.data_mut();
        let room = match state.faults.octets_max(Import::CheckWrite, WRITE_OCTETS_MAX as u64) {
            Ok(room_max @ 1..) => match state.streams.get(stream.rep()) {
                Some(stream) => stream.connection.check_write().map(|room| room_max.min(room as u64)),
                None => state.table.check_write(stream).map(|room| room_max.min(room)),
            },
            none => none,
        };
        stream_answer(state, room)
    };
    // From where it lies in the component's memory.
    let write = |mut store: Store<'_>, (stream, octets): (Output, WasmList<u8>)| {
        let octets = octets.as_le_slice(&store);
        let state = store.data();
        let written = match (state.faults.check_written(octets), state.streams.get(stream.rep())) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(stream)) => stream.connection.write(octets),
            (Ok(()), None) if octets.len() > WRITE_OCTETS_MAX => Err(StreamError::Trap(not_permitted(octets.len()))),
            (Ok(()), None) => {
                let octets = octets.to_vec();
                store.data_mut().table.write(stream, octets)
            }
        };
        stream_answer(store.data_mut(), written)
    };
    let subscribe = |mut store: Store<'_>, (stream,): (Output,)| {
        let (state, number) = (store.data_mut(), stream.rep());
        let pollable = HostOutputStream::subscribe(&mut state.table, stream)?;
        watch(state, number, &pollable);
        Ok((pollable,))
    };
    io.func_wrap("[method]output-stream.check-write", check)?;
    io.func_wrap("[method]output-stream.write", write)?;
    io.func_wrap("[method]output-stream.subscribe", subscribe)
}

/// Has the watch tell of this pollable, if it belongs to a stream of ours.
fn watch(state: &mut State, stream: u32, pollable: &Resource<DynPollable>) {
    if let Some(stream) = state.streams.get(stream) {
        state.watch.assign(pollable, stream.place);
    }
}

/// An error of a stream is an answer; anything else is a trap.
fn stream_answer<T>(state: &mut State, outcome: Result<T, StreamError>) -> StreamAnswer<T> {
    Ok((match outcome {
        Ok(value) => Ok(value),
        Err(error) => Err(state.table.convert_stream_error(error)?),
    },))
}

/// Replaces the destructor. Wasmtime's own waits until what was written has left: a peer that does not read would stop the instance, for
/// ever and with all its connections. The streams of the host's TLS do not wait, but throw away what has not left, and so are waited for
/// here.
fn close_output_behind_the_component(io: &mut LinkerInstance<'_, State>, host_tls: bool) -> wasmtime::Result<()> {
    let close_output = move |mut store: Store<'_>, stream: u32| {
        let State { streams, watch, table, .. } = store.data_mut();
        streams.forget(watch, stream);
        let mut stream = table.delete(Output::new_own(stream))?;
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
    io.resource("output-stream", ResourceType::host::<DynOutputStream>(), close_output)
}

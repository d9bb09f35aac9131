//! The functions of `wasi:sockets/tcp` that establish a transport, shadowed while something is recorded or replayed.

use std::net::SocketAddr;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpSocketAddress, Network};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, subscribe};

use super::chance::shadow_chance;
use super::player::{PlayedOpening, Player};
use super::recorder::{Recorder, Track};
use super::replay::Replay;
use super::{Tape, Taped};
use crate::bindings::tcp::{HostTcpSocket, ShutdownType};
use crate::wasi::sockets::TcpSocket;
use crate::wasi::state::{Given, State};

const TCP: &str = "wasi:sockets/tcp@0.2.12";

type Socket = Resource<TcpSocket>;
type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);
/// What a function of the component's imports answers, or a trap.
pub(crate) type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

/// Shadows what has to be recorded or replayed.
///
/// # Errors
/// Out of memory.
pub(crate) fn shadow(linker: &mut Linker<State>, tape: &Tape, given: Given) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut tcp = linker.instance(TCP)?;
    match tape {
        Tape::Record(_) => shadow_to_record(&mut tcp)?,
        Tape::Replay(_) => shadow_to_replay(&mut tcp)?,
    }
    shadow_chance(linker, given)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn shadow_to_record(tcp: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    let start = |mut store: StoreContextMut<'_, State>, (socket, network, to): (Socket, Resource<Network>, IpSocketAddress)| {
        record_start(store.data_mut(), socket, network, to)
    };
    let finish = |mut store: StoreContextMut<'_, State>, (socket,): (Socket,)| record_finish(store.data_mut(), socket);
    let end = |mut store: StoreContextMut<'_, State>, (socket, how): (Socket, ShutdownType)| {
        let state = store.data_mut();
        if let Some(track) = track_of(state, &socket) {
            track.shut_down(ends_input(how), ends_output(how));
        }
        answer(state.shutdown(socket, how))
    };
    tcp.func_wrap("[method]tcp-socket.start-connect", start)?;
    tcp.func_wrap("[method]tcp-socket.finish-connect", finish)?;
    tcp.func_wrap("[method]tcp-socket.shutdown", end)
}

fn record_start(state: &mut State, socket: Socket, network: Resource<Network>, to: IpSocketAddress) -> Answer<()> {
    if let Some(Taped { tape: Tape::Record(recorder), tracks, .. }) = &mut state.taped {
        tracks.insert(socket.rep(), Recorder::begin_tcp(recorder, to.into()));
    }
    let track = track_of(state, &socket);
    let started = answer(state.start_connect(socket, network, to));
    if let (Some(track), Ok((Err(code),))) = (track, &started) {
        track.not_connected(*code);
    }
    started
}

fn record_finish(state: &mut State, socket: Socket) -> Answer<Streams> {
    let Some(track) = track_of(state, &socket) else {
        return answer(state.finish_connect(socket));
    };
    let this = Resource::new_borrow(socket.rep());
    match answer(state.finish_connect(socket))? {
        (Ok(streams),) => Ok((Ok(record_streams(state, &this, streams, track)?),)),
        (Err(ErrorCode::WouldBlock),) => {
            track.look();
            Ok((Err(ErrorCode::WouldBlock),))
        }
        (Err(code),) => {
            track.not_connected(code);
            Ok((Err(code),))
        }
    }
}

/// Puts recording streams in the place of the socket's own.
fn record_streams(state: &mut State, socket: &Socket, streams: Streams, track: Arc<Track>) -> wasmtime::Result<Streams> {
    let address = |found: Result<IpSocketAddress, ErrorCode>| found.ok().map(SocketAddr::from);
    let borrowed = || Resource::new_borrow(socket.rep());
    let local = address(state.local_address(borrowed())?);
    let remote = address(state.remote_address(borrowed())?);
    track.connected(local, remote);
    let (input, output) = (state.table.delete(streams.0)?, state.table.delete(streams.1)?);
    let (input, output) = track.wrap(input, output);
    Ok((state.table.push_child(input, socket)?, state.table.push_child(output, socket)?))
}

fn shadow_to_replay(tcp: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    let start = |mut store: StoreContextMut<'_, State>, (socket, _, to): (Socket, Resource<Network>, IpSocketAddress)| {
        if let Some(Taped { tape: Tape::Replay(replay), players, .. }) = &mut store.data_mut().taped {
            players.insert(socket.rep(), Replay::tcp(replay, to.into()));
        }
        Ok((Ok::<(), ErrorCode>(()),))
    };
    let finish = |mut store: StoreContextMut<'_, State>, (socket,): (Socket,)| replay_finish(store.data_mut(), &socket);
    let wait = |mut store: StoreContextMut<'_, State>, (socket,): (Socket,)| replay_subscribe(store.data_mut(), socket);
    let end = |store: StoreContextMut<'_, State>, (socket, how): (Socket, ShutdownType)| match player_of(store.data(), &socket) {
        Some(player) => {
            player.shut_down(ends_input(how), ends_output(how));
            Ok((Ok(()),))
        }
        None => Ok((Err(ErrorCode::InvalidState),)),
    };
    tcp.func_wrap("[method]tcp-socket.start-connect", start)?;
    tcp.func_wrap("[method]tcp-socket.finish-connect", finish)?;
    tcp.func_wrap("[method]tcp-socket.subscribe", wait)?;
    tcp.func_wrap("[method]tcp-socket.shutdown", end)?;
    shadow_addresses(tcp)
}

fn shadow_addresses(tcp: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    fn found(address: Option<SocketAddr>) -> Answer<IpSocketAddress> {
        Ok((address.map(IpSocketAddress::from).ok_or(ErrorCode::InvalidState),))
    }
    let local = |store: StoreContextMut<'_, State>, (socket,): (Socket,)| {
        found(player_of(store.data(), &socket).and_then(|player| player.addresses()?.0))
    };
    let remote = |store: StoreContextMut<'_, State>, (socket,): (Socket,)| {
        found(player_of(store.data(), &socket).and_then(|player| player.addresses()?.1))
    };
    tcp.func_wrap("[method]tcp-socket.local-address", local)?;
    tcp.func_wrap("[method]tcp-socket.remote-address", remote)
}

fn replay_finish(state: &mut State, socket: &Socket) -> Answer<Streams> {
    let Some(player) = player_of(state, socket) else {
        return Ok((Err(ErrorCode::NotInProgress),));
    };
    match player.open() {
        None => Ok((Err(ErrorCode::WouldBlock),)),
        Some(Err(code)) => Ok((Err(code),)),
        Some(Ok(())) => {
            let (input, output) = player.streams();
            Ok((Ok((state.table.push_child(input, socket)?, state.table.push_child(output, socket)?)),))
        }
    }
}

fn replay_subscribe(state: &mut State, socket: Socket) -> wasmtime::Result<(Resource<DynPollable>,)> {
    match player_of(state, &socket) {
        Some(player) => {
            let opening = state.table.push(PlayedOpening(player))?;
            Ok((subscribe(&mut state.table, opening)?,))
        }
        None => Ok((HostTcpSocket::subscribe(state, socket)?,)),
    }
}

fn track_of(state: &State, socket: &Socket) -> Option<Arc<Track>> {
    state.taped.as_ref()?.tracks.get(&socket.rep()).cloned()
}

fn player_of(state: &State, socket: &Socket) -> Option<Arc<Player>> {
    state.taped.as_ref()?.players.get(&socket.rep()).cloned()
}

fn ends_input(how: ShutdownType) -> bool {
    matches!(how, ShutdownType::Receive | ShutdownType::Both)
}

fn ends_output(how: ShutdownType) -> bool {
    matches!(how, ShutdownType::Send | ShutdownType::Both)
}

/// As a function that is shadowed answers.
pub(crate) fn answer<T>(outcome: wasmtime::Result<Result<T, ErrorCode>>) -> Answer<T> {
    Ok((outcome?,))
}

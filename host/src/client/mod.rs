//! One instance of the component, and the way every call into it goes.

pub(crate) mod conn;
pub(crate) mod exchange;
pub(crate) mod poll;
mod ready;
mod tls;
pub(crate) mod wake;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime::component::{ComponentNamedList, Lift, Lower, Resource, ResourceAny, TypedFunc};
use wasmtime::{Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::p2::pipe::{AsyncReadStream, AsyncWriteStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi_io::poll::{Pollable, subscribe};

use crate::bindings::{ClientComponent, TlsExports};
use crate::client::conn::ClientConn;
use crate::client::poll::{Origin, Poll};
use crate::error::{ConnError, Death, DeathCause, HostError, flatten, text};
use crate::policy::{Denied, Reach};
use crate::sandbox::Shared;
use crate::types::{ConnOptions, Endpoint, Error, PollOptions};
use crate::wasi::sockets::TcpSocket;
use crate::wasi::state::State;

/// Octets that a stream given to [`Client::handshake`] takes before it is written out.
const WRITE_BUDGET_OCTETS: usize = 64 * 1024;

/// One instance of the component: a memory of its own, and the connections in it.
///
/// It is used by one call at a time (`&mut`). Octets move only while a call runs. Dropping it closes every connection; one
/// that has octets left to send is reset.
///
/// Once its instance has ended, every call gives the same [`HostError::Dead`].
pub struct Client {
    pub(crate) core: Core,
    pub(crate) exports: Arc<ClientComponent>,
    /// The interface `tls`, of a component that has it.
    pub(crate) tls: Option<Arc<TlsExports>>,
}

/// The store, and what the calls into it need.
pub(crate) struct Core {
    shared: Arc<Shared>,
    exports: Arc<ClientComponent>,
    reach: Arc<Reach>,
    life: Life,
    /// Handles whose owner was dropped: the next call drops them inside the component too.
    pub(crate) dropped: Arc<Dropped>,
    /// What [`Client::ready`] waits on: given back by it or, when its future was dropped, by the next call.
    lent: Vec<Lent>,
    /// A call has begun and not ended. Seen by the next call, it means that its future was dropped.
    in_call: bool,
    /// Some connection may be over a stream that is no socket of ours.
    has_streams: bool,
    /// Do calls let others have their turn while the component computes? [`Client::ready`] must not: a call of its that is never
    /// pending cannot be dropped half-way.
    yields: bool,
}

/// The pollables of a subscription.
struct Lent {
    subscription: ResourceAny,
    pollables: Vec<Resource<DynPollable>>,
}

enum Life {
    Alive(Box<Store<State>>),
    Dead(Death),
}

/// Resources of one client that wait to be dropped. Also what a handle knows its client by.
#[derive(Default)]
pub(crate) struct Dropped(Mutex<Vec<ResourceAny>>);

impl Dropped {
    fn push(&self, resource: ResourceAny) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(resource);
    }

    fn take(&self) -> Vec<ResourceAny> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An owned resource of the component. When it is dropped, the client's next call drops it inside the component.
pub(crate) struct Handle {
    resource: ResourceAny,
    client: Arc<Dropped>,
}

impl Handle {
    pub(crate) fn new(resource: ResourceAny, client: &Client) -> Self {
        Self { resource, client: Arc::clone(&client.core.dropped) }
    }

    /// The resource, for a call to this client.
    pub(crate) fn of(&self, client: &Client) -> Result<ResourceAny, HostError> {
        match Arc::ptr_eq(&self.client, &client.core.dropped) {
            true => Ok(self.resource),
            false => Err(HostError::WrongClient),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.client.push(self.resource);
    }
}

/// The transport of a connection, taken back from it, and what it had delivered.
pub struct Parts {
    /// Octets from the peer, after `unread`.
    pub input: DynInputStream,
    /// Octets to the peer. When it is dropped before all has left, the rest is thrown away, and the connection of a
    /// socket ends in a reset, so that the peer cannot take for whole what it has: wait for `cancel` first.
    pub output: DynOutputStream,
    /// The socket that the streams belong to; `None` for streams that were given to [`Client::handshake`]. It closes
    /// when all three are dropped.
    pub socket: Option<TcpSocket>,
    /// Octets that were read from `input` and belong to nobody yet.
    pub unread: Vec<u8>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) async fn new(shared: Arc<Shared>) -> Result<Self, HostError> {
        let reach = Arc::new(Reach::new(Arc::clone(&shared.policy)));
        let mut store = store_for(&shared, &reach);
        let running = shared.ticker.run();
        prepare(&mut store, &shared)?;
        let instantiated = shared.pre.instantiate_async(&mut store).await;
        drop(running);
        let (exports, tls) = match instantiated.and_then(|instance| shared.exports.load(&mut store, &instance)) {
            Ok((exports, tls)) => (Arc::new(exports), tls.map(Arc::new)),
            Err(error) if error.is::<Trap>() || store.data().memory.refusal().is_some() => {
                return Err(HostError::Dead(death_of(&store, &shared, &error)));
            }
            Err(error) => return Err(HostError::Engine(text(&error))),
        };
        let life = Life::Alive(Box::new(store));
        let lent = Vec::new();
        let policy = Arc::clone(&shared.policy);
        let has_streams = shared.host_tls.is_some();
        let core = Core {
            shared,
            exports: Arc::clone(&exports),
            reach,
            life,
            dropped: Arc::default(),
            lent,
            in_call: false,
            has_streams,
            yields: true,
        };
        let mut client = Self { core, exports, tls };
        client.allow_tls(&policy).await?;
        Ok(client)
    }

    /// Begins to connect, and returns at once: requests may be sent before the connection is established. `to` is a
    /// URL, of which only the origin counts, or an [`Endpoint`].
    ///
    /// # Errors
    /// - [`HostError::InvalidUrl`].
    /// - `api-misuse(invalid-endpoint)`, `api-misuse(invalid-option)`; `tls(unavailable)`.
    pub async fn connect<E>(&mut self, to: E, options: impl Into<Option<ConnOptions>>) -> Result<ClientConn, ConnError>
    where
        E: TryInto<Endpoint>,
        HostError: From<E::Error>,
    {
        let endpoint = to.try_into().map_err(HostError::from)?;
        let calls = self.exports.sandpiper_http_client();
        let answer = self.core.call(calls.client_conn().func_connect(), (&endpoint, options.into())).await;
        let resource = flatten(answer.map(|(answer,)| answer))?;
        Ok(ClientConn::new(Handle::new(resource, self)))
    }

    /// Makes a connection of a byte stream that the host has: a proxy's tunnel, TLS of the host, a pipe in a test.
    /// `authority` is the default of `request.authority`. The policy is not asked.
    ///
    /// # Errors
    /// `api-misuse(invalid-option)`, `api-misuse(invalid-authority)`. The stream is dropped.
    pub async fn handshake<S>(
        &mut self,
        stream: S,
        authority: &str,
        options: impl Into<Option<ConnOptions>>,
    ) -> Result<ClientConn, ConnError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (input, output) = match &self.core.shared.tape {
            Some(tape) => tape.handshake(authority, stream, streams_of),
            None => streams_of(stream),
        };
        self.core.has_streams = true;
        let table = &mut self.core.store()?.data_mut().table;
        let (input, output) = match (table.push(input), table.push(output)) {
            (Ok(input), Ok(output)) => (input, output),
            (Err(error), _) | (_, Err(error)) => return Err(HostError::Engine(error.to_string().into()).into()),
        };
        let calls = self.exports.sandpiper_http_streams();
        let answer = self.core.call(calls.func_handshake(), (input, output, authority, options.into())).await;
        let resource = flatten(answer.map(|(answer,)| answer))?;
        Ok(ClientConn::new(Handle::new(resource, self)))
    }

    /// Makes an origin for [`Poll::submit`]. `to` is as for [`Client::connect`]; `options` are those of the connections that are opened
    /// for it.
    ///
    /// # Errors
    /// - [`HostError::InvalidUrl`].
    /// - `api-misuse(invalid-endpoint)`, `api-misuse(invalid-option)`; `tls(unavailable)`.
    pub async fn origin<E>(&mut self, to: E, options: impl Into<Option<ConnOptions>>) -> Result<Origin, ConnError>
    where
        E: TryInto<Endpoint>,
        HostError: From<E::Error>,
    {
        let endpoint = to.try_into().map_err(HostError::from)?;
        let calls = self.exports.sandpiper_http_client();
        let answer = self.core.call(calls.origin().func_create(), (&endpoint, options.into())).await;
        let resource = flatten(answer.map(|(answer,)| answer))?;
        Ok(Origin::new(Handle::new(resource, self)))
    }

    /// Makes a poll, which drives many connections with one wait and keeps a pool. An option outside its range counts
    /// as the nearest value inside.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    pub async fn poll(&mut self, options: impl Into<Option<PollOptions>>) -> Result<Poll, HostError> {
        let calls = self.exports.sandpiper_http_client();
        let (resource,) = self.core.call(calls.poll().func_constructor(), (options.into(),)).await?;
        Ok(Poll::new(Handle::new(resource, self)))
    }

    /// Drops inside the component what was dropped outside. Every other call does this first, too.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    pub async fn release_dropped(&mut self) -> Result<(), HostError> {
        self.core.settle().await
    }

    /// Octets of linear memory that the instance has now. Memory never shrinks. 0 once the instance has ended.
    pub fn memory_octets(&self) -> usize {
        self.core.state().map_or(0, |state| state.memory.octets())
    }

    /// Sockets that the instance has open; not those that it has dropped and whose last octets are still leaving.
    pub fn sockets_open(&self) -> usize {
        self.core.state().map_or(0, State::sockets_open)
    }

    /// What the policy has refused to the instance since the last time, each thing once, at most 64: to tell a person
    /// which rule is missing.
    pub fn take_denied(&mut self) -> Vec<Denied> {
        self.core.reach.take_denied()
    }

    /// How the instance ended; `None` while it lives. A call whose future was dropped is noticed by the next call.
    pub fn death(&self) -> Option<&Death> {
        match &self.core.life {
            Life::Alive(_) => None,
            Life::Dead(death) => Some(death),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("memory_octets", &self.memory_octets())
            .field("death", &self.death())
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Calls into the component, after settling what waits to be settled.
    pub(crate) async fn call<P, R>(&mut self, function: TypedFunc<P, R>, parameters: P) -> Result<R, HostError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.settle().await?;
        self.call_keeping_lent(function, parameters).await
    }

    async fn call_keeping_lent<P, R>(&mut self, function: TypedFunc<P, R>, parameters: P) -> Result<R, HostError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let running = self.shared.ticker.run();
        let call_time_max = self.shared.limits.call_time_max;
        let store = self.enter()?;
        let outcome = within(call_time_max, function.call_async(store, parameters)).await;
        drop(running);
        self.leave(outcome)
    }

    /// Lets the runtime see what has come for streams that are not sockets of ours. The component reads from an idle connection before it
    /// writes to it, so that nothing unsolicited can be taken for the answer. From a socket that reads what the kernel has; a stream of the
    /// caller's, or of the host's TLS, has a task behind it, which must have had its turn.
    pub(crate) async fn look_at_streams(&mut self) {
        match self.has_streams {
            true => tokio::task::yield_now().await,
            // Many calls in a row leave others their turn all the same.
            false => tokio::task::coop::consume_budget().await,
        }
    }

    /// Drops a resource, now.
    async fn release(&mut self, resource: ResourceAny) -> Result<(), HostError> {
        let running = self.shared.ticker.run();
        let call_time_max = self.shared.limits.call_time_max;
        let store = self.enter()?;
        let outcome = within(call_time_max, resource.resource_drop_async(store)).await;
        drop(running);
        self.leave(outcome)
    }

    /// Gives back what was lent, then drops what was dropped.
    pub(crate) async fn settle(&mut self) -> Result<(), HostError> {
        self.yields = true;
        self.settle_lent().await
    }

    /// The same, in calls that yield or do not.
    async fn settle_lent(&mut self) -> Result<(), HostError> {
        while let Some(Lent { subscription, pollables }) = self.lent.pop() {
            let exports = Arc::clone(&self.exports);
            let give_back = exports.sandpiper_http_streams().subscription();
            // The component refuses only pollables that it did not lend.
            let _: (Result<(), Error>,) = self.call_keeping_lent(give_back.func_give_back(), (subscription, &pollables)).await?;
            self.release(subscription).await?;
        }
        for resource in self.dropped.take() {
            self.release(resource).await?;
        }
        Ok(())
    }

    /// Begins a call. It must end with [`Core::leave`], or the instance is found to be ended by the next one.
    fn enter(&mut self) -> Result<&mut Store<State>, HostError> {
        self.notice_cancellation();
        self.in_call = true;
        match &mut self.life {
            Life::Alive(store) => {
                prepare(store, &self.shared)?;
                store.data_mut().computing.yields = self.yields;
                Ok(store)
            }
            Life::Dead(death) => {
                self.in_call = false;
                Err(HostError::Dead(death.clone()))
            }
        }
    }

    /// Ends a call. What the runtime reports as an error ends the instance.
    fn leave<R>(&mut self, outcome: Result<wasmtime::Result<R>, Duration>) -> Result<R, HostError> {
        self.in_call = false;
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let death = match &self.life {
                    Life::Alive(store) => death_of(store, &self.shared, &error),
                    Life::Dead(death) => death.clone(),
                };
                Err(self.die(death))
            }
            Err(call_time_max) => Err(self.die(Death::of(DeathCause::CallTime { call_time_max }))),
        }
    }

    fn notice_cancellation(&mut self) {
        if self.in_call {
            self.in_call = false;
            self.die(Death::of(DeathCause::Cancelled));
        }
    }

    /// Closes everything that the instance had.
    fn die(&mut self, death: Death) -> HostError {
        self.life = Life::Dead(death.clone());
        HostError::Dead(death)
    }

    /// The store, between calls.
    pub(crate) fn store(&mut self) -> Result<&mut Store<State>, HostError> {
        self.notice_cancellation();
        match &mut self.life {
            Life::Alive(store) => Ok(store),
            Life::Dead(death) => Err(HostError::Dead(death.clone())),
        }
    }

    /// A resource for the component to wait on.
    pub(crate) fn pollable<T: Pollable>(&mut self, source: T) -> Result<Resource<DynPollable>, HostError> {
        let table = &mut self.store()?.data_mut().table;
        let source = table.push(source).map_err(|error| HostError::Engine(error.to_string().into()))?;
        subscribe(table, source).map_err(|error| HostError::Engine(text(&error)))
    }

    fn state(&self) -> Option<&State> {
        match &self.life {
            Life::Alive(store) => Some(store.data()),
            Life::Dead(_) => None,
        }
    }
}

impl Death {
    fn of(cause: DeathCause) -> Self {
        Self { cause, detail: "".into() }
    }
}

/// The two directions of a byte stream, each with a task of its own behind it.
fn streams_of<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> (DynInputStream, DynOutputStream) {
    let (reader, writer) = tokio::io::split(stream);
    (Box::new(AsyncReadStream::new(reader)), Box::new(AsyncWriteStream::new(WRITE_BUDGET_OCTETS, writer)))
}

fn store_for(shared: &Shared, reach: &Arc<Reach>) -> Store<State> {
    let limits = &shared.limits;
    let state =
        State::new(Arc::clone(reach), Arc::clone(&shared.resolver), limits, shared.tape.clone(), shared.host_tls.as_ref());
    let mut store = Store::new(shared.pre.component().engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(limits.result_octets_max());
    store.set_max_component_handles(limits.table_entries_max());
    store.epoch_deadline_callback(on_tick);
    store
}

/// A tick passed while the component was computing: let others run, or end it.
fn on_tick(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let computing = &mut store.data_mut().computing;
    match computing.tick() {
        true if computing.yields => Ok(UpdateDeadline::Yield(1)),
        true => Ok(UpdateDeadline::Continue(1)),
        false => Err(Trap::Interrupt.into()),
    }
}

/// Gives a call its full measure of everything that is limited per call.
fn prepare(store: &mut Store<State>, shared: &Shared) -> Result<(), HostError> {
    store.set_epoch_deadline(1);
    let state = store.data_mut();
    state.computing.begin_call();
    state.memory.begin_call();
    match shared.limits.fuel_per_call {
        Some(units) => store.set_fuel(units).map_err(|error| HostError::Engine(text(&error))),
        None => Ok(()),
    }
}

/// Waits for something. The error is the time that it may not exceed.
async fn within<R>(limit: Option<Duration>, work: impl Future<Output = R>) -> Result<R, Duration> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| limit),
        None => Ok(work.await),
    }
}

/// What the state of the store says about why the runtime ended the call.
fn death_of(store: &Store<State>, shared: &Shared, error: &wasmtime::Error) -> Death {
    let (state, limits) = (store.data(), &shared.limits);
    if state.computing.is_over() {
        return Death::of(DeathCause::Computing { compute_time_max: limits.compute_time_max });
    }
    if let (Some(Trap::OutOfFuel), Some(fuel_per_call)) = (error.downcast_ref::<Trap>(), limits.fuel_per_call) {
        return Death::of(DeathCause::Fuel { fuel_per_call });
    }
    if let Some((wanted_octets, octets_max)) = state.memory.refusal() {
        return Death::of(DeathCause::Memory { wanted_octets, octets_max });
    }
    Death { cause: DeathCause::Trapped, detail: text(error) }
}

//! One instance of the component, and the way of every call into the instance.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::{
    ComponentNamedList, Instance as Instantiated, InstancePre, Lift, Lower, Resource, ResourceAny, TypedFunc,
};
use wasmtime::{Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_io::poll::{Pollable, subscribe};

use crate::bindings::{
    ClientComponent, ClientComponentIndices, TlsAdminExports, TlsAdminExportsIndices, TlsExports, TlsExportsIndices,
};
use crate::error::{Death, DeathCause, HostError, text};
use crate::limits::{ClientLimits, Ticker};
use crate::policy::{Policy, Reach};
use crate::record::Tape;
use crate::types::Error;
use crate::wasi::faults::Faults;
use crate::wasi::host_tls::HostTls;
use crate::wasi::resolver::Resolver;
use crate::wasi::state::State;
use crate::wasi::system::System;

/// The export of the builds with TLS.
const TLS: &str = "sandpiper:http/tls@0.2.0";
/// The export of the build with TLS inside that is for hosts.
const TLS_ADMIN: &str = "sandpiper:http/tls-admin@0.2.0";

/// The values that a sandbox and its clients share.
pub(crate) struct Shared {
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
    /// `None`: the component takes no TLS of the host.
    pub(crate) host_tls: Option<HostTls>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) limits: ClientLimits,
    pub(crate) resolver: Resolver,
    pub(crate) ticker: Ticker,
    pub(crate) tape: Option<Tape>,
    pub(crate) faults: Faults,
}

/// The places of the component's exports.
pub(crate) struct Exports {
    client: ClientComponentIndices,
    /// `None`: the component has no TLS.
    pub(crate) tls: Option<TlsExportsIndices>,
    /// `None`: the component has no permissions to be set.
    tls_admin: Option<TlsAdminExportsIndices>,
}

/// The exports of one instance.
pub(crate) struct Loaded {
    pub(crate) client: Arc<ClientComponent>,
    /// The interface `tls`, of a component that has it.
    pub(crate) tls: Option<Arc<TlsExports>>,
    /// The interface `tls-admin`, of a component that has it.
    pub(crate) tls_admin: Option<Arc<TlsAdminExports>>,
}

/// One instance of the component: the store, and the values that calls need.
pub(crate) struct Instance {
    shared: Arc<Shared>,
    pub(crate) exports: Arc<ClientComponent>,
    pub(crate) reach: Arc<Reach>,
    pub(crate) life: Life,
    /// Handles whose owner was dropped: the next call drops them inside the component too.
    pub(crate) dropped: Arc<Dropped>,
    /// The pollables on which [`Client::ready`](crate::Client::ready) waits. `ready` returns the pollables or, when the future of
    /// `ready` was dropped, the next call does.
    pub(crate) lent: Vec<Lent>,
    /// A call has begun and not ended. If the next call finds the flag, the future of the call was dropped.
    in_call: bool,
    /// Some connection may be over a stream that is no socket of ours.
    pub(crate) has_streams: bool,
    /// Do calls yield to other tasks while the component computes? False during [`Client::ready`](crate::Client::ready), whose calls
    /// never return `Pending`: so a dropped future cannot interrupt a call.
    pub(crate) yields: bool,
}

/// The pollables of a subscription.
pub(crate) struct Lent {
    pub(crate) subscription: ResourceAny,
    pub(crate) pollables: Vec<Resource<DynPollable>>,
}

pub(crate) enum Life {
    Alive(Box<Store<State>>),
    Dead(Death),
}

/// Resources of one client that wait to be dropped. A handle also recognises its client by the list.
#[derive(Default)]
pub(crate) struct Dropped(Mutex<Vec<ResourceAny>>);

impl Dropped {
    pub(crate) fn push(&self, resource: ResourceAny) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(resource);
    }

    fn take(&self) -> Vec<ResourceAny> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The result of a function of the component: a tuple of one value, or of none.
pub(crate) trait Returned {
    type Value;

    fn value(self) -> Self::Value;
}

impl Returned for () {
    type Value = ();

    fn value(self) {}
}

impl<T> Returned for (T,) {
    type Value = T;

    fn value(self) -> T {
        self.0
    }
}

impl Exports {
    pub(crate) fn of(pre: &InstancePre<State>) -> wasmtime::Result<Self> {
        let has = |name| pre.component().get_export_index(None, name).is_some();
        let tls = has(TLS).then(|| TlsExportsIndices::new(pre)).transpose()?;
        let tls_admin = has(TLS_ADMIN).then(|| TlsAdminExportsIndices::new(pre)).transpose()?;
        Ok(Self { client: ClientComponentIndices::new(pre)?, tls, tls_admin })
    }

    /// The exports of one instance.
    fn load(&self, store: &mut Store<State>, instance: &Instantiated) -> wasmtime::Result<Loaded> {
        let tls = self.tls.as_ref().map(|tls| tls.load(&mut *store, instance)).transpose()?;
        let tls_admin = self.tls_admin.as_ref().map(|admin| admin.load(&mut *store, instance)).transpose()?;
        let client = Arc::new(self.client.load(store, instance)?);
        Ok(Loaded { client, tls: tls.map(Arc::new), tls_admin: tls_admin.map(Arc::new) })
    }
}

impl Instance {
    /// Makes an instance, with its exports.
    ///
    /// # Errors
    /// [`HostError::Engine`]: no room. [`HostError::Dead`]: the component trapped, or needs more memory than allowed.
    pub(crate) async fn new(shared: Arc<Shared>) -> Result<(Self, Loaded), HostError> {
        let reach = Arc::new(Reach::new(Arc::clone(&shared.policy)));
        let mut store = store_for(&shared, &reach);
        let running = shared.ticker.run();
        prepare(&mut store, &shared)?;
        let instantiated = shared.pre.instantiate_async(&mut store).await;
        drop(running);
        let loaded = match instantiated.and_then(|instance| shared.exports.load(&mut store, &instance)) {
            Ok(loaded) => loaded,
            Err(error) if error.is::<Trap>() || store.data().memory.refusal().is_some() => {
                return Err(HostError::Dead(death_of(&store, &shared, &error)));
            }
            Err(error) => return Err(HostError::Engine(text(&error))),
        };
        let life = Life::Alive(Box::new(store));
        let lent = Vec::new();
        let has_streams = shared.host_tls.is_some();
        let instance = Self {
            shared,
            exports: Arc::clone(&loaded.client),
            reach,
            life,
            dropped: Arc::default(),
            lent,
            in_call: false,
            has_streams,
            yields: true,
        };
        Ok((instance, loaded))
    }

    /// Calls into the component, after the release of all resources that wait for their release.
    pub(crate) async fn call<P, R>(&mut self, function: TypedFunc<P, R>, parameters: P) -> Result<R::Value, HostError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: Returned + ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.yielding().release_pending().await?;
        self.call_keeping_lent(function, parameters).await
    }

    /// Calls into the component, and leaves lent pollables lent.
    pub(crate) async fn call_keeping_lent<P, R>(
        &mut self,
        function: TypedFunc<P, R>,
        parameters: P,
    ) -> Result<R::Value, HostError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: Returned + ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let running = self.shared.ticker.run();
        let call_time_max = self.shared.limits.call_time_max;
        let store = self.enter()?;
        let outcome = within(call_time_max, function.call_async(store, parameters)).await;
        drop(running);
        self.leave(outcome).map(R::value)
    }

    /// Lets the runtime see octets that have come for streams other than our sockets. The component reads from an idle connection
    /// before writing, so that nothing unsolicited can be taken for the answer. A socket reads from the kernel; a stream of the
    /// caller's, or of the host's TLS, has a task behind the stream, and the task must have had a turn.
    pub(crate) async fn look_at_streams(&mut self) {
        match self.has_streams {
            true => tokio::task::yield_now().await,
            // Many calls in a row leave other tasks their turn.
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

    /// From now on calls yield.
    pub(crate) fn yielding(&mut self) -> &mut Self {
        self.yields = true;
        self
    }

    /// Returns lent pollables, then drops the resources whose handles were dropped.
    pub(crate) async fn release_pending(&mut self) -> Result<(), HostError> {
        while let Some(Lent { subscription, pollables }) = self.lent.pop() {
            let exports = Arc::clone(&self.exports);
            let subscriptions = exports.subscription();
            // The component refuses only pollables that the component did not lend.
            let _: Result<(), Error> = self.call_keeping_lent(subscriptions.func_give_back(), (subscription, &pollables)).await?;
            self.release(subscription).await?;
        }
        for resource in self.dropped.take() {
            self.release(resource).await?;
        }
        Ok(())
    }

    /// Begins a call. The call must end with [`Instance::leave`], or the next call finds the instance ended.
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

    /// Ends a call. An error of the runtime ends the instance.
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

    pub(crate) fn state(&self) -> Option<&State> {
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

fn store_for(shared: &Shared, reach: &Arc<Reach>) -> Store<State> {
    let limits = &shared.limits;
    let system = System::new(Arc::clone(reach), Arc::clone(&shared.resolver));
    let outside = match &shared.tape {
        Some(tape) => tape.over(system),
        None => Box::new(system),
    };
    let state = State::new(outside, shared.faults.clone(), limits, shared.host_tls.as_ref());
    let mut store = Store::new(shared.pre.component().engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(limits.result_octets_max());
    store.set_max_component_handles(limits.table_entries_max());
    store.epoch_deadline_callback(on_tick);
    store
}

/// A tick passed while the component was computing: lets other tasks run, or ends the instance.
fn on_tick(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let computing = &mut store.data_mut().computing;
    match computing.tick() {
        true if computing.yields => Ok(UpdateDeadline::Yield(1)),
        true => Ok(UpdateDeadline::Continue(1)),
        false => Err(Trap::Interrupt.into()),
    }
}

/// Sets every limit of a call to its full measure.
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

/// Waits for a future. The error is the time limit that the future has exceeded.
pub(crate) async fn within<R>(limit: Option<Duration>, work: impl Future<Output = R>) -> Result<R, Duration> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| limit),
        None => Ok(work.await),
    }
}

/// Why the runtime ended the call, as the state of the store says.
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

//! The engine, the compiled component, and the rights of the instances.

use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, PoolingAllocationConfig};

use crate::build::Build;
use crate::client::Client;
use crate::error::{HostError, text};
use crate::instance::{Exports, Shared};
use crate::limits::{ClientLimits, Ticker};
use crate::policy::{Policy, Rule};
use crate::record::{Recorder, Replay, Tape};
use crate::unix_socket::UnixSocket;
use crate::wasi::faults::{Fault, Faults, Import};
use crate::wasi::host_tls::HostTls;
use crate::wasi::linker::{Given, link};
use crate::wasi::resolver::{Resolver, filtered, given_resolver, system_resolver};
use crate::wasi::state::State;

/// Core instances, memories and tables of one instance of the component, at most, when room is set aside beforehand. The component is
/// linked from its own module and two small adapters.
const POOLED_PARTS_MAX: u32 = 8;

/// The compiled component, the policy and the limits. A sandbox makes instances. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
}

/// Settings of a [`Sandbox`]. The defaults: the component of this crate without TLS, no address, [`ClientLimits::default`], the cache
/// of the user.
#[derive(Clone)]
#[must_use]
pub struct SandboxBuilder {
    policy: Policy,
    limits: ClientLimits,
    source: Source,
    host_tls: Option<HostTls>,
    cache: CompiledCache,
    pooled_clients: Option<u32>,
    resolver: Resolver,
    tape: Option<Tape>,
    faults: Faults,
}

/// Where compiled components are cached, so that only the first start on a machine compiles. Whoever can write to the cache can have
/// this process run any code.
///
/// A cache that cannot be used is not an error: the component is then compiled at every start, in some hundred milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CompiledCache {
    /// The user's cache directory for wasmtime, such as `~/.cache/wasmtime`.
    #[default]
    User,
    /// A directory, which is made if the directory does not exist. An absolute path.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

#[derive(Clone)]
enum Source {
    Embedded(Build),
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Sandbox {
    /// Begins with the defaults of [`SandboxBuilder`].
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            policy: Policy::new(),
            limits: ClientLimits::default(),
            source: Source::Embedded(Build::default()),
            host_tls: None,
            cache: CompiledCache::default(),
            pooled_clients: None,
            resolver: system_resolver(),
            tape: None,
            faults: Faults::default(),
        }
    }

    /// Makes an instance of the component, with an empty memory of its own.
    ///
    /// # Errors
    /// - [`HostError::Engine`]: no room for another instance ([`SandboxBuilder::pooled_clients`]), or no memory.
    /// - [`HostError::Dead`]: the component trapped while the instance was set up, or needs more memory than allowed.
    pub async fn instantiate(&self) -> Result<Client, HostError> {
        Client::new(Arc::clone(&self.shared)).await
    }

    /// The policy: names and addresses that the instances may reach.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// The limits of each instance.
    pub fn limits(&self) -> &ClientLimits {
        &self.shared.limits
    }

    /// The interfaces that the component imports, with their versions: an instance can reach nothing else.
    pub fn imports(&self) -> Vec<String> {
        imports_of(self.shared.pre.component())
    }

    /// Can instances connect to an endpoint with TLS? True for a component that exports `sandpiper:http/tls`.
    pub fn has_tls(&self) -> bool {
        self.shared.exports.tls.is_some()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { policy, limits, .. } = &*self.shared;
        f.debug_struct("Sandbox").field("policy", policy).field("limits", limits).finish_non_exhaustive()
    }
}

impl SandboxBuilder {
    /// Admits everything that the rule names, such as `example.com:443`: see [`Rule`].
    ///
    /// # Errors
    /// [`HostError::InvalidRule`].
    pub fn allow(mut self, rule: &str) -> Result<Self, HostError> {
        self.policy.allow(rule.parse::<Rule>()?);
        Ok(self)
    }

    /// Has connections to `to`, such as `docker.test:80`, go over a Unix socket instead of TCP, and admits the socket: see
    /// [`Policy::unix_socket`].
    ///
    /// # Errors
    /// [`HostError::InvalidRule`].
    pub fn unix_socket(mut self, to: &str, socket: impl Into<UnixSocket>) -> Result<Self, HostError> {
        let socket = socket.into();
        self.policy.unix_socket(to.parse::<Rule>()?, socket.clone()).allow(Rule::from(socket));
        Ok(self)
    }

    /// Admits the public internet: see [`Policy::allow_public`].
    pub fn allow_public(mut self) -> Self {
        self.policy.allow_public();
        self
    }

    /// Admits everything: see [`Policy::dangerous_allow_any_address`].
    pub fn dangerous_allow_any_address(mut self) -> Self {
        self.policy.dangerous_allow_any_address();
        self
    }

    /// Refuses private addresses that an allowed name resolves to: see [`Policy::deny_private_answers`].
    pub fn deny_private_answers(mut self) -> Self {
        self.policy.deny_private_answers();
        self
    }

    /// Lets callers accept any certificate: see [`Policy::dangerous_allow_any_certificate`].
    pub fn dangerous_allow_any_certificate(mut self) -> Self {
        self.policy.dangerous_allow_any_certificate();
        self
    }

    /// Lets callers note the secrets of TLS: see [`Policy::allow_key_log`].
    pub fn allow_key_log(mut self) -> Self {
        self.policy.allow_key_log();
        self
    }

    /// Replaces the policy as a whole.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Replaces the limits as a whole.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }

    /// See [`ClientLimits::memory_octets_max`].
    pub fn memory_octets_max(mut self, octets: usize) -> Self {
        self.limits.memory_octets_max = octets;
        self
    }

    /// See [`ClientLimits::sockets_max`].
    pub fn sockets_max(mut self, sockets: usize) -> Self {
        self.limits.sockets_max = sockets;
        self
    }

    /// See [`ClientLimits::compute_time_max`].
    pub fn compute_time_max(mut self, time: Duration) -> Self {
        self.limits.compute_time_max = time;
        self
    }

    /// See [`ClientLimits::call_time_max`].
    pub fn call_time_max(mut self, time: Duration) -> Self {
        self.limits.call_time_max = Some(time);
        self
    }

    /// See [`ClientLimits::fuel_per_call`].
    pub fn fuel_per_call(mut self, units: u64) -> Self {
        self.limits.fuel_per_call = Some(units);
        self
    }

    /// Sets room aside for so many instances, 1 or more; no more instances can exist at once. Each instance takes
    /// [`ClientLimits::memory_octets_max`] of address space. Making and dropping instances becomes cheaper.
    pub fn pooled_clients(mut self, clients: u32) -> Self {
        self.pooled_clients = Some(clients);
        self
    }

    /// Runs another build of the component. Default: [`Build::Plain`], which has no TLS.
    pub fn component(mut self, build: Build) -> Self {
        self.source = Source::Embedded(build);
        self
    }

    /// How the host does TLS for [`Build::HostTls`], and for any other component that imports `wasi:tls`. Default:
    /// [`HostTls::default`].
    #[cfg(feature = "host-tls")]
    pub fn host_tls(mut self, host_tls: HostTls) -> Self {
        self.host_tls = Some(host_tls);
        self
    }

    /// Runs another component than the embedded components, in binary form. The component may import any interface that a [`Build`]
    /// imports.
    pub fn component_bytes(mut self, component: impl Into<Vec<u8>>) -> Self {
        self.source = Source::Bytes(component.into());
        self
    }

    /// Runs another component than the embedded components, from a file in binary form. [`SandboxBuilder::build`] reads the file.
    pub fn component_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.source = Source::File(path.into());
        self
    }

    /// Where the compiled component is cached.
    pub fn cache(mut self, cache: CompiledCache) -> Self {
        self.cache = cache;
        self
    }

    /// Resolves names in another way than the resolver of the machine. The resolver is asked only for names that the policy admits,
    /// in lower case and Punycode, and never for addresses. An error of the kind `TimedOut` may pass; an empty answer means that the
    /// name does not exist.
    pub fn resolver<F, A>(mut self, resolve: F) -> Self
    where
        F: Fn(String) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.resolver = given_resolver(resolve);
        self
    }

    /// Uses only the addresses of names for which `wish` is true, such as the addresses of one family. Applies to the resolver of the
    /// machine, or to the resolver that [`SandboxBuilder::resolver`] has set before.
    pub fn answers(mut self, wish: impl Fn(IpAddr) -> bool + Clone + Send + Sync + 'static) -> Self {
        self.resolver = filtered(self.resolver, wish);
        self
    }

    /// Records the transports of all instances: the transports that the component establishes, and the transports of
    /// [`Client::handshake`]. Replaces [`SandboxBuilder::replay`] and [`SandboxBuilder::faults`].
    ///
    /// The recording is complete when the sandbox, its clients and the recorder are dropped.
    pub fn record(mut self, recorder: &Recorder) -> Self {
        self.tape = Some(Tape::Record(recorder.clone()));
        self.faults = Faults::default();
        self
    }

    /// Plays recorded transports instead of establishing any: the n-th connection to an address, and the n-th lookup of a name, is
    /// the n-th recorded connection or lookup. Nothing is reached, whatever the policy admits, and no resolver is asked. A stream for
    /// [`Client::handshake`] is dropped, and the recorded stream for the same authority is played instead. Replaces
    /// [`SandboxBuilder::record`].
    pub fn replay(mut self, replay: &Replay) -> Self {
        self.tape = Some(Tape::Replay(replay.clone()));
        self.faults = Faults::default();
        self
    }

    /// Has functions fail that the component imports, for tests: see [`Fault`]. `faults` is asked before each call of such a function
    /// in any instance, with the octets of a write; `None` lets the function do its work. Recorded or replayed transports do not pass
    /// through these functions: so `faults` replaces [`SandboxBuilder::record`] and [`SandboxBuilder::replay`].
    pub fn faults(mut self, faults: impl Fn(Import, &[u8]) -> Option<Fault> + Send + Sync + 'static) -> Self {
        self.faults = Faults::new(faults);
        self.tape = None;
        self
    }

    /// Compiles the component, or takes the compiled component from the cache. Blocks meanwhile: some milliseconds, or some hundred.
    ///
    /// # Errors
    /// - [`HostError::Unreadable`], [`HostError::NotAComponent`], [`HostError::InvalidComponent`],
    ///   [`HostError::ForeignImports`], [`HostError::WrongExports`]: the component cannot run here.
    /// - [`HostError::Unrecordable`]: a component that takes the host's TLS cannot be recorded or replayed.
    /// - [`HostError::Engine`].
    pub fn build(self) -> Result<Sandbox, HostError> {
        let engine = Engine::new(&self.config()).map_err(engine_error)?;
        let component = self.compile(&engine)?;
        let given = given(&component)?;
        if given.host_tls && self.tape.is_some() {
            return Err(HostError::Unrecordable);
        }
        let pre = prelink(&engine, &component, given)?;
        let exports = Exports::of(&pre).map_err(|error| HostError::WrongExports(text(&error)))?;
        let ticker = Ticker::start(&engine).map_err(|error| HostError::Engine(error.to_string().into()))?;
        let Self { host_tls, limits, resolver, tape, faults, .. } = self;
        // A replay reaches nothing.
        let policy = if matches!(tape, Some(Tape::Replay(_))) { self.policy.unreaching() } else { self.policy };
        let policy = Arc::new(policy);
        let host_tls = given.host_tls.then(|| host_tls.unwrap_or_default());
        Ok(Sandbox { shared: Arc::new(Shared { pre, exports, host_tls, policy, limits, resolver, ticker, tape, faults }) })
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        // The component uses no asynchrony of the component model, and without asynchrony a call costs half as much.
        config.concurrency_support(false);
        config.epoch_interruption(true);
        config.consume_fuel(self.limits.fuel_per_call.is_some());
        config.cache(self.cache.open());
        if let Some(clients) = self.pooled_clients {
            config.allocation_strategy(pool(clients, &self.limits));
        }
        config
    }

    fn compile(&self, engine: &Engine) -> Result<Component, HostError> {
        match &self.source {
            Source::Embedded(build) => compile(engine, build.octets()),
            Source::Bytes(component) => compile(engine, component),
            Source::File(path) => match fs::read(path) {
                Ok(component) => compile(engine, &component),
                Err(error) => Err(HostError::Unreadable { path: path.display().to_string(), reason: error.to_string().into() }),
            },
        }
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, limits, cache, pooled_clients, .. } = self;
        f.debug_struct("SandboxBuilder")
            .field("policy", policy)
            .field("limits", limits)
            .field("cache", cache)
            .field("pooled_clients", pooled_clients)
            .finish_non_exhaustive()
    }
}

impl CompiledCache {
    /// `None`: no cache is wanted, or the cache cannot be used.
    fn open(&self) -> Option<Cache> {
        let mut config = CacheConfig::new();
        match self {
            Self::User => {}
            Self::Directory(path) => {
                config.with_directory(path);
            }
            Self::Off => return None,
        }
        Cache::new(config).ok()
    }
}

fn pool(clients: u32, limits: &ClientLimits) -> PoolingAllocationConfig {
    let parts = clients.saturating_mul(POOLED_PARTS_MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(clients)
        .total_core_instances(parts)
        .total_memories(parts)
        .total_tables(parts)
        .total_stacks(clients)
        .max_memory_size(limits.memory_octets_max);
    pool
}

/// Says in our words why octets are no component, before the compiler does.
fn compile(engine: &Engine, binary: &[u8]) -> Result<Component, HostError> {
    match binary.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => {}
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => return Err(HostError::NotAComponent("a core module")),
        Some([b'(', ..]) => return Err(HostError::NotAComponent("WebAssembly text")),
        Some(_) => return Err(HostError::NotAComponent("another kind of file")),
        None => return Err(HostError::NotAComponent("a file of less than eight octets")),
    }
    Component::new(engine, binary).map_err(|error| HostError::InvalidComponent(text(&error)))
}

fn prelink(engine: &Engine, component: &Component, given: Given) -> Result<InstancePre<State>, HostError> {
    let mut linker = Linker::new(engine);
    link(&mut linker, given).map_err(engine_error)?;
    linker
        .instantiate_pre(component)
        .map_err(|error| HostError::ForeignImports { imports: imports_of(component), reason: Some(text(&error)) })
}

fn given(component: &Component) -> Result<Given, HostError> {
    Given::of(&imports_of(component)).map_err(|foreign| HostError::ForeignImports { imports: foreign, reason: None })
}

fn imports_of(component: &Component) -> Vec<String> {
    component.component_type().imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}

fn engine_error(error: wasmtime::Error) -> HostError {
    HostError::Engine(text(&error))
}

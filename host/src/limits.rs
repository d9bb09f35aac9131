//! The host's resources that one client may use: memory, sockets, computing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak, ResourceLimiter};

/// How often a computing instance is interrupted: the instance yields to the runtime, and the time used is counted. Short
/// enough that timers of the same thread are not late by more than what one notices, long enough that it costs nothing.
pub const TICK: Duration = Duration::from_millis(10);

/// Tables that an instance may have, and memories: the component has one of each, its adapters a few more.
const TABLES_MAX: usize = 16;
/// Core instances in one client: the component is linked from a handful.
const INSTANCES_MAX: usize = 64;
/// Elements of all tables: one for each function whose address is taken, a few hundred.
const TABLE_ELEMENTS_MAX: usize = 65_536;
/// Entries of the host's table for each socket: the socket, its two streams, what is waited on, and errors.
const TABLE_ENTRIES_PER_SOCKET: usize = 12;
/// Entries of the host's table that belong to no socket: lookups, timers.
const TABLE_ENTRIES_BASE: usize = 8_192;

/// The resources that one client may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Linear memory in octets. Default 64 MiB: thousands of connections at rest, or a response of some 20 MiB
    /// collected whole. Past it the instance ends with [`DeathCause::Memory`](crate::DeathCause::Memory).
    pub memory_octets_max: usize,
    /// Sockets open at once. Default 4 096; a process can rarely have more without being set up for it. Past it a
    /// connection fails with `connect(exhausted)`. One that was dropped counts until it is closed: while its last octets
    /// leave, 10 s at most. This limit also bounds the output that the host holds: 16 MiB for all connections of the
    /// client, and 4 KiB for each.
    pub sockets_max: usize,
    /// How long one call may compute without waiting for anything, counted in steps of [`TICK`]. Default 10 s: no call
    /// of the component needs a tenth of a second.
    pub compute_time_max: Duration,
    /// How long one call may take, waiting included. Default: no limit, since the deadlines of requests and the timeout
    /// of `poll.wait` already end every wait, and without harm to the instance.
    pub call_time_max: Option<Duration>,
    /// Fuel of one call: about one unit for each WebAssembly instruction. Default: not counted. For a bound that is the
    /// same on every machine, however busy it is.
    pub fuel_per_call: Option<u64>,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            memory_octets_max: 64 << 20,
            sockets_max: 4_096,
            compute_time_max: Duration::from_secs(10),
            call_time_max: None,
            fuel_per_call: None,
        }
    }
}

impl ClientLimits {
    /// Entries of the table in which the host keeps what the component has handles of.
    pub(crate) fn table_entries_max(&self) -> usize {
        self.sockets_max.saturating_mul(TABLE_ENTRIES_PER_SOCKET).saturating_add(TABLE_ENTRIES_BASE)
    }

    /// Octets that one call may hand to the host: no honest value takes more than the memory it is in, and its form in
    /// the host is at most about twice as large.
    pub(crate) fn result_octets_max(&self) -> usize {
        self.memory_octets_max.saturating_mul(2).max(1 << 20)
    }

    /// Ticks of computing after which a call is ended.
    pub(crate) fn ticks_max(&self) -> u64 {
        let ticks = self.compute_time_max.as_nanos().div_ceil(TICK.as_nanos());
        u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
    }
}

/// Counts an instance's memory and tables, and refuses what goes past the limits.
#[derive(Debug)]
pub(crate) struct Memory {
    octets_max: usize,
    octets: usize,
    table_elements: usize,
    /// The size that was refused since the last [`Memory::begin_call`].
    refused_octets: Option<usize>,
}

impl Memory {
    pub(crate) fn new(octets_max: usize) -> Self {
        Self { octets_max, octets: 0, table_elements: 0, refused_octets: None }
    }

    /// Octets of all memories now.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Forgets a refusal that the component has lived with.
    pub(crate) fn begin_call(&mut self) {
        self.refused_octets = None;
    }

    /// The size that was refused during this call, and the limit.
    pub(crate) fn refusal(&self) -> Option<(usize, usize)> {
        self.refused_octets.map(|wanted| (wanted, self.octets_max))
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.octets.saturating_sub(current).saturating_add(desired);
        if total > self.octets_max || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused_octets = Some(total);
            return Ok(false);
        }
        self.octets = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_sub(current).saturating_add(desired);
        if total > TABLE_ELEMENTS_MAX || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        TABLES_MAX
    }
}

/// Counts the ticks in which a call computed without having waited.
#[derive(Debug)]
pub(crate) struct Computing {
    ticks: u64,
    ticks_max: u64,
    /// Has the component waited since the last tick?
    waited: bool,
    /// Do others have their turn at each tick? Not during a call whose future may be dropped.
    pub(crate) yields: bool,
}

impl Computing {
    pub(crate) fn new(ticks_max: u64) -> Self {
        Self { ticks: 0, ticks_max, waited: false, yields: true }
    }

    pub(crate) fn begin_call(&mut self) {
        self.ticks = 0;
        self.waited = false;
    }

    /// The component waited for something that was not there yet.
    pub(crate) fn waited(&mut self) {
        self.waited = true;
    }

    /// A tick passed while the component was computing. False: that was one too many.
    pub(crate) fn tick(&mut self) -> bool {
        self.ticks = if self.waited { 0 } else { self.ticks + 1 };
        self.waited = false;
        self.ticks <= self.ticks_max
    }

    /// Did the last tick go past the limit?
    pub(crate) fn is_over(&self) -> bool {
        self.ticks > self.ticks_max
    }
}

/// The thread that advances an engine's epoch, every [`TICK`], while any call is under way. The thread sleeps while no call is,
/// and ends with the last sandbox and client of the engine.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
}

impl Ticker {
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (for_thread, engine) = (Arc::clone(&shared), engine.weak());
        let thread = thread::Builder::new().name("sandpiper-ticker".to_owned()).spawn(move || tick(&for_thread, &engine))?;
        Ok(Self { shared, thread })
    }

    /// Has the epoch advance until the guard is dropped.
    pub(crate) fn run(&self) -> Running {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.thread().unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
    }
}

/// A call is under way.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(shared: &Shared, engine: &EngineWeak) {
    while !shared.ended.load(Ordering::SeqCst) {
        // A call that begins after `asleep` was set sees it and wakes this thread; one that began before is counted.
        shared.asleep.store(true, Ordering::SeqCst);
        if shared.calls.load(Ordering::SeqCst) == 0 {
            thread::park();
            continue;
        }
        shared.asleep.store(false, Ordering::SeqCst);
        thread::sleep(TICK);
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories() {
        let mut memory = Memory::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert_eq!(memory.octets(), 100);
        assert!(!memory.memory_growing(60, 61, None).unwrap());
        assert_eq!(memory.refusal(), Some((101, 100)));
        memory.begin_call();
        assert_eq!(memory.refusal(), None);
        assert_eq!(memory.octets(), 100);
    }

    #[test]
    fn a_wait_starts_the_count_again() {
        let mut computing = Computing::new(2);
        assert!(computing.tick() && computing.tick());
        computing.waited();
        assert!(computing.tick() && computing.tick() && computing.tick());
        assert!(!computing.tick());
        assert!(computing.is_over());
        computing.begin_call();
        assert!(!computing.is_over() && computing.tick());
    }

    #[test]
    fn ticks_are_at_least_one_and_rounded_up() {
        let ticks = |compute_time_max| ClientLimits { compute_time_max, ..ClientLimits::default() }.ticks_max();
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_millis(11)), 2);
        assert_eq!(ticks(Duration::MAX), u64::MAX);
    }

    #[test]
    fn the_epoch_advances_only_while_a_call_is_under_way() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).unwrap();
        while !ticker.shared.asleep.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let running = ticker.run();
        while ticker.shared.asleep.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        drop(running);
        while !ticker.shared.asleep.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }
}

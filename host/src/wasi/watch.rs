//! `wasi:io/poll`, informed of ready sources by wakers.
//!
//! Wasmtime's own `poll` makes a future for each pollable in each wait, and asks every future. Here a source that was not ready
//! sleeps: the source has a waker, and is not asked again before the waker has been woken. So a wait costs little more than reading
//! the list of pollables, for any number of connections. A source that was ready is asked again in the next wait, since the component
//! may have consumed the readiness.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::coop::unconstrained;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi_io::bindings::wasi::io::poll::Host as _;
use wasmtime_wasi_io::poll::DynPollable;

/// The place of a pollable that is not watched.
const NOWHERE: u32 = u32::MAX;

/// A source that can be waited for.
pub(crate) trait Source: Send + Sync + 'static {
    /// Is the source ready? If not, `context` is woken when the source may be ready. Only the last context has to be woken.
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()>;
}

/// The place of a source in its watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// The sources of one instance, and the pollables of each source. Other pollables are wasmtime's.
#[derive(Default)]
pub(crate) struct Watch {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// By the number of a pollable in the table.
    places: Vec<u32>,
    bell: Arc<Bell>,
    /// Reused for its capacity.
    woken: Vec<u32>,
}

struct Entry {
    /// The source was not ready when last asked, and the waker has not been woken since.
    asleep: bool,
    /// The owner, and the pollables of the source.
    users: u32,
    source: Arc<dyn Source>,
    ringer: Arc<Ringer>,
    waker: Waker,
}

/// Where the wakers of a watch ring.
#[derive(Default)]
struct Bell(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    /// Each place once.
    woken: Vec<u32>,
    /// The waker of the wait that is under way.
    waiting: Option<Waker>,
}

/// The waker of one source.
struct Ringer {
    bell: Arc<Bell>,
    place: u32,
    /// The place is among the woken places.
    rung: AtomicBool,
}

impl Watch {
    /// Adds a source, which stays until [released](Self::release). Waking the waker has the source asked in the next wait.
    pub(crate) fn add(&mut self, source: Arc<dyn Source>) -> (Place, Waker) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(NOWHERE)
        });
        let ringer = Arc::new(Ringer { bell: Arc::clone(&self.bell), place, rung: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&ringer));
        self.entries[place as usize] = Some(Entry { asleep: false, users: 1, source, ringer, waker: waker.clone() });
        (Place(place), waker)
    }

    /// Adds a source that stays as long as the pollable.
    pub(crate) fn add_for(&mut self, pollable: &Resource<DynPollable>, source: Arc<dyn Source>) {
        let (place, _) = self.add(source);
        self.assign(pollable, place);
        self.release(place);
    }

    /// Releases a source of its owner; the source goes when the last pollable of the source has gone.
    pub(crate) fn release(&mut self, Place(place): Place) {
        if let Some(slot @ Some(_)) = self.entries.get_mut(place as usize) {
            let users = slot.as_mut().map_or(0, |entry| {
                entry.users -= 1;
                entry.users
            });
            if users == 0 {
                *slot = None;
                self.free.push(place);
            }
        }
    }

    /// From now on the pollable belongs to the source.
    pub(crate) fn assign(&mut self, pollable: &Resource<DynPollable>, Place(place): Place) {
        let number = pollable.rep() as usize;
        if self.places.len() <= number {
            self.places.resize(number + 1, NOWHERE);
        }
        if let Some(Some(entry)) = self.entries.get_mut(place as usize) {
            entry.users += 1;
            self.places[number] = place;
        }
    }

    /// The pollable is dropped.
    pub(crate) fn forget(&mut self, pollable: &Resource<DynPollable>) {
        if let Some(place) = self.places.get_mut(pollable.rep() as usize) {
            let place = std::mem::replace(place, NOWHERE);
            self.release(Place(place));
        }
    }

    /// `wasi:io/poll.poll`. Asks without regard to the budget of the task, and takes from the budget of the caller: a task pays for a
    /// wait once, not for each source. Otherwise sources at the end of a long list would never have their turn.
    pub(crate) async fn poll(
        &mut self,
        table: &mut ResourceTable,
        pollables: &[Resource<DynPollable>],
    ) -> wasmtime::Result<Vec<u32>> {
        let others: Vec<u32> =
            (0..).zip(pollables).filter(|(_, pollable)| !self.is_watched(pollable)).map(|(at, _)| at).collect();
        if others.is_empty() && !pollables.is_empty() {
            return Ok(poll_fn(|context| self.poll_watched(pollables, context)).await);
        }
        let borrowed = others.iter().map(|at| Resource::new_borrow(pollables[*at as usize].rep())).collect();
        let mut theirs = pin!(unconstrained(table.poll(borrowed)));
        poll_fn(|context| {
            let watched = self.poll_watched(pollables, context);
            let theirs = theirs.as_mut().poll(context)?;
            if watched.is_pending() && theirs.is_pending() {
                return Poll::Pending;
            }
            let mut found = if let Poll::Ready(found) = watched { found } else { Vec::new() };
            if let Poll::Ready(theirs) = theirs {
                found.extend(theirs.into_iter().filter_map(|at| others.get(at as usize)));
                found.sort_unstable();
            }
            Poll::Ready(Ok(found))
        })
        .await
    }

    /// `wasi:io/poll.pollable.ready`; `None`: the pollable is not watched.
    pub(crate) fn is_ready(&mut self, pollable: &Resource<DynPollable>) -> Option<bool> {
        self.hear();
        self.is_watched(pollable).then(|| !self.ready_among(std::slice::from_ref(pollable)).is_empty())
    }

    fn is_watched(&self, pollable: &Resource<DynPollable>) -> bool {
        self.places.get(pollable.rep() as usize).is_some_and(|place| *place != NOWHERE)
    }

    /// Which of the watched pollables are ready, by their places in the list; pending while none is ready.
    fn poll_watched(&mut self, pollables: &[Resource<DynPollable>], context: &mut Context<'_>) -> Poll<Vec<u32>> {
        loop {
            self.hear();
            let found = self.ready_among(pollables);
            if !found.is_empty() {
                return Poll::Ready(found);
            }
            if self.bell.wait(context.waker()) {
                return Poll::Pending;
            }
        }
    }

    fn ready_among(&mut self, pollables: &[Resource<DynPollable>]) -> Vec<u32> {
        let mut found = Vec::new();
        // To a task without budget, a ready source says that the source is not ready.
        let asked = pin!(unconstrained(poll_fn(|_| {
            self.ask(pollables, &mut found);
            Poll::Ready(())
        })));
        let _ = asked.poll(&mut Context::from_waker(Waker::noop()));
        found
    }

    /// Adds the ready places to `found`.
    fn ask(&mut self, pollables: &[Resource<DynPollable>], found: &mut Vec<u32>) {
        for (at, pollable) in (0..).zip(pollables) {
            let place = self.places.get(pollable.rep() as usize).map_or(NOWHERE, |place| *place);
            let Some(Some(entry)) = self.entries.get_mut(place as usize) else { continue };
            if entry.asleep {
                continue;
            }
            match entry.source.poll_ready(&mut Context::from_waker(&entry.waker)) {
                Poll::Ready(()) => found.push(at),
                Poll::Pending => entry.asleep = true,
            }
        }
    }

    /// Has the sources asked again whose wakers have been woken.
    fn hear(&mut self) {
        let Self { entries, woken, bell, .. } = self;
        bell.take(woken);
        for place in woken.drain(..) {
            if let Some(Some(entry)) = entries.get_mut(place as usize) {
                // A swap: a waker that finds the flag set does not ring, and everything before the wake has to be seen when the
                // source is asked.
                entry.ringer.rung.swap(false, Ordering::AcqRel);
                entry.asleep = false;
            }
        }
    }
}

impl Bell {
    /// Moves the woken places; nobody waits any more.
    fn take(&self, woken: &mut Vec<u32>) {
        let mut rung = self.rung();
        std::mem::swap(&mut rung.woken, woken);
        rung.waiting = None;
    }

    /// Has the next ring wake `waker`. False: places were woken already.
    fn wait(&self, waker: &Waker) -> bool {
        let mut rung = self.rung();
        let silent = rung.woken.is_empty();
        if silent {
            rung.waiting = Some(waker.clone());
        }
        silent
    }

    fn ring(&self, place: u32) {
        let mut rung = self.rung();
        rung.woken.push(place);
        let waiting = rung.waiting.take();
        drop(rung);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// A panic while the lock was held cannot have left the list half-changed.
    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.ring(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::task::coop::{consume_budget, has_budget_remaining, poll_proceed};
    use wasmtime_wasi_io::async_trait;
    use wasmtime_wasi_io::poll::{Pollable, subscribe};

    use super::*;

    /// Ready while there is something to take.
    #[derive(Default)]
    struct Chest {
        things: AtomicUsize,
        asked: AtomicUsize,
        waker: Mutex<Option<Waker>>,
    }

    impl Chest {
        fn put(&self) {
            self.things.fetch_add(1, Ordering::SeqCst);
            if let Some(waker) = self.waker.lock().unwrap().take() {
                waker.wake();
            }
        }

        fn take_all(&self) -> usize {
            self.things.swap(0, Ordering::SeqCst)
        }

        fn asked(&self) -> usize {
            self.asked.swap(0, Ordering::SeqCst)
        }
    }

    impl Source for Chest {
        fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            *self.waker.lock().unwrap() = Some(context.waker().clone());
            if self.things.load(Ordering::SeqCst) > 0 { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    /// A pollable that is not watched.
    struct After(Duration);

    #[async_trait]
    impl Pollable for After {
        async fn ready(&mut self) {
            tokio::time::sleep(self.0).await;
        }
    }

    struct Scene {
        table: ResourceTable,
        watch: Watch,
    }

    impl Scene {
        fn new() -> Self {
            Self { table: ResourceTable::new(), watch: Watch::default() }
        }

        fn after(&mut self, span: Duration) -> Resource<DynPollable> {
            let after = self.table.push(After(span)).unwrap();
            subscribe(&mut self.table, after).unwrap()
        }

        fn watched(&mut self, source: &Arc<Chest>) -> Resource<DynPollable> {
            let pollable = self.after(Duration::MAX);
            self.watch.add_for(&pollable, Arc::clone(source) as Arc<dyn Source>);
            pollable
        }

        /// `None`: nothing is ready.
        async fn poll(&mut self, pollables: &[Resource<DynPollable>]) -> Option<Vec<u32>> {
            let polled = self.watch.poll(&mut self.table, pollables);
            tokio::time::timeout(Duration::ZERO, polled).await.ok().map(Result::unwrap)
        }
    }

    #[tokio::test]
    async fn what_sleeps_is_not_asked_and_what_was_ready_is_asked_again() {
        let mut scene = Scene::new();
        let boxes: Vec<Arc<Chest>> = (0..300).map(|_| Arc::default()).collect();
        let pollables: Vec<_> = boxes.iter().map(|source| scene.watched(source)).collect();
        let asked = || boxes.iter().map(|source| source.asked()).sum::<usize>();
        assert_eq!(scene.poll(&pollables).await, None);
        assert_eq!(asked(), 300);
        assert_eq!(scene.poll(&pollables).await, None);
        assert_eq!(asked(), 0);
        boxes[299].put();
        boxes[7].put();
        for _ in 0..2 {
            assert_eq!(scene.poll(&pollables).await, Some(vec![7, 299]));
            assert_eq!(asked(), 2);
        }
        boxes[7].take_all();
        assert_eq!(scene.poll(&pollables).await, Some(vec![299]));
        // One that is not in the list keeps for later that it was woken.
        boxes[0].put();
        assert_eq!(scene.poll(&pollables[299..]).await, Some(vec![0]));
        assert_eq!(scene.poll(&pollables).await, Some(vec![0, 299]));
        assert_eq!(scene.watch.is_ready(&pollables[0]), Some(true));
        assert_eq!(scene.watch.is_ready(&pollables[1]), Some(false));
    }

    #[tokio::test]
    async fn those_that_are_not_watched_are_waited_for_beside_the_others() {
        let mut scene = Scene::new();
        let source = Arc::<Chest>::default();
        let list = [scene.after(Duration::ZERO), scene.watched(&source), scene.after(Duration::from_secs(3600))];
        assert_eq!(scene.watch.is_ready(&list[0]), None);
        assert_eq!(scene.watch.poll(&mut scene.table, &list).await.unwrap(), [0]);
        assert_eq!(scene.poll(&list[1..]).await, None);
        source.put();
        assert_eq!(scene.poll(&list[1..]).await, Some(vec![0]));
        assert!(scene.watch.poll(&mut scene.table, &[]).await.is_err(), "there is nothing to wait for");
    }

    /// Ready, if the task has something left of its budget, as what belongs to the runtime.
    struct Frugal;

    impl Source for Frugal {
        fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
            poll_proceed(context).map(|budget| budget.made_progress())
        }
    }

    #[tokio::test]
    async fn what_is_ready_is_found_so_also_by_a_task_without_budget() {
        let mut scene = Scene::new();
        let pollable = scene.after(Duration::MAX);
        scene.watch.add_for(&pollable, Arc::new(Frugal));
        while has_budget_remaining() {
            consume_budget().await;
        }
        assert_eq!(scene.watch.is_ready(&pollable), Some(true));
        assert_eq!(scene.poll(std::slice::from_ref(&pollable)).await, Some(vec![0]));
        assert!(!has_budget_remaining());
    }

    #[tokio::test]
    async fn a_place_is_used_again_and_late_wakers_do_no_harm() {
        let mut scene = Scene::new();
        let (first, second) = (Arc::<Chest>::default(), Arc::<Chest>::default());
        let pollable = scene.watched(&first);
        assert_eq!(scene.poll(std::slice::from_ref(&pollable)).await, None);
        scene.watch.forget(&pollable);
        assert_eq!(scene.watch.is_ready(&pollable), None);
        let again = scene.watched(&second);
        assert_eq!(scene.watch.entries.len(), 1);
        assert_eq!(scene.poll(std::slice::from_ref(&again)).await, None);
        first.put();
        assert_eq!(scene.poll(std::slice::from_ref(&again)).await, None);
        second.put();
        assert_eq!(scene.poll(std::slice::from_ref(&again)).await, Some(vec![0]));
    }

    /// Whatever the threads do to each other, nothing that is put in stays unnoticed.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_waking_is_lost() {
        const BOXES: usize = 64;
        const THINGS: usize = 20_000;
        let mut scene = Scene::new();
        let boxes: Arc<Vec<Arc<Chest>>> = Arc::new((0..BOXES).map(|_| Arc::default()).collect());
        let pollables: Vec<_> = boxes.iter().map(|source| scene.watched(source)).collect();
        let threads: Vec<_> = (1..=3_usize)
            .map(|seed| {
                let boxes = Arc::clone(&boxes);
                std::thread::spawn(move || {
                    let mut chance = seed;
                    for _ in 0..THINGS {
                        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        boxes[(chance >> 33) % BOXES].put();
                        if (chance >> 40).is_multiple_of(64) {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut taken = 0;
        while taken < 3 * THINGS {
            let polled = scene.watch.poll(&mut scene.table, &pollables);
            let found = tokio::time::timeout(Duration::from_secs(60), polled).await.expect("one was lost").unwrap();
            taken += found.iter().map(|at| boxes[*at as usize].take_all()).sum::<usize>();
        }
        assert_eq!(taken, 3 * THINGS);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

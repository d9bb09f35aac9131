//! Timers of the component.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::Host;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{Pollable, subscribe};

use crate::wasi::state::{State, clocks};
use crate::wasi::watch::Source;

/// A timer that stays set from one wait to the next. Wasmtime's own is set anew in every wait, which wakes the runtime each time: two system
/// calls for each exchange, and most are over long before their deadline.
#[derive(Clone)]
struct Timer(Arc<Mutex<Pin<Box<Sleep>>>>);

impl Timer {
    fn at(moment: Instant) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep_until(moment)))))
    }
}

impl Source for Timer {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sleep.is_elapsed() { Poll::Ready(()) } else { sleep.as_mut().poll(context) }
    }
}

#[async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }
}

/// Replaces those of the monotonic clock.
pub(crate) fn keep_timers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let subscribe_instant = |mut store: wasmtime::StoreContextMut<'_, State>, (when,): (u64,)| Ok((at(store.data_mut(), when)?,));
    linker.instance("wasi:clocks/monotonic-clock@0.2.12")?.func_wrap("subscribe-instant", subscribe_instant)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Moments that are not to come, or never will, are wasmtime's.
fn at(state: &mut State, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
    let span = Duration::from_nanos(when.saturating_sub(clocks(state).now()?));
    match Instant::now().checked_add(span) {
        Some(moment) if !span.is_zero() => {
            let timer = Timer::at(moment);
            let entry = state.table.push(timer.clone())?;
            let pollable = subscribe(&mut state.table, entry)?;
            state.watch.add_for(&pollable, Arc::new(timer));
            Ok(pollable)
        }
        _ => clocks(state).subscribe_instant(when),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_outlives_the_waits_for_it_and_stays_ready() {
        let begun = Instant::now();
        let span = Duration::from_millis(20);
        let mut timer = Timer::at(begun + span);
        for _ in 0..3 {
            let waited = tokio::time::timeout(Duration::from_millis(1), timer.ready()).await;
            assert!(waited.is_err() || begun.elapsed() >= span);
        }
        timer.ready().await;
        assert!(begun.elapsed() >= span);
        tokio::time::timeout(Duration::ZERO, timer.ready()).await.expect("it has gone off");
    }
}

//! `wasi:io/poll`, by the watch.

use std::future::{Future, poll_fn};
use std::pin::pin;

use tokio::task::coop::consume_budget;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_io::bindings::wasi::io::poll;

use super::faults::Import;
use super::state::State;
use crate::limits::Computing;

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        // Others have their turn, which is not a wait: a component that polls what is always ready would never be found to compute.
        consume_budget().await;
        let Self { table, watch, computing, faults, .. } = self;
        match faults.fault(Import::Poll, &[]) {
            Some(_) => Ok((0..u32::try_from(pollables.len()).unwrap_or(u32::MAX)).collect()),
            None => noting_waits(computing, watch.poll(table, &pollables)).await,
        }
    }
}

impl poll::HostPollable for State {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        consume_budget().await;
        let Self { table, watch, computing, .. } = self;
        noting_waits(computing, watch.poll(table, &[pollable])).await.map(drop)
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        match self.watch.is_ready(&pollable) {
            Some(ready) => Ok(ready),
            None => poll::HostPollable::ready(&mut self.table, pollable).await,
        }
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.watch.forget(&pollable);
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

/// Notes whether the component really waited.
async fn noting_waits<T>(computing: &mut Computing, wait: impl Future<Output = T>) -> T {
    let mut wait = pin!(wait);
    poll_fn(|context| {
        let polled = wait.as_mut().poll(context);
        if polled.is_pending() {
            computing.waited();
        }
        polled
    })
    .await
}

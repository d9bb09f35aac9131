//! The commands of handles to the task that drives the client.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::relay::Relay;
use crate::client::Client;
use crate::client::origin::Origin;
use crate::client::poll::Poll;
use crate::error::{ExchangeError, HostError};
use crate::types::{Completion, ExchangeTiming, FieldLine, Request};

/// A command, with its place among those that may wait; commands that only end something need none.
pub(super) type Queued = (Command, Option<OwnedSemaphorePermit>);

pub(super) type Answering<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// Something to be done with the client between two waits.
pub(super) type Work = Box<dyn for<'a> FnOnce(&'a mut Client, &'a Poll) -> Answering<'a, ()> + Send>;

pub(super) enum Command {
    /// Whole responses.
    Fetch(Fetch),
    /// Futures of fetches were dropped: their ids stand in [`GivenUp`].
    GiveUp,
    /// A streamed exchange.
    Open {
        origin: Arc<Origin>,
        request: Box<Request>,
        opened: Opened,
    },
    /// The caller of a streamed exchange has taken content, or has some to write.
    Look(u64),
    /// `send.finish`.
    Finish {
        token: u64,
        trailers: Vec<FieldLine>,
        finished: Finished,
    },
    /// `send.timing`.
    Timing {
        token: u64,
        timing: oneshot::Sender<ExchangeTiming>,
    },
    /// `send.cancel`.
    Cancel(u64),
    /// A streamed exchange was dropped.
    Release(u64),
    Run(Work),
    Close {
        within: Duration,
        closed: oneshot::Sender<usize>,
    },
}

/// Gets the token of an exchange that was sent, and what its caller and the driving task have in common.
pub(super) type Opened = Box<dyn FnOnce(Result<(u64, Arc<Relay>), ExchangeError>) + Send>;

pub(super) type Finished = oneshot::Sender<Result<(), ExchangeError>>;

/// Requests to one origin.
pub(super) struct Fetch {
    /// Names the fetch before its requests have tokens.
    pub(super) id: u64,
    pub(super) origin: Arc<Origin>,
    pub(super) requests: Vec<Request>,
    /// Octets of content that are collected of each response.
    pub(super) collect_octets_max: u64,
    pub(super) done: Done,
}

impl Fetch {
    /// Whether the requests of both can go into the component in one call.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.origin, &other.origin) && self.collect_octets_max == other.collect_octets_max
    }
}

/// The ids of fetches whose futures were dropped. They stand beside the other commands, which come in turns: whatever else waits, all of them
/// are cancelled before anything more is sent.
#[derive(Default)]
pub(super) struct GivenUp(Mutex<Vec<u64>>);

impl GivenUp {
    /// Returns whether it is the only one: the driving task has to be told.
    pub(super) fn push(&self, id: u64) -> bool {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.push(id);
        ids.len() == 1
    }

    pub(super) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) type Done = oneshot::Sender<Result<Vec<Completion>, HostError>>;

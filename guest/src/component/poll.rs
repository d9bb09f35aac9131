//! The resource `poll`: one wait for many connections.

use super::clock;
use super::network::Sockets;
use super::wait::{self, Waiting};
use super::wire::Shared;
use super::{client_conn, origin, send};
use crate::dial::Names;
use crate::endpoint;
use crate::failure;
use crate::poll::Poll;
use crate::types::{Error, Failure, Misuse, PackedCompletion, Request};
use crate::wit::client::{self, Completion, Event, OriginInfo, PollInfo, PollOptions};
use crate::wit::wasi::io::poll::Pollable;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

/// How long the addresses of a name are kept unless the caller says otherwise.
const NAMES_KEPT_NS: u64 = 60_000_000_000;

/// The handle of a poll.
pub(crate) struct Handle {
    pub(super) poll: Rc<RefCell<Poll<Sockets>>>,
    waiting: RefCell<Waiting>,
}

impl client::GuestPoll for Handle {
    fn new(options: Option<PollOptions>) -> Handle {
        let kept = options.as_ref().and_then(|options| options.names_kept).unwrap_or(NAMES_KEPT_NS);
        let sockets = Sockets { names: Rc::new(RefCell::new(Names::new(kept))) };
        let poll = Rc::new(RefCell::new(Poll::new(options.as_ref(), sockets, clock::now())));
        Handle { poll, waiting: RefCell::default() }
    }

    fn insert(&self, conn: client::ClientConnBorrow<'_>, token: u64) -> Result<(), Error> {
        self.poll.borrow_mut().insert(&conn.get::<client_conn::Handle>().shared, token)
    }

    fn remove(&self, conn: client::ClientConnBorrow<'_>) {
        self.poll.borrow_mut().remove(&conn.get::<client_conn::Handle>().shared);
    }

    fn may_repeat(failure: Failure, idempotent: bool) -> bool {
        failure::may_repeat(&failure, idempotent)
    }

    fn wait(&self, timeout: Option<u64>, events_max: u32) -> Vec<Event> {
        let events_max = usize::try_from(events_max.max(1)).unwrap_or(usize::MAX);
        wait::wait(&mut self.poll.borrow_mut(), &mut self.waiting.borrow_mut(), timeout, events_max)
    }

    fn next_deadline(&self) -> Option<u64> {
        let mut poll = self.poll.borrow_mut();
        let now = clock::now();
        poll.settle(now);
        poll.next_deadline().map(|at| at.since(now))
    }

    fn submit(&self, origin: client::OriginBorrow<'_>, request: Request, token: u64) -> Result<client::Send, Failure> {
        let origin = &origin.get::<origin::Handle>().0;
        let ticket = Poll::submit(&self.poll, origin, request, token, clock::now())?;
        Ok(send::Handle::of_pool(ticket, token))
    }

    fn submit_all(
        &self,
        origin: client::OriginBorrow<'_>,
        requests: Vec<Request>,
        first_token: u64,
    ) -> Vec<Result<client::Send, Failure>> {
        let origin = &origin.get::<origin::Handle>().0;
        let tickets = Poll::submit_all(&self.poll, origin, requests, first_token, clock::now());
        let tokens = (0..).map(|index| first_token.wrapping_add(index));
        tickets.into_iter().zip(tokens).map(|(ticket, token)| Ok(send::Handle::of_pool(ticket?, token))).collect()
    }

    fn fetch_all(&self, origin: client::OriginBorrow<'_>, requests: Vec<Request>, first_token: u64, collect_octets_max: u64) {
        let origin = &origin.get::<origin::Handle>().0;
        self.poll.borrow_mut().fetch_all(origin, requests, first_token, collect_octets_max, clock::now());
    }

    fn cancel(&self, token: u64) -> Result<(), Error> {
        self.poll.borrow_mut().cancel(token, clock::now())
    }

    fn cancel_all(&self, tokens: Vec<u64>) -> u32 {
        let cancelled = self.poll.borrow_mut().cancel_all(&tokens, clock::now());
        u32::try_from(cancelled).unwrap_or(u32::MAX)
    }

    fn take_completions(&self, completions_max: u32) -> Vec<Completion> {
        let completions = self.poll.borrow_mut().take_completions(completions_max, clock::now());
        completions.into_iter().map(PackedCompletion::unpacked).collect()
    }

    fn resolve(&self, host: String, port: u16, addresses: Vec<String>) -> Result<(), Error> {
        let invalid = Error::ApiMisuse(Misuse::InvalidEndpoint);
        let addresses = endpoint::parse_addresses(&addresses)?;
        let poll = self.poll.borrow();
        let given = endpoint::is_host(&host) && poll.network().names.borrow_mut().give(host, port, addresses);
        if given { Ok(()) } else { Err(invalid) }
    }

    fn shutdown(&self) {
        self.poll.borrow_mut().shutdown(clock::now());
    }

    fn network_changed(&self) {
        self.poll.borrow_mut().network_changed(clock::now());
    }

    fn info(&self) -> PollInfo {
        let mut poll = self.poll.borrow_mut();
        poll.settle(clock::now());
        poll.info()
    }

    fn origin_info(&self, origin: client::OriginBorrow<'_>) -> OriginInfo {
        let mut poll = self.poll.borrow_mut();
        let now = clock::now();
        poll.settle(now);
        poll.origin_info(&origin.get::<origin::Handle>().0, now)
    }
}

impl Handle {
    /// `streams.wake-on`.
    pub(super) fn wake_on(&self, waker: Option<Pollable>) {
        self.waiting.borrow_mut().wake_on(waker);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.poll.borrow_mut().close(clock::now());
    }
}

/// The connections of a poll, those of its pool with them.
pub(super) fn connections(handle: &Handle) -> Vec<Shared> {
    handle.poll.borrow().connections()
}

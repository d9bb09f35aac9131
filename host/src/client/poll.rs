//! Polls: see `poll` in `wit/client.wit`.

use std::borrow::Borrow;
use std::fmt;
use std::time::Duration;

use super::Client;
use super::conn::ClientConn;
use super::exchange::Exchange;
use super::handle::Handle;
use super::origin::Origin;
use super::wake::Wake;
use crate::bindings::log::Source;
use crate::error::{ConnError, ExchangeError, HostError, flatten};
use crate::types::{
    Completion, Event, Failure, LogEntry, OriginInfo, PackedCompletion, PollInfo, PollOptions, Request, nanoseconds,
};

/// Drives many connections with one wait, and keeps a pool.
///
/// Dropping it leaves inserted connections as they are, and closes those of its pool, with the client's next call.
///
/// Every method gives [`HostError::WrongClient`] for another client, and [`HostError::Dead`] once the instance has
/// ended.
pub struct Poll {
    handle: Handle,
}

impl Client {
    /// Makes a poll, which drives many connections with one wait and keeps a pool. An option outside its range counts
    /// as the nearest value inside.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    pub async fn poll(&mut self, options: impl Into<Option<PollOptions>>) -> Result<Poll, HostError> {
        let resource = call!(self, poll.func_constructor(options.into().as_ref()))?;
        Ok(Poll::new(Handle::new(resource, self)))
    }
}

impl Poll {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Has [`Poll::wait`] drive the connection too. `token` is the caller's own number for it.
    ///
    /// # Errors
    /// `api-misuse(already-inserted)`: it is in a poll, perhaps this one.
    pub async fn insert(&self, client: &mut Client, conn: &ClientConn, token: u64) -> Result<(), ConnError> {
        let (poll, conn) = (self.handle.of(client)?, conn.handle().of(client)?);
        flatten(call!(client, poll.func_insert(poll, conn, token)))
    }

    /// Ends that. Without effect if it is not in this poll.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn remove(&self, client: &mut Client, conn: &ClientConn) -> Result<(), HostError> {
        let (poll, conn) = (self.handle.of(client)?, conn.handle().of(client)?);
        call!(client, poll.func_remove(poll, conn))
    }

    /// May a request that failed so be sent again? By the rule of the pool: see `poll.may-repeat` in `wit/client.wit`.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn may_repeat(client: &mut Client, failure: &Failure, idempotent: bool) -> Result<bool, HostError> {
        call!(client, poll.func_may_repeat(*failure, idempotent))
    }

    /// Moves octets on every connection that is ready, and waits until there is an event, at most `timeout`: `None`
    /// waits for ever, zero does not wait. Gives at most `events_max` events. No event: the timeout or a deadline
    /// passed, or nothing could ever happen.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn wait(&self, client: &mut Client, timeout: Option<Duration>, events_max: u32) -> Result<Vec<Event>, HostError> {
        let poll = self.handle.of(client)?;
        call!(client, poll.func_wait(poll, timeout.map(nanoseconds), events_max))
    }

    /// Has every wait of this poll end, with the event `woken`, as long as `wake` is set: how other tasks call the client back while a wait
    /// is in progress. It takes the place of the one before; `None` takes that away.
    ///
    /// # Errors
    /// Of the call; [`HostError::Engine`]: the client's table is full.
    pub async fn wake_on(&self, client: &mut Client, wake: Option<&Wake>) -> Result<(), HostError> {
        let poll = self.handle.of(client)?;
        let pollable = wake.map(|wake| client.instance.pollable(wake.clone())).transpose()?;
        call!(client, streams.func_wake_on(poll, pollable))
    }

    /// Time from now until the next deadline; `None`: there is none.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn next_deadline(&self, client: &mut Client) -> Result<Option<Duration>, HostError> {
        let poll = self.handle.of(client)?;
        let deadline = call!(client, poll.func_next_deadline(poll))?;
        Ok(deadline.map(Duration::from_nanos))
    }

    /// Sends a request on a connection of the pool.
    ///
    /// # Errors
    /// As [`ClientConn::send`] and [`Client::connect`], and `limit-exceeded(queue-length)`.
    pub async fn submit(
        &self,
        client: &mut Client,
        origin: &Origin,
        request: impl Borrow<Request>,
        token: u64,
    ) -> Result<Exchange, ExchangeError> {
        let (poll, origin) = (self.handle.of(client)?, origin.handle().of(client)?);
        client.instance.look_at_streams().await;
        let resource = flatten(call!(client, poll.func_submit(poll, origin, request.borrow(), token)))?;
        Ok(Exchange::new(Handle::new(resource, client)))
    }

    /// Like [`Poll::submit`] for many requests in one call; request *i* has the token `first_token` + *i*. Requests that are written together
    /// leave in one write. The results are in the order of the requests.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn submit_all(
        &self,
        client: &mut Client,
        origin: &Origin,
        requests: &[Request],
        first_token: u64,
    ) -> Result<Vec<Result<Exchange, Failure>>, HostError> {
        let (poll, origin) = (self.handle.of(client)?, origin.handle().of(client)?);
        client.instance.look_at_streams().await;
        let answers = call!(client, poll.func_submit_all(poll, origin, requests, first_token))?;
        let exchange = |resource| Exchange::new(Handle::new(resource, client));
        Ok(answers.into_iter().map(|answer| answer.map(exchange)).collect())
    }

    /// Sends many requests to one origin, and collects each response: at most `collect_octets_max` octets of content each. Request *i* has
    /// the token `first_token` + *i*. Every request ends in exactly one completion.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn fetch_all(
        &self,
        client: &mut Client,
        origin: &Origin,
        requests: &[Request],
        first_token: u64,
        collect_octets_max: u64,
    ) -> Result<(), HostError> {
        let (poll, origin) = (self.handle.of(client)?, origin.handle().of(client)?);
        client.instance.look_at_streams().await;
        call!(client, poll.func_fetch_all(poll, origin, requests, first_token, collect_octets_max))
    }

    /// Cancels requests that are collected, by token; each ends in a completion with `closed(cancelled)`.
    ///
    /// # Errors
    /// `api-misuse(unknown-token)`: no collected request of this token is under way.
    pub async fn cancel(&self, client: &mut Client, token: u64) -> Result<(), ConnError> {
        let poll = self.handle.of(client)?;
        flatten(call!(client, poll.func_cancel(poll, token)))
    }

    /// Cancels every request that is collected and has one of these tokens; each ends in a completion with `closed(cancelled)`. Requests
    /// that wait leave first, and no other request is sent meanwhile. Returns how many were cancelled.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn cancel_all(&self, client: &mut Client, tokens: &[u64]) -> Result<u32, HostError> {
        let poll = self.handle.of(client)?;
        call!(client, poll.func_cancel_all(poll, tokens))
    }

    /// Takes up to `completions_max` ends of collected exchanges, oldest first.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn take_completions(&self, client: &mut Client, completions_max: u32) -> Result<Vec<Completion>, HostError> {
        let packed = self.packed_completions(client, completions_max).await?;
        Ok(packed.into_iter().map(PackedCompletion::unpacked).collect())
    }

    /// As [`Poll::take_completions`], each head in one piece: two allocations, however many field lines it has.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn packed_completions(
        &self,
        client: &mut Client,
        completions_max: u32,
    ) -> Result<Vec<PackedCompletion>, HostError> {
        let poll = self.handle.of(client)?;
        call!(client, packed.func_take_completions(poll, completions_max))
    }

    /// Takes up to `entries_max` entries of the poll's log, oldest first: what happened on all connections of its pool, also on connections
    /// that have closed. Empty unless the options of the poll have the limit `log-entries`.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn take_log(&self, client: &mut Client, entries_max: u32) -> Result<Vec<LogEntry>, HostError> {
        let poll = self.handle.of(client)?;
        call!(client, log.func_take(Source::Poll(poll), entries_max))
    }

    /// Has new connections of the pool use these addresses for a host instead of looking it up. `port` 0 is any port; no address looks it
    /// up again.
    ///
    /// # Errors
    /// `api-misuse(invalid-endpoint)`: the host or an address is malformed, or there are too many.
    pub async fn resolve(&self, client: &mut Client, host: &str, port: u16, addresses: &[String]) -> Result<(), ConnError> {
        let poll = self.handle.of(client)?;
        flatten(call!(client, poll.func_resolve(poll, host, port, addresses)))
    }

    /// Shuts down every connection of the pool: idle ones close now, the others when the last of their requests has ended.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn shutdown(&self, client: &mut Client) -> Result<(), HostError> {
        let poll = self.handle.of(client)?;
        call!(client, poll.func_shutdown(poll))
    }

    /// The network changed: closes idle connections of the pool, and uses none of the others for new requests.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn network_changed(&self, client: &mut Client) -> Result<(), HostError> {
        let poll = self.handle.of(client)?;
        call!(client, poll.func_network_changed(poll))
    }

    /// Counts.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn info(&self, client: &mut Client) -> Result<PollInfo, HostError> {
        let poll = self.handle.of(client)?;
        call!(client, poll.func_info(poll))
    }

    /// What the pool knows about an origin.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn origin_info(&self, client: &mut Client, origin: &Origin) -> Result<OriginInfo, HostError> {
        let (poll, origin) = (self.handle.of(client)?, origin.handle().of(client)?);
        call!(client, poll.func_origin_info(poll, origin))
    }

    /// Gives the poll back, now.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn release(self, client: &mut Client) -> Result<(), HostError> {
        self.handle.of(client)?;
        drop(self);
        client.instance.yielding().release_pending().await
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").finish_non_exhaustive()
    }
}

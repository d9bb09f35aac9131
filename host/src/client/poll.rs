//! Polls: see `poll` in `wit/client.wit`.

use std::borrow::Borrow;
use std::fmt;
use std::time::Duration;

use crate::client::conn::ClientConn;
use crate::client::exchange::Exchange;
use crate::client::wake::Wake;
use crate::client::{Client, Handle};
use crate::error::{ConnError, ExchangeError, HostError, flatten};
use crate::types::{Completion, Event, OriginInfo, PackedCompletion, PollInfo, Request};

/// Drives many connections with one wait, and keeps a pool.
///
/// Dropping it leaves inserted connections as they are, and closes those of its pool, with the client's next call.
///
/// Every method gives [`HostError::WrongClient`] for another client, and [`HostError::Dead`] once the instance has
/// ended.
pub struct Poll {
    handle: Handle,
}

/// Where requests of a pool go. Made by [`Client::origin`]; origins with equal endpoints and options share connections. Dropping it closes
/// nothing.
pub struct Origin {
    handle: Handle,
}

impl Origin {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").finish_non_exhaustive()
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
        let calls = client.exports.sandpiper_http_client();
        let answer = client.core.call(calls.poll().func_insert(), (poll, conn, token)).await;
        flatten(answer.map(|(answer,)| answer))
    }

    /// Ends that. Without effect if it is not in this poll.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn remove(&self, client: &mut Client, conn: &ClientConn) -> Result<(), HostError> {
        let (poll, conn) = (self.handle.of(client)?, conn.handle().of(client)?);
        let calls = client.exports.sandpiper_http_client();
        client.core.call(calls.poll().func_remove(), (poll, conn)).await
    }

    /// Moves octets on every connection that is ready, and waits until there is an event, at most `timeout`: `None`
    /// waits for ever, zero does not wait. Gives at most `events_max` events. No event: the timeout or a deadline
    /// passed, or nothing could ever happen.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn wait(&self, client: &mut Client, timeout: Option<Duration>, events_max: u32) -> Result<Vec<Event>, HostError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        let (events,) = client.core.call(calls.poll().func_wait(), (poll, timeout.map(nanoseconds), events_max)).await?;
        Ok(events)
    }

    /// Has every wait of this poll end, with the event `woken`, as long as `wake` is set: how other tasks call the client back while a wait
    /// is in progress. It takes the place of the one before; `None` takes that away.
    ///
    /// # Errors
    /// Of the call; [`HostError::Engine`]: the client's table is full.
    pub async fn wake_on(&self, client: &mut Client, wake: Option<&Wake>) -> Result<(), HostError> {
        let poll = self.handle.of(client)?;
        let pollable = wake.map(|wake| client.core.pollable(wake.clone())).transpose()?;
        let calls = client.exports.sandpiper_http_streams();
        client.core.call(calls.func_wake_on(), (poll, pollable)).await
    }

    /// Time from now until the next deadline; `None`: there is none.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn next_deadline(&self, client: &mut Client) -> Result<Option<Duration>, HostError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        let (deadline,) = client.core.call(calls.poll().func_next_deadline(), (poll,)).await?;
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
        let (poll, origin) = (self.handle.of(client)?, origin.handle.of(client)?);
        client.core.look_at_streams().await;
        let calls = client.exports.sandpiper_http_client();
        let answer = client.core.call(calls.poll().func_submit(), (poll, origin, request.borrow(), token)).await;
        let resource = flatten(answer.map(|(answer,)| answer))?;
        Ok(Exchange::new(Handle::new(resource, client)))
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
        let (poll, origin) = (self.handle.of(client)?, origin.handle.of(client)?);
        client.core.look_at_streams().await;
        let calls = client.exports.sandpiper_http_client();
        client.core.call(calls.poll().func_fetch_all(), (poll, origin, requests, first_token, collect_octets_max)).await
    }

    /// Cancels requests that are collected, by token; each ends in a completion with `closed(cancelled)`.
    ///
    /// # Errors
    /// `api-misuse(unknown-token)`: no collected request of this token is under way.
    pub async fn cancel(&self, client: &mut Client, token: u64) -> Result<(), ConnError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        let answer = client.core.call(calls.poll().func_cancel(), (poll, token)).await;
        flatten(answer.map(|(answer,)| answer))
    }

    /// Cancels every request that is collected and has one of these tokens; each ends in a completion with `closed(cancelled)`. Requests
    /// that wait leave first, and no other request is sent meanwhile. Returns how many were cancelled.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn cancel_all(&self, client: &mut Client, tokens: &[u64]) -> Result<u32, HostError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        let (cancelled,) = client.core.call(calls.poll().func_cancel_all(), (poll, tokens)).await?;
        Ok(cancelled)
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
        let calls = client.exports.sandpiper_http_client();
        let (completions,) = client.core.call(calls.poll().func_packed_completions(), (poll, completions_max)).await?;
        Ok(completions)
    }

    /// Has new connections of the pool use these addresses for a host instead of looking it up. `port` 0 is any port; no address looks it
    /// up again.
    ///
    /// # Errors
    /// `api-misuse(invalid-endpoint)`: the host or an address is malformed, or there are too many.
    pub async fn resolve(&self, client: &mut Client, host: &str, port: u16, addresses: &[String]) -> Result<(), ConnError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        let answer = client.core.call(calls.poll().func_resolve(), (poll, host, port, addresses)).await;
        flatten(answer.map(|(answer,)| answer))
    }

    /// The network changed: closes idle connections of the pool, and uses none of the others for new requests.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn network_changed(&self, client: &mut Client) -> Result<(), HostError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        client.core.call(calls.poll().func_network_changed(), (poll,)).await
    }

    /// Counts.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn info(&self, client: &mut Client) -> Result<PollInfo, HostError> {
        let poll = self.handle.of(client)?;
        let calls = client.exports.sandpiper_http_client();
        let (info,) = client.core.call(calls.poll().func_info(), (poll,)).await?;
        Ok(info)
    }

    /// What the pool knows about an origin.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn origin_info(&self, client: &mut Client, origin: &Origin) -> Result<OriginInfo, HostError> {
        let (poll, origin) = (self.handle.of(client)?, origin.handle.of(client)?);
        let calls = client.exports.sandpiper_http_client();
        let (info,) = client.core.call(calls.poll().func_origin_info(), (poll, origin)).await?;
        Ok(info)
    }

    /// Gives the poll back, now.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn release(self, client: &mut Client) -> Result<(), HostError> {
        self.handle.of(client)?;
        drop(self);
        client.core.settle().await
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").finish_non_exhaustive()
    }
}

/// What does not fit is longer than any machine runs.
fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

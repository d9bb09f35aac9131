//! Connections: see `client-conn` in `wit/client.wit`.

use std::borrow::Borrow;
use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime_wasi::p2::pipe::{AsyncReadStream, AsyncWriteStream};

use super::Client;
use super::exchange::Exchange;
use super::handle::Handle;
use super::origin::Origin;
use crate::bindings::log::Source;
use crate::error::{ConnError, ExchangeError, HostError, flatten};
use crate::types::{ConnInfo, ConnOptions, Endpoint, Failure, LogEntry, Request};
use crate::wasi::outside::Streams;
use crate::wasi::parts::Parts;

/// Octets that a stream given to [`Client::handshake`] takes before it is written out.
const WRITE_BUDGET_OCTETS: usize = 64 * 1024;

/// One connection to one endpoint, and its ordered list of outstanding exchanges.
///
/// A connection that failed stays failed: it repeats its first error. Dropping this closes it, with the client's next
/// call; [`ClientConn::release`] does so at once.
///
/// Every method gives [`HostError::WrongClient`] for another client, and [`HostError::Dead`] once the instance has
/// ended.
pub struct ClientConn {
    handle: Handle,
}

impl Client {
    /// Begins to connect, and returns at once: requests may be sent before the connection is established. `to` is a
    /// URL, of which only the origin counts, or an [`Endpoint`].
    ///
    /// # Errors
    /// - [`HostError::InvalidUrl`].
    /// - `api-misuse(invalid-endpoint)`, `api-misuse(invalid-option)`; `tls(unavailable)`.
    pub async fn connect<E>(&mut self, to: E, options: impl Into<Option<ConnOptions>>) -> Result<ClientConn, ConnError>
    where
        E: TryInto<Endpoint>,
        HostError: From<E::Error>,
    {
        let origin = self.origin(to, options).await?;
        Ok(self.connect_to(&origin).await?)
    }

    /// Begins to connect to an origin, as [`Client::connect`]. For many connections: what the origin says was checked once.
    ///
    /// # Errors
    /// Of the call only: the connection reports what fails.
    pub async fn connect_to(&mut self, origin: &Origin) -> Result<ClientConn, HostError> {
        let origin = origin.handle().of(self)?;
        let resource = call!(self, conn.func_connect(origin))?;
        Ok(ClientConn::new(Handle::new(resource, self)))
    }

    /// Makes a connection of a byte stream that the host has: a proxy's tunnel, TLS of the host, a pipe in a test.
    /// `authority` is the default of `request.authority`. The policy is not asked.
    ///
    /// # Errors
    /// `api-misuse(invalid-option)`, `api-misuse(invalid-authority)`. The stream is dropped.
    pub async fn handshake<S>(
        &mut self,
        stream: S,
        authority: &str,
        options: impl Into<Option<ConnOptions>>,
    ) -> Result<ClientConn, ConnError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.instance.has_streams = true;
        let (input, output) = self.instance.store()?.data_mut().handshake(authority, streams_of(stream))?;
        let resource = flatten(call!(self, streams.func_handshake(input, output, authority, options.into().as_ref())))?;
        Ok(ClientConn::new(Handle::new(resource, self)))
    }
}

impl ClientConn {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until the connection is established or has failed. Returns at once when that has been decided.
    ///
    /// # Errors
    /// `dns`, `connect`, `tls`, `denied`, `timed-out(connect)`, and what the connection has failed with since.
    pub async fn wait_connected(&self, client: &mut Client) -> Result<(), ConnError> {
        let conn = self.handle.of(client)?;
        flatten(call!(client, conn.func_wait_connected(conn)))
    }

    /// Queues a request, and writes it if its turn has come. `token` is the caller's own number for it.
    ///
    /// # Errors
    /// All with delivery `not-sent`: `api-misuse`, `limit-exceeded`, `closed`, or what the connection failed with.
    pub async fn send(&self, client: &mut Client, request: impl Borrow<Request>, token: u64) -> Result<Exchange, ExchangeError> {
        let conn = self.handle.of(client)?;
        client.instance.look_at_streams().await;
        let resource = flatten(call!(client, conn.func_send(conn, request.borrow(), token)))?;
        Ok(Exchange::new(Handle::new(resource, client)))
    }

    /// The same for many requests, which leave in one write where they can; request *i* gets the token `first_token` +
    /// *i*. The results are in the order of the requests.
    ///
    /// # Errors
    /// Of the call as a whole; each request has its own result.
    pub async fn send_all(
        &self,
        client: &mut Client,
        requests: &[Request],
        first_token: u64,
    ) -> Result<Vec<Result<Exchange, Failure>>, HostError> {
        let conn = self.handle.of(client)?;
        client.instance.look_at_streams().await;
        let answers = call!(client, conn.func_send_all(conn, requests, first_token))?;
        let exchange = |resource| Exchange::new(Handle::new(resource, client));
        Ok(answers.into_iter().map(|answer| answer.map(exchange)).collect())
    }

    /// How many requests have no complete answer yet: on the wire and waiting.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn length(&self, client: &mut Client) -> Result<u32, HostError> {
        let conn = self.handle.of(client)?;
        call!(client, conn.func_length(conn))
    }

    /// Would the next idempotent request without streamed content be written at once?
    ///
    /// # Errors
    /// Of the call only.
    pub async fn is_ready(&self, client: &mut Client) -> Result<bool, HostError> {
        let conn = self.handle.of(client)?;
        call!(client, conn.func_is_ready(conn))
    }

    /// False while requests are accepted.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn is_closed(&self, client: &mut Client) -> Result<bool, HostError> {
        let conn = self.handle.of(client)?;
        call!(client, conn.func_is_closed(conn))
    }

    /// Accepts no more requests; queued and outstanding ones go on, then the connection closes.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn shutdown(&self, client: &mut Client) -> Result<(), HostError> {
        let conn = self.handle.of(client)?;
        call!(client, conn.func_shutdown(conn))
    }

    /// Closes now. Queued and outstanding exchanges fail with `closed(local)`, each with its delivery.
    /// [`ClientConn::info`] goes on working.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn close(&self, client: &mut Client) -> Result<(), HostError> {
        let conn = self.handle.of(client)?;
        call!(client, conn.func_close(conn))
    }

    /// The connection as it is now. Also after it has closed.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn info(&self, client: &mut Client) -> Result<ConnInfo, HostError> {
        let conn = self.handle.of(client)?;
        call!(client, conn.func_info(conn))
    }

    /// Takes up to `entries_max` entries of the log, oldest first. Empty unless the options have the limit `log-entries`.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn take_log(&self, client: &mut Client, entries_max: u32) -> Result<Vec<LogEntry>, HostError> {
        let conn = self.handle.of(client)?;
        call!(client, log.func_take(Source::Conn(conn), entries_max))
    }

    /// Takes the transport of a connection that is established, without closing it: after an upgrade, or between two
    /// exchanges. The connection is then closed with `closed(taken)`.
    ///
    /// # Errors
    /// - `api-misuse(requests-outstanding)`: a request is queued or outstanding, or octets wait to be sent.
    /// - What the connection was closed with; `closed(local)` before it is established.
    pub async fn into_parts(&self, client: &mut Client) -> Result<Parts, ConnError> {
        let conn = self.handle.of(client)?;
        let parts = flatten(call!(client, streams.func_into_parts(conn)))?;
        Ok(client.instance.store()?.data_mut().take_parts(parts)?)
    }

    /// Closes the connection and gives its handle back, now.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn release(self, client: &mut Client) -> Result<(), HostError> {
        self.handle.of(client)?;
        drop(self);
        client.instance.yielding().release_pending().await
    }
}

impl fmt::Debug for ClientConn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConn").finish_non_exhaustive()
    }
}

/// The two directions of a byte stream, each with a task of its own behind it.
fn streams_of<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> Streams {
    let (reader, writer) = tokio::io::split(stream);
    (Box::new(AsyncReadStream::new(reader)), Box::new(AsyncWriteStream::new(WRITE_BUDGET_OCTETS, writer)))
}

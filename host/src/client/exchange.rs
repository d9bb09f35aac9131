//! Exchanges: see `send` in `wit/client.wit`.

use std::fmt;

use super::Client;
use super::handle::Handle;
use crate::error::{ExchangeError, HostError, flatten};
use crate::types::{
    Chunk, ExchangeInfo, ExchangeTiming, FieldLine, PackedHead, PackedResponse, Readiness, Request, Response, ResponseHead,
};

/// One request and its response: the resource `send` of the WIT package.
///
/// Dropping it cancels it, with the client's next call, except after it has ended and when it is collected by a poll.
///
/// Every method gives [`HostError::WrongClient`] for another client, and [`HostError::Dead`] once the instance has
/// ended. One that can fail with a failure repeats the same once the exchange has failed.
pub struct Exchange {
    handle: Handle,
}

impl Exchange {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The token given with the request.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn token(&self, client: &mut Client) -> Result<u64, HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_token(exchange))
    }

    /// Says which conditions waits report from now on: all of them until this is called. What is left out is not lost.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn want(&self, client: &mut Client, readiness: Readiness) -> Result<(), HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_want(exchange, readiness))
    }

    /// Offers content, or octets for the tunnel. Returns how many octets were accepted, from the front; 0 means: wait
    /// for `writable`.
    ///
    /// # Errors
    /// `api-misuse(content-finished | content-too-long)`, `closed(early-response)`, or the exchange's failure.
    pub async fn write(&self, client: &mut Client, content: &[u8]) -> Result<u64, ExchangeError> {
        let exchange = self.handle.of(client)?;
        flatten(call!(client, send.func_write(exchange, content)))
    }

    /// Ends the content, with trailers when it is chunked; in a tunnel, ends the sending direction.
    ///
    /// # Errors
    /// `api-misuse` (after `content-too-short` the exchange has failed, after the others it goes on), or the exchange's
    /// failure.
    pub async fn finish(&self, client: &mut Client, trailers: &[FieldLine]) -> Result<(), ExchangeError> {
        let exchange = self.handle.of(client)?;
        flatten(call!(client, send.func_finish(exchange, trailers)))
    }

    /// Takes the interim responses that have arrived since the last call, oldest first.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn take_interim(&self, client: &mut Client) -> Result<Vec<ResponseHead>, HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_take_interim(exchange))
    }

    /// The final head; `None` until it has arrived.
    ///
    /// # Errors
    /// The exchange's failure, also when it failed after the head.
    pub async fn head(&self, client: &mut Client) -> Result<Option<ResponseHead>, ExchangeError> {
        Ok(self.packed_head(client).await?.map(|head| head.unpacked()))
    }

    /// As [`Exchange::head`], in one piece.
    ///
    /// # Errors
    /// As [`Exchange::head`].
    pub async fn packed_head(&self, client: &mut Client) -> Result<Option<PackedHead>, ExchangeError> {
        let exchange = self.handle.of(client)?;
        flatten(call!(client, packed.func_head(exchange)))
    }

    /// Reads content, at most `octets_max` octets, 1 or more, without waiting.
    ///
    /// # Errors
    /// `api-misuse(response-taken)`, or the exchange's failure, after all content that came before
    /// it.
    pub async fn read(&self, client: &mut Client, octets_max: u64) -> Result<Chunk, ExchangeError> {
        let exchange = self.handle.of(client)?;
        flatten(call!(client, send.func_read(exchange, octets_max)))
    }

    /// Waits, driving the connection, until the response is whole, and gives all of it that was not taken before. Ends
    /// within the deadlines of the exchange. The whole content is in the component's memory meanwhile, about twice.
    ///
    /// # Errors
    /// - `limit-exceeded(collect-octets)`: the content has more than `octets_max` octets; the exchange is cancelled.
    /// - `api-misuse(response-taken | behind-unread-response)`, or the exchange's failure.
    pub async fn collect(&self, client: &mut Client, octets_max: u64) -> Result<Response, ExchangeError> {
        Ok(self.collect_packed(client, octets_max).await?.unpacked())
    }

    /// As [`Exchange::collect`], with the head in one piece: two allocations, however many field lines it has.
    ///
    /// # Errors
    /// As [`Exchange::collect`].
    pub async fn collect_packed(&self, client: &mut Client, octets_max: u64) -> Result<PackedResponse, ExchangeError> {
        let exchange = self.handle.of(client)?;
        flatten(call!(client, packed.func_collect(exchange, octets_max)))
    }

    /// The request, if the exchange failed with delivery `not-sent` and its content was not streamed; only once.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn take_request(&self, client: &mut Client) -> Result<Option<Request>, HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_take_request(exchange))
    }

    /// When its steps happened.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn timing(&self, client: &mut Client) -> Result<ExchangeTiming, HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_timing(exchange))
    }

    /// Where the exchange is, and how often the request was sent again.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn info(&self, client: &mut Client) -> Result<ExchangeInfo, HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_info(exchange))
    }

    /// Gives the exchange up; it fails with `closed(cancelled)`. The others on the connection live.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn cancel(&self, client: &mut Client) -> Result<(), HostError> {
        let exchange = self.handle.of(client)?;
        call!(client, send.func_cancel(exchange))
    }

    /// Gives the handle back, now; cancels the exchange if it has not ended.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn release(self, client: &mut Client) -> Result<(), HostError> {
        self.handle.of(client)?;
        drop(self);
        client.instance.yielding().release_pending().await
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

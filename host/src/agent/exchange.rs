//! A streamed exchange in the hand of its caller.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Shared;
use super::command::Command;
use super::relay::{Held, OUTGOING_OCTETS, Relay};
use crate::error::{ExchangeError, HostError};
use crate::types::{Chunk, ExchangeTiming, FieldLine, Response, ResponseHead};

/// One request and its response, streamed: what [`Agent::open`](super::Agent::open) gives.
///
/// Its methods take `&self`: one task can write while another reads. The future of any of them may be dropped; what it had not given yet,
/// the next one gives. The failure of the exchange is repeated by every call; that of the instance is [`HostError::Dead`].
///
/// Dropping it cancels the exchange unless it has ended; the others on its connection live.
pub struct AgentExchange {
    token: u64,
    relay: Arc<Relay>,
    agent: Arc<Shared>,
}

impl AgentExchange {
    pub(super) fn new(token: u64, relay: Arc<Relay>, agent: Arc<Shared>) -> Self {
        Self { token, relay, agent }
    }

    /// Offers content, or octets for the tunnel. Waits until there is room and returns how many octets were accepted, from the front, 1 or
    /// more; 0 only for empty content. At most 64 KiB are accepted before some have gone into the component.
    ///
    /// # Errors
    /// Of this content or of what was accepted before; from then on nothing is:
    /// - `api-misuse(content-finished | content-too-long)`: the exchange goes on.
    /// - `closed(early-response)`: a final response came first, and can be read as usual.
    /// - The failure of the exchange.
    pub async fn write(&self, content: &[u8]) -> Result<usize, ExchangeError> {
        if content.is_empty() {
            return Ok(0);
        }
        let accepted = self
            .relay
            .until(|held| match &held.refused {
                Some(refusal) => Some(Err(refusal.clone())),
                None => {
                    let room = OUTGOING_OCTETS.saturating_sub(held.outgoing.len());
                    let accepted = content.get(..room).unwrap_or(content);
                    held.outgoing.extend_from_slice(accepted);
                    (!accepted.is_empty()).then_some(Ok(accepted.len()))
                }
            })
            .await?;
        self.tell(|_| true);
        Ok(accepted)
    }

    /// Offers all of it.
    ///
    /// # Errors
    /// As [`AgentExchange::write`]; then some of it may have been accepted.
    pub async fn write_all(&self, mut content: &[u8]) -> Result<(), ExchangeError> {
        while !content.is_empty() {
            let accepted = self.write(content).await?;
            content = content.get(accepted..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the content, with trailers when it is chunked; in a tunnel, ends the sending direction. Waits until all that was accepted has gone
    /// into the component. When its future is dropped, the content ends all the same.
    ///
    /// # Errors
    /// `api-misuse` (after `content-too-short` the exchange has failed, after the others it goes on), or the exchange's failure.
    pub async fn finish(&self, trailers: Vec<FieldLine>) -> Result<(), ExchangeError> {
        let (finished, answer) = oneshot::channel();
        self.agent.tell(Command::Finish { token: self.token, trailers, finished });
        self.agent.answer(answer).await?
    }

    /// Takes the interim responses that have arrived since the last call, oldest first. Does not wait.
    pub fn take_interim(&self) -> Vec<ResponseHead> {
        std::mem::take(&mut self.relay.held().interim)
    }

    /// Waits for an interim response or the final head; then gives the interim ones as [`AgentExchange::take_interim`] does. Empty: the final
    /// head has arrived, or the exchange has failed.
    pub async fn interim(&self) -> Vec<ResponseHead> {
        let arrived =
            |held: &mut Held| (!held.interim.is_empty() || held.head.is_some()).then(|| std::mem::take(&mut held.interim));
        self.relay.until(arrived).await
    }

    /// Waits for the final head. Gives it again when called again, also when the exchange has failed since.
    ///
    /// # Errors
    /// The exchange's failure, when it came before the head.
    pub async fn head(&self) -> Result<ResponseHead, ExchangeError> {
        self.relay.until(|held| held.head.clone()).await
    }

    /// Waits for content, or octets of the tunnel: gives 1 to `octets_max` of them, or the end with the trailer section; never
    /// [`Chunk::WouldBlock`]. 0 counts as 1.
    ///
    /// # Errors
    /// The exchange's failure, after all content that came before it. Content is whole only after the end.
    pub async fn read(&self, octets_max: usize) -> Result<Chunk, ExchangeError> {
        let chunk = self
            .relay
            .until(|held| match held.take(octets_max.max(1)) {
                Some(piece) => Some(Ok(Chunk::Data(piece))),
                None => held.end.clone().map(|end| end.map(Chunk::End)),
            })
            .await?;
        self.tell(Held::wants_more);
        Ok(chunk)
    }

    /// Reads the rest of the response, and gives it with what [`AgentExchange::take_interim`] and [`AgentExchange::read`] have not taken
    /// before. How much that may be is said by `content_octets_max` of the request's options. Not for a tunnel, which has no end of its own.
    ///
    /// # Errors
    /// The exchange's failure. Content that has come is lost, as when the future is dropped.
    pub async fn collect(&self) -> Result<Response, ExchangeError> {
        let head = self.head().await?;
        let interim = self.take_interim();
        let mut content = Vec::new();
        loop {
            match self.read(usize::MAX).await? {
                Chunk::Data(piece) if content.is_empty() => content = piece,
                Chunk::Data(piece) => content.extend_from_slice(&piece),
                Chunk::WouldBlock => {}
                Chunk::End(trailers) => return Ok(Response { interim, head, content, trailers }),
            }
        }
    }

    /// The trailer section, once all of the response has arrived. Does not wait.
    pub fn trailers(&self) -> Option<Vec<FieldLine>> {
        self.relay.held().end.as_ref().and_then(|end| end.as_ref().ok().cloned())
    }

    /// When its steps happened.
    ///
    /// # Errors
    /// [`HostError::Dead`]; [`HostError::Closed`] when the agent has ended.
    pub async fn timing(&self) -> Result<ExchangeTiming, HostError> {
        let (timing, answer) = oneshot::channel();
        self.agent.tell(Command::Timing { token: self.token, timing });
        self.agent.answer(answer).await
    }

    /// Gives the exchange up: unless it has ended, it fails with `closed(cancelled)`. The others on its connection live.
    pub fn cancel(&self) {
        self.agent.tell(Command::Cancel(self.token));
    }

    /// Has the driving task look, if there is something for it; only once until it has.
    fn tell(&self, concerns: impl FnOnce(&Held) -> bool) {
        let mut held = self.relay.held();
        if !held.told && concerns(&held) {
            held.told = true;
            drop(held);
            self.agent.tell(Command::Look(self.token));
        }
    }
}

impl Drop for AgentExchange {
    fn drop(&mut self) {
        self.agent.tell(Command::Release(self.token));
    }
}

impl fmt::Debug for AgentExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentExchange").finish_non_exhaustive()
    }
}

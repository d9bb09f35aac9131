//! The driving task's side of a streamed exchange.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::command::Finished;
use super::relay::{AHEAD_OCTETS, Relay};
use crate::client::Client;
use crate::client::exchange::Exchange;
use crate::error::{CallError, ExchangeError, HostError};
use crate::types::{Chunk, ExchangeTiming, FieldLine, Readiness};

pub(super) struct Stream {
    exchange: Exchange,
    relay: Arc<Relay>,
    /// The octets that are being written.
    leaving: Bytes,
    /// How the content ends once it has been written; more than one is the caller's mistake, which the component tells.
    finishes: VecDeque<(Vec<FieldLine>, Finished)>,
}

impl Stream {
    pub(super) fn new(exchange: Exchange, relay: Arc<Relay>) -> Self {
        Self { exchange, relay, leaving: Bytes::new(), finishes: VecDeque::new() }
    }

    /// Does what the component is ready for. False: nothing, because it is the caller's turn.
    pub(super) async fn serve(&mut self, client: &mut Client, ready: Readiness) -> Result<bool, HostError> {
        let mut moved = false;
        if ready.contains(Readiness::INTERIM) {
            let heads = self.exchange.take_interim(client).await?;
            self.relay.change(|held| held.interim.extend(heads));
            moved = true;
        }
        if ready.intersects(Readiness::HEAD | Readiness::FAILED) {
            self.take_head(client).await?;
            moved = true;
        }
        if ready.intersects(Readiness::READABLE | Readiness::COMPLETE | Readiness::FAILED) {
            moved |= self.read(client).await?;
        }
        // Octets that are no longer wanted are refused: a caller that waits for them to leave receives the refusal.
        if ready.intersects(Readiness::WRITABLE | Readiness::HEAD | Readiness::COMPLETE | Readiness::FAILED) {
            moved |= self.write(client).await?;
        }
        Ok(moved)
    }

    /// The caller has taken content, or has some to write.
    pub(super) async fn look(&mut self, client: &mut Client) -> Result<(), HostError> {
        let goes_on = self.relay.change(|held| {
            held.told = false;
            mem::take(&mut held.stopped)
        });
        if goes_on {
            self.read(client).await?;
        }
        self.write(client).await?;
        Ok(())
    }

    pub(super) async fn finish(
        &mut self,
        client: &mut Client,
        trailers: Vec<FieldLine>,
        finished: Finished,
    ) -> Result<(), HostError> {
        self.finishes.push_back((trailers, finished));
        self.write(client).await?;
        Ok(())
    }

    pub(super) async fn timing(&self, client: &mut Client) -> Result<ExchangeTiming, HostError> {
        self.exchange.timing(client).await
    }

    pub(super) async fn cancel(&self, client: &mut Client) -> Result<(), HostError> {
        self.exchange.cancel(client).await
    }

    /// Cancels it, and hands out the failure at once: what had not been read is lost.
    pub(super) async fn cut_off(&mut self, client: &mut Client) -> Result<(), HostError> {
        self.cancel(client).await?;
        if let Err(failure) = over_http(self.exchange.head(client).await)? {
            self.relay.fail(&failure);
        }
        Ok(())
    }

    /// Whether the response has ended.
    pub(super) fn is_over(&self) -> bool {
        self.relay.held().end.is_some()
    }

    /// Nothing more comes from the component.
    pub(super) fn fail(&self, error: &HostError) {
        self.relay.fail(&CallError::Host(error.clone()));
    }

    /// Reads as far as the caller may be behind. Whether it read at all.
    async fn read(&mut self, client: &mut Client) -> Result<bool, HostError> {
        let mut moved = false;
        loop {
            {
                let mut held = self.relay.held();
                held.stopped = held.end.is_none() && held.has_enough();
                if held.stopped || held.end.is_some() {
                    return Ok(moved);
                }
            }
            moved = true;
            let end = match over_http(self.exchange.read(client, AHEAD_OCTETS as u64).await)? {
                Ok(Chunk::WouldBlock) => return Ok(moved),
                Ok(Chunk::Data(piece)) => {
                    self.relay.change(|held| held.push(piece));
                    continue;
                }
                Ok(Chunk::End(trailers)) => Ok(trailers),
                Err(failure) => Err(failure),
            };
            self.relay.change(|held| held.end = Some(end));
        }
    }

    /// Writes what the caller has given, as far as the component accepts it, then ends the content if the caller has. Whether there was
    /// anything to do.
    async fn write(&mut self, client: &mut Client) -> Result<bool, HostError> {
        let mut moved = false;
        loop {
            if self.leaving.is_empty() {
                self.leaving = self.relay.change(|held| mem::take(&mut held.outgoing)).into();
            }
            if self.leaving.is_empty() {
                break;
            }
            moved = true;
            match over_http(self.exchange.write(client, &self.leaving).await)? {
                Ok(0) => return Ok(moved),
                Ok(octets) => self.leaving.advance(usize::try_from(octets).unwrap_or(usize::MAX).min(self.leaving.len())),
                Err(failure) => {
                    self.leaving.clear();
                    self.relay.change(|held| {
                        held.outgoing.clear();
                        held.refused = Some(failure);
                    });
                    self.take_failure(client).await?;
                }
            }
        }
        while let Some((trailers, finished)) = self.finishes.pop_front() {
            moved = true;
            let answer = over_http(self.exchange.finish(client, &trailers).await)?;
            let failed = answer.is_err();
            // The caller may have stopped waiting for it.
            let _ = finished.send(answer);
            if failed {
                self.take_failure(client).await?;
            }
        }
        Ok(moved)
    }

    async fn take_head(&self, client: &mut Client) -> Result<(), HostError> {
        if let Some(head) = over_http(self.exchange.head(client).await)?.transpose() {
            self.relay.change(|held| held.head = held.head.take().or(Some(head)));
        }
        Ok(())
    }

    /// A call was refused, perhaps because the exchange has failed. The component reports no failure that a call has returned.
    async fn take_failure(&mut self, client: &mut Client) -> Result<(), HostError> {
        self.take_head(client).await?;
        self.read(client).await?;
        Ok(())
    }
}

/// Takes the errors apart that end the client.
fn over_http<T>(answer: Result<T, ExchangeError>) -> Result<Result<T, ExchangeError>, HostError> {
    match answer {
        Err(CallError::Host(error)) => Err(error),
        answer => Ok(answer),
    }
}

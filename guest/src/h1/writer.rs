//! Requests out: a head, its content, and where they stand in the outgoing octets (RFC 9112 §3, §6, §7.1).

use super::encode;
use super::state::{WriteInput, WriteSide};
use crate::buffer::SendBuffer;
use crate::exchange::{Exchange, ExchangeId};
use crate::request::ContentKind;
use crate::table::Illegal;
use crate::types::{Ending, Error, FieldLine};
use alloc::vec::Vec;

/// The write side of one connection.
#[derive(Debug)]
pub(super) struct Writer {
    state: WriteSide,
    /// The exchange that keeps it busy.
    exchange: Option<ExchangeId>,
    /// The content of that one is written in the chunked transfer coding.
    chunked: bool,
    /// Octets that have not left.
    pub(super) outbox: SendBuffer,
    /// How the transport ended that takes no more octets: its end is not an end in order.
    pub(super) failed: Option<Ending>,
}

impl Writer {
    pub(super) fn new() -> Writer {
        Writer { state: WriteSide::Idle, exchange: None, chunked: false, outbox: SendBuffer::default(), failed: None }
    }

    /// Whether a request can begin.
    pub(super) fn is_idle(&self) -> bool {
        self.state == WriteSide::Idle
    }

    /// The exchange that is being written.
    pub(super) fn exchange(&self) -> Option<ExchangeId> {
        self.exchange
    }

    fn input(&mut self, input: WriteInput) -> Result<(), Illegal> {
        self.state = self.state.next(input).ok_or_else(Illegal::step)?;
        Ok(())
    }

    /// Writes the head of a request. Returns where it begins, and where it ends.
    ///
    /// Errors: `internal`.
    pub(super) fn begin(
        &mut self,
        id: ExchangeId,
        exchange: &Exchange,
        authority: &str,
        close: bool,
    ) -> Result<(u64, u64), Error> {
        let request = exchange.sending.request.as_ref().ok_or(Error::Internal)?;
        let checked = &exchange.sending.checked;
        self.input(WriteInput::Begin).map_err(|Illegal| Error::Internal)?;
        self.exchange = Some(id);
        self.chunked = checked.content == ContentKind::UnknownLength;
        let start = self.outbox.pushed();
        self.outbox.append(|out| encode::head(request, checked, authority, close, out));
        Ok((start, self.outbox.pushed()))
    }

    /// Writes content. A short one is copied, so that it leaves in one write with what stands before it, and a chunk with its framing.
    pub(super) fn content(&mut self, content: Vec<u8>) {
        if !self.chunked {
            return self.outbox.push(content);
        }
        self.outbox.append(|out| {
            encode::chunk_head(content.len() as u64, out);
            out.extend_from_slice(&content);
            encode::chunk_end(out);
        });
    }

    /// Writes a copy of content that is not in chunks.
    pub(super) fn copy(&mut self, content: &[u8]) {
        self.outbox.append(|out| out.extend_from_slice(content));
    }

    /// The content is over: writes what has to stand behind it.
    pub(super) fn finish(&mut self, trailers: &[FieldLine]) -> Result<(), Illegal> {
        if self.chunked {
            self.outbox.append(|out| encode::last_chunk(trailers, out));
        }
        self.release()
    }

    /// The exchange that keeps it busy does so no more.
    pub(super) fn release(&mut self) -> Result<(), Illegal> {
        self.exchange = None;
        self.chunked = false;
        self.input(WriteInput::End)
    }

    /// Nothing more is written, but what stands before the position `end` leaves.
    pub(super) fn shut_behind(&mut self, end: u64) -> Result<(), Illegal> {
        self.outbox.remove(end, self.outbox.pushed());
        self.exchange = None;
        self.chunked = false;
        self.input(WriteInput::Shut)
    }

    /// Nothing more is written, and what waits is forgotten.
    pub(super) fn shut(&mut self) -> Result<(), Illegal> {
        self.exchange = None;
        self.chunked = false;
        self.outbox.clear();
        self.input(WriteInput::Shut)
    }
}

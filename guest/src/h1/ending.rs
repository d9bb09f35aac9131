//! How requests leave the list of those outstanding without an answer (RFC 9112 §9.3.1, §9.5, §9.6).

use super::connection::Connection;
use super::persistence::STALL;
use super::state::{ReadInput, ReadSide};
use crate::exchange::{ExchangeId, Exchanges};
use crate::failure::is_by_caller;
use crate::incoming::{Closing, Cut, GivenUp, Lost, Scene};
use crate::timer::Instant;
use crate::types::{CloseReason, Delivery, Ending, Error};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

impl Connection {
    /// Takes the outstanding exchanges from this position on out of the list; `declared`: the peer has said that it will not answer them.
    #[inline(never)]
    fn lose(&mut self, from: usize, error: Error, declared: bool, exchanges: &Exchanges) -> Vec<Lost> {
        if (self.outstanding.len() > 1 || error == STALL) && !is_by_caller(error) {
            self.persistence.note_break(error, declared);
        }
        let lost = (from..self.outstanding.len()).filter_map(|position| self.lost_at(position, exchanges));
        // A request that stalls was written behind another one: it was lost there.
        let lost = lost.map(|lost| Lost { is_suspect: lost.is_suspect && error != STALL, ..lost }).collect();
        self.outstanding.truncate(from);
        self.departed = self.departed.min(from);
        lost
    }

    fn lost_at(&self, position: usize, exchanges: &Exchanges) -> Option<Lost> {
        let lost = self.outstanding.get(position)?;
        let moved = exchanges.get(lost.exchange).is_some_and(|exchange| exchange.sending.content_moved);
        let content = lost.end.filter(|_| moved && lost.start >= self.writer.outbox.taken()).and_then(|end| {
            let content = self.writer.outbox.copy(lost.head_end, end);
            (content.len() as u64 == end.saturating_sub(lost.head_end)).then_some(content)
        });
        Some(Lost {
            exchange: lost.exchange,
            is_suspect: position == 0,
            is_heard: position == 0 && self.turn.heard,
            progress: self.progress_at(position)?,
            content,
        })
    }

    /// The connection is closed: all exchanges leave the wire, and nothing more is written or read. A tunnel that is over is not lost.
    pub fn close(&mut self, error: Error, exchanges: &Exchanges) -> Vec<Lost> {
        if self.tunnel().is_some() && self.ends_with(exchanges).is_some() {
            (self.outstanding, self.departed) = (VecDeque::new(), 0);
        }
        let lost = self.lose(0, error, false, exchanges);
        let (ended, shut) = (self.reader.input(ReadInput::End), self.writer.shut());
        self.heed(ended);
        self.heed(shut);
        self.reader.inbox.consume(usize::MAX);
        self.after = None;
        lost
    }

    /// The connection ends, with all that is on the wire.
    #[inline(never)]
    pub(super) fn close_now(&mut self, reason: Error, exchanges: &Exchanges) -> Closing {
        Closing { reason, lost: self.close(reason, exchanges), declared: None }
    }

    /// The first outstanding exchange is the last one that is answered.
    #[inline(never)]
    pub(super) fn close_behind(&mut self, reason: Error, declared: Option<Delivery>, exchanges: &Exchanges) -> Closing {
        Closing { reason, lost: self.lose(1, reason, declared.is_some(), exchanges), declared }
    }

    /// The same, and nothing more is written but the rest of its request.
    #[inline(never)]
    pub(super) fn close_behind_first(&mut self, reason: Error, declared: Option<Delivery>, scene: Scene<'_>) -> Closing {
        let closing = self.close_behind(reason, declared, scene.exchanges);
        let is_leaving = self.first(scene).is_some_and(|first| first.is_leaving());
        let shut = match self.outstanding.front().filter(|_| is_leaving).map(|first| first.end) {
            None => self.writer.shut(),
            Some(Some(end)) => self.writer.shut_behind(end),
            // It is being written, and nothing stands behind it.
            Some(None) => Ok(()),
        };
        self.heed(shut);
        closing
    }

    /// The transport takes no more octets. What it still delivers is read: the peer may have said why.
    pub fn transmit_failed(&mut self, ending: Ending, exchanges: &Exchanges) -> Cut {
        let reason = Error::Incomplete(ending);
        self.writer.failed = Some(ending);
        let taken = self.writer.outbox.taken();
        let first_unsent = self.outstanding.iter().position(|outstanding| outstanding.start >= taken);
        let lost = first_unsent.map(|first| self.lose(first, reason, false, exchanges)).unwrap_or_default();
        let cut = self.outstanding.back().filter(|last| last.end.is_none_or(|end| end > taken)).map(|last| last.exchange);
        let shut = self.writer.shut();
        self.heed(shut);
        // A response that is complete says nothing more.
        let is_over = self.outstanding.is_empty() || self.reader.state() == ReadSide::Answered;
        Cut { closing: Closing { reason, lost, declared: None }, exchange: cut, is_over }
    }

    /// An exchange on the wire ends before its time: cancelled, too late, or too large. The others live where the wire allows it.
    pub fn give_up(&mut self, id: ExchangeId, scene: Scene<'_>) -> GivenUp {
        let position = self.outstanding.iter().position(|outstanding| outstanding.exchange == id);
        let found = position.and_then(|position| Some((position, self.lost_at(position, scene.exchanges)?)));
        let Some((position, lost)) = found else { return GivenUp::EndConnection };
        let Some(outstanding) = self.outstanding.get(position) else { return GivenUp::EndConnection };
        let (start, end) = (outstanding.start, outstanding.end);
        if self.tunnel().is_some() {
            GivenUp::EndConnection
        } else if start >= self.writer.outbox.taken() {
            self.take_back(id, position, (start, end), scene.now);
            GivenUp::TakenBack(lost)
        } else if end.is_none() {
            GivenUp::Abandoned(lost, self.abandon())
        } else {
            self.turn.progress = scene.now;
            GivenUp::Drained(lost.progress)
        }
    }

    /// No octet of the request has left: it is taken out of the send buffer, and what stands behind it moves up.
    fn take_back(&mut self, id: ExchangeId, position: usize, (start, end): (u64, Option<u64>), now: Instant) {
        let octets = end.unwrap_or(self.writer.outbox.pushed()).saturating_sub(start);
        self.writer.outbox.remove(start, start + octets);
        for other in self.outstanding.iter_mut().filter(|other| other.start > start) {
            other.start -= octets;
            other.head_end -= octets;
            other.end = other.end.map(|position| position - octets);
        }
        if self.writer.exchange() == Some(id) {
            let released = self.writer.release();
            self.heed(released);
        }
        // The others stay in their order.
        for place in position + 1..self.outstanding.len() {
            self.outstanding.swap(place - 1, place);
        }
        self.outstanding.pop_back();
        if self.outstanding.is_empty() {
            // It may have been written behind others, without a look.
            self.look.again();
            let last = self.reader.input(ReadInput::Last);
            self.heed(last);
        } else if position == 0 {
            // The next request leaves behind no other request.
            self.turn.pass(now);
            if let Some(first) = self.outstanding.front_mut() {
                first.is_behind = false;
            }
        }
    }

    /// The request has left in part: nothing can follow it on this connection. Those before it may still be answered.
    fn abandon(&mut self) -> Closing {
        // A request that has yet to be written to its end is the last one.
        self.outstanding.pop_back();
        self.departed = self.departed.min(self.outstanding.len());
        self.persistence.close();
        let shut = self.writer.shut();
        self.heed(shut);
        Closing { reason: Error::Closed(CloseReason::Abandoned), lost: Vec::new(), declared: None }
    }
}

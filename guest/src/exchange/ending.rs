//! How an exchange fails, and how its failure and its request come back to the caller.

use super::{Exchange, Reader, RequestInput, ResponseInput};
use crate::table::Illegal;
use crate::types::{Delivery, Failure, Request, RequestContent};
use alloc::vec::Vec;

impl Exchange {
    /// Returns the failure to the caller, if the exchange has failed.
    pub fn tell_failure(&mut self) -> Option<Failure> {
        self.handle.failure_told |= self.failure.is_some();
        self.failure
    }

    /// The request of an exchange that has failed before any of the request left.
    pub fn take_request(&mut self) -> Option<Request> {
        let unsent = self.failure.is_some_and(|failure| failure.delivery == Delivery::NotSent);
        self.sending.request.take_if(|_| unsent)
    }

    /// Ends it with this failure; `content`: the content of its request, if that stood in the send buffer alone and none of the request has left.
    ///
    /// Errors: one of the halves has no such step.
    pub fn fail(&mut self, failure: Failure, content: Option<Vec<u8>>) -> Result<(), Illegal> {
        if failure.delivery == Delivery::NotSent {
            self.recover_request(content);
        }
        let steps = self.receiving.input(ResponseInput::Fail).and(self.sending.input(RequestInput::Stop));
        if self.handle.reader != Reader::Caller {
            self.receiving.content.clear();
        }
        self.failure = Some(failure);
        if failure.delivery != Delivery::NotSent || self.is_streamed() {
            self.sending.request = None;
        }
        steps
    }

    /// Puts the content of a request of which nothing has left back into it.
    pub fn recover_request(&mut self, content: Option<Vec<u8>>) {
        if !core::mem::take(&mut self.sending.content_moved) {
            return;
        }
        match (content, &mut self.sending.request) {
            (Some(content), Some(request)) => request.content = RequestContent::Whole(content),
            _ => self.sending.request = None,
        }
    }
}

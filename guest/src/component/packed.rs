//! The interface `packed`.

use super::{Component, clock, poll, send};
use crate::types::{Failure, PackedCompletion, PackedHead, PackedResponse};
use crate::wit::client;
use crate::wit::packed::Guest;
use alloc::vec::Vec;

impl Guest for Component {
    fn head(exchange: client::SendBorrow<'_>) -> Result<Option<PackedHead>, Failure> {
        exchange.get::<send::Handle>().packed_head()
    }

    fn collect(exchange: client::SendBorrow<'_>, octets_max: u64) -> Result<PackedResponse, Failure> {
        exchange.get::<send::Handle>().collect_packed(octets_max)
    }

    fn take_completions(poll: client::PollBorrow<'_>, completions_max: u32) -> Vec<PackedCompletion> {
        poll.get::<poll::Handle>().poll.borrow_mut().take_completions(completions_max, clock::now())
    }
}

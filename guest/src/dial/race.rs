//! Which address of an endpoint is tried when (RFC 8305): decisions without I/O.
//!
//! Whoever dials repeats: do what [`next`](Race::next) answers; report how it went with [`found`](Race::found) or
//! [`refused`](Race::refused); on `Wait`, wait for the look-up, for the attempts or for [`deadline`](Race::deadline).

use crate::address::Address;
use crate::timer::Instant;
use crate::types::{DnsProblem, Error};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How long an address is tried before the next one joins the race (RFC 8305 §8), in nanoseconds.
pub const ATTEMPT_DELAY_NS: u64 = 250_000_000;

/// Addresses that are tried at once. A further one joins when one of them has failed: an attempt that runs is never ended for another, since
/// the first repetition of a lost segment takes a second.
pub const ATTEMPTS_MAX: usize = 16;

/// How often a name is looked up at most while its resolver fails for now.
pub const LOOKUPS_MAX: u32 = 3;

/// How long after the first such failure the name is looked up again, in nanoseconds; doubled by each.
pub const LOOKUP_DELAY_NS: u64 = 250_000_000;

/// The decisions on the way from an endpoint to a connected peer.
#[derive(Debug)]
pub struct Race {
    stage: Stage,
    lookups: u32,
    /// Addresses that have not been tried, the next one first.
    addresses: VecDeque<Address>,
    /// Attempts under way.
    attempts: usize,
    /// When the next address joins.
    next_at: Instant,
    /// The error of the last address that failed, or of the name.
    failed: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The name is to be looked up at this moment.
    Name(Instant),
    /// The name is being looked up.
    LookingUp,
    /// Addresses are being tried.
    Racing,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look the name up.
    LookUp,
    /// Connect to this address, beside those that are being connected to.
    Try(Address),
    /// Wait for what is under way, until the deadline.
    Wait,
    /// Give up: no address is left, or the name has none.
    Fail(Error),
}

impl Race {
    /// A race of these addresses, in their order; without any, the name is looked up first.
    pub fn new(addresses: Vec<Address>) -> Race {
        let stage = if addresses.is_empty() { Stage::Name(Instant(0)) } else { Stage::Racing };
        Race { stage, lookups: 0, addresses: addresses.into(), attempts: 0, next_at: Instant(0), failed: None }
    }

    /// Returns the next thing to do. `LookUp` and `Try` are answered once each, and count as begun.
    pub fn next(&mut self, now: Instant) -> Step {
        match self.stage {
            Stage::Name(at) if at <= now => {
                self.lookups += 1;
                self.stage = Stage::LookingUp;
                Step::LookUp
            }
            Stage::Name(_) | Stage::LookingUp => Step::Wait,
            Stage::Racing => self.next_address(now),
        }
    }

    fn next_address(&mut self, now: Instant) -> Step {
        let is_due = self.attempts == 0 || (self.next_at <= now && self.attempts < ATTEMPTS_MAX);
        if is_due && let Some(address) = self.addresses.pop_front() {
            self.attempts += 1;
            self.next_at = Instant(now.0.saturating_add(ATTEMPT_DELAY_NS));
            return Step::Try(address);
        }
        if self.attempts > 0 {
            return Step::Wait;
        }
        Step::Fail(self.failed.unwrap_or(Error::Internal))
    }

    /// The look-up has ended with these addresses, in the resolver's order, or with this error. A resolver that fails for now is asked again.
    pub fn found(&mut self, outcome: Result<Vec<Address>, Error>, now: Instant) {
        self.stage = match outcome {
            Ok(addresses) => {
                self.failed = Some(Error::Dns(DnsProblem::NotFound));
                self.addresses = alternating(addresses);
                Stage::Racing
            }
            Err(Error::Dns(DnsProblem::TemporaryFailure)) if self.lookups < LOOKUPS_MAX => {
                let delay = LOOKUP_DELAY_NS << self.lookups.saturating_sub(1);
                Stage::Name(Instant(now.0.saturating_add(delay)))
            }
            Err(error) => {
                self.failed = Some(error);
                Stage::Racing
            }
        };
    }

    /// An attempt has failed: the next address joins at once.
    pub fn refused(&mut self, error: Error, now: Instant) {
        self.attempts = self.attempts.saturating_sub(1);
        self.failed = Some(error);
        self.next_at = now;
    }

    /// When [`next`](Self::next) has something to do although nothing has come.
    pub fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Name(at) => Some(at),
            Stage::Racing if !self.addresses.is_empty() && self.attempts < ATTEMPTS_MAX => Some(self.next_at),
            Stage::LookingUp | Stage::Racing => None,
        }
    }
}

/// The addresses in the resolver's order, but with the families alternating, so that one that leads nowhere does not hold up the other
/// (RFC 8305 §4).
fn alternating(addresses: Vec<Address>) -> VecDeque<Address> {
    let first_is_v6 = addresses.first().is_some_and(|address| address.ip.is_ipv6());
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.ip.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = VecDeque::new();
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return order;
        }
        order.extend([pair.0, pair.1].into_iter().flatten());
    }
}

#[cfg(test)]
mod tests;

//! The requests of the pool, by id, and the collected ones by token too: each in constant time, however many there are.
//!
//! # Theory of operation
//!
//! A collected request stands in the chain of its token: a list in which every request knows its neighbours. There are at least as many chains
//! as requests in them, and a hash spreads the tokens. Requests with equal tokens stand in one chain in the order in which they came.

use super::job::Job;
use crate::conn::ExchangeId;
use crate::slab::{Id, Slab};
use alloc::vec::Vec;

/// The fewest chains, once there are some: a power of two.
const CHAINS_MIN: usize = 16;

/// The requests of a pool.
#[derive(Debug)]
pub(super) struct Jobs<L> {
    listed: Slab<Listed<L>>,
    /// A power of two of them, or none.
    chains: Vec<Chain>,
    /// Requests in the chains.
    chained: usize,
}

#[derive(Debug)]
struct Listed<L> {
    job: Job<L>,
    /// The neighbours in the chain.
    before: Option<Id>,
    behind: Option<Id>,
}

/// The ends of a chain.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    first: Option<Id>,
    last: Option<Id>,
}

impl<L> Default for Jobs<L> {
    fn default() -> Jobs<L> {
        Jobs { listed: Slab::default(), chains: Vec::new(), chained: 0 }
    }
}

impl<L> Jobs<L> {
    /// Adds one.
    pub(super) fn insert(&mut self, job: Job<L>) -> Id {
        let collected = job.collects.is_some();
        let id = self.listed.insert(Listed { job, before: None, behind: None });
        if collected {
            self.chained += 1;
            if self.chained > self.chains.len() {
                self.spread();
            }
            self.link(id);
        }
        id
    }

    /// The one with this id, while it lives.
    pub(super) fn get(&self, id: Id) -> Option<&Job<L>> {
        self.listed.get(id).map(|listed| &listed.job)
    }

    /// The one with this id, while it lives.
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Job<L>> {
        self.listed.get_mut(id).map(|listed| &mut listed.job)
    }

    /// Removes it.
    pub(super) fn remove(&mut self, id: Id) -> Option<Job<L>> {
        let Listed { job, before, behind } = *self.listed.remove(id)?;
        if job.collects.is_some() {
            self.chained -= 1;
            self.unlink(job.token, before, behind);
        }
        Some(job)
    }

    /// The collected ones with this token, the oldest first.
    pub(super) fn with_token(&self, token: u64) -> impl Iterator<Item = &Job<L>> {
        let mut next = self.chains.get(self.chain_of(token)).and_then(|chain| chain.first);
        let chain = core::iter::from_fn(move || {
            let listed = self.listed.get(next?)?;
            next = listed.behind;
            Some(&listed.job)
        });
        chain.filter(move |job| job.token == token)
    }

    /// The places of the collected ones with one of these tokens that were not given up before, and gives them up.
    pub(super) fn give_up(&mut self, tokens: &[u64]) -> Vec<(Id, ExchangeId)> {
        let mut places = Vec::new();
        for token in tokens {
            let mut next = self.chains.get(self.chain_of(*token)).and_then(|chain| chain.first);
            while let Some(listed) = next.and_then(|id| self.listed.get_mut(id)) {
                next = listed.behind;
                if listed.job.token == *token && !core::mem::replace(&mut listed.job.given_up, true) {
                    places.push(listed.job.place);
                }
            }
        }
        places
    }

    /// Which chain a token belongs to. Tokens are often consecutive, or multiples of a power of two: so the uppermost bits of a product decide.
    fn chain_of(&self, token: u64) -> usize {
        let product = token.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let unused = u64::BITS - self.chains.len().trailing_zeros();
        usize::try_from(product.checked_shr(unused).unwrap_or_default()).unwrap_or_default()
    }

    /// Puts one behind the others of its chain.
    fn link(&mut self, id: Id) {
        let Some(token) = self.get(id).map(|job| job.token) else { return };
        let place = self.chain_of(token);
        let Some(chain) = self.chains.get_mut(place) else { return };
        let before = chain.last.replace(id);
        chain.first.get_or_insert(id);
        if let Some(listed) = self.listed.get_mut(id) {
            (listed.before, listed.behind) = (before, None);
        }
        if let Some(before) = before.and_then(|before| self.listed.get_mut(before)) {
            before.behind = Some(id);
        }
    }

    /// Joins the neighbours of one that is gone.
    fn unlink(&mut self, token: u64, before: Option<Id>, behind: Option<Id>) {
        let place = self.chain_of(token);
        let Some(chain) = self.chains.get_mut(place) else { return };
        match before.and_then(|before| self.listed.get_mut(before)) {
            Some(listed) => listed.behind = behind,
            None => chain.first = behind,
        }
        match behind.and_then(|behind| self.listed.get_mut(behind)) {
            Some(listed) => listed.before = before,
            None => chain.last = before,
        }
    }

    /// Makes twice as many chains.
    fn spread(&mut self) {
        let count = CHAINS_MIN.max(2 * self.chains.len());
        let chains = core::mem::replace(&mut self.chains, alloc::vec![Chain::default(); count]);
        for chain in chains {
            let mut next = chain.first;
            while let Some(id) = next {
                next = self.listed.get(id).and_then(|listed| listed.behind);
                self.link(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer::Instant;
    use alloc::collections::BTreeMap;
    use alloc::rc::Weak;

    fn job(token: u64, number: u64, collected: bool, id: Id, exchange: ExchangeId) -> Job<()> {
        Job {
            token,
            origin: id,
            started: Instant(number),
            collects: collected.then_some(1),
            request: None,
            retries: 0,
            resent: 0,
            furthest: None,
            given_up: false,
            place: (id, exchange),
            seat: Weak::new(),
        }
    }

    fn ids() -> (Id, ExchangeId) {
        let mut some: Slab<()> = Slab::default();
        let id = some.insert(());
        (id, id)
    }

    #[test]
    fn requests_are_found_by_token_in_the_order_in_which_they_came() {
        let (id, exchange) = ids();
        let (mut jobs, mut model) = (Jobs::default(), BTreeMap::<u64, Vec<(u64, Id)>>::new());
        let mut state: u64 = 7;
        for number in 0..4_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Few tokens, so that many are equal, and all of them multiples of a power of two.
            let token = ((state >> 33) % 200) << 20;
            if state >> 62 == 0 && model.get(&token).is_some_and(|listed| !listed.is_empty()) {
                let listed = model.get_mut(&token).expect("there");
                let (number, gone) = listed.remove((state >> 40) as usize % listed.len());
                assert_eq!(jobs.remove(gone).map(|job| job.started.0), Some(number));
                assert!(jobs.remove(gone).is_none());
            } else {
                let added = jobs.insert(job(token, number, true, id, exchange));
                model.entry(token).or_default().push((number, added));
                jobs.insert(job(token, number, false, id, exchange));
            }
            let found: Vec<u64> = jobs.with_token(token).map(|job| job.started.0).collect();
            let listed = model.get(&token).map(|listed| listed.iter().map(|(number, _)| *number).collect::<Vec<_>>());
            assert_eq!(found, listed.unwrap_or_default());
        }
        assert_eq!(jobs.with_token(1).count(), 0);
    }

    #[test]
    fn requests_are_given_up_once_however_often_their_token_is_named() {
        let (id, exchange) = ids();
        let mut jobs = Jobs::default();
        for token in [7, 8, 7, 9] {
            jobs.insert(job(token, 0, true, id, exchange));
        }
        assert_eq!(jobs.give_up(&[7, 7, 1, 9]).len(), 3);
        assert_eq!(jobs.give_up(&[7, 8]).len(), 1);
    }

    #[test]
    fn no_chain_is_long_whatever_the_step_between_tokens() {
        let (id, exchange) = ids();
        for shift in [0, 1, 8, 20, 32, 50] {
            let mut jobs = Jobs::default();
            for number in 0..10_000_u64 {
                jobs.insert(job(number << shift, number, true, id, exchange));
            }
            let length = |chain: &Chain| {
                let behind = |id: &Id| jobs.listed.get(*id).and_then(|listed| listed.behind);
                core::iter::successors(chain.first, behind).count()
            };
            let longest = jobs.chains.iter().map(length).max().expect("chains");
            assert!(longest <= 16, "{longest} in one chain, with a step of 2^{shift}");
        }
    }
}

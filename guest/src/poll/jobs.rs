//! The requests of the pool, by id, and the collected ones by token too: each in constant time, however many there are.
//!
//! # Theory of operation
//!
//! A collected request stands in the chain of its token. There are at least as many chains
//! as requests in them, and a hash spreads the tokens. Requests with equal tokens stand in one chain in the order in which they came.

use super::chain::{Chain, Kind, Node};
use super::job::Job;
use crate::slab::{Id, Slab};
use alloc::vec::Vec;

/// The fewest chains, once there are some: a power of two.
const CHAINS_MIN: usize = 16;

/// The requests of a pool.
#[derive(Debug)]
pub(super) struct Jobs<L> {
    pub(super) nodes: Slab<Node<Job<L>>>,
    /// A power of two of them, or none.
    chains: Vec<Chain>,
    /// Requests in the chains.
    chained: usize,
    /// Calls of `give_up`.
    given_up: u64,
}

impl<L> Default for Jobs<L> {
    fn default() -> Jobs<L> {
        Jobs { nodes: Slab::default(), chains: Vec::new(), chained: 0, given_up: 0 }
    }
}

impl<L> Jobs<L> {
    /// Adds one.
    pub(super) fn insert(&mut self, job: Job<L>) -> Id {
        let collected = job.collects.is_some();
        let id = self.nodes.insert(Node::new(job));
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
        self.nodes.get(id).map(|node| &node.value)
    }

    /// The one with this id, while it lives.
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Job<L>> {
        self.nodes.get_mut(id).map(|node| &mut node.value)
    }

    /// Removes it.
    pub(super) fn remove(&mut self, id: Id) -> Option<Job<L>> {
        let token = self.get(id)?.collects.is_some().then_some(self.get(id)?.token);
        if let Some(place) = token.map(|token| self.chain_of(token)) {
            self.chained -= 1;
            if let Some(chain) = self.chains.get_mut(place) {
                chain.remove(id, Kind::Token, &mut self.nodes);
            }
        }
        Some(self.nodes.remove(id)?.value)
    }

    /// The collected ones with this token, the oldest first.
    pub(super) fn with_token(&self, token: u64) -> impl Iterator<Item = (Id, &Job<L>)> {
        let chain = self.chains.get(self.chain_of(token)).copied().unwrap_or_default();
        chain.entries(Kind::Token, &self.nodes).filter(move |(_, job)| job.token == token)
    }

    /// The collected ones with one of these tokens that were not given up before; they are given up now. A token that is named again costs
    /// no walk over its requests: the first one that this call has given up shows that all are.
    pub(super) fn give_up(&mut self, tokens: &[u64]) -> Vec<Id> {
        let mut named = Vec::new();
        self.given_up += 1;
        for token in tokens {
            let mut next = self.chains.get(self.chain_of(*token)).and_then(|chain| chain.first());
            while let Some((id, node)) = next.and_then(|id| Some((id, self.nodes.get_mut(id)?))) {
                next = node.behind(Kind::Token);
                let job = &mut node.value;
                match job.given_up {
                    _ if job.token != *token => {}
                    0 => {
                        job.given_up = self.given_up;
                        named.push(id);
                    }
                    call if call == self.given_up => break,
                    _ => {}
                }
            }
        }
        named
    }

    /// Which chain a token belongs to. Tokens are often consecutive, or multiples of a power of two: so the uppermost bits of a product decide.
    fn chain_of(&self, token: u64) -> usize {
        let product = token.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let unused = u64::BITS - self.chains.len().trailing_zeros();
        usize::try_from(product.checked_shr(unused).unwrap_or_default()).unwrap_or_default()
    }

    /// Puts one behind the others of its chain.
    fn link(&mut self, id: Id) {
        let Some(place) = self.get(id).map(|job| self.chain_of(job.token)) else { return };
        if let Some(chain) = self.chains.get_mut(place) {
            chain.insert(id, None, Kind::Token, &mut self.nodes);
        }
    }

    /// Makes twice as many chains.
    fn spread(&mut self) {
        let count = CHAINS_MIN.max(2 * self.chains.len());
        let chains = core::mem::replace(&mut self.chains, alloc::vec![Chain::default(); count]);
        for chain in chains {
            let mut next = chain.first();
            while let Some(id) = next {
                next = self.nodes.get(id).and_then(|node| node.behind(Kind::Token));
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

    fn job(token: u64, number: u64, collected: bool, id: Id) -> Job<()> {
        Job::new(token, id, number, Instant(number), collected.then_some(1), None)
    }

    fn origin() -> Id {
        Slab::default().insert(())
    }

    #[test]
    fn requests_are_found_by_token_in_the_order_in_which_they_came() {
        let id = origin();
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
                let added = jobs.insert(job(token, number, true, id));
                model.entry(token).or_default().push((number, added));
                jobs.insert(job(token, number, false, id));
            }
            let found: Vec<u64> = jobs.with_token(token).map(|(_, job)| job.started.0).collect();
            let listed = model.get(&token).map(|listed| listed.iter().map(|(number, _)| *number).collect::<Vec<_>>());
            assert_eq!(found, listed.unwrap_or_default());
        }
        assert_eq!(jobs.with_token(1).count(), 0);
    }

    #[test]
    fn requests_are_given_up_once_however_often_their_token_is_named() {
        let id = origin();
        let mut jobs = Jobs::default();
        for token in [7, 8, 7, 9] {
            jobs.insert(job(token, 0, true, id));
        }
        assert_eq!(jobs.give_up(&[7, 7, 1, 9]).len(), 3);
        assert_eq!(jobs.give_up(&[7, 8]).len(), 1);
        jobs.insert(job(7, 0, true, id));
        assert_eq!(jobs.give_up(&[7, 7, 8]).len(), 1, "one that came behind those that were given up before");
    }

    #[test]
    fn no_chain_is_long_whatever_the_step_between_tokens() {
        let id = origin();
        for shift in [0, 1, 8, 20, 32, 50] {
            let mut jobs = Jobs::default();
            for number in 0..10_000_u64 {
                jobs.insert(job(number << shift, number, true, id));
            }
            let length = |chain: &Chain| chain.entries(Kind::Token, &jobs.nodes).count();
            let longest = jobs.chains.iter().map(length).max().expect("chains");
            assert!(longest <= 16, "{longest} in one chain, with a step of 2^{shift}");
        }
    }
}

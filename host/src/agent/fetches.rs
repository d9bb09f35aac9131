//! The fetches that are under way, found by the tokens of their requests.

use std::collections::{BTreeMap, HashMap};

use super::command::Done;
use crate::types::Completion;

/// Fetches by the first of their tokens, which follow each other.
#[derive(Default)]
pub(super) struct Fetches {
    by_token: BTreeMap<u64, Awaited>,
    tokens: HashMap<u64, u64>,
}

/// The completions of one fetch, as far as they have come.
struct Awaited {
    id: u64,
    completions: Vec<Option<Completion>>,
    left: usize,
    done: Done,
}

impl Fetches {
    /// Awaits the completions of `count` requests, 1 or more, with these tokens.
    pub(super) fn insert(&mut self, first_token: u64, count: usize, id: u64, done: Done) {
        let completions = (0..count).map(|_| None).collect();
        self.by_token.insert(first_token, Awaited { id, completions, left: count, done });
        self.tokens.insert(id, first_token);
    }

    /// Takes a completion in. The last one of a fetch is its answer; one that nobody awaits is dropped.
    pub(super) fn complete(&mut self, completion: Completion) {
        let Some((&first, fetch)) = self.by_token.range_mut(..=completion.token).next_back() else { return };
        let place = usize::try_from(completion.token - first).ok().and_then(|index| fetch.completions.get_mut(index));
        let Some(place @ None) = place else { return };
        *place = Some(completion);
        fetch.left -= 1;
        if fetch.left == 0
            && let Some(Awaited { completions, done, .. }) = self.remove(first)
        {
            // Nobody is there if the caller has given up a moment ago.
            let _ = done.send(Ok(completions.into_iter().flatten().collect()));
        }
    }

    /// Ends a fetch; gives its channel.
    pub(super) fn end(&mut self, first_token: u64) -> Option<Done> {
        self.remove(first_token).map(|fetch| fetch.done)
    }

    /// Forgets a fetch; gives the tokens of its requests that have no completion.
    pub(super) fn give_up(&mut self, id: u64) -> Vec<u64> {
        let first = self.tokens.get(&id).copied();
        first.and_then(|first| Some((first, self.remove(first)?))).map(|(first, fetch)| open(first, &fetch)).unwrap_or_default()
    }

    /// The tokens of all requests that have no completion.
    pub(super) fn open_tokens(&self) -> Vec<u64> {
        self.by_token.iter().flat_map(|(first, fetch)| open(*first, fetch)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_token.is_empty()
    }

    fn remove(&mut self, first: u64) -> Option<Awaited> {
        let fetch = self.by_token.remove(&first)?;
        self.tokens.remove(&fetch.id);
        Some(fetch)
    }
}

fn open(first: u64, fetch: &Awaited) -> Vec<u64> {
    let tokens = (first..).zip(&fetch.completions);
    tokens.filter(|(_, completion)| completion.is_none()).map(|(token, _)| token).collect()
}

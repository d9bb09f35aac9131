//! What the connections of one instance use of the host together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Octets that the host keeps for all connections of an instance, beyond the few that each has for itself.
pub(super) const BORROWED_OCTETS_MAX: usize = 16 << 20;

/// Counts for one instance.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Octets that the host keeps, or has promised to keep.
    borrowed: AtomicUsize,
    descriptors: AtomicUsize,
}

impl Usage {
    /// Sets aside room for octets; gives how many, at most those that are wanted.
    pub(super) fn borrow(&self, wanted: usize) -> usize {
        let lent = |borrowed: usize| wanted.min(BORROWED_OCTETS_MAX - borrowed);
        let raise = |borrowed| Some(borrowed + lent(borrowed));
        let (Ok(before) | Err(before)) = self.borrowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise);
        lent(before)
    }

    pub(super) fn give_back(&self, octets: usize) {
        self.borrowed.fetch_sub(octets, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn borrowed(&self) -> usize {
        self.borrowed.load(Ordering::Relaxed)
    }

    /// Descriptors that are not closed, also those that nobody has any more and that only send what is left.
    pub(super) fn descriptors(&self) -> usize {
        self.descriptors.load(Ordering::Relaxed)
    }
}

/// A descriptor, which counts until it is closed or goes to the embedder.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(super) usage: Arc<Usage>,
    counts: AtomicBool,
}

impl Descriptor {
    pub(super) fn new(usage: &Arc<Usage>) -> Self {
        usage.descriptors.fetch_add(1, Ordering::Relaxed);
        Self { usage: Arc::clone(usage), counts: AtomicBool::new(true) }
    }

    pub(super) fn count_no_more(&self) {
        if self.counts.swap(false, Ordering::Relaxed) {
            self.usage.descriptors.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.count_no_more();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_lent_than_there_is() {
        let usage = Usage::default();
        assert_eq!(usage.borrow(BORROWED_OCTETS_MAX - 5), BORROWED_OCTETS_MAX - 5);
        assert_eq!((usage.borrow(9), usage.borrow(9)), (5, 0));
        usage.give_back(7);
        assert_eq!((usage.borrow(3), usage.borrow(9), usage.borrow(9)), (3, 4, 0));
    }

    #[test]
    fn a_descriptor_counts_once() {
        let usage = Arc::default();
        let (one, two) = (Descriptor::new(&usage), Descriptor::new(&usage));
        one.count_no_more();
        assert_eq!(usage.descriptors(), 1);
        drop(one);
        assert_eq!(usage.descriptors(), 1);
        drop(two);
        assert_eq!(usage.descriptors(), 0);
    }
}

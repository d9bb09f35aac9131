//! Where a pipeline broke. "A client that pipelines requests [...] MUST NOT pipeline immediately after connection establishment" when it
//! connects there again (RFC 9112 §9.3.2), whatever the caller assumes of the peer.

use crate::types::Persistence;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Places that are remembered; a later one takes the place of the oldest.
pub const PLACES_MAX: usize = 64;

/// The places where a pipeline broke. All connections of an instance share it, whoever owns them.
#[derive(Debug)]
pub struct Broken {
    /// Hashes of authorities; 0 is none. Two that share a hash cost one round trip.
    places: [AtomicU64; PLACES_MAX],
    next: AtomicUsize,
}

impl Broken {
    /// None.
    pub const fn new() -> Broken {
        Broken { places: [const { AtomicU64::new(0) }; PLACES_MAX], next: AtomicUsize::new(0) }
    }

    /// A pipeline to this authority broke.
    pub fn remember(&self, authority: &str) {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % PLACES_MAX;
        if let Some(place) = self.places.get(next) {
            place.store(hash(authority), Ordering::Relaxed);
        }
    }

    /// The persistence that the next connection to this authority may expect, where `wanted` is asked for. Where a pipeline broke, the next
    /// connection learns before it pipelines, and the place is forgotten.
    pub fn expects(&self, authority: &str, wanted: Persistence) -> Persistence {
        if wanted == Persistence::Assume && self.take(authority) { Persistence::Learn } else { wanted }
    }

    /// Whether a pipeline broke there since this was last asked.
    fn take(&self, authority: &str) -> bool {
        let hash = hash(authority);
        let mut found = false;
        for place in &self.places {
            if place.load(Ordering::Relaxed) == hash {
                place.store(0, Ordering::Relaxed);
                found = true;
            }
        }
        found
    }
}

impl Default for Broken {
    fn default() -> Broken {
        Broken::new()
    }
}

/// FNV-1a.
fn hash(authority: &str) -> u64 {
    let offset_basis = 0xcbf2_9ce4_8422_2325;
    authority.bytes().fold(offset_basis, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn the_next_connection_after_a_broken_pipeline_learns_and_the_one_after_it_assumes() {
        let broken = Broken::new();
        broken.remember("a.test");
        assert_eq!(broken.expects("b.test", Persistence::Assume), Persistence::Assume);
        assert_eq!(broken.expects("a.test", Persistence::Close), Persistence::Close);
        assert_eq!(broken.expects("a.test", Persistence::Assume), Persistence::Learn);
        assert_eq!(broken.expects("a.test", Persistence::Assume), Persistence::Assume);
    }

    #[test]
    fn the_oldest_place_makes_room() {
        let broken = Broken::new();
        for number in 0..=PLACES_MAX {
            broken.remember(&format!("{number}.test"));
        }
        assert_eq!(broken.expects("0.test", Persistence::Assume), Persistence::Assume);
        for number in 1..=PLACES_MAX {
            assert_eq!(broken.expects(&format!("{number}.test"), Persistence::Assume), Persistence::Learn);
        }
    }
}

//! Where a pipeline broke. "A client that pipelines requests [...] MUST NOT pipeline immediately after connection establishment" when it
//! connects there again (RFC 9112 §9.3.2), whatever the caller assumes of the peer.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Places that are remembered; a later one takes the place of the oldest.
const PLACES_MAX: usize = 64;

/// Hashes of authorities; 0 is none. Two that share a hash cost one round trip.
static PLACES: [AtomicU64; PLACES_MAX] = [const { AtomicU64::new(0) }; PLACES_MAX];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A pipeline to this authority broke.
pub(super) fn remember(authority: &str) {
    let next = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES_MAX;
    if let Some(place) = PLACES.get(next) {
        place.store(hash(authority), Ordering::Relaxed);
    }
}

/// Whether one broke since this was last asked.
pub(super) fn take(authority: &str) -> bool {
    let hash = hash(authority);
    let mut found = false;
    for place in &PLACES {
        if place.load(Ordering::Relaxed) == hash {
            place.store(0, Ordering::Relaxed);
            found = true;
        }
    }
    found
}

/// FNV-1a.
fn hash(authority: &str) -> u64 {
    let offset_basis = 0xcbf2_9ce4_8422_2325;
    authority.bytes().fold(offset_basis, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)).max(1)
}

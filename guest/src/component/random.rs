//! Randomness, for TLS.

use crate::wit::wasi::random::random::get_random_bytes;

/// Fills `octets` with what nobody can guess.
pub(crate) fn fill(octets: &mut [u8]) {
    let random = get_random_bytes(octets.len() as u64);
    for (octet, random) in octets.iter_mut().zip(random) {
        *octet = random;
    }
}

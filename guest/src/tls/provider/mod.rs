//! The cryptography of TLS: what rustls is given to work with, in Rust alone, over the crates of the RustCrypto and dalek projects.
//!
//! | module | holds |
//! |---|---|
//! | `aead` | AES-GCM and ChaCha20-Poly1305 |
//! | `hash`, `hmac` | SHA-256 and SHA-384, and the codes made with them |
//! | `kx` | key exchange: X25519, P-256, P-384 |
//! | `random` | the one source of randomness |
//! | `sign` | signatures for client certificates |
//! | `tls12`, `tls13` | records and cipher suites of either version |
//! | `verify` | signatures of certificates and handshakes |

mod aead;
mod hash;
mod hmac;
mod kx;
pub mod random;
mod sign;
mod tls12;
mod tls13;
#[cfg(test)]
mod vector;
mod verify;

use rustls::crypto::CryptoProvider;

/// All that is supported, in the order of preference.
///
/// ChaCha20-Poly1305 stands first in both versions: there are no AES instructions in WebAssembly, and AES without them and
/// without tables, whose use would show in the time taken, is slow.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: [tls13::SUITES, tls12::SUITES].concat(),
        kx_groups: kx::GROUPS.to_vec(),
        signature_verification_algorithms: verify::ALGORITHMS,
        secure_random: &random::System,
        key_provider: &sign::Keys,
    }
}

/// How many records one key of AES-GCM may protect (RFC 8446 §5.5, rounded down).
const GCM_RECORDS: u64 = 1 << 24;

/// The SHA-256 digest of `octets`.
pub fn sha256(octets: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(octets).into()
}

/// Whether a public key (SubjectPublicKeyInfo, RFC 5280 §4.1) is one of RSA that is too short.
pub fn is_weak_key(spki: &[u8]) -> bool {
    verify::is_weak_key(spki)
}

//! AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), in place and with the tag apart.
//!
//! A package of its own, because the crates it stands on are generic: their code is made, and optimised, where types are put
//! in. In the rest of the component, which is optimised for size, a record would take many times as long.

#![no_std]

extern crate alloc;

use alloc::boxed::Box;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;

/// Octets of a nonce.
pub const NONCE_LEN: usize = 12;
/// Octets of a tag.
pub const TAG_LEN: usize = 16;

/// A cipher with its key.
pub trait Cipher: Send + Sync {
    /// Encrypts `octets`, and gives the tag for them and `aad`.
    ///
    /// # Errors
    /// There are more octets than the cipher may take at once.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8]) -> Result<[u8; TAG_LEN], Error>;

    /// Decrypts `octets`.
    ///
    /// # Errors
    /// The tag is not that of `octets` and `aad`.
    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Error>;
}

/// Octets were not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error;

/// AES-GCM with a key of 128 bits.
pub fn aes_128_gcm(key: &[u8; 16]) -> Box<dyn Cipher> {
    Box::new(Aes128Gcm::new(key.into()))
}

/// AES-GCM with a key of 256 bits.
pub fn aes_256_gcm(key: &[u8; 32]) -> Box<dyn Cipher> {
    Box::new(Aes256Gcm::new(key.into()))
}

/// ChaCha20-Poly1305.
pub fn chacha20_poly1305(key: &[u8; 32]) -> Box<dyn Cipher> {
    Box::new(ChaCha20Poly1305::new(key.into()))
}

impl<C: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync> Cipher for C {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        let tag = self.encrypt_inout_detached(nonce.into(), aad, octets.into());
        tag.map(Into::into).map_err(|_| Error)
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Error> {
        self.decrypt_inout_detached(nonce.into(), aad, octets.into(), tag.into()).map_err(|_| Error)
    }
}

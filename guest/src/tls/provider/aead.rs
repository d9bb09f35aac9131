//! AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439).

use alloc::boxed::Box;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use rustls::crypto::cipher::{AeadKey, Iv, NONCE_LEN};
use rustls::{ConnectionTrafficSecrets, Error};

pub(super) const TAG_LEN: usize = 16;

#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl Algorithm {
    pub(super) const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// The cipher with its key; with a key of another length, one that fails.
    pub(super) fn with_key(self, key: &AeadKey) -> Box<dyn Cipher> {
        match self {
            Self::Aes128Gcm => keyed::<Aes128Gcm>(key),
            Self::Aes256Gcm => keyed::<Aes256Gcm>(key),
            Self::ChaCha20Poly1305 => keyed::<ChaCha20Poly1305>(key),
        }
    }

    pub(super) fn secrets(self, key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets {
        match self {
            Self::Aes128Gcm => ConnectionTrafficSecrets::Aes128Gcm { key, iv },
            Self::Aes256Gcm => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
            Self::ChaCha20Poly1305 => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
        }
    }
}

fn keyed<C: Cipher + KeyInit + 'static>(key: &AeadKey) -> Box<dyn Cipher> {
    match C::new_from_slice(key.as_ref()) {
        Ok(cipher) => Box::new(cipher),
        Err(_) => Box::new(NoKey),
    }
}

/// A cipher that was given a key of the wrong length.
struct NoKey;

impl Cipher for NoKey {
    fn seal(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        Err(Error::EncryptError)
    }

    fn open(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8], _: &[u8; TAG_LEN]) -> Result<(), Error> {
        Err(Error::DecryptError)
    }
}

/// Encryption in place, with the tag apart.
pub(super) trait Cipher: Send + Sync {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8]) -> Result<[u8; TAG_LEN], Error>;

    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Error>;
}

impl<C: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync> Cipher for C {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        let tag = self.encrypt_inout_detached(nonce.into(), aad, octets.into());
        tag.map(Into::into).map_err(|_| Error::EncryptError)
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], octets: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Error> {
        let opened = self.decrypt_inout_detached(nonce.into(), aad, octets.into(), tag.into());
        opened.map_err(|_| Error::DecryptError)
    }
}

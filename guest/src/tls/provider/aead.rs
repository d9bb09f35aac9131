//! The ciphers of TLS records.

use alloc::boxed::Box;

use rustls::ConnectionTrafficSecrets;
use rustls::crypto::cipher::{AeadKey, Iv};
pub(super) use sandpiper_aead::{Cipher, TAG_LEN};
use sandpiper_aead::{Error, NONCE_LEN, aes_128_gcm, aes_256_gcm, chacha20_poly1305};

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

    /// The cipher with its key; with a key of another length, a cipher that fails.
    pub(super) fn with_key(self, key: &[u8]) -> Box<dyn Cipher> {
        let cipher = match self {
            Self::Aes128Gcm => key.try_into().map(aes_128_gcm),
            Self::Aes256Gcm => key.try_into().map(aes_256_gcm),
            Self::ChaCha20Poly1305 => key.try_into().map(chacha20_poly1305),
        };
        cipher.unwrap_or_else(|_| Box::new(NoKey))
    }

    pub(super) fn secrets(self, key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets {
        match self {
            Self::Aes128Gcm => ConnectionTrafficSecrets::Aes128Gcm { key, iv },
            Self::Aes256Gcm => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
            Self::ChaCha20Poly1305 => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
        }
    }
}

/// A cipher that was given a key of the wrong length.
struct NoKey;

impl Cipher for NoKey {
    fn seal(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        Err(Error)
    }

    fn open(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8], _: &[u8; TAG_LEN]) -> Result<(), Error> {
        Err(Error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::vector::octets;
    use super::*;

    /// Seals, opens again, and opens no octet of ciphertext, tag or associated data that was changed.
    fn check(algorithm: Algorithm, key: &str, nonce: &str, aad: &str, plain: &[u8], sealed: &str, tag: &str) {
        let cipher = algorithm.with_key(&octets(key));
        let nonce: [u8; NONCE_LEN] = octets(nonce).try_into().unwrap();
        let (mut aad, tag) = (octets(aad), octets(tag).try_into().unwrap());
        let mut text = plain.to_vec();
        assert_eq!(cipher.seal(&nonce, &aad, &mut text), Ok(tag));
        assert_eq!(text, octets(sealed));
        let mut opened = text.clone();
        assert_eq!(cipher.open(&nonce, &aad, &mut opened, &tag), Ok(()));
        assert_eq!(opened, plain);
        for place in 0..text.len() {
            let mut changed = text.clone();
            changed[place] ^= 1;
            assert_eq!(cipher.open(&nonce, &aad, &mut changed, &tag), Err(Error));
        }
        for place in 0..TAG_LEN {
            let mut changed = tag;
            changed[place] ^= 0x80;
            assert_eq!(cipher.open(&nonce, &aad, &mut text.clone(), &changed), Err(Error));
        }
        aad[0] ^= 1;
        assert_eq!(cipher.open(&nonce, &aad, &mut text, &tag), Err(Error));
    }

    const GCM_KEY: &str = "feffe9928665731c6d6a8f9467308308";
    const GCM_NONCE: &str = "cafebabefacedbaddecaf888";
    const GCM_AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    const GCM_PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

    /// "The Galois/Counter Mode of Operation", test case 4.
    #[test]
    fn aes_128_gcm() {
        let sealed = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
                      21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091";
        let tag = "5bc94fbc3221a5db94fae95ae7121a47";
        check(Algorithm::Aes128Gcm, GCM_KEY, GCM_NONCE, GCM_AAD, &octets(GCM_PLAIN), sealed, tag);
    }

    /// As above, test case 16.
    #[test]
    fn aes_256_gcm() {
        let key = [GCM_KEY, GCM_KEY].concat();
        let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                      8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662";
        let tag = "76fc6ece0f4e1768cddf8853bb2d551b";
        check(Algorithm::Aes256Gcm, &key, GCM_NONCE, GCM_AAD, &octets(GCM_PLAIN), sealed, tag);
    }

    /// RFC 8439 §2.8.2.
    #[test]
    fn chacha20_poly1305() {
        let key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
        let plain =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let sealed = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
                      3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
                      92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
                      3ff4def08e4b7a9de576d26586cec64b6116";
        let tag = "1ae10b594f09e26a7e902ecbd0600691";
        check(Algorithm::ChaCha20Poly1305, key, "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7", plain, sealed, tag);
    }

    #[test]
    fn a_key_of_the_wrong_length_seals_and_opens_nothing() {
        let cipher = Algorithm::Aes128Gcm.with_key(&[0; 32]);
        assert_eq!(cipher.seal(&[0; NONCE_LEN], &[], &mut [0; 4]), Err(Error));
        assert_eq!(cipher.open(&[0; NONCE_LEN], &[], &mut [0; 4], &[0; TAG_LEN]), Err(Error));
    }
}

//! Records and cipher suites of TLS 1.2: AES-GCM (RFC 5288, RFC 5289) and ChaCha20-Poly1305 (RFC 7905).

use alloc::boxed::Box;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, NONCE_LEN, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls12AeadAlgorithm, UnsupportedOperationError, make_tls12_aad,
};
use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, KeyExchangeAlgorithm};
use rustls::{CipherSuite, ConnectionTrafficSecrets, Error, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite};

use super::aead::{Algorithm, Cipher, TAG_LEN};
use super::{hash, hmac};

/// In the order of preference.
pub(super) const SUITES: &[SupportedCipherSuite] = &[
    SupportedCipherSuite::Tls12(&ECDSA_CHACHA20_POLY1305_SHA256),
    SupportedCipherSuite::Tls12(&RSA_CHACHA20_POLY1305_SHA256),
    SupportedCipherSuite::Tls12(&ECDSA_AES_128_GCM_SHA256),
    SupportedCipherSuite::Tls12(&RSA_AES_128_GCM_SHA256),
    SupportedCipherSuite::Tls12(&ECDSA_AES_256_GCM_SHA384),
    SupportedCipherSuite::Tls12(&RSA_AES_256_GCM_SHA384),
];

/// In TLS 1.2 the suites that name ECDSA stand for Ed25519 too (RFC 8422 §5.1).
const ECDSA: &[SignatureScheme] =
    &[SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::ECDSA_NISTP256_SHA256];

/// PSS before PKCS#1 v1.5, the one with a proof of security.
pub(super) const RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

static ECDSA_CHACHA20_POLY1305_SHA256: Tls12CipherSuite =
    chacha20_poly1305_sha256(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, ECDSA);
static RSA_CHACHA20_POLY1305_SHA256: Tls12CipherSuite =
    chacha20_poly1305_sha256(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, RSA);
static ECDSA_AES_128_GCM_SHA256: Tls12CipherSuite =
    aes_128_gcm_sha256(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ECDSA);
static RSA_AES_128_GCM_SHA256: Tls12CipherSuite = aes_128_gcm_sha256(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, RSA);
static ECDSA_AES_256_GCM_SHA384: Tls12CipherSuite =
    aes_256_gcm_sha384(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, ECDSA);
static RSA_AES_256_GCM_SHA384: Tls12CipherSuite = aes_256_gcm_sha384(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, RSA);

static PRF_SHA256: PrfUsingHmac<'_> = PrfUsingHmac(&hmac::SHA256);
static PRF_SHA384: PrfUsingHmac<'_> = PrfUsingHmac(&hmac::SHA384);

const fn chacha20_poly1305_sha256(suite: CipherSuite, sign: &'static [SignatureScheme]) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon { suite, hash_provider: &hash::SHA256, confidentiality_limit: u64::MAX },
        prf_provider: &PRF_SHA256,
        kx: KeyExchangeAlgorithm::ECDHE,
        sign,
        aead_alg: &Algorithm::ChaCha20Poly1305,
    }
}

const fn aes_128_gcm_sha256(suite: CipherSuite, sign: &'static [SignatureScheme]) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon { suite, hash_provider: &hash::SHA256, confidentiality_limit: super::GCM_RECORDS },
        prf_provider: &PRF_SHA256,
        kx: KeyExchangeAlgorithm::ECDHE,
        sign,
        aead_alg: &Algorithm::Aes128Gcm,
    }
}

const fn aes_256_gcm_sha384(suite: CipherSuite, sign: &'static [SignatureScheme]) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon { suite, hash_provider: &hash::SHA384, confidentiality_limit: super::GCM_RECORDS },
        prf_provider: &PRF_SHA384,
        kx: KeyExchangeAlgorithm::ECDHE,
        sign,
        aead_alg: &Algorithm::Aes256Gcm,
    }
}

/// How much of a nonce is sent with each record: half of an AES-GCM nonce and more, none of ChaCha20-Poly1305's.
const GCM_EXPLICIT_LEN: usize = 8;

impl Algorithm {
    const fn explicit_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => GCM_EXPLICIT_LEN,
            Self::ChaCha20Poly1305 => 0,
        }
    }

    fn records(self, key: &AeadKey, fixed: &[u8], explicit: &[u8]) -> Records {
        Records { cipher: self.with_key(key.as_ref()), iv: iv(fixed, explicit), explicit: self.explicit_len() }
    }
}

/// The parts of a nonce that are agreed, one after the other; the sequence number is added.
fn iv(fixed: &[u8], explicit: &[u8]) -> Iv {
    let mut nonce = [0; NONCE_LEN];
    nonce.iter_mut().zip(fixed.iter().chain(explicit)).for_each(|(to, from)| *to = *from);
    Iv::new(nonce)
}

impl Tls12AeadAlgorithm for Algorithm {
    fn encrypter(&self, key: AeadKey, fixed: &[u8], explicit: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(self.records(&key, fixed, explicit))
    }

    fn decrypter(&self, key: AeadKey, fixed: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(self.records(&key, fixed, &[]))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.key_len(),
            fixed_iv_len: NONCE_LEN - self.explicit_len(),
            explicit_nonce_len: self.explicit_len(),
        }
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        fixed: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(self.secrets(key, iv(fixed, explicit)))
    }
}

/// The records of one direction.
struct Records {
    cipher: Box<dyn Cipher>,
    iv: Iv,
    /// How many octets of the nonce stand before each record.
    explicit: usize,
}

impl MessageEncrypter for Records {
    fn encrypt(&mut self, message: OutboundPlainMessage<'_>, sequence: u64) -> Result<OutboundOpaqueMessage, Error> {
        let length = message.payload.len();
        let aad = make_tls12_aad(sequence, message.typ, message.version, length);
        let nonce = Nonce::new(&self.iv, sequence);
        let mut payload = PrefixedPayload::with_capacity(self.encrypted_payload_len(length));
        payload.extend_from_slice(&nonce.0[NONCE_LEN - self.explicit..]);
        payload.extend_from_chunks(&message.payload);
        let tag = self.cipher.seal(&nonce.0, &aad, &mut payload.as_mut()[self.explicit..]).map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        self.explicit + length + TAG_LEN
    }
}

impl MessageDecrypter for Records {
    fn decrypt<'a>(&mut self, mut message: InboundOpaqueMessage<'a>, sequence: u64) -> Result<InboundPlainMessage<'a>, Error> {
        let (explicit, sealed) = message.payload.split_at_mut_checked(self.explicit).ok_or(Error::DecryptError)?;
        let (octets, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::DecryptError)?;
        let mut nonce = Nonce::new(&self.iv, sequence).0;
        nonce[NONCE_LEN - self.explicit..].copy_from_slice(explicit);
        let aad = make_tls12_aad(sequence, message.typ, message.version, octets.len());
        self.cipher.open(&nonce, &aad, octets, tag).map_err(|_| Error::DecryptError)?;
        if octets.len() > MAX_FRAGMENT_LEN {
            return Err(Error::PeerSentOversizedRecord);
        }
        let end = self.explicit + octets.len();
        Ok(message.into_plain_message_range(self.explicit..end))
    }
}

/// RFC 5246 §6.2.1.
const MAX_FRAGMENT_LEN: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use rustls::{ContentType, ProtocolVersion};

    use super::*;

    #[test]
    fn a_record_that_is_shorter_than_nonce_and_tag_is_refused() {
        for algorithm in [Algorithm::Aes128Gcm, Algorithm::ChaCha20Poly1305] {
            for length in 0..=algorithm.explicit_len() + TAG_LEN {
                let mut payload = std::vec![0; length];
                let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut payload);
                let mut records = Records {
                    cipher: algorithm.with_key(&[0; 32][..algorithm.key_len()]),
                    iv: iv(&[], &[]),
                    explicit: algorithm.explicit_len(),
                };
                assert_eq!(records.decrypt(message, 0).err(), Some(Error::DecryptError));
            }
        }
    }

    #[test]
    fn a_record_may_hold_16384_octets_and_no_more() {
        for algorithm in [Algorithm::Aes128Gcm, Algorithm::ChaCha20Poly1305] {
            let key = [7; 32][..algorithm.key_len()].to_vec();
            let records =
                || Records { cipher: algorithm.with_key(&key), iv: iv(&[1; 12], &[]), explicit: algorithm.explicit_len() };
            for (length, refused) in [(MAX_FRAGMENT_LEN, None), (MAX_FRAGMENT_LEN + 1, Some(Error::PeerSentOversizedRecord))] {
                let plain = std::vec![9; length];
                let (typ, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
                let message = OutboundPlainMessage { typ, version, payload: plain.as_slice().into() };
                let mut payload = records().encrypt(message, 5).unwrap().encode().split_off(5);
                let read = records().decrypt(InboundOpaqueMessage::new(typ, version, &mut payload), 5);
                assert_eq!(read.err(), refused);
            }
        }
    }

    #[test]
    fn a_nonce_begins_with_what_was_agreed() {
        assert_eq!(iv(&[1; 4], &[2; 8]).as_ref(), [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(iv(&[3; 12], &[]).as_ref(), [3; 12]);
    }
}

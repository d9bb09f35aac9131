//! Records and cipher suites of TLS 1.3 (RFC 8446 §5.2, §B.4).

use alloc::boxed::Box;

use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce, OutboundOpaqueMessage,
    OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm, UnsupportedOperationError, make_tls13_aad,
};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::{
    CipherSuite, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, SupportedCipherSuite, Tls13CipherSuite,
};

use super::aead::{Algorithm, Cipher, TAG_LEN};
use super::{hash, hmac};

/// In the order of preference.
pub(super) const SUITES: &[SupportedCipherSuite] = &[
    SupportedCipherSuite::Tls13(&CHACHA20_POLY1305_SHA256),
    SupportedCipherSuite::Tls13(&AES_128_GCM_SHA256),
    SupportedCipherSuite::Tls13(&AES_256_GCM_SHA384),
];

static CHACHA20_POLY1305_SHA256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: u64::MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&hmac::SHA256),
    aead_alg: &Algorithm::ChaCha20Poly1305,
    quic: None,
};

static AES_128_GCM_SHA256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &hash::SHA256,
        confidentiality_limit: super::GCM_RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&hmac::SHA256),
    aead_alg: &Algorithm::Aes128Gcm,
    quic: None,
};

static AES_256_GCM_SHA384: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &hash::SHA384,
        confidentiality_limit: super::GCM_RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&hmac::SHA384),
    aead_alg: &Algorithm::Aes256Gcm,
    quic: None,
};

impl Tls13AeadAlgorithm for Algorithm {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Records { cipher: self.with_key(key.as_ref()), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records { cipher: self.with_key(key.as_ref()), iv })
    }

    fn key_len(&self) -> usize {
        (*self).key_len()
    }

    fn extract_keys(&self, key: AeadKey, iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(self.secrets(key, iv))
    }
}

/// The records of one direction under one key.
struct Records {
    cipher: Box<dyn Cipher>,
    iv: Iv,
}

impl MessageEncrypter for Records {
    fn encrypt(&mut self, message: OutboundPlainMessage<'_>, sequence: u64) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[message.typ.into()]);
        let nonce = Nonce::new(&self.iv, sequence);
        let tag = self.cipher.seal(&nonce.0, &make_tls13_aad(length), payload.as_mut()).map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);
        // RFC 8446 §5.2: every protected record looks like application data of TLS 1.2.
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + size_of::<u8>() + TAG_LEN
    }
}

impl MessageDecrypter for Records {
    fn decrypt<'a>(&mut self, mut message: InboundOpaqueMessage<'a>, sequence: u64) -> Result<InboundPlainMessage<'a>, Error> {
        let aad = make_tls13_aad(message.payload.len());
        let (octets, tag) = message.payload.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::DecryptError)?;
        let nonce = Nonce::new(&self.iv, sequence);
        self.cipher.open(&nonce.0, &aad, octets, tag).map_err(|_| Error::DecryptError)?;
        let length = octets.len();
        message.payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use rustls::crypto::cipher::OutboundChunks;

    use super::super::vector::octets;
    use super::*;

    fn records() -> Records {
        let iv: [u8; 12] = octets("5b78923dee08579033e523d9").try_into().unwrap();
        Records { cipher: Algorithm::Aes128Gcm.with_key(&octets("17422dda596ed5d9acd890e3c63f5051")), iv: iv.into() }
    }

    /// RFC 8448 §3: the client's first record of application data.
    const RECORD: &str = "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b
                          98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee
                          bb 21 69 49 15 e4";

    fn plain() -> Vec<u8> {
        (0..50).collect()
    }

    #[test]
    fn a_known_record_is_written() {
        let plain = plain();
        let payload = OutboundChunks::from(plain.as_slice());
        let message = OutboundPlainMessage { typ: ContentType::ApplicationData, version: ProtocolVersion::TLSv1_3, payload };
        let record = records().encrypt(message, 0).unwrap();
        assert_eq!(record.encode(), octets(RECORD));
    }

    #[test]
    fn a_known_record_is_read() {
        let mut payload = octets(RECORD).split_off(5);
        let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut payload);
        let read = records().decrypt(message, 0).unwrap();
        assert_eq!((read.typ, read.payload), (ContentType::ApplicationData, plain().as_slice()));
    }

    #[test]
    fn a_record_that_is_shorter_than_its_tag_is_refused() {
        for length in 0..=TAG_LEN {
            let mut payload = std::vec![0; length];
            let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut payload);
            assert_eq!(records().decrypt(message, 0).err(), Some(Error::DecryptError));
        }
    }
}

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
        Box::new(Records { cipher: self.with_key(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records { cipher: self.with_key(&key), iv })
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
        let tag = self.cipher.seal(&nonce.0, &make_tls13_aad(length), payload.as_mut())?;
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
        self.cipher.open(&nonce.0, &aad, octets, tag)?;
        let length = octets.len();
        message.payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

//! Messages of the handshake that are changed before they are encrypted: what no octet in the network can do.

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    CipherSuite, ConnectionTrafficSecrets, ContentType, Error, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

/// Types of messages of the handshake (RFC 8446 section 4).
pub mod message {
    /// ServerHello, HelloRetryRequest.
    pub const SERVER_HELLO: u8 = 2;
    /// NewSessionTicket.
    pub const TICKET: u8 = 4;
    /// EncryptedExtensions.
    pub const ENCRYPTED_EXTENSIONS: u8 = 8;
    /// Certificate.
    pub const CERTIFICATE: u8 = 11;
    /// ServerKeyExchange, of TLS 1.2.
    pub const KEY_EXCHANGE: u8 = 12;
    /// ServerHelloDone, of TLS 1.2.
    pub const HELLO_DONE: u8 = 14;
    /// CertificateVerify.
    pub const CERTIFICATE_VERIFY: u8 = 15;
    /// Finished.
    pub const FINISHED: u8 = 20;
}

/// Changes the content of each message of one type.
#[derive(Clone, Copy)]
pub struct Edit {
    /// Of which type.
    pub kind: u8,
    /// How.
    pub change: fn(&mut Vec<u8>),
}

impl Edit {
    /// The messages, one behind the other, with those of the type changed. What is no row of whole messages stays as it is.
    pub fn apply(self, messages: &[u8]) -> Vec<u8> {
        let (mut rest, mut edited) = (messages, Vec::new());
        while let [kind, high, middle, low, behind @ ..] = rest {
            let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
            let Some((content, next)) = behind.split_at_checked(length) else { break };
            let mut content = content.to_vec();
            if *kind == self.kind {
                (self.change)(&mut content);
            }
            edited.push(*kind);
            edited.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes()[1..]);
            edited.extend_from_slice(&content);
            rest = next;
        }
        edited.extend_from_slice(rest);
        edited
    }
}

/// As these, with the messages that are written encrypted changed. What this makes is never freed: rustls asks for that, and a process of
/// tests makes few.
pub fn edited(mut provider: CryptoProvider, edit: Edit) -> CryptoProvider {
    provider.cipher_suites.retain(|suite| suite.suite() != CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    for suite in &mut provider.cipher_suites {
        *suite = match *suite {
            SupportedCipherSuite::Tls13(suite) => SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                hkdf_provider: suite.hkdf_provider,
                aead_alg: Box::leak(Box::new(Edited13(suite.aead_alg, edit))),
                quic: None,
            }))),
            SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: Box::leak(Box::new(Edited12(suite.aead_alg, edit))),
            }))),
        };
    }
    provider
}

fn common(common: &rustls::CipherSuiteCommon) -> rustls::CipherSuiteCommon {
    rustls::CipherSuiteCommon {
        suite: common.suite,
        hash_provider: common.hash_provider,
        confidentiality_limit: common.confidentiality_limit,
    }
}

struct Edited13(&'static dyn Tls13AeadAlgorithm, Edit);

impl Tls13AeadAlgorithm for Edited13 {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Editing(self.0.encrypter(key, iv), self.1))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(&self, key: AeadKey, iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

struct Edited12(&'static dyn Tls12AeadAlgorithm, Edit);

impl Tls12AeadAlgorithm for Edited12 {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Editing(self.0.encrypter(key, iv, extra), self.1))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

struct Editing(Box<dyn MessageEncrypter>, Edit);

impl MessageEncrypter for Editing {
    fn encrypt(&mut self, plain: OutboundPlainMessage<'_>, sequence: u64) -> Result<OutboundOpaqueMessage, Error> {
        if plain.typ != ContentType::Handshake {
            return self.0.encrypt(plain, sequence);
        }
        let messages = self.1.apply(&plain.payload.to_vec());
        let payload = messages.as_slice().into();
        self.0.encrypt(OutboundPlainMessage { typ: plain.typ, version: plain.version, payload }, sequence)
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        self.0.encrypted_payload_len(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_type_are_changed_and_lengths_follow() {
        let edit = Edit { kind: 20, change: |content| content.push(9) };
        assert_eq!(edit.apply(&[8, 0, 0, 1, 5, 20, 0, 0, 2, 7, 7]), [8, 0, 0, 1, 5, 20, 0, 0, 3, 7, 7, 9]);
        assert_eq!(edit.apply(&[20, 0, 0, 9, 1]), [20, 0, 0, 9, 1], "a part of a message");
    }
}

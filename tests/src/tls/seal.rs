//! Records that a library would not write: of any type, any length and in any place, sealed with the keys of a connection.

use rustls::crypto::cipher::{MessageEncrypter, OutboundPlainMessage};
use rustls::{ConnectionTrafficSecrets, ContentType, ExtractedSecrets, ProtocolVersion, SupportedCipherSuite};

/// Seals what one side writes.
pub struct Seal {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Seal {
    /// Goes on where a connection with these secrets stands.
    pub fn new(suite: SupportedCipherSuite, secrets: ExtractedSecrets) -> Option<Seal> {
        let (sequence, secrets) = secrets.tx;
        let (key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv }
            | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
            | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => return None,
        };
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                let (fixed, explicit) = iv.as_ref().split_at(suite.aead_alg.key_block_shape().fixed_iv_len);
                suite.aead_alg.encrypter(key, fixed, explicit)
            }
        };
        Some(Seal { encrypter, sequence })
    }

    /// One record.
    pub fn record(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        let message =
            OutboundPlainMessage { typ: ContentType::from(kind), version: ProtocolVersion::TLSv1_2, payload: payload.into() };
        let sealed = self.encrypter.encrypt(message, self.sequence).expect("a record");
        self.sequence += 1;
        sealed.encode()
    }
}

//! Signatures with the private keys of client certificates.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use p256::ecdsa::signature::{RandomizedSigner, SignatureEncoding, Signer as _};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::{Sha256, Sha384, Sha512};
use rsa::traits::PublicKeyParts;
use rsa::{pkcs1v15, pss};
use rustls::crypto::KeyProvider;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::random;

/// Reads private keys: PKCS#8 for every kind, SEC 1 for ECDSA, PKCS#1 for RSA.
#[derive(Debug)]
pub(super) struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let private = match &key {
            PrivateKeyDer::Pkcs8(der) => Private::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(der) => Private::from_sec1(der.secret_sec1_der()),
            PrivateKeyDer::Pkcs1(der) => RsaPrivateKey::from_pkcs1_der(der.secret_pkcs1_der()).ok().and_then(Private::rsa),
            _ => None,
        };
        let private = private.ok_or_else(|| Error::General("a private key of no supported kind".into()))?;
        Ok(Arc::new(Key(Arc::new(private))))
    }
}

enum Private {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Rsa(Box<RsaPrivateKey>),
}

/// The shortest modulus of an RSA key, in octets: 2048 bits.
const RSA_MIN_LEN: usize = 256;

impl Private {
    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let p256 = || p256::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Self::P256);
        let p384 = || p384::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Self::P384);
        let ed25519 = || ed25519_dalek::SigningKey::from_pkcs8_der(der).ok().map(|key| Self::Ed25519(Box::new(key)));
        let rsa = || RsaPrivateKey::from_pkcs8_der(der).ok().and_then(Self::rsa);
        p256().or_else(p384).or_else(ed25519).or_else(rsa)
    }

    fn from_sec1(der: &[u8]) -> Option<Self> {
        let p256 = || p256::SecretKey::from_sec1_der(der).ok().map(|key| Self::P256(key.into()));
        let p384 = || p384::SecretKey::from_sec1_der(der).ok().map(|key| Self::P384(key.into()));
        p256().or_else(p384)
    }

    fn rsa(key: RsaPrivateKey) -> Option<Self> {
        (key.size() >= RSA_MIN_LEN).then(|| Self::Rsa(Box::new(key)))
    }

    /// What a signature by this key can be, best first.
    fn schemes(&self) -> &'static [SignatureScheme] {
        match self {
            Self::P256(_) => &[SignatureScheme::ECDSA_NISTP256_SHA256],
            Self::P384(_) => &[SignatureScheme::ECDSA_NISTP384_SHA384],
            Self::Ed25519(_) => &[SignatureScheme::ED25519],
            Self::Rsa(_) => super::tls12::RSA,
        }
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            // RFC 6979: the number that must never repeat comes from key and message, not from chance.
            Self::P256(key) => key.try_sign(message).ok().map(|signature: p256::ecdsa::DerSignature| signature.to_vec()),
            Self::P384(key) => key.try_sign(message).ok().map(|signature: p384::ecdsa::DerSignature| signature.to_vec()),
            Self::Ed25519(key) => key.try_sign(message).ok().map(|signature| signature.to_vec()),
            Self::Rsa(key) => sign_rsa(key, scheme, message),
        }
    }
}

fn sign_rsa(key: &RsaPrivateKey, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>> {
    let key = key.clone();
    match scheme {
        SignatureScheme::RSA_PSS_SHA256 => blinded(&pss::SigningKey::<Sha256>::new(key), message),
        SignatureScheme::RSA_PSS_SHA384 => blinded(&pss::SigningKey::<Sha384>::new(key), message),
        SignatureScheme::RSA_PSS_SHA512 => blinded(&pss::SigningKey::<Sha512>::new(key), message),
        SignatureScheme::RSA_PKCS1_SHA256 => blinded(&pkcs1v15::SigningKey::<Sha256>::new(key), message),
        SignatureScheme::RSA_PKCS1_SHA384 => blinded(&pkcs1v15::SigningKey::<Sha384>::new(key), message),
        SignatureScheme::RSA_PKCS1_SHA512 => blinded(&pkcs1v15::SigningKey::<Sha512>::new(key), message),
        _ => None,
    }
}

/// A signature whose time says nothing of the key: what is raised to its power is multiplied by a random number before.
fn blinded<S: SignatureEncoding>(key: &impl RandomizedSigner<S>, message: &[u8]) -> Option<Vec<u8>> {
    key.try_sign_with_rng(&mut random::System, message).ok().map(|signature| signature.to_vec())
}

struct Key(Arc<Private>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = *self.0.schemes().iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(KeyWithScheme { key: self.0.clone(), scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(match &*self.0 {
            Private::P256(key) => public_key_to_spki(&alg_id::ECDSA_P256, key.verifying_key().to_sec1_point(false)),
            Private::P384(key) => public_key_to_spki(&alg_id::ECDSA_P384, key.verifying_key().to_sec1_point(false)),
            Private::Ed25519(key) => public_key_to_spki(&alg_id::ED25519, key.verifying_key().as_bytes()),
            Private::Rsa(key) => public_key_to_spki(&alg_id::RSA_ENCRYPTION, key.to_public_key().to_pkcs1_der().ok()?.as_bytes()),
        })
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match &*self.0 {
            Private::P256(_) | Private::P384(_) => SignatureAlgorithm::ECDSA,
            Private::Ed25519(_) => SignatureAlgorithm::ED25519,
            Private::Rsa(_) => SignatureAlgorithm::RSA,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.algorithm()).finish()
    }
}

struct KeyWithScheme {
    key: Arc<Private>,
    scheme: SignatureScheme,
}

impl Signer for KeyWithScheme {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(self.scheme, message).ok_or_else(|| Error::General("signing failed".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl fmt::Debug for KeyWithScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.scheme).finish()
    }
}

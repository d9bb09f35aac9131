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

    /// The schemes of signatures by this key, best first.
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

#[cfg(test)]
mod tests {
    use rustls::pki_types::SignatureVerificationAlgorithm;

    use super::super::vector::octets;
    use super::super::verify;
    use super::*;

    fn signature(private: Private, message: &[u8]) -> Vec<u8> {
        let scheme = private.schemes()[0];
        private.sign(scheme, message).unwrap()
    }

    /// RFC 6979 §A.2.5.
    #[test]
    fn p256_signs_as_known() {
        let secret = octets("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let known = octets(
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        );
        let known = p256::ecdsa::Signature::from_slice(&known).unwrap().to_der();
        assert_eq!(signature(Private::P256(key), b"sample"), known.as_bytes());
    }

    /// RFC 6979 §A.2.6.
    #[test]
    fn p384_signs_as_known() {
        let secret = octets("6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5");
        let key = p384::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let known = octets(
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        );
        let known = p384::ecdsa::Signature::from_slice(&known).unwrap().to_der();
        assert_eq!(signature(Private::P384(key), b"sample"), known.as_bytes());
    }

    /// RFC 8032 §7.1, test 1.
    #[test]
    fn ed25519_signs_as_known() {
        let secret: [u8; 32] = octets("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").try_into().unwrap();
        let known = octets(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b
             d25bf5f0595bbe24655141438e7a100b",
        );
        assert_eq!(signature(Private::Ed25519(Box::new(secret.into())), b""), known);
    }

    const RSA_2048: &[u8] = include_bytes!("../../../tests/tls/rsa-2048.pk8");
    const RSA_1024: &[u8] = include_bytes!("../../../tests/tls/rsa-1024.pk8");

    /// Whether what a key signs is taken by the verification of its own scheme, and by no other.
    #[test]
    fn rsa_signatures_hold_for_their_scheme_alone() {
        let Some(Private::Rsa(key)) = Private::from_pkcs8(RSA_2048) else { panic!("no RSA key") };
        let public = key.to_public_key().to_pkcs1_der().unwrap();
        for scheme in super::super::tls12::RSA {
            let signature = sign_rsa(&key, *scheme, b"message").unwrap();
            for (other, algorithms) in verify::ALGORITHMS.mapping {
                let verified = algorithms[0].verify_signature(public.as_bytes(), b"message", &signature);
                assert_eq!(verified.is_ok(), other == scheme, "{scheme:?} as {other:?}");
                assert!(algorithms[0].verify_signature(public.as_bytes(), b"another", &signature).is_err());
            }
        }
    }

    #[test]
    fn a_pss_signature_never_repeats() {
        let Some(Private::Rsa(key)) = Private::from_pkcs8(RSA_2048) else { panic!("no RSA key") };
        let sign = || sign_rsa(&key, SignatureScheme::RSA_PSS_SHA256, b"message").unwrap();
        assert_ne!(sign(), sign());
    }

    fn verification(scheme: SignatureScheme) -> &'static dyn SignatureVerificationAlgorithm {
        verify::ALGORITHMS.mapping.iter().find(|(other, _)| *other == scheme).unwrap().1[0]
    }

    #[test]
    fn pss_with_a_salt_of_another_length_than_the_hash_is_refused() {
        let key = RsaPrivateKey::from_pkcs8_der(RSA_2048).unwrap();
        let public = key.to_public_key().to_pkcs1_der().unwrap();
        for (length, holds) in [(32, true), (31, false), (33, false), (0, false)] {
            let signature = blinded(&pss::SigningKey::<Sha256>::new_with_salt_len(key.clone(), length), b"message").unwrap();
            let verified =
                verification(SignatureScheme::RSA_PSS_SHA256).verify_signature(public.as_bytes(), b"message", &signature);
            assert_eq!(verified.is_ok(), holds, "{length} octets");
        }
    }

    /// In signatures that would hold, were the key not too short.
    #[test]
    fn rsa_keys_below_2048_bits_neither_sign_nor_verify() {
        assert!(Private::from_pkcs8(RSA_1024).is_none());
        let key = RsaPrivateKey::from_pkcs8_der(RSA_1024).unwrap();
        let public = key.to_public_key().to_pkcs1_der().unwrap();
        for scheme in super::super::tls12::RSA {
            if *scheme == SignatureScheme::RSA_PSS_SHA512 {
                continue; // there is no room for its hash and salt
            }
            let signature = sign_rsa(&key, *scheme, b"message").unwrap();
            assert!(verification(*scheme).verify_signature(public.as_bytes(), b"message", &signature).is_err());
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for der in [&[][..], &[0x30], &[0x30, 0], &RSA_2048[..RSA_2048.len() - 1]] {
            let key = PrivateKeyDer::Pkcs8(der.to_vec().into());
            assert!(Keys.load_private_key(key).is_err());
        }
    }
}

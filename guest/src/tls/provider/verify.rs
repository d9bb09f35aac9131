//! Signatures of certificates and handshakes. MD5 and SHA-1 are not there to be asked for.

use core::fmt;

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::RsaPublicKeyRef;
use rsa::pkcs1::der::Decode;
use rsa::pkcs8::SubjectPublicKeyInfoRef;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// In TLS 1.2 a scheme names a hash alone, and either curve goes with it; TLS 1.3 takes the first of each list.
pub(super) const ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        &ECDSA_P256_SHA256,
        &ECDSA_P256_SHA384,
        &ECDSA_P384_SHA256,
        &ECDSA_P384_SHA384,
        &ED25519,
        &RSA_PSS_SHA256,
        &RSA_PSS_SHA384,
        &RSA_PSS_SHA512,
        &RSA_PKCS1_SHA256,
        &RSA_PKCS1_SHA384,
        &RSA_PKCS1_SHA512,
    ],
    mapping: &[
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&ECDSA_P384_SHA384, &ECDSA_P256_SHA384]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&ECDSA_P256_SHA256, &ECDSA_P384_SHA256]),
        (SignatureScheme::ED25519, &[&ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[&RSA_PSS_SHA512]),
        (SignatureScheme::RSA_PSS_SHA384, &[&RSA_PSS_SHA384]),
        (SignatureScheme::RSA_PSS_SHA256, &[&RSA_PSS_SHA256]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[&RSA_PKCS1_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[&RSA_PKCS1_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[&RSA_PKCS1_SHA256]),
    ],
};

static ECDSA_P256_SHA256: Algorithm =
    Algorithm::new("ECDSA_P256_SHA256", alg_id::ECDSA_P256, alg_id::ECDSA_SHA256, p256::<Sha256>);
static ECDSA_P256_SHA384: Algorithm =
    Algorithm::new("ECDSA_P256_SHA384", alg_id::ECDSA_P256, alg_id::ECDSA_SHA384, p256::<Sha384>);
static ECDSA_P384_SHA256: Algorithm =
    Algorithm::new("ECDSA_P384_SHA256", alg_id::ECDSA_P384, alg_id::ECDSA_SHA256, p384::<Sha256>);
static ECDSA_P384_SHA384: Algorithm =
    Algorithm::new("ECDSA_P384_SHA384", alg_id::ECDSA_P384, alg_id::ECDSA_SHA384, p384::<Sha384>);
static ED25519: Algorithm = Algorithm::new("ED25519", alg_id::ED25519, alg_id::ED25519, ed25519);
static RSA_PSS_SHA256: Algorithm =
    Algorithm::new("RSA_PSS_SHA256", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256, rsa_pss::<Sha256>);
static RSA_PSS_SHA384: Algorithm =
    Algorithm::new("RSA_PSS_SHA384", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384, rsa_pss::<Sha384>);
static RSA_PSS_SHA512: Algorithm =
    Algorithm::new("RSA_PSS_SHA512", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512, rsa_pss::<Sha512>);
static RSA_PKCS1_SHA256: Algorithm =
    Algorithm::new("RSA_PKCS1_SHA256", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256, rsa_pkcs1::<Sha256>);
static RSA_PKCS1_SHA384: Algorithm =
    Algorithm::new("RSA_PKCS1_SHA384", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384, rsa_pkcs1::<Sha384>);
static RSA_PKCS1_SHA512: Algorithm =
    Algorithm::new("RSA_PKCS1_SHA512", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512, rsa_pkcs1::<Sha512>);

/// Whether a message has this signature by this public key: key, message, signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> Option<()>;

struct Algorithm {
    name: &'static str,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    verify: Verify,
}

impl Algorithm {
    const fn new(name: &'static str, key: AlgorithmIdentifier, signature: AlgorithmIdentifier, verify: Verify) -> Self {
        Self { name, key, signature, verify }
    }
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        (self.verify)(key, message, signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn p256<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
    key.verify_prehash(&D::digest(message), &signature).ok()
}

fn p384<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
    key.verify_prehash(&D::digest(message), &signature).ok()
}

fn ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
    // Strict: keys and points of small order, for which a signature proves nothing, are refused.
    key.verify_strict(message, &signature).ok()
}

fn rsa_pkcs1<D: Digest + rsa::pkcs8::AssociatedOid>(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    rsa_key(key)?.verify(Pkcs1v15Sign::new::<D>(), &D::digest(message), signature).ok()
}

/// With a salt as long as the hash, which TLS and the WebPKI ask for (RFC 8446 §4.2.3).
fn rsa_pss<D: Digest + sha2::digest::FixedOutputReset>(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    rsa_key(key)?.verify(Pss::<D>::new(), &D::digest(message), signature).ok()
}

/// How many bits a modulus has. Below, it can be factored; above, one verification would take too long.
const RSA_BITS: core::ops::RangeInclusive<usize> = 2048..=8192;

/// Whether a public key is one of RSA that is too short.
pub(super) fn is_weak_key(spki: &[u8]) -> bool {
    let Ok(spki) = SubjectPublicKeyInfoRef::from_der(spki) else { return false };
    if spki.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
        return false;
    }
    let key = spki.subject_public_key.as_bytes().map(RsaPublicKeyRef::from_der);
    key.is_some_and(|key| key.is_ok_and(|key| 8 * key.modulus.as_bytes().len() < *RSA_BITS.start()))
}

fn rsa_key(der: &[u8]) -> Option<RsaPublicKey> {
    let key = RsaPublicKeyRef::from_der(der).ok()?;
    let modulus = BoxedUint::from_be_slice_vartime(key.modulus.as_bytes());
    let exponent = BoxedUint::from_be_slice_vartime(key.public_exponent.as_bytes());
    RsaPublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).ok()
}

#[cfg(test)]
mod tests {
    use super::super::vector::octets;
    use super::*;

    /// The key of RFC 6979 §A.2.5, and its signatures of "sample" with SHA-1, SHA-256 and SHA-384.
    fn p256_key() -> std::vec::Vec<u8> {
        octets(
            "04 60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6
             7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
        )
    }

    fn der(fixed: &str) -> std::vec::Vec<u8> {
        p256::ecdsa::Signature::from_slice(&octets(fixed)).unwrap().to_der().as_bytes().to_vec()
    }

    #[test]
    fn ecdsa_takes_either_hash_and_no_other_message() {
        let sha256 = der("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
        let sha384 = der("0EAFEA039B20E9B42309FB1D89E213057CBF973DC0CFC8F129EDDDC800EF7719
             4861F0491E6998B9455193E34E7B0D284DDD7149A74B95B9261F13ABDE940954");
        assert!(ECDSA_P256_SHA256.verify_signature(&p256_key(), b"sample", &sha256).is_ok());
        assert!(ECDSA_P256_SHA384.verify_signature(&p256_key(), b"sample", &sha384).is_ok());
        assert!(ECDSA_P256_SHA256.verify_signature(&p256_key(), b"sample", &sha384).is_err());
        assert!(ECDSA_P256_SHA384.verify_signature(&p256_key(), b"sample", &sha256).is_err());
        assert!(ECDSA_P256_SHA256.verify_signature(&p256_key(), b"simple", &sha256).is_err());
    }

    #[test]
    fn a_signature_by_sha_1_is_not_known_at_all() {
        let weak = [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy];
        assert!(ALGORITHMS.mapping.iter().all(|(scheme, _)| !weak.contains(scheme)));
        let known = ["SHA256", "SHA384", "SHA512", "ED25519"];
        assert!(ALGORITHMS.all.iter().all(|algorithm| known.iter().any(|hash| std::format!("{algorithm:?}").ends_with(hash))));
    }

    /// RFC 8032 §7.1, test 1; and a key of small order, for which this signature of zeros holds for many a message.
    #[test]
    fn ed25519_refuses_keys_that_prove_nothing() {
        let key = octets("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = octets(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b
             d25bf5f0595bbe24655141438e7a100b",
        );
        assert!(ED25519.verify_signature(&key, b"", &signature).is_ok());
        assert!(ED25519.verify_signature(&key, b"x", &signature).is_err());
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut zeros = [0; 64];
        zeros[0] = 1;
        assert!(ED25519.verify_signature(&identity, b"any", &zeros).is_err());
    }

    #[test]
    fn what_is_no_key_or_no_signature_is_refused() {
        for algorithm in ALGORITHMS.all {
            for octets in [&[][..], &[0], &[4; 65], &[0x30, 0], &[0xff; 300]] {
                assert!(algorithm.verify_signature(octets, b"", octets).is_err());
            }
        }
    }
}

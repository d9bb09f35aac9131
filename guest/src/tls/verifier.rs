//! Which certificates are accepted, and why others are not.

use super::CertificateRefusal;
use super::provider;
use crate::types::TlsProblem;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use sandpiper_server_name::is_for_unusual;
use spin::Mutex;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

/// A SHA-256 digest of a subject public key (RFC 7469 §2.4).
pub type Pin = [u8; 32];

/// The verifier of connections with equal options.
pub struct Verifier {
    pub(super) anchors: Cow<'static, [TrustAnchor<'static>]>,
    /// Certificates that the caller trusts without a chain: one may be the server's own.
    pub(super) trusted: Vec<CertificateDer<'static>>,
    pub(super) pins: Vec<Pin>,
    /// Any certificate is accepted.
    pub(super) any: bool,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// The notes of the last check; the connection that was checked takes the notes at once.
    pub(super) seen: Mutex<Option<Seen>>,
}

/// A chain that was put to the verifier.
#[derive(Debug)]
pub struct Seen {
    /// DER, the leaf first.
    pub certificates: Vec<Vec<u8>>,
    /// Why it was refused.
    pub refused: Option<Refused>,
}

/// Why a certificate is refused.
#[derive(Debug)]
pub struct Refused {
    /// Which check failed.
    pub problem: TlsProblem,
    /// With which names and dates.
    pub refusal: CertificateRefusal,
    /// The error that rustls receives; rustls chooses the alert by that error.
    alert: CertificateError,
}

#[allow(clippy::result_large_err, reason = "a refusal is made once, and ends its connection")]
impl Verifier {
    /// The chain that was seen last, once.
    pub fn take_seen(&self) -> Option<Seen> {
        self.seen.lock().take()
    }

    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Refused> {
        let cert = EndEntityCert::try_from(leaf).map_err(|error| refused(&error, now))?;
        let own_key = cert.subject_public_key_info();
        if provider::is_weak_key(&own_key) {
            return Err(plain(TlsProblem::CertificateKey, CertificateError::BadSignature));
        }
        if self.any {
            return self.check_pins([own_key.to_vec()].into_iter());
        }
        let path =
            cert.verify_for_usage(self.algorithms.all, &self.anchors, intermediates, now, KeyUsage::server_auth(), None, None);
        let keys = match path {
            Ok(path) => keys(&path),
            // A trust anchor of the caller may be the server's own certificate. Whether the certificate may issue is checked after its dates.
            Err(webpki::Error::CaUsedAsEndEntity) if self.trusted.iter().any(|trusted| trusted == leaf) => {
                Vec::from([own_key.to_vec()])
            }
            Err(error) => return Err(explained(&error, &cert, intermediates, now)),
        };
        match cert.verify_is_valid_for_subject_name(name) {
            Err(error) if !is_for_unusual(leaf, name) => Err(refused(&error, now)),
            Ok(()) | Err(_) => self.check_pins(keys.into_iter()),
        }
    }

    fn check_pins(&self, mut keys: impl Iterator<Item = Vec<u8>>) -> Result<(), Refused> {
        if self.pins.is_empty() || keys.any(|key| self.pins.contains(&provider::sha256(&key))) {
            return Ok(());
        }
        Err(plain(TlsProblem::Pin, CertificateError::ApplicationVerificationFailure))
    }
}

/// The public keys of a verified chain, with the key of its anchor.
fn keys(path: &VerifiedPath<'_>) -> Vec<Vec<u8>> {
    let mut keys = Vec::from([path.end_entity().subject_public_key_info().to_vec()]);
    keys.extend(path.intermediate_certificates().map(|cert| cert.subject_public_key_info().to_vec()));
    keys.push(sequence(&path.anchor().subject_public_key_info));
    keys
}

/// An anchor has the content of the SEQUENCE alone; the digest is of the whole (X.690 §8.1.3).
fn sequence(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|octet| *octet != 0).and_then(|zeros| length.get(zeros..)).unwrap_or(&[]);
    let mut out = Vec::with_capacity(content.len() + 10);
    out.push(0x30);
    match significant {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Two reasons that the chain's own error does not name.
fn explained(error: &webpki::Error, leaf: &EndEntityCert<'_>, intermediates: &[CertificateDer<'_>], now: UnixTime) -> Refused {
    let of_itself = leaf.issuer() == leaf.subject();
    match error {
        webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity if of_itself => {
            plain(TlsProblem::CertificateSelfSigned, CertificateError::UnknownIssuer)
        }
        webpki::Error::InvalidSignatureForPublicKey if intermediates.iter().any(is_weak) => {
            plain(TlsProblem::CertificateKey, CertificateError::BadSignature)
        }
        error => refused(error, now),
    }
}

fn is_weak(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|cert| provider::is_weak_key(&cert.subject_public_key_info()))
}

const NOTHING: CertificateRefusal = CertificateRefusal { names: Vec::new(), not_before: None, not_after: None, checked_at: None };

fn plain(problem: TlsProblem, alert: CertificateError) -> Refused {
    Refused { problem, refusal: NOTHING, alert }
}

fn refused(error: &webpki::Error, now: UnixTime) -> Refused {
    use webpki::Error as E;
    let checked_at = Some(now.as_secs());
    match error {
        E::CertExpired { not_after, .. } => Refused {
            problem: TlsProblem::CertificateExpired,
            refusal: CertificateRefusal { not_after: Some(not_after.as_secs()), checked_at, ..NOTHING },
            alert: CertificateError::Expired,
        },
        E::CertNotValidYet { not_before, .. } => Refused {
            problem: TlsProblem::CertificateNotYetValid,
            refusal: CertificateRefusal { not_before: Some(not_before.as_secs()), checked_at, ..NOTHING },
            alert: CertificateError::NotValidYet,
        },
        E::CertNotValidForName(context) => Refused {
            problem: TlsProblem::CertificateName,
            refusal: CertificateRefusal { names: context.presented.iter().map(|name| bare(name)).collect(), ..NOTHING },
            alert: CertificateError::NotValidForName,
        },
        E::UnknownIssuer | E::MaximumPathBuildCallsExceeded | E::MaximumPathDepthExceeded | E::MaximumSignatureChecksExceeded => {
            plain(TlsProblem::CertificateIssuer, CertificateError::UnknownIssuer)
        }
        E::CaUsedAsEndEntity
        | E::EndEntityUsedAsCa
        | E::EmptyEkuExtension
        | E::RequiredEkuNotFoundContext(_)
        | E::NameConstraintViolation
        | E::MaximumNameConstraintComparisonsExceeded
        | E::PathLenConstraintViolated
        | E::UnsupportedCriticalExtension => plain(TlsProblem::CertificateUse, CertificateError::InvalidPurpose),
        E::SignatureAlgorithmMismatch
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            plain(TlsProblem::CertificateKey, CertificateError::BadSignature)
        }
        _ => plain(TlsProblem::CertificateMalformed, CertificateError::BadEncoding),
    }
}

/// A name as webpki writes it, `DnsName("a.test")` or `IpAddress(127.0.0.1)`, without the type around the name.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    String::from(inner.trim_matches('"'))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = self.check(leaf, intermediates, name, now).err();
        let verdict = match &refused {
            None => Ok(ServerCertVerified::assertion()),
            Some(refused) => Err(Error::InvalidCertificate(refused.alert.clone())),
        };
        let certificates = core::iter::once(leaf).chain(intermediates).map(|certificate| certificate.to_vec()).collect();
        *self.seen.lock() = Some(Seen { certificates, refused });
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

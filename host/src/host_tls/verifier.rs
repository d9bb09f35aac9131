//! Which certificates the host's TLS accepts.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use sandpiper_server_name::is_for_unusual;

use super::problem::Refused;
use super::{HostTlsError, certificates};
use crate::certificate;
use crate::types::{TlsOptions, TlsProblem};

/// That of rustls, and certificates that are trusted as they are: one that has signed itself is an issuer's by its form, and rustls alone
/// would not accept it as a server's.
#[derive(Debug)]
pub(super) struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// # Errors
    /// [`HostTlsError::Roots`].
    pub(super) fn new(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Self, HostTlsError> {
        let pem = options.roots_pem.as_deref();
        let trusted = pem.map_or(Ok(Vec::new()), certificates).map_err(HostTlsError::Roots)?;
        let mut roots = RootCertStore::empty();
        if pem.is_none() || options.with_builtin_roots == Some(true) {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for (index, certificate) in trusted.iter().enumerate() {
            let refuse =
                |_| HostTlsError::Roots(format!("certificate {} cannot be read, or cannot be a trust anchor", index + 1));
            roots.add(certificate.clone()).map_err(refuse)?;
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        Ok(Self { chains: chains.map_err(|error| HostTlsError::Roots(error.to_string()))?, trusted })
    }
}

/// Is this the error for an issuer's certificate, found after the check of dates?
fn is_an_issuers(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

fn is_of_unknown_issuer(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer)) || is_an_issuers(error)
}

fn is_of_another_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

fn has_signed_itself(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}

fn refused(problem: TlsProblem) -> Error {
    Error::Other(OtherError(Arc::new(Refused(problem))))
}

/// The server has not proved that the server has the key: the certificate is not to blame.
fn unproven(_: Error) -> Error {
    refused(TlsProblem::Protocol)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if certificate::has_weak_key(leaf) {
            return Err(refused(TlsProblem::CertificateKey));
        }
        match self.chains.verify_server_cert(leaf, intermediates, name, stapled, now) {
            Err(error) if is_an_issuers(&error) && self.trusted.iter().any(|trusted| trusted == leaf) => {
                match verify_server_name(&ParsedCertificate::try_from(leaf)?, name) {
                    Err(error) if !is_for_unusual(leaf, name) => Err(error),
                    Ok(()) | Err(_) => Ok(ServerCertVerified::assertion()),
                }
            }
            // The name is what is checked last.
            Err(error) if is_of_another_name(&error) && is_for_unusual(leaf, name) => Ok(ServerCertVerified::assertion()),
            Err(error) if is_of_unknown_issuer(&error) && has_signed_itself(leaf) => {
                Err(refused(TlsProblem::CertificateSelfSigned))
            }
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
                if intermediates.iter().any(|der| certificate::has_weak_key(der)) =>
            {
                Err(refused(TlsProblem::CertificateKey))
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature).map_err(unproven)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature).map_err(unproven)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

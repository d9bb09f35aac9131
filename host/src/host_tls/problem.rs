//! The errors of rustls, in the words of the WIT package.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError, PeerMisbehaved};

use crate::types::{CertificateRefusal, Error as HttpError, TlsProblem};

/// A check of our own failed: rustls has no word for it.
#[derive(Debug)]
pub(super) struct Refused(pub(super) TlsProblem);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.what())
    }
}

impl std::error::Error for Refused {}

/// Which check failed, as a sentence for people.
pub(super) fn explain(error: &io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => sentence(TlsProblem::HandshakeEnded),
            _ => error.to_string(),
        };
    };
    let Some(problem) = problem_of(error) else {
        return error.to_string();
    };
    match error {
        rustls::Error::InvalidCertificate(refused) => match refusal_of(refused).sentence() {
            Some(particulars) => format!("{}: {particulars}", sentence(problem)),
            None => format!("{}: {error}", sentence(problem)),
        },
        rustls::Error::AlertReceived(alert) => format!("{}: {alert:?}, number {}", sentence(problem), u8::from(*alert)),
        error => format!("{}: {error}", sentence(problem)),
    }
}

pub(super) fn sentence(problem: TlsProblem) -> String {
    HttpError::Tls(problem).sentence()
}

fn problem_of(error: &rustls::Error) -> Option<TlsProblem> {
    Some(match error {
        rustls::Error::InvalidCertificate(refused) => problem_of_certificate(refused),
        rustls::Error::Other(other) => other.0.downcast_ref::<Refused>()?.0,
        rustls::Error::InvalidMessage(InvalidMessage::MessageTooLarge) => TlsProblem::RecordTooLong,
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            TlsProblem::NotTls
        }
        rustls::Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => TlsProblem::ProtocolNotSpoken,
        rustls::Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => TlsProblem::Renegotiation,
        rustls::Error::PeerIncompatible(_) => TlsProblem::NoAgreement,
        rustls::Error::NoApplicationProtocol => TlsProblem::ProtocolNotSpoken,
        rustls::Error::AlertReceived(alert) => problem_of_alert(*alert),
        rustls::Error::PeerSentOversizedRecord => TlsProblem::RecordTooLong,
        rustls::Error::DecryptError => TlsProblem::RecordCorrupt,
        rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InvalidMessage(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. } => TlsProblem::Protocol,
        _ => return None,
    })
}

/// Of an alert in a handshake.
fn problem_of_alert(alert: AlertDescription) -> TlsProblem {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
            TlsProblem::NoAgreement
        }
        AlertDescription::NoApplicationProtocol => TlsProblem::ProtocolNotSpoken,
        _ => TlsProblem::Alert,
    }
}

fn problem_of_certificate(refused: &CertificateError) -> TlsProblem {
    match refused {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::CertificateNotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsProblem::CertificateName,
        CertificateError::UnknownIssuer => TlsProblem::CertificateIssuer,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => TlsProblem::CertificateKey,
        CertificateError::InvalidPurpose
        | CertificateError::InvalidPurposeContext { .. }
        | CertificateError::UnhandledCriticalExtension => TlsProblem::CertificateUse,
        CertificateError::Other(other) => problem_of_chain(other),
        _ => TlsProblem::CertificateMalformed,
    }
}

/// A problem without a word of its own in rustls.
fn problem_of_chain(error: &OtherError) -> TlsProblem {
    use webpki::Error as E;
    match error.0.downcast_ref() {
        Some(E::MaximumPathBuildCallsExceeded | E::MaximumPathDepthExceeded | E::MaximumSignatureChecksExceeded) => {
            TlsProblem::CertificateIssuer
        }
        Some(
            E::CaUsedAsEndEntity
            | E::EndEntityUsedAsCa
            | E::EmptyEkuExtension
            | E::NameConstraintViolation
            | E::MaximumNameConstraintComparisonsExceeded
            | E::PathLenConstraintViolated
            | E::UnsupportedCriticalExtension,
        ) => TlsProblem::CertificateUse,
        Some(E::SignatureAlgorithmMismatch) => TlsProblem::CertificateKey,
        _ => TlsProblem::CertificateMalformed,
    }
}

/// The names and dates of a refused certificate.
fn refusal_of(refused: &CertificateError) -> CertificateRefusal {
    let none = CertificateRefusal { names: Vec::new(), not_before: None, not_after: None, checked_at: None };
    match refused {
        CertificateError::ExpiredContext { time, not_after } => {
            CertificateRefusal { not_after: Some(not_after.as_secs()), checked_at: Some(time.as_secs()), ..none }
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            CertificateRefusal { not_before: Some(not_before.as_secs()), checked_at: Some(time.as_secs()), ..none }
        }
        CertificateError::NotValidForNameContext { presented, .. } => CertificateRefusal { names: presented.clone(), ..none },
        _ => none,
    }
}

//! The errors of rustls, in the words of the WIT package.

use crate::types::TlsProblem;
use rustls::{AlertDescription, Error, InvalidMessage, PeerMisbehaved};

/// Content types of records (RFC 8446 §5.1): change_cipher_spec, alert, handshake, application_data; and heartbeat (RFC 6520).
const CONTENT_TYPES: core::ops::RangeInclusive<u8> = 20..=24;

/// The problem. `heard`: the peer has spoken TLS before. `first`: the first octet that was not understood.
pub fn of(error: &Error, handshaking: bool, heard: bool, first: Option<u8>) -> TlsProblem {
    match error {
        _ if !heard && first.is_some_and(|octet| !CONTENT_TYPES.contains(&octet)) => TlsProblem::NotTls,
        Error::InvalidMessage(InvalidMessage::MessageTooLarge) | Error::PeerSentOversizedRecord => TlsProblem::RecordTooLong,
        Error::DecryptError => TlsProblem::RecordCorrupt,
        Error::AlertReceived(alert) => of_alert(*alert, handshaking),
        Error::PeerIncompatible(_) => TlsProblem::NoAgreement,
        Error::NoApplicationProtocol | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            TlsProblem::ProtocolNotSpoken
        }
        Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => TlsProblem::Renegotiation,
        // A certificate that the verifier has not refused: the server has not proved that the server has the key.
        _ => TlsProblem::Protocol,
    }
}

/// Whether the problem is of this side: no randomness, no time, keys that have protected as much as they may.
pub fn is_own(error: &Error) -> bool {
    matches!(error, Error::EncryptError | Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime | Error::General(_))
}

fn of_alert(alert: AlertDescription, handshaking: bool) -> TlsProblem {
    match alert {
        AlertDescription::NoApplicationProtocol => TlsProblem::ProtocolNotSpoken,
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity
            if handshaking =>
        {
            TlsProblem::NoAgreement
        }
        _ => TlsProblem::Alert,
    }
}

/// The number of the alert that the peer sent.
pub fn alert(error: &Error) -> Option<u8> {
    match error {
        Error::AlertReceived(alert) => Some(u8::from(*alert)),
        _ => None,
    }
}

//! The record of a handshake, for `tls.info`.

use super::TlsInfo;
use crate::types::TlsVersion;
use alloc::string::String;
use alloc::vec::Vec;
use rustls::client::UnbufferedClientConnection;
use rustls::{HandshakeKind, ProtocolVersion};

/// Notes what both sides have agreed on, and the certificates of the peer.
pub(super) fn note(info: &mut TlsInfo, tls: &UnbufferedClientConnection) {
    info.version = match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
        Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
        _ => None,
    };
    info.cipher_suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(suite_name);
    info.group = tls.negotiated_key_exchange_group().and_then(|group| group.name().as_str()).map(str::to_ascii_lowercase);
    info.protocol = tls.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
    info.resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
    let certificates = tls.peer_certificates().unwrap_or(&[]);
    info.certificates = certificates.iter().map(|certificate| Vec::from(certificate.as_ref())).collect();
}

/// IANA's name: rustls names suites of TLS 1.3 after their version.
fn suite_name(name: &'static str) -> String {
    match name.strip_prefix("TLS13_") {
        Some(rest) => ["TLS_", rest].concat(),
        None => String::from(name),
    }
}

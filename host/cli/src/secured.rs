//! The report of a handshake of TLS: for a person, and for a program.

use sandpiper_host::Certificate;
use sandpiper_host::types::TlsInfo;
use serde::Serialize;

/// Certificates of a chain that are told.
const CERTIFICATES_MAX: usize = 10;
/// Names of a certificate that a person is told.
const NAMES_SHOWN: usize = 10;

/// A handshake in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Secured {
    server_name: String,
    version: Option<&'static str>,
    cipher_suite: Option<String>,
    group: Option<String>,
    protocol: Option<String>,
    resumed: bool,
    duration_ns: Option<u64>,
    certificates: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A certificate in JSON; null in each member of one that cannot be read.
#[derive(Debug, Serialize)]
struct Shown {
    subject: Option<String>,
    issuer: Option<String>,
    names: Vec<String>,
    not_before: Option<i64>,
    not_after: Option<i64>,
    key: Option<String>,
    pin: Option<String>,
}

impl Secured {
    pub(crate) fn new(info: &TlsInfo) -> Self {
        Self {
            server_name: info.server_name.clone(),
            version: info.version.map(|version| version.text()),
            cipher_suite: info.cipher_suite.clone(),
            group: info.group.clone(),
            protocol: info.protocol.clone(),
            resumed: info.resumed,
            duration_ns: info.duration,
            certificates: chain(info).map(Shown::new).collect(),
            refusal: info.refusal.as_ref().and_then(|refusal| refusal.sentence()),
            alert: info.alert,
            detail: info.detail.clone(),
        }
    }
}

impl Shown {
    fn new(certificate: Option<Certificate>) -> Self {
        let pin = certificate.as_ref().map(Certificate::pin);
        match certificate {
            Some(Certificate { subject, issuer, names, not_before, not_after, key, .. }) => Self {
                subject: Some(subject),
                issuer: Some(issuer),
                names,
                not_before: Some(not_before.0),
                not_after: Some(not_after.0),
                key: Some(key),
                pin,
            },
            None => {
                Self { subject: None, issuer: None, names: Vec::new(), not_before: None, not_after: None, key: None, pin: None }
            }
        }
    }
}

/// The certificates of the server; `None`: one that cannot be read.
fn chain(info: &TlsInfo) -> impl Iterator<Item = Option<Certificate>> {
    info.certificates.iter().take(CERTIFICATES_MAX).map(|der| Certificate::read(der))
}

/// The outcome of the handshake, for a person: lines without their ends.
pub(crate) fn agreed(info: &TlsInfo) -> Vec<String> {
    let parts = [
        info.version.map(|version| version.text().to_owned()),
        info.cipher_suite.clone(),
        info.group.clone(),
        Some(match &info.protocol {
            Some(protocol) => format!("ALPN {protocol}"),
            None => "no ALPN".to_owned(),
        }),
        info.resumed.then(|| "resumed".to_owned()),
        info.duration.map(|span| format!("after {}.{:01} ms", span / 1_000_000, span / 100_000 % 10)),
    ];
    let agreed: Vec<String> = parts.into_iter().flatten().collect();
    let mut lines = vec![format!("TLS with {}: {}", info.server_name, agreed.join(", "))];
    lines.extend(certificates(info));
    lines
}

/// The chain, for a person.
fn certificates(info: &TlsInfo) -> Vec<String> {
    let of = |(place, certificate): (usize, Option<Certificate>)| match certificate {
        None => vec![format!("certificate {place}: it cannot be read")],
        Some(certificate) => {
            let Certificate { subject, issuer, not_before, not_after, key, .. } = &certificate;
            let names = names(&certificate.names);
            vec![
                format!("certificate {place}: {subject}{names}, issued by {issuer}"),
                format!("  valid from {not_before} until {not_after}, key {key}, {}", certificate.pin()),
            ]
        }
    };
    let mut lines: Vec<String> = chain(info).enumerate().flat_map(of).collect();
    let more = info.certificates.len().saturating_sub(CERTIFICATES_MAX);
    if more > 0 {
        lines.push(format!("{more} more certificates"));
    }
    lines
}

fn names(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN);
    match names {
        [] => String::new(),
        _ if more > 0 => format!(" for {} and {more} more", names[..NAMES_SHOWN].join(", ")),
        names => format!(" for {}", names.join(", ")),
    }
}

/// Why a handshake failed, for a person: what stands in each line, and the line.
pub(crate) fn failed(info: &TlsInfo) -> Vec<(&'static str, String)> {
    let mut lines = vec![("name", info.server_name.clone())];
    lines.extend(info.refusal.as_ref().and_then(|refusal| refusal.sentence()).map(|sentence| ("refused", sentence)));
    lines.extend(info.alert.map(|number| ("alert", format!("{} (number {number})", info.alert_name().unwrap_or("unknown")))));
    lines.extend(info.detail.clone().map(|detail| ("detail", detail)));
    lines.extend(certificates(info).into_iter().map(|line| ("chain", line)));
    lines
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::{CertificateRefusal, TlsVersion};

    use super::*;

    fn info() -> TlsInfo {
        TlsInfo {
            connection: 1,
            server_name: "a.example".to_owned(),
            version: Some(TlsVersion::Tls13),
            cipher_suite: Some("TLS_AES_128_GCM_SHA256".to_owned()),
            group: Some("x25519".to_owned()),
            protocol: None,
            resumed: true,
            duration: Some(12_345_678),
            certificates: vec![b"no certificate".to_vec(); 12],
            refusal: None,
            alert: None,
            detail: None,
        }
    }

    #[test]
    fn a_person_is_told_what_was_agreed_upon() {
        let lines = agreed(&info());
        let first = "TLS with a.example: TLS 1.3, TLS_AES_128_GCM_SHA256, x25519, no ALPN, resumed, after 12.3 ms";
        assert_eq!(lines[0], first);
        assert_eq!((lines.len(), lines[1].as_str()), (12, "certificate 0: it cannot be read"));
        assert_eq!(lines[11], "2 more certificates");
    }

    #[test]
    fn a_person_is_told_why_not() {
        let refusal =
            CertificateRefusal { names: vec!["b.example".to_owned()], not_before: None, not_after: None, checked_at: None };
        let info = TlsInfo { refusal: Some(refusal), alert: Some(48), certificates: Vec::new(), ..info() };
        let lines = failed(&info);
        let expected = [("name", "a.example"), ("refused", "it is for b.example"), ("alert", "unknown_ca (number 48)")];
        assert_eq!(lines.iter().map(|(what, line)| (*what, line.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(failed(&TlsInfo { alert: Some(200), ..info })[2].1, "unknown (number 200)");
    }

    #[test]
    fn a_program_gets_all_of_it() {
        let info = TlsInfo { certificates: vec![Vec::new()], ..info() };
        let expected = concat!(
            r#"{"server_name":"a.example","version":"TLS 1.3","cipher_suite":"TLS_AES_128_GCM_SHA256","group":"x25519","#,
            r#""protocol":null,"resumed":true,"duration_ns":12345678,"certificates":[{"subject":null,"issuer":null,"names":[],"#,
            r#""not_before":null,"not_after":null,"key":null,"pin":null}]}"#
        );
        assert_eq!(serde_json::to_string(&Secured::new(&info)).unwrap(), expected);
    }
}

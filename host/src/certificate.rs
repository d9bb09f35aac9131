//! Certificates as people read them. Nothing is accepted by what is read here.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::types::CertificateRefusal;

/// Names of a certificate that are shown; a certificate of a large host has hundreds.
const NAMES_MAX: usize = 100;

/// The contents of a certificate of the chain in [`TlsInfo::certificates`](crate::types::TlsInfo). The sender wrote the certificate, and
/// can hold any character.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// Whose it is, as a distinguished name.
    pub subject: String,
    /// Who signed it, as a distinguished name.
    pub issuer: String,
    /// The names and addresses that it is for, at most 100.
    pub names: Vec<String>,
    /// When its validity begins.
    pub not_before: Time,
    /// When its validity ends.
    pub not_after: Time,
    /// The kind of its key and the size in bits, such as `RSA 2048`.
    pub key: String,
    /// The SHA-256 digest of its public key (RFC 7469 §2.4): what `spki_pins` takes.
    pub spki_sha256: [u8; 32],
}

/// Seconds since 1970-01-01T00:00:00Z. As text: `2026-01-31 23:59:59 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Certificate {
    /// Reads a certificate in DER. `None`: it cannot be read.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let key = digest(&SHA256, certificate.public_key().raw);
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names(&certificate),
            not_before: Time(validity.not_before.timestamp()),
            not_after: Time(validity.not_after.timestamp()),
            key: kind_of(certificate.public_key()),
            spki_sha256: key.as_ref().try_into().ok()?,
        })
    }

    /// The pin of its key as curl takes it: `sha256//` and base64.
    pub fn pin(&self) -> String {
        format!("sha256//{}", STANDARD.encode(self.spki_sha256))
    }
}

/// Whether it has an RSA key of less than 2048 bits: no signature by it is accepted.
pub(crate) fn has_weak_key(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    matches!(certificate.public_key().parsed(), Ok(PublicKey::RSA(rsa)) if rsa.key_size() < 2048)
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    names.filter_map(name).take(NAMES_MAX).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn kind_of(key: &SubjectPublicKeyInfo<'_>) -> String {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        // RFC 8410 §3.
        _ if key.algorithm.algorithm.to_id_string() == "1.3.101.112" => "Ed25519".to_owned(),
        _ => format!("of kind {}", key.algorithm.algorithm.to_id_string()),
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = ASN1Time::from_timestamp(self.0) else {
            return write!(f, "{} s after 1970", self.0);
        };
        let time = time.to_datetime();
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        write!(f, "{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", u8::from(month))
    }
}

impl CertificateRefusal {
    /// The certificate's names or dates, as a sentence without a full stop; `None`: they were not the reason.
    pub fn sentence(&self) -> Option<String> {
        let time = |seconds: u64| i64::try_from(seconds).map_or_else(|_| "a time far off".to_owned(), |at| Time(at).to_string());
        let clock = self.checked_at.map_or(String::new(), |now| format!(", and it is {} here", time(now)));
        match (self.not_before, self.not_after, self.names.as_slice()) {
            (Some(begin), ..) => Some(format!("it is valid from {} on{clock}", time(begin))),
            (None, Some(end), _) => Some(format!("it was valid until {}{clock}", time(end))),
            (None, None, []) => None,
            (None, None, names) => {
                let more = names.len().saturating_sub(NAMES_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                Some(format!("it is for {}{more}", names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(["a.example".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 2, 29);
        parameters.not_after = rcgen::date_time_ymd(2021, 3, 1);
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        let certificate = Certificate::read(&der).unwrap();
        assert_eq!(certificate.names, ["a.example", "127.0.0.1"]);
        assert_eq!(certificate.not_before.to_string(), "2020-02-29 00:00:00 UTC");
        assert_eq!(certificate.not_after, Time(1_614_556_800));
        assert_eq!((certificate.key.as_str(), &certificate.subject), ("EC 256", &certificate.issuer));
        let whole = digest(&SHA256, &rcgen::PublicKeyData::subject_public_key_info(&key));
        assert_eq!(certificate.spki_sha256, whole.as_ref());
        assert_eq!(certificate.pin(), format!("sha256//{}", STANDARD.encode(whole.as_ref())));
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        for octets in [&b""[..], b"\x30", b"\x30\x82\xff\xff", b"text", &[0x30; 64]] {
            assert_eq!(Certificate::read(octets), None);
        }
    }

    #[test]
    fn refusals_name_names_and_dates() {
        let none = || CertificateRefusal { names: Vec::new(), not_before: None, not_after: None, checked_at: None };
        assert_eq!(none().sentence(), None);
        let expired = CertificateRefusal { not_after: Some(0), checked_at: Some(86_400), ..none() };
        let words = "it was valid until 1970-01-01 00:00:00 UTC, and it is 1970-01-02 00:00:00 UTC here";
        assert_eq!(expired.sentence().unwrap(), words);
        let names = CertificateRefusal { names: vec!["a".to_owned(), "b".to_owned()], ..none() };
        assert_eq!(names.sentence().unwrap(), "it is for a, b");
        let early = CertificateRefusal { not_before: Some(u64::MAX), ..none() };
        assert_eq!(early.sentence().unwrap(), "it is valid from a time far off on");
    }
}

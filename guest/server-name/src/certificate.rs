//! The names in a certificate. webpki, which has read the certificate before, returns only usual names.

/// DER tags (X.690 §8.1.2).
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// `TBSCertificate.extensions` (RFC 5280 §4.1).
const EXTENSIONS: u8 = 0xa3;
/// `GeneralName.dNSName` (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;

/// The object identifier 2.5.29.17, `subjectAltName`.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The `dNSName`s of the extension `subjectAltName`. None where the certificate is malformed.
pub(crate) fn dns_names(certificate: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = subject_alt_name(certificate).unwrap_or_default();
    Elements(names).filter(|(tag, _)| *tag == DNS_NAME).map(|(_, name)| name)
}

/// The content of `GeneralNames`.
fn subject_alt_name(certificate: &[u8]) -> Option<&[u8]> {
    let to_be_signed = child(child(certificate, SEQUENCE)?, SEQUENCE)?;
    let extensions = child(child(to_be_signed, EXTENSIONS)?, SEQUENCE)?;
    let is_wanted = |extension: &&[u8]| child(extension, OBJECT_IDENTIFIER) == Some(SUBJECT_ALT_NAME);
    let extension = Elements(extensions).map(|(_, extension)| extension).find(is_wanted)?;
    child(child(extension, OCTET_STRING)?, SEQUENCE)
}

/// The content of the first element with this tag.
fn child(content: &[u8], tag: u8) -> Option<&[u8]> {
    Elements(content).find(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// The elements one behind the other: tag and content of each, up to an element that is cut off or is no DER.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, rest) = core::mem::take(&mut self.0).split_first()?;
        let (length, rest) = length(rest)?;
        let (content, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((tag, content))
    }
}

/// A length, and the octets behind (X.690 §8.1.3): in one octet, or in as many octets as the first octet says.
fn length(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = octets.split_first()?;
    let count = usize::from(first & 0x7f);
    if first & 0x80 == 0 {
        return Some((count, rest));
    }
    if !(1..=size_of::<u32>()).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits.iter().fold(0_u64, |length, &digit| length << 8 | u64::from(digit));
    Some((usize::try_from(length).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn certificate() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["a.test".into(), "x-.test".into(), "192.0.2.1".into(), "n".repeat(200)];
        rcgen::CertificateParams::new(names).expect("names").self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn names_are_found_in_their_order() {
        let certificate = certificate();
        let names: Vec<&[u8]> = dns_names(&certificate).collect();
        assert_eq!(names, [b"a.test", &b"x-.test"[..], &[b'n'; 200]]);
    }

    #[test]
    fn what_is_cut_off_or_changed_does_not_panic() {
        let certificate = certificate();
        for end in 0..certificate.len() {
            assert_eq!(dns_names(&certificate[..end]).count(), 0, "{end}");
            let mut changed = certificate.clone();
            changed[end] ^= 0xff;
            let _ = dns_names(&changed).count();
        }
    }
}

//! Names of servers, as TLS sends and verifies them: also those that rustls refuses and the web uses, such as `x-.example.test`,
//! `-x.example.test` and `a~b.example.test`.
//!
//! rustls takes the name of a server as a [`DnsName`], which holds host names of RFC 1035, with underscores, and nothing else. DNS resolves
//! more (RFC 2181 §11), URLs name more (RFC 3986 §3.2.2), and the certificates of such servers have a wildcard, or the very name. Over `http`
//! these names work; over `https` they do with other libraries. Here they are called *unusual*. [`server_name`] makes one, so that it is
//! sent as any other is (RFC 6066 §3). webpki matches no unusual name: [`is_for_unusual`] does.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod certificate;

use alloc::string::String;
use alloc::vec::Vec;
use rustls_pki_types::{CertificateDer, DnsName, ServerName};

/// The longest name that DNS has (RFC 1035 §2.3.4), as text.
const NAME_OCTETS_MAX: usize = 253;

/// The name, or the address without brackets, of a server. An unusual name loses the dot at its end, which TLS does not send.
///
/// `None`: it is empty, too long for DNS, or has an octet that is no visible ASCII.
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    match ServerName::try_from(host) {
        Ok(name) => Some(name.to_owned()),
        Err(_) => unusual(host.strip_suffix('.').unwrap_or(host)).map(ServerName::DnsName),
    }
}

/// Whether a certificate is for an unusual name. The chain must have been verified before; `false` for every other name, since webpki knows
/// whether it is for those.
pub fn is_for_unusual(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(name) if DnsName::try_from(name.as_ref()).is_err() => {
            certificate::dns_names(leaf).any(|presented| is_match(presented, name.as_ref().as_bytes()))
        }
        _ => false,
    }
}

/// Compares as RFC 9525 §6.3 does: without regard to case; `*` stands for one whole label, the leftmost, with two others behind it at least.
fn is_match(presented: &[u8], name: &[u8]) -> bool {
    let by_wildcard = || {
        let domain = presented.strip_prefix(b"*")?;
        let labels_end = name.iter().position(|&octet| octet == b'.').filter(|&end| end > 0)?;
        let behind = name.get(labels_end..)?;
        let has_two_labels = domain.iter().filter(|&&octet| octet == b'.').count() >= 2 && !domain.ends_with(b".");
        Some(has_two_labels && behind.eq_ignore_ascii_case(domain))
    };
    presented.eq_ignore_ascii_case(name) || by_wildcard() == Some(true)
}

/// A name that rustls refuses. rustls has no constructor without that check, and reads a name as text wherever it uses one. So
/// a usual name of the same length is made, and its octets are replaced.
#[allow(unsafe_code, reason = "rustls has no constructor for such names")]
fn unusual(name: &str) -> Option<DnsName<'static>> {
    if !(1..=NAME_OCTETS_MAX).contains(&name.len()) || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return None;
    }
    let mut stand_in = stand_in(name.len());
    let octets = stand_in.as_mut_ptr();
    let made = DnsName::try_from(String::from_utf8(stand_in).ok()?).ok()?;
    let is_there = core::ptr::eq(made.as_ref().as_ptr(), octets) && made.as_ref().len() == name.len();
    if !is_there {
        // Another release of the type has copied the octets.
        return None;
    }
    // SAFETY: `octets` is the start of the vector, taken by `Vec::as_mut_ptr`, which stays valid while the vector is moved and read. The
    // vector was moved into `made` and has not been copied: its text begins there and is as long. No reference to that text lives now. What is
    // written has the same length, and is ASCII, so that the text stays UTF-8. Neither rustls nor its types have unsafe code that relies
    // on what a name looks like.
    unsafe { octets.copy_from_nonoverlapping(name.as_ptr(), name.len()) };
    Some(made)
}

/// A usual name of so many octets: labels of one letter, the last of two where that is needed.
fn stand_in(octets: usize) -> Vec<u8> {
    (0..octets).map(|place| if place % 2 == 1 && place + 1 < octets { b'.' } else { b'a' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    const UNUSUAL: [&str; 9] =
        ["x-.example.test", "-x.example.test", "a~b.example.test", "-", "a..b", "1.2.3", "a!b", "host.123", "a--.b-"];

    fn text(name: &ServerName<'_>) -> String {
        match name {
            ServerName::DnsName(name) => String::from(name.as_ref()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn unusual_names_are_made_as_they_are() {
        for name in UNUSUAL {
            let made = server_name(name).expect(name);
            assert_eq!(text(&made), name);
            assert!(ServerName::try_from(name).is_err(), "{name} is usual");
            assert_eq!(text(&made.to_owned()), name);
        }
        assert_eq!(text(&server_name("x-.test.").expect("a dot at the end")), "x-.test");
    }

    #[test]
    fn every_length_has_a_stand_in() {
        for octets in 1..=NAME_OCTETS_MAX {
            let name = "~".repeat(octets);
            assert_eq!(text(&server_name(&name).expect("a name")), name);
        }
        assert!(server_name(&"~".repeat(NAME_OCTETS_MAX + 1)).is_none());
    }

    #[test]
    fn usual_names_and_addresses_stay_what_they_are() {
        for name in ["example.test", "a_b.test", "example.test.", "xn--a.test"] {
            assert_eq!(server_name(name), ServerName::try_from(name).ok().map(|name| name.to_owned()), "{name}");
        }
        for address in ["192.0.2.1", "2001:db8::1"] {
            assert!(matches!(server_name(address), Some(ServerName::IpAddress(_))), "{address}");
        }
        for refused in ["", ".", "a b", "b\u{fc}cher", "a\n", "a\0"] {
            assert!(server_name(refused).is_none(), "{refused:?}");
        }
    }

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(names.iter().map(|name| String::from(*name)).collect::<Vec<_>>());
        params.expect("names").self_signed(&key).expect("a certificate").der().clone()
    }

    fn is_for(names: &[&str], name: &str) -> bool {
        is_for_unusual(&certificate(names), &server_name(name).expect(name))
    }

    #[test]
    fn a_certificate_is_for_an_unusual_name_by_the_name_or_a_wildcard() {
        assert!(is_for(&["other.test", "X-.example.test"], "x-.Example.test"));
        for name in ["x-.example.test", "-x.example.test", "a~b.EXAMPLE.test"] {
            assert!(is_for(&["*.example.test"], name), "{name}");
            assert!(!is_for(&["*.example.net", "example.test", "*.test"], name), "{name}");
        }
        for (presented, name) in [
            ("*.example.test", "a.x-.example.test"),
            ("*.example.test", "example.test-"),
            ("*.test", "x-.test"),
            ("*.", "x-."),
            ("x*.example.test", "x-.example.test"),
            ("*", "x-"),
            ("*.a.b", ".a.b"),
            ("x-.example.test.evil.test", "x-.example.test"),
            ("192.0.2.1", "x-.example.test"),
        ] {
            assert!(!is_for(&[presented], name), "{presented} {name}");
        }
        assert!(!is_for(&[], "x-.example.test"));
    }

    #[test]
    fn usual_names_are_left_to_webpki() {
        assert!(!is_for(&["example.test"], "example.test") && !is_for(&["192.0.2.1"], "192.0.2.1"));
    }
}

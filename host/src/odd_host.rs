//! Hosts that the URL standard refuses and clients reach: a name with an A-label that is none (`xn--a.example.test`), an IPv6 address with a
//! zone (RFC 6874).

use std::net::Ipv6Addr;
use std::ops::Range;

use url::{Host, ParseError, Url};

/// Stands in a URL for a host that the standard refuses.
const STAND_IN: &str = "host.invalid";

/// A host as it is compared and looked up: in lower case and Punycode. A name in ASCII that Punycode cannot be undone of stays as it is.
///
/// # Errors
/// It is neither a name nor an address.
pub(crate) fn parse_host(text: &str) -> Result<Host<String>, ParseError> {
    match Host::parse(text) {
        Err(ParseError::IdnaError) if is_plain_name(text) => Ok(Host::Domain(text.to_ascii_lowercase())),
        parsed => parsed,
    }
}

/// Of what a URL has in a host, without anything that is encoded (RFC 3986 §3.2.2).
fn is_plain_name(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&octet))
}

/// A URL, and the host that does not stand in it because the standard refuses it.
pub(crate) type Parsed = (Url, Option<String>);

/// Parses a URL.
///
/// # Errors
/// Why it cannot be parsed, as a clause.
pub(crate) fn parse_url(text: &str) -> Result<Parsed, &'static str> {
    let error = match Url::parse(text) {
        Ok(url) => return Ok((url, None)),
        Err(error) => error,
    };
    let odd = host_of(text).and_then(|place| Some((odd_host(&text[place.clone()])?, place)));
    let Some((host, place)) = odd else {
        return Err(reason_of(error));
    };
    let host = host?;
    let usual = format!("{}{STAND_IN}{}", &text[..place.start], &text[place.end..]);
    match Url::parse(&usual) {
        Ok(url) => Ok((url, Some(host))),
        Err(error) => Err(reason_of(error)),
    }
}

/// Where the host of a URL stands, an IPv6 address with its brackets.
fn host_of(url: &str) -> Option<Range<usize>> {
    let begin = url.find("://")? + "://".len();
    let end = url[begin..].find(['/', '\\', '?', '#']).map_or(url.len(), |length| begin + length);
    let begin = url[begin..end].rfind('@').map_or(begin, |length| begin + length + 1);
    let authority = &url[begin..end];
    let length = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    Some(begin..begin + length)
}

/// The host, if it is one that only the standard refuses.
fn odd_host(text: &str) -> Option<Result<String, &'static str>> {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let (address, zone) = address.split_once('%')?;
        // RFC 6874 has the percent sign encoded; people write it as it is.
        let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
        return Some(scoped(address, zone));
    }
    match Host::parse(text) {
        Err(ParseError::IdnaError) if is_plain_name(text) => Some(Ok(text.to_ascii_lowercase())),
        _ => None,
    }
}

/// An IPv6 address whose zone (RFC 4007 §11) is a number or the name of an interface of this machine, such as `fe80::1%eth0`, as an
/// [`Endpoint`](crate::Endpoint) takes it: with the number, such as `fe80::1%2`. Zone 0 is none, and is left out.
///
/// # Errors
/// Why not, as a clause.
pub fn scoped_address(text: &str) -> Result<String, &'static str> {
    let (address, zone) = text.split_once('%').ok_or("it has no zone")?;
    scoped(address, zone)
}

fn scoped(address: &str, zone: &str) -> Result<String, &'static str> {
    let address: Ipv6Addr = address.parse().map_err(|_| "only an IPv6 address can have a zone, such as fe80::1%eth0")?;
    let is_number = !zone.is_empty() && zone.bytes().all(|octet| octet.is_ascii_digit());
    let number = if is_number { zone.parse().ok() } else { interface_number(zone) };
    match number {
        Some(0) => Ok(address.to_string()),
        Some(number) => Ok(format!("{address}%{number}")),
        None => Err("its zone names no network interface of this machine"),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn interface_number(name: &str) -> Option<u32> {
    // Any socket can be asked.
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    rustix::net::netdevice::name_to_index(&socket, name).ok()
}

/// Only by its number: nothing that we depend on asks these systems.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn interface_number(_: &str) -> Option<u32> {
    None
}

/// Why a URL cannot be parsed, in words that say what to change.
fn reason_of(error: ParseError) -> &'static str {
    match error {
        ParseError::RelativeUrlWithoutBase => "it has no scheme, such as http://",
        ParseError::EmptyHost => "it names no host",
        ParseError::InvalidPort => "its port is not a number up to 65535",
        ParseError::InvalidIpv4Address => "its host looks like an IPv4 address and is none",
        ParseError::InvalidIpv6Address => "its host looks like an IPv6 address and is none",
        ParseError::InvalidDomainCharacter | ParseError::IdnaError => "its host is no valid name",
        // The enum is declared open by its crate.
        _ => "it is malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host, and the URL with the stand-in.
    fn odd(url: &str) -> Option<(String, String)> {
        let (parsed, host) = parse_url(url).expect(url);
        Some((host?, parsed.to_string()))
    }

    #[test]
    fn what_the_standard_takes_is_left_alone() {
        for url in
            ["http://example.com/", "http://[::1]:80/", "http://u@b\u{fc}cher.example:8/?q", "http://xn--bcher-kva.example/"]
        {
            assert_eq!(odd(url), None, "{url}");
        }
    }

    #[test]
    fn a_label_that_is_no_punycode_stays_as_it_is() {
        for (url, host, usual) in [
            ("http://xn--a.Example.test/p?q#f", "xn--a.example.test", "http://host.invalid/p?q#f"),
            ("https://u:p@xn--a.test:8080", "xn--a.test", "https://u:p@host.invalid:8080/"),
        ] {
            assert_eq!(odd(url), Some((host.to_owned(), usual.to_owned())), "{url}");
        }
        assert_eq!(parse_host("XN--a.test"), Ok(Host::Domain("xn--a.test".to_owned())));
        for refused in ["xn--a b", "xn--a%41", "xn--\u{fc}"] {
            assert!(parse_host(refused).is_err(), "{refused}");
            assert!(parse_url(&format!("http://{refused}/")).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_zone_is_a_number_or_an_interface() {
        let loopback = interface_number("lo").map(|number| format!("fe80::1%{number}"));
        for (url, host) in [
            ("http://[fe80::1%253]/", "fe80::1%3"),
            ("http://[FE80::0:1%3]:8080/", "fe80::1%3"),
            ("http://[fe80::1%25]/", "fe80::1%25"),
            ("http://[fe80::1%250]/", "fe80::1"),
        ] {
            assert_eq!(odd(url).map(|(host, _)| host).as_deref(), Some(host), "{url}");
        }
        if loopback.is_some() {
            for url in ["http://[fe80::1%25lo]/", "http://[fe80::1%lo]/"] {
                assert_eq!(odd(url).map(|(host, _)| host), loopback, "{url}");
            }
        }
        for (url, reason) in [
            ("http://[fe80::1%25no-such-if]/", "its zone names no network interface of this machine"),
            ("http://[fe80::1%]/", "its zone names no network interface of this machine"),
            ("http://[fe80::1%4294967296]/", "its zone names no network interface of this machine"),
            ("http://[fe80::x%251]/", "only an IPv6 address can have a zone, such as fe80::1%eth0"),
            ("http://[127.0.0.1%251]/", "only an IPv6 address can have a zone, such as fe80::1%eth0"),
            ("http://[fe80::1%251]:x/", "its port is not a number up to 65535"),
        ] {
            assert_eq!(parse_url(url), Err(reason), "{url}");
        }
        assert_eq!(scoped_address("fe80::1%7"), Ok("fe80::1%7".to_owned()));
        assert!(scoped_address("fe80::1").is_err());
    }
}

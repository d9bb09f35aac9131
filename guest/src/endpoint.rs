//! Where a connection leads.

use crate::abnf::{decimal, is_reg_name, push_number};
use crate::address::{self, Address, parse_v6};
use crate::types::{Endpoint, Error, Misuse};
use alloc::string::String;
use alloc::vec::Vec;

/// Addresses of one name that are tried; a name with more is tried with its first.
pub const ADDRESSES_MAX: usize = 32;

/// Checks an endpoint; gives the addresses that it names itself.
///
/// Errors: `api-misuse(invalid-endpoint)`.
pub fn check(endpoint: &Endpoint) -> Result<Vec<Address>, Error> {
    if endpoint.port == 0 || !is_authority(&authority(endpoint), false) {
        return Err(Error::ApiMisuse(Misuse::InvalidEndpoint));
    }
    let mut addresses = parse_addresses(&endpoint.addresses)?;
    if addresses.is_empty() {
        addresses.extend(parse_address(&endpoint.host));
    }
    Ok(addresses)
}

/// Addresses as a caller writes them.
///
/// Errors: `api-misuse(invalid-endpoint)`, also for too many.
pub fn parse_addresses(texts: &[String]) -> Result<Vec<Address>, Error> {
    let invalid = Error::ApiMisuse(Misuse::InvalidEndpoint);
    if texts.len() > ADDRESSES_MAX {
        return Err(invalid);
    }
    texts.iter().map(|text| parse_address(text).ok_or(invalid)).collect()
}

/// The authority of an endpoint: the `Host` of its requests (RFC 9110 §7.2). An IPv6 address stands in brackets, without a zone, which means
/// nothing to the server (RFC 6874 §4); the default port is left out.
pub fn authority(endpoint: &Endpoint) -> String {
    let host = without_zone(bare(&endpoint.host));
    let default_port = if endpoint.tls.is_some() { 443 } else { 80 };
    let mut out = Vec::with_capacity(host.len() + "[]:65535".len());
    let brackets: (&[u8], &[u8]) = if host.bytes().any(|octet| octet == b':') { (b"[", b"]") } else { (b"", b"") };
    out.extend_from_slice(brackets.0);
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(brackets.1);
    if endpoint.port != default_port {
        out.push(b':');
        push_number::<10>(endpoint.port.into(), &mut out);
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Whether this is an authority.
///
/// ```abnf
/// Host     = uri-host [ ":" port ]
/// uri-host = IP-literal / IPv4address / reg-name
/// ```
/// RFC 9110 §7.2, RFC 3986 §3.2.2. Neither part is empty, the port is at most 65535, and there is no userinfo: none is ever sent
/// (RFC 9110 §4.2.4). `with_port`: it is an authority-form target, which has a port (RFC 9112 §3.2.3), and none can connect to 0.
pub fn is_authority(authority: &str, with_port: bool) -> bool {
    let octets = authority.as_bytes();
    let find = |wanted: u8| octets.iter().position(|octet| *octet == wanted);
    let (host_is_good, port) = if octets.first() == Some(&b'[') {
        let Some(end) = find(b']') else { return false };
        let address = octets.get(1..end).unwrap_or_default();
        (parse_v6(address).is_some(), octets.get(end + 1..).unwrap_or_default())
    } else {
        let (host, port) = octets.split_at(find(b':').unwrap_or(octets.len()));
        (is_reg_name(host), port)
    };
    let port_is_good = match port {
        [] => !with_port,
        [b':', digits @ ..] => decimal(digits).is_some_and(|port| port <= 65_535 && (port > 0 || !with_port)),
        _ => false,
    };
    host_is_good && port_is_good
}

/// Whether this is a host: a registered name or an address.
pub fn is_host(host: &str) -> bool {
    let endpoint = Endpoint { host: String::from(host), port: 80, addresses: Vec::new(), tls: None };
    is_authority(&authority(&endpoint), false)
}

/// A host without the brackets that an IPv6 address may have.
pub fn bare(host: &str) -> &str {
    match host.as_bytes() {
        [b'[', .., b']'] => host.get(1..host.len() - 1).unwrap_or(host),
        _ => host,
    }
}

/// A host without the zone that an IPv6 address may have.
pub fn without_zone(host: &str) -> &str {
    match host.split_once('%') {
        Some((address, _)) if address::parse(host.as_bytes()).is_some() => address,
        _ => host,
    }
}

fn parse_address(text: &str) -> Option<Address> {
    address::parse(bare(text).as_bytes())
}

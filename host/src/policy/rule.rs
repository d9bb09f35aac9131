//! Rules: their form, and the names and addresses that they admit.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use url::Host;

use crate::error::HostError;
use crate::odd_host;
use crate::unix_socket::UnixSocket;

/// One thing that may be reached.
///
/// | written | admits |
/// |---|---|
/// | `example.com:443` | that name, and what it resolves to, at port 443 |
/// | `example.com`, `example.com:*` | the same, at every port |
/// | `*.example.com:443` | every name below `example.com`, at any depth, but not `example.com` |
/// | `192.0.2.1:80`, `[2001:db8::1]:80` | that address |
/// | `2001:db8::1` | that address, at every port |
/// | `10.0.0.0/8:80`, `[2001:db8::/32]:80`, `2001:db8::/32` | every address of the network |
/// | `unix:/run/x.sock`, `unix:@name` | that Unix socket, by its path or its abstract name, where [`Policy::unix_socket`](super::Policy::unix_socket) leads to it |
///
/// Names are compared without regard to case and to a dot at the end; international names in their Punycode form. An
/// IPv4 address also stands for the IPv6 address that it is mapped to. A rule for an address admits the address on every interface: a rule has no zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    what: What,
    /// `None`: every port.
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Name(String),
    Below(String),
    Network(Network),
    Unix(UnixSocket),
}

/// The addresses that share the first `prefix` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

impl Rule {
    pub(super) fn admits_name(&self, name: &str) -> bool {
        match &self.what {
            What::Name(allowed) => allowed == name,
            What::Below(domain) => name.strip_suffix(domain.as_str()).is_some_and(|host| host.len() > 1 && host.ends_with('.')),
            What::Network(_) | What::Unix(_) => false,
        }
    }

    pub(super) fn admits_address(&self, ip: IpAddr, port: u16) -> bool {
        match &self.what {
            What::Name(_) | What::Below(_) | What::Unix(_) => false,
            What::Network(network) => network.contains(ip) && self.admits_port(port),
        }
    }

    pub(super) fn admits_unix_socket(&self, socket: &UnixSocket) -> bool {
        matches!(&self.what, What::Unix(allowed) if allowed == socket)
    }

    pub(super) fn admits_port(&self, port: u16) -> bool {
        self.port.is_none_or(|allowed| allowed == port)
    }
}

impl FromStr for Rule {
    type Err = HostError;

    /// Reads a rule as the table above writes it.
    ///
    /// # Errors
    /// [`HostError::InvalidRule`].
    fn from_str(rule: &str) -> Result<Self, HostError> {
        let refuse = |reason| HostError::InvalidRule { rule: rule.to_owned(), reason };
        if let Some(socket) = rule.strip_prefix("unix:") {
            return match socket {
                "" | "@" => Err(refuse("it names no Unix socket; write unix:PATH or unix:@NAME")),
                socket => Ok(Self::from(socket.parse::<UnixSocket>().unwrap_or_else(|never| match never {}))),
            };
        }
        let (host, port) = split_port(rule).map_err(refuse)?;
        let what = What::parse(host).map_err(refuse)?;
        Ok(Self { what, port })
    }
}

/// The rule that admits it.
impl From<UnixSocket> for Rule {
    fn from(socket: UnixSocket) -> Self {
        Self { what: What::Unix(socket), port: None }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Name(name) => f.write_str(name)?,
            What::Below(domain) => write!(f, "*.{domain}")?,
            What::Network(network) => network.fmt(f)?,
            What::Unix(socket) => write!(f, "unix:{socket}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Takes `:port` off the end, and the brackets off what is before it.
fn split_port(rule: &str) -> Result<(&str, Option<u16>), &'static str> {
    if rule.contains("://") {
        return Err("it is a URL; write HOST:PORT");
    }
    if let Some(rest) = rule.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
        refuse_zone(host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, parse_port(port)?)),
            None if after.is_empty() => Ok((host, None)),
            None => Err("after the bracket comes nothing but a colon and a port"),
        };
    }
    match rule.split_once(':') {
        // More than one colon: an IPv6 address, which has a port only when it is in brackets.
        Some((_, rest)) if rest.contains(':') => refuse_zone(rule).map(|()| (rule, None)),
        Some((host, port)) => Ok((host, parse_port(port)?)),
        None => Ok((rule, None)),
    }
}

/// A rule that seemed to admit an address on one interface, and admitted it on all, would admit too much.
fn refuse_zone(address: &str) -> Result<(), &'static str> {
    if address.contains('%') { Err("a rule admits an address on every interface; leave the zone out") } else { Ok(()) }
}

fn parse_port(port: &str) -> Result<Option<u16>, &'static str> {
    if port == "*" {
        return Ok(None);
    }
    // `from_str` would take a plus sign.
    let digits = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok(Some(number)),
        _ => Err("the port is not a number from 1 to 65535, nor *"),
    }
}

impl What {
    fn parse(host: &str) -> Result<Self, &'static str> {
        if let Some((address, prefix)) = host.split_once('/') {
            return Network::parse(address, prefix).map(Self::Network);
        }
        if let Ok(address) = host.parse::<Ipv6Addr>() {
            return Ok(Self::Network(Network::of(IpAddr::V6(address).to_canonical())));
        }
        if let Some(domain) = host.strip_prefix("*.") {
            return match parse_host(domain)? {
                Host::Domain(domain) => Ok(Self::Below(domain)),
                Host::Ipv4(_) | Host::Ipv6(_) => Err("an address has nothing below it; write a network, such as 10.0.0.0/8"),
            };
        }
        match parse_host(host)? {
            Host::Domain(name) => Ok(Self::Name(name)),
            Host::Ipv4(address) => Ok(Self::Network(Network::of(IpAddr::V4(address)))),
            Host::Ipv6(address) => Ok(Self::Network(Network::of(IpAddr::V6(address).to_canonical()))),
        }
    }
}

/// A host as it is compared: in lower case and Punycode, without a dot at the end. What only looks unlike an IPv4
/// address (`127.1`, `0x7f000001`) becomes one.
fn parse_host(host: &str) -> Result<Host<String>, &'static str> {
    match odd_host::parse_host(host.strip_suffix('.').unwrap_or(host)) {
        Ok(Host::Domain(name)) if name.is_empty() || name.contains('*') => Err("it names no host"),
        Ok(host) => Ok(host),
        Err(_) => Err("it is neither a host name nor an address"),
    }
}

/// The form in which names are compared. A text that is no name is returned unchanged, and no rule admits it.
pub(super) fn canonical_name(name: &str) -> String {
    match parse_host(name) {
        Ok(host) => host.to_string(),
        Err(_) => name.to_owned(),
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        Self { address, prefix: bits_of(address) }
    }

    fn parse(address: &str, prefix: &str) -> Result<Self, &'static str> {
        let address: IpAddr = address.parse().map_err(|_| "before the slash comes an IPv4 or IPv6 address")?;
        let digits = !prefix.is_empty() && prefix.bytes().all(|octet| octet.is_ascii_digit());
        match prefix.parse::<u8>() {
            Ok(prefix) if digits && prefix <= bits_of(address) => Self { address, prefix }.checked(),
            _ => Err("after the slash comes the length of the network's prefix, 0 to 32 or to 128 bits"),
        }
    }

    /// A network is written with zeros behind its prefix; anything else is a mistake in one of the two numbers.
    fn checked(self) -> Result<Self, &'static str> {
        match self.address {
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Err("write the IPv4 network itself"),
            address if leading_bits(address, self.prefix) == whole_bits(address) => Ok(self),
            _ => Err("the address has bits set behind the prefix"),
        }
    }

    /// `ip` in its canonical form, IPv4 where it can be.
    pub(super) fn contains(self, ip: IpAddr) -> bool {
        self.address.is_ipv4() == ip.is_ipv4() && leading_bits(ip, self.prefix) == whole_bits(self.address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.address.is_ipv6() { ("[", "]") } else { ("", "") };
        match self.prefix == bits_of(self.address) {
            true => write!(f, "{open}{}{close}", self.address),
            false => write!(f, "{open}{}/{}{close}", self.address, self.prefix),
        }
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn whole_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with zeros behind the first `prefix` bits.
fn leading_bits(address: IpAddr, prefix: u8) -> u128 {
    let behind = u32::from(bits_of(address).saturating_sub(prefix));
    // A shift by all 128 bits is not defined.
    whole_bits(address).checked_shr(behind).and_then(|bits| bits.checked_shl(behind)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_back_as_they_are_meant() {
        let cases = [
            ("Example.COM:443", "example.com:443"),
            ("example.com.", "example.com"),
            ("example.com:*", "example.com"),
            ("*.Example.com:80", "*.example.com:80"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("127.1", "127.0.0.1"),
            ("0x7f000001:80", "127.0.0.1:80"),
            ("2001:DB8::1", "[2001:db8::1]"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("[::1]", "[::1]"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8:80", "10.0.0.0/8:80"),
            ("0.0.0.0/0:443", "0.0.0.0/0:443"),
            ("2001:db8::/32", "[2001:db8::/32]"),
            ("[2001:db8::/32]:80", "[2001:db8::/32]:80"),
            ("[::/0]:80", "[::/0]:80"),
            ("xn--A.example:80", "xn--a.example:80"),
            ("unix:/run/X.sock", "unix:/run/X.sock"),
            ("unix:@name:80", "unix:@name:80"),
        ];
        for (written, meant) in cases {
            let rule: Rule = written.parse().expect(written);
            assert_eq!(rule.to_string(), meant, "{written}");
            assert_eq!(meant.parse::<Rule>().expect(meant), rule, "{written}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let cases = [
            "",
            ":80",
            "*",
            "*:80",
            "*.",
            "*.*.a",
            "a:0",
            "a:+80",
            "a:65536",
            "a:",
            "a:http",
            "a b",
            "a/b:80",
            "http://a/",
            "http://a:80",
            "[::1",
            "[::1]80",
            "[::1]:",
            "::1:x",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "[2001:db8::1/32]",
            "[2001:db8::/129]",
            "*.127.0.0.1",
            "[::ffff:10.0.0.0/104]",
            "256.0.0.1",
            "unix:",
            "unix:@",
            "fe80::1%1",
            "[fe80::1%eth0]:80",
        ];
        for written in cases {
            match written.parse::<Rule>() {
                Err(HostError::InvalidRule { rule, reason }) => assert!(rule == written && !reason.is_empty()),
                other => panic!("{written}: {other:?}"),
            }
        }
    }
}

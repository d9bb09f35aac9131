//! Addresses as they are usually written, and read. The formatting of the standard library would be a thirtieth of the component, its
//! parsing a sixtieth.

use crate::abnf::{decimal, hex_digit, push_number};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address, and the interface that leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The number of the interface, which a link-local address means nothing without (RFC 4007 §6); 0: none is named.
    pub scope: u32,
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        Address { ip, scope: 0 }
    }
}

impl Address {
    /// The address with a port.
    pub fn with_port(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, port)),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.scope)),
        }
    }
}

/// An address without a port or brackets, of either family. An IPv6 address may have a zone: `%`, and the number of an interface (RFC 4007
/// §11). Names of interfaces are for the host to look up.
pub fn parse(text: &[u8]) -> Option<Address> {
    match text.iter().position(|&octet| octet == b'%') {
        None => parse_v4(text).map(IpAddr::V4).or_else(|| parse_v6(text).map(IpAddr::V6)).map(Address::from),
        Some(end) => {
            let (ip, zone) = (parse_v6(text.get(..end)?)?, decimal(text.get(end + 1..)?)?);
            Some(Address { ip: IpAddr::V6(ip), scope: u32::try_from(zone).ok()? })
        }
    }
}

/// ```abnf
/// IPv4address = dec-octet "." dec-octet "." dec-octet "." dec-octet
/// ```
/// RFC 3986 §3.2.2: no leading zeros.
fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|&octet| octet == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.len() > 1 && part.first() == Some(&b'0') {
            return None;
        }
        *octet = u8::try_from(decimal(part)?).ok()?;
    }
    parts.next().is_none().then_some(Ipv4Addr::from(octets))
}

/// `IPv6address` of RFC 3986 §3.2.2: eight groups, or fewer with one `::` for those that are left out, at least one; an IPv4 address may
/// stand for the last two.
pub fn parse_v6(text: &[u8]) -> Option<Ipv6Addr> {
    const GROUPS: usize = 8;
    let (mut groups, mut count) = ([0; GROUPS], 0);
    // Where groups are left out.
    let mut gap = None;
    let mut rest = text;
    if let [b':', b':', behind @ ..] = rest {
        (gap, rest) = (Some(0), behind);
    }
    while !rest.is_empty() {
        let end = rest.iter().position(|&octet| octet == b':').unwrap_or(rest.len());
        let (group, behind) = rest.split_at_checked(end)?;
        if let ([], Some(last)) = (behind, parse_v4(group)) {
            let [a, b, c, d] = last.octets();
            *groups.get_mut(count)? = u16::from_be_bytes([a, b]);
            count += 1;
            *groups.get_mut(count)? = u16::from_be_bytes([c, d]);
        } else {
            *groups.get_mut(count)? = parse_group(group)?;
        }
        count += 1;
        rest = match behind {
            [] => &[],
            [b':', b':', behind @ ..] if gap.is_none() => {
                gap = Some(count);
                behind
            }
            [b':', behind @ ..] if !behind.is_empty() => behind,
            _ => return None,
        };
    }
    let left_out = GROUPS - count;
    if gap.is_some() != (left_out > 0) {
        return None;
    }
    let mut segments = [0; GROUPS];
    for (group, place) in groups.into_iter().take(count).zip(0..) {
        let shifted = if gap.is_some_and(|gap| place >= gap) { place + left_out } else { place };
        *segments.get_mut(shifted)? = group;
    }
    Some(Ipv6Addr::from(segments))
}

/// ```abnf
/// h16 = 1*4HEXDIG
/// ```
fn parse_group(digits: &[u8]) -> Option<u16> {
    if !(1..=4).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |group, &digit| Some(group << 4 | u16::from(hex_digit(digit)?)))
}

/// An address and a port; an IPv6 address stands in brackets, with its zone if it has one.
pub fn text(address: SocketAddr) -> String {
    let mut out = Vec::new();
    match address {
        SocketAddr::V4(v4) => {
            for (octet, place) in v4.ip().octets().into_iter().zip(0..) {
                if place > 0 {
                    out.push(b'.');
                }
                push_number::<10>(octet.into(), &mut out);
            }
        }
        SocketAddr::V6(v6) => {
            out.push(b'[');
            push_v6(v6.ip().segments(), &mut out);
            if v6.scope_id() != 0 {
                out.push(b'%');
                push_number::<10>(v6.scope_id().into(), &mut out);
            }
            out.push(b']');
        }
    }
    out.push(b':');
    push_number::<10>(address.port().into(), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// The longest run of zeros, the first of several, is left out when it is longer than one (RFC 5952 §4). An IPv4 address in it is not
/// written as one.
fn push_v6(segments: [u16; 8], out: &mut Vec<u8>) {
    let (from, to) = longest_zeros(&segments);
    for (segment, place) in segments.into_iter().zip(0..) {
        if (from..to).contains(&place) {
            if place == from {
                out.extend_from_slice(b"::");
            }
            continue;
        }
        if place > 0 && place != to {
            out.push(b':');
        }
        push_number::<16>(segment.into(), out);
    }
}

fn longest_zeros(segments: &[u16; 8]) -> (usize, usize) {
    // Beyond the end: no run.
    let (mut best, mut begin) = ((9, 9), 0);
    for (segment, place) in segments.iter().zip(0..) {
        if *segment != 0 {
            begin = place + 1;
        } else if place + 1 - begin > (best.1 - best.0).max(1) {
            best = (begin, place + 1);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        let v4 = ["0.0.0.0:1", "127.0.0.1:80", "255.10.9.100:65535"];
        for address in v4.map(|text| text.parse::<SocketAddr>().expect("an address")) {
            assert_eq!(text(address), address.to_string());
        }
        // Every pattern of zeros.
        for zeros in 0..=255_u16 {
            let segments =
                core::array::from_fn(|place| if zeros >> place & 1 == 1 { 0 } else { 0xa0 + u16::try_from(place).unwrap_or(0) });
            let address = SocketAddr::from((Ipv6Addr::from(segments), 443));
            // The standard library writes these two forms with an IPv4 address at the end.
            if !matches!(segments, [0, 0, 0, 0, 0, 0 | 0xffff, ..]) || segments == [0; 8] {
                assert_eq!(text(address), address.to_string());
            }
        }
        let scoped = "[fe80::1%4294967295]:443".parse().expect("an address");
        assert_eq!(text(scoped), scoped.to_string());
    }

    #[test]
    fn a_zone_is_the_number_of_an_interface() {
        let parse = |text: &str| parse(text.as_bytes());
        let ip = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
        for (zone, scope) in [("1", 1), ("0", 0), ("4294967295", u32::MAX)] {
            assert_eq!(parse(&std::format!("fe80::1%{zone}")), Some(Address { ip, scope }));
        }
        for refused in ["fe80::1%", "fe80::1%eth0", "fe80::1%-1", "fe80::1%4294967296", "fe80::1%1%1", "127.0.0.1%1", "%1"] {
            assert_eq!(parse(refused), None, "{refused}");
        }
    }

    /// As the standard library reads it.
    fn check(text: &str) {
        assert_eq!(parse(text.as_bytes()).map(|address| address.ip), text.parse().ok(), "{text:?}");
        assert_eq!(parse_v6(text.as_bytes()), text.parse().ok(), "{text:?}");
    }

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.0.1",
            "01.2.3.4",
            "00.0.0.0",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            "+1.2.3.4",
            "1.2.3.4 ",
            "",
            ":",
            "::",
            ":::",
            "::1",
            "1::",
            "1:::2",
            "::1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1::3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "12345::",
            "g::",
            "::1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::1.2.3",
            "1.2.3.4::",
            "::1.2.3.4:5",
            "FFFF::abcd",
            "[::1]",
            ":1",
            "1:",
            "1:2",
            "a.b::",
        ] {
            check(text);
        }
    }

    #[test]
    fn texts_of_the_octets_of_addresses_are_read_as_the_standard_library_reads_them() {
        const PARTS: [&str; 12] = [":", "::", ":", ".", "0", "1", "00", "fF", "1234", "12345", "255", "1.2.3.4"];
        let mut state = 1_u64;
        let mut good = 0;
        for _ in 0..200_000 {
            let mut text = String::new();
            for _ in 0..(state >> 60) + 1 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PARTS[usize::try_from(state >> 33).unwrap_or_default() % PARTS.len()]);
            }
            check(&text);
            good += u32::from(parse(text.as_bytes()).is_some());
        }
        assert!(good > 1_000, "{good} addresses");
    }
}

//! Addresses as they are usually written. The formatting of the standard library would be a thirtieth of the component.

use crate::h1::encode::push_number;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// An address and a port; an IPv6 address stands in brackets.
pub fn text(address: SocketAddr) -> String {
    let mut out = Vec::new();
    match address.ip() {
        IpAddr::V4(v4) => {
            for (octet, place) in v4.octets().into_iter().zip(0..) {
                if place > 0 {
                    out.push(b'.');
                }
                push_number::<10>(octet.into(), &mut out);
            }
        }
        IpAddr::V6(v6) => {
            out.push(b'[');
            push_v6(v6.segments(), &mut out);
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
    use super::text;
    use core::net::{Ipv6Addr, SocketAddr};
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
    }
}

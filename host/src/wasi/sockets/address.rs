//! Which addresses a socket can be bound or connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use wasmtime_wasi::p2::bindings::sockets::network::IpAddressFamily;

pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !address.is_multicast() && address != Ipv4Addr::BROADCAST,
        IpAddr::V6(address) => !address.is_multicast(),
    }
}

pub(super) fn is_remote(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_unspecified() && address.port() != 0
}

/// An IPv6 address that stands for an IPv4 one is of neither: whether it works depends on the system.
pub(super) fn is_of_family(address: IpAddr, family: IpAddressFamily) -> bool {
    match address {
        IpAddr::V4(_) => family == IpAddressFamily::Ipv4,
        IpAddr::V6(address) => {
            let is_plain = address.to_ipv4().is_none() || [Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST].contains(&address);
            family == IpAddressFamily::Ipv6 && is_plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_one_family() {
        let is_of = |address: &str, family| is_of_family(address.parse().unwrap(), family);
        assert!(is_of("192.0.2.1", IpAddressFamily::Ipv4));
        assert!(!is_of("192.0.2.1", IpAddressFamily::Ipv6));
        for plain in ["2001:db8::1", "::1", "::"] {
            assert!(is_of(plain, IpAddressFamily::Ipv6), "{plain}");
            assert!(!is_of(plain, IpAddressFamily::Ipv4), "{plain}");
        }
        for mapped in ["::ffff:192.0.2.1", "::192.0.2.1"] {
            assert!(!is_of(mapped, IpAddressFamily::Ipv6), "{mapped}");
        }
    }

    #[test]
    fn nobody_connects_to_many_or_to_nothing() {
        assert!(!is_unicast("224.0.0.1".parse().unwrap()) && !is_unicast("::ffff:224.0.0.1".parse().unwrap()));
        assert!(!is_unicast("255.255.255.255".parse().unwrap()) && !is_unicast("ff02::1".parse().unwrap()));
        assert!(!is_remote("0.0.0.0:80".parse().unwrap()) && !is_remote("[::]:80".parse().unwrap()));
        assert!(!is_remote("192.0.2.1:0".parse().unwrap()) && is_remote("192.0.2.1:1".parse().unwrap()));
    }
}

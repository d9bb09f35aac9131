//! `-4` and `-6`: addresses of one family.

use std::net::IpAddr;

use sandpiper_host::types::Endpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn has(self, address: IpAddr) -> bool {
        // An IPv6 address that stands for an IPv4 address leads to that one.
        address.to_canonical().is_ipv4() == (self == Self::V4)
    }

    fn name(self) -> &'static str {
        match self {
            Self::V4 => "-4: IPv4",
            Self::V6 => "-6: IPv6",
        }
    }

    /// The endpoint with the addresses of the family alone, where it has some.
    ///
    /// # Errors
    /// A sentence: it has addresses, and none of the family.
    pub(crate) fn restrict(self, endpoint: Endpoint) -> Result<Endpoint, String> {
        let refuse = |address: &str| Err(format!("{} is asked for, and {address} is no such address", self.name()));
        if endpoint.addresses.is_empty() {
            return match parse(&endpoint.host) {
                Some(address) if !self.has(address) => refuse(&endpoint.host),
                _ => Ok(endpoint),
            };
        }
        let has = |address: &&String| parse(address).is_none_or(|address| self.has(address));
        let addresses: Vec<String> = endpoint.addresses.iter().filter(has).cloned().collect();
        match addresses.is_empty() {
            true => refuse(&endpoint.addresses.join(", ")),
            false => Ok(Endpoint { addresses, ..endpoint }),
        }
    }
}

/// An address, without its brackets and its zone (RFC 4007 §11).
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(['[', ']']);
    match text.split_once('%') {
        Some((address, _)) => address.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restricted(family: Family, host: &str, addresses: &[&str]) -> Result<String, String> {
        let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        let endpoint = Endpoint { addresses, ..Endpoint::plain(host, 80) };
        family.restrict(endpoint).map(|endpoint| endpoint.addresses.join(" "))
    }

    #[test]
    fn only_addresses_of_the_family_remain() {
        assert_eq!(restricted(Family::V4, "h", &[]), Ok(String::new()));
        assert_eq!(restricted(Family::V4, "h", &["::1", "10.0.0.1", "::ffff:10.0.0.2"]), Ok("10.0.0.1 ::ffff:10.0.0.2".into()));
        assert_eq!(restricted(Family::V6, "h", &["::1", "10.0.0.1"]), Ok("::1".into()));
        assert!(restricted(Family::V6, "127.0.0.1", &[]).unwrap_err().contains("-6: IPv6 is asked for, and 127.0.0.1"));
        for scoped in ["fe80::1%1", "[fe80::1%1]"] {
            assert!(restricted(Family::V4, scoped, &[]).unwrap_err().contains("-4: IPv4 is asked for, and"), "{scoped}");
            assert_eq!(restricted(Family::V6, scoped, &[]), Ok(String::new()));
        }
        assert_eq!(restricted(Family::V4, "h", &["fe80::1%1", "10.0.0.1"]), Ok("10.0.0.1".into()));
        assert_eq!(restricted(Family::V6, "h", &["fe80::1%1", "10.0.0.1"]), Ok("fe80::1%1".into()));
        assert!(restricted(Family::V4, "[::1]", &[]).is_err() && restricted(Family::V4, "h", &["::1"]).is_err());
    }
}

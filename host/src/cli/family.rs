//! `-4` and `-6`: addresses of one family.

use std::io;
use std::net::IpAddr;

use sandpiper_host::types::Endpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, address: IpAddr) -> bool {
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
        let parse = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
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

    /// The addresses of the family that this machine's resolver has for a name.
    ///
    /// # Errors
    /// Those of the resolver.
    pub(crate) async fn look_up(self, name: String) -> io::Result<Vec<IpAddr>> {
        let answers = tokio::net::lookup_host((name, 0)).await?;
        Ok(answers.map(|address| address.ip()).filter(|&address| self.has(address)).collect())
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
        assert!(restricted(Family::V4, "[::1]", &[]).is_err() && restricted(Family::V4, "h", &["::1"]).is_err());
    }
}

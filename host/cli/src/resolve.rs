//! `--resolve`: addresses that are used instead of a lookup.

use std::net::IpAddr;
use std::str::FromStr;

use sandpiper_host::scoped_address;
use sandpiper_host::types::Endpoint;

use super::target::parse_host_port;

/// As many as an endpoint takes.
const ADDRESSES_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    /// `None`: any.
    host: Option<String>,
    port: u16,
    addresses: Vec<String>,
}

impl Resolve {
    fn is_for(&self, endpoint: &Endpoint) -> bool {
        self.port == endpoint.port && self.host.as_ref().is_none_or(|host| *host == endpoint.host)
    }
}

/// The endpoint with the addresses that were given for it; the last ones count.
pub(crate) fn resolved(endpoint: Endpoint, given: &[Resolve]) -> Endpoint {
    match given.iter().rev().find(|resolve| resolve.is_for(&endpoint)) {
        Some(resolve) => Endpoint { addresses: resolve.addresses.clone(), ..endpoint },
        None => endpoint,
    }
}

impl FromStr for Resolve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, rest) = match text.find("]:").filter(|_| text.starts_with('[')) {
            Some(end) => (&text[..=end], &text[end + 2..]),
            None => text.split_once(':').ok_or_else(form)?,
        };
        let (port, addresses) = rest.split_once(':').ok_or_else(form)?;
        if host.starts_with(['+', '-']) {
            return Err(format!("`{}` before HOST is curl's for its cache of names, which there is none of here", &host[..1]));
        }
        let place = if host == "*" { format!("any:{port}") } else { format!("{host}:{port}") };
        let Endpoint { host: name, port, .. } = parse_host_port(&place).map_err(|reason| format!("`{host}:{port}`: {reason}"))?;
        let addresses = addresses.split(',').map(address).collect::<Result<Vec<_>, _>>()?;
        if addresses.len() > ADDRESSES_MAX {
            return Err(format!("{} addresses: at most {ADDRESSES_MAX} are used", addresses.len()));
        }
        Ok(Self { host: (host != "*").then_some(name), port, addresses })
    }
}

fn form() -> String {
    "write HOST:PORT:ADDR, such as example.com:80:127.0.0.1".to_owned()
}

fn address(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.contains('%') {
        return scoped_address(bare).map_err(|reason| format!("`{text}`: {reason}"));
    }
    let address: IpAddr = bare.parse().map_err(|_| format!("`{text}` is not an IPv4 or IPv6 address"))?;
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(Option<String>, u16, String), String> {
        text.parse::<Resolve>().map(|resolve| (resolve.host, resolve.port, resolve.addresses.join(" ")))
    }

    #[test]
    fn as_curl_writes_it() {
        assert_eq!(parsed("Example.COM:80:127.0.0.1"), Ok((Some("example.com".into()), 80, "127.0.0.1".into())));
        assert_eq!(parsed("h:81:[::1],10.0.0.1,::2"), Ok((Some("h".into()), 81, "::1 10.0.0.1 ::2".into())));
        assert_eq!(parsed("h:80:fe80::1%3,[fe80::2%4]"), Ok((Some("h".into()), 80, "fe80::1%3 fe80::2%4".into())));
        assert_eq!(parsed("[::1]:80:::2"), Ok((Some("::1".into()), 80, "::2".into())));
        assert_eq!(parsed("*:80:127.0.0.1"), Ok((None, 80, "127.0.0.1".into())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let many = format!("h:80:{}", ["127.0.0.1"; 33].join(","));
        for (text, why) in [
            ("h", "write HOST:PORT:ADDR"),
            ("h:80", "write HOST:PORT:ADDR"),
            ("h:80:", "`` is not an"),
            ("h:80:name", "`name` is not an IPv4 or IPv6 address"),
            ("h:80:127.0.0.1,", "`` is not an"),
            ("h:80:fe80::1%no-such-if", "`fe80::1%no-such-if`: its zone names no network interface"),
            ("h:80:127.0.0.1%1", "only an IPv6 address can have a zone"),
            ("h:0:127.0.0.1", "`h:0`: its port is 0"),
            ("h:99999:127.0.0.1", "its port is not a number up to 65535"),
            (":80:127.0.0.1", "names no host"),
            ("-h:80:127.0.0.1", "`-` before HOST"),
            ("+h:80:127.0.0.1", "`+` before HOST"),
            (&many, "at most 32"),
        ] {
            let message = parsed(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn the_last_one_counts() {
        let given: Vec<Resolve> =
            ["h:80:127.0.0.1", "h:80:127.0.0.2", "*:81:127.0.0.3"].iter().map(|text| text.parse().unwrap()).collect();
        let addresses = |host: &str, port| resolved(Endpoint::plain(host, port), &given).addresses.join(" ");
        assert_eq!([addresses("h", 80), addresses("h", 81), addresses("other", 80)], ["127.0.0.2", "127.0.0.3", ""]);
    }
}

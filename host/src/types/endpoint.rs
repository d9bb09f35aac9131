//! Where a URL leads: an endpoint to connect to, and a request target to ask it for.

use std::str::FromStr;

use url::{Host, Url};

use crate::error::HostError;
use crate::odd_host::parse_url;
use crate::types::{Endpoint, Request, TlsOptions};

/// An `http` or `https` URL, taken apart the way a connection and a request need it.
#[derive(Clone, Debug)]
pub struct Location {
    /// Where to connect. With `https`, TLS with its default options.
    pub endpoint: Endpoint,
    /// Path and query, in origin-form: `/` when the URL has no path. Without the fragment, which is never sent.
    pub request_target: String,
    /// User name and password, as they stand in the URL (percent-encoded), when it has any. Nothing is sent for them by
    /// itself.
    pub userinfo: Option<(String, Option<String>)>,
}

impl Location {
    /// A `GET` of this location.
    pub fn get(&self) -> Request {
        self.request("GET")
    }

    /// A request with this method for this location.
    pub fn request(&self, method: impl Into<String>) -> Request {
        Request::new(method, self.request_target.as_str())
    }

    fn of(url: &Url) -> Result<Self, HostError> {
        let refuse = |reason| HostError::InvalidUrl { url: url.to_string(), reason };
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(TlsOptions::default()),
            _ => return Err(refuse("its scheme is neither http nor https")),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(refuse("it names no host")),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| refuse("its port is 0"))?;
        let request_target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let userinfo = (!url.username().is_empty() || url.password().is_some())
            .then(|| (url.username().to_owned(), url.password().map(str::to_owned)));
        Ok(Self { endpoint: Endpoint { host, port, addresses: Vec::new(), tls }, request_target, userinfo })
    }
}

impl FromStr for Location {
    type Err = HostError;

    /// Takes an absolute `http` or `https` URL. It is normalised as browsers do it (WHATWG URL): dot segments are
    /// resolved, the host is in lower case and Punycode. What browsers remove from URLs without a word (tabs, line ends, and spaces and
    /// control characters at the ends) is refused. Beyond that standard, the host may have an A-label that is none, which stays as
    /// it is, and an IPv6 address a zone, with `%25` or `%` before it ([`scoped_address`](crate::scoped_address)).
    ///
    /// # Errors
    /// [`HostError::InvalidUrl`].
    fn from_str(url: &str) -> Result<Self, HostError> {
        // The WHATWG has them removed without a word, so that another resource would be requested.
        let vanishes = |end: char| end <= ' ';
        if url.contains(['\t', '\n', '\r']) || url.starts_with(vanishes) || url.ends_with(vanishes) {
            let reason = "a tab, a line end, or a space at an end of it would vanish; percent-encode it";
            return Err(HostError::InvalidUrl { url: url.to_owned(), reason });
        }
        let (parsed, odd) = parse_url(url).map_err(|reason| HostError::InvalidUrl { url: url.to_owned(), reason })?;
        let mut location = Self::of(&parsed)?;
        if let Some(host) = odd {
            location.endpoint.host = host;
        }
        Ok(location)
    }
}

impl Endpoint {
    /// Plain TCP to a name, which is looked up, or to an address. An IPv6 address may have a zone, as a number
    /// ([`scoped_address`](crate::scoped_address)). `port` is 1 to 65535.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, addresses: Vec::new(), tls: None }
    }

    /// The same without the zone that an IPv6 address may have: as `Host` and the rules of a policy name it.
    pub fn without_zone(mut self) -> Self {
        if let Some((address, _)) = self.host.split_once('%').filter(|(address, _)| address.contains(':')) {
            let bracket = if address.starts_with('[') { "]" } else { "" };
            self.host = format!("{address}{bracket}");
        }
        self
    }

    /// `host:port`, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        match self.host.contains(':') && !self.host.starts_with('[') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl From<Location> for Endpoint {
    fn from(location: Location) -> Self {
        location.endpoint
    }
}

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        endpoint.clone()
    }
}

impl From<&Location> for Endpoint {
    fn from(location: &Location) -> Self {
        location.endpoint.clone()
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = HostError;

    fn try_from(url: &str) -> Result<Self, HostError> {
        Ok(Location::from_str(url)?.endpoint)
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = HostError;

    fn try_from(url: &String) -> Result<Self, HostError> {
        Self::try_from(url.as_str())
    }
}

impl TryFrom<&Url> for Endpoint {
    type Error = HostError;

    fn try_from(url: &Url) -> Result<Self, HostError> {
        Ok(Location::of(url)?.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, bool, String) {
        let location: Location = url.parse().expect(url);
        let Endpoint { host, port, tls, .. } = location.endpoint;
        (host, port, tls.is_some(), location.request_target)
    }

    #[test]
    fn urls_give_endpoint_and_target() {
        let cases = [
            ("http://a", "a", 80, false, "/"),
            ("https://A.Example/p/../q?x=1#f", "a.example", 443, true, "/q?x=1"),
            ("http://127.1:8080/", "127.0.0.1", 8080, false, "/"),
            ("http://[::1]:81/?", "::1", 81, false, "/?"),
            ("http://b\u{fc}cher.example/", "xn--bcher-kva.example", 80, false, "/"),
            ("http://h//x", "h", 80, false, "//x"),
            ("https://XN--a.example:444/x?y#z", "xn--a.example", 444, true, "/x?y"),
            ("http://[fe80::1%253]/", "fe80::1%3", 80, false, "/"),
        ];
        for (url, host, port, tls, target) in cases {
            assert_eq!(parts(url), (host.to_owned(), port, tls, target.to_owned()), "{url}");
        }
    }

    #[test]
    fn userinfo_is_set_apart() {
        let location: Location = "http://me:se%20cret@h/".parse().unwrap();
        assert_eq!(location.userinfo, Some(("me".to_owned(), Some("se%20cret".to_owned()))));
        assert_eq!(location.endpoint.authority(), "h:80");
    }

    #[test]
    fn what_is_no_http_url_is_refused_with_its_reason() {
        let cases = [
            ("example.com/x", "it has no scheme, such as http://"),
            ("ftp://h/", "its scheme is neither http nor https"),
            ("http://", "it names no host"),
            ("http://h:0/", "its port is 0"),
            ("http://h:70000/", "its port is not a number up to 65535"),
            ("http://a b/", "its host is no valid name"),
            ("http://h/a\tb", "a tab, a line end, or a space at an end of it would vanish; percent-encode it"),
            ("http://h/ ", "a tab, a line end, or a space at an end of it would vanish; percent-encode it"),
        ];
        for (url, expected) in cases {
            match url.parse::<Location>() {
                Err(HostError::InvalidUrl { reason, .. }) => assert_eq!(reason, expected, "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_ipv6_authority_has_brackets() {
        assert_eq!(Endpoint::plain("::1", 80).authority(), "[::1]:80");
        assert_eq!(Endpoint::plain("[::1]", 80).authority(), "[::1]:80");
    }

    #[test]
    fn a_zone_can_be_left_out() {
        let of = |host: &str| Endpoint::plain(host, 80).without_zone().authority();
        assert_eq!(["fe80::1%3", "[fe80::1%3]", "::1", "h%41"].map(of), ["[fe80::1]:80", "[fe80::1]:80", "[::1]:80", "h%41:80"]);
    }
}

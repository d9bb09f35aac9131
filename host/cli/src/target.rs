//! Where a URL leads, with what a command line must refuse.

use std::str::FromStr;

use sandpiper_host::types::Endpoint;
use sandpiper_host::{HostError, Location};

use super::credentials::masked_url;

/// A URL that can be requested.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// `Host`: the port is left out when it is the scheme's.
    pub(crate) authority: String,
    /// Origin-form: path and query.
    pub(crate) request_target: String,
}

impl Target {
    /// # Errors
    /// A sentence that names the URL and says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let location = Location::from_str(text).map_err(|error| explain(text, error))?;
        if location.userinfo.is_some() {
            return Err(format!(
                "`{}` holds credentials, which are never sent from a URL; use -u NAME:PASSWORD",
                masked_url(text)
            ));
        }
        let authority = authority(&location.endpoint);
        Ok(Self { endpoint: location.endpoint, authority, request_target: location.request_target })
    }

    /// With path and query as they stand in its URL (`--path-as-is`); what cannot be sent is percent-encoded all the same.
    pub(crate) fn with_path_of(self, url: &str) -> Self {
        // As browsers do it, any number of slashes may stand before the host.
        let rest = url.split_once(':').map_or("", |(_, rest)| rest).trim_start_matches(['/', '\\']);
        let rest = &rest[rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())..];
        let mut request_target = if rest.starts_with('/') { String::new() } else { "/".to_owned() };
        for octet in rest.split('#').next().unwrap_or_default().bytes() {
            match octet.is_ascii_graphic() {
                true => request_target.push(char::from(octet)),
                false => request_target.push_str(&format!("%{octet:02X}")),
            }
        }
        Self { request_target, ..self }
    }
}

fn explain(text: &str, error: HostError) -> String {
    let HostError::InvalidUrl { reason, .. } = error else {
        return error.to_string();
    };
    // `localhost:8000` parses as the scheme `localhost`.
    let written = format!("http://{text}");
    let hint = match !text.contains("://") && !text.is_empty() && Location::from_str(&written).is_ok() {
        true => format!("; write {}", masked_url(&written)),
        false => String::new(),
    };
    format!("`{}` cannot be requested: {reason}{hint}", masked_url(text))
}

fn authority(endpoint: &Endpoint) -> String {
    let whole = endpoint.clone().without_zone().authority();
    let default = if endpoint.tls.is_some() { ":443" } else { ":80" };
    whole.strip_suffix(default).map(str::to_owned).unwrap_or(whole)
}

/// `host:port`, as in `--connect-to`.
///
/// # Errors
/// A clause that says what is wrong with it.
pub(crate) fn parse_host_port(text: &str) -> Result<Endpoint, String> {
    let written = || "write host:port".to_owned();
    let (_, port) = text.rsplit_once(':').ok_or_else(written)?;
    if port.is_empty() || text.contains(['/', '?', '#', '@', '\\']) {
        return Err(written());
    }
    match Location::from_str(&format!("http://{text}")) {
        Ok(location) => Ok(location.endpoint),
        Err(HostError::InvalidUrl { reason, .. }) => Err(reason.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> [String; 3] {
        let target = Target::parse(url).unwrap();
        [target.endpoint.authority(), target.authority, target.request_target]
    }

    #[test]
    fn targets() {
        assert_eq!(parsed("http://example.com"), ["example.com:80", "example.com", "/"]);
        assert_eq!(parsed("http://Example.COM:8080/a%20b?q=ä#part"), ["example.com:8080", "example.com:8080", "/a%20b?q=%C3%A4"]);
        assert_eq!(parsed("http://[::1]:8000/"), ["[::1]:8000", "[::1]:8000", "/"]);
        assert_eq!(parsed("http://[::1]/"), ["[::1]:80", "[::1]", "/"]);
        assert_eq!(parsed("http://h:443/"), ["h:443", "h:443", "/"]);
        assert_eq!(parsed("http://[fe80::1%253]:8/"), ["[fe80::1%3]:8", "[fe80::1]:8", "/"]);
        assert_eq!(parsed("http://xn--a.example/"), ["xn--a.example:80", "xn--a.example", "/"]);
        assert_eq!(parsed("https://h/"), ["h:443", "h", "/"]);
    }

    #[test]
    fn a_path_can_stay_as_it_is() {
        let kept = |url: &str| Target::parse(url).unwrap().with_path_of(url).request_target;
        assert_eq!(kept("http://h/a/../b/%2e%2e/c?x=\u{e4}#part"), "/a/../b/%2e%2e/c?x=%C3%A4");
        assert_eq!([kept("http://h"), kept("http://h?q"), kept("http://h/a b")], ["/", "/?q", "/a%20b"]);
        assert_eq!(kept("http://h/a\\b"), "/a\\b");
        assert_eq!([kept("HTTP:/h/../a"), kept("http:h/b"), kept("http:///h:80/c")], ["/../a", "/b", "/c"]);
        assert_eq!(parsed("http://h/a/../b")[2], "/b");
    }

    #[test]
    fn what_would_vanish_from_a_url_is_refused() {
        for wrong in [
            "http://h/a\tb",
            "http://h/a\nb",
            "http://h/\r",
            "\thttp://h/",
            "ht\ntp://h/",
            " http://h/",
            "http://h/ ",
            "http://h/\u{1}",
        ] {
            let message = Target::parse(wrong).unwrap_err();
            assert!(message.contains("would vanish"), "{wrong:?}: {message}");
        }
    }

    #[test]
    fn only_what_works_is_advised() {
        for wrong in ["not a url", "{\"a\":1}", "h:99999"] {
            let message = Target::parse(wrong).unwrap_err();
            assert!(!message.contains("write http://"), "{wrong}: {message}");
        }
        assert!(Target::parse("u:secret@h/").unwrap_err().ends_with("; write http://***@h/"));
    }

    #[test]
    fn wrong_urls_are_named() {
        for (url, why) in [
            ("localhost:8000/a", "write http://localhost:8000/a"),
            ("example.com", "write http://example.com"),
            ("ftp://h/", "scheme"),
            ("http://", "host"),
            ("http://h:0/", "port"),
            ("http://h:99999/", "port"),
            ("http://a b/", "host"),
            ("", "scheme"),
        ] {
            let message = Target::parse(url).unwrap_err();
            assert!(message.contains(why) && message.starts_with(&format!("`{url}`")), "{url}: {message}");
        }
        let secret = Target::parse("http://user:secret@h/").unwrap_err();
        assert!(secret.starts_with("`http://***@h/` holds credentials") && secret.ends_with("use -u NAME:PASSWORD"), "{secret}");
    }

    #[test]
    fn hosts_and_ports() {
        let parse = |text: &str| parse_host_port(text).map(|endpoint| endpoint.authority());
        assert_eq!(parse("LOCALHOST:80"), Ok("localhost:80".to_owned()));
        assert_eq!(parse("[::1]:80"), Ok("[::1]:80".to_owned()));
        assert_eq!(parse("[fe80::1%3]:80"), Ok("[fe80::1%3]:80".to_owned()));
        for wrong in ["localhost", "localhost:", "localhost:0", "localhost:x", "::1", ":80", "a b:80", "h:80/x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

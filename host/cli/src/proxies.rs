//! Variables of the environment that name a proxy: none is heeded, and that is said.

use std::net::IpAddr;

use super::credentials::masked_url;
use super::plan::Origin;

/// A line that names the variables that curl would have heeded for these origins. `None`: there are none.
pub(crate) fn unheeded(origins: &[Origin], variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let except = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
    let proxied = |https| origins.iter().any(|origin| origin.is_https() == https && !is_excepted(origin.host(), &except));
    let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| variable(name).map(|value| (name, value)));
    let all = first(["all_proxy", "ALL_PROXY"]);
    // `HTTP_PROXY` is not heeded by curl either: in CGI a client sets it.
    let http = variable("http_proxy").map(|value| ("http_proxy", value)).or_else(|| all.clone());
    let https = first(["https_proxy", "HTTPS_PROXY"]).or(all);
    let mut named: Vec<(&str, String)> = Vec::new();
    for (name, value) in [http.filter(|_| proxied(false)), https.filter(|_| proxied(true))].into_iter().flatten() {
        if !named.iter().any(|(own, _)| *own == name) {
            named.push((name, masked_url(&value)));
        }
    }
    let named: Vec<String> = named.iter().map(|(name, value)| format!("{name} ({value})")).collect();
    (!named.is_empty()).then(|| {
        format!("the environment names a proxy by {}; it is not used: requests go straight to the servers", named.join(" and "))
    })
}

/// Is the host one of `no_proxy`? As curl reads it: names with what is below them, addresses, networks, or `*`.
fn is_excepted(host: &str, except: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    except.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()).any(|word| {
        let word = word.trim_matches(['[', ']']).to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            _ if word == "*" => true,
            Ok(address) => covers(&word, address),
            Err(_) => {
                let name = word.trim_start_matches('.').trim_end_matches('.');
                host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
            }
        }
    })
}

/// An address, or a network with its prefix.
fn covers(word: &str, address: IpAddr) -> bool {
    let (network, prefix) = word.split_once('/').unwrap_or((word, "128"));
    match (network.parse::<IpAddr>(), prefix.parse::<u32>(), address) {
        (Ok(IpAddr::V4(network)), Ok(prefix), IpAddr::V4(address)) => {
            let shift = 32 - prefix.min(32);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        (Ok(IpAddr::V6(network)), Ok(prefix), IpAddr::V6(address)) => {
            let shift = 128 - prefix.min(128);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    fn line(urls: &[&str], variables: &[(&str, &str)]) -> Option<String> {
        let origin = |url: &&str| {
            let endpoint = Target::parse(url).unwrap().endpoint;
            Origin { name: format!("scheme://{}", endpoint.authority()), endpoint }
        };
        let origins: Vec<Origin> = urls.iter().map(origin).collect();
        let variable = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        unheeded(&origins, variable)
    }

    #[test]
    fn what_curl_would_heed_is_named_once() {
        let text =
            line(&["http://h/", "http://i/", "https://h/"], &[("http_proxy", "http://u:p@p:3128"), ("HTTPS_PROXY", "u:p@q:1")]);
        let text = text.unwrap();
        assert!(text.contains("http_proxy (http://***@p:3128) and HTTPS_PROXY (***@q:1)"), "{text}");
        assert!(line(&["https://h/"], &[("http_proxy", "p")]).is_none());
        assert!(line(&["http://h/"], &[("HTTP_PROXY", "p"), ("http_proxy", "")]).is_none());
        let all = line(&["http://h/", "https://h/"], &[("ALL_PROXY", "p")]).unwrap();
        assert_eq!(all.matches("ALL_PROXY").count(), 1);
        assert!(line(&["http://h/"], &[]).is_none());
    }

    #[test]
    fn what_no_proxy_covers_is_not_named() {
        let named = |url: &str, except: &str| line(&[url], &[("all_proxy", "p"), ("no_proxy", except)]).is_some();
        for (url, except) in [
            ("http://h/", "*"),
            ("http://a.example/", "x, .example"),
            ("http://example/", "EXAMPLE"),
            ("http://127.0.0.1/", "127.0.0.1"),
            ("http://10.1.2.3/", "10.0.0.0/8"),
            ("http://[::1]/", "::1"),
            ("http://[fe80::1]/", "x fe80::/10"),
            ("http://1.2.3.4/", "0.0.0.0/0"),
        ] {
            assert!(!named(url, except), "{url} {except}");
        }
        for (url, except) in [("http://anexample/", "example"), ("http://10.1.2.3/", "10.1.2.4"), ("http://h/", "127.0.0.1")] {
            assert!(named(url, except), "{url} {except}");
        }
        assert!(line(&["http://a/", "http://b/"], &[("all_proxy", "p"), ("no_proxy", "a")]).is_some());
    }
}

//! Options of curl that are not here: why, and what to do instead.

/// Options that are refused for one reason.
#[derive(Debug)]
pub(crate) struct Refused {
    /// As curl writes them.
    pub(crate) names: &'static [&'static str],
    /// A sentence without a full stop.
    pub(crate) why: &'static str,
}

/// The line for an option of curl; `None`: it is none that is known.
pub(crate) fn why(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|refused| refused.names.contains(&name)).map(|refused| refused.why)
}

const fn refused(names: &'static [&'static str], why: &'static str) -> Refused {
    Refused { names, why }
}

const REDIRECTS: &str = "redirects are not followed yet: -i shows Location, and a second request can ask for it";
const COOKIES: &str = "cookies are not kept yet: send them with -H 'Cookie: NAME=VALUE', and read Set-Cookie with -i";
const PROXIES: &str =
    "proxies are not used yet: requests go straight to the servers; --connect-to HOST:PORT sends them elsewhere";
const AUTHENTICATION: &str =
    "of the ways to authenticate, -u (Basic) and --oauth2-bearer are here; others can be sent with -H 'Authorization: …'";
const NETRC: &str = "no file of passwords is read: give the credentials with -u NAME:PASSWORD";
const HTTP2: &str = "HTTP/2 is not spoken yet: leave the option out, and HTTP/1.1 is used";
const HTTP3: &str = "HTTP/3 is not spoken: leave the option out, and HTTP/1.1 is used";
const OTHER_PROTOCOL: &str = "only http and https are spoken here";
const SUITES: &str = "cipher suites and groups are not chosen: the component takes TLS 1.2 and 1.3 with those that are safe";
const OLD_TLS: &str = "versions of TLS before 1.2 are not spoken: leave the option out";
const TRUST: &str = "trust is given by --cacert FILE, with certificates in PEM";
const REVOCATION: &str = "revocation of certificates is not checked: --pinnedpubkey binds a server to a key";
const TRACE: &str = "-v shows what happens on the wire, --log FILE writes it as JSON, and --record FILE keeps all octets";
const KEEPALIVE: &str = "probes of TCP are not set: an exchange ends when no octet moves for long";
const LOCAL_ADDRESS: &str = "the component chooses no interface and no port of this machine: the system does";
const RESOLVERS: &str = "names are looked up by this machine's resolver: --resolve HOST:PORT:ADDR gives addresses instead";
const ETAGS: &str = "entity tags are not kept: send one with -H 'If-None-Match: …', and read ETag with -i";

/// All of them.
pub(crate) const REFUSED: &[Refused] = &[
    refused(&["-L", "--location", "--location-trusted", "--max-redirs", "--post301", "--post302", "--post303"], REDIRECTS),
    refused(&["--proto-redir", "--follow"], REDIRECTS),
    refused(&["-b", "--cookie", "-c", "--cookie-jar", "-j", "--junk-session-cookies"], COOKIES),
    refused(
        &["--compressed", "--tr-encoding"],
        "contents are not decompressed yet: leave the option out, and the server sends them as they are",
    ),
    refused(&["--compressed-ssh"], OTHER_PROTOCOL),
    refused(&["-x", "--proxy", "--preproxy", "--proxy1.0", "-p", "--proxytunnel", "--noproxy"], PROXIES),
    refused(&["-U", "--proxy-user", "--proxy-header", "--proxy-basic", "--proxy-digest", "--proxy-ntlm"], PROXIES),
    refused(
        &["--proxy-negotiate", "--proxy-anyauth", "--proxy-insecure", "--proxy-cacert", "--proxy-cert", "--proxy-key"],
        PROXIES,
    ),
    refused(&["--socks4", "--socks4a", "--socks5", "--socks5-hostname", "--socks5-basic", "--socks5-gssapi"], PROXIES),
    refused(&["--haproxy-protocol", "--haproxy-clientip"], "no line of the PROXY protocol is sent before a request"),
    refused(&["--digest", "--ntlm", "--ntlm-wb", "--negotiate", "--anyauth", "--aws-sigv4", "--delegation"], AUTHENTICATION),
    refused(&["-n", "--netrc", "--netrc-file", "--netrc-optional"], NETRC),
    refused(&["--http2", "--http2-prior-knowledge"], HTTP2),
    refused(&["--http3", "--http3-only", "--alt-svc"], HTTP3),
    refused(&["-0", "--http1.0"], "requests are HTTP/1.1: leave the option out; servers of HTTP/1.0 are understood"),
    refused(&["--http0.9"], "give --lenient http09"),
    refused(&["--hsts"], "no list of hosts is kept: write https:// in the URLs, and --proto =https refuses others"),
    refused(
        &["-:", "--next"],
        "one run has one kind of request: run the program again for the next one; several URLs take the same options",
    ),
    refused(&["--json"], "--json prints JSON objects here: for what curl calls --json write --data-json DATA"),
    refused(&["--interface", "--local-port"], LOCAL_ADDRESS),
    refused(
        &["--dns-servers", "--dns-interface", "--dns-ipv4-addr", "--dns-ipv6-addr", "--doh-url", "--doh-insecure"],
        RESOLVERS,
    ),
    refused(&["--ciphers", "--tls13-ciphers", "--curves", "--sigalgs"], SUITES),
    refused(&["-1", "--tlsv1", "--tlsv1.0", "--tlsv1.1", "-2", "--sslv2", "-3", "--sslv3"], OLD_TLS),
    refused(&["--tls-max"], "the greatest version of TLS is 1.3; --tls-min 1.3 takes no other"),
    refused(&["--capath", "--ca-native", "--proxy-ca-native"], TRUST),
    refused(&["--crlfile", "--cert-status"], REVOCATION),
    refused(&["--cert-type", "--key-type"], "certificates and keys are PEM"),
    refused(&["--pass"], "keys are not encrypted here: `openssl pkey` decrypts one"),
    refused(&["--no-sessionid", "--sessionid"], "give --no-resumption"),
    refused(&["--ssl", "--ssl-reqd", "--ftp-ssl"], "write https:// in the URL"),
    refused(
        &["--ssl-no-revoke", "--ssl-allow-beast", "--false-start", "--no-npn", "--engine", "--ech"],
        "there is no such switch in this TLS: leave the option out",
    ),
    refused(&["--trace", "--trace-ascii", "--trace-config", "--trace-ids", "--trace-time"], TRACE),
    refused(&["--stderr"], "write `2>FILE` behind the command"),
    refused(&["-R", "--remote-time", "--xattr"], "files have the time at which they were written; -i shows Last-Modified"),
    refused(&["--max-filesize"], "contents have no limit but the disk's; with --json --max-content is one"),
    refused(&["--parallel-immediate", "--parallel-max-host"], "give -Z, --parallel-max and --max-host-conns"),
    refused(&["--rate"], "requests are not spread over time; -Z --parallel-max and --max-host-conns bound how many run at once"),
    refused(&["--keepalive-time", "--keepalive-cnt", "--no-keepalive"], KEEPALIVE),
    refused(&["--happy-eyeballs-timeout-ms"], "the next address joins after 250 milliseconds"),
    refused(&["--tcp-fastopen", "--mptcp", "--ip-tos", "--vlan-priority"], "the sockets of the component have no such option"),
    refused(
        &["--ignore-content-length"],
        "a length that is wrong is an error of the server; a response without one ends with its connection",
    ),
    refused(&["--raw"], "the chunked coding is always removed; --record FILE keeps all octets"),
    refused(&["--expect100-timeout"], "--expect-continue waits one second"),
    refused(&["--crlf", "-B", "--use-ascii"], "contents are sent and written as they are"),
    refused(&["--form-escape"], "names in forms are escaped as browsers do it"),
    refused(&["--etag-save", "--etag-compare"], ETAGS),
    refused(&["-a", "--append", "-l", "--list-only", "-Q", "--quote", "-P", "--ftp-port", "--ftp-pasv"], OTHER_PROTOCOL),
    refused(
        &["-t", "--telnet-option", "--mail-from", "--mail-rcpt", "--login-options", "--pubkey", "--hostpubmd5"],
        OTHER_PROTOCOL,
    ),
    refused(&["--proto-default"], "write the scheme in the URL, such as https://"),
    refused(&["--disallow-username-in-url"], "a URL with a user name is always refused: leave the option out"),
    refused(&["--fail-early"], "every URL ends in its own result; the exit status is 1 when one of them failed"),
    refused(&["--libcurl"], "no source code is written"),
    refused(&["--styled-output", "--no-styled-output", "-M", "--manual"], "sandpiper fetch --help says everything"),
    refused(&["--variable", "--expand-url", "--expand-data", "--expand-header"], "the shell expands variables"),
    refused(&["-V"], "sandpiper --version says it"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory, Parser};

    use super::super::args::Arguments;
    use super::super::usage::explain;
    use super::*;

    /// Spellings that clap would take for something else than an option that is not there.
    const ELSEWHERE: [&str; 1] = ["--json"];

    #[test]
    fn each_one_ends_in_its_line() {
        for Refused { names, why } in REFUSED {
            for name in names.iter().filter(|name| !ELSEWHERE.contains(name)) {
                for arguments in [vec![*name, "value", "http://h/"], vec!["http://h/", *name]] {
                    let all: Vec<&str> = ["sandpiper", "fetch"].into_iter().chain(arguments).collect();
                    let error = Arguments::try_parse_from(&all).expect_err(name);
                    let text = explain(&error).expect(name);
                    assert_eq!(text, format!("{name} is not an option here: {why}"), "{name}");
                }
            }
        }
    }

    #[test]
    fn none_of_them_is_an_option() {
        let options = options();
        for name in REFUSED.iter().flat_map(|refused| refused.names).filter(|name| !ELSEWHERE.contains(name)) {
            assert!(!options.contains(*name), "{name} is an option: it is not refused");
        }
    }

    /// The options of fetch, with their hyphens.
    fn options() -> BTreeSet<String> {
        let command = Arguments::command();
        let mut options = BTreeSet::new();
        for argument in command.find_subcommand("fetch").unwrap().get_arguments() {
            options
                .extend(argument.get_long_and_visible_aliases().unwrap_or_default().into_iter().map(|name| format!("--{name}")));
            options
                .extend(argument.get_short_and_visible_aliases().unwrap_or_default().into_iter().map(|name| format!("-{name}")));
        }
        options
    }

    /// The rows of a table of docs/reference/curl.md: the options of the first column, and the second.
    fn rows(heading: &str) -> Vec<(Vec<&'static str>, &'static str)> {
        let page = include_str!("../../../docs/reference/curl.md");
        let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let columns = rows.map(|row| row.trim_matches('|').split_once(" | ").unwrap());
        columns.map(|(names, text)| (names.split('`').skip(1).step_by(2).collect(), text.trim())).collect()
    }

    #[test]
    fn the_page_for_people_who_know_curl_is_true() {
        let options = options();
        let same = rows("The same");
        assert!(same.len() > 20);
        for name in same.iter().flat_map(|(names, _)| names) {
            assert!(options.contains(*name), "{name} is no option");
        }
        let rows = rows("Refused");
        let told: BTreeSet<(&str, &str)> =
            rows.iter().flat_map(|(names, why)| names.iter().map(move |name| (*name, *why))).collect();
        let known: BTreeSet<(&str, &str)> =
            REFUSED.iter().flat_map(|refused| refused.names.iter().map(|name| (*name, refused.why))).collect();
        assert_eq!(told, known);
    }

    #[test]
    fn each_one_stands_once_and_is_one_line() {
        let names: Vec<&str> = REFUSED.iter().flat_map(|refused| refused.names).copied().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for Refused { why, .. } in REFUSED {
            assert!(why.len() < 130 && !why.contains('\n') && !why.ends_with('.'), "{why}");
        }
    }
}

//! The plan that the arguments of `fetch` ask for, checked as a whole before anything is sent.

use std::collections::HashMap;

use sandpiper_host::types::Endpoint;
use sandpiper_host::{Build, HostError, Policy, Rule, TlsOptions, UnixSocket};

use super::args::Fetch;
use super::credentials::masked_url;
use super::family::Family;
use super::listing::Listed;
use super::output::{Destination, Resume};
use super::resolve::resolved;
use super::target::Target;
use super::template::Template;
use super::tls::with_options;

/// One URL.
#[derive(Debug)]
pub(crate) struct Job {
    /// `Host`.
    pub(crate) authority: String,
    pub(crate) request_target: String,
    /// Its place in `Plan::origins`. URLs with the same one share connections.
    pub(crate) origin: usize,
    pub(crate) destination: Destination,
    /// `-C`.
    pub(crate) resume: Option<Box<Resume>>,
}

/// A scheme, host and port (RFC 9110 §4.3.1).
#[derive(Debug)]
pub(crate) struct Origin {
    /// As the URLs name it: `http://h:80`.
    pub(crate) name: String,
    /// Where to connect.
    pub(crate) endpoint: Endpoint,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) jobs: Vec<Job>,
    pub(crate) origins: Vec<Origin>,
    /// All that the component may reach.
    pub(crate) policy: Policy,
    /// The Unix socket in the place of all origins.
    pub(crate) unix_socket: Option<UnixSocket>,
    pub(crate) template: Template,
    /// The build that is run; `None`: the file of `--component`.
    pub(crate) build: Option<Build>,
    /// The first URL that needs TLS.
    pub(crate) secured: Option<String>,
    /// The options of the command line for TLS.
    pub(crate) tls: TlsOptions,
}

impl Plan {
    /// # Errors
    /// A sentence: the arguments are wrong, each by itself or together.
    pub(crate) fn new(fetch: &Fetch, list: &[Listed]) -> Result<Self, String> {
        let template = Template::new(fetch, list.len())?;
        if fetch.output.continue_at.is_some() && (template.method != "GET" || template.field("range").is_some()) {
            return Err("-C is for GET, and has a Range of its own: leave out -X and the Range".to_owned());
        }
        let secured = list.iter().find(|listed| listed.target.endpoint.tls.is_some()).map(|listed| listed.url.clone());
        let build = fetch.component.build(secured.as_deref())?;
        let tls = fetch.tls.options()?;
        let destinations = Destination::assign(&fetch.output, list)?;
        let mut places = HashMap::new();
        let mut origins = Vec::new();
        let mut jobs = Vec::with_capacity(list.len());
        for (listed, (destination, resume)) in list.iter().zip(destinations) {
            let target = asked_for(fetch, listed)?;
            let Target { endpoint, authority, request_target } = target;
            let scheme = if endpoint.tls.is_some() { "https" } else { "http" };
            let name = format!("{scheme}://{}", endpoint.authority());
            let origin = *places.entry(name).or_insert_with_key(|name| {
                let endpoint = with_options(endpoint, &tls, build);
                let endpoint = resolved(dialled(endpoint, fetch.connection.connect_to.as_ref()), &fetch.connection.resolve);
                origins.push(Origin { name: name.clone(), endpoint });
                origins.len() - 1
            });
            jobs.push(Job { authority, request_target, origin, destination, resume });
        }
        if let Some(family) = fetch.family() {
            origins = origins.into_iter().map(|origin| origin.restrict(family)).collect::<Result<_, _>>()?;
        }
        let unix_socket = fetch.unix.socket();
        let mut policy = policy(&fetch.allow, &origins, unix_socket.as_ref())?;
        fetch.tls.permit(&mut policy);
        Ok(Self { jobs, origins, policy, unix_socket, template, build, secured, tls })
    }
}

impl Origin {
    /// As the URLs name it, an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        let authority = self.name.split_once("://").map_or(self.name.as_str(), |(_, authority)| authority);
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.endpoint.tls.is_some()
    }

    fn restrict(self, family: Family) -> Result<Self, String> {
        let Self { name, endpoint } = self;
        let endpoint = family.restrict(endpoint).map_err(|why| format!("{name}: {why}"))?;
        Ok(Self { name, endpoint })
    }
}

/// The target of a URL, with `--proto` and `--path-as-is`.
fn asked_for(fetch: &Fetch, listed: &Listed) -> Result<Target, String> {
    let target = listed.target.clone();
    let is_https = target.endpoint.tls.is_some();
    match fetch.request.proto {
        Some(allowed) if !allowed.allow(is_https) => {
            Err(format!("`{}` has a scheme that --proto does not allow", masked_url(&listed.url)))
        }
        _ if fetch.request.path_as_is => Ok(target.with_path_of(&listed.url)),
        _ => Ok(target),
    }
}

/// `--connect-to`.
fn dialled(endpoint: Endpoint, connect_to: Option<&Endpoint>) -> Endpoint {
    match connect_to {
        Some(other) => Endpoint { tls: endpoint.tls, ..other.clone() },
        None => endpoint,
    }
}

/// `--allow`, else what is connected to.
fn policy(allow: &[Rule], origins: &[Origin], unix_socket: Option<&UnixSocket>) -> Result<Policy, String> {
    let mut policy = Policy::new();
    for rule in allow {
        policy.allow(rule.clone());
    }
    let places = origins.iter().flat_map(|origin| places(&origin.endpoint));
    for rule in places.map(|place| place.without_zone().authority().parse::<Rule>()) {
        let rule = rule.map_err(|error: HostError| error.to_string())?;
        match unix_socket {
            Some(socket) => policy.unix_socket(rule, socket.clone()),
            None if allow.is_empty() => policy.allow(rule),
            None => break,
        };
    }
    if let Some(socket) = unix_socket.filter(|_| allow.is_empty()) {
        policy.allow(socket.clone().into());
    }
    Ok(policy)
}

/// The destination of an endpoint: its name, or the addresses that are used instead.
fn places(endpoint: &Endpoint) -> Vec<Endpoint> {
    match endpoint.addresses.as_slice() {
        [] => vec![endpoint.clone()],
        addresses => addresses.iter().map(|address| Endpoint::plain(address, endpoint.port)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::super::listing::list;
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let all = ["sandpiper", "fetch"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Fetch(fetch) => Plan::new(&fetch, &list(&fetch)?),
            other => panic!("not fetch: {other:?}"),
        }
    }

    #[test]
    fn urls_of_one_origin_belong_together() {
        let plan = plan(&["http://a/1", "http://b/", "http://A:80/2", "http://a:81/"]).unwrap();
        let origins: Vec<usize> = plan.jobs.iter().map(|job| job.origin).collect();
        assert_eq!(origins, [0, 1, 0, 2]);
        let names: Vec<&str> = plan.origins.iter().map(|origin| origin.name.as_str()).collect();
        assert_eq!(names, ["http://a:80", "http://b:80", "http://a:81"]);
        assert!(plan.policy.allows_name("a") && plan.policy.allows_name("b") && !plan.policy.allows_name("c"));
    }

    #[test]
    fn only_what_is_named_may_be_reached() {
        let elsewhere = plan(&["http://a/", "http://b/", "--connect-to", "localhost:1"]).unwrap();
        assert!(elsewhere.policy.allows_name("localhost") && !elsewhere.policy.allows_name("a"));
        assert_eq!((elsewhere.origins.len(), elsewhere.jobs[1].authority.as_str()), (2, "b"));
        let listed = plan(&["http://a/", "--allow", "b:80"]).unwrap();
        assert!(listed.policy.allows_name("b") && !listed.policy.allows_name("a"));
        let resolved = plan(&["http://a/", "http://b/", "--resolve", "a:80:10.0.0.1,::1"]).unwrap();
        let reaches = |address: &str| resolved.policy.allows_address(address.parse().unwrap());
        assert!(!resolved.policy.allows_name("a") && resolved.policy.allows_name("b"));
        assert_eq!([reaches("10.0.0.1:80"), reaches("[::1]:80"), reaches("10.0.0.1:81")], [true, true, false]);
        let address = plan(&["http://127.0.0.1:81/"]).unwrap();
        assert!(address.policy.allows_address("127.0.0.1:81".parse().unwrap()));
        assert!(!address.policy.allows_address("127.0.0.1:80".parse().unwrap()));
    }

    #[test]
    fn a_unix_socket_takes_the_place_of_what_is_named() {
        let (socket, other) = (UnixSocket::at("/run/x.sock"), UnixSocket::abstract_name("x"));
        let reached = plan(&["http://a/", "http://127.0.0.1/", "--unix-socket", "/run/x.sock"]).unwrap().policy;
        assert!(reached.allows_unix_socket(&socket) && !reached.allows_unix_socket(&other));
        assert!(!reached.allows_name("a") && !reached.allows_address("127.0.0.1:80".parse().unwrap()));
        let named = plan(&["http://a/", "--abstract-unix-socket", "x"]).unwrap().policy;
        assert!(named.allows_unix_socket(&other));
        let listed = |allow| plan(&["http://a/", "--unix-socket", "/run/x.sock", "--allow", allow]).unwrap().policy;
        assert!(!listed("a:80").allows_unix_socket(&socket) && listed("unix:/run/x.sock").allows_unix_socket(&socket));
    }

    #[test]
    fn a_zone_is_no_matter_of_the_policy() {
        let zoned =
            plan(&["http://[fe80::1%251]/", "http://[fe80::1%252]/", "http://h/", "--resolve", "h:80:fe80::2%1"]).unwrap();
        let hosts: Vec<&str> = zoned.origins.iter().map(|origin| origin.endpoint.host.as_str()).collect();
        assert_eq!(hosts, ["fe80::1%1", "fe80::1%2", "h"]);
        assert_eq!(zoned.origins[2].endpoint.addresses, ["fe80::2%1"]);
        assert_eq!(zoned.jobs[0].authority, "[fe80::1]");
        assert!(
            ["[fe80::1]:80", "[fe80::2]:80"].into_iter().all(|address| zoned.policy.allows_address(address.parse().unwrap()))
        );
    }

    #[test]
    fn tls_is_for_the_host_of_the_url() {
        let of = |arguments: &[&str]| plan(arguments).unwrap().origins.remove(0).endpoint;
        let elsewhere = of(&["https://a/", "--connect-to", "127.0.0.1:1"]);
        assert_eq!((elsewhere.authority(), elsewhere.tls.unwrap().server_name.unwrap()), ("127.0.0.1:1".into(), "a".into()));
        let given = of(&["https://a/", "--server-name", "b", "--tls-min", "1.3", "--no-alpn", "--no-resumption"]).tls.unwrap();
        assert_eq!((given.server_name.as_deref(), given.alpn, given.resumption), (Some("b"), Some(Vec::new()), Some(false)));
        assert!(given.version_min.is_some());
        assert!(of(&["http://a/", "--no-alpn"]).tls.is_none());
        let allowed = plan(&["https://a/", "-k", "--allow-any-certificate", "--key-log", "f"]).unwrap().policy;
        assert!(allowed.allows_any_certificate() && allowed.allows_key_log());
        let plainly = plan(&["https://a/", "--allow-any-certificate"]).unwrap().policy;
        assert!(!plainly.allows_any_certificate() && !plainly.allows_key_log());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (arguments, why) in [
            (&["http://h/", "--expect-continue"][..], "needs content"),
            (&["http://h/", "http://h/", "-T", "-"], "only once"),
            (&["http://h/", "-H", "upgrade: x"], "--upgrade"),
            (&["--json", "{\"a\":1}", "http://h/"], "write --data-json '{\"a\":1}'"),
            (&["--proto", "=https", "http://u@h/"], "http://***@h/"),
            (&["--proto", "=https", "http://h/"], "--proto does not allow"),
            (&["-4", "http://[::1]/"], "http://[::1]:80: -4: IPv4 is asked for, and ::1"),
            (&["--upgrade", "tcp", "-T", "-", "http://h/"], "-T - and a tunnel would both read standard input"),
            (&["-H", "@-", "-d", "@-", "http://h/"], "-H @- and -d @- would both"),
            (&["-F", "a=@-", "--data-urlencode", "n@-", "http://h/"], "--data-urlencode n@- and -F of `-` would both"),
            (&["http://h/", "-T", "-", "--trailer", "content-LENGTH: 3"], "may not be a trailer"),
            (&["http://h/", "-T", "/"], "a directory"),
            (&["http://h/", "-T", "/no/such/file"], "/no/such/file"),
            (&["http://h/", "-d", "@/no/such/file"], "@/no/such/file"),
            (&["http://h/", "-X", "CONNECT"], "--request-target"),
            (&["http://h/", "h:1"], "write http://h:1"),
            (&["-"], "-K - reads URLs"),
            (&["-K", "/no/such/file"], "-K /no/such/file: No such file"),
            (&["-K", "/"], "-K /: Is a directory"),
            (&["-K", "/dev/null"], "-K /dev/null: it holds no URL"),
            (&["-K", "-", "-T", "-"], "-K - and -T - would both read standard input"),
            (&["-K", "-", "-K", "-"], "would both read standard input"),
            (&["https://h/", "--component", "plain"], "`https://h/` needs TLS, which --component plain has not"),
            (&["https://h/", "-k"], "Only --allow-any-certificate"),
            (&["https://h/", "--cacert", "/no/such/file"], "--cacert /no/such/file: No such file"),
            (&["https://h/", "--cacert", "/dev/null"], "--cacert /dev/null: it holds no certificate"),
            (&["https://h/", "--cert", "/dev/null"], "--cert /dev/null: it holds no certificate"),
            (&["https://h/", "--alpn", "http/1.1,"], "--alpn"),
        ] {
            let message = plan(arguments).unwrap_err();
            assert!(message.contains(why), "{arguments:?}: {message}");
        }
    }
}

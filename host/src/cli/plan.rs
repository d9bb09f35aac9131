//! What the arguments of `fetch` ask for, checked as a whole before anything is sent.

use std::collections::HashMap;

use sandpiper_host::types::Endpoint;
use sandpiper_host::{Policy, Rule};

use super::args::Fetch;
use super::output::Destination;
use super::target::Target;
use super::template::Template;

/// One URL.
#[derive(Debug)]
pub(crate) struct Job {
    /// `Host`.
    pub(crate) authority: String,
    pub(crate) request_target: String,
    /// Its place in `Plan::endpoints`. URLs with the same one share a connection.
    pub(crate) origin: usize,
    pub(crate) destination: Destination,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) jobs: Vec<Job>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// All that the component may reach.
    pub(crate) policy: Policy,
    pub(crate) template: Template,
}

impl Plan {
    /// # Errors
    /// A sentence: the arguments are wrong, each by itself or together.
    pub(crate) fn new(fetch: &Fetch) -> Result<Self, String> {
        let targets: Vec<Target> = fetch.urls.iter().map(|url| Target::parse(url)).collect::<Result<_, _>>()?;
        let destinations = Destination::assign(&fetch.outputs, targets.len())?;
        let template = Template::new(fetch)?;
        let mut places = HashMap::new();
        let mut endpoints = Vec::new();
        let mut jobs = Vec::with_capacity(targets.len());
        for (Target { endpoint, authority, request_target }, destination) in targets.into_iter().zip(destinations) {
            // The scheme tells an origin apart too (RFC 9110 §4.3.1).
            let origin = *places.entry((endpoint.authority(), endpoint.tls.is_some())).or_insert_with(|| {
                endpoints.push(dialled(endpoint, fetch.connect_to.as_ref()));
                endpoints.len() - 1
            });
            jobs.push(Job { authority, request_target, origin, destination });
        }
        let policy = policy(&fetch.allow, &endpoints)?;
        Ok(Self { jobs, endpoints, policy, template })
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
fn policy(allow: &[Rule], endpoints: &[Endpoint]) -> Result<Policy, String> {
    let mut policy = Policy::new();
    for rule in allow {
        policy.allow(rule.clone());
    }
    if allow.is_empty() {
        for endpoint in endpoints {
            policy.allow(endpoint.authority().parse().map_err(|error: sandpiper_host::HostError| error.to_string())?);
        }
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let all = ["sandpiper", "fetch"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Fetch(fetch) => Plan::new(&fetch),
            other => panic!("not fetch: {other:?}"),
        }
    }

    #[test]
    fn urls_of_one_origin_belong_together() {
        let plan = plan(&["http://a/1", "http://b/", "http://A:80/2", "http://a:81/"]).unwrap();
        let origins: Vec<usize> = plan.jobs.iter().map(|job| job.origin).collect();
        assert_eq!(origins, [0, 1, 0, 2]);
        let endpoints: Vec<String> = plan.endpoints.iter().map(Endpoint::authority).collect();
        assert_eq!(endpoints, ["a:80", "b:80", "a:81"]);
        assert!(plan.policy.allows_name("a") && plan.policy.allows_name("b") && !plan.policy.allows_name("c"));
    }

    #[test]
    fn only_what_is_named_may_be_reached() {
        let elsewhere = plan(&["http://a/", "http://b/", "--connect-to", "localhost:1"]).unwrap();
        assert!(elsewhere.policy.allows_name("localhost") && !elsewhere.policy.allows_name("a"));
        assert_eq!((elsewhere.endpoints.len(), elsewhere.jobs[1].authority.as_str()), (2, "b"));
        let listed = plan(&["http://a/", "--allow", "b:80"]).unwrap();
        assert!(listed.policy.allows_name("b") && !listed.policy.allows_name("a"));
        let address = plan(&["http://127.0.0.1:81/"]).unwrap();
        assert!(address.policy.allows_address("127.0.0.1:81".parse().unwrap()));
        assert!(!address.policy.allows_address("127.0.0.1:80".parse().unwrap()));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (arguments, why) in [
            (&["http://h/", "--expect-continue"][..], "needs content"),
            (&["http://h/", "http://h/", "-T", "-"], "only once"),
            (&["http://h/", "-H", "upgrade: x"], "--upgrade"),
            (&["http://h/", "-T", "-", "--trailer", "content-LENGTH: 3"], "may not be a trailer"),
            (&["http://h/", "-T", "/"], "a directory"),
            (&["http://h/", "-T", "/no/such/file"], "/no/such/file"),
            (&["http://h/", "-d", "@/no/such/file"], "@/no/such/file"),
            (&["http://h/", "-X", "CONNECT"], "--request-target"),
            (&["http://h/", "h:1"], "write http://h:1"),
        ] {
            let message = plan(arguments).unwrap_err();
            assert!(message.contains(why), "{arguments:?}: {message}");
        }
    }
}

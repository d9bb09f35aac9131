//! A policy at work in one client.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Denied, Policy, Rule, canonical_name, is_public};

/// Answers of lookups that one client keeps; the oldest make room. Enough for every origin of a full pool with many
/// addresses each.
const ANSWERS_MAX: usize = 16_384;
/// Refusals that one client keeps for [`Client::take_denied`](crate::Client::take_denied); later ones are not kept.
const DENIED_MAX: usize = 64;

/// A policy at work in one client: what its lookups gave, and what it was refused.
#[derive(Debug)]
pub(crate) struct Reach {
    policy: Arc<Policy>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    answers: VecDeque<Answer>,
    denied: Vec<Denied>,
}

/// An address that a name resolved to, and a port that a rule for the name opens. `None`: every port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    ip: IpAddr,
    port: Option<u16>,
}

impl Reach {
    pub(crate) fn new(policy: Arc<Policy>) -> Self {
        Self { policy, seen: Mutex::default() }
    }

    /// May the name be looked up? Given and remembered in its canonical form.
    pub(crate) fn may_look_up(&self, name: &str) -> bool {
        let allowed = self.policy.allows_name(name);
        if !allowed {
            self.deny(Denied::Name(name.to_owned()));
        }
        allowed
    }

    /// Remembers what a name resolved to, and gives what of it may be connected to at some port.
    pub(crate) fn admit_answers(&self, name: &str, answers: &[IpAddr]) -> Vec<IpAddr> {
        let name = canonical_name(name);
        let ports: Vec<Option<u16>> = self.policy.ports_of(&name).collect();
        let mut usable = Vec::with_capacity(answers.len());
        for ip in answers.iter().map(IpAddr::to_canonical) {
            let by_name = !ports.is_empty() && self.policy.allows_answer(ip);
            if by_name {
                self.remember(ip, &ports);
            }
            match by_name || self.allows_at_some_port(ip) {
                true => usable.push(ip),
                false => self.deny(Denied::PrivateAnswer { name: name.clone(), address: ip }),
            }
        }
        usable
    }

    /// May a socket connect to this address now? Asked right before it does.
    pub(crate) fn may_connect(&self, address: SocketAddr) -> bool {
        let allowed = self.policy.allows_address(address) || self.was_answered(address);
        if !allowed {
            self.deny(Denied::Address(address));
        }
        allowed
    }

    /// May a socket bind to this local address? Only the unspecified one, which every connect binds to before it
    /// connects.
    pub(crate) fn may_bind(&self, address: SocketAddr) -> bool {
        let allowed = address.ip().is_unspecified() && address.port() == 0;
        if !allowed {
            self.deny(Denied::Bind(address));
        }
        allowed
    }

    /// Records a refusal, while there is room.
    pub(crate) fn deny(&self, denied: Denied) {
        let mut seen = self.seen();
        if seen.denied.len() < DENIED_MAX && !seen.denied.contains(&denied) {
            seen.denied.push(denied);
        }
    }

    /// What was refused since the last time.
    pub(crate) fn take_denied(&self) -> Vec<Denied> {
        std::mem::take(&mut self.seen().denied)
    }

    /// Do the rules for addresses admit it, whatever the port?
    fn allows_at_some_port(&self, ip: IpAddr) -> bool {
        let policy = &self.policy;
        let by_rule = |rule: &Rule| rule.admits_address(ip, rule.port.unwrap_or(1));
        policy.any || (policy.public && is_public(ip)) || policy.rules.iter().any(by_rule)
    }

    fn was_answered(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let admits = |answer: &Answer| answer.ip == ip && answer.port.is_none_or(|port| port == address.port());
        self.seen().answers.iter().any(admits)
    }

    fn remember(&self, ip: IpAddr, ports: &[Option<u16>]) {
        let mut seen = self.seen();
        for answer in ports.iter().map(|&port| Answer { ip, port }) {
            if seen.answers.contains(&answer) {
                continue;
            }
            if seen.answers.len() == ANSWERS_MAX {
                seen.answers.pop_front();
            }
            seen.answers.push_back(answer);
        }
    }

    /// A panic while the lock was held cannot have left the lists half-changed.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        let mut policy = Policy::new();
        for rule in rules {
            policy.allow(rule.parse().expect(rule));
        }
        policy
    }

    fn reach(policy: Policy) -> Reach {
        Reach::new(Arc::new(policy))
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().expect(address)
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().expect(address)
    }

    #[test]
    fn a_new_policy_admits_nothing() {
        let reach = reach(Policy::new());
        assert!(!reach.may_look_up("localhost"));
        assert!(!reach.may_connect(at("127.0.0.1:80")));
        assert!(reach.admit_answers("localhost", &[ip("127.0.0.1")]).is_empty());
        assert!(!reach.may_connect(at("127.0.0.1:80")));
    }

    #[test]
    fn the_answer_for_an_allowed_name_may_be_connected_to_at_its_port() {
        let reach = reach(policy(&["example.com:80", "example.com:443"]));
        assert!(reach.may_look_up("example.com"));
        assert!(!reach.may_connect(at("192.0.2.1:80")), "before the lookup");
        assert_eq!(
            reach.admit_answers("example.com", &[ip("192.0.2.1"), ip("::ffff:192.0.2.2")]),
            [ip("192.0.2.1"), ip("192.0.2.2")]
        );
        assert!(reach.may_connect(at("192.0.2.1:80")) && reach.may_connect(at("192.0.2.2:443")));
        assert!(reach.may_connect(at("[::ffff:192.0.2.1]:80")));
        assert!(!reach.may_connect(at("192.0.2.1:81")));
        assert!(!reach.may_connect(at("192.0.2.3:80")));
    }

    #[test]
    fn the_answer_for_one_client_is_none_for_another() {
        let policy = Arc::new(policy(&["example.com"]));
        let (one, other) = (Reach::new(Arc::clone(&policy)), Reach::new(policy));
        one.admit_answers("example.com", &[ip("192.0.2.1")]);
        assert!(one.may_connect(at("192.0.2.1:80")));
        assert!(!other.may_connect(at("192.0.2.1:80")));
    }

    #[test]
    fn a_name_that_is_bound_to_another_address_gains_only_its_own_ports() {
        let mut rebound = policy(&["evil.example:80"]);
        rebound.deny_private_answers();
        let reach = reach(rebound);
        assert_eq!(reach.admit_answers("evil.example", &[ip("8.8.8.8")]), [ip("8.8.8.8")]);
        for private in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(reach.admit_answers("evil.example", &[ip(private)]).is_empty(), "{private}");
            assert!(!reach.may_connect(SocketAddr::new(ip(private), 80)), "{private}");
        }
        assert!(reach.may_connect(at("8.8.8.8:80")), "the first answer goes on being allowed");
        assert!(
            reach.take_denied().contains(&Denied::PrivateAnswer { name: "evil.example".to_owned(), address: ip("10.0.0.1") })
        );
    }

    #[test]
    fn a_rule_for_the_address_admits_a_private_answer() {
        let mut policy = policy(&["intra.example:80", "10.0.0.0/8:80"]);
        policy.deny_private_answers();
        let reach = reach(policy);
        assert_eq!(reach.admit_answers("intra.example", &[ip("10.1.2.3"), ip("192.168.0.1")]), [ip("10.1.2.3")]);
        assert!(reach.may_connect(at("10.1.2.3:80")));
        assert!(!reach.may_connect(at("192.168.0.1:80")));
    }

    #[test]
    fn the_public_internet_leaves_private_addresses_out() {
        let mut policy = Policy::new();
        policy.allow_public();
        let reach = reach(policy);
        assert!(reach.may_look_up("anything.example"));
        assert_eq!(reach.admit_answers("anything.example", &[ip("1.1.1.1"), ip("127.0.0.1")]), [ip("1.1.1.1")]);
        assert!(reach.may_connect(at("1.1.1.1:80")) && reach.may_connect(at("[2606:4700::1111]:443")));
        assert!(!reach.may_connect(at("127.0.0.1:80")) && !reach.may_connect(at("[::1]:80")));
    }

    #[test]
    fn any_means_any() {
        let mut policy = Policy::new();
        policy.dangerous_allow_any_address();
        let reach = reach(policy);
        assert!(reach.may_look_up("localhost") && reach.may_connect(at("127.0.0.1:22")));
        assert_eq!(reach.admit_answers("localhost", &[ip("::1")]), [ip("::1")]);
    }

    #[test]
    fn only_the_unspecified_address_may_be_bound_to() {
        let reach = reach(policy(&["127.0.0.1:80"]));
        assert!(reach.may_bind(at("0.0.0.0:0")) && reach.may_bind(at("[::]:0")));
        assert!(!reach.may_bind(at("127.0.0.1:80")) && !reach.may_bind(at("0.0.0.0:80")));
    }

    #[test]
    fn refusals_are_kept_once_each_and_bounded() {
        let reach = reach(Policy::new());
        for port in 1..=200 {
            reach.may_connect(SocketAddr::new(ip("192.0.2.1"), port));
            reach.may_connect(SocketAddr::new(ip("192.0.2.1"), port));
        }
        let denied = reach.take_denied();
        assert_eq!(denied.len(), DENIED_MAX);
        assert_eq!(denied[1], Denied::Address(at("192.0.2.1:2")));
        assert!(reach.take_denied().is_empty());
    }

    #[test]
    fn answers_are_bounded() {
        let reach = reach(policy(&["a.example"]));
        let first = ip("8.0.0.0");
        reach.admit_answers("a.example", &[first]);
        let more: Vec<IpAddr> =
            (1..=ANSWERS_MAX).map(|n| IpAddr::V4(Ipv4Addr::from_bits(0x0800_0000 + u32::try_from(n).unwrap()))).collect();
        reach.admit_answers("a.example", &more);
        assert_eq!(reach.seen().answers.len(), ANSWERS_MAX);
        assert!(!reach.may_connect(SocketAddr::new(first, 1)), "the oldest made room");
        assert!(reach.may_connect(SocketAddr::new(more[0], 1)));
    }
}

//! A policy at work in one client.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Denied, Policy, Rule, canonical_name, is_public};
use crate::unix_socket::UnixSocket;

/// Answers of lookups that one client keeps; the oldest make room. Enough for every origin of a full pool with many
/// addresses each.
const ANSWERS_MAX: usize = 16_384;
/// Names that one client connects to over Unix sockets; later names are not resolved.
const STAND_INS_MAX: usize = ANSWERS_MAX;
/// Refusals that one client records for [`Client::take_denied`](crate::Client::take_denied); later refusals are dropped.
const DENIED_MAX: usize = 64;

/// A policy at work in one client: the answers of the client's lookups, and the refusals.
#[derive(Debug)]
pub(crate) struct Reach {
    policy: Arc<Policy>,
    seen: Mutex<Seen>,
}

/// How a socket may connect to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Tcp,
    Unix(UnixSocket),
}

#[derive(Debug, Default)]
struct Seen {
    answers: VecDeque<Answer>,
    /// Names that are connected to over Unix sockets; the n-th, counted from 1, has the address 0.0.0.n.
    stand_ins: Vec<String>,
    /// The interfaces that answers named, by their numbers. As many as answers.
    scopes: VecDeque<(Ipv6Addr, u32)>,
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

    /// May the name be looked up? Given and remembered in its canonical form. One that is connected to over a Unix socket never is: it has
    /// an address that stands for it, or none.
    pub(crate) fn may_look_up(&self, name: &str) -> bool {
        let allowed = self.policy.allows_name(name) && !self.policy.routes_name(&canonical_name(name));
        if !allowed {
            self.deny(Denied::Name(name.to_owned()));
        }
        allowed
    }

    /// Remembers the addresses of a name, and returns the addresses that may be connected to at some port.
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

    /// Remembers which interface leads to an answer: WASI's answers do not say it.
    pub(crate) fn remember_scope(&self, answer: &SocketAddr) {
        let scope = match answer {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => (*v6.ip(), v6.scope_id()),
            SocketAddr::V6(_) | SocketAddr::V4(_) => return,
        };
        let scopes = &mut self.seen().scopes;
        if scopes.contains(&scope) {
            return;
        }
        if scopes.len() == ANSWERS_MAX {
            scopes.pop_front();
        }
        scopes.push_back(scope);
    }

    /// The address with the interface that the latest answer named, where the component names none.
    pub(crate) fn scoped(&self, mut address: SocketAddr) -> SocketAddr {
        if let SocketAddr::V6(v6) = &mut address
            && v6.scope_id() == 0
            && let Some((_, scope)) = self.seen().scopes.iter().rev().find(|(ip, _)| ip == v6.ip())
        {
            v6.set_scope_id(*scope);
        }
        address
    }

    /// The address in place of a name that leads to a Unix socket: an address of the network 0.0.0.0/8, to which nobody can
    /// connect (RFC 6890). `None`: the name has none; whether it is looked up, [`Reach::may_look_up`] says.
    pub(crate) fn stand_in(&self, name: &str) -> Option<IpAddr> {
        let name = canonical_name(name);
        if !self.policy.routes_name(&name) {
            return None;
        }
        let names = &mut self.seen().stand_ins;
        let place = names.iter().position(|known| *known == name).unwrap_or(names.len());
        if place == STAND_INS_MAX {
            return None;
        }
        if place == names.len() {
            names.push(name);
        }
        Some(IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(place + 1).ok()?)))
    }

    /// How a socket may connect to this address now. Asked right before the connect. `None`: the socket may not.
    pub(crate) fn way_to(&self, address: SocketAddr) -> Option<Way> {
        let Some(socket) = self.unix_socket_to(address) else {
            return self.may_connect(address).then_some(Way::Tcp);
        };
        match self.policy.allows_unix_socket(&socket) {
            true => Some(Way::Unix(socket)),
            false => {
                self.deny(Denied::UnixSocket(socket));
                None
            }
        }
    }

    fn unix_socket_to(&self, address: SocketAddr) -> Option<UnixSocket> {
        let stood_for = |place: u32| self.seen().stand_ins.get(usize::try_from(place).ok()?.checked_sub(1)?).cloned();
        let name = match address.ip() {
            IpAddr::V4(ip) => stood_for(ip.to_bits()),
            IpAddr::V6(_) => None,
        };
        match name {
            Some(name) => self.policy.unix_socket_for(&name, address.port()).cloned(),
            None => self.policy.unix_socket_to(address).cloned(),
        }
    }

    /// May a socket connect to this address by TCP now?
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

    /// The refusals since the last call.
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

    fn routed(rules: &[&str], routes: &[(&str, &str)]) -> Reach {
        let mut policy = policy(rules);
        for (to, socket) in routes {
            policy.unix_socket(to.parse().expect(to), UnixSocket::at(socket));
        }
        reach(policy)
    }

    #[test]
    fn a_name_with_a_unix_socket_has_a_stand_in_for_its_ports() {
        let reach = routed(&["unix:/a", "unix:/b"], &[("a.test:80", "/a"), ("*.test:81", "/b")]);
        assert_eq!(reach.stand_in("other.example"), None);
        assert_eq!(
            [reach.stand_in("A.test."), reach.stand_in("b.test"), reach.stand_in("a.test")],
            ["0.0.0.1", "0.0.0.2", "0.0.0.1"].map(|address| Some(ip(address)))
        );
        let unix = |path: &str| Some(Way::Unix(UnixSocket::at(path)));
        assert_eq!(reach.way_to(at("0.0.0.1:80")), unix("/a"));
        assert_eq!([reach.way_to(at("0.0.0.1:81")), reach.way_to(at("0.0.0.2:81"))], [unix("/b"), unix("/b")]);
        for refused in ["0.0.0.1:82", "0.0.0.2:80", "0.0.0.3:80", "0.0.0.0:80"] {
            assert_eq!(reach.way_to(at(refused)), None, "{refused}");
        }
    }

    #[test]
    fn a_name_with_a_unix_socket_is_never_looked_up() {
        let reach = routed(&["unix:/a", "test", "*.test"], &[("*.test:80", "/a")]);
        reach.seen().stand_ins = (0..STAND_INS_MAX).map(|number| format!("{number}.test")).collect();
        assert_eq!(reach.stand_in("0.test"), Some(ip("0.0.0.1")));
        assert_eq!((reach.stand_in("one-more.test"), reach.may_look_up("one-more.test")), (None, false));
        assert_eq!(reach.take_denied(), [Denied::Name("one-more.test".to_owned())]);
        assert!(reach.stand_in("test").is_none() && reach.may_look_up("test"), "it has no Unix socket");
    }

    #[test]
    fn the_interface_of_an_answer_is_remembered() {
        let reach = reach(policy(&["h.test"]));
        for answer in ["[fe80::1%3]:0", "[fe80::2]:0", "[fe80::1%3]:0", "192.0.2.1:0"] {
            reach.remember_scope(&at(answer));
        }
        let scoped = |address: &str| reach.scoped(at(address)).to_string();
        assert_eq!(
            ["[fe80::1]:80", "[fe80::2]:80", "192.0.2.1:80"].map(scoped),
            ["[fe80::1%3]:80", "[fe80::2]:80", "192.0.2.1:80"]
        );
        assert_eq!(scoped("[fe80::1%7]:80"), "[fe80::1%7]:80", "the component names one");
    }

    #[test]
    fn an_address_with_a_unix_socket_is_connected_to_over_it() {
        let reach = routed(&["unix:/a", "192.0.2.1", "[::1]:81"], &[("192.0.2.1:80", "/a"), ("::1", "/a")]);
        let unix = Some(Way::Unix(UnixSocket::at("/a")));
        for address in ["192.0.2.1:80", "[::ffff:192.0.2.1]:80", "[::1]:81", "[::1]:9"] {
            assert_eq!(reach.way_to(at(address)), unix, "{address}");
        }
        assert_eq!(reach.way_to(at("192.0.2.1:81")), Some(Way::Tcp));
    }

    #[test]
    fn a_unix_socket_that_is_not_allowed_is_refused_by_its_path() {
        let reach = routed(&["a.test", "192.0.2.1"], &[("a.test", "/a"), ("192.0.2.1", "/b")]);
        assert!(reach.stand_in("a.test").is_some());
        assert_eq!([reach.way_to(at("0.0.0.1:80")), reach.way_to(at("192.0.2.1:80"))], [None, None]);
        assert_eq!(reach.take_denied(), ["/a", "/b"].map(|path| Denied::UnixSocket(UnixSocket::at(path))));
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

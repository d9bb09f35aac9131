//! Names that may be looked up, and addresses that may be connected to.
//!
//! Two questions are asked, at two moments:
//!
//! 1. **At the lookup**: does a rule admit the name? If so, the answers are remembered for this client, with the ports
//!    of the rules that admitted the name.
//! 2. **At the connect**: does a rule admit the address and port, or was the address the answer for a name that is allowed at this
//!    port?
//!
//! The second question is about the very address that the socket is about to use. So a name that resolves to another address the next
//! time (DNS rebinding) gains nothing, and an address that no lookup of the client has returned is refused, wherever the component
//! has the address from.
//!
//! A name or address that leads to a Unix socket ([`Policy::unix_socket`]) is checked at the connect alone: a rule must admit that socket.
//!
//! A rule for a name trusts whoever answers for the name. [`Policy::deny_private_answers`] withdraws the trust for addresses that are
//! not public; [`Policy::allow_public`] never extends to such addresses.
mod public;
mod reach;
mod rule;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use public::is_public;
pub(crate) use reach::{Reach, Way};
pub use rule::Rule;
use rule::canonical_name;

use crate::unix_socket::UnixSocket;

/// The names and addresses that may be reached. A new policy admits nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    /// The names and addresses that lead to Unix sockets.
    routes: Vec<(Rule, UnixSocket)>,
    public: bool,
    any: bool,
    deny_private_answers: bool,
    any_certificate: bool,
    key_log: bool,
}

/// An attempt of the component that the policy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// To look up a name.
    Name(String),
    /// To connect to an address.
    Address(SocketAddr),
    /// To connect to an address of a name, because the address is not public.
    PrivateAnswer {
        /// The name.
        name: String,
        /// The answer.
        address: IpAddr,
    },
    /// To connect to a Unix socket, which takes the place of an address.
    UnixSocket(UnixSocket),
    /// To listen, or to choose a local address.
    Bind(SocketAddr),
}

impl Policy {
    /// Admits nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits everything that the rule names, beside everything that is admitted already.
    pub fn allow(&mut self, rule: Rule) -> &mut Self {
        self.rules.push(rule);
        self
    }

    /// Has connections to `to` go over a Unix socket instead of TCP. A name is then not looked up at any port; of several such rules
    /// the first counts. The call admits nothing: the rule `unix:PATH` has to admit the socket.
    pub fn unix_socket(&mut self, to: Rule, socket: UnixSocket) -> &mut Self {
        self.routes.push((to, socket));
        self
    }

    /// Admits every name, and every address of the public internet, at every port: for a host that fetches URLs of strangers.
    /// Private, local and special addresses are refused, whatever name leads there.
    pub fn allow_public(&mut self) -> &mut Self {
        self.public = true;
        self
    }

    /// Admits every name and every address, also the addresses of this machine and its network. Whoever chooses the requests then
    /// reaches everything that this process can reach.
    pub fn dangerous_allow_any_address(&mut self) -> &mut Self {
        self.any = true;
        self
    }

    /// Refuses private, local and special addresses of an allowed name, unless a rule admits the address. For names whose owner is
    /// not trusted with the local network.
    pub fn deny_private_answers(&mut self) -> &mut Self {
        self.deny_private_answers = true;
        self
    }

    /// Lets callers say `accept_any_certificate` in [`TlsOptions`](crate::types::TlsOptions). Whoever is on the way to a server can
    /// then be that server, and read and change everything. Counts for the build with TLS inside.
    pub fn dangerous_allow_any_certificate(&mut self) -> &mut Self {
        self.any_certificate = true;
        self
    }

    /// Lets callers say `key_log` in [`TlsOptions`](crate::types::TlsOptions), and take the secrets of their connections with
    /// [`Client::take_key_log`](crate::Client::take_key_log). Whoever has the secrets can read the exchanges. Counts for the build
    /// with TLS inside.
    pub fn allow_key_log(&mut self) -> &mut Self {
        self.key_log = true;
        self
    }

    /// May any certificate be accepted?
    pub fn allows_any_certificate(&self) -> bool {
        self.any_certificate
    }

    /// May the secrets of TLS be noted?
    pub fn allows_key_log(&self) -> bool {
        self.key_log
    }

    /// The policy's decisions about TLS, without anything to be reached.
    pub(crate) fn unreaching(&self) -> Self {
        Self { any_certificate: self.any_certificate, key_log: self.key_log, ..Self::new() }
    }

    /// May this name be looked up?
    pub fn allows_name(&self, name: &str) -> bool {
        self.any || self.public || self.ports_of(&canonical_name(name)).next().is_some()
    }

    /// May this address be connected to, without a lookup?
    pub fn allows_address(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.any || (self.public && is_public(ip)) || self.rules.iter().any(|rule| rule.admits_address(ip, address.port()))
    }

    /// May the Unix socket be connected to, in the place of an address? Only a rule for the socket admits the socket.
    pub fn allows_unix_socket(&self, socket: &UnixSocket) -> bool {
        self.rules.iter().any(|rule| rule.admits_unix_socket(socket))
    }

    /// The Unix socket in the place of this address.
    fn unix_socket_to(&self, address: SocketAddr) -> Option<&UnixSocket> {
        let ip = address.ip().to_canonical();
        self.routes.iter().find(|(to, _)| to.admits_address(ip, address.port())).map(|(_, socket)| socket)
    }

    /// The Unix socket to which this name leads at this port.
    fn unix_socket_for(&self, name: &str, port: u16) -> Option<&UnixSocket> {
        self.routes.iter().find(|(to, _)| to.admits_name(name) && to.admits_port(port)).map(|(_, socket)| socket)
    }

    /// Is the name connected to over a Unix socket, at some port?
    fn routes_name(&self, name: &str) -> bool {
        self.routes.iter().any(|(to, _)| to.admits_name(name))
    }

    /// The ports that the rules for this name open. `None`: every port.
    fn ports_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Option<u16>> + 'a {
        self.rules.iter().filter(move |rule| rule.admits_name(name)).map(|rule| rule.port)
    }

    /// May the answer be used under the rules for the name?
    fn allows_answer(&self, answer: IpAddr) -> bool {
        !self.deny_private_answers || is_public(answer)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "the policy does not allow to look up {name}"),
            Self::Address(address) => write!(f, "the policy does not allow to connect to {address}"),
            Self::PrivateAnswer { name, address } => {
                write!(f, "{name} resolves to {address}, and the policy does not allow names to lead to such addresses")
            }
            Self::UnixSocket(socket) => write!(f, "the policy does not allow to connect to the Unix socket {socket}"),
            Self::Bind(address) => write!(f, "the policy does not allow to listen, or to bind to {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        let mut policy = Policy::new();
        for rule in rules {
            policy.allow(rule.parse().expect(rule));
        }
        policy
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().expect(address)
    }

    #[test]
    fn names_are_compared_whole_and_without_regard_to_case() {
        let policy = policy(&["example.com:80", "*.example.org"]);
        for name in ["example.com", "EXAMPLE.com", "example.com.", "a.example.org", "a.b.Example.org."] {
            assert!(policy.allows_name(name), "{name}");
        }
        for name in
            ["a.example.com", "notexample.com", "example.com.evil", "example.org", ".example.org", "notexample.org", "", "a b"]
        {
            assert!(!policy.allows_name(name), "{name}");
        }
    }

    #[test]
    fn addresses_and_ports_are_compared() {
        let policy = policy(&["192.0.2.1:80", "10.0.0.0/8:443", "[2001:db8::/32]:80", "198.51.100.7"]);
        for address in ["192.0.2.1:80", "10.255.0.1:443", "[2001:db8:ffff::1]:80", "198.51.100.7:1", "[::ffff:192.0.2.1]:80"] {
            assert!(policy.allows_address(at(address)), "{address}");
        }
        for address in ["192.0.2.1:81", "192.0.2.2:80", "11.0.0.1:443", "10.0.0.1:80", "[2001:db9::1]:80", "[::a00:1]:443"] {
            assert!(!policy.allows_address(at(address)), "{address}");
        }
    }

    #[test]
    fn a_unix_socket_is_admitted_by_its_own_rule_alone() {
        let (socket, other) = (UnixSocket::at("/run/x.sock"), UnixSocket::abstract_name("/run/x.sock"));
        let mut all = Policy::new();
        all.dangerous_allow_any_address().unix_socket("h".parse().unwrap(), socket.clone());
        assert!(!all.allows_unix_socket(&socket));
        let listed = policy(&["unix:/run/x.sock"]);
        assert!(listed.allows_unix_socket(&socket) && !listed.allows_unix_socket(&other));
        assert!(policy(&["unix:@/run/x.sock"]).allows_unix_socket(&other));
        assert!(!listed.allows_name("/run/x.sock") && !listed.allows_address(at("0.0.0.1:80")));
    }

    #[test]
    fn a_network_of_all_addresses_is_of_its_family_only() {
        assert!(policy(&["0.0.0.0/0"]).allows_address(at("203.0.113.1:1")));
        assert!(!policy(&["0.0.0.0/0"]).allows_address(at("[2001:db8::1]:1")));
        assert!(policy(&["::/0"]).allows_address(at("[2001:db8::1]:1")));
        assert!(!policy(&["::/0"]).allows_address(at("203.0.113.1:1")));
    }
}

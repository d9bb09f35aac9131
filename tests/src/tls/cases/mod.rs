//! The cases, group by group.

mod agreement;
mod certificates;
mod endings;
mod handshake;
mod hello;
mod identities;
mod mixed;
mod not_tls;
mod real;
mod records;
mod sessions;

use super::authority::{Identity, authority};
use super::case::Case;
use super::client::Version;
use super::server::Settings;
use rustls::SupportedProtocolVersion;

/// Cases of one kind.
pub struct Group {
    /// For the table.
    pub name: &'static str,
    /// In the order of the table.
    pub cases: Vec<Case>,
}

/// All of them.
pub fn groups() -> Vec<Group> {
    let group = |name, cases| Group { name, cases };
    vec![
        group("Certificates", certificates::cases()),
        group("Versions, suites, groups, ALPN", agreement::cases()),
        group("No TLS, or the end of it", not_tls::cases()),
        group("The ServerHello and what is not encrypted", hello::cases()),
        group("The encrypted handshake", handshake::cases()),
        group("Records behind the handshake", records::cases()),
        group("Ends", endings::cases()),
        group("Sessions", sessions::cases()),
        group("Client certificates", identities::cases()),
        group("Identities that must not be mixed", mixed::cases()),
        group("Servers as others made them", real::cases()),
    ]
}

type Versions = &'static [&'static SupportedProtocolVersion];
const TLS12: Versions = &[&rustls::version::TLS12];
const TLS13: Versions = &[&rustls::version::TLS13];
const BOTH: [(&str, Versions, Version); 2] = [("TLS 1.2", TLS12, Version::Tls12), ("TLS 1.3", TLS13, Version::Tls13)];

fn good() -> Settings {
    Settings::new(authority().good())
}

fn speaking(versions: Versions) -> Settings {
    Settings { versions, ..good() }
}

fn with(identity: Identity) -> Settings {
    Settings::new(identity)
}

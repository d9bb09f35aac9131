//! One client with several identities: what was found good for one is not good for another, and no session is resumed across them.

use super::{BOTH, Versions, speaking, with};
use crate::tls::authority::{Identity, authority};
use crate::tls::case::Case;
use crate::tls::client::{Outcome, Problem, Version};
use crate::tls::server::{ClientAuth, Settings};
use crate::tls::serving::Seen;
use rustls::HandshakeKind;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let case = |name: &str, identity: fn() -> Identity| {
            Case::new(format!("{name}, {word}"), move || Settings { versions, ..with(identity()) }.start())
        };
        let good = |name: &str| case(name, || authority().good());
        cases.push(
            case("anything is accepted, and then not", || authority().self_signed())
                .told(|told| told.accepts_anything = true)
                .then(|told| told.accepts_anything = false)
                .refused(Problem::CertificateIssuer),
        );
        cases.push(good("no pin, and then another's").then(|told| told.pins = vec![[7; 32]]).refused(Problem::Pin));
        cases.push(
            good("one root, and then another")
                .then(|told| told.roots = vec![authority().stranger.certificate.clone()])
                .refused(Problem::CertificateIssuer),
        );
        cases.push(
            case("a name that it is for, and then another", || authority().named(&["first.test"]))
                .told(|told| told.name = "first.test".to_owned())
                .visits(&["first.test"])
                .then(|told| told.name = "second.test".to_owned())
                .refused(Problem::CertificateName),
        );
        cases.extend(clients(word, versions));
    }
    cases.push(
        Case::new("TLS 1.2, and then 1.3 is demanded", || speaking(super::TLS12).start())
            .then(|told| told.minimum = Version::Tls13)
            .refused(Problem::NoAgreement),
    );
    cases
}

fn clients(word: &str, versions: Versions) -> Vec<Case> {
    let case = |name: &str, client_auth| {
        Case::new(format!("{name}, {word}"), move || Settings { client_auth, ..speaking(versions) }.start())
            .told(|told| told.identity = Some(authority().client(true)))
    };
    vec![
        case("a client certificate, and then none", ClientAuth::Optional).then(|told| told.identity = None).check(not_mixed::<0>),
        case("a client certificate, and then another", ClientAuth::Required)
            .then(|told| told.identity = Some(authority().client(true)))
            .check(not_mixed::<2>),
    ]
}

/// The last connection has a handshake of its own, with so many certificates of the client that are not those of the first.
fn not_mixed<const COUNT: usize>(seen: &[Seen], _: &[Outcome]) -> Result<(), String> {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Err("no connections".to_owned()) };
    let own = last.client_certificates.len() == COUNT && last.client_certificates.first() != first.client_certificates.first();
    let full = last.kind == Some(HandshakeKind::Full);
    if own && full {
        Ok(())
    } else {
        Err(format!("{:?}, {} certificates, new: {own}", last.kind, last.client_certificates.len()))
    }
}

//! What both sides must have in common.

use super::{BOTH, TLS12, TLS13, good, speaking};
use crate::tls::case::Case;
use crate::tls::client::{Outcome, Problem, Version};
use crate::tls::edit::{Edit, message};
use crate::tls::server::Settings;
use rustls::{CipherSuite, HandshakeKind, NamedGroup};

/// With an extension for "h3", which no client here offers.
const ALPN_H3: [u8; 9] = [0, 16, 0, 5, 0, 3, 2, b'h', b'3'];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = versions();
    cases.extend(suites());
    cases.extend(alpn());
    cases
}

fn versions() -> Vec<Case> {
    vec![
        Case::new("TLS 1.3 alone", || speaking(TLS13).start()).check(|seen, _| agreed(seen, Version::Tls13)),
        Case::new("TLS 1.2 alone", || speaking(TLS12).start()).check(|seen, _| agreed(seen, Version::Tls12)),
        Case::new("both, and the client takes the newer", || good().start()).check(|seen, _| agreed(seen, Version::Tls13)),
        Case::new("both, and the client has 1.2 alone", || good().start())
            .told(|told| told.maximum = Version::Tls12)
            .check(|seen, _| agreed(seen, Version::Tls12)),
        Case::new("TLS 1.2 alone, and the client demands 1.3", || speaking(TLS12).start())
            .told(|told| told.minimum = Version::Tls13)
            .refused(Problem::NoAgreement),
        Case::new("TLS 1.3 alone, and the client has 1.2 alone", || speaking(TLS13).start())
            .told(|told| told.maximum = Version::Tls12)
            .refused(Problem::NoAgreement),
    ]
}

fn agreed(seen: &[crate::tls::serving::Seen], version: Version) -> Result<(), String> {
    let found = seen.last().and_then(|seen| seen.version);
    if found == Some(version) { Ok(()) } else { Err(format!("{found:?} was agreed on")) }
}

fn suites() -> Vec<Case> {
    let suite = |name: &str, versions, suites: &'static [CipherSuite]| {
        Case::new(name, move || Settings { suites, ..speaking(versions) }.start())
    };
    let group = |name: &str, versions, groups: &'static [NamedGroup]| {
        Case::new(name, move || Settings { groups, ..speaking(versions) }.start())
    };
    vec![
        suite("AES-128-GCM alone, TLS 1.3", TLS13, &[CipherSuite::TLS13_AES_128_GCM_SHA256]),
        suite("AES-256-GCM alone, TLS 1.3", TLS13, &[CipherSuite::TLS13_AES_256_GCM_SHA384]),
        suite("ChaCha20-Poly1305 alone, TLS 1.3", TLS13, &[CipherSuite::TLS13_CHACHA20_POLY1305_SHA256]),
        suite("AES-128-GCM alone, TLS 1.2", TLS12, &[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]),
        suite("AES-256-GCM alone, TLS 1.2", TLS12, &[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]),
        suite("ChaCha20-Poly1305 alone, TLS 1.2", TLS12, &[CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]),
        suite("suites for RSA, and a certificate that is not", TLS12, &[CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256])
            .refused(Problem::NoAgreement),
        group("X25519 alone", TLS13, &[NamedGroup::X25519]),
        group("P-256 alone", TLS13, &[NamedGroup::secp256r1]),
        group("P-384 alone, which needs a HelloRetryRequest", TLS13, &[NamedGroup::secp384r1]).check(|seen, _| {
            match seen.last().and_then(|seen| seen.kind) {
                Some(HandshakeKind::FullWithHelloRetryRequest) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        }),
        group("P-384 alone, TLS 1.2", TLS12, &[NamedGroup::secp384r1]),
    ]
}

fn alpn() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let selecting = move |alpn: &'static [&'static str]| move || Settings { alpn, ..speaking(versions) }.start();
        let case = |name: &str, alpn| Case::new(format!("{name}, {word}"), selecting(alpn));
        cases.push(case("ALPN http/1.1", &["http/1.1"]).check(|seen, outcomes| {
            let offered = seen.last().map(|seen| seen.alpn_offered.as_slice());
            let Some(Outcome::Answered(answer)) = outcomes.last() else { return Err("no answer".to_owned()) };
            // A client that tells no result tells no wrong one.
            let right = offered == Some(&["http/1.1".to_owned()]) && answer.alpn.as_deref().is_none_or(|name| name == "http/1.1");
            if right { Ok(()) } else { Err(format!("offered {offered:?}, received {:?}", answer.alpn)) }
        }));
        cases.push(case("no ALPN from the server", &[]).check(|seen, _| match seen.last().and_then(|seen| seen.alpn.clone()) {
            None => Ok(()),
            other => Err(format!("{other:?}")),
        }));
        cases.push(case("ALPN h2 alone", &["h2"]).refused(Problem::Alpn));
        cases.push(case("ALPN offered by no client", &["h2"]).told(|told| told.alpn = Vec::new()).check(|seen, _| {
            let offered = seen.last().map(|seen| seen.alpn_offered.len());
            if offered == Some(0) { Ok(()) } else { Err(format!("{offered:?} were offered")) }
        }));
    }
    cases.push(Case::new("the second of two", || Settings { alpn: &["http/1.1"], ..good() }.start()).told(|told| {
        told.alpn = vec!["http/1.0".to_owned(), "http/1.1".to_owned()];
    }));
    let append = |content: &mut Vec<u8>| super::hello::append_extension(content, 0, &ALPN_H3);
    let edit = Edit { kind: message::ENCRYPTED_EXTENSIONS, change: append };
    let server = move || Settings { alpn: &[], edit: Some(edit), ..speaking(TLS13) }.start();
    cases.push(Case::new("ALPN that was not offered is selected, TLS 1.3", server).refused(Problem::Alpn));
    cases.push(
        Case::new("ALPN is selected where none was offered, TLS 1.3", server)
            .told(|told| told.alpn = Vec::new())
            .refused(Problem::Alpn)
            .or(Problem::Protocol),
    );
    cases
}

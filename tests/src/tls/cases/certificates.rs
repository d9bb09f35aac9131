//! Good ones, and what can be wrong with one: each is its own error.

use super::{BOTH, good, with};
use crate::tls::authority::{DATES_AHEAD, DATES_EXPIRED, Identity, NAME, OTHER_NAME, authority, leaf_params};
use crate::tls::case::Case;
use crate::tls::client::{Library, Problem};
use crate::tls::openssl;
use crate::tls::real::s_server;
use crate::tls::server::Settings;
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};

/// An arc for examples, so that no client knows the extension.
const UNKNOWN_EXTENSION: &[u64] = &[2, 999, 7];

fn serving(name: &str, identity: fn() -> Identity) -> Case {
    Case::new(name, move || with(identity()).start())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good_ones();
    cases.extend(names());
    cases.extend(dates_and_issuers());
    cases.extend(uses());
    cases.extend(keys());
    cases.extend(told());
    cases
}

fn good_ones() -> Vec<Case> {
    vec![
        serving("ECDSA on P-256", || authority().good()),
        serving("ECDSA on P-384", || authority().p384()),
        serving("Ed25519", || authority().ed25519()),
        Case::trying("RSA of 2048 bits", || Ok(with(authority().rsa()?).start())),
        serving("an extension that is not known, not critical", || {
            authority()
                .leaf(|params| params.custom_extensions.push(CustomExtension::from_oid_content(UNKNOWN_EXTENSION, vec![5, 0])))
        }),
        serving("the root sent too", || {
            let mut identity = authority().good();
            identity.chain.push(authority().root.certificate.clone());
            identity
        }),
        serving("the leaf sent twice", || {
            let mut identity = authority().good();
            identity.chain.insert(1, identity.chain[0].clone());
            identity
        }),
        serving("two authorities between, in the wrong order", || {
            let below = authority().intermediate.below("a second intermediate", |_| {});
            let mut identity = below.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME]));
            identity.chain.insert(1, authority().intermediate.certificate.clone());
            identity
        }),
        serving("an unrelated certificate sent too", || {
            let mut identity = authority().good();
            identity.chain.push(authority().stranger.certificate.clone());
            identity
        }),
    ]
}

fn names() -> Vec<Case> {
    let asks = |name: &str, names: &'static [&'static str], asked: &'static [&'static str]| {
        Case::new(name, move || with(authority().named(names)).start()).visits(asked)
    };
    vec![
        asks("a wildcard", &["*.wild.test"], &["a.wild.test"]),
        asks("a wildcard in other letters", &["*.Wild.TEST"], &["a.wild.test"]),
        asks("the wildcard's own domain", &["*.wild.test"], &["wild.test"]).refused(Problem::CertificateName),
        asks("a wildcard for two labels", &["*.wild.test"], &["a.b.wild.test"]).refused(Problem::CertificateName),
        asks("a wildcard in the middle", &["a.*.test"], &["a.b.test"])
            .refused(Problem::CertificateName)
            .or(Problem::CertificateMalformed),
        asks("a wildcard within a label", &["a*.wild.test"], &["ab.wild.test"])
            .refused(Problem::CertificateName)
            .or(Problem::CertificateMalformed),
        asks("another name", &[OTHER_NAME], &[NAME]).refused(Problem::CertificateName).saying(&[OTHER_NAME]),
        asks("a name that begins with the right one", &["server.test.evil.test"], &[NAME]).refused(Problem::CertificateName),
        asks("a name that is the end of the right one", &["test"], &[NAME]).refused(Problem::CertificateName),
        serving("the right name, NUL, and another", || {
            authority().leaf(|params| {
                params.subject_alt_names = vec![rcgen::SanType::DnsName("server.test\0.evil.test".try_into().expect("ASCII"))];
            })
        })
        .refused(Problem::CertificateName)
        .or(Problem::CertificateMalformed),
        asks("a name with the root's dot, which is not sent", &[NAME], &["server.test."]).check(|seen, _| {
            match seen.last().and_then(|seen| seen.server_name.as_deref()) {
                Some(NAME) => Ok(()),
                other => Err(format!("the server saw {other:?}")),
            }
        }),
        asks("the second of its names", &[NAME, OTHER_NAME], &[OTHER_NAME]),
        asks("an IPv4 address", &["127.0.0.1"], &["127.0.0.1"]).check(|seen, _| {
            match seen.last().map(|seen| &seen.server_name) {
                Some(None) => Ok(()),
                other => Err(format!("an address is no server name (RFC 6066): {other:?}")),
            }
        }),
        asks("another IPv4 address", &["127.0.0.2"], &["127.0.0.1"]).refused(Problem::CertificateName).saying(&["127.0.0.2"]),
        asks("the name, for an address", &[NAME], &["127.0.0.1"]).refused(Problem::CertificateName),
        serving("the address as a DNS name", || {
            authority()
                .leaf(|params| params.subject_alt_names = vec![rcgen::SanType::DnsName("127.0.0.1".try_into().expect("ASCII"))])
        })
        .visits(&["127.0.0.1"])
        .refused(Problem::CertificateName)
        .or(Problem::CertificateMalformed),
        serving("the name in the common name alone", || {
            authority().leaf(|params| {
                params.subject_alt_names.clear();
                params.distinguished_name.push(rcgen::DnType::CommonName, NAME);
            })
        })
        .refused(Problem::CertificateName)
        .differs(Library::OpenSsl, "OpenSSL falls back on the common name where there is no subjectAltName"),
        serving("outside the name constraints of its issuer", || {
            let mut identity = authority().constrained.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME]));
            identity.chain.truncate(2);
            identity
        })
        .refused(Problem::CertificateUse)
        .or(Problem::CertificateIssuer),
        serving("within the name constraints of its issuer", || {
            authority().constrained.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&["www.permitted.test"]))
        })
        .visits(&["www.permitted.test"]),
        Case::new("the server name does not depend on the address", || good().start()).visits(&[OTHER_NAME]).check(|seen, _| {
            match seen.last().and_then(|seen| seen.server_name.as_deref()) {
                Some(OTHER_NAME) => Ok(()),
                other => Err(format!("the server saw {other:?}")),
            }
        }),
    ]
}

fn dates_and_issuers() -> Vec<Case> {
    vec![
        serving("expired", || authority().dated(DATES_EXPIRED)).refused(Problem::CertificateExpired).saying(&[
            "2021-01-01",
            "20210101",
            "1609459200",
        ]),
        serving("not yet valid", || authority().dated(DATES_AHEAD)).refused(Problem::CertificateNotYetValid).saying(&[
            "2090-01-01",
            "20900101",
            "3786912000",
        ]),
        serving("its issuer has expired", || authority().expired.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME])))
            .refused(Problem::CertificateExpired)
            .or(Problem::CertificateIssuer),
        serving("signed by itself", || authority().self_signed()).refused(Problem::CertificateIssuer),
        serving("the root is unknown", || authority().stranger.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME])))
            .refused(Problem::CertificateIssuer),
        serving("the intermediate is missing", || {
            let mut identity = authority().good();
            identity.chain.truncate(1);
            identity
        })
        .refused(Problem::CertificateIssuer),
        serving("the intermediate is another", || {
            let mut identity = authority().good();
            identity.chain[1] = authority().constrained.certificate.clone();
            identity
        })
        .refused(Problem::CertificateIssuer),
        serving("issued by a leaf", || {
            // The issuer's certificate is good for a server, and for nothing else.
            let between = authority().intermediate.below("no authority", |params| {
                params.is_ca = IsCa::ExplicitNoCa;
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            });
            let mut identity = between.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME]));
            identity.chain.push(authority().intermediate.certificate.clone());
            identity
        })
        .refused(Problem::CertificateIssuer)
        .or(Problem::CertificateUse),
        serving("deeper than the issuer's path length", || {
            let short = authority().root.below("no authority below", |params| {
                params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
            });
            let below = short.below("one too many", |_| {});
            let mut identity = below.sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME]));
            identity.chain.push(short.certificate.clone());
            identity
        })
        .refused(Problem::CertificateIssuer)
        .or(Problem::CertificateUse),
        serving("forty authorities of the same name, and none leads to a root", || {
            // Whoever tries each for each would try for ever.
            let mut signers = vec![authority().stranger.below("one of many", |_| {})];
            while signers.len() < 40 {
                signers.push(signers[signers.len() - 1].below("one of many", |_| {}));
            }
            let mut identity = signers[39].sign(&PKCS_ECDSA_P256_SHA256, &leaf_params(&[NAME]));
            identity.chain.truncate(1);
            identity.chain.extend(signers.iter().map(|signer| signer.certificate.clone()));
            identity
        })
        .refused(Problem::CertificateIssuer),
        serving("its signature is wrong", || {
            let mut identity = authority().good();
            let mut der = identity.chain[0].to_vec();
            // The last octet of a signature is the last of the certificate.
            if let Some(octet) = der.last_mut() {
                *octet ^= 1;
            }
            identity.chain[0] = der.into();
            identity
        })
        .refused(Problem::CertificateMalformed)
        .or(Problem::CertificateIssuer),
    ]
}

fn uses() -> Vec<Case> {
    vec![
        serving("for clients alone", || {
            authority().leaf(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
        })
        .refused(Problem::CertificateUse),
        serving("for signing code alone", || {
            authority().leaf(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning])
        })
        .refused(Problem::CertificateUse),
        serving("without an extended key usage", || authority().leaf(|params| params.extended_key_usages.clear())),
        serving("an authority's certificate as the server's", || {
            authority().leaf(|params| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained))
        })
        .refused(Problem::CertificateUse)
        .differs(Library::OpenSsl, "OpenSSL lets an authority be a server"),
        serving("a critical extension that is not known", || {
            authority().leaf(|params| {
                let mut extension = CustomExtension::from_oid_content(UNKNOWN_EXTENSION, vec![5, 0]);
                extension.set_criticality(true);
                params.custom_extensions.push(extension);
            })
        })
        .refused(Problem::CertificateUse),
    ]
}

fn keys() -> Vec<Case> {
    let made = |name: &str, bits, digest: &'static str| {
        Case::trying(name, move || s_server(&openssl::leaf(authority(), bits, digest)?, &["-cipher", "ALL:@SECLEVEL=0"]))
    };
    let mut cases = vec![
        made("RSA of 2048 bits, from openssl", 2048, "-sha256"),
        made("RSA of 1024 bits", 1024, "-sha256").refused(Problem::CertificateKey),
        made("signed with SHA-1", 2048, "-sha1").refused(Problem::CertificateKey),
        serving("the key is another's", || {
            let other = authority().good();
            Identity { key: other.key, ..authority().good() }
        })
        .refused(Problem::Protocol),
    ];
    for (word, versions, _) in BOTH {
        let garbled = move || {
            let mut identity = authority().good();
            identity.chain[0] = vec![0x30, 3, 1, 2].into();
            Settings { versions, ..with(identity) }.start()
        };
        cases.push(
            Case::new(format!("no certificate, but octets, {word}"), garbled)
                .refused(Problem::CertificateMalformed)
                .or(Problem::Protocol),
        );
    }
    cases
}

fn told() -> Vec<Case> {
    let pinned = |name: &str, right: bool| {
        // One identity for both sides.
        let identity = authority().good();
        let pin = if right { identity.pin() } else { [7; 32] };
        Case::new(name, move || with(identity.clone()).start()).told(move |told| told.pins = vec![[9; 32], pin])
    };
    let own = authority().self_signed();
    let root = own.chain[0].clone();
    vec![
        pinned("one of two pins is its key's", true),
        pinned("no pin is its key's", false).refused(Problem::Pin),
        pinned("no pin is its key's, and anything is accepted", false)
            .told(|told| told.accepts_anything = true)
            .refused(Problem::Pin),
        serving("signed by itself, and anything is accepted", || authority().self_signed())
            .told(|told| told.accepts_anything = true),
        serving("expired and for others, and anything is accepted", || authority().dated(DATES_EXPIRED))
            .visits(&["unknown.test"])
            .told(|told| told.accepts_anything = true),
        serving("the key is another's, and anything is accepted", || Identity {
            key: authority().good().key,
            ..authority().good()
        })
        .told(|told| told.accepts_anything = true)
        .refused(Problem::Protocol),
        serving("good, but the client trusts nobody it knows", || authority().good())
            .told(|told| told.roots = vec![authority().stranger.certificate.clone()])
            .refused(Problem::CertificateIssuer),
        Case::new("signed by itself, and that is the root told", move || with(own.clone()).start())
            .told(move |told| told.roots = vec![root.clone()]),
    ]
}

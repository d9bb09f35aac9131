//! Servers with TLS, good and bad, through the component and through the client that it is compared with; `just tls-matrix` runs more clients,
//! and writes the table.

#[cfg(feature = "sandboxed")]
use sandpiper_host::Build;
use sandpiper_tests::skipped;
use sandpiper_tests::tls::cases::{Group, groups};
use sandpiper_tests::tls::client::{Library, Outcome, Problem, TlsClient, Told};
#[cfg(feature = "sandboxed")]
use sandpiper_tests::tls::component::Component;
use sandpiper_tests::tls::matrix::{Cell, run};
use sandpiper_tests::tls::reference::Reference;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

fn group(name: &str) -> Group {
    groups().into_iter().find(|group| group.name == name).unwrap_or_else(|| panic!("there is no group {name}"))
}

fn runs(name: &str, client: &dyn TlsClient) {
    let mut failed = Vec::new();
    for case in group(name).cases {
        match run(&case, client) {
            Cell::Passed(_) | Cell::Differs(_) => {}
            Cell::Skipped(why) => skipped(&format!("{}: {name}: {}: {why}", client.name(), case.name)),
            Cell::Failed(what) => failed.push(format!("{}: {what}", case.name)),
        }
    }
    assert!(failed.is_empty(), "{name}:\n{}", failed.join("\n"));
}

macro_rules! groups_run {
    ($($test:ident: $name:literal,)*) => {
        $(mod $test {
            use super::*;

            #[test]
            fn natively() {
                runs($name, &Reference);
            }

            #[test]
            #[cfg(feature = "sandboxed")]
            fn inside() {
                runs($name, &Component::new(Build::Tls));
            }

            #[test]
            #[cfg(feature = "sandboxed")]
            fn by_host() {
                runs($name, &Component::new(Build::HostTls));
            }
        })*

        #[test]
        fn every_group_of_the_tls_matrix_is_run() {
            let run: BTreeSet<&str> = [$($name),*].into();
            assert_eq!(groups().iter().map(|group| group.name).collect::<BTreeSet<_>>(), run);
        }
    };
}

groups_run! {
    tls_certificates: "Certificates",
    tls_agreement: "Versions, suites, groups, ALPN",
    tls_is_missing_or_ends: "No TLS, or the end of it",
    tls_hellos: "The ServerHello and what is not encrypted",
    tls_handshakes: "The encrypted handshake",
    tls_records: "Records behind the handshake",
    tls_ends: "Ends",
    tls_sessions: "Sessions",
    tls_client_certificates: "Client certificates",
    tls_identities_that_must_not_be_mixed: "Identities that must not be mixed",
    tls_servers_as_others_made_them: "Servers as others made them",
}

#[test]
fn every_case_of_the_tls_matrix_has_a_name_of_its_own_and_stands_in_its_page() {
    let page = include_str!("../../../../docs/evidence/tls-matrix.md");
    let mut names = BTreeSet::new();
    for group in groups() {
        for case in group.cases {
            let row = format!("\n| {} | {} |", case.name, case.expected);
            assert!(page.contains(&row), "docs/evidence/tls-matrix.md is stale: run `just tls-matrix`; it lacks {row}");
            assert!(names.insert((group.name, case.name.clone())), "{}: {} stands twice", group.name, case.name);
        }
    }
}

/// What a client must not be: it takes any certificate.
struct Careless;

impl TlsClient for Careless {
    fn name(&self) -> String {
        "careless".to_owned()
    }

    fn library(&self) -> Library {
        Library::Other
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        let careless: Vec<Told> =
            told.iter().map(|told| Told { accepts_anything: true, pins: Vec::new(), ..told.clone() }).collect();
        Reference.fetch(&careless)
    }
}

#[test]
fn a_client_that_checks_no_certificate_fails_wherever_one_is_refused() {
    let mut refused = 0;
    for case in group("Certificates").cases {
        let certificate = case.expected.to_string().contains("certificate-") || case.expected.to_string().contains("pin");
        // What cannot be read, or has a wrong signature of its own, is refused for other reasons too.
        if !certificate
            || case.expected.to_string().contains("certificate-malformed")
            || case.expected.to_string().contains("-key")
        {
            continue;
        }
        refused += 1;
        let cell = run(&case, &Careless);
        let expected = matches!(&cell, Cell::Failed(what) if what.contains("answered 200"));
        // webpki reads a certificate before it is told not to check it.
        assert!(expected || case.name.contains("critical extension"), "{}: {cell:?}", case.name);
    }
    assert!(refused > 20, "{refused} cases were tried");
}

/// One that keeps no sessions.
struct Forgetful;

impl TlsClient for Forgetful {
    fn name(&self) -> String {
        "forgetful".to_owned()
    }

    fn library(&self) -> Library {
        Library::Other
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        told.iter()
            .map(|told| Reference.fetch(std::slice::from_ref(told)))
            .collect::<Result<Vec<_>, _>>()
            .map(|outcomes| outcomes.concat())
    }
}

#[test]
fn a_client_that_keeps_no_sessions_fails_where_they_are_resumed() {
    let failed = |words: &str| {
        let cases = group("Sessions").cases;
        let case = cases.iter().find(|case| case.name == words).unwrap_or_else(|| panic!("there is no case {words}"));
        matches!(run(case, &Forgetful), Cell::Failed(_))
    };
    assert!(failed("tickets, TLS 1.3") && failed("kept by the server, TLS 1.2") && !failed("no sessions, TLS 1.3"));
}

/// One that remembers that a server was trusted, for whoever asks next.
struct Mixing;

impl TlsClient for Mixing {
    fn name(&self) -> String {
        "mixing".to_owned()
    }

    fn library(&self) -> Library {
        Library::Other
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        Reference.fetch(&vec![told[0].clone(); told.len()])
    }
}

#[test]
fn a_client_that_mixes_identities_fails_where_they_differ() {
    let cases = group("Identities that must not be mixed").cases;
    for case in &cases {
        let cell = run(case, &Mixing);
        assert!(matches!(cell, Cell::Failed(_)), "{}: {cell:?}", case.name);
    }
    assert!(cases.len() >= 10, "{} cases were tried", cases.len());
}

/// One that writes its request before the handshake has shown who is there.
struct Hasty;

impl TlsClient for Hasty {
    fn name(&self) -> String {
        "hasty".to_owned()
    }

    fn library(&self) -> Library {
        Library::Other
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        let mut stream = TcpStream::connect(told[0].address).map_err(|error| error.to_string())?;
        stream.write_all(b"\x16\x03\x03\x00\x01\x01GET / HTTP/1.1\r\n\r\n").map_err(|error| error.to_string())?;
        let _ = stream.read_to_end(&mut Vec::new());
        Ok(vec![Outcome::Refused(Problem::NotTls, String::new())])
    }
}

#[test]
fn a_request_that_leaves_before_the_handshake_is_seen() {
    let cases = group("No TLS, or the end of it").cases;
    let cell = run(&cases[0], &Hasty);
    assert!(matches!(&cell, Cell::Failed(what) if what.contains("18 octets of a request")), "{cell:?}");
}

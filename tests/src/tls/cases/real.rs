//! nginx, OpenSSL's server in its variants, Node: each says in its answer what it saw.

use crate::tls::authority::{DATES_EXPIRED, NAME, authority};
use crate::tls::case::{Case, Check};
use crate::tls::client::{Library, Outcome, Problem};
use crate::tls::real::{nginx, node, s_server};
use crate::tls::serving::Seen;

const TWICE: &[&str] = &[NAME, NAME];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = nginx_cases();
    cases.extend(node_cases());
    cases.extend(s_server_cases());
    cases.extend(unusual_names());
    cases
}

/// What a server said on each connection.
fn said(outcomes: &[Outcome]) -> Vec<String> {
    let content = |outcome: &Outcome| match outcome {
        Outcome::Answered(answer) => String::from_utf8_lossy(&answer.content).into_owned(),
        other => other.to_string(),
    };
    outcomes.iter().map(content).collect()
}

fn says(outcomes: &[Outcome], number: usize, words: &[&str]) -> Result<(), String> {
    let said = said(outcomes).into_iter().nth(number).unwrap_or_default();
    let holds = words.iter().any(|word| said.contains(word));
    if holds { Ok(()) } else { Err(format!("connection {number}: none of {words:?} in {said:?}")) }
}

fn resumed(_: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    says(outcomes, 0, &["resumed=.", "New, "])?;
    says(outcomes, 1, &["resumed=r", "Reused, "])
}

fn not_resumed(_: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    says(outcomes, 0, &["resumed=.", "New, "])?;
    says(outcomes, 1, &["resumed=.", "New, "])
}

fn named(_: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    says(outcomes, 0, &["name=server.test"])
}

fn client_known(_: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    says(outcomes, 0, &["client=SUCCESS"])
}

fn newer(_: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    says(outcomes, 0, &["TLSv1.3"])
}

fn older(_: &[Seen], outcomes: &[Outcome]) -> Result<(), String> {
    says(outcomes, 0, &["TLSv1.2"])
}

fn nginx_cases() -> Vec<Case> {
    let case = |name: &str, options: &'static str| {
        Case::trying(format!("nginx, {name}"), move || {
            nginx(&authority().good(), &format!("ssl_protocols TLSv1.2 TLSv1.3; {options}"))
        })
    };
    vec![
        case("as it comes", "").check(named).check(newer),
        case("TLS 1.2", "").told(|told| told.maximum = crate::tls::client::Version::Tls12).check(named).check(older),
        case("resumption", "").visits(TWICE).check(resumed),
        case("resumption without tickets, TLS 1.2", "ssl_session_tickets off;")
            .told(|told| told.maximum = crate::tls::client::Version::Tls12)
            .visits(TWICE)
            .check(resumed),
        case("without resumption", "ssl_session_tickets off; ssl_session_cache off;").visits(TWICE).check(not_resumed),
        case("a client certificate", "ssl_verify_client on;")
            .told(|told| told.identity = Some(authority().client(true)))
            .check(client_known),
        case("records of 1 KiB", "ssl_buffer_size 1k;").check(named),
        Case::trying("nginx, RSA", || nginx(&authority().rsa()?, "")).check(named),
        Case::trying("nginx, expired", || nginx(&authority().dated(DATES_EXPIRED), "")).refused(Problem::CertificateExpired),
    ]
}

fn node_cases() -> Vec<Case> {
    let case =
        |name: &str, options: &'static str| Case::trying(format!("Node, {name}"), move || node(&authority().good(), options));
    vec![
        case("as it comes", "{}").check(named).check(newer).check(|_, outcomes| says(outcomes, 0, &["alpn=http/1.1"])),
        case("TLS 1.2", r#"{"maxVersion":"TLSv1.2"}"#).check(named).check(older),
        case("resumption", "{}").visits(TWICE).check(resumed),
        case("resumption, TLS 1.2", r#"{"maxVersion":"TLSv1.2"}"#)
            .visits(TWICE)
            .check(resumed)
            .differs(Library::OpenSsl, super::sessions::CURL_TICKETS),
        case("a client certificate", r#"{"requestCert":true,"rejectUnauthorized":true}"#)
            .told(|told| told.identity = Some(authority().client(true)))
            .check(client_known),
        case("ALPN h2 alone", r#"{"ALPNProtocols":["h2"]}"#).refused(Problem::Alpn),
        Case::trying("Node, signed by itself", || node(&authority().self_signed(), "{}")).refused(Problem::CertificateIssuer),
    ]
}

fn s_server_cases() -> Vec<Case> {
    let case = |name: &str, options: &'static [&'static str]| {
        Case::trying(format!("s_server, {name}"), move || s_server(&authority().good(), options))
    };
    let rsa = |name: &str, options: &'static [&'static str]| {
        Case::trying(format!("s_server, {name}"), move || s_server(&authority().rsa()?, options))
    };
    vec![
        case("as it comes", &[]).check(newer),
        case("TLS 1.2", &["-tls1_2"]).check(older),
        case("TLS 1.3", &["-tls1_3"]).check(newer),
        case("TLS 1.1 alone", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).refused(Problem::NoAgreement).or(Problem::Alert(70)),
        case("TLS 1.0 alone", &["-tls1", "-cipher", "ALL:@SECLEVEL=0"]).refused(Problem::NoAgreement).or(Problem::Alert(70)),
        case("TLS 1.2, CBC suites alone", &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"])
            .refused(Problem::NoAgreement)
            .differs(Library::OpenSsl, "OpenSSL has suites with CBC"),
        rsa("TLS 1.2, RSA key exchange alone", &["-tls1_2", "-cipher", "AES128-GCM-SHA256"])
            .refused(Problem::NoAgreement)
            .differs(Library::OpenSsl, "OpenSSL has suites without forward secrecy"),
        rsa("TLS 1.2, finite-field Diffie-Hellman alone", &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"])
            .refused(Problem::NoAgreement)
            .differs(Library::OpenSsl, "OpenSSL has suites with finite-field Diffie-Hellman"),
        case("TLS 1.2, NULL cipher alone", &["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"]).refused(Problem::NoAgreement),
        case("TLS 1.2, anonymous alone", &["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"]).refused(Problem::NoAgreement),
        rsa("TLS 1.2, RSA", &["-tls1_2"]).check(older),
        rsa("TLS 1.3, RSA", &["-tls1_3"]).check(newer),
        case("resumption", &[]).visits(TWICE).check(resumed),
        case("resumption, TLS 1.2", &["-tls1_2"]).visits(TWICE).check(resumed),
        case("resumption by session ids", &["-tls1_2", "-no_ticket"]).visits(TWICE).check(resumed),
        case("without resumption", &["-no_ticket", "-no_cache", "-tls1_2"]).visits(TWICE).check(not_resumed),
        case("no tickets, TLS 1.3", &["-tls1_3", "-num_tickets", "0"]).visits(TWICE).check(not_resumed),
        case("ALPN http/1.1", &["-alpn", "http/1.1"]),
        case("P-384 alone", &["-curves", "P-384"]),
        case("P-521 alone", &["-curves", "P-521"]).refused(Problem::NoAgreement).differs(Library::OpenSsl, "OpenSSL has P-521"),
        case("a client certificate", &["-Verify", "3"]).told(|told| told.identity = Some(authority().client(true))),
        case("a client certificate is demanded, and there is none", &["-Verify", "3", "-tls1_3"])
            .refused_by_server(Problem::Alert(116)),
        case("no encrypt-then-MAC, TLS 1.2", &["-tls1_2", "-no_etm"]),
        case("small records", &["-max_send_frag", "512"]),
        case("ServerHello without middlebox compatibility", &["-tls1_3", "-no_middlebox"]),
    ]
}

/// Names that rustls's own type refuses, on servers that are not rustls, which would refuse them too.
fn unusual_names() -> Vec<Case> {
    let asks = |name: &str, names: &'static [&'static str], asked: &'static [&'static str]| {
        Case::trying(format!("s_server, {name}"), move || s_server(&authority().named(names), &[])).visits(asked)
    };
    let sends = |name: &str, asked: &'static [&'static str], check: Check| {
        let serve = || nginx(&authority().named(&["*.unusual.test"]), "");
        Case::trying(format!("nginx, {name}, which is sent"), serve).visits(asked).check(check)
    };
    vec![
        asks("a name that ends with a hyphen, by a wildcard", &["*.unusual.test"], &["x-.unusual.test"]),
        asks("a name that begins with a hyphen, by a wildcard", &["*.unusual.test"], &["-x.unusual.test"]),
        asks("a name with a tilde, by a wildcard in other letters", &["*.Unusual.TEST"], &["a~b.unusual.test"]),
        asks("a name that ends with a hyphen, by itself", &[NAME, "X-.unusual.test"], &["x-.unusual.test"]),
        asks("a name with a hyphen and the root's dot", &["*.unusual.test"], &["x-.unusual.test."]),
        asks("the resumed session of a name with a hyphen", &["*.unusual.test"], &["x-.unusual.test"; 2]).check(resumed),
        asks("a name with a hyphen, another wildcard", &["*.other.test"], &["x-.unusual.test"])
            .refused(Problem::CertificateName)
            .saying(&["*.other.test"]),
        asks("a name with a hyphen, two labels below a wildcard", &["*.unusual.test"], &["x-.a.unusual.test"])
            .refused(Problem::CertificateName),
        asks("a name with a hyphen, another name", &["y-.unusual.test"], &["x-.unusual.test"])
            .refused(Problem::CertificateName)
            .saying(&["y-.unusual.test"]),
        sends("a name that ends with a hyphen", &["x-.unusual.test"], |_, outcomes| says(outcomes, 0, &["name=x-.unusual.test"])),
        sends("a name with a tilde", &["a~b.unusual.test"], |_, outcomes| says(outcomes, 0, &["name=a~b.unusual.test"])),
    ]
}

//! Sessions that are resumed, as the server sees it, and those that must not be.

use super::{BOTH, speaking};
use crate::tls::authority::{NAME, OTHER_NAME};
use crate::tls::case::{Case, Check};
use crate::tls::client::Library;
use crate::tls::server::{ClientAuth, Sessions, Settings};
use crate::tls::serving::Seen;
use rustls::HandshakeKind;

/// `openssl s_client -reconnect` resumes with the same servers.
pub(super) const CURL_TICKETS: &str = "curl takes tickets of TLS 1.2 for stale, and makes full handshakes";
const FOUR_TIMES: &[&str] = &[NAME, NAME, NAME, NAME];
const TAKING_TURNS: &[&str] = &[NAME, OTHER_NAME, NAME, OTHER_NAME];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let server = move |sessions| Settings { sessions, ..speaking(versions) };
        let case = |name: &str, sessions, visits, check: Check| {
            Case::new(format!("{name}, {word}"), move || server(sessions).start()).visits(visits).check(check)
        };
        cases.push(case("tickets", Sessions::Tickets, FOUR_TIMES, resumes).differs(Library::OpenSsl, CURL_TICKETS));
        cases.push(case("kept by the server", Sessions::Kept, FOUR_TIMES, resumes));
        cases.push(case("no sessions", Sessions::None, FOUR_TIMES, never_resumes));
        cases.push(case("another name first does not count", Sessions::Tickets, &[NAME, OTHER_NAME], never_resumes));
        cases.push(
            case("two names that take turns", Sessions::Tickets, TAKING_TURNS, each_its_own)
                .differs(Library::OpenSsl, CURL_TICKETS),
        );
        let with_client = move || Settings { client_auth: ClientAuth::Required, ..server(Sessions::Tickets) }.start();
        let told = Case::new(format!("tickets, with a client certificate, {word}"), with_client).visits(&[NAME, NAME]);
        let told = told.told(|told| told.identity = Some(crate::tls::authority::authority().client(true)));
        cases.push(told.differs(Library::OpenSsl, CURL_TICKETS).check(resumes).check(|seen, _| {
            let known = seen.iter().filter(|seen| !seen.client_certificates.is_empty()).count();
            if known == seen.len() {
                Ok(())
            } else {
                Err(format!("{known} of {} connections had the client's certificate", seen.len()))
            }
        }));
    }
    cases
}

fn kinds(seen: &[Seen]) -> Vec<Option<HandshakeKind>> {
    seen.iter().map(|seen| seen.kind).collect()
}

fn resumes(seen: &[Seen], _: &[crate::tls::client::Outcome]) -> Result<(), String> {
    let kinds = kinds(seen);
    let resumed = kinds.iter().skip(1).all(|kind| *kind == Some(HandshakeKind::Resumed));
    if kinds.first() == Some(&Some(HandshakeKind::Full)) && resumed { Ok(()) } else { Err(format!("{kinds:?}")) }
}

fn never_resumes(seen: &[Seen], _: &[crate::tls::client::Outcome]) -> Result<(), String> {
    let kinds = kinds(seen);
    if kinds.iter().all(|kind| *kind == Some(HandshakeKind::Full)) { Ok(()) } else { Err(format!("{kinds:?}")) }
}

fn each_its_own(seen: &[Seen], _: &[crate::tls::client::Outcome]) -> Result<(), String> {
    use HandshakeKind::{Full, Resumed};
    let kinds = kinds(seen);
    if kinds == [Full, Full, Resumed, Resumed].map(Some) { Ok(()) } else { Err(format!("{kinds:?}")) }
}

//! The client's own certificate.

use super::{BOTH, speaking};
use crate::tls::authority::authority;
use crate::tls::case::{Case, Check};
use crate::tls::client::{Outcome, Problem};
use crate::tls::server::{ClientAuth, Settings};
use crate::tls::serving::Seen;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let case = |name: &str, client_auth, known: Option<bool>| {
            Case::new(format!("{name}, {word}"), move || Settings { client_auth, ..speaking(versions) }.start())
                .told(move |told| told.identity = known.map(|known| authority().client(known)))
        };
        cases
            .push(case("a certificate is demanded, and there is one", ClientAuth::Required, Some(true)).check(certificates::<2>));
        cases.push(case("one may be sent, and there is one", ClientAuth::Optional, Some(true)).check(certificates::<2>));
        cases.push(case("one may be sent, and there is none", ClientAuth::Optional, None).check(certificates::<0>));
        cases.push(case("none is asked for, and there is one", ClientAuth::None, Some(true)).check(certificates::<0> as Check));
        // TLS 1.3 has an alert of its own for it.
        let missing = if versions == super::TLS13 { Problem::Alert(116) } else { Problem::Alert(40) };
        let demanded = case("a certificate is demanded, and there is none", ClientAuth::Required, None);
        cases.push(demanded.refused_by_server(missing).or(Problem::Alert(116)).or(Problem::NoAgreement));
        cases.push(
            case("a certificate is demanded, and the one there is comes from elsewhere", ClientAuth::Required, Some(false))
                .refused_by_server(Problem::Alert(48)),
        );
    }
    cases
}

fn certificates<const COUNT: usize>(seen: &[Seen], _: &[Outcome]) -> Result<(), String> {
    let found = seen.last().map(|seen| seen.client_certificates.len());
    if found == Some(COUNT) { Ok(()) } else { Err(format!("the server saw {found:?} certificates of the client, not {COUNT}")) }
}

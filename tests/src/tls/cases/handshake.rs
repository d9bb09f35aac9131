//! Messages that are encrypted, changed by the one who encrypts them.

use super::hello::append_extension;
use super::{BOTH, TLS12, TLS13, speaking};
use crate::tls::authority::authority;
use crate::tls::case::Case;
use crate::tls::client::Problem;
use crate::tls::edit::{Edit, message};
use crate::tls::server::{ClientAuth, Settings};

fn changed(
    name: impl Into<String>,
    settings: impl Fn() -> Settings + Send + Sync + 'static,
    kind: u8,
    change: fn(&mut Vec<u8>),
) -> Case {
    Case::new(name, move || Settings { edit: Some(Edit { kind, change }), ..settings() }.start()).refused(Problem::Protocol)
}

fn newer(name: &str, kind: u8, change: fn(&mut Vec<u8>)) -> Case {
    changed(name, || speaking(TLS13), kind, change)
}

fn last(content: &mut [u8]) {
    if let Some(octet) = content.last_mut() {
        *octet ^= 1;
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let finished =
            |name: &str, change| changed(format!("{name}, {word}"), move || speaking(versions), message::FINISHED, change);
        cases.push(changed(
            format!("nothing is changed, by the same server, {word}"),
            move || speaking(versions),
            message::FINISHED,
            |_| (),
        ));
        if let Some(case) = cases.last_mut() {
            case.expected = crate::tls::case::Expected::Answered;
        }
        cases.push(finished("Finished is wrong", |content| last(content)));
        cases.push(finished("Finished is too short", |content| content.truncate(4)));
        cases.push(finished("Finished is empty", Vec::clear));
        cases.push(finished("Finished is too long", |content| content.push(0)));
    }
    cases.extend(extensions());
    cases.extend(certificates());
    cases
}

fn extensions() -> Vec<Case> {
    let with = |name: &str, change| newer(name, message::ENCRYPTED_EXTENSIONS, change);
    vec![
        with("an encrypted extension that nobody asked for", |content| append_extension(content, 0, &[0xff, 7, 0, 0])),
        with("an extension that belongs to the ServerHello", |content| append_extension(content, 0, &[0, 51, 0, 2, 0, 29])),
        with("early data is accepted, which was not offered", |content| append_extension(content, 0, &[0, 42, 0, 0])),
        with("the same encrypted extension twice", |content| append_extension(content, 0, &[0, 16, 0, 5, 0, 3, 2, b'h', b'3']))
            .or(Problem::Alpn),
        with("encrypted extensions that end early", |content| content.truncate(1)),
        with("two protocols are selected", |content| {
            content.clear();
            append_extension(content, 0, &[0, 16, 0, 8, 0, 6, 2, b'h', b'1', 2, b'h', b'3']);
        })
        .or(Problem::Alpn),
        with("a protocol without name is selected", |content| {
            content.clear();
            append_extension(content, 0, &[0, 16, 0, 3, 0, 1, 0]);
        })
        .or(Problem::Alpn),
    ]
}

fn certificates() -> Vec<Case> {
    let certificate = |name: &str, change| newer(name, message::CERTIFICATE, change);
    let verify = |name: &str, change| newer(name, message::CERTIFICATE_VERIFY, change);
    let mut cases = vec![
        certificate("no certificate at all, TLS 1.3", |content| *content = vec![0, 0, 0, 0]),
        certificate("a Certificate that ends early, TLS 1.3", |content| content.truncate(40)),
        certificate("a Certificate with a context", |content| {
            content[0] = 1;
            content.insert(1, 7);
        }),
        certificate("a certificate has an extension that nobody asked for", |content| {
            // Those of the last certificate are the last two octets.
            let length = content.len();
            content[length - 2..].copy_from_slice(&[0, 4]);
            content.extend([0xff, 7, 0, 0]);
            let list = u32::try_from(content.len() - 4).unwrap_or_default().to_be_bytes();
            content[1..4].copy_from_slice(&list[1..]);
        }),
        verify("the signature is wrong", |content| last(content)),
        verify("the signature is empty", |content| {
            content.truncate(4);
            content[2..].fill(0);
        }),
        verify("the signature is of a scheme that was not offered", |content| content[..2].copy_from_slice(&[2, 3])),
        verify("the signature is of the scheme of another key", |content| content[..2].copy_from_slice(&[8, 4])),
        verify("CertificateVerify ends early", |content| content.truncate(3)),
        newer("a ticket that ends early", message::TICKET, |content| content.truncate(6)).broken(Problem::Protocol),
        newer("a ticket that is valid for longer than a week", message::TICKET, |content| content[..4].fill(0xff))
            // It may be thrown away as well as refused: what it must not be is used for longer.
            .answered(),
        changed(
            "a client certificate is asked for without a signature algorithm",
            || Settings { client_auth: ClientAuth::Optional, ..speaking(TLS13) },
            13,
            |content| *content = vec![0, 0, 0],
        )
        .or(Problem::NoAgreement),
    ];
    cases.push(
        changed("Finished is wrong, and anything is accepted", || speaking(TLS12), message::FINISHED, |content| last(content))
            .told(|told| told.accepts_anything = true),
    );
    cases.push(
        Case::new("the signature is wrong, and anything is accepted", || {
            let edit = Edit { kind: message::CERTIFICATE_VERIFY, change: |content| last(content) };
            Settings { edit: Some(edit), ..Settings::new(authority().self_signed()) }.start()
        })
        .told(|told| told.accepts_anything = true)
        .refused(Problem::Protocol),
    );
    cases
}

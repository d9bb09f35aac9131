//! What is changed in messages that are not encrypted: the ServerHello, and in TLS 1.2 all but Finished.

use super::{BOTH, TLS12, TLS13, good, speaking};
use crate::tls::case::Case;
use crate::tls::client::{Library, Problem};
use crate::tls::edit::{Edit, message};
use crate::tls::proxy::{self, Change, framed};
use crate::tls::server::Settings;
use rustls::NamedGroup;
use std::time::Duration;

/// Where a ServerHello has its session id's length.
const SESSION_ID: usize = 34;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// Where the suite is.
fn suite(hello: &[u8]) -> usize {
    SESSION_ID + 1 + usize::from(hello[SESSION_ID])
}

/// Appends extensions to the list of them whose length is at `place`.
pub(super) fn append_extension(content: &mut Vec<u8>, place: usize, extension: &[u8]) {
    if content.len() < place + 2 {
        content.extend([0, 0]);
    }
    content.extend_from_slice(extension);
    let length = u16::try_from(content.len() - place - 2).unwrap_or(u16::MAX);
    content[place..place + 2].copy_from_slice(&length.to_be_bytes());
}

fn append(hello: &mut Vec<u8>, extension: &[u8]) {
    let place = suite(hello) + 3;
    append_extension(hello, place, extension);
}

/// The content of an extension of a ServerHello, to be changed.
fn extension(hello: &mut [u8], wanted: u16) -> Option<&mut [u8]> {
    let mut at = suite(hello) + 5;
    while at + 4 <= hello.len() {
        let kind = u16::from_be_bytes([hello[at], hello[at + 1]]);
        let length = usize::from(u16::from_be_bytes([hello[at + 2], hello[at + 3]]));
        at += 4;
        if kind == wanted {
            return hello.get_mut(at..at + length);
        }
        at += length;
    }
    None
}

fn set(hello: &mut [u8], wanted: u16, value: u16) {
    if let Some(content) = extension(hello, wanted) {
        content[..2].copy_from_slice(&value.to_be_bytes());
    }
}

fn changed(
    name: impl Into<String>,
    server: impl Fn() -> Settings + Send + Sync + 'static,
    kind: u8,
    change: fn(&mut Vec<u8>),
) -> Case {
    Case::new(name, move || proxy::start(server().start(), Change::Messages(Edit { kind, change }))).refused(Problem::Protocol)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new("nothing is changed, through the same proxy", || {
        proxy::start(good().start(), Change::Messages(Edit { kind: message::SERVER_HELLO, change: |_| () }))
    })];
    cases.extend(both_versions());
    cases.extend(newer());
    cases.extend(retry());
    cases.extend(older());
    cases.extend(older_certificate());
    cases.extend(flights());
    cases
}

fn both_versions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let hello =
            |name: &str, change| changed(format!("{name}, {word}"), move || speaking(versions), message::SERVER_HELLO, change);
        cases.push(hello("a suite that was not offered", |hello| {
            let at = suite(hello);
            hello[at..at + 2].copy_from_slice(&[0x13, 4]);
        }));
        cases.push(hello("a suite of the other version", |hello| {
            let at = suite(hello);
            let other: [u8; 2] = if hello[at] == 0x13 { [0xc0, 0x2b] } else { [0x13, 1] };
            hello[at..at + 2].copy_from_slice(&other);
        }));
        cases.push(hello("compression", |hello| {
            let at = suite(hello) + 2;
            hello[at] = 1;
        }));
        cases.push(hello("an extension that nobody asked for", |hello| append(hello, &[0xff, 0x07, 0, 0])));
        cases.push(hello("the same extension twice", |hello| append(hello, &[0xff, 0x01, 0, 1, 0, 0xff, 0x01, 0, 1, 0])));
        cases.push(hello("an extension that ends too early", |hello| append(hello, &[0, 16, 0, 9, 0])));
        cases.push(hello("octets behind its end", |hello| hello.push(0)));
        cases.push(hello("it is cut short, with lengths to match", |hello| hello.truncate(30)));
        cases.push(hello("a session id of 33 octets", |hello| hello[SESSION_ID] = 33));
    }
    cases
}

fn newer() -> Vec<Case> {
    let hello = |name: &str, change| changed(name, || speaking(TLS13), message::SERVER_HELLO, change);
    vec![
        hello("TLS 1.4 is selected", |hello| set(hello, SUPPORTED_VERSIONS, 0x0305)).or(Problem::NoAgreement),
        hello("a draft of TLS 1.3 is selected", |hello| set(hello, SUPPORTED_VERSIONS, 0x7f1c)).or(Problem::NoAgreement),
        hello("TLS 1.2 is selected by the extension of TLS 1.3", |hello| set(hello, SUPPORTED_VERSIONS, 0x0303))
            .or(Problem::NoAgreement),
        hello("a key share of a group that was not offered", |hello| set(hello, KEY_SHARE, 0x0019)),
        hello("a key share of the wrong length", |hello| {
            // A P-256 share is as long as that of X25519 here.
            set(hello, KEY_SHARE, 0x0017);
        }),
        hello("a key share of zeros", |hello| {
            if let Some(share) = extension(hello, KEY_SHARE) {
                share[4..].fill(0);
            }
        }),
        hello("the session id is another", |hello| hello[SESSION_ID + 1] ^= 0xff),
        hello("the session id is missing", |hello| {
            let end = suite(hello);
            hello.drain(SESSION_ID + 1..end);
            hello[SESSION_ID] = 0;
        }),
        hello("a pre-shared key that was not offered", |hello| append(hello, &[0, 41, 0, 2, 0, 0])),
        hello("another random, so that the keys differ", |hello| hello[5] ^= 1),
    ]
}

fn retry() -> Vec<Case> {
    let server = || Settings { groups: &[NamedGroup::secp384r1], ..speaking(TLS13) };
    let hello = |name: &str, change| changed(name, server, message::SERVER_HELLO, change);
    let twice = |number, record: proxy::Record| if number == 0 { record.repeat(2) } else { record };
    vec![
        hello("a HelloRetryRequest for a share that it has", |hello| set(hello, KEY_SHARE, 0x001d)).or(Problem::NoAgreement),
        hello("a HelloRetryRequest for a group that was not offered", |hello| set(hello, KEY_SHARE, 0x0101)),
        hello("a HelloRetryRequest for a suite that was not offered", |hello| {
            let at = suite(hello);
            hello[at..at + 2].copy_from_slice(&[0x13, 4]);
        }),
        hello("a HelloRetryRequest with an unknown extension", |hello| append(hello, &[0xff, 0x07, 0, 0]))
            .or(Problem::NoAgreement),
        hello("a HelloRetryRequest with an empty cookie", |hello| append(hello, &[0, 44, 0, 2, 0, 0])),
        Case::new("a HelloRetryRequest behind a HelloRetryRequest", move || {
            proxy::start(server().start(), Change::Records(twice))
        })
        .refused(Problem::Protocol),
    ]
}

fn older() -> Vec<Case> {
    let hello = |name: &str, change| changed(name, || speaking(TLS12), message::SERVER_HELLO, change);
    vec![
        hello("TLS 1.1 is selected", |hello| hello[1] = 2).or(Problem::NoAgreement),
        hello("TLS 1.0 is selected", |hello| hello[1] = 1).or(Problem::NoAgreement),
        hello("SSL 3 is selected", |hello| hello[1] = 0).or(Problem::NoAgreement),
        hello("the random says that the server was made to speak TLS 1.2", |hello| hello[26..34].copy_from_slice(b"DOWNGRD\x01")),
        hello("the random says that, and the client has 1.2 alone", |hello| hello[26..34].copy_from_slice(b"DOWNGRD\x01"))
            .told(|told| told.maximum = crate::tls::client::Version::Tls12)
            // The random is not the server's own, so that the signature over it fails: nothing is answered in either case.
            .refused(Problem::Protocol),
        hello("ALPN that was not offered", |hello| append(hello, &[0, 16, 0, 5, 0, 3, 2, b'h', b'3']))
            .refused(Problem::Alpn)
            .or(Problem::Protocol),
        changed(
            "ALPN where none was offered, TLS 1.2",
            || Settings { alpn: &[], ..speaking(TLS12) },
            message::SERVER_HELLO,
            |hello| {
                append(hello, &[0, 16, 0, 5, 0, 3, 2, b'h', b'3']);
            },
        )
        .told(|told| told.alpn = Vec::new())
        .or(Problem::Alpn),
        changed(
            "a curve that was not offered",
            || speaking(TLS12),
            message::KEY_EXCHANGE,
            |exchange| exchange[1..3].copy_from_slice(&[0, 9]),
        )
        .or(Problem::NoAgreement),
        changed("a curve that is not named", || speaking(TLS12), message::KEY_EXCHANGE, |exchange| exchange[0] = 1)
            .or(Problem::NoAgreement),
        changed(
            "the signature of the key exchange is wrong",
            || speaking(TLS12),
            message::KEY_EXCHANGE,
            |exchange| {
                if let Some(octet) = exchange.last_mut() {
                    *octet ^= 1;
                }
            },
        ),
        changed(
            "the public key of the exchange is another",
            || speaking(TLS12),
            message::KEY_EXCHANGE,
            |exchange| exchange[10] ^= 1,
        ),
        changed("ServerHelloDone has content", || speaking(TLS12), message::HELLO_DONE, |done| done.push(0)),
    ]
}

fn older_certificate() -> Vec<Case> {
    let certificate = |name: &str, change| changed(name, || speaking(TLS12), message::CERTIFICATE, change);
    vec![
        certificate("no certificate at all, TLS 1.2", |content| *content = vec![0, 0, 0]),
        certificate("a Certificate that ends early, TLS 1.2", |content| content.truncate(40)),
        certificate("a Certificate whose list is longer than it, TLS 1.2", |content| content[0] = 1),
        certificate("a Certificate of 100 000 octets, TLS 1.2", |content| {
            let one = content[3..].to_vec();
            while content.len() < 100_000 {
                content.extend_from_slice(&one);
            }
            let length = u32::try_from(content.len() - 3).unwrap_or_default().to_be_bytes();
            content[..3].copy_from_slice(&length[1..]);
        })
        .or(Problem::CertificateIssuer),
        certificate("the key in the certificate is changed, TLS 1.2", |content| {
            // The leaf's public key is not far before its extensions; the chain of trust sees any change.
            let key = place_in_key(content);
            content[key] ^= 1;
        })
        .refused(Problem::CertificateMalformed)
        .or(Problem::CertificateIssuer),
    ]
}

/// Somewhere in the public key of the leaf: behind the object identifier of P-256, and the head of the bit string.
fn place_in_key(content: &[u8]) -> usize {
    const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let found = content.windows(P256.len()).position(|octets| octets == P256);
    found.map_or(0, |place| place + P256.len() + 8)
}

fn flights() -> Vec<Case> {
    let records = |name: &str, versions, change| {
        Case::new(name, move || proxy::start(speaking(versions).start(), Change::Records(change))).refused(Problem::Protocol)
    };
    let fragments = |_, record: proxy::Record| match record[0] {
        22 => record[5..].chunks(1).flat_map(|octet| framed(22, octet)).collect(),
        _ => record,
    };
    let mut cases = Vec::new();
    for (word, versions, _) in BOTH {
        let plain = Case::new(format!("messages in records of one octet, {word}"), move || {
            proxy::start(
                speaking(versions).start(),
                Change::Records(if versions == TLS12 { fragments_before_keys } else { fragments }),
            )
        });
        cases.push(plain);
        cases.push(records(&format!("the ServerHello comes twice, {word}"), versions, |number, record| {
            if number == 0 { messages(&record, [0, 0, 1, 2, 3, 4]) } else { record }
        }));
        cases.push(records(&format!("the ServerHello is missing, {word}"), versions, |number, record| {
            if number == 0 { messages(&record, [1, 2, 3, 4, 4, 4]) } else { record }
        }));
        cases.push(records(&format!("application data in the middle of the ServerHello, {word}"), versions, |number, record| {
            if number > 0 {
                return record;
            }
            let (start, rest) = record[5..].split_at(20);
            [framed(22, start), framed(23, b"HTTP/1.1 200 OK\r\n\r\n"), framed(22, rest)].concat()
        }));
    }
    cases.push(records("the Certificate is missing", TLS12, |number, record| {
        if number == 0 { messages(&record, [0, 2, 3, 4, 4, 4]) } else { record }
    }));
    cases.push(records("the ServerKeyExchange is missing", TLS12, |number, record| {
        if number == 0 { messages(&record, [0, 1, 3, 4, 4, 4]) } else { record }
    }));
    cases.push(records("the Certificate comes twice", TLS12, |number, record| {
        if number == 0 { messages(&record, [0, 1, 1, 2, 3, 4]) } else { record }
    }));
    cases.push(records("the ServerKeyExchange comes before the Certificate", TLS12, |number, record| {
        if number == 0 { messages(&record, [0, 2, 1, 3, 4, 4]) } else { record }
    }));
    let missing =
        records("Finished without a ChangeCipherSpec", TLS12, |_, record| if record[0] == 20 { Vec::new() } else { record });
    // Octets that are sealed may look like the start of a long message.
    cases.push(missing.told(|told| told.patience = Duration::from_secs(1)).or(Problem::TimedOut));
    cases.push(records(
        "a ChangeCipherSpec of two octets",
        TLS13,
        |_, record| if record[0] == 20 { framed(20, &[1, 1]) } else { record },
    ));
    cases.push(records("the encrypted flight is changed in one octet", TLS13, |_, mut record| {
        if record[0] == 23 {
            record[40] ^= 1;
        }
        record
    }));
    let relabelled = records("the encrypted flight says that it is not", TLS13, |_, mut record| {
        if record[0] == 23 {
            record[0] = 22;
        }
        record
    });
    cases.push(relabelled.differs(Library::Rustls, "rustls opens what is sealed, whatever its header says; the seal holds"));
    cases.push(
        records("an alert that is not encrypted, behind the ServerHello", TLS13, |_, record| {
            if record[0] == 23 { framed(21, &[2, 40]) } else { record }
        })
        .or(Problem::NoAgreement)
        .or(Problem::Alert(40)),
    );
    cases
}

/// Those messages of a record that are named, in this order; none for a number that it has not. A flight of TLS 1.2 is one record here.
fn messages(record: &[u8], order: [usize; 6]) -> Vec<u8> {
    let (mut rest, mut all) = (&record[5..], Vec::new());
    while let [_, high, middle, low, ..] = rest {
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        let (message, next) = rest.split_at(rest.len().min(4 + length));
        all.push(message);
        rest = next;
    }
    let chosen: Vec<u8> = order.iter().filter_map(|number| all.get(*number)).copied().flatten().copied().collect();
    if chosen.is_empty() { Vec::new() } else { framed(22, &chosen) }
}

/// As long as nothing is encrypted: in TLS 1.2, Finished is a record of the same type, and must stay one.
fn fragments_before_keys(_: usize, record: proxy::Record) -> Vec<u8> {
    // Finished, sealed, has 40 octets or 32; a message of the handshake begins with its type.
    let sealed = record.len() <= 45 && record[5..] != [message::HELLO_DONE, 0, 0, 0];
    if record[0] != 22 || sealed {
        return record;
    }
    record[5..].chunks(1).flat_map(|octet| framed(22, octet)).collect()
}

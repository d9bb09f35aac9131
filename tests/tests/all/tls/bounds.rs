//! TLS inside takes no more memory than it may, whatever a server sends; and what is kept of servers is bounded.

use super::transport::{HEAD_OF_TWO, VERSIONS, ended_by, failure};
use rustls::client::ClientSessionStore;
use rustls::pki_types::ServerName;
use rustls::{KeyLog, NamedGroup};
use sandpiper_guest::tls::resumption::Sessions;
use sandpiper_guest::tls::{Config, KeyLines};
use sandpiper_guest::types::Error;
use sandpiper_tests::memory;
use sandpiper_tests::message::{get, options};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::tls::between::{Between, config_of, server, tls_options};
use std::sync::Arc;

/// Lets a client read `record` over and over, until it has had enough; gives why and how much memory it took.
fn endless(mut between: Between, record: &[u8]) -> (Option<Error>, usize, usize) {
    memory::reset_peak();
    let before = memory::held();
    let mut octets = 0;
    while !between.conn().is_closed() && octets < 4 << 20 {
        for _ in 0..100 {
            between.network().say(record);
        }
        octets += 100 * record.len();
        between.settle();
    }
    (ended_by(&between), (memory::peak() - before).unsigned_abs(), octets)
}

#[test]
fn what_never_becomes_whole_is_not_kept_for_ever() {
    // A certificate of 16 MiB, in small pieces, in large ones, and one octet at a time.
    for piece in [&[0_u8; 64][..], &[0; 16_000], &[0]] {
        let mut record = vec![22, 3, 3];
        record.extend_from_slice(&u16::try_from(piece.len()).expect("short").to_be_bytes());
        record.extend_from_slice(piece);
        let mut between = Between::new(config_of(&tls_options()), None, options(), Cuts::Nowhere);
        between.network().say([22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff]);
        between.settle();
        let (error, memory, octets) = endless(between, &record);
        assert!(matches!(error, Some(Error::Tls(_))), "{error:?} after {octets} octets");
        assert!(memory < 2 << 20, "{memory} octets of memory");
    }
}

#[test]
fn records_without_content_are_not_kept_and_end_at_some_time() {
    // In clear, as before the keys of TLS 1.3: change_cipher_spec, warnings, empty handshake messages.
    for record in [&[20, 3, 3, 0, 1, 1][..], &[21, 3, 3, 0, 2, 1, 90], &[22, 3, 3, 0, 0]] {
        let between = Between::new(config_of(&tls_options()), None, options(), Cuts::Nowhere);
        let (error, memory, octets) = endless(between, record);
        assert!(matches!(error, Some(Error::Tls(_))), "{record:?}: {error:?} after {octets} octets");
        assert!(memory < 1 << 20, "{record:?}: {memory} octets of memory");
    }
}

#[test]
fn asking_for_new_keys_without_end_takes_no_memory() {
    let mut between = Between::new(
        config_of(&tls_options()),
        Some(server(|settings| settings.versions = VERSIONS[1])),
        options(),
        Cuts::Nowhere,
    );
    between.settle();
    let id = between.send(get("/"));
    between.settle();
    between.room = 0;
    memory::reset_peak();
    let before = memory::held();
    between.peer().say(HEAD_OF_TWO);
    for _ in 0..3_000 {
        if between.conn().is_closed() {
            break;
        }
        between.peer().tls.refresh_traffic_keys().expect("TLS 1.3");
        between.settle();
    }
    let memory = (memory::peak() - before).unsigned_abs();
    assert!(memory < 1 << 20, "{memory} octets of memory");
    assert!(matches!(failure(&mut between, id).error, Error::Tls(_)));
}

#[test]
fn sessions_and_key_lines_are_bounded() {
    let sessions = Sessions::default();
    let name = |number: usize| ServerName::try_from(format!("s{number}.test")).expect("a name");
    for number in 0..1_000 {
        sessions.set_kx_hint(name(number), NamedGroup::X25519);
    }
    let kept = (0..1_000).filter(|number| sessions.kx_hint(&name(*number)).is_some()).count();
    assert_eq!((kept, sessions.kx_hint(&name(999))), (16, Some(NamedGroup::X25519)));

    static LINES: KeyLines = KeyLines::new();
    for _ in 0..10_000 {
        (&LINES).log("CLIENT_RANDOM", &[0xab; 32], &[0x0f; 48]);
    }
    assert_eq!(LINES.take(10), vec![format!("CLIENT_RANDOM {} {}", "ab".repeat(32), "0f".repeat(48)); 10]);
    assert_eq!((LINES.take(usize::MAX).len(), LINES.take(1).len()), (4_086, 0));
}

#[test]
fn tickets_of_one_server_are_bounded() {
    let config = config_of(&tls_options());
    let mut settings = sandpiper_tests::tls::server::Settings::new(sandpiper_tests::tls::authority::authority().good());
    settings.versions = VERSIONS[1];
    let mut of_server = settings.config();
    of_server.send_tls13_tickets = 50;
    let of_server = Arc::new(of_server);
    let connect = |config: &Arc<Config>| {
        let server = rustls::ServerConnection::new(Arc::clone(&of_server)).expect("a server");
        let mut between = Between::new(Arc::clone(config), Some(server), options(), Cuts::Nowhere);
        between.settle();
        between
    };
    let first = connect(&config);
    assert!(!first.told()[0].resumed);
    // Without the server's new tickets: they never arrive.
    let mut resumed = 0;
    while resumed < 20 {
        let server = rustls::ServerConnection::new(Arc::clone(&of_server)).expect("a server");
        let mut between = Between::new(Arc::clone(&config), Some(server), options(), Cuts::Nowhere);
        between.turn_peer();
        between.look();
        assert!(between.conn().is_established());
        if !between.told()[0].resumed {
            break;
        }
        resumed += 1;
    }
    assert_eq!(resumed, 2);
}

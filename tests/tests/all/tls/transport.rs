//! TLS inside as the transport of a connection, octet by octet: in a network of memory, against a server with another library's
//! cryptography.

use rustls::version;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{
    Chunk, CloseReason, Delivery, Ending, Error, Failure, Misbehaviour, PackedResponse, Response, TlsOptions, TlsProblem,
    TlsVersion,
};
use sandpiper_tests::message::{Tune, get, ok, options, post};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::random::Random;
use sandpiper_tests::tls::between::{Between, config_of, server, tls_options};
use sandpiper_tests::tls::server::ClientAuth;
use std::sync::Arc;

pub(crate) const VERSIONS: [&[&rustls::SupportedProtocolVersion]; 2] = [&[&version::TLS12], &[&version::TLS13]];
pub(crate) const HEAD_OF_TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

/// Waits for the response of an exchange, as `collect` does.
fn collect(between: &mut Between, id: sandpiper_guest::conn::ExchangeId) -> Option<Result<Response, Failure>> {
    let now = between.now();
    let begun = between.conn().begin_collect(id, 1 << 26, now);
    if let Err(failure) = begun {
        return Some(Err(failure));
    }
    between.settle();
    between.conn().take_response(id).map(|response| response.map(PackedResponse::unpacked))
}

fn content(between: &mut Between, id: sandpiper_guest::conn::ExchangeId) -> Vec<u8> {
    let collected = collect(between, id);
    let response = collected.unwrap_or_else(|| panic!("it waits for ever: {:?}", between.told()));
    response.unwrap_or_else(|failure| panic!("{failure:?}, {:?}", between.told())).content
}

pub(crate) fn failure(between: &mut Between, id: sandpiper_guest::conn::ExchangeId) -> Failure {
    collect(between, id).expect("an end").expect_err("a failure")
}

pub(crate) fn ended_by(between: &Between) -> Option<Error> {
    between.conn().ended_by()
}

/// A whole exchange over a network of this kind, and the end.
fn exchange(versions: &'static [&'static rustls::SupportedProtocolVersion], cuts: Cuts, gaps: bool, octets: usize) {
    let server = server(|settings| settings.versions = versions);
    let mut between = Between::new(config_of(&tls_options()), Some(server), options(), cuts);
    between.network().gaps = gaps;
    between.settle();
    assert!(between.conn().is_established(), "the handshake waits for ever");
    let id = between.send(get("/"));
    between.settle();
    assert!(between.peer().heard.starts_with(b"GET / HTTP/1.1\r\n"), "the request does not leave");
    between.peer().say(&ok(vec![b'x'; octets]));
    assert_eq!(content(&mut between, id), vec![b'x'; octets]);
    between.conn().close(CloseReason::Local, Instant(1));
    between.settle();
    assert!(between.peer().saw_close_notify && between.peer().wrong.is_none());
}

#[test]
fn an_exchange_octet_by_octet() {
    for versions in VERSIONS {
        for gaps in [false, true] {
            // Of every length, so that what is the last of it comes with any read of a row.
            for octets in 0..40 {
                exchange(versions, Cuts::Everywhere, gaps, octets);
            }
        }
    }
}

#[test]
fn an_exchange_cut_anywhere() {
    for versions in VERSIONS {
        exchange(versions, Cuts::Nowhere, false, 100_000);
        for position in (0..3_000).step_by(29) {
            exchange(versions, Cuts::At(position), true, 500);
        }
        for seed in 0..60 {
            exchange(versions, Cuts::Random(Random::new(seed)), seed % 2 == 0, 20_000);
        }
    }
}

#[test]
fn an_upload_with_room_for_little_at_a_time() {
    for room in (1..20).chain([100, 1_000, 1_023, 1_024, 1_025, 16_384, 16_416, 16_417, 40_000]) {
        let mut between = Between::good(Cuts::Nowhere);
        between.room = room;
        between.settle();
        let sent: Vec<u8> = (0..40_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let id = between.send(post("/", sent.clone()));
        between.settle();
        let heard = between.peer().heard.clone();
        assert!(heard.ends_with(&sent) && heard.starts_with(b"POST / HTTP/1.1\r\n"), "room for {room}");
        between.peer().say(&ok("done"));
        assert_eq!(content(&mut between, id), b"done", "room for {room}");
    }
}

#[test]
fn what_could_not_leave_was_not_sent() {
    let mut between = Between::shaken(Cuts::Nowhere);
    let left = between.network().sent;
    between.network().breaks_behind = left;
    let id = between.send(get("/"));
    between.settle();
    between.network().end(Ending::Reset);
    between.settle();
    assert_eq!(failure(&mut between, id).delivery, Delivery::NotSent);
}

#[test]
fn what_could_not_leave_never_does() {
    let mut between = Between::shaken(Cuts::Nowhere);
    between.network().fails_once = true;
    let id = between.send(get("/"));
    between.settle();
    assert_eq!(failure(&mut between, id).delivery, Delivery::NotSent);
    assert!(between.peer().heard.is_empty(), "{}", between.peer().heard.escape_ascii());
}

#[test]
fn what_left_in_part_may_have_been_sent() {
    for octets in [1, 5, 6, 20] {
        let mut between = Between::shaken(Cuts::Nowhere);
        let left = between.network().sent;
        between.room = octets;
        between.network().breaks_behind = left + octets;
        let id = between.send(get("/"));
        between.settle();
        between.network().end(Ending::Reset);
        between.settle();
        let failure = failure(&mut between, id);
        assert_ne!(failure.delivery, Delivery::NotSent, "{octets} octets have left");
        assert_eq!(between.network().sent, left + octets);
        assert!(between.peer().heard.is_empty());
    }
}

#[test]
fn without_room_nothing_is_sent_and_all_can_be_taken_back() {
    let mut between = Between::shaken(Cuts::Nowhere);
    let left = between.network().sent;
    between.room = 0;
    let first = between.send(get("/first"));
    between.settle();
    let second = between.send(get("/second"));
    between.settle();
    assert_eq!(between.network().sent, left);
    let now = between.now();
    for id in [second, first] {
        between.conn().cancel(id, now);
        assert_eq!(failure(&mut between, id).delivery, Delivery::NotSent);
        assert!(between.conn().take_request(id).is_some(), "it can go elsewhere");
    }
    between.room = usize::MAX;
    between.settle();
    assert!(between.peer().heard.is_empty(), "{}", between.peer().heard.escape_ascii());
}

#[test]
fn a_request_of_which_a_little_has_left_leaves_whole() {
    let mut between = Between::shaken(Cuts::Nowhere);
    between.room = 3;
    between.send(get("/first"));
    between.look();
    between.room = 0;
    let before = between.network().sent;
    between.settle();
    assert!(between.peer().heard.is_empty() && between.network().sent == before);
    between.room = usize::MAX;
    between.settle();
    assert!(between.peer().heard.ends_with(b"\r\n\r\n"), "{}", between.peer().heard.escape_ascii());
}

#[test]
fn a_half_close_says_close_notify_first_and_ends_the_direction_when_there_is_room() {
    let mut between = Between::new(config_of(&tls_options()), Some(server(|_| {})), options().half_closing(), Cuts::Nowhere);
    between.settle();
    let id = between.send(get("/"));
    let now = between.now();
    between.conn().shutdown(now);
    between.settle();
    assert!(between.peer().saw_close_notify && between.network().half_closed);
    between.peer().say(&ok("late"));
    assert_eq!(content(&mut between, id), b"late");

    let mut between = Between::new(config_of(&tls_options()), Some(server(|_| {})), options().half_closing(), Cuts::Nowhere);
    between.settle();
    let id = between.send(get("/"));
    between.settle();
    between.room = 0;
    between.conn().shutdown(now);
    between.settle();
    assert!(!between.peer().saw_close_notify && !between.network().half_closed, "there was no room");
    between.room = 1;
    between.settle();
    assert!(between.peer().saw_close_notify && between.network().half_closed, "there is room");
    between.peer().say(&ok("late"));
    assert_eq!(content(&mut between, id), b"late");
}

/// What becomes of a response when the network ends behind it, with close_notify or without.
fn ends(response: &[u8], close_notify: bool) -> Result<Response, Failure> {
    let mut between = Between::shaken(Cuts::Nowhere);
    let id = between.send(get("/"));
    between.settle();
    between.peer().say(response);
    if close_notify {
        between.peer().tls.send_close_notify();
    }
    between.turn_peer();
    between.network().end(Ending::Ended);
    collect(&mut between, id).expect("an end")
}

#[test]
fn an_end_without_close_notify_cuts_off_what_has_no_length() {
    const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nhi";
    assert_eq!(ends(UNTIL_CLOSE, true).expect("whole").content, b"hi");
    assert_eq!(ends(UNTIL_CLOSE, false).expect_err("cut off").error, Error::Incomplete(Ending::Truncated));
    let whole = [HEAD_OF_TWO, b"hi"].concat();
    assert_eq!(ends(&whole, false).expect("it has a length").content, b"hi");
    let half = [HEAD_OF_TWO, b"h"].concat();
    assert_eq!(ends(&half, false).expect_err("cut off").error, Error::Incomplete(Ending::Truncated));
    assert_eq!(ends(&half, true).expect_err("cut off").error, Error::Incomplete(Ending::Ended));
}

#[test]
fn an_idle_connection_ends_with_its_peer() {
    for close_notify in [true, false] {
        let mut between = Between::shaken(Cuts::Nowhere);
        if close_notify {
            between.peer().tls.send_close_notify();
        }
        between.turn_peer();
        between.network().end(Ending::Ended);
        between.settle();
        assert_eq!(ended_by(&between), Some(Error::Closed(CloseReason::PeerEnded)), "close_notify: {close_notify}");
    }
}

#[test]
fn nothing_is_heard_behind_close_notify() {
    let mut between = Between::shaken(Cuts::Nowhere);
    let id = between.send(get("/"));
    between.settle();
    between.peer().say(HEAD_OF_TWO);
    between.peer().tls.send_close_notify();
    between.peer().say(b"hi");
    between.turn_peer();
    between.network().say(b"what is no record");
    assert_eq!(failure(&mut between, id).error, Error::Incomplete(Ending::Ended));
}

#[test]
fn new_keys_in_the_middle_of_a_response() {
    let mut between = Between::new(
        config_of(&tls_options()),
        Some(server(|settings| settings.versions = VERSIONS[1])),
        options(),
        Cuts::Random(Random::new(5)),
    );
    between.settle();
    let id = between.send(get("/"));
    between.settle();
    between.peer().say(HEAD_OF_TWO);
    between.peer().say(b"h");
    between.peer().tls.refresh_traffic_keys().expect("TLS 1.3");
    between.peer().say(b"i");
    assert_eq!(content(&mut between, id), b"hi");
    // The next request is read with the keys that were asked for.
    between.send(get("/next"));
    between.settle();
    assert!(between.peer().wrong.is_none() && between.peer().heard.windows(5).any(|octets| octets == b"/next"));
}

#[test]
fn a_record_of_which_the_rest_lacks_neither_lets_a_request_out_nor_ends_anything() {
    let mut between = Between::shaken(Cuts::Nowhere);
    between.hold = true;
    between.peer().tls.refresh_traffic_keys().expect("TLS 1.3");
    between.turn_peer();
    let record = std::mem::take(&mut between.held);
    between.hold = false;
    let (first, rest) = record.split_at(record.len() / 2);
    between.network().say(first);
    between.settle();
    let left = between.network().sent;
    let id = between.send(get("/"));
    between.settle();
    assert_eq!((between.network().sent, ended_by(&between)), (left, None));
    between.network().say(rest);
    between.settle();
    assert!(!between.peer().heard.is_empty(), "the record was none that matters to the request");
    between.peer().say(&ok("it"));
    assert_eq!(content(&mut between, id), b"it");
}

/// A peer that begins a record behind every response, and never ends it, keeps no request for ever.
#[test]
fn a_record_that_is_never_whole_does_not_hold_a_request_for_ever() {
    let mut between = Between::shaken(Cuts::Nowhere);
    between.network().say([23, 3, 3]);
    between.settle();
    let left = between.network().sent;
    let id = between.send(get("/"));
    between.settle();
    let (at, _) = between.conn().deadline().expect("it is not waited for without end");
    between.conn().handle_timeout(at);
    assert_eq!(ended_by(&between), Some(Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets)));
    let failure = between.conn().head(id).expect_err("it was not sent");
    assert_eq!((failure.delivery, between.network().sent), (Delivery::NotSent, left));
}

#[test]
fn what_comes_with_the_end_of_the_handshake_is_seen() {
    for (versions, early) in [(VERSIONS[0], false), (VERSIONS[1], false), (VERSIONS[1], true)] {
        let mut settings = sandpiper_tests::tls::server::Settings::new(sandpiper_tests::tls::authority::authority().good());
        settings.versions = versions;
        let mut config = settings.config();
        config.send_half_rtt_data = early;
        let server = rustls::ServerConnection::new(Arc::new(config)).expect("a server");
        let mut between = Between::new(config_of(&tls_options()), Some(server), options(), Cuts::Nowhere);
        // The library keeps it until it may be sent, and then sends it along.
        between.peer().say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        between.settle();
        assert_eq!(ended_by(&between), Some(Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets)));
    }
}

#[test]
fn nothing_is_sent_before_the_handshake_is_done() {
    let mut between = Between::good(Cuts::Nowhere);
    let id = between.send(get("/"));
    between.hold = true;
    between.settle();
    let flight = std::mem::take(&mut between.held);
    let hello = between.left();
    assert_eq!(hello[0], 22, "a handshake record, and nothing else: {}", hello.escape_ascii());
    between.network().say(&flight[..flight.len() - 1]);
    between.settle();
    between.network().end(Ending::Ended);
    let failure = failure(&mut between, id);
    assert_eq!((failure.error, failure.delivery), (Error::Tls(TlsProblem::HandshakeEnded), Delivery::NotSent));
    assert!(between.peer().heard.is_empty());
}

#[test]
fn another_protocol_is_not_spoken() {
    let offered = TlsOptions { alpn: Some(vec!["h2".to_owned(), "http/1.1".to_owned()]), ..tls_options() };
    for (alpn, client) in [(&["h2"][..], offered), (&["h2"], tls_options())] {
        let mut between =
            Between::new(config_of(&client), Some(server(|settings| settings.alpn = alpn)), options(), Cuts::Nowhere);
        let id = between.send(get("/"));
        let failure = failure(&mut between, id);
        assert_eq!((failure.error, failure.delivery), (Error::Tls(TlsProblem::ProtocolNotSpoken), Delivery::NotSent));
        assert!(between.peer().heard.is_empty());
        assert_eq!(between.told()[0].alert, (client.alpn.is_none()).then_some(120));
    }
}

#[test]
fn the_number_of_an_alert_is_told() {
    // TLS 1.3: the server refuses a client without a certificate once the client's handshake is done.
    let asking = server(|settings| {
        settings.versions = VERSIONS[1];
        settings.client_auth = ClientAuth::Required;
    });
    let mut between = Between::new(config_of(&tls_options()), Some(asking), options(), Cuts::Nowhere);
    let id = between.send(get("/"));
    assert_eq!(failure(&mut between, id).error, Error::Tls(TlsProblem::Alert));
    let told = between.told();
    assert_eq!(told.last().and_then(|info| info.alert), Some(116), "{told:?}");
    assert_eq!(told[0].version, Some(TlsVersion::Tls13));

    let only_old = server(|settings| settings.versions = VERSIONS[0]);
    let only_new = TlsOptions { version_min: Some(TlsVersion::Tls13), ..tls_options() };
    let mut between = Between::new(config_of(&only_new), Some(only_old), options(), Cuts::Nowhere);
    between.settle();
    assert_eq!(ended_by(&between), Some(Error::Tls(TlsProblem::NoAgreement)));
    assert_eq!(between.told()[0].alert, Some(70));
}

#[test]
fn a_certificate_is_told_of_the_connection_that_it_was_for() {
    let config = config_of(&tls_options());
    // Its certificate has been verified, and the end of the handshake lacks.
    let of_old = server(|settings| settings.versions = VERSIONS[0]);
    let mut first = Between::new(Arc::clone(&config), Some(of_old), options(), Cuts::Nowhere);
    first.turn_peer();
    first.hold = true;
    first.settle();
    assert!(!first.held.is_empty() && !first.conn().is_established());
    let mut second = Between::new(Arc::clone(&config), None, options(), Cuts::Nowhere);
    second.network().say([21, 3, 3, 0, 2, 2, 80]);
    second.settle();
    assert_eq!((second.told()[0].alert, second.told()[0].certificates.len()), (Some(80), 0));
    first.network().say([0xff; 100]);
    first.settle();
    assert!(matches!(ended_by(&first), Some(Error::Tls(_))));
    assert_eq!(first.told()[0].certificates.len(), 2);
}

#[test]
fn behind_a_record_that_is_wrong_nothing_is_heard() {
    let mut between = Between::shaken(Cuts::Nowhere);
    let id = between.send(get("/"));
    between.settle();
    between.peer().say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi");
    between.hold = true;
    between.turn_peer();
    let mut records = std::mem::take(&mut between.held);
    between.peer().say(b"ho");
    between.turn_peer();
    let mut wrong = std::mem::take(&mut between.held);
    *wrong.last_mut().expect("a tag") ^= 1;
    records.append(&mut wrong);
    between.network().say(records);
    between.settle();
    let now = between.now();
    assert_eq!(between.conn().read(id, 100, now), Ok(Chunk::Data(b"hi".to_vec())));
    between.settle();
    let failure = between.conn().read(id, 100, now).expect_err("it is wrong");
    assert_eq!(failure.error, Error::Tls(TlsProblem::RecordCorrupt));
    let alert = rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac);
    assert_eq!(between.peer().wrong, Some(alert), "the server is told why");
}

#[test]
fn a_record_that_goes_before_a_good_one_does_not_let_that_through() {
    let mut between = Between::shaken(Cuts::Nowhere);
    let id = between.send(get("/"));
    between.settle();
    // The good one has the number that was expected.
    let mut records = vec![23, 3, 3, 0, 20];
    records.extend([0; 20]);
    between.network().say(records);
    between.peer().say(&ok("hi"));
    between.turn_peer();
    let failure = failure(&mut between, id);
    assert_eq!((failure.error, failure.octets_received), (Error::Tls(TlsProblem::RecordCorrupt), 0));
}

#[test]
fn an_end_that_came_while_nobody_read_is_told_when_somebody_does() {
    let mut between = Between::shaken(Cuts::Nowhere);
    let id = between.send(get("/"));
    between.settle();
    // More than is kept of what nobody reads; the network itself does not end.
    between.peer().say(b"HTTP/1.1 200 OK\r\n\r\n");
    between.peer().say(&vec![b'x'; 2 << 20]);
    between.peer().tls.send_close_notify();
    between.settle();
    let now = between.now();
    let mut octets = 0;
    for _ in 0..10_000 {
        let read = between.conn().read(id, 1_000, now);
        match read.expect("no failure") {
            Chunk::Data(data) => octets += data.len(),
            Chunk::WouldBlock => between.settle(),
            Chunk::End(_) => {
                assert_eq!(octets, 2 << 20);
                return;
            }
        }
    }
    panic!("{octets} octets, and no end");
}

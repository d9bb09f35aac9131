//! The transport ends at every octet; the peer goes on for ever.

use sandpiper_guest::conn::{ClientConn, ExchangeId};
use sandpiper_guest::dial::Progress;
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::Request;
use sandpiper_tests::memory;
use sandpiper_tests::message::{Build, Limit, Tune, assume, chunked, get, joined, ok, options, post};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::scenario::native::Native;
use sandpiper_tests::scenario::scene::{Reading, Scene};
use sandpiper_tests::scenario::world::World;

/// Three answers of three framings.
fn answers() -> [Vec<u8>; 3] {
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec();
    [ok("first"), joined([interim, chunked(&["sec", "ond"], "Sum: 6\r\n")]), ok("third")]
}

/// Three requests are on the wire; the peer sends so many octets of its answers, and FIN or RST.
fn ends_at(s: &mut Scene, octets: usize, reset: bool) {
    s.connect(assume());
    s.send_all(1, (1..=3).map(|token| get(&format!("/{token}"))).collect());
    s.peer_got(&["GET /1", "GET /2", "GET /3"]);
    let all = joined(answers());
    let ending = if reset { "reset" } else { "ended" };
    match reset {
        true => s.peer_resets(&all[..octets]),
        false => s.peer_ends(&all[..octets]),
    }
    let mut start = 0;
    for ((token, answer), content) in (1..).zip(answers()).zip(["first", "second", "third"]) {
        let end = start + answer.len();
        if octets >= end {
            assert_eq!(s.answer(token).content, content.as_bytes());
        } else {
            let failure = s.failure(token);
            let delivery = if octets > start { "response-started" } else { "unanswered" };
            assert_eq!(
                (failure.error, failure.delivery.as_str()),
                (format!("incomplete({ending})"), delivery),
                "{octets}: {token}"
            );
        }
        start = end;
    }
    let reason = if octets == all.len() { "closed(peer-ended)".to_owned() } else { format!("incomplete({ending})") };
    s.closed(&reason);
}

#[test]
fn an_end_at_any_octet_never_makes_a_short_response() {
    for octets in 0..=joined(answers()).len() {
        for reset in [false, true] {
            for reading in [Reading::Streamed(3), Reading::Collected] {
                let mut scene = Scene::new(Box::new(Native::new(Cuts::Nowhere, Cuts::Nowhere)), reading);
                ends_at(&mut scene, octets, reset);
                let _ = scene.end();
            }
        }
    }
}

#[cfg(feature = "sandboxed")]
#[test]
fn an_end_at_some_octets_never_makes_a_short_response_through_the_component() {
    for octets in (0..=joined(answers()).len()).step_by(13) {
        for reset in [false, true] {
            let world = sandpiper_tests::scenario::sandboxed::Sandboxed::new();
            let mut scene = Scene::new(Box::new(world), Reading::Streamed(u64::MAX));
            ends_at(&mut scene, octets, reset);
            let _ = scene.end();
        }
    }
}

/// Lets the peer send `piece` over and over, octet by octet or as it is, until the request fails; gives the error, and how much memory that took.
fn endless(before: &str, piece: &str, cuts: Cuts) -> (String, isize) {
    let held = memory::held();
    memory::reset_peak();
    let mut world = Native::new(cuts, Cuts::Nowhere);
    world.connect(
        options()
            .limit(Limit::HeadOctets, 1 << 20)
            .limit(Limit::FieldLines, 4_096)
            .limit(Limit::InterimResponses, 1_024)
            .limit(Limit::TrailerOctets, 1 << 20)
            .limit(Limit::ChunkExtensionOctets, 1 << 20),
    );
    world
        .send_all(1, vec![get("/").options(|options| options.limits.push((Limit::ContentOctets, 1 << 18)))])
        .remove(0)
        .expect("accepted");
    world.settle();
    world.peer_sends(before.as_bytes());
    for _ in 0..(4 << 20) / piece.len() {
        world.peer_sends(piece.as_bytes());
        world.settle();
        let _ = world.read(1, u64::MAX);
        if let Err(failure) = world.head(1) {
            return (failure.error, memory::peak() - held);
        }
    }
    panic!("it never ends: {before:?} {piece:?}");
}

#[test]
fn a_peer_that_never_ends_is_cut_off_in_bounded_memory() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = "x".repeat(1_000);
    let line = format!("X: {long}\r\n");
    let interim = format!("HTTP/1.1 103 Early Hints\r\nX: {long}\r\n\r\n");
    let extended = format!("1;{long}\r\nx\r\n");
    let cases = [
        ("HTTP/1.1 200 ", long.as_str(), "limit-exceeded(head-octets)"),
        ("HTTP/1.1 200 OK\r\nX: ", &long, "limit-exceeded(head-octets)"),
        ("HTTP/1.1 200 OK\r\n", "A:\r\n", "limit-exceeded(field-lines)"),
        ("HTTP/1.1 200 OK\r\n", &line, "limit-exceeded(head-octets)"),
        ("", &interim, "limit-exceeded(head-octets)"),
        ("", "HTTP/1.1 102 Processing\r\n\r\n", "limit-exceeded(interim-responses)"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", &long, "limit-exceeded(chunk-extension-octets)"),
        (chunks, &extended, "limit-exceeded(chunk-extension-octets)"),
        (chunks, "1\r\nx\r\n", "limit-exceeded(content-octets)"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", &long, "limit-exceeded(trailer-octets)"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A:\r\n", "limit-exceeded(field-lines)"),
        ("HTTP/1.1 200 OK\r\n\r\n", &long, "limit-exceeded(content-octets)"),
    ];
    for (before, piece, error) in cases {
        for cuts in [Cuts::Nowhere, Cuts::Everywhere] {
            let (found, octets) = endless(before, piece, cuts.clone());
            assert_eq!(found, error, "{before:?} {cuts:?}");
            // Of a megabyte of head or trailers, no more than the doubling of a buffer twice.
            assert!(octets < 6 << 20, "{before:?} took {octets} octets of memory");
        }
    }
}

#[test]
fn a_declared_length_takes_no_memory_before_its_octets_come() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nhello",
    ] {
        let held = memory::held();
        memory::reset_peak();
        let mut world = Native::asking(get("/"), options(), Cuts::Nowhere);
        world.peer_sends(head.as_bytes());
        world.settle();
        world.advance(100);
        let octets = memory::peak() - held;
        assert!(octets < 65_536, "{head:?} took {octets} octets of memory");
    }
}

#[test]
fn content_that_nobody_reads_takes_no_more_memory_than_its_octets_however_small_they_come() {
    let chunks = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", "1\r\nx\r\n".repeat(300_000));
    let lasting = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(300_000));
    for (octets, cuts) in [(chunks, Cuts::Nowhere), (lasting, Cuts::Everywhere)] {
        let mut world = Native::asking(get("/"), options(), cuts);
        world.peer_sends(octets.as_bytes());
        drop(octets);
        let held = memory::held();
        memory::reset_peak();
        world.settle();
        let octets = memory::peak() - held;
        assert!(octets < 1 << 20, "the default of 262144 octets took {octets}");
    }
}

/// A connection that is not established, with these requests.
fn unconnected(requests: &[Request]) -> (ClientConn, Vec<ExchangeId>) {
    let settings = Settings::checked(Some(&options())).expect("defaults");
    let mut conn = ClientConn::new(1, "example.test".to_owned(), settings, Instant(5));
    let send = |(request, token): (&Request, u64)| conn.send(request.clone(), token, Instant(6)).expect("accepted");
    let ids = requests.iter().zip(1..).map(send).collect();
    (conn, ids)
}

#[test]
fn a_connect_that_never_ends_runs_into_its_deadline() {
    use sandpiper_guest::conn::TransportWish;
    use sandpiper_guest::types::{Delivery, Error, Phase, Timer};
    let (mut conn, ids) = unconnected(&[get("/")]);
    let id = ids[0];
    let due = Instant(30_000_000_005);
    assert_eq!(conn.deadline(), Some((due, Timer::Connect)));
    conn.handle_timeout(Instant(due.0 - 1));
    assert_eq!(conn.head(id), Ok(None));
    conn.handle_timeout(due);
    let failure = conn.head(id).expect_err("too late");
    assert_eq!((failure.error, failure.delivery), (Error::TimedOut(Timer::Connect), Delivery::NotSent));
    assert_eq!((failure.phase, conn.transport()), (Phase::Connecting, TransportWish::Close));
    conn.progress(Progress::ESTABLISHED, due);
    assert!(conn.to_transmit().is_empty() && conn.is_closed());
}

#[test]
fn a_connect_that_fails_sends_everything_back_unsent() {
    use sandpiper_guest::types::{ConnectProblem, Delivery, Error, Phase};
    let error = Error::Connect(ConnectProblem::Refused);
    let (mut conn, ids) = unconnected(&[get("/1"), post("/2", "two")]);
    conn.end(error, Instant(7));
    for (id, method) in ids.into_iter().zip(["GET", "POST"]) {
        let failure = conn.head(id).expect_err("nothing was sent");
        assert_eq!((failure.error, failure.delivery, failure.phase), (error, Delivery::NotSent, Phase::Connecting));
        assert_eq!(conn.take_request(id).expect("it comes back").method, method);
    }
    assert_eq!(conn.send(get("/3"), 3, Instant(8)).expect_err("it stays failed").error, error);
    assert!(conn.to_transmit().is_empty() && conn.deadline().is_none());
}

#[test]
fn a_timer_that_goes_off_early_or_late_or_twice_changes_only_the_moment() {
    use sandpiper_guest::types::{Error, Timer};
    let (mut conn, ids) = unconnected(&[get("/1").deadline(Timer::FirstOctet, 100)]);
    conn.progress(Progress::ESTABLISHED, Instant(10));
    conn.nothing_to_receive(Instant(10));
    let octets = conn.to_transmit().len();
    conn.transmitted(octets, Instant(20));
    let due = Instant(100_000_020);
    assert_eq!(conn.deadline(), Some((due, Timer::FirstOctet)));
    for early in [0, 20, 50, due.0 - 1, 30] {
        conn.handle_timeout(Instant(early));
        assert_eq!((conn.head(ids[0]), conn.deadline()), (Ok(None), Some((due, Timer::FirstOctet))), "at {early}");
    }
    for late in [due.0 + 1_000_000_000, due.0 + 1_000_000_000, 5] {
        conn.handle_timeout(Instant(late));
        assert_eq!(conn.head(ids[0]).expect_err("too late").error, Error::TimedOut(Timer::FirstOctet));
    }
}

//! Orders of calls and octets that few callers and servers come upon, on the core alone.

use sandpiper_guest::conn::{ClientConn, ExchangeId, TransportWish};
use sandpiper_guest::dial::Progress;
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{
    Chunk, CloseReason, ConnOptions, ConnState, Delivery, Ending, Error, Limit, Misbehaviour, Misuse, Request, RequestContent,
    RequestOptions,
};
use sandpiper_tests::message::{assume, get, ok, options, post};

const START: Instant = Instant(0);

/// A connection that is established.
fn conn(options: &ConnOptions) -> ClientConn {
    let settings = Settings::checked(Some(options)).expect("options in their ranges");
    let mut conn = ClientConn::new(1, "h".to_owned(), settings, START);
    conn.progress(Progress::ESTABLISHED, START);
    conn
}

/// Sends a request that leaves at once, and gives its octets.
fn sent(conn: &mut ClientConn, request: Request, token: u64) -> ExchangeId {
    let id = conn.send(request, token, START).expect("a good request");
    leave(conn);
    id
}

/// Lets everything leave that can.
fn leave(conn: &mut ClientConn) -> Vec<u8> {
    let mut left = Vec::new();
    if conn.wants_read_first() {
        conn.nothing_to_receive(START);
    }
    while !conn.to_transmit().is_empty() {
        let octets = conn.to_transmit().to_vec();
        conn.transmitted(octets.len(), START);
        left.extend(octets);
    }
    left
}

fn upload(octets: u64) -> Request {
    Request { method: "PUT".to_owned(), content: RequestContent::Length(octets), ..get("/up") }
}

#[test]
fn a_request_of_which_nothing_has_left_is_not_answered() {
    let mut conn = conn(&assume());
    let first = sent(&mut conn, get("/1"), 1);
    let second = conn.send(get("/2"), 2, START).expect("a good request");
    conn.receive([ok("1"), ok("evil")].concat(), START);
    assert!(matches!(conn.read(first, 9, START), Ok(Chunk::Data(content)) if content == b"1"));
    let failure = conn.head(second).expect_err("no answer to what was never asked");
    assert_eq!(failure.error, Error::PeerMisbehaved(Misbehaviour::UnsolicitedOctets));
    assert_eq!(failure.delivery, Delivery::NotSent);
}

#[test]
fn the_beginning_of_something_unsolicited_holds_up_no_request() {
    for stray in [&b"\r"[..], b"HTTP/1.1 4"] {
        let mut conn = conn(&options());
        let first = sent(&mut conn, get("/1"), 1);
        conn.receive([ok("1"), stray.to_vec()].concat(), START);
        assert!(conn.head(first).is_ok());
        if let Ok(second) = conn.send(get("/2"), 2, START) {
            leave(&mut conn);
            assert_eq!(conn.head(second).expect_err("the connection has ended").delivery, Delivery::NotSent);
        }
        assert_eq!(conn.state(), ConnState::Closed);
    }
}

#[test]
fn a_request_that_waited_behind_unread_content_wants_a_look() {
    let mut small = options();
    small.limits.push((Limit::ReceiveBufferOctets, 1_024));
    let mut conn = conn(&small);
    let first = sent(&mut conn, get("/1"), 1);
    conn.send(post("/2", "x"), 2, START).expect("a good request");
    conn.receive(ok(vec![b'x'; 2_000]), START);
    while let Ok(Chunk::Data(_)) = conn.read(first, 9_999, START) {}
    assert!(conn.wants_read_first(), "whoever drives the connection has to be told");
    assert!(leave(&mut conn).starts_with(b"POST /2"));
}

#[test]
fn uploads_that_were_finished_too_early_fail_without_holding_up_the_rest() {
    let mut wide = options();
    wide.limits.push((Limit::QueueLength, 65_536));
    let mut conn = conn(&wide);
    let first = sent(&mut conn, get("/1"), 1);
    for token in 2..20_000 {
        let id = conn.send(upload(5), token, START).expect("a good request");
        let failure = conn.finish(id, Vec::new(), START).expect_err("five octets are missing");
        assert_eq!((failure.error, failure.delivery), (Error::ApiMisuse(Misuse::ContentTooShort), Delivery::NotSent));
        conn.forget(id, START);
    }
    let last = conn.send(get("/last"), 20_000, START).expect("a good request");
    conn.receive(ok("1"), START);
    assert!(leave(&mut conn).starts_with(b"GET /last"));
    conn.receive(ok("last"), START);
    assert!(conn.head(first).is_ok() && conn.head(last).is_ok());
}

#[test]
fn a_transport_that_fails_half_way_through_an_upload_leaves_a_deadline() {
    let mut conn = conn(&options());
    let id = conn.send(Request { content: RequestContent::Whole(vec![b'x'; 300_000]), ..post("/", "") }, 1, START).expect("good");
    conn.nothing_to_receive(START);
    conn.transmitted(100, START);
    conn.transmit_failed(Ending::Ended, START);
    let (at, _) = conn.deadline().expect("nobody waits for ever");
    conn.handle_timeout(at);
    assert!(conn.head(id).is_err());
}

#[test]
fn a_collected_exchange_that_was_cancelled_completes_once() {
    let mut conn = conn(&assume());
    let id = conn.send_collected(get("/1"), 7, 9, START).expect("a good request");
    conn.cancel(id, START);
    conn.forget(id, START);
    conn.receive(ok("1"), START);
    let completed = conn.take_completed().expect("exactly one completion");
    assert_eq!(completed.token, 7);
    assert_eq!(completed.outcome.expect_err("cancelled").error, Error::Closed(CloseReason::Cancelled));
    assert!(conn.take_completed().is_none());
}

#[test]
fn a_request_that_may_become_a_tunnel_is_not_collected() {
    let mut conn = conn(&options());
    let request = Request { method: "CONNECT".to_owned(), request_target: "a:1".to_owned(), ..get("") };
    let refusal = conn.send_collected(request, 1, 9, START).expect_err("it has no end");
    assert_eq!(refusal.error, Error::ApiMisuse(Misuse::Tunnel));
}

#[test]
fn a_response_that_is_too_long_to_collect_repeats_its_failure_and_reports_nothing() {
    let mut conn = conn(&options());
    let id = sent(&mut conn, get("/"), 1);
    conn.receive(ok("0123456789"), START);
    for _ in 0..2 {
        let failure = conn.begin_collect(id, 3, START).expect_err("ten octets");
        assert_eq!(failure.error, Error::LimitExceeded(Limit::CollectOctets));
    }
    assert_eq!(conn.take_ready(9, |token, ready| panic!("{token}: {ready:?}")), 0);
}

#[test]
fn a_connection_that_nobody_polls_remembers_no_exchange_that_is_gone() {
    let mut conn = conn(&options());
    let mut seen = 0;
    for token in 0..10_000 {
        let id = sent(&mut conn, get("/"), token);
        conn.receive(ok(""), START);
        conn.forget(id, START);
    }
    assert_eq!(conn.take_ready(usize::MAX, |_, _| seen += 1), 0);
    assert_eq!((conn.length(), seen), (0, 0));
}

#[test]
fn a_cancelled_request_does_not_count_among_those_that_a_connection_carries() {
    let mut one = options();
    one.limits.push((Limit::Requests, 2));
    let mut conn = conn(&one);
    let first = sent(&mut conn, get("/1"), 1);
    let second = conn.send(get("/2"), 2, START).expect("a good request");
    conn.cancel(second, START);
    conn.receive(ok("1"), START);
    assert!(conn.head(first).is_ok());
    assert!(conn.send(get("/3"), 3, START).is_ok());
}

#[test]
fn half_close_does_not_wait_for_a_request_that_was_cancelled() {
    let mut halves = options();
    halves.half_close = true;
    let mut conn = conn(&halves);
    sent(&mut conn, get("/1"), 1);
    let queued = conn.send(get("/2"), 2, START).expect("a good request");
    conn.shutdown(START);
    assert_eq!(conn.transport(), TransportWish::Keep);
    conn.cancel(queued, START);
    assert_eq!(conn.transport(), TransportWish::HalfClose);
}

#[test]
fn a_tunnel_takes_octets_after_a_request_whose_content_was_finished() {
    let mut conn = conn(&options());
    let mut request = Request { content: RequestContent::UnknownLength, ..get("/") };
    request.method = "POST".to_owned();
    request.fields = vec![("Upgrade".to_owned(), b"echo".to_vec())];
    let id = sent(&mut conn, request, 1);
    conn.finish(id, Vec::new(), START).expect("chunked");
    leave(&mut conn);
    conn.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n".to_vec(), START);
    assert_eq!(conn.write(id, b"raw".to_vec(), START), Ok(3));
    assert_eq!(leave(&mut conn), b"raw");
    assert_eq!(conn.finish(id, Vec::new(), START), Ok(()));
}

#[test]
fn a_switch_to_a_protocol_that_was_not_offered_is_refused() {
    for named in ["Upgrade: other\r\n", ""] {
        let mut conn = conn(&options());
        let mut request = get("/");
        request.fields = vec![("Upgrade".to_owned(), b"echo, chat".to_vec())];
        let id = sent(&mut conn, request, 1);
        conn.receive(format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{named}\r\n").into_bytes(), START);
        let failure = conn.head(id).expect_err("not offered");
        assert_eq!(failure.error, Error::PeerMisbehaved(Misbehaviour::UnsolicitedSwitch));
    }
}

#[test]
fn the_same_content_is_readable_before_its_limit_however_it_was_cut_up() {
    for parts in [vec![600], vec![300, 300], vec![499, 1, 100]] {
        let mut conn = conn(&options());
        let mut request = get("/");
        request.options = Some(RequestOptions { limits: vec![(Limit::ContentOctets, 500)], ..Default::default() });
        let id = sent(&mut conn, request, 1);
        conn.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n".to_vec(), START);
        for part in parts {
            conn.receive(vec![b'x'; part], START);
        }
        let mut read = 0;
        let failure = loop {
            match conn.read(id, 9_999, START) {
                Ok(Chunk::Data(content)) => read += content.len(),
                Ok(other) => panic!("{other:?}"),
                Err(failure) => break failure,
            }
        };
        assert_eq!((read, failure.error), (500, Error::LimitExceeded(Limit::ContentOctets)));
    }
}

//! Which requests a connection of a pool hands back when it ends, on the core alone: all cases, octet by octet.

use sandpiper_guest::conn::{ClientConn, ExchangeId};
use sandpiper_guest::dial::Progress;
use sandpiper_guest::exchange::asks;
use sandpiper_guest::settings::Settings;
use sandpiper_guest::timer::Instant;
use sandpiper_guest::types::{Delivery, Ending, Request, Reuse, Timer};
use sandpiper_tests::message::{Build, assume, get, ok, post, request};

const NOW: Instant = Instant(0);

/// How far a request has come when its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The request waits for its turn.
    Queued,
    /// The request is written, and the transport has taken none of its octets.
    Nothing,
    /// The transport has taken one octet.
    OneOctet,
    /// The transport has taken the whole request, or as much as the caller has written.
    All,
}

/// A connection of a pool, established; `answered`: one exchange is over.
fn conn(answered: bool) -> ClientConn {
    let mut settings = Settings::checked(Some(&assume())).expect("options in their ranges");
    settings.deadlines.pipeline_stall = Some(1);
    let mut conn = ClientConn::new(1, "h".to_owned(), settings, NOW);
    conn.join_pool(None);
    conn.progress(Progress::ESTABLISHED, NOW);
    if answered {
        conn.send(get("/before"), 0, NOW).expect("accepted");
        transmit(&mut conn, usize::MAX);
        conn.receive(ok("x"), NOW);
    }
    conn
}

/// The transport takes at most so many octets.
fn transmit(conn: &mut ClientConn, octets_max: usize) {
    conn.nothing_to_receive(NOW);
    let octets = conn.to_transmit().len().min(octets_max);
    if octets > 0 {
        conn.transmitted(octets, NOW);
    }
}

/// Ends the connection in the middle of the request. Returns the delivery of its failure; `None`: the request was handed back.
fn ends(answered: bool, request: Request, left: Left) -> Option<Delivery> {
    let mut conn = conn(answered);
    let id = conn.send(request, 1, NOW).expect("accepted");
    match left {
        Left::Queued => {}
        Left::Nothing => conn.nothing_to_receive(NOW),
        Left::OneOctet => transmit(&mut conn, 1),
        Left::All => transmit(&mut conn, usize::MAX),
    }
    conn.receive_end(Ending::Reset, NOW);
    let handed_back = conn.take_unsent().map(|exchange| exchange.token);
    assert!(handed_back.is_none_or(|token| token == 1));
    match handed_back {
        Some(_) => None,
        None => Some(conn.head(id).expect_err("the connection has ended").delivery),
    }
}

/// Whether a request is idempotent, whether the caller streams its content, and the request.
fn requests() -> Vec<(bool, bool, Request)> {
    vec![
        (true, false, get("/")),
        (false, false, get("/").idempotent(false)),
        (true, false, get("/").upgrade()),
        (false, false, get("/").upgrade().idempotent(false)),
        (true, false, request("PUT", "/").content("content")),
        (false, false, post("/", "content")),
        (false, false, request("POST", "/")),
        (true, false, request("POST", "/").idempotent(true)),
        (true, true, request("PUT", "/").length(7)),
        (false, true, request("POST", "/").streamed()),
    ]
}

#[test]
fn what_a_server_may_have_acted_on_is_handed_back_only_if_it_is_idempotent_whole_and_behind_an_answer() {
    for (idempotent, streamed, request) in requests() {
        for left in [Left::Queued, Left::Nothing, Left::OneOctet, Left::All] {
            for answered in [false, true] {
                let (is_sent, may_go) = match left {
                    Left::Queued => (false, true),
                    Left::Nothing => (false, !streamed),
                    Left::OneOctet | Left::All => (true, !streamed && idempotent),
                };
                let delivery = if is_sent { Delivery::Unanswered } else { Delivery::NotSent };
                let expected = (!answered || !may_go).then_some(delivery);
                assert_eq!(ends(answered, request.clone(), left), expected, "{left:?}, answered: {answered}, {request:?}");
            }
        }
    }
}

/// A connection that has two requests on the wire and ends; the second one is given, or was handed back by another connection.
fn two(second: impl FnOnce(&mut ClientConn) -> ExchangeId) -> (ClientConn, [ExchangeId; 2]) {
    let mut conn = conn(false);
    let first = conn.send(get("/first"), 1, NOW).expect("accepted");
    let second = second(&mut conn);
    transmit(&mut conn, usize::MAX);
    conn.receive_end(Ending::Reset, NOW);
    (conn, [first, second])
}

#[test]
fn a_request_behind_one_that_broke_is_handed_back_once_where_nothing_was_answered() {
    let (mut before, [first, _]) = two(|conn| conn.send(get("/second"), 2, NOW).expect("accepted"));
    let second = before.take_unsent().expect("the request behind");
    assert_eq!((second.token, before.take_resent(), before.take_unsent().is_none()), (2, 1, true));
    assert_eq!(before.head(first).expect_err("the connection has ended").delivery, Delivery::Unanswered);
    let (mut after, [_, second]) = two(|conn| conn.admit(second, NOW));
    assert!(after.take_unsent().is_none(), "sent again twice, and never answered");
    assert_eq!(after.head(second).expect_err("the connection has ended").delivery, Delivery::Unanswered);
}

/// A connection that has answered one of two requests, and the end that comes next. Returns whether the other request is handed back for a
/// connection that has carried none.
fn alone_after(ends: impl FnOnce(&mut ClientConn)) -> bool {
    let mut conn = conn(false);
    for (token, target) in [(1, "/first"), (2, "/second")] {
        conn.send(get(target), token, NOW).expect("accepted");
    }
    transmit(&mut conn, usize::MAX);
    conn.receive(ok("x"), NOW);
    ends(&mut conn);
    let handed_back = conn.take_unsent().expect("the second request");
    assert_eq!(handed_back.token, 2);
    asks(handed_back.sending.reuse, Reuse::FRESH)
}

#[test]
fn a_request_that_may_be_the_cause_of_an_end_needs_a_fresh_connection_and_one_that_stalled_behind_another_does_not() {
    assert!(alone_after(|conn| conn.receive_end(Ending::Reset, NOW)));
    assert!(!alone_after(|conn| {
        let (at, timer) = conn.deadline().expect("a request is outstanding");
        assert_eq!(timer, Timer::PipelineStall);
        conn.handle_timeout(at);
    }));
}

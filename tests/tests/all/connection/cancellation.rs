//! Exchanges that are given up, while the others go on.

use sandpiper_tests::message::{Limit, Timer, Tune, assume, chunked, get, joined, ok, post, request};
use sandpiper_tests::scenario::scene::Scene;
use sandpiper_tests::scenarios;

/// Four requests on the wire.
fn four(s: &mut Scene) {
    s.connect(assume().depth(4));
    s.send_all(1, (1..=4).map(|token| get(&format!("/{token}"))).collect());
    s.peer_got(&["GET /1", "GET /2", "GET /3", "GET /4"]);
}

/// Four answers, and those of `tokens` are taken.
fn answers(s: &mut Scene, tokens: &[u64]) {
    s.peer_sends(joined((1..=4).map(|token| ok(format!("answer {token}")))));
    for token in tokens {
        s.answered(*token, &format!("200 answer {token}"));
    }
    s.open();
}

scenarios! {
    fn the_first_of_four_can_be_cancelled(s: &mut Scene) {
        four(s);
        s.cancel(&[1]);
        s.failed(1, "closed(cancelled) unanswered awaiting-response");
        answers(s, &[2, 3, 4]);
    }

    fn one_in_the_middle_can_be_cancelled(s: &mut Scene) {
        four(s);
        s.cancel(&[3]);
        s.failed(3, "closed(cancelled) unanswered awaiting-response");
        answers(s, &[1, 2, 4]);
    }

    fn the_last_of_four_can_be_cancelled(s: &mut Scene) {
        four(s);
        s.cancel(&[4]);
        s.failed(4, "closed(cancelled) unanswered awaiting-response");
        answers(s, &[1, 2, 3]);
    }

    fn all_of_them_can_be_cancelled_and_the_connection_is_used_again(s: &mut Scene) {
        four(s);
        s.cancel(&[2, 1, 4, 3]);
        answers(s, &[]);
        s.send(5, get("/5"));
        s.peer_got(&["GET /5"]);
        s.peer_sends(ok("5"));
        s.answered(5, "200 5");
        for token in 1..=4 {
            s.failed(token, "closed(cancelled) unanswered awaiting-response");
        }
    }

    fn a_dropped_handle_is_a_cancelled_exchange(s: &mut Scene) {
        four(s);
        s.drop_exchange(1);
        s.drop_exchange(3);
        answers(s, &[2, 4]);
    }

    fn one_that_is_being_received_can_be_cancelled(s: &mut Scene) {
        four(s);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
        s.cancel(&[1]);
        s.failed(1, "closed(cancelled) response-started receiving-content");
        s.peer_sends(joined([b"56789".to_vec(), ok("2"), chunked(&["3"], ""), ok("4")]));
        s.answered(2, "200 2");
        s.answered(3, "200 3");
        s.answered(4, "200 4");
        s.open();
    }

    fn one_whose_head_is_being_received_can_be_cancelled(s: &mut Scene) {
        four(s);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-");
        s.cancel(&[1]);
        s.failed(1, "closed(cancelled) response-started receiving-head");
        s.peer_sends(joined([b"Length: 1\r\n\r\n1".to_vec(), ok("2"), ok("3"), ok("4")]));
        s.answered(2, "200 2");
        s.answered(3, "200 3");
        s.answered(4, "200 4");
        s.open();
    }

    fn one_with_chunks_and_interim_responses_is_thrown_away_to_its_end(s: &mut Scene) {
        four(s);
        s.cancel(&[1]);
        s.peer_sends(joined([
            b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(),
            chunked(&["away", " with", " it"], "Sum: 1\r\n"),
            ok("2"),
            ok("3"),
            ok("4"),
        ]));
        s.answered(2, "200 2");
        s.answered(3, "200 3");
        s.answered(4, "200 4");
        s.open();
    }

    fn one_that_waits_is_never_sent(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), post("/2", "x"), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.cancel(&[2]);
        s.failed(2, "closed(cancelled) not-sent queued");
        assert_eq!(s.take_request(2).as_deref(), Some("POST /2 x"));
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(1, "200 1");
        s.answered(3, "200 3");
        s.open();
    }

    fn one_that_cannot_be_pipelined_lets_the_next_go_when_it_is_cancelled(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), post("/2", "x"), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.cancel(&[2]);
        s.peer_got(&["GET /3"]);
        s.peer_sends(joined([ok("1"), ok("3")]));
        s.answered(1, "200 1");
        s.answered(3, "200 3");
    }

    fn one_that_has_ended_cannot_be_cancelled(s: &mut Scene) {
        four(s);
        s.peer_sends(joined([ok("1"), ok("2"), ok("3"), ok("4")]));
        s.cancel(&[1, 4]);
        s.answered(1, "200 1");
        s.answered(4, "200 4");
        s.open();
    }

    fn cancelling_twice_is_cancelling_once(s: &mut Scene) {
        four(s);
        s.cancel(&[2, 2]);
        s.cancel(&[2]);
        s.failed(2, "closed(cancelled) unanswered awaiting-response");
        answers(s, &[1, 3, 4]);
    }

    fn more_than_the_bound_is_not_thrown_away_but_ends_the_connection(s: &mut Scene) {
        s.connect(assume().limit(Limit::DrainOctets, 1_000));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.cancel(&[1]);
        s.peer_sends(ok(vec![b'x'; 900]));
        s.open();
        s.cancel(&[2]);
        s.send(3, get("/3"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok(vec![b'x'; 1_001]));
        s.closed("closed(abandoned)");
        s.failed(3, "closed(abandoned) unanswered awaiting-response");
    }

    fn a_response_that_is_thrown_away_may_not_take_longer_than_the_bound(s: &mut Scene) {
        s.connect(assume().deadline(Timer::Drain, 100));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.cancel(&[1]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        s.peer_dribbles("xxxxxxxx", 20);
        s.closed("closed(abandoned)");
        s.failed(1, "closed(cancelled) unanswered awaiting-response");
        s.failed(2, "closed(abandoned) unanswered awaiting-response");
    }

    fn a_cancelled_response_that_is_wrong_fails_the_connection(s: &mut Scene) {
        four(s);
        s.cancel(&[1]);
        s.peer_sends("nonsense\r\n\r\n");
        s.failed(1, "closed(cancelled) unanswered awaiting-response");
        s.failed(2, "peer-misbehaved(not-http) unanswered awaiting-response");
        s.closed("peer-misbehaved(not-http)");
    }

    fn a_cancelled_connect_never_becomes_a_tunnel_for_the_next_request(s: &mut Scene) {
        s.send_all(1, vec![request("CONNECT", "other.test:443"), get("/2")]);
        s.peer_got(&["CONNECT other.test:443"]);
        s.cancel(&[1]);
        s.peer_sends("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        s.failed(1, "closed(cancelled) unanswered awaiting-response");
        let failure = s.failure(2);
        assert_eq!(failure.delivery, "not-sent");
        s.peer_got(&[]);
    }

    fn content_that_was_read_before_the_cancel_was_whole_so_far(s: &mut Scene) {
        four(s);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
        s.reads(1, "01234");
        s.peer_sends("5");
        s.cancel(&[1]);
        s.read_fails(1, "closed(cancelled)");
        s.peer_sends(joined([b"6789".to_vec(), ok("2"), ok("3"), ok("4")]));
        s.answered(2, "200 2");
        s.open();
    }
}

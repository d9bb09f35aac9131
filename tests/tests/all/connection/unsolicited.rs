//! Octets that answer no request (RFC 9112 §9.2), and ends that nobody waits for.

use sandpiper_tests::message::{get, ok, options, post, response};
use sandpiper_tests::scenarios;

scenarios! {
    fn a_peer_that_speaks_before_the_first_request_is_not_spoken_to(s: &mut Scene) {
        s.connect(options());
        s.peer_sends(ok("poison"));
        s.closed("peer-misbehaved(unsolicited-octets)");
        s.refuses(get("/"), "peer-misbehaved(unsolicited-octets)");
    }

    fn what_came_before_the_first_request_is_not_its_answer(s: &mut Scene) {
        s.connect(options());
        s.peer_sends_unseen(ok("poison"));
        s.send(1, get("/"));
        s.failed(1, "peer-misbehaved(unsolicited-octets) not-sent queued");
        s.peer_got(&[]);
    }

    fn a_second_response_in_the_segment_of_the_first_is_never_one(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends([ok("1"), ok("poison")].concat());
        s.answered(1, "200 1");
        s.closed("peer-misbehaved(unsolicited-octets)");
        s.refuses(get("/2"), "peer-misbehaved(unsolicited-octets)");
    }

    fn a_response_on_an_idle_connection_is_never_one(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.advance(10);
        s.peer_sends(ok("poison"));
        s.answered(1, "200 1");
        s.closed("peer-misbehaved(unsolicited-octets)");
    }

    fn a_response_that_stands_in_the_socket_does_not_answer_the_next_request(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.peer_sends_unseen(ok("poison"));
        s.send(2, get("/2"));
        s.failed(2, "peer-misbehaved(unsolicited-octets) not-sent queued");
        s.peer_got(&[]);
        s.closed("peer-misbehaved(unsolicited-octets)");
    }

    fn the_first_octet_of_a_response_is_enough(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_sends_unseen("X");
        s.send(2, post("/2", "x"));
        s.failed(2, "peer-misbehaved(unsolicited-octets) not-sent queued");
        assert_eq!(s.take_request(2).as_deref(), Some("POST /2 x"));
        s.peer_got(&[]);
    }

    fn an_empty_line_behind_a_response_is_let_go(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends([ok("1"), b"\r\n".to_vec()].concat());
        s.open();
        s.send(2, get("/2"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
    }

    fn empty_lines_without_end_are_not_let_go(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends([ok("1"), b"\r\n".repeat(2_000)].concat());
        s.answered(1, "200 1");
        s.closed("peer-misbehaved(unsolicited-octets)");
    }

    fn a_time_out_announced_on_an_idle_connection_is_a_close(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.peer_sends(response("408 Request Timeout", "Connection: close\r\n", "too slow"));
        s.closed("closed(peer-option)");
        s.refuses(get("/2"), "closed(peer-option)");
    }

    fn a_time_out_that_answers_a_request_is_a_response(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(response("408 Request Timeout", "Connection: close\r\n", "too slow"));
        s.answered(1, "408 too slow");
        s.closed("closed(peer-option)");
    }

    fn a_peer_may_end_an_idle_connection(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.peer_ends("");
        s.closed("closed(peer-ended)");
        s.refuses(get("/2"), "closed(peer-ended)");
    }

    fn a_peer_may_reset_an_idle_connection(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.peer_resets("");
        s.closed("closed(peer-ended)");
    }

    fn a_peer_that_ends_before_the_first_request_sends_it_back_unsent(s: &mut Scene) {
        s.connect(options());
        s.peer_ends("");
        s.closed("closed(peer-ended)");
        s.refuses(get("/"), "closed(peer-ended)");
    }
}

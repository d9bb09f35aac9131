//! Several requests on the wire (RFC 9112 §9.3.2).

use sandpiper_tests::message::{Build, Tune, assume, chunked, get, joined, last, ok, options, post, request, response};
use sandpiper_tests::scenario::scene::Scene;
use sandpiper_tests::scenarios;

/// Sends as many `GET`s as there are in `tokens`, in one step.
fn gets(s: &mut Scene, tokens: std::ops::RangeInclusive<u64>) {
    let first = *tokens.start();
    s.send_all(first, tokens.map(|token| get(&format!("/{token}"))).collect());
}

scenarios! {
    fn the_second_request_leaves_only_after_the_first_complete_response(s: &mut Scene) {
        gets(s, 1..=3);
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
        s.peer_got(&[]);
        s.peer_sends("i");
        s.peer_got(&["GET /2", "GET /3"]);
        s.peer_sends(joined([ok("2"), ok("3")]));
        s.answered(1, "200 hi");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn keep_alive_in_a_response_does_not_stand_in_the_way_of_pipelining(s: &mut Scene) {
        gets(s, 1..=3);
        s.peer_got(&["GET /1"]);
        s.peer_sends(response("200 OK", "Connection: keep-alive\r\nKeep-Alive: timeout=60\r\n", "1"));
        s.peer_got(&["GET /2", "GET /3"]);
        s.peer_sends(joined([ok("2"), ok("3")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn an_http10_peer_gets_one_request_at_a_time(s: &mut Scene) {
        let kept = |content: &str| format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n{content}");
        gets(s, 1..=3);
        for token in 1..=3 {
            s.peer_got(&[&format!("GET /{token}")]);
            s.peer_sends(kept(&token.to_string()));
            s.answered(token, &format!("200 {token}"));
        }
        s.open();
    }

    fn an_interim_response_teaches_nothing(s: &mut Scene) {
        gets(s, 1..=2);
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        s.peer_got(&[]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(1, "(103) 200 1");
        s.answered(2, "200 2");
    }

    fn sixty_four_requests_leave_in_one_write_and_their_answers_come_in_one_segment(s: &mut Scene) {
        s.connect(assume());
        gets(s, 1..=64);
        assert_eq!(s.writes().unwrap_or(1), 1);
        let requests = s.take_requests();
        for (token, seen) in (1..).zip(&requests) {
            assert_eq!(seen.to_string(), format!("GET /{token}"));
        }
        assert_eq!(requests.len(), 64);
        s.peer_sends(joined((1..=64).map(|token| ok(format!("answer {token}")))));
        for token in 1..=64 {
            s.answered(token, &format!("200 answer {token}"));
        }
        s.open();
    }

    fn a_head_and_its_content_leave_in_one_write(s: &mut Scene) {
        s.send(1, post("/", vec![b'x'; 10_000]));
        assert_eq!(s.writes().unwrap_or(1), 1);
        assert_eq!(s.take_requests().remove(0).content.len(), 10_000);
        s.peer_sends(ok(""));
        s.answered(1, "200");
    }

    fn requests_with_small_contents_leave_together(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, (1..=8).map(|number| request("PUT", &format!("/{number}")).content("content")).collect());
        assert_eq!(s.writes().unwrap_or(1), 1);
        assert_eq!(s.take_requests().len(), 8);
        s.peer_sends(joined((1..=8).map(|_| ok(""))));
        s.answered(8, "200");
    }

    fn a_request_that_comes_while_others_are_outstanding_leaves_at_once(s: &mut Scene) {
        s.connect(assume());
        gets(s, 1..=2);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Le");
        gets(s, 3..=3);
        s.peer_got(&["GET /3"]);
        s.peer_sends("ngth: 1\r\n\r\n1");
        s.peer_sends(joined([ok("2"), ok("3")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn no_more_requests_than_the_depth_are_on_the_wire(s: &mut Scene) {
        s.connect(assume().depth(3));
        gets(s, 1..=6);
        s.peer_got(&["GET /1", "GET /2", "GET /3"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /4"]);
        s.peer_sends(joined([ok("2"), ok("3")]));
        s.peer_got(&["GET /5", "GET /6"]);
        s.peer_sends(joined([ok("4"), ok("5"), ok("6")]));
        for token in 1..=6 {
            s.answered(token, &format!("200 {token}"));
        }
    }

    fn a_depth_of_one_turns_pipelining_off(s: &mut Scene) {
        s.connect(assume().depth(1));
        gets(s, 1..=2);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
    }

    fn responses_of_every_framing_come_merged_and_none_is_shifted(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2"), request("HEAD", "/3"), get("/4"), get("/5"), get("/6"), get("/7")]);
        s.peer_got(&["GET /1", "GET /2", "HEAD /3", "GET /4", "GET /5", "GET /6", "GET /7"]);
        s.peer_sends(joined([
            ok("one"),
            chunked(&["t", "wo"], "Sum: 2\r\n"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec(),
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: x\r\n\r\n".to_vec(),
            b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_vec(),
            ok("six"),
            ok("seven"),
        ]));
        s.answered(1, "200 one");
        s.answered(2, "200 two + Sum: 2");
        s.answered(3, "200");
        s.answered(4, "204");
        s.answered(5, "304");
        s.answered(6, "(102) (103) 200 six");
        s.answered(7, "200 seven");
        s.open();
    }

    fn nothing_is_pipelined_behind_a_post(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![post("/1", "x"), get("/2")]);
        s.peer_got(&["POST /1 \"x\""]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
    }

    fn a_post_is_not_pipelined_behind_gets(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2"), post("/3", "x"), get("/4")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(ok("1"));
        s.peer_got(&[]);
        s.peer_sends(ok("2"));
        s.peer_got(&["POST /3 \"x\""]);
        s.peer_sends(ok("3"));
        s.peer_got(&["GET /4"]);
        s.peer_sends(ok("4"));
        s.answered(3, "200 3");
        s.answered(4, "200 4");
    }

    fn the_caller_may_say_that_a_post_can_be_repeated(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), post("/2", "x").idempotent(true), get("/3")]);
        s.peer_got(&["GET /1", "POST /2 \"x\"", "GET /3"]);
        s.peer_sends(joined([ok("1"), ok("2"), ok("3")]));
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn the_caller_may_say_that_a_get_cannot_be_repeated(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2").idempotent(false), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(3, "200 3");
    }

    fn an_upload_is_alone_on_the_wire(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), request("PUT", "/2").length(3), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["PUT /2 ..."]);
        s.write(2, "abc");
        s.peer_got(&["PUT /2 \"abc\""]);
        s.peer_sends(ok("2"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn a_request_that_expects_100_is_alone_on_the_wire(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), request("PUT", "/2").content("abc").expecting(), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["PUT /2 ..."]);
        s.peer_sends("HTTP/1.1 100 Continue\r\n\r\n");
        s.peer_got(&["PUT /2 \"abc\""]);
        s.peer_sends(ok("2"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(2, "(100) 200 2");
        s.answered(3, "200 3");
    }

    fn nothing_is_pipelined_around_an_upgrade(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2").upgrade(), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("no"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(2, "200 no");
        s.answered(3, "200 3");
    }

    fn nothing_is_pipelined_around_a_connect(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), request("CONNECT", "other.test:443"), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["CONNECT other.test:443"]);
        s.peer_sends(response("403 Forbidden", "", "no"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(2, "403 no");
        s.answered(3, "200 3");
    }

    fn a_close_in_the_second_of_four_leaves_the_rest_unprocessed(s: &mut Scene) {
        s.connect(assume());
        gets(s, 1..=4);
        s.send(5, post("/5", "x"));
        s.peer_got(&["GET /1", "GET /2", "GET /3", "GET /4"]);
        s.peer_sends(joined([ok("1"), last("2"), ok("3")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.failed(3, "closed(peer-option) unprocessed awaiting-response");
        s.failed(4, "closed(peer-option) unprocessed awaiting-response");
        s.failed(5, "closed(peer-option) not-sent queued");
        s.closed("closed(peer-option)");
    }

    fn a_close_is_heeded_as_soon_as_the_head_has_come(s: &mut Scene) {
        s.connect(assume().depth(2));
        gets(s, 1..=3);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nh");
        s.failed(2, "closed(peer-option) unprocessed awaiting-response");
        s.failed(3, "closed(peer-option) not-sent queued");
        s.closing("closed(peer-option)");
        s.peer_saw_no_end();
        s.peer_sends("i");
        s.answered(1, "200 hi");
        s.closed("closed(peer-option)");
    }

    fn content_until_the_close_leaves_those_behind_it_unanswered(s: &mut Scene) {
        s.connect(assume());
        gets(s, 1..=2);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_ends("HTTP/1.1 200 OK\r\n\r\neverything");
        s.answered(1, "200 everything");
        s.failed(2, "closed(until-close) unanswered awaiting-response");
        s.closed("closed(until-close)");
    }

    fn an_end_after_two_of_four_fails_only_the_rest(s: &mut Scene) {
        s.connect(assume().depth(4));
        gets(s, 1..=5);
        s.peer_got(&["GET /1", "GET /2", "GET /3", "GET /4"]);
        s.peer_sends(joined([ok("1"), ok("2")]));
        s.peer_got(&["GET /5"]);
        s.peer_ends("");
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        for token in 3..=5 {
            s.failed(token, "incomplete(ended) unanswered awaiting-response");
        }
        s.closed("incomplete(ended)");
    }

    fn a_reset_in_the_second_of_four_tells_who_was_answered(s: &mut Scene) {
        s.connect(assume().depth(4));
        gets(s, 1..=4);
        s.peer_got(&["GET /1", "GET /2", "GET /3", "GET /4"]);
        s.send_all(5, vec![post("/5", "x")]);
        s.peer_resets(joined([ok("1"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart".to_vec()]));
        s.answered(1, "200 1");
        s.failed(2, "incomplete(reset) response-started receiving-content");
        s.failed(3, "incomplete(reset) unanswered awaiting-response");
        s.failed(4, "incomplete(reset) unanswered awaiting-response");
        s.failed(5, "incomplete(reset) not-sent queued");
        assert_eq!(s.take_request(5).as_deref(), Some("POST /5 x"));
        assert_eq!(s.take_request(4), None);
        s.closed("incomplete(reset)");
    }

    fn a_wrong_response_fails_every_request_behind_it_with_its_error(s: &mut Scene) {
        s.connect(assume().depth(3));
        gets(s, 1..=4);
        s.peer_got(&["GET /1", "GET /2", "GET /3"]);
        s.peer_sends(joined([ok("1")]));
        s.peer_got(&["GET /4"]);
        s.peer_sends(joined([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(), ok("3"), ok("4")]));
        s.answered(1, "200 1");
        s.failed(2, "peer-misbehaved(conflicting-content-length) response-started receiving-head");
        s.failed(3, "peer-misbehaved(conflicting-content-length) unanswered awaiting-response");
        s.failed(4, "peer-misbehaved(conflicting-content-length) unanswered awaiting-response");
        s.closed("peer-misbehaved(conflicting-content-length)");
        s.refuses(get("/"), "peer-misbehaved(conflicting-content-length)");
    }

    fn a_peer_that_takes_no_more_requests_by_its_keep_alive_gets_no_more(s: &mut Scene) {
        gets(s, 1..=3);
        s.peer_got(&["GET /1"]);
        s.peer_sends(response("200 OK", "Keep-Alive: timeout=5, max=1\r\n", "1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(last("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.failed(3, "closed(peer-option) not-sent queued");
    }

    fn an_http10_response_in_the_pipeline_ends_pipelining(s: &mut Scene) {
        s.connect(assume().depth(2));
        gets(s, 1..=4);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1");
        s.peer_got(&[]);
        s.peer_sends("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n2");
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.peer_got(&["GET /4"]);
        s.peer_sends(ok("4"));
        for token in 1..=4 {
            s.answered(token, &format!("200 {token}"));
        }
    }

    fn a_request_waits_for_an_idle_connection_however_long(s: &mut Scene) {
        s.connect(options());
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.advance(20);
        s.send(2, get("/2"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
    }

    fn a_request_may_hold_the_pipeline_until_its_head_has_come(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2").options(|options| options.hold_pipeline = true), get("/3")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(ok("1"));
        s.peer_got(&[]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
        s.peer_got(&["GET /3"]);
        s.peer_sends(joined([b"2".to_vec(), ok("3")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn no_option_puts_a_request_beside_one_that_can_switch(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2").upgrade().idempotent(true), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }
}

//! Connections that the caller ends.

use sandpiper_tests::message::{Build, Tune, assume, get, joined, ok, options, post, request};
use sandpiper_tests::scenarios;

scenarios! {
    fn a_shutdown_lets_everything_finish_that_was_accepted(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2"), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.shutdown();
        s.refuses(get("/4"), "closed(shutdown)");
        s.closing("closed(shutdown)");
        s.peer_saw_no_end();
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2", "GET /3"]);
        s.peer_sends(joined([ok("2"), ok("3")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
        s.closed("closed(shutdown)");
    }

    fn a_shutdown_of_an_idle_connection_closes_it(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.shutdown();
        s.shutdown();
        s.closed("closed(shutdown)");
        s.answered(1, "200 1");
    }

    fn a_shutdown_keeps_the_sending_direction_open(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(4));
        s.write(1, "ab");
        s.shutdown();
        s.write(1, "cd");
        s.peer_got(&["PUT /1 \"abcd\""]);
        s.peer_saw_no_end();
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.closed("closed(shutdown)");
    }

    fn a_shutdown_sends_fin_only_when_asked_to(s: &mut Scene) {
        s.connect(assume().half_closing());
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.shutdown();
        s.peer_saw_end();
        s.closing("closed(shutdown)");
        s.peer_sends(joined([ok("1"), ok("2")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.closed("closed(shutdown)");
    }

    fn half_close_waits_for_what_is_still_to_be_sent(s: &mut Scene) {
        s.connect(options().half_closing());
        s.send_all(1, vec![get("/1"), request("PUT", "/2").length(2)]);
        s.peer_got(&["GET /1"]);
        s.shutdown();
        s.peer_sends(ok("1"));
        s.peer_got(&["PUT /2 ..."]);
        s.write(2, "ab");
        s.peer_got(&["PUT /2 \"ab\""]);
        s.peer_saw_end();
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.closed("closed(shutdown)");
    }

    fn a_close_fails_each_exchange_with_its_delivery(s: &mut Scene) {
        s.connect(assume().depth(3));
        s.send_all(1, vec![get("/1"), get("/2"), get("/3"), post("/4", "x")]);
        s.peer_got(&["GET /1", "GET /2", "GET /3"]);
        s.peer_sends(joined([ok("1"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart".to_vec()]));
        s.close();
        s.answered(1, "200 1");
        s.failed(2, "closed(local) response-started receiving-content");
        s.failed(3, "closed(local) unanswered awaiting-response");
        s.failed(4, "closed(local) not-sent queued");
        assert_eq!(s.take_request(4).as_deref(), Some("POST /4 x"));
        s.closed("closed(local)");
        s.close();
        s.shutdown();
        s.refuses(get("/5"), "closed(local)");
        s.closed("closed(local)");
    }

    fn a_close_before_anything_has_happened_sends_nothing(s: &mut Scene) {
        s.connect(options());
        s.close();
        s.refuses(get("/"), "closed(local)");
        s.peer_got(&[]);
    }

    fn a_dropped_connection_fails_each_exchange_with_its_delivery(s: &mut Scene) {
        s.connect(assume().depth(1));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1"]);
        s.drop_conn();
        s.failed(1, "closed(dropped) unanswered awaiting-response");
        s.failed(2, "closed(dropped) not-sent queued");
        assert_eq!(s.take_request(2).as_deref(), Some("GET /2"));
        s.peer_saw_end();
    }

    fn a_response_outlives_its_connection(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.drop_conn();
        s.answered(1, "200 1");
    }

    fn handles_may_be_dropped_in_any_order(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2"), get("/3"), request("PUT", "/4").streamed()]);
        s.peer_got(&["GET /1", "GET /2", "GET /3"]);
        s.drop_exchange(2);
        s.peer_sends(ok("1"));
        s.drop_conn();
        s.drop_exchange(4);
        s.answered(1, "200 1");
        s.drop_exchange(1);
        s.failed(3, "closed(dropped) unanswered awaiting-response");
        s.drop_exchange(3);
    }

    fn content_that_came_before_a_close_can_still_be_read(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart");
        s.close();
        s.reads_until_failure(1, "part", "closed(local) response-started receiving-content");
    }
}

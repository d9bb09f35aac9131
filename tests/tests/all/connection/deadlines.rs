//! Deadlines: each holds while the peer dribbles.

use sandpiper_tests::message::{Build, Limit, Timer, Tune, assume, get, ok, options, request, response};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::scenario::native::Native;
use sandpiper_tests::scenario::scene::{Reading, Scene};
use sandpiper_tests::scenarios;

scenarios! {
    fn a_peer_that_never_answers_runs_into_first_octet(s: &mut Scene) {
        s.connect(options().deadline(Timer::FirstOctet, 150).deadline(Timer::Drain, 50));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.advance(20);
        s.pending(1);
        s.advance(150);
        s.failed(1, "timed-out(first-octet) unanswered awaiting-response");
        s.advance(100);
        s.closed("closed(abandoned)");
    }

    fn an_exchange_that_is_too_late_leaves_the_others_theirs(s: &mut Scene) {
        s.connect(assume().deadline(Timer::FirstOctet, 100));
        s.send_all(1, vec![get("/1"), get("/2").deadline(Timer::FirstOctet, 10_000)]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.advance(150);
        s.failed(1, "timed-out(first-octet) unanswered awaiting-response");
        s.pending(2);
        s.peer_sends([ok("1"), ok("2")].concat());
        s.answered(2, "200 2");
        s.open();
    }

    fn first_octet_runs_from_the_end_of_the_response_before(s: &mut Scene) {
        s.connect(assume().deadline(Timer::FirstOctet, 200));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.advance(120);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(ok("1"));
        s.advance(120);
        s.pending(2);
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
    }

    fn a_head_that_stalls_runs_into_between_octets(s: &mut Scene) {
        s.connect(options().deadline(Timer::BetweenOctets, 100));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 200 O");
        s.advance(150);
        s.failed(1, "timed-out(between-octets) response-started receiving-head");
    }

    fn content_that_stalls_runs_into_between_octets(s: &mut Scene) {
        s.connect(options().deadline(Timer::BetweenOctets, 100));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        s.advance(150);
        s.reads_until_failure(1, "hi", "timed-out(between-octets) response-started receiving-content");
    }

    fn a_dribbling_peer_stays_within_between_octets(s: &mut Scene) {
        s.connect(options().deadline(Timer::BetweenOctets, 150));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        s.peer_dribbles("0123456789", 30);
        s.answered(1, "200 0123456789");
        s.open();
    }

    fn a_dribbling_peer_runs_into_total(s: &mut Scene) {
        s.connect(options().deadline(Timer::Drain, 100));
        s.send(1, get("/1").deadline(Timer::Total, 150));
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        s.peer_dribbles("0123456789", 30);
        let failure = s.failure(1);
        assert_eq!(failure.to_string(), "timed-out(total) response-started receiving-content");
        s.peer_dribbles("0123456789", 30);
        s.closed("closed(abandoned)");
    }

    fn interim_responses_push_no_total_away(s: &mut Scene) {
        s.connect(options().deadline(Timer::Total, 150));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        for _ in 0..6 {
            s.peer_sends("HTTP/1.1 102 Processing\r\n\r\n");
            s.advance(40);
        }
        s.failed(1, "timed-out(total) response-started receiving-head");
    }

    fn a_request_that_waits_too_long_is_never_sent(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2").deadline(Timer::Queue, 100), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.advance(150);
        s.failed(2, "timed-out(queue) not-sent queued");
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(1, "200 1");
        s.answered(3, "200 3");
        s.open();
    }

    fn total_also_ends_a_request_that_waits(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2").deadline(Timer::Total, 100)]);
        s.peer_got(&["GET /1"]);
        s.advance(150);
        s.failed(2, "timed-out(total) not-sent queued");
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.open();
    }

    fn the_queue_deadline_ends_with_the_wait(s: &mut Scene) {
        s.send(1, get("/1").deadline(Timer::Queue, 50));
        s.peer_got(&["GET /1"]);
        s.advance(100);
        s.pending(1);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
    }

    fn an_idle_connection_closes_in_its_time(s: &mut Scene) {
        s.connect(options().deadline(Timer::Idle, 150));
        s.send(1, get("/1"));
        s.advance(50);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.advance(20);
        s.open();
        s.advance(200);
        s.closed("closed(idle)");
        s.refuses(get("/2"), "closed(idle)");
    }

    fn a_connection_that_never_had_a_request_is_idle_too(s: &mut Scene) {
        s.connect(options().deadline(Timer::Idle, 100));
        s.advance(150);
        s.closed("closed(idle)");
    }

    fn an_idle_connection_closes_before_the_peer_does(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(response("200 OK", "Keep-Alive: timeout=2\r\n", "1"));
        s.answered(1, "200 1");
        s.advance(500);
        s.open();
        s.advance(700);
        s.closed("closed(idle)");
    }

    fn a_peer_that_does_not_take_the_content_runs_into_between_octets(s: &mut Scene) {
        s.connect(options().deadline(Timer::BetweenOctets, 150));
        s.peer_reads(false);
        s.send(1, request("PUT", "/1").length(1 << 30));
        let piece = vec![b'x'; 1 << 18];
        let refused = (0..1_000).find(|_| s.write_some(1, &piece) == 0);
        assert!(refused.is_some(), "every write was accepted");
        s.advance(250);
        let failure = s.failure(1);
        assert_eq!(failure.to_string(), "timed-out(between-octets) unanswered sending-request");
        s.closed("closed(abandoned)");
    }

    fn a_caller_that_writes_slowly_has_the_time_it_wants(s: &mut Scene) {
        s.connect(options().deadline(Timer::BetweenOctets, 50).deadline(Timer::FirstOctet, 50));
        s.send(1, request("PUT", "/1").length(4));
        s.advance(100);
        s.write(1, "ab");
        s.advance(100);
        s.write(1, "cd");
        s.peer_got(&["PUT /1 \"abcd\""]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
    }

    fn a_caller_that_reads_slowly_has_the_time_it_wants(s: &mut Scene) {
        s.connect(options().limit(Limit::ReceiveBufferOctets, 1_024).deadline(Timer::BetweenOctets, 50));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok(vec![b'x'; 3_000]));
        s.advance(150);
        assert_eq!(s.answer(1).content.len(), 3_000);
        s.open();
    }
}

/// In virtual time alone: it would take too long else.
#[test]
fn a_pipelined_request_that_is_never_answered_runs_into_pipeline_stall() {
    let mut scene = Scene::new(Box::new(Native::new(Cuts::Nowhere, Cuts::Nowhere)), Reading::Streamed(u64::MAX));
    let s = &mut scene;
    s.connect(assume().deadline(Timer::PipelineStall, 100));
    s.send_all(1, vec![get("/1"), get("/2"), get("/3")]);
    s.peer_got(&["GET /1", "GET /2", "GET /3"]);
    // The first one of a connection has no such deadline.
    s.advance(500);
    s.pending(1);
    s.peer_sends(ok("1"));
    s.answered(1, "200 1");
    // Four times as long as the first one took.
    s.advance(1_500);
    s.pending(2);
    s.advance(1_500);
    s.failed(2, "timed-out(pipeline-stall) unanswered awaiting-response");
    s.failed(3, "timed-out(pipeline-stall) unanswered awaiting-response");
    s.closed("timed-out(pipeline-stall)");
}

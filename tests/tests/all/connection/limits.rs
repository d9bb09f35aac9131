//! Everything that the peer or the caller can make longer has an end.

use sandpiper_tests::message::{Build, Limit, Tune, assume, get, joined, ok, options, post};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::scenario::native::Native;
use sandpiper_tests::scenario::scene::{Reading, Scene};
use sandpiper_tests::scenarios;

scenarios! {
    fn a_head_without_end_is_cut_off(s: &mut Scene) {
        s.connect(options().limit(Limit::HeadOctets, 1_000));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2_000)));
        s.failed(1, "limit-exceeded(head-octets) response-started receiving-head");
        s.closed("limit-exceeded(head-octets)");
    }

    fn a_status_line_without_end_is_cut_off(s: &mut Scene) {
        s.connect(options().limit(Limit::HeadOctets, 256));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("HTTP/1.1 200 {}", "x".repeat(300)));
        s.failed(1, "limit-exceeded(head-octets) response-started receiving-head");
    }

    fn a_head_of_exactly_the_limit_is_taken(s: &mut Scene) {
        s.connect(options().limit(Limit::HeadOctets, 256));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1"]);
        let head = |octets: usize| {
            let around = "HTTP/1.1 204 No Content\r\nX: \r\n\r\n".len();
            format!("HTTP/1.1 204 No Content\r\nX: {}\r\n\r\n", "x".repeat(octets - around))
        };
        s.peer_sends(head(256));
        s.answered(1, "204");
        s.peer_got(&["GET /2"]);
        s.peer_sends(head(257));
        s.failed(2, "limit-exceeded(head-octets) response-started receiving-head");
    }

    fn field_lines_without_end_are_cut_off(s: &mut Scene) {
        s.connect(options().limit(Limit::FieldLines, 10));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(12)));
        s.failed(1, "limit-exceeded(field-lines) response-started receiving-head");
        s.closed("limit-exceeded(field-lines)");
    }

    fn interim_responses_without_end_are_cut_off(s: &mut Scene) {
        s.connect(options().limit(Limit::InterimResponses, 3));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 102 Processing\r\n\r\n".repeat(4));
        s.failed(1, "limit-exceeded(interim-responses) response-started receiving-head");
        s.closed("limit-exceeded(interim-responses)");
    }

    fn interim_responses_count_together_with_the_final_head(s: &mut Scene) {
        s.connect(options().limit(Limit::HeadOctets, 300));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(100)).repeat(3));
        s.failed(1, "limit-exceeded(head-octets) response-started receiving-head");
    }

    fn a_new_exchange_may_have_interim_responses_again(s: &mut Scene) {
        s.connect(assume().limit(Limit::InterimResponses, 2));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(2).into_bytes();
        s.peer_sends(joined([interim.clone(), ok("1"), interim, ok("2")]));
        s.answered(1, "(102) (102) 200 1");
        s.answered(2, "(102) (102) 200 2");
    }

    fn trailers_without_end_are_cut_off(s: &mut Scene) {
        s.connect(options().limit(Limit::TrailerOctets, 200));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n");
        s.peer_sends("Trailer-Line: value\r\n".repeat(20));
        s.failed(1, "limit-exceeded(trailer-octets) response-started receiving-trailers");
        s.closed("limit-exceeded(trailer-octets)");
    }

    fn a_chunk_extension_without_end_is_cut_off(s: &mut Scene) {
        s.connect(options().limit(Limit::ChunkExtensionOctets, 200));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;{}", "x".repeat(300)));
        s.failed(1, "limit-exceeded(chunk-extension-octets) response-started receiving-content");
    }

    fn chunk_extensions_count_together(s: &mut Scene) {
        s.connect(options().limit(Limit::ChunkExtensionOctets, 200));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        s.peer_sends("1;name=value\r\nx\r\n".repeat(30));
        let failure = s.failure(1);
        assert_eq!(failure.error, "limit-exceeded(chunk-extension-octets)");
        s.closed("limit-exceeded(chunk-extension-octets)");
    }

    fn a_chunk_size_of_endless_zeros_is_no_size(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", "0".repeat(100)));
        s.failed(1, "peer-misbehaved(invalid-chunk-size) response-started receiving-content");
    }

    fn a_length_beyond_all_numbers_is_no_length(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello");
        s.failed(1, "peer-misbehaved(invalid-content-length) response-started receiving-head");
    }

    fn content_beyond_the_callers_limit_fails_that_exchange_alone(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1").options(|options| options.limits.push((Limit::ContentOctets, 10))), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(joined([ok("0123456789X"), ok("2")]));
        let failure = s.failure(1);
        assert_eq!((failure.error.as_str(), failure.delivery.as_str()), ("limit-exceeded(content-octets)", "response-started"));
        s.answered(2, "200 2");
        s.open();
    }

    fn content_of_exactly_the_callers_limit_is_taken(s: &mut Scene) {
        s.send(1, get("/1").options(|options| options.limits.push((Limit::ContentOctets, 10))));
        s.peer_got(&["GET /1"]);
        s.peer_sends(sandpiper_tests::message::chunked(&["01234", "56789"], ""));
        s.answered(1, "200 0123456789");
        s.open();
    }

    fn a_collected_response_beyond_its_limit_is_given_up_alone(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(joined([ok("0123456789X"), ok("2")]));
        let failure = s.collect(1, 10).expect_err("too large");
        assert_eq!((failure.error.as_str(), failure.delivery.as_str()), ("limit-exceeded(collect-octets)", "response-started"));
        assert_eq!(s.collect(2, 1).expect("small enough").content, b"2");
        s.open();
    }

    fn a_request_head_beyond_its_limit_is_refused(s: &mut Scene) {
        s.connect(options().limit(Limit::RequestHeadOctets, 256));
        s.refuses(get("/").field("X", "x".repeat(300)), "limit-exceeded(request-head-octets)");
        s.refuses(get(&"/x".repeat(200)), "limit-exceeded(request-head-octets)");
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
    }

    fn no_more_requests_wait_than_may(s: &mut Scene) {
        s.connect(options().limit(Limit::QueueLength, 2));
        s.send(1, get("/1"));
        s.send_all(2, vec![get("/2"), get("/3")]);
        s.refuses(get("/4"), "limit-exceeded(queue-length)");
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["GET /2", "GET /3"]);
        s.send(4, get("/4"));
        s.peer_got(&["GET /4"]);
    }

    fn no_more_content_waits_than_may(s: &mut Scene) {
        s.connect(options().limit(Limit::QueuedOctets, 10));
        s.send_all(1, vec![get("/1"), post("/2", "0123456")]);
        s.refuses(post("/3", "0123"), "limit-exceeded(queued-octets)");
        s.send(3, post("/3", "012"));
        s.refuses(post("/4", "0"), "limit-exceeded(queued-octets)");
        s.cancel(&[3]);
        s.send(4, post("/4", "012"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["POST /2 \"0123456\""]);
        s.send(5, post("/5", "0123456"));
    }

    fn unread_content_stops_the_reading(s: &mut Scene) {
        const OCTETS: usize = 500_000;
        s.connect(assume().limit(Limit::ReceiveBufferOctets, 10_000));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(joined([ok(vec![b'x'; OCTETS]), ok("2")]));
        let received = s.info().octets_received;
        assert!(received <= 10_000 + 65_536 + 100, "{received}");
        let behind = s.collect(2, 10).expect_err("behind");
        assert_eq!(behind.error, "api-misuse(behind-unread-response)");
        let part = s.read_once(1, 1_000_000);
        let received = s.info().octets_received;
        assert!(received <= 20_000 + 2 * 65_536 + 100, "{received}");
        assert_eq!(s.reads_rest(1) + part.len(), OCTETS);
        s.answered(2, "200 2");
        s.open();
    }

    fn a_response_that_is_thrown_away_stops_no_reading(s: &mut Scene) {
        s.connect(assume().limit(Limit::ReceiveBufferOctets, 1_024).limit(Limit::DrainOctets, 100_000));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(joined([ok(vec![b'x'; 50_000]), ok("2")]));
        s.pending(2);
        s.cancel(&[1]);
        s.answered(2, "200 2");
        s.open();
    }
}

/// In virtual time alone: it would take too long else.
#[test]
fn interim_responses_that_are_taken_may_go_on_for_ever_but_not_at_any_rate() {
    let mut scene = Scene::new(Box::new(Native::new(Cuts::Nowhere, Cuts::Nowhere)), Reading::Streamed(u64::MAX));
    let s = &mut scene;
    s.connect(options().limit(Limit::InterimResponses, 3).limit(Limit::HeadOctets, 256));
    s.send(1, get("/"));
    s.peer_got(&["GET /"]);
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    for _ in 0..20 {
        s.peer_sends(interim.repeat(3));
        assert_eq!(s.interim(1), [102, 102, 102]);
        s.advance(5_000);
    }
    for _ in 0..4 {
        s.peer_sends(interim.repeat(2));
        assert_eq!(s.interim(1), [102, 102]);
    }
    s.peer_sends(interim.repeat(3));
    s.failed(1, "limit-exceeded(interim-responses) response-started receiving-head");
}

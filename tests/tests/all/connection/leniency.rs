//! What is refused, and what is taken where the caller tolerates it: empty lines before a response, responses without a head.

use sandpiper_guest::types::Leniency;
use sandpiper_tests::message::{Tune, assume, get, joined, ok, options, request};
use sandpiper_tests::scenarios;

scenarios! {
    fn an_empty_line_where_a_response_is_expected_is_refused(s: &mut Scene) {
        s.connect(assume());
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(joined([ok("1"), b"\r\n".to_vec(), ok("2")]));
        s.answered(1, "200 1");
        s.failed(2, "peer-misbehaved(not-http) unanswered awaiting-response");
        s.closed("peer-misbehaved(not-http)");
    }

    fn an_empty_line_where_a_response_is_expected_can_be_tolerated(s: &mut Scene) {
        s.connect(assume().tolerating(Leniency::LEADING_EMPTY_LINE));
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1", "GET /2"]);
        s.peer_sends(joined([ok("1"), b"\r\n".to_vec(), ok("2")]));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.open();
    }

    fn content_without_a_head_is_taken_only_where_http09_is_tolerated(s: &mut Scene) {
        s.connect(options().tolerating(Leniency::HTTP09));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("Hello, ");
        assert_eq!(s.head(1), 200);
        s.peer_ends("world");
        let answer = s.answer(1);
        assert_eq!((answer.head.version.as_str(), answer.head.fields.len()), ("http09", 0));
        assert_eq!(answer.content, b"Hello, world");
        s.closed("closed(until-close)");
    }

    fn http09_is_tolerated_for_the_first_response_alone(s: &mut Scene) {
        s.connect(options().tolerating(Leniency::HTTP09));
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.answered(1, "200 1");
        s.send(2, get("/2"));
        s.peer_got(&["GET /2"]);
        s.peer_sends("Hello");
        s.failed(2, "peer-misbehaved(not-http) unanswered awaiting-response");
        s.closed("peer-misbehaved(not-http)");
    }

    fn http09_has_no_head_request(s: &mut Scene) {
        s.connect(options().tolerating(Leniency::HTTP09));
        s.send(1, request("HEAD", "/"));
        s.peer_got(&["HEAD /"]);
        s.peer_sends("Hello");
        s.failed(1, "peer-misbehaved(not-http) unanswered awaiting-response");
        s.closed("peer-misbehaved(not-http)");
    }

    fn http09_opens_no_tunnel(s: &mut Scene) {
        s.connect(options().tolerating(Leniency::HTTP09));
        s.send(1, request("CONNECT", "example.test:80"));
        s.peer_got(&["CONNECT example.test:80"]);
        s.peer_ends("HTT");
        s.failed(1, "incomplete(ended) response-started receiving-head");
    }

    fn http09_does_not_begin_behind_an_interim_response(s: &mut Scene) {
        s.connect(options().tolerating(Leniency::HTTP09));
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 103 Early Hints\r\n\r\n");
        assert_eq!(s.interim(1), [103]);
        s.peer_ends("HTT");
        s.failed(1, "incomplete(ended) response-started receiving-head");
    }
}

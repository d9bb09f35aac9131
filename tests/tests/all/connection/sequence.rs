//! One request after the other.

use sandpiper_guest::types::Persistence;
use sandpiper_tests::message::{Build, Limit, Tune, get, ok, options, post, request, response};
use sandpiper_tests::scenarios;

scenarios! {
    fn a_get_is_answered(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.pending(1);
        s.peer_sends(ok("hi"));
        s.answered(1, "200 hi");
        s.open();
    }

    fn one_connection_carries_one_request_after_the_other(s: &mut Scene) {
        for token in 1..=5 {
            s.send(token, get(&format!("/{token}")));
            s.peer_got(&[&format!("GET /{token}")]);
            s.peer_sends(ok(format!("answer {token}")));
            s.answered(token, &format!("200 answer {token}"));
        }
        let info = s.info();
        assert_eq!((info.requests, info.responses, info.persistence.as_str()), (5, 5, "pipelining"));
        s.open();
    }

    fn a_request_goes_out_as_it_was_given_behind_its_host(s: &mut Scene) {
        s.send(1, get("").field("X-One", "1").field("x-two", "a,  b").field("X-One", "\u{e9}"));
        let seen = s.take_requests().remove(0);
        let names: Vec<&str> = seen.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((seen.target.as_str(), names), ("/", vec!["Host", "X-One", "x-two", "X-One"]));
        assert_eq!(seen.fields[3].1, "\u{e9}".as_bytes());
        s.peer_sends(ok(""));
        s.answered(1, "200");
    }

    fn the_callers_host_is_the_only_one(s: &mut Scene) {
        s.send(1, get("/").field("host", "other.test"));
        assert_eq!(s.take_requests().remove(0).field("host"), Some("other.test".as_bytes()));
        s.peer_sends(ok(""));
        s.answered(1, "200");
    }

    fn a_response_keeps_the_order_the_case_and_the_duplicates_of_its_lines(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(response("299 So it is", "Set-Cookie: a\r\nX: \t 1 \t\r\nset-cookie: b\r\nEmpty:\r\n", "x"));
        let head = s.answer(1).head;
        assert_eq!((head.version.as_str(), head.status, head.reason.as_slice()), ("http11", 299, &b"So it is"[..]));
        let lines = "Set-Cookie: a, X: 1, set-cookie: b, Empty: , Content-Length: 1";
        assert_eq!(sandpiper_tests::scenario::story::fields(&head.fields), lines);
    }

    fn content_goes_with_its_length_and_an_empty_post_with_length_zero(s: &mut Scene) {
        s.send(1, post("/p", "some content"));
        s.peer_got(&["POST /p \"some content\""]);
        s.peer_sends(ok("1"));
        s.send(2, request("POST", "/q"));
        let seen = s.take_requests().remove(0);
        assert_eq!((seen.field("content-length"), seen.whole), (Some(&b"0"[..]), true));
        s.peer_sends(ok("2"));
        s.send(3, get("/r"));
        assert_eq!(s.take_requests().remove(0).field("content-length"), None);
        s.peer_sends(ok("3"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.answered(3, "200 3");
    }

    fn what_cannot_be_put_on_the_wire_is_refused_and_the_connection_goes_on(s: &mut Scene) {
        s.refuses(request("GE T", "/"), "api-misuse(invalid-method)");
        s.refuses(get("/a b"), "api-misuse(invalid-request-target)");
        s.refuses(get("/a#b"), "api-misuse(invalid-request-target)");
        s.refuses(get("/\r\nX: y"), "api-misuse(invalid-request-target)");
        s.refuses(get("/").field("X:", "y"), "api-misuse(invalid-field-name)");
        s.refuses(get("/").field("X", "y\r\nZ: a"), "api-misuse(invalid-field-value)");
        s.refuses(get("/").field("X", " y"), "api-misuse(invalid-field-value)");
        s.refuses(get("/").field("Host", "a").field("hOST", "a"), "api-misuse(invalid-authority)");
        s.refuses(get("/").field("Content-Length", "3"), "api-misuse(conflicting-framing)");
        s.refuses(post("/", "x").field("content-length", "1").field("Content-Length", "1"), "api-misuse(conflicting-framing)");
        s.refuses(post("/", "x").field("Transfer-Encoding", "chunked"), "api-misuse(conflicting-framing)");
        s.refuses(request("TRACE", "/").content("x"), "api-misuse(content-not-allowed)");
        s.refuses(get("/").expecting(), "api-misuse(expect-without-content)");
        s.peer_got(&[]);
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(ok("hi"));
        s.answered(1, "200 hi");
    }

    fn a_connection_for_one_request_says_so_and_closes_behind_its_response(s: &mut Scene) {
        s.connect(options().persistence(Persistence::Close));
        s.send(1, get("/a"));
        assert_eq!(s.take_requests().remove(0).field("connection"), Some(&b"close"[..]));
        s.closing("closed(local-option)");
        s.refuses(get("/b"), "closed(local-option)");
        s.peer_sends(ok("hi"));
        s.answered(1, "200 hi");
        s.closed("closed(local-option)");
    }

    fn the_callers_own_connection_close_is_the_last_request(s: &mut Scene) {
        s.send_all(1, vec![get("/a").field("Connection", "close"), get("/b")]);
        s.peer_got(&["GET /a"]);
        s.failed(2, "closed(local-option) not-sent queued");
        assert_eq!(s.take_request(2).as_deref(), Some("GET /b"));
        assert_eq!(s.take_request(2), None);
        s.peer_sends(ok("hi"));
        s.answered(1, "200 hi");
        s.closed("closed(local-option)");
    }

    fn a_connection_carries_no_more_requests_than_it_may(s: &mut Scene) {
        s.connect(options().limit(Limit::Requests, 2));
        s.send_all(1, vec![get("/a"), get("/b")]);
        s.refuses(get("/c"), "closed(local-option)");
        s.peer_got(&["GET /a"]);
        s.peer_sends(ok("1"));
        let seen = s.take_requests().remove(0);
        assert_eq!((seen.target.as_str(), seen.field("connection")), ("/b", Some(&b"close"[..])));
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
        s.closed("closed(local-option)");
    }

    fn a_close_from_the_peer_ends_the_connection_behind_the_response(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.peer_sends(sandpiper_tests::message::last("bye"));
        s.answered(1, "200 bye");
        s.closed("closed(peer-option)");
        s.refuses(get("/b"), "closed(peer-option)");
    }

    fn close_wins_in_any_line_and_any_case(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.peer_sends(response("200 OK", "Connection: keep-alive\r\nCONNECTION: x , CloSE\r\n", "bye"));
        s.answered(1, "200 bye");
        s.closed("closed(peer-option)");
    }

    fn an_option_that_only_begins_like_close_is_not_close(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.peer_sends(response("200 OK", "Connection: closed, xclose\r\n", "stay"));
        s.answered(1, "200 stay");
        s.open();
    }

    fn http10_without_keep_alive_closes(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.peer_sends("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        s.answered(1, "200 hi");
        s.closed("closed(peer-option)");
    }

    fn http10_with_keep_alive_is_kept(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.peer_sends("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi");
        s.answered(1, "200 hi");
        s.open();
        assert_eq!(s.info().persistence, "sequential");
    }

    fn what_can_be_done_is_reported_until_it_was_done(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        assert_eq!(s.ready(1), "");
        s.peer_sends("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
        assert_eq!(s.ready(1), "interim head readable");
        assert_eq!(s.ready(1), "interim head readable");
        assert_eq!(s.interim(1), [103]);
        assert_eq!(s.ready(1), "head readable");
        assert_eq!(s.head(1), 200);
        assert_eq!(s.ready(1), "readable");
        s.reads(1, "h");
        assert_eq!(s.ready(1), "");
        s.peer_sends("i");
        assert_eq!(s.ready(1), "readable complete");
        s.reads_to_end(1, "i");
        assert_eq!(s.ready(1), "");
    }

    fn a_response_is_handed_out_once(s: &mut Scene) {
        s.send(1, get("/a"));
        s.peer_got(&["GET /a"]);
        s.peer_sends(ok("hi"));
        assert_eq!(s.collect(1, 100).expect("a response").to_string(), "200 hi");
        assert_eq!(s.collect(1, 100).expect_err("taken").error, "api-misuse(response-taken)");
        s.read_fails(1, "api-misuse(response-taken)");
        s.open();
    }

    fn the_length_counts_what_waits_and_what_is_on_the_wire(s: &mut Scene) {
        assert_eq!(s.standing(), (0, false, false));
        s.send_all(1, vec![get("/a"), get("/b"), get("/c")]);
        assert_eq!(s.standing(), (3, false, false));
        s.peer_got(&["GET /a"]);
        s.peer_sends(ok("1"));
        assert_eq!(s.standing(), (2, true, false));
        s.peer_got(&["GET /b", "GET /c"]);
        s.peer_sends(sandpiper_tests::message::joined([ok("2"), ok("3")]));
        assert_eq!(s.standing(), (0, true, false));
        s.shutdown();
        assert_eq!(s.standing(), (0, false, true));
    }

    fn close_wins_over_a_later_keep_alive(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(response("200 OK", "Connection: x, CLOSE\r\nConnection: keep-alive\r\n", "bye"));
        s.answered(1, "200 bye");
        s.closed("closed(peer-option)");
    }
}

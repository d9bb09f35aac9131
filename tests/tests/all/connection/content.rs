//! Where the content of a response ends (RFC 9112 §6, §7, §8).

use sandpiper_tests::message::{Build, chunked, get, joined, ok, request, response};
use sandpiper_tests::scenarios;

scenarios! {
    fn a_head_request_gets_no_content_whatever_the_length_says(s: &mut Scene) {
        s.send(1, request("HEAD", "/"));
        s.peer_got(&["HEAD /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        s.answered(1, "200");
        s.open();
    }

    fn no_content_and_not_modified_have_none(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2"), get("/3")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.1 204 No Content\r\n\r\n");
        s.peer_got(&["GET /2", "GET /3"]);
        s.peer_sends(joined([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_vec(), ok("3")]));
        s.answered(1, "204");
        s.answered(2, "304");
        s.answered(3, "200 3");
    }

    fn chunks_extensions_and_trailers_are_taken_apart(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: Sum\r\n\r\n\
             5;a=b;c=\"d;\\\"e\"\r\nhello\r\n001;x\r\n \r\nA\r\n0123456789\r\n0;last\r\nSum: 16\r\nX: y\r\n\r\n",
        );
        s.answered(1, "200 hello 0123456789 + Sum: 16, X: y");
        s.open();
    }

    fn trailers_never_frame_the_message_or_the_next(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(chunked(&["hi"], "Content-Length: 99\r\nTransfer-Encoding: gzip\r\nConnection: close\r\nHost: x\r\n"));
        let answer = s.answer(1);
        assert_eq!((answer.content.as_slice(), answer.head.fields.len(), answer.trailers.len()), (&b"hi"[..], 1, 4));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }

    fn content_may_last_until_the_close(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\n\r\nall of ");
        s.closing("closed(until-close)");
        s.peer_saw_no_end();
        s.peer_ends("it");
        s.answered(1, "200 all of it");
        s.closed("closed(until-close)");
    }

    fn http10_content_may_last_until_the_close(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_ends("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall of it");
        s.answered(1, "200 all of it");
        s.closed("closed(until-close)");
    }

    fn a_reset_is_not_the_end_of_content(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_resets("HTTP/1.1 200 OK\r\n\r\nall of ");
        s.failed(1, "incomplete(reset) response-started receiving-content");
        s.closed("closed(until-close)");
    }

    fn content_shorter_than_its_length_is_incomplete(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_ends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
        s.reads_until_failure(1, "short", "incomplete(ended) response-started receiving-content");
        s.closed("incomplete(ended)");
    }

    fn chunked_content_without_its_last_chunk_is_incomplete(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_ends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n");
        s.reads_until_failure(1, "short", "incomplete(ended) response-started receiving-content");
        s.closed("incomplete(ended)");
    }

    fn chunked_content_without_its_last_line_is_incomplete(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_ends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\nSum: 5\r\n");
        s.failed(1, "incomplete(ended) response-started receiving-trailers");
        s.closed("incomplete(ended)");
    }

    fn a_head_that_breaks_off_is_incomplete(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_ends("HTTP/1.1 200 OK\r\nContent-Le");
        s.failed(1, "incomplete(ended) response-started receiving-head");
        s.closed("incomplete(ended)");
    }

    fn an_end_without_any_answer_leaves_the_request_unanswered(s: &mut Scene) {
        s.send(1, post_like());
        s.peer_got(&["POST / \"x\""]);
        s.peer_ends("");
        s.failed(1, "incomplete(ended) unanswered awaiting-response");
        s.closed("incomplete(ended)");
    }

    fn content_longer_than_its_length_is_no_response(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlonger");
        s.answered(1, "200 lon");
        s.closed("peer-misbehaved(unsolicited-octets)");
        s.refuses(get("/"), "peer-misbehaved(unsolicited-octets)");
    }

    fn what_is_not_http_fails_the_connection(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("SSH-2.0-OpenSSH_9.9\r\n");
        let failure = s.failure(1);
        assert_eq!(failure.to_string(), "peer-misbehaved(not-http) unanswered awaiting-response");
        assert_eq!(failure.octets_received, 1);
        s.closed("peer-misbehaved(not-http)");
    }

    fn a_failed_connection_repeats_its_first_error(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 099 OK\r\n\r\n");
        s.failed(1, "peer-misbehaved(invalid-status-code) response-started receiving-head");
        s.peer_resets("");
        s.refuses(get("/"), "peer-misbehaved(invalid-status-code)");
        s.close();
        s.shutdown();
        s.failed(1, "peer-misbehaved(invalid-status-code) response-started receiving-head");
        s.closed("peer-misbehaved(invalid-status-code)");
    }

    fn two_kinds_of_framing_are_refused(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        s.failed(1, "peer-misbehaved(transfer-encoding-with-content-length) response-started receiving-head");
        s.closed("peer-misbehaved(transfer-encoding-with-content-length)");
    }

    fn a_transfer_coding_that_is_not_known_is_refused(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
        s.failed(1, "peer-incompatible(transfer-coding) response-started receiving-head");
        s.closed("peer-incompatible(transfer-coding)");
    }

    fn a_wrong_chunk_tells_which_octet_was_wrong(s: &mut Scene) {
        let before = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n-";
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(format!("{before}3\r\nabc\r\n"));
        assert_eq!(s.failure(1).octets_received, before.len() as u64);
        s.closed("peer-misbehaved(invalid-chunk-size)");
    }

    fn a_length_of_a_petabyte_takes_no_memory(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\nhello");
        s.reads(1, "hello");
        s.close();
        s.failed(1, "closed(local) response-started receiving-content");
    }

    fn an_error_response_is_a_response(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(response("503 Service Unavailable", "Retry-After: 1\r\n", "later"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(response("404 Not Found", "", ""));
        s.answered(1, "503 later");
        s.answered(2, "404");
        s.open();
    }

    fn an_unknown_interim_status_completes_nothing(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 199 Nobody Knows\r\n\r\n");
        s.pending(1);
        s.peer_sends(ok("hi"));
        s.answered(1, "(199) 200 hi");
        s.open();
    }

    fn an_interim_head_has_no_content_whatever_its_lines_say(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n");
        s.peer_sends(ok("hi"));
        s.answered(1, "(103) (102) 200 hi");
        s.open();
    }

    fn a_reason_phrase_decides_nothing(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 304 Not Modified Connection: close\r\nContent-Length: 2\r\n\r\nhi");
        s.answered(1, "200 hi");
        s.open();
    }

    fn content_behind_a_204_is_never_a_response(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(["HTTP/1.1 204 No Content\r\nContent-Length: 38\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"].concat());
        s.answered(1, "204");
        s.closed("peer-misbehaved(unsolicited-octets)");
        s.refuses(get("/"), "peer-misbehaved(unsolicited-octets)");
    }

    fn content_until_a_close_that_was_declared_ends_with_it(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of ");
        s.closing("closed(peer-option)");
        s.peer_ends("it");
        s.answered(1, "200 all of it");
        s.closed("closed(peer-option)");
    }
}

fn post_like() -> sandpiper_guest::types::Request {
    request("POST", "/").content("x")
}

//! Content of requests (RFC 9112 §6, §7.1; RFC 9110 §10.1.1).

use sandpiper_tests::message::{Build, Limit, Timer, Tune, get, last, ok, options, request, response};
use sandpiper_tests::scenarios;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

scenarios! {
    fn content_of_a_declared_length_is_streamed(s: &mut Scene) {
        s.send(1, request("PUT", "/").length(10));
        let seen = s.take_requests().remove(0);
        assert_eq!((seen.field("content-length"), seen.whole), (Some(&b"10"[..]), false));
        assert_eq!(s.ready(1), "writable");
        s.write(1, "01234");
        s.peer_got(&["PUT / \"01234\" ..."]);
        s.write(1, "");
        s.write(1, "56789");
        s.peer_got(&["PUT / \"0123456789\""]);
        assert_eq!(s.ready(1), "");
        s.peer_sends(ok("thanks"));
        s.answered(1, "200 thanks");
        s.open();
    }

    fn content_of_unknown_length_is_chunked_and_has_trailers(s: &mut Scene) {
        s.send(1, request("PUT", "/").streamed().field("Trailer", "Sum"));
        assert_eq!(s.take_requests().remove(0).field("transfer-encoding"), Some(&b"chunked"[..]));
        s.write(1, "hello");
        s.write(1, "");
        s.peer_got(&["PUT / \"hello\" ..."]);
        s.write(1, ", world");
        s.finish_with(1, &[("Sum", "12"), ("X", "")]);
        s.peer_got(&["PUT / \"hello, world\" + Sum: 12 + X: "]);
        s.write_fails(1, "more", "api-misuse(content-finished)");
        s.finish_fails(1, &[], "api-misuse(content-finished)");
        s.peer_sends(ok("thanks"));
        s.answered(1, "200 thanks");
        s.open();
    }

    fn chunked_content_may_be_empty(s: &mut Scene) {
        s.send(1, request("POST", "/").streamed());
        s.finish(1);
        s.peer_got(&["POST /"]);
        s.peer_sends(ok(""));
        s.answered(1, "200");
    }

    fn a_declared_length_of_zero_is_whole_at_once(s: &mut Scene) {
        s.send(1, request("POST", "/").length(0));
        s.peer_got(&["POST /"]);
        s.write_fails(1, "x", "api-misuse(content-too-long)");
        s.peer_sends(ok(""));
        s.answered(1, "200");
        s.open();
    }

    fn more_than_the_declared_length_is_refused_and_the_exchange_goes_on(s: &mut Scene) {
        s.send(1, request("PUT", "/").length(5));
        s.write(1, "abc");
        s.write_fails(1, "def", "api-misuse(content-too-long)");
        s.write(1, "de");
        s.peer_got(&["PUT / \"abcde\""]);
        s.peer_sends(ok(""));
        s.answered(1, "200");
        s.open();
    }

    fn less_than_the_declared_length_gives_the_connection_up(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/").length(5), get("/2")]);
        s.write(1, "abc");
        s.finish_fails(1, &[], "api-misuse(content-too-short)");
        s.peer_got(&["PUT / \"abc\" ..."]);
        s.failed(1, "api-misuse(content-too-short) unanswered sending-request");
        s.failed(2, "closed(abandoned) not-sent queued");
        s.closed("closed(abandoned)");
    }

    fn a_trailer_that_frames_or_routes_is_refused_and_the_exchange_goes_on(s: &mut Scene) {
        s.send(1, request("PUT", "/").streamed());
        s.write(1, "x");
        s.finish_fails(1, &[("Content-Length", "1")], "api-misuse(forbidden-trailer)");
        s.finish_fails(1, &[("Host", "x")], "api-misuse(forbidden-trailer)");
        s.finish_fails(1, &[("A B", "x")], "api-misuse(invalid-field-name)");
        s.finish_fails(1, &[("A", "x\r\ny")], "api-misuse(invalid-field-value)");
        s.finish_with(1, &[("Sum", "1")]);
        s.peer_got(&["PUT / \"x\" + Sum: 1"]);
        s.peer_sends(ok(""));
        s.answered(1, "200");
    }

    fn content_waits_for_the_turn_of_its_request(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), request("PUT", "/2").streamed()]);
        s.peer_got(&["GET /1"]);
        assert_eq!(s.write_some(2, "early"), 0);
        assert_eq!(s.ready(2), "");
        s.peer_sends(ok("1"));
        assert_eq!(s.ready(2), "writable");
        s.write(2, "now");
        s.finish(2);
        s.peer_got(&["PUT /2 \"now\""]);
        s.peer_sends(ok("2"));
        s.answered(1, "200 1");
        s.answered(2, "200 2");
    }

    fn content_may_be_finished_before_the_turn_of_its_request(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), request("PUT", "/2").streamed(), get("/3")]);
        s.finish_with(2, &[("Sum", "0")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends(ok("1"));
        s.peer_got(&["PUT /2 + Sum: 0"]);
        s.peer_sends(ok("2"));
        s.peer_got(&["GET /3"]);
        s.peer_sends(ok("3"));
        s.answered(3, "200 3");
    }

    fn an_http10_peer_gets_no_chunks(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), request("PUT", "/2").streamed(), request("PUT", "/3").content("x")]);
        s.peer_got(&["GET /1"]);
        s.peer_sends("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1");
        s.failed(2, "peer-incompatible(http10-peer) not-sent queued");
        s.peer_got(&["PUT /3 \"x\""]);
        s.peer_sends(ok("3"));
        s.answered(1, "200 1");
        s.answered(3, "200 3");
        s.open();
    }

    fn a_response_before_the_end_of_the_content_stops_it_and_the_connection_is_not_used_again(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").length(100), get("/2")]);
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nto");
        s.write_fails(1, "more", "closed(early-response)");
        s.finish(1);
        s.failed(2, "closed(early-response) not-sent queued");
        s.closing("closed(early-response)");
        s.peer_saw_no_end();
        s.peer_sends("o");
        s.answered(1, "413 too");
        s.peer_got(&[]);
        s.closed("closed(early-response)");
    }

    fn a_response_with_close_before_the_end_of_the_content_stops_it_too(s: &mut Scene) {
        s.send(1, request("PUT", "/1").streamed());
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(response("401 Unauthorized", "Connection: close\r\n", "who?"));
        s.answered(1, "401 who?");
        s.closed("closed(early-response)");
    }

    fn an_interim_response_before_the_end_of_the_content_stops_nothing(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(4));
        s.write(1, "ab");
        s.peer_sends("HTTP/1.1 102 Processing\r\n\r\n");
        s.write(1, "cd");
        s.peer_got(&["PUT /1 \"abcd\""]);
        s.peer_sends(ok(""));
        s.answered(1, "(102) 200");
        s.open();
    }

    fn a_peer_that_ends_in_the_middle_of_the_content_may_have_said_why(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(100));
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_ends(last("no"));
        s.answered(1, "200 no");
        s.closed("closed(early-response)");
    }

    fn a_peer_that_ends_in_the_middle_of_the_content_leaves_it_unanswered(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(100));
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_ends("");
        s.failed(1, "incomplete(ended) unanswered sending-request");
        s.closed("incomplete(ended)");
    }

    fn a_cancelled_upload_ends_the_connection(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").length(100), get("/2")]);
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.cancel(&[1]);
        s.failed(1, "closed(cancelled) unanswered sending-request");
        s.failed(2, "closed(abandoned) not-sent queued");
        s.closed("closed(abandoned)");
    }

    fn a_peer_that_does_not_read_stops_the_writing_and_can_be_cancelled(s: &mut Scene) {
        s.connect(options().limit(Limit::SendBufferOctets, 100_000));
        s.peer_reads(false);
        s.send(1, request("PUT", "/1").length(1 << 30));
        let piece = vec![b'x'; 50_000];
        // What a host's socket holds besides is not known here.
        let refused = (0..1_000).find(|_| s.write_some(1, &piece) == 0);
        assert!(refused.is_some(), "every write was accepted");
        assert_eq!(s.ready(1), "");
        s.cancel(&[1]);
        s.closed("closed(abandoned)");
    }

    fn a_peer_that_reads_again_goes_on_getting_the_content(s: &mut Scene) {
        const OCTETS: usize = 300_000;
        s.connect(options().limit(Limit::SendBufferOctets, 20_000));
        s.send(1, request("PUT", "/1").length(OCTETS as u64));
        s.peer_reads(false);
        let content: Vec<u8> = (0..=250).cycle().take(OCTETS).collect();
        let mut written = s.write_some(1, &content[..10_000]);
        s.peer_reads(true);
        while written < OCTETS {
            let accepted = s.write_some(1, &content[written..]);
            assert!(accepted > 0 && accepted <= 20_000);
            written += accepted;
        }
        assert_eq!(s.take_requests().remove(0).content, content);
        s.peer_sends(ok("all"));
        s.answered(1, "200 all");
        s.open();
    }

    fn content_waits_for_100_and_then_goes(s: &mut Scene) {
        s.send(1, request("PUT", "/1").content("content").expecting());
        let seen = s.take_requests().remove(0);
        assert_eq!((seen.field("expect"), seen.content.len()), (Some(&b"100-continue"[..]), 0));
        s.peer_sends(CONTINUE);
        s.peer_got(&["PUT /1 \"content\""]);
        s.peer_sends(ok("thanks"));
        s.answered(1, "(100) 200 thanks");
        s.open();
    }

    fn streamed_content_waits_for_100_and_then_goes(s: &mut Scene) {
        s.send(1, request("PUT", "/1").streamed().expecting());
        s.peer_got(&["PUT /1 ..."]);
        assert_eq!(s.write_some(1, "early"), 0);
        s.peer_sends(CONTINUE);
        s.write(1, "content");
        s.finish(1);
        s.peer_got(&["PUT /1 \"content\""]);
        s.peer_sends(ok("thanks"));
        s.answered(1, "(100) 200 thanks");
        s.open();
    }

    fn content_does_not_wait_for_100_for_ever(s: &mut Scene) {
        s.connect(options().deadline(Timer::AwaitContinue, 100));
        s.send(1, request("PUT", "/1").content("content").expecting());
        s.peer_got(&["PUT /1 ..."]);
        s.advance(10);
        s.peer_got(&[]);
        s.advance(150);
        s.peer_got(&["PUT /1 \"content\""]);
        s.peer_sends([CONTINUE.as_bytes(), CONTINUE.as_bytes(), &ok("late")].concat());
        s.answered(1, "(100) (100) 200 late");
        s.open();
    }

    fn another_interim_response_is_not_the_100_that_is_awaited(s: &mut Scene) {
        s.send(1, request("PUT", "/1").content("content").expecting());
        s.peer_got(&["PUT /1 ..."]);
        s.peer_sends("HTTP/1.1 103 Early Hints\r\n\r\n");
        s.peer_got(&[]);
        s.peer_sends(CONTINUE);
        s.peer_got(&["PUT /1 \"content\""]);
        s.peer_sends(ok(""));
        s.answered(1, "(103) (100) 200");
    }

    fn a_final_response_instead_of_100_keeps_the_content_at_home(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").content("content").expecting(), get("/2")]);
        s.peer_got(&["PUT /1 ..."]);
        s.peer_sends(response("417 Expectation Failed", "", "no"));
        s.answered(1, "417 no");
        s.failed(2, "closed(early-response) not-sent queued");
        s.peer_got(&[]);
        s.closed("closed(early-response)");
    }

    fn a_100_that_nobody_asked_for_completes_nothing(s: &mut Scene) {
        s.send(1, get("/1"));
        s.peer_got(&["GET /1"]);
        s.peer_sends(CONTINUE);
        s.pending(1);
        s.peer_sends(ok("1"));
        s.answered(1, "(100) 200 1");
        s.open();
    }

    fn a_peer_that_ends_instead_of_100_leaves_it_unanswered(s: &mut Scene) {
        s.send(1, request("PUT", "/1").content("content").expecting());
        s.peer_got(&["PUT /1 ..."]);
        s.peer_ends("");
        s.failed(1, "incomplete(ended) unanswered sending-request");
    }
}

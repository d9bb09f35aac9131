//! Final responses that come before the whole request has left (RFC 9110 §7.5; RFC 9112 §9.3, §9.5).

use sandpiper_tests::message::{Build, Limit, Timer, Tune, get, last, ok, options, request, response};
use sandpiper_tests::scenarios;

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const LASTING: &str = "HTTP/1.0 200 OK\r\n\r\n";

scenarios! {
    fn a_response_that_refuses_nothing_stops_no_upload_and_the_connection_is_used_again(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").length(20), get("/2")]);
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(ACCEPTED);
        s.answered(1, "202");
        s.peer_saw_no_end();
        s.peer_got(&[]);
        s.write(1, "abcdefghij");
        s.peer_got(&["PUT /1 \"0123456789abcdefghij\"", "GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }

    fn a_conversation_goes_on_in_both_directions_until_both_have_ended(s: &mut Scene) {
        s.send(1, request("POST", "/1").streamed());
        s.write(1, "one");
        s.peer_got(&["POST /1 \"one\" ..."]);
        s.peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        assert_eq!(s.head(1), 200);
        s.reads(1, "one");
        for word in ["two", "three"] {
            s.write(1, word);
            s.peer_sends(format!("{:x}\r\n{word}\r\n", word.len()));
            s.reads(1, word);
        }
        assert_eq!(s.ready(1), "writable");
        s.peer_sends("0\r\nSum: 3\r\n\r\n");
        s.reads_to_end(1, "");
        assert_eq!(s.ready(1), "writable");
        s.finish(1);
        s.peer_got(&["POST /1 \"onetwothree\""]);
        s.send(2, get("/2"));
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }

    fn the_end_of_the_request_behind_that_of_the_response_is_reported_once(s: &mut Scene) {
        s.send(1, request("POST", "/1").length(2));
        s.write(1, "a");
        s.peer_sends(ACCEPTED);
        assert_eq!(s.head(1), 202);
        s.reads_to_end(1, "");
        assert_eq!(s.ready(1), "writable");
        s.write(1, "b");
        s.peer_got(&["POST /1 \"ab\""]);
        assert_eq!(s.ready(1), "complete");
        s.reads_to_end(1, "");
        assert_eq!(s.ready(1), "");
        s.open();
    }

    fn a_response_that_was_collected_before_its_request_ended_is_reported_once_more_and_not_for_ever(s: &mut Scene) {
        s.send(1, request("POST", "/1").length(2));
        s.write(1, "a");
        s.peer_got(&["POST /1 \"a\" ..."]);
        s.peer_sends(ACCEPTED);
        assert!(s.collect(1, 100).is_ok());
        assert_eq!(s.ready(1), "writable");
        s.write(1, "b");
        s.peer_got(&["POST /1 \"ab\""]);
        assert_eq!(s.ready(1), "complete");
        s.read_fails(1, "api-misuse(response-taken)");
        assert_eq!(s.ready(1), "");
        s.open();
    }

    fn an_empty_line_behind_an_early_response_is_let_go(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").length(20), get("/2")]);
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(format!("{ACCEPTED}\r\n"));
        s.answered(1, "202");
        s.write(1, "abcdefghij");
        s.peer_got(&["PUT /1 \"0123456789abcdefghij\"", "GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }

    fn an_error_a_redirection_and_close_stop_the_upload(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(20));
        s.write(1, "0123456789");
        s.peer_sends(response("302 Found", "Location: /2\r\n", "there"));
        s.write_fails(1, "more", "closed(early-response)");
        s.answered(1, "302 there");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.closed("closed(early-response)");
    }

    fn close_stops_the_upload_whatever_the_status(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(20));
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(last("enough"));
        s.write_fails(1, "more", "closed(early-response)");
        s.answered(1, "200 enough");
        s.closed("closed(early-response)");
    }

    fn a_response_that_lasts_until_the_close_lets_the_upload_go_on(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").length(20), get("/2")]);
        s.write(1, "0123456789");
        s.peer_sends(format!("{LASTING}so "));
        assert_eq!(s.head(1), 200);
        s.failed(2, "closed(until-close) not-sent queued");
        s.reads(1, "so ");
        s.write(1, "abcdefghij");
        s.peer_got(&["PUT /1 \"0123456789abcdefghij\""]);
        s.peer_ends("far");
        s.reads_to_end(1, "far");
        s.closed("closed(until-close)");
    }

    fn a_request_that_was_cut_off_by_the_network_fails_although_its_response_is_whole(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(20));
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(ACCEPTED);
        assert_eq!(s.head(1), 202);
        s.reads_to_end(1, "");
        s.peer_resets("");
        s.failed(1, "incomplete(reset) response-started sending-request");
        s.write_fails(1, "more", "incomplete(reset)");
        s.closed("incomplete(reset)");
    }

    fn octets_behind_an_early_response_are_no_answer_to_the_next_request(s: &mut Scene) {
        s.send_all(1, vec![request("PUT", "/1").length(20), get("/2")]);
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(ACCEPTED);
        assert_eq!(s.head(1), 202);
        s.peer_sends(ok("poison"));
        s.failed(1, "peer-misbehaved(unsolicited-octets) response-started sending-request");
        s.failed(2, "peer-misbehaved(unsolicited-octets) not-sent queued");
    }

    fn a_caller_that_has_nothing_to_write_for_long_is_waited_for(s: &mut Scene) {
        s.connect(options().deadline(Timer::BetweenOctets, 150));
        s.send(1, request("POST", "/1").streamed());
        s.write(1, "a");
        s.peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
        assert_eq!(s.head(1), 200);
        s.reads(1, "a");
        s.advance(500);
        s.write(1, "b");
        s.finish(1);
        s.peer_got(&["POST /1 \"ab\""]);
        s.peer_sends("0\r\n\r\n");
        s.reads_to_end(1, "");
        s.open();
    }

    fn giving_up_an_upload_whose_response_is_whole_ends_the_connection(s: &mut Scene) {
        s.send(1, request("PUT", "/1").length(20));
        s.write(1, "0123456789");
        s.peer_got(&["PUT /1 \"0123456789\" ..."]);
        s.peer_sends(ACCEPTED);
        s.answered(1, "202");
        s.drop_exchange(1);
        s.closed("closed(abandoned)");
    }

    fn a_whole_content_is_sent_to_its_end_before_the_exchange_ends(s: &mut Scene) {
        const OCTETS: usize = 300_000;
        s.peer_reads(false);
        s.send(1, request("PUT", "/1").content(vec![b'x'; OCTETS]));
        s.peer_sends(ACCEPTED);
        s.peer_reads(true);
        s.answered(1, "202");
        assert_eq!(s.take_requests().remove(0).content.len(), OCTETS);
        s.open();
    }

    fn a_peer_that_answers_without_reading_is_heard(s: &mut Scene) {
        s.connect(options().limit(Limit::SendBufferOctets, 100_000));
        s.peer_reads(false);
        s.send(1, request("PUT", "/1").length(1 << 30));
        let piece = vec![b'x'; 50_000];
        let refused = (0..1_000).find(|_| s.write_some(1, &piece) == 0);
        assert!(refused.is_some(), "every write was accepted");
        s.peer_sends("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo ");
        assert_eq!(s.head(1), 413);
        s.reads(1, "too ");
        s.closing("closed(early-response)");
    }
}

//! Connections that stop being HTTP (RFC 9110 §7.8, §9.3.6).

use sandpiper_tests::message::{Build, get, ok, options, post, request, response};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::scenario::native::Native;
use sandpiper_tests::scenario::world::World;
use sandpiper_tests::scenarios;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

scenarios! {
    fn an_upgrade_carries_octets_in_both_directions(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends(SWITCH);
        assert_eq!(s.head(1), 101);
        s.closing("closed(switched)");
        s.write(1, "ping");
        s.peer_got_raw("ping");
        s.peer_sends("pong");
        s.reads(1, "pong");
        s.write(1, "GET / HTTP/1.1\r\n\r\n");
        s.peer_got_raw("GET / HTTP/1.1\r\n\r\n");
        s.peer_sends("HTTP/1.1 200 OK\r\n\r\n");
        s.reads(1, "HTTP/1.1 200 OK\r\n\r\n");
        s.finish(1);
        s.peer_saw_end();
        s.peer_ends("bye");
        s.reads_to_end(1, "bye");
        s.closed("closed(switched)");
    }

    fn an_upgrade_can_have_content(s: &mut Scene) {
        s.send(1, post("/exec", "{}").upgrade());
        s.peer_got(&["POST /exec \"{}\""]);
        s.peer_sends([SWITCH, "ready"].concat());
        assert_eq!(s.head(1), 101);
        s.reads(1, "ready");
        s.write(1, "ls");
        s.peer_got_raw("ls");
        s.peer_ends("");
        s.reads_to_end(1, "");
    }

    fn streamed_content_of_an_upgrade_ends_before_the_tunnel_begins(s: &mut Scene) {
        s.send(1, request("POST", "/exec").length(4).upgrade());
        s.write(1, "{} ");
        s.write(1, " ");
        s.finish(1);
        s.peer_got(&["POST /exec \"{}  \""]);
        s.peer_sends(SWITCH);
        assert_eq!(s.head(1), 101);
        s.write(1, "ls");
        s.peer_got_raw("ls");
        s.finish(1);
        s.peer_ends("bye");
        s.reads_to_end(1, "bye");
    }

    fn octets_right_behind_the_switch_belong_to_the_new_protocol(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends([SWITCH.as_bytes(), b"\x00\x01\r\n\r\nHTTP/1.1 "].concat());
        assert_eq!(s.head(1), 101);
        s.reads(1, b"\x00\x01\r\n\r\nHTTP/1.1 ");
        s.peer_ends("");
        s.reads_to_end(1, "");
        s.peer_saw_no_end();
        s.write(1, "still");
        s.peer_got_raw("still");
        s.finish(1);
        s.closed("closed(switched)");
    }

    fn interim_responses_may_come_before_the_switch(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends(["HTTP/1.1 103 Early Hints\r\n\r\n", SWITCH, "x"].concat());
        assert_eq!(s.interim(1), [103]);
        assert_eq!(s.head(1), 101);
        s.reads(1, "x");
    }

    fn a_peer_that_does_not_switch_answers_as_usual(s: &mut Scene) {
        s.send_all(1, vec![get("/").upgrade(), get("/2")]);
        s.peer_got(&["GET /"]);
        assert_eq!(s.write_some(1, "too early"), 0);
        s.peer_sends(ok("stay"));
        s.answered(1, "200 stay");
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }

    fn what_waits_behind_a_switch_is_not_sent(s: &mut Scene) {
        s.send_all(1, vec![get("/").upgrade(), get("/2")]);
        s.peer_got(&["GET /"]);
        s.peer_sends(SWITCH);
        s.failed(2, "closed(switched) not-sent queued");
        s.refuses(get("/3"), "closed(switched)");
        assert_eq!(s.head(1), 101);
    }

    fn a_switch_that_nobody_asked_for_is_refused(s: &mut Scene) {
        s.send(1, get("/"));
        s.peer_got(&["GET /"]);
        s.peer_sends(SWITCH);
        s.failed(1, "peer-misbehaved(unsolicited-switch) response-started receiving-head");
        s.closed("peer-misbehaved(unsolicited-switch)");
    }

    fn a_switch_in_the_middle_of_the_request_is_refused(s: &mut Scene) {
        s.send(1, request("POST", "/").length(5).upgrade());
        s.write(1, "abc");
        s.peer_got(&["POST / \"abc\" ..."]);
        s.peer_sends(SWITCH);
        s.failed(1, "peer-misbehaved(unsolicited-switch) response-started receiving-head");
        s.closed("peer-misbehaved(unsolicited-switch)");
    }

    fn a_connect_that_is_granted_is_a_tunnel_whatever_its_lines_say(s: &mut Scene) {
        s.send(1, request("CONNECT", "other.test:443"));
        let seen = s.take_requests().remove(0);
        assert_eq!((seen.target.as_str(), seen.field("host")), ("other.test:443", Some(&b"other.test:443"[..])));
        s.peer_sends("HTTP/1.1 200 Granted\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nTLS?");
        assert_eq!(s.head(1), 200);
        s.reads(1, "TLS?");
        s.write(1, "hello");
        s.peer_got_raw("hello");
        s.peer_ends("more");
        s.reads_to_end(1, "more");
        s.finish(1);
        s.closed("closed(switched)");
    }

    fn a_connect_that_is_denied_leaves_the_connection_as_it_was(s: &mut Scene) {
        s.send_all(1, vec![request("CONNECT", "other.test:443"), get("http://other.test/")]);
        s.peer_got(&["CONNECT other.test:443"]);
        s.peer_sends(response("407 Proxy Authentication Required", "Proxy-Authenticate: Basic\r\n", "who?"));
        s.answered(1, "407 who?");
        s.peer_got(&["GET http://other.test/"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }

    fn a_reset_ends_a_tunnel_in_failure(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_resets([SWITCH, "part"].concat());
        s.reads_until_failure(1, "part", "incomplete(reset) response-started tunnel");
        s.closed("closed(switched)");
    }

    fn a_cancelled_tunnel_ends_the_connection(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends(SWITCH);
        s.cancel(&[1]);
        s.failed(1, "closed(cancelled) response-started tunnel");
        s.closed("closed(switched)");
    }

    fn a_dropped_tunnel_ends_the_connection(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends(SWITCH);
        s.drop_exchange(1);
        s.closed("closed(switched)");
    }

    fn a_dropped_tunnel_that_the_peer_has_ended_ends_the_connection(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends(SWITCH);
        s.peer_ends("x");
        s.reads_to_end(1, "x");
        s.drop_exchange(1);
        s.closed("closed(switched)");
    }

    fn what_is_written_into_a_tunnel_leaves_before_it_is_half_closed(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_sends([SWITCH, "x"].concat());
        s.peer_ends("");
        s.write(1, "the last words");
        s.finish(1);
        s.peer_got_raw("the last words");
        s.write_fails(1, "x", "api-misuse(content-finished)");
        s.reads_to_end(1, "x");
        s.closed("closed(switched)");
    }

    fn an_http10_answer_to_an_upgrade_is_an_ordinary_one(s: &mut Scene) {
        s.send(1, get("/").upgrade());
        s.peer_got(&["GET /"]);
        s.peer_ends("HTTP/1.0 200 OK\r\n\r\nold");
        s.answered(1, "200 old");
        s.closed("closed(until-close)");
    }
}

#[test]
fn a_peer_that_has_ended_its_direction_is_not_waited_for_again() {
    let mut world = Native::new(Cuts::Nowhere, Cuts::Nowhere);
    world.connect(options());
    world.send_all(1, vec![get("/").upgrade()]).remove(0).expect("accepted");
    world.settle();
    world.peer_sends(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    world.settle();
    assert!(world.conn().wants_octets() > 0, "the tunnel is read");
    world.peer_ends();
    world.settle();
    assert_eq!(world.conn().wants_octets(), 0, "its end would be found again and again");
    let before = world.peer_octets().len();
    assert_eq!(world.write(1, b"still"), Ok(5));
    world.settle();
    assert_eq!(&world.peer_octets()[before..], b"still");
    assert_eq!(world.conn().wants_octets(), 0);
}

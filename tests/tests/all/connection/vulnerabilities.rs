//! What was a vulnerability in another implementation, and is tested nowhere else: see `docs/evidence/cve.md`.

use sandpiper_tests::memory;
use sandpiper_tests::message::{Build, Limit, Timer, Tune, chunked, get, ok, options, post, request, response};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::scenario::native::Native;
use sandpiper_tests::scenario::scene::{Reading, Scene};
use sandpiper_tests::scenario::world::World;
use sandpiper_tests::scenarios;

scenarios! {
    fn content_is_passed_on_as_it_was_coded_however_often_it_was(s: &mut Scene) {
        s.send_all(1, vec![get("/1"), get("/2")]);
        s.peer_got(&["GET /1"]);
        let codings = format!("{}Content-Encoding: gzip, br\r\n", "Content-Encoding: gzip\r\n".repeat(6));
        s.peer_sends(response("200 OK", &codings, "\x1f\x08 no gzip at all"));
        s.answered(1, "200 \\x1f\\x08 no gzip at all");
        s.peer_got(&["GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
    }

    fn a_final_response_instead_of_100_is_followed_by_no_request_on_that_connection(s: &mut Scene) {
        s.connect(options().deadline(Timer::AwaitContinue, 10_000));
        s.send_all(1, vec![post("/1", "body").expecting(), get("/2")]);
        s.peer_got(&["POST /1 ..."]);
        s.peer_sends(response("417 Expectation Failed", "", "refused"));
        s.answered(1, "417 refused");
        s.failed(2, "closed(early-response) not-sent queued");
        s.closed("closed(early-response)");
        s.peer_got(&[]);
    }

    fn a_final_response_that_refuses_nothing_instead_of_100_is_followed_by_the_content_first(s: &mut Scene) {
        s.connect(options().deadline(Timer::AwaitContinue, 10_000));
        s.send_all(1, vec![post("/1", "body").expecting(), get("/2")]);
        s.peer_got(&["POST /1 ..."]);
        s.peer_sends(ok("early"));
        s.answered(1, "200 early");
        s.peer_got(&["POST /1 \"body\"", "GET /2"]);
        s.peer_sends(ok("2"));
        s.answered(2, "200 2");
        s.open();
    }
}

/// What happens to a connection before a request that must not be affected.
fn before(s: &mut Scene, kind: usize) {
    match kind {
        0 => return,
        1 => s.send(1, request("HEAD", "/1").field("X-Only", "1").field("Referer", "http://secret.test/")),
        2 => s.send(1, post("/1", "content").field("Content-Type", "text/plain")),
        3 => {
            s.send(1, request("PUT", "/1").streamed());
            s.write(1, "content");
            s.finish_with(1, &[("Sum", "7")]);
        }
        4 => s.send(1, post("/1", "body").expecting()),
        5 => s.send(1, get("/1").upgrade()),
        _ => {
            s.send(1, get("/1"));
            s.cancel(&[1]);
        }
    }
    if kind == 4 {
        s.take_requests();
        s.peer_sends("HTTP/1.1 100 Continue\r\n\r\n");
    }
    s.take_requests();
    let content = if kind == 1 { "" } else { "one" };
    s.peer_sends(match kind {
        1 => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec(),
        2 => chunked(&[content], "Sum: 1\r\n"),
        _ => ok(content),
    });
    if kind != 6 {
        assert_eq!(s.answer(1).content, content.as_bytes());
    }
}

/// The octets of a request, whatever was before it on its connection.
#[test]
fn a_request_is_the_same_octets_whatever_was_before_it() {
    let mut fresh = Vec::new();
    for kind in 0..=6 {
        for next in [get("/next"), post("/next", "x"), request("PUT", "/next").streamed()] {
            let mut scene = Scene::new(Box::new(Native::new(Cuts::Nowhere, Cuts::Nowhere)), Reading::Streamed(u64::MAX));
            before(&mut scene, kind);
            let start = scene.peer_octets();
            let name = (next.method.clone(), format!("{:?}", next.content));
            scene.send(2, next);
            let octets = scene.octets_since(start);
            assert!(octets.starts_with(name.0.as_bytes()), "{kind} {name:?}");
            match kind {
                0 => fresh.push((name, octets)),
                _ => assert!(fresh.contains(&(name, octets.clone())), "after {kind}: {}", octets.escape_ascii()),
            }
        }
    }
    assert_eq!(fresh.len(), 3);
}

#[test]
fn heads_of_every_power_of_two_end_in_their_limit_and_take_no_more_memory_than_it() {
    for power in 10..=26 {
        let held = memory::held();
        memory::reset_peak();
        let limited = options().limit(Limit::HeadOctets, 65_536);
        let mut world = Native::asking(get("/"), limited, Cuts::Nowhere);
        world.peer_sends(b"HTTP/1.1 200 OK\r\nX: ");
        let piece = vec![b'x'; 1 << 10];
        let mut fails = false;
        for _ in 0..1 << (power - 10) {
            world.peer_sends(&piece);
            world.settle();
            fails = world.head(1).is_err();
            if fails {
                break;
            }
        }
        world.peer_sends(b"\r\nContent-Length: 0\r\n\r\n");
        world.settle();
        let octets = memory::peak() - held;
        match world.head(1) {
            Ok(head) => assert!(head.is_some() && !fails && 1 << power < 65_536, "2^{power}"),
            Err(failure) => assert_eq!((failure.error.as_str(), 1 << power >= 65_536), ("limit-exceeded(head-octets)", true)),
        }
        assert!(octets < 512 << 10, "2^{power} took {octets} octets of memory");
    }
}

#[test]
fn trailers_of_every_length_are_whole() {
    for length in 0..=300 {
        let (name, value) = ("n".repeat(length % 37 + 1), "v".repeat(length));
        let mut world = Native::asking(get("/"), options(), Cuts::At(length + 60));
        world.peer_sends(&chunked(&["x"], &format!("{name}: {value}\r\n")));
        let answer = world.collect(1, 10).expect("a response");
        assert_eq!(answer.trailers, [(name, value.into_bytes())], "{length}");
    }
}

//! The peer ends at every octet of its response, in every framing, also while the request is still on its way.

use sandpiper_tests::message::{Build, chunked, get, ok, request};
use sandpiper_tests::net::Cuts;
use sandpiper_tests::scenario::native::Native;
use sandpiper_tests::scenario::scene::{Reading, Scene};

/// How a response says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunks,
    Close,
}

const FRAMINGS: [Framing; 3] = [Framing::Length, Framing::Chunks, Framing::Close];
const LASTING_HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";

impl Framing {
    fn response(self) -> Vec<u8> {
        match self {
            Framing::Length => ok("content"),
            Framing::Chunks => chunked(&["con", "tent"], "Sum: 7\r\n"),
            Framing::Close => format!("{LASTING_HEAD}content").into_bytes(),
        }
    }

    /// The content of a response that ends after so many octets; `None`: it is not whole.
    fn whole(self, octets: usize, reset: bool) -> Option<String> {
        match self {
            Framing::Close if reset => None,
            Framing::Close => octets.checked_sub(LASTING_HEAD.len()).map(|taken| "content"[..taken].to_owned()),
            _ => (octets == self.response().len()).then(|| "content".to_owned()),
        }
    }
}

/// One request, and all or a part of its response.
fn ends_at(s: &mut Scene, framing: Framing, octets: usize, reset: bool, uploading: bool) {
    match uploading {
        true => {
            s.send(1, request("PUT", "/1").length(100));
            s.write(1, "the beginning");
            s.peer_got(&["PUT /1 \"the beginning\" ..."]);
        }
        false => {
            s.send(1, get("/1"));
            s.peer_got(&["GET /1"]);
        }
    }
    let response = framing.response();
    match reset {
        true => s.peer_resets(&response[..octets]),
        false => s.peer_ends(&response[..octets]),
    }
    // A request that the network cuts off fails, also behind a whole response.
    let cut = uploading && reset;
    match framing.whole(octets, reset).filter(|_| !cut) {
        Some(content) => assert_eq!(s.answer(1).content, content.as_bytes()),
        None => {
            let failure = s.failure(1);
            let delivery = if octets == 0 { "unanswered" } else { "response-started" };
            let ending = if reset { "incomplete(reset)" } else { "incomplete(ended)" };
            assert_eq!((failure.error.as_str(), failure.delivery.as_str()), (ending, delivery));
        }
    }
    if uploading && !reset && framing.whole(octets, reset).is_some() {
        // The peer may still take the rest.
        assert_eq!(s.info().state, "closing");
        s.close();
    }
    assert_eq!(s.info().state, "closed");
    s.peer_saw_end();
}

/// Every framing, ending and kind of request.
fn every_ending(step: usize, mut play: impl FnMut(&str, &dyn Fn(&mut Scene))) {
    for framing in FRAMINGS {
        for octets in (0..=framing.response().len()).step_by(step) {
            for (reset, uploading) in [(false, false), (false, true), (true, false), (true, true)] {
                let what = format!("{framing:?}, {octets} octets, reset: {reset}, uploading: {uploading}");
                play(&what, &|s| ends_at(s, framing, octets, reset, uploading));
            }
        }
    }
}

/// Plays a scene to its end, and says in which one something is wrong.
fn played(what: &str, mut scene: Scene, play: &dyn Fn(&mut Scene)) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        play(&mut scene);
        let _ = scene.end();
    }));
    assert!(outcome.is_ok(), "{what}");
}

#[test]
fn a_response_is_whole_only_where_its_framing_says_so() {
    every_ending(1, |what, play| {
        for cuts in [Cuts::Nowhere, Cuts::Everywhere] {
            for reading in [Reading::Streamed(3), Reading::Collected] {
                played(what, Scene::new(Box::new(Native::new(cuts.clone(), Cuts::Nowhere)), reading), play);
            }
        }
    });
}

#[cfg(feature = "sandboxed")]
#[test]
fn a_response_is_whole_only_where_its_framing_says_so_through_the_component() {
    every_ending(9, |what, play| {
        let world = sandpiper_tests::scenario::sandboxed::Sandboxed::new();
        played(what, Scene::new(Box::new(world), Reading::Streamed(u64::MAX)), play);
    });
}

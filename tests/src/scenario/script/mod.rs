//! Scenarios as text: what a server does, and what its client does and sees meanwhile. A thin front of [`Scene`], so that a script is played on
//! the core with every segmentation, and through the component over a socket.
//!
//! One step a line; `#` begins a comment. A script says who acts first:
//!
//! | line | what happens, or must have happened |
//! |---|---|
//! | `client connects OPTION…` | the first line, if the defaults will not do. Options: `assume`, `half-close`, `depth=N`, a deadline `NAME=Nms`, a limit `NAME=N`, both named as in `wit/types.wit` without their units |
//! | `client sends TOKEN METHOD TARGET PART…` | a request, which is accepted. Parts: `content OCTETS`, `length N`, `streamed`, `expecting`, `upgrade`, `idempotent`, `total=Nms` |
//! | `client writes TOKEN OCTETS` | content, which is accepted as a whole |
//! | `client finishes TOKEN`, `client cancels TOKEN…`, `client drops TOKEN` | |
//! | `client shuts down`, `client closes` | |
//! | `client is answered TOKEN ANSWER` | the whole response: `(103) 200 content + trailer: value` |
//! | `client fails TOKEN ERROR DELIVERY PHASE` | as in `wit/types.wit` |
//! | `client waits TOKEN` | no final head yet, no failure |
//! | `client sees TOKEN STATUS…` | the interim responses since the last time |
//! | `client reads TOKEN OCTETS` | all content that has come; the response has not ended |
//! | `client is refused METHOD TARGET ERROR` | a request, which is not accepted |
//! | `client gets back TOKEN REQUEST` | a request that was not sent: `POST /2 content` |
//! | `connection is open`, `connection is closing ERROR`, `connection is closed ERROR` | whether it takes requests, and why not |
//! | `peer gets METHOD TARGET "CONTENT" …` | a request, since the last time; `...` at its end: not all of it. Lines that follow each other: these requests. `peer gets nothing` |
//! | `peer sends OCTETS` | in one write |
//! | `peer sends unseen OCTETS` | they are in the socket when the next line begins, and nobody has looked |
//! | `peer sends N octets per T ms OCTETS` | slowly |
//! | `peer stalls T ms` | nothing happens for so long |
//! | `peer ends`, `peer resets` | FIN, while it goes on reading; RST |
//! | `peer ends unseen` | FIN is in the socket when the next line begins, and nobody has looked |
//! | `peer stops reading`, `peer reads again` | |
//! | `peer sees the end`, `peer sees no end` | of what it gets |
//!
//! Octets are strings one behind the other: `"…"` with `\r`, `\n`, `\t`, `\0`, `\\`, `\"` and `\xHH`; `"…" * N` is N of them; `ok "…"` is a 200 with
//! this content and its length. Instead, lines may follow: `| text` is the text and CRLF, `+ text` is the text alone.
//!
//! A script is played in real time too: it lets [`STALL_MS_MAX`] pass in all, at most.

mod parse;

use crate::message;
use crate::scenario::scene::Scene;
use sandpiper_guest::types::{ConnOptions, Request};
use std::fmt;

/// How many milliseconds a script may let pass.
pub const STALL_MS_MAX: u64 = 1_000;

/// A script that can be played.
#[derive(Debug)]
pub struct Script {
    steps: Vec<(usize, Step)>,
}

/// What is wrong with a script, and in which line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

#[derive(Debug)]
enum Step {
    Connect(Box<ConnOptions>),
    Send(u64, Box<Request>),
    Write(u64, Vec<u8>),
    Finish(u64),
    Cancel(Vec<u64>),
    Drop(u64),
    ShutDown,
    Close,
    Answered(u64, String),
    Failed(u64, String),
    Pending(u64),
    Interim(u64, Vec<u16>),
    Reads(u64, Vec<u8>),
    Refused(String, String, String),
    GetsBack(u64, String),
    Open,
    Closing(String),
    Closed(String),
    PeerGets(Vec<String>),
    PeerSends(Vec<u8>),
    PeerSendsUnseen(Vec<u8>),
    PeerSendsSlowly { octets_each: usize, pause_ms: u64, octets: Vec<u8> },
    PeerStalls(u64),
    PeerEnds,
    PeerEndsUnseen,
    PeerResets,
    PeerReads(bool),
    PeerSeesEnd(bool),
}

/// Plays a script.
///
/// # Panics
/// When it cannot be read, or something else happens than it says.
pub fn play(name: &str, text: &str, scene: &mut Scene) {
    let script = Script::parse(text).unwrap_or_else(|wrong| panic!("{name}, {wrong}"));
    for (line, step) in &script.steps {
        let at = At { name, line: *line };
        step.play(scene);
        drop(at);
    }
}

/// Where the script is, for whoever reads a failure.
struct At<'a> {
    name: &'a str,
    line: usize,
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}, line {}", self.name, self.line);
        }
    }
}

impl Step {
    fn play(&self, s: &mut Scene) {
        match self {
            Step::Connect(options) => s.connect(ConnOptions::clone(options)),
            Step::Send(token, request) => s.send(*token, (**request).clone()),
            Step::Write(token, octets) => s.write(*token, octets),
            Step::Finish(token) => s.finish(*token),
            Step::Cancel(tokens) => s.cancel(tokens),
            Step::Drop(token) => s.drop_exchange(*token),
            Step::ShutDown => s.shutdown(),
            Step::Close => s.close(),
            Step::Answered(token, answer) => s.answered(*token, answer),
            Step::Failed(token, failure) => s.failed(*token, failure),
            Step::Pending(token) => s.pending(*token),
            Step::Interim(token, statuses) => assert_eq!(&s.interim(*token), statuses),
            Step::Reads(token, octets) => s.reads(*token, octets),
            Step::Refused(method, target, error) => s.refuses(message::request(method, target), error),
            Step::GetsBack(token, request) => assert_eq!(s.take_request(*token).as_ref(), Some(request)),
            Step::Open => s.open(),
            Step::Closing(reason) => s.closing(reason),
            Step::Closed(reason) => s.closed(reason),
            peer => peer.play_peer(s),
        }
    }

    fn play_peer(&self, s: &mut Scene) {
        match self {
            Step::PeerGets(requests) => s.peer_got(&requests.iter().map(String::as_str).collect::<Vec<_>>()),
            Step::PeerSends(octets) => s.peer_sends(octets),
            Step::PeerSendsUnseen(octets) => s.peer_sends_unseen(octets),
            Step::PeerSendsSlowly { octets_each, pause_ms, octets } => {
                for piece in octets.chunks(*octets_each) {
                    s.peer_sends(piece);
                    s.advance(*pause_ms);
                }
            }
            Step::PeerStalls(span_ms) => s.advance(*span_ms),
            Step::PeerEnds => s.peer_ends(""),
            Step::PeerEndsUnseen => s.peer_ends_unseen(),
            Step::PeerResets => s.peer_resets(""),
            Step::PeerReads(reads) => s.peer_reads(*reads),
            Step::PeerSeesEnd(true) => s.peer_saw_end(),
            Step::PeerSeesEnd(false) => s.peer_saw_no_end(),
            other => unreachable!("not the peer's: {other:?}"),
        }
    }

    /// How long it takes.
    fn span_ms(&self) -> u64 {
        match self {
            Step::PeerStalls(span_ms) => *span_ms,
            Step::PeerSendsSlowly { octets_each, pause_ms, octets } => pause_ms * octets.len().div_ceil(*octets_each) as u64,
            _ => 0,
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that says nothing.
    pub fn parse(text: &str) -> Result<Script, Wrong> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        let mut spans_ms = 0;
        for (index, whole) in text.lines().enumerate() {
            let wrong = |what: String| Wrong { line: index + 1, what };
            let line = whole.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with(['|', '+']) {
                append_line(steps.last_mut().map(|(_, step)| step), line).map_err(wrong)?;
                continue;
            }
            let step = parse::step(line.trim_end()).map_err(wrong)?;
            spans_ms += step.span_ms();
            if spans_ms > STALL_MS_MAX {
                return Err(wrong(format!("more than {STALL_MS_MAX} ms in all")));
            }
            match (step, steps.last_mut()) {
                (Step::PeerGets(more), Some((_, Step::PeerGets(requests)))) => requests.extend(more),
                (step, _) => steps.push((index + 1, step)),
            }
        }
        Ok(Script { steps })
    }
}

/// `| text` and `+ text` belong to the octets of the line before.
fn append_line(step: Option<&mut Step>, line: &str) -> Result<(), String> {
    let (Step::PeerSends(octets) | Step::PeerSendsUnseen(octets) | Step::PeerSendsSlowly { octets, .. } | Step::Write(_, octets)) =
        step.ok_or("no line before")?
    else {
        return Err("the line before takes no octets".to_owned());
    };
    let (mark, text) = line.split_at(1);
    octets.extend_from_slice(text.strip_prefix(' ').unwrap_or(text).as_bytes());
    if mark == "|" {
        octets.extend_from_slice(b"\r\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Script::parse(text).expect_err("wrong").to_string()
    }

    #[test]
    fn what_says_nothing_is_refused_with_its_line() {
        assert_eq!(wrong("# a\n\nserver sends \"x\""), "line 3: `server` is neither client, connection nor peer");
        assert_eq!(wrong("peer sends \"x\"\npeer sings"), "line 2: a peer does not `sings`");
        assert_eq!(wrong("client sends x GET /"), "line 1: `x` is no token");
        assert_eq!(wrong("client sends 1 GET / content \"a"), "line 1: a string without an end");
        assert_eq!(wrong("peer sends \"\\q\""), "line 1: `\\q` is no escape");
        assert_eq!(wrong("peer ends now"), "line 1: `now` at the end says nothing");
        assert_eq!(wrong("client connects depth"), "line 1: `depth` is no option");
        assert_eq!(wrong("client connects first=1ms"), "line 1: `first=1ms` is no deadline");
        assert_eq!(wrong("| x"), "line 1: no line before");
        assert_eq!(wrong("peer ends\n| x"), "line 2: the line before takes no octets");
        assert_eq!(wrong("peer stalls 600 ms\npeer sends 1 octets per 100 ms \"abcde\""), "line 2: more than 1000 ms in all");
        assert_eq!(wrong("client fails 1"), "line 1: the line ends too early");
    }

    #[test]
    fn octets_are_strings_and_lines() {
        let text = "peer sends \"a\\r\\n\\x00\\\"\" \"b\" * 3 ok \"hi\"\n  | X: y\n  |\n  + end";
        let script = Script::parse(text).expect("a script");
        let [(1, Step::PeerSends(octets))] = script.steps.as_slice() else { panic!("{script:?}") };
        let expected = b"a\r\n\0\"bbbHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiX: y\r\n\r\nend";
        assert_eq!(octets.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

//! TLS inside: any octets in place of a server's, or those of a good server of which some are changed on their way.

use crate::choices::Choices;
use crate::memory;
use crate::message::{get, options};
use crate::net::Cuts;
use crate::random::Random;
use crate::scenario::story::wit_name;
use crate::tls::authority::authority;
use crate::tls::between::{Between, config_of, tls_options};
use crate::tls::server::{Sessions, Settings};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};
use sandpiper_guest::tls::Config;
use sandpiper_guest::types::{Chunk, CloseReason, Ending};
use std::sync::{Arc, OnceLock};

/// What a run may hold, with its server.
const MEMORY_OCTETS_MAX: usize = 4 << 20;
const CHANGES_MAX: usize = 4;
/// Records that a run has, about: those of the handshake, then some of the response.
const RECORDS: usize = 16;
const TARGET: &str = "/what-nobody-else-may-see";

/// What is done to one record.
#[derive(Clone, Debug)]
enum Change {
    Flip {
        octet: usize,
        bit: usize,
    },
    Drop,
    Twice,
    BehindTheNext,
    Shorten(usize),
    Before(Vec<u8>),
    /// It is the last that comes.
    End,
}

#[derive(Clone, Debug)]
struct Plan {
    version: usize,
    /// `None`: there is no server, and `raw` comes.
    server: Option<Vec<(usize, Change)>>,
    raw: Vec<u8>,
    /// The pieces of the response's content, each a record.
    content: Vec<Vec<u8>>,
    until_close: bool,
    ending: Ending,
    cuts: Cuts,
    gaps: bool,
}

fn draw(choices: &mut Choices) -> Plan {
    let version = choices.below(2);
    let ending = *choices.pick(&[Ending::Ended, Ending::Ended, Ending::Reset]);
    let cuts = match choices.below(3) {
        0 => Cuts::Everywhere,
        1 => Cuts::At(choices.below(2_048)),
        _ => Cuts::Random(Random::new(choices.below(256) as u64)),
    };
    let gaps = choices.chance(1, 2);
    let until_close = choices.chance(1, 2);
    let pieces = choices.below(5);
    let content = (0..pieces).map(|number| vec![b'a' + number.to_le_bytes()[0]; 1 + choices.below(300)]).collect();
    let server = choices.chance(3, 4).then(|| {
        let changes = choices.below(CHANGES_MAX);
        (0..changes).map(|_| (choices.below(RECORDS), draw_change(choices))).collect()
    });
    Plan { version, server, raw: choices.rest().to_vec(), content, until_close, ending, cuts, gaps }
}

fn draw_change(choices: &mut Choices) -> Change {
    match choices.below(7) {
        0 => Change::Flip { octet: choices.below(1_024), bit: choices.below(8) },
        1 => Change::Drop,
        2 => Change::Twice,
        3 => Change::BehindTheNext,
        4 => Change::Shorten(choices.below(64)),
        5 => {
            let length = choices.below(40);
            let octets = choices.rest().iter().take(length).copied().collect();
            choices.skip(length);
            Change::Before(octets)
        }
        _ => Change::End,
    }
}

/// What changes records on their way.
struct Way<'a> {
    changes: &'a [(usize, Change)],
    records: usize,
    /// One that comes behind the next.
    late: Vec<u8>,
    over: bool,
}

impl Way<'_> {
    fn pass(&mut self, mut flight: &[u8]) -> Vec<u8> {
        let mut passed = Vec::new();
        while let Some(length) = flight.get(3..5).map(|length| 5 + usize::from(length[0]) * 256 + usize::from(length[1])) {
            let (record, rest) = flight.split_at(length.min(flight.len()));
            flight = rest;
            self.pass_record(record.to_vec(), &mut passed);
        }
        passed
    }

    fn pass_record(&mut self, mut record: Vec<u8>, passed: &mut Vec<u8>) {
        if self.over {
            return;
        }
        let number = self.records;
        self.records += 1;
        let late = std::mem::take(&mut self.late);
        let mut dropped = false;
        for (_, change) in self.changes.iter().filter(|(of, _)| *of == number) {
            match change {
                Change::Flip { octet, bit } => {
                    let at = octet % record.len().max(1);
                    record.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << bit);
                }
                Change::Drop => dropped = true,
                Change::Twice => record = record.repeat(2),
                Change::BehindTheNext => {
                    self.late.append(&mut record);
                    dropped = true;
                }
                Change::Shorten(octets) => record.truncate(record.len().saturating_sub(*octets)),
                Change::Before(octets) => passed.extend(octets),
                Change::End => self.over = true,
            }
        }
        if !dropped {
            passed.append(&mut record);
        }
        passed.extend(late);
    }
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    content: Vec<u8>,
    /// The response is whole; else, without a server, why not. What a server says is another thing each time, and so may be what is
    /// complained of first.
    end: Result<(), Option<String>>,
}

static VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&version::TLS13], &[&version::TLS12]];

/// Servers whose octets are as many each time: signatures of Ed25519 have one length.
fn servers() -> &'static [Arc<ServerConfig>; 2] {
    static MADE: OnceLock<[Arc<ServerConfig>; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        VERSIONS.map(|versions| {
            let of_version = Settings { versions, sessions: Sessions::None, ..Settings::new(authority().ed25519()) };
            Arc::new(of_version.config())
        })
    })
}

fn client() -> &'static Arc<Config> {
    static MADE: OnceLock<Arc<Config>> = OnceLock::new();
    MADE.get_or_init(|| config_of(&tls_options()))
}

fn story(plan: &Plan, cuts: Cuts, gaps: bool) -> Story {
    let server = plan.server.as_ref().map(|_| {
        let config = Arc::clone(&servers()[plan.version]);
        ServerConnection::new(config).expect("a server")
    });
    let mut between = Between::new(Arc::clone(client()), server, options(), cuts);
    between.network().gaps = gaps;
    between.hold = true;
    let id = between.send(get(TARGET));
    match &plan.server {
        None => between.network().say(plan.raw.as_slice()),
        Some(changes) => converse(&mut between, plan, changes),
    }
    between.settle();
    between.network().end(plan.ending);
    between.settle();
    let now = between.now();
    let mut content = Vec::new();
    let end = loop {
        let read = between.conn().read(id, u64::MAX, now);
        match read {
            Ok(Chunk::Data(octets)) => content.extend(octets),
            Ok(Chunk::WouldBlock) => panic!("it waits for ever"),
            Ok(Chunk::End(_)) => break Ok(()),
            Err(failure) => break Err(plan.server.is_none().then(|| wit_name(&failure.error))),
        }
        between.settle();
    };
    let hidden = between.left().windows(TARGET.len()).all(|octets| octets != TARGET.as_bytes());
    assert!(hidden, "the request leaves in clear");
    let established = between.conn().is_established();
    match &between.peer {
        Some(peer) => assert!(established || peer.heard.is_empty(), "something was sent before the handshake was over"),
        None => assert!(!established, "nobody has a key"),
    }
    between.conn().close(CloseReason::Local, now);
    behind_the_end(&mut between);
    Story { content, end }
}

/// Lets both talk, with what is changed on the way; the server answers the request when it hears it.
fn converse(between: &mut Between, plan: &Plan, changes: &[(usize, Change)]) {
    let mut way = Way { changes, records: 0, late: Vec::new(), over: false };
    let mut answered = false;
    loop {
        between.settle();
        if !answered && between.peer().heard.ends_with(b"\r\n\r\n") {
            answered = true;
            answer(between, plan);
            between.turn_peer();
        }
        let flight = std::mem::take(&mut between.held);
        if flight.is_empty() {
            return;
        }
        let passed = way.pass(&flight);
        between.network().say(passed);
    }
}

fn answer(between: &mut Between, plan: &Plan) {
    let peer = between.peer();
    let octets: usize = plan.content.iter().map(Vec::len).sum();
    let length = if plan.until_close { String::new() } else { format!("Content-Length: {octets}\r\n") };
    let mut tell = |octets: &[u8]| {
        // A server that has heard of an error says nothing more.
        if peer.wrong.is_none() {
            peer.say(octets);
        }
    };
    tell(format!("HTTP/1.1 200 OK\r\n{length}\r\n").as_bytes());
    plan.content.iter().for_each(|piece| tell(piece));
    peer.tls.send_close_notify();
}

/// A connection that has ended says and hears nothing more.
fn behind_the_end(between: &mut Between) {
    let info = between.conn().info();
    between.settle();
    let left = between.network().sent;
    between.network().say(b"\x17\x03\x03\x00\x14aaaaaaaaaaaaaaaaaaaaHTTP/1.1 200 OK\r\n\r\n");
    between.settle();
    between.look();
    assert_eq!(between.network().sent, left, "something is said behind the end");
    assert_eq!(between.conn().info(), info);
}

/// Gives these octets to a connection with TLS, or changes what a server says to it as they choose.
///
/// # Panics
/// When what is heard was not said, when what was said before the handshake was over could be read, when a cut makes a difference, when
/// something waits for ever or comes behind an end, or when too much memory is held.
pub fn check(octets: &[u8]) {
    let plan = draw(&mut Choices::given(octets));
    let _ = (servers(), client());
    memory::reset_peak();
    let before = memory::held();
    let whole = story(&plan, Cuts::Nowhere, false);
    let most = (memory::peak() - before).unsigned_abs();
    assert!(most <= MEMORY_OCTETS_MAX + 16 * plan.raw.len(), "{most} octets of memory: {plan:?}");
    let said = plan.content.concat();
    match whole.end {
        Ok(()) => assert_eq!(whole.content, said, "{plan:?}"),
        Err(_) => assert!(said.starts_with(&whole.content), "{plan:?}: {whole:?}"),
    }
    if plan.server.as_ref().is_some_and(Vec::is_empty) {
        assert_eq!(whole.end, Ok(()), "nothing was changed: {plan:?}");
    }
    assert_eq!(story(&plan, plan.cuts.clone(), plan.gaps), whole, "{plan:?}");
}

//! Recording connections, and replaying them without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sandpiper_host::{
    CallError, Client, ConnOptions, Difference, Endpoint, HostError, Limit, Recorder, Replay, Request, Sandbox,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::server::Server;

/// What happens on one connection of a server: octets to write once so many request heads have come, and whether to end with a
/// reset.
#[derive(Clone, Default)]
struct Script {
    pieces: Vec<(usize, Vec<u8>)>,
    reset: bool,
}

impl Script {
    fn write(mut self, heads: usize, octets: &[u8]) -> Self {
        self.pieces.push((heads, octets.to_vec()));
        self
    }

    /// Ends with RST instead of FIN.
    fn reset(mut self) -> Self {
        self.reset = true;
        self
    }

    async fn play(self, mut stream: TcpStream) {
        let mut received = Vec::new();
        stream.set_nodelay(true).unwrap();
        for (heads, octets) in &self.pieces {
            while received.windows(4).filter(|octets| octets == b"\r\n\r\n").count() < *heads {
                if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
                    return;
                }
            }
            _ = stream.write_all(octets).await;
            // So that it is a read of its own.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if self.reset {
            stream.set_zero_linger().unwrap();
        }
    }
}

/// Plays a script on each connection, in the order in which they come.
async fn scripted(scripts: Vec<Script>) -> (std::net::SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        for script in scripts {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(script.play(stream));
        }
    });
    (address, task)
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    (directory, file)
}

async fn recording(file: &Path, rule: &str) -> Client {
    let recorder = Recorder::create(file).unwrap();
    Sandbox::builder().allow(rule).unwrap().record(&recorder).build().unwrap().instantiate().await.unwrap()
}

/// A client that may reach nothing.
async fn replaying(file: &Path) -> (Replay, Client) {
    let replay = Replay::open(file).unwrap();
    let client = Sandbox::builder().replay(&replay).build().unwrap().instantiate().await.unwrap();
    (replay, client)
}

/// Sends these targets on one connection and tells everything that comes of it, times excepted.
async fn transcript(client: &mut Client, endpoint: &Endpoint, targets: &[String]) -> Vec<String> {
    let options = ConnOptions::default().limit(Limit::LogEntries, 4096);
    let conn = client.connect(endpoint, options).await.unwrap();
    let requests: Vec<Request> = targets.iter().map(Request::get).collect();
    let mut story = Vec::new();
    for (target, sent) in targets.iter().zip(conn.send_all(client, &requests, 0).await.unwrap()) {
        let outcome = match sent {
            Ok(exchange) => exchange.collect(client, 1 << 20).await,
            Err(failure) => Err(CallError::Http(failure)),
        };
        story.push(match outcome {
            Ok(response) => format!("{target}: {response:?}"),
            Err(CallError::Http(failure)) => format!("{target}: {failure:?}"),
            Err(CallError::Host(error)) => panic!("{error}"),
        });
    }
    let info = conn.info(client).await.unwrap();
    story.push(format!("{:?} {:?} {:?}", info.remote_address, info.local_address, info.closed_by));
    story.push(format!("{} {} {}", info.octets_sent, info.octets_received, info.responses));
    story.extend(
        conn.take_log(client, 4096).await.unwrap().into_iter().map(|entry| format!("{:?} {:?}", entry.token, entry.what)),
    );
    story
}

fn targets(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("/{number}")).collect()
}

fn at(address: std::net::SocketAddr) -> Endpoint {
    Endpoint::plain(address.ip().to_string(), address.port())
}

/// Records a transcript against a server that is then gone, and compares two replays of it.
async fn replays_alike(scripts: Vec<Script>, requests: usize) -> Vec<String> {
    let (_keep, file) = scratch();
    let (address, server) = scripted(scripts).await;
    let mut client = recording(&file, &address.to_string()).await;
    let recorded = transcript(&mut client, &at(address), &targets(requests)).await;
    drop(client);
    server.abort();
    for _ in 0..2 {
        let (replay, mut client) = replaying(&file).await;
        let replayed = transcript(&mut client, &at(address), &targets(requests)).await;
        assert_eq!(replay.finish(), Ok(()));
        assert_eq!(replayed, recorded);
    }
    recorded
}

const ONE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";

#[tokio::test]
async fn pipelined_chunked_and_split_responses_replay_alike() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n";
    let script = Script::default()
        .write(1, &ONE[..20])
        .write(1, &ONE[20..])
        .write(3, b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n")
        .write(3, &[chunked, &ONE[..7]].concat())
        .write(4, &ONE[7..])
        .write(4, ONE);
    let story = replays_alike(vec![script], 4).await;
    assert!(story[0].contains("status: 200") && story[1].contains("[97, 98, 99, 100, 101]"), "{story:#?}");
}

#[tokio::test]
async fn sixty_four_pipelined_requests_with_odd_segmentation_replay_alike() {
    let mut script = Script::default().write(1, ONE);
    let rest: Vec<u8> = (1..64).flat_map(|_| ONE.to_vec()).collect();
    let mut rest = rest.as_slice();
    for size in (1..).map(|step| 1 + step * 37 % 211) {
        let (piece, more) = rest.split_at(size.min(rest.len()));
        script = script.write(64, piece);
        rest = more;
        if rest.is_empty() {
            break;
        }
    }
    let story = replays_alike(vec![script], 64).await;
    assert!(story[..64].iter().all(|line| line.contains("status: 200")), "{story:#?}");
}

#[tokio::test]
async fn a_reset_and_an_end_replay_alike_with_the_delivery_of_every_failure() {
    let reset = replays_alike(vec![Script::default().write(1, ONE).write(3, &ONE[..30]).reset()], 4).await;
    assert!(reset[1].contains("delivery: Delivery::ResponseStarted") && reset[1].contains("Reset"), "{reset:#?}");
    assert!(reset[2].contains("delivery: Delivery::Unanswered"), "{reset:#?}");
    let ended = replays_alike(vec![Script::default().write(1, ONE).write(3, ONE)], 4).await;
    assert!(ended[2].contains("delivery: Delivery::Unanswered"), "{ended:#?}");
    let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let declared = replays_alike(vec![Script::default().write(1, ONE).write(3, closing)], 4).await;
    assert!(declared[2].contains("delivery: Delivery::Unprocessed"), "{declared:#?}");
    replays_alike(vec![Script::default().write(1, b"garbage")], 2).await;
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_replay_alike() {
    let (_keep, file) = scratch();
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let recorder = Recorder::create(&file).unwrap();
    let nobody = |_name| async { Ok(Vec::new()) };
    let builder = Sandbox::builder().allow(&dead.to_string()).unwrap().allow("nobody.example").unwrap().resolver(nobody);
    let mut client = builder.record(&recorder).build().unwrap().instantiate().await.unwrap();
    let unknown = Endpoint::plain("nobody.example", 80);
    let denied = Endpoint::plain("127.0.0.1", 1);
    let mut recorded = Vec::new();
    for endpoint in [&at(dead), &unknown, &denied] {
        recorded.push(transcript(&mut client, endpoint, &targets(2)).await);
    }
    drop((client, recorder));
    let (replay, mut client) = replaying(&file).await;
    for (endpoint, recorded) in [&at(dead), &unknown, &denied].into_iter().zip(&recorded) {
        assert_eq!(&transcript(&mut client, endpoint, &targets(2)).await, recorded);
    }
    assert_eq!(replay.finish(), Ok(()));
    for (story, case) in recorded.iter().zip(["Refused", "NotFound", "Denied"]) {
        assert!(story[0].contains(case) && story[0].contains("NotSent"), "{story:#?}");
    }
}

#[tokio::test]
async fn a_replay_touches_no_network() {
    let (_keep, file) = scratch();
    let (address, server) = scripted(vec![Script::default().write(1, ONE)]).await;
    let mut client = recording(&file, &address.to_string()).await;
    transcript(&mut client, &at(address), &targets(1)).await;
    drop(client);
    server.abort();
    _ = server.await;
    // Whoever connects now is seen.
    let listener = TcpListener::bind(address).await.unwrap();
    let replay = Replay::open(&file).unwrap();
    let asked = |_name| -> std::future::Ready<std::io::Result<Vec<std::net::IpAddr>>> { panic!("the resolver was asked") };
    let builder = Sandbox::builder().dangerous_allow_any_address().resolver(asked).replay(&replay);
    let sandbox = builder.build().unwrap();
    assert!(!sandbox.policy().allows_address(address));
    let mut client = sandbox.instantiate().await.unwrap();
    assert!(transcript(&mut client, &at(address), &targets(1)).await[0].contains("status: 200"));
    let other = transcript(&mut client, &Endpoint::plain("other.example", 80), &targets(1)).await;
    assert!(other[0].contains("NotSent"), "{other:#?}");
    assert_eq!(replay.difference(), Some(Difference::NoLookup("other.example".to_owned())));
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(accepted.is_err());
}

#[tokio::test]
async fn streams_of_the_caller_are_recorded_and_replaced() {
    let (_keep, file) = scratch();
    async fn exchange(client: &mut Client) -> String {
        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let (mut theirs, mut head) = (theirs, [0; 1024]);
            _ = theirs.read(&mut head).await;
            _ = theirs.write_all(ONE).await;
        });
        let conn = client.handshake(ours, "pipe.example", None).await.unwrap();
        let exchange = conn.send(client, Request::get("/x"), 0).await.unwrap();
        format!("{:?}", exchange.collect(client, 100).await.unwrap())
    }
    let mut client = recording(&file, "127.0.0.1").await;
    let recorded = exchange(&mut client).await;
    drop(client);
    let (replay, mut client) = replaying(&file).await;
    assert_eq!(exchange(&mut client).await, recorded);
    assert_eq!(replay.finish(), Ok(()));
}

/// A recording of a connection with these responses, one to each request.
async fn recorded_ones(file: &Path, count: usize) -> Endpoint {
    let server = Server::answering(ONE).await;
    let mut client = recording(file, &server.rule()).await;
    transcript(&mut client, &at(server.address), &targets(count)).await;
    at(server.address)
}

#[tokio::test]
async fn a_changed_request_is_a_difference_at_its_octet() {
    let (_keep, file) = scratch();
    let endpoint = recorded_ones(&file, 2).await;
    let (replay, mut client) = replaying(&file).await;
    let story = transcript(&mut client, &endpoint, &["/0".to_owned(), "/changed".to_owned()]).await;
    assert!(story[0].contains("status: 200") && story[1].contains("Reset"), "{story:#?}");
    let difference = replay.finish().unwrap_err();
    let second = fs::read_to_string(&file).unwrap().lines().filter(|line| line.contains("\"write\"")).count();
    assert_eq!(second, 2);
    match &difference {
        Difference::Written { connection: 1, recorded, found, octet } => {
            assert!(recorded.starts_with(b"1 HTTP/1.1") && found.starts_with(b"changed HTTP"), "{difference}");
            assert!(*octet > 20);
        }
        other => panic!("{other:?}"),
    }
    assert!(difference.to_string().contains("connection 1 writes something else at octet"), "{difference}");
}

#[tokio::test]
async fn more_fewer_and_other_requests_are_differences() {
    let (_keep, file) = scratch();
    let endpoint = recorded_ones(&file, 2).await;
    let (replay, mut client) = replaying(&file).await;
    transcript(&mut client, &endpoint, &targets(3)).await;
    assert!(matches!(replay.finish(), Err(Difference::Written { recorded, .. }) if recorded.is_empty()));
    let (replay, mut client) = replaying(&file).await;
    transcript(&mut client, &endpoint, &targets(1)).await;
    assert!(matches!(replay.finish(), Err(Difference::NotWritten { connection: 1, .. })));
    let (replay, mut client) = replaying(&file).await;
    let story = transcript(&mut client, &Endpoint::plain("127.0.0.1", 9), &targets(1)).await;
    assert!(story[0].contains("NotSent"), "{story:#?}");
    assert_eq!(replay.finish(), Err(Difference::NoConnection("127.0.0.1:9".to_owned())));
    let (replay, _client) = replaying(&file).await;
    assert!(matches!(replay.finish(), Err(Difference::NotMade { connection: 1, .. })));
}

#[tokio::test]
async fn requests_that_are_missing_do_not_hang_the_replay() {
    let (_keep, file) = scratch();
    let (address, server) = scripted(vec![Script::default().write(1, ONE).write(3, ONE).write(3, ONE)]).await;
    let mut client = recording(&file, &address.to_string()).await;
    transcript(&mut client, &at(address), &targets(3)).await;
    drop(client);
    server.abort();
    let (replay, mut client) = replaying(&file).await;
    let story = transcript(&mut client, &at(address), &targets(2)).await;
    assert!(story[0].contains("status: 200") && story[1].contains("Unanswered"), "{story:#?}");
    assert!(matches!(replay.finish(), Err(Difference::NotWritten { connection: 1, .. })));
}

#[tokio::test]
async fn a_recording_that_is_cut_off_plays_as_far_as_it_goes() {
    let (_keep, file) = scratch();
    let endpoint = recorded_ones(&file, 2).await;
    let text = fs::read_to_string(&file).unwrap();
    let last_read = text.rfind("{\"what\":\"read\"").unwrap();
    fs::write(&file, &text[..last_read + 40]).unwrap();
    let (replay, mut client) = replaying(&file).await;
    let story = transcript(&mut client, &endpoint, &targets(2)).await;
    assert!(story[0].contains("status: 200") && story[1].contains("Unanswered"), "{story:#?}");
    assert_eq!(replay.finish(), Err(Difference::CutOff { connection: 1 }));
}

#[test]
fn what_is_no_recording_is_refused_with_its_reason() {
    let (_keep, file) = scratch();
    let first = "{\"what\":\"sandpiper-recording\",\"version\":1}\n";
    for (content, reason) in [
        (String::new(), "not a recording of sandpiper"),
        ("\u{0}asm".to_owned(), "not a recording of sandpiper"),
        ("{\"what\":\"end\",\"why\":\"complete\"}\n".to_owned(), "not a recording of sandpiper"),
        ("{\"what\":\"sandpiper-recording\",\"version\":2}\n".to_owned(), "version 2"),
        (format!("{first}nonsense\n"), "line 2"),
        (
            format!("{first}{{\"what\":\"close\",\"connection\":1,\"time_ns\":0}}\n"),
            "line 2 is not one of a recording: no such connection",
        ),
        (format!("{first}{{\"what\":\"connect\",\"connection\":7,\"address\":\"127.0.0.1:1\"}}\n"), "not the next one"),
        (format!("{first}{{\"what\":\"end\",\"why\":\"complete\"}}\n{first}"), "behind the end"),
    ] {
        fs::write(&file, &content).unwrap();
        match Replay::open(&file) {
            Err(error @ HostError::Recording { .. }) => {
                let text = error.to_string();
                assert!(text.contains(reason) && text.contains(file.to_str().unwrap()), "{text}");
            }
            other => panic!("{content}: {other:?}"),
        }
    }
    assert!(matches!(Replay::open("/no/such/file"), Err(HostError::Recording { .. })));
    assert!(matches!(Recorder::create("/no/such/directory/file"), Err(HostError::Recording { .. })));
}

#[tokio::test]
async fn a_recording_ends_at_its_limit_and_says_so() {
    let (_keep, file) = scratch();
    let body = vec![b'x'; 10_000];
    let response: Arc<[u8]> = [b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n".as_slice(), &body].concat().into();
    let server = Server::answering(&response).await;
    let recorder = Recorder::create_with_limit(&file, 0).unwrap();
    let sandbox = Sandbox::builder().allow(&server.rule()).unwrap().record(&recorder).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let story = transcript(&mut client, &at(server.address), &targets(1)).await;
    assert!(story[0].contains("status: 200"), "the connection goes on");
    assert!(recorder.check().unwrap_err().to_string().contains("limit"));
    drop((client, sandbox, recorder));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.len() <= 4096 && text.ends_with("{\"what\":\"end\",\"why\":\"limit\"}\n"), "{text}");
    let (replay, mut client) = replaying(&file).await;
    transcript(&mut client, &at(server.address), &targets(1)).await;
    assert_eq!(replay.finish(), Err(Difference::CutOff { connection: 1 }));
}

#[cfg(unix)]
#[test]
fn a_recording_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_keep, file) = scratch();
    drop(Recorder::create(&file).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    assert!(fs::read_to_string(&file).unwrap().ends_with("\"complete\"}\n"));
}

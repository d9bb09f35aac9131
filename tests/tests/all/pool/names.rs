//! Names and addresses of a pool through the component: looked up once, remembered, given by the caller, raced.

use sandpiper_host::types::{PollOptions, RequestOptions, Reuse};
use sandpiper_host::{Client, Endpoint, Origin, Poll, Request, Sandbox};
use sandpiper_tests::peer::loopback::{PATIENCE, answer, serve, target};
use sandpiper_tests::scenario::sandboxed::runtime;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};

/// Where the servers are, and where none is unless a test says so.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A client whose resolver gives these addresses, after this time and so many failures; and how often it was asked.
async fn client(addresses: Vec<IpAddr>, delay_ms: u64, failures: usize) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let builder = Sandbox::builder().allow("example.test").and_then(|builder| builder.allow("127.0.0.1"));
    let builder = builder.and_then(|builder| builder.allow("127.0.0.2")).expect("rules");
    let builder = builder.resolver(move |_| {
        let (addresses, number) = (addresses.clone(), counter.fetch_add(1, Ordering::SeqCst));
        async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            if number < failures { Err(io::ErrorKind::TimedOut.into()) } else { Ok(addresses) }
        }
    });
    let sandbox = builder.build().expect("a component that runs");
    (sandbox.instantiate().await.expect("an instance"), asked)
}

/// A server that closes after each answer, or does not.
fn server(closes: bool) -> (u16, Arc<AtomicUsize>) {
    serve(move |_, mut stream| {
        std::thread::spawn(move || {
            while let Some(target) = target(&mut stream) {
                answer(&mut stream, &target);
                if closes {
                    return;
                }
            }
        });
    })
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: "example.test".to_owned(), port, addresses: Vec::new(), tls: None }
}

async fn pool(client: &mut Client, options: PollOptions, port: u16) -> (Poll, Origin) {
    let poll = client.poll(options).await.expect("a poll");
    let origin = client.origin(endpoint(port), None).await.expect("an origin");
    (poll, origin)
}

/// Sends so many fresh requests at once, and waits until they are answered; gives how long that took.
async fn fetch(client: &mut Client, poll: &Poll, origin: &Origin, count: usize) -> Duration {
    let fresh = RequestOptions { reuse: Reuse::FRESH, ..RequestOptions::default() };
    let began = Instant::now();
    poll.fetch_all(client, origin, &vec![Request::get("/").with_options(fresh); count], 0, 1 << 20).await.expect("alive");
    let mut left = count;
    while left > 0 {
        assert!(began.elapsed() < PATIENCE, "{left} of {count} have not ended");
        poll.wait(client, Some(Duration::from_millis(100)), 64).await.expect("alive");
        for completion in poll.take_completions(client, 64).await.expect("alive") {
            assert!(completion.outcome.is_ok(), "{:?}", completion.outcome);
            left -= 1;
        }
    }
    began.elapsed()
}

#[test]
fn a_name_is_looked_up_once_and_again_after_a_change_of_the_network() {
    let (port, accepted) = server(true);
    runtime().block_on(async {
        let (mut client, asked) = client(vec![HERE], 0, 0).await;
        let (poll, origin) = pool(&mut client, PollOptions::default(), port).await;
        for _ in 0..3 {
            fetch(&mut client, &poll, &origin, 1).await;
        }
        assert_eq!((accepted.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (3, 1));
        poll.network_changed(&mut client).await.expect("alive");
        fetch(&mut client, &poll, &origin, 1).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        let (poll, origin) = pool(&mut client, PollOptions { names_kept: Some(0), ..PollOptions::default() }, port).await;
        fetch(&mut client, &poll, &origin, 1).await;
        fetch(&mut client, &poll, &origin, 1).await;
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn connections_that_ask_for_one_name_at_once_share_a_look_up() {
    let (port, accepted) = server(false);
    runtime().block_on(async {
        let (mut client, asked) = client(vec![HERE], 80, 0).await;
        let (poll, origin) = pool(&mut client, PollOptions::default(), port).await;
        fetch(&mut client, &poll, &origin, 3).await;
        assert_eq!((accepted.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (3, 1));
    });
}

#[test]
fn a_resolver_that_fails_for_now_is_asked_again_after_a_while() {
    let (port, _) = server(false);
    runtime().block_on(async {
        let (mut client, asked) = client(vec![HERE], 0, 2).await;
        let (poll, origin) = pool(&mut client, PollOptions::default(), port).await;
        let spent = fetch(&mut client, &poll, &origin, 1).await;
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        // 250 ms after the first failure, 500 ms after the second one.
        assert!(spent >= Duration::from_millis(750) && spent < PATIENCE, "{spent:?}");
    });
}

#[test]
fn addresses_that_the_caller_gives_for_a_host_are_used_until_they_are_taken_away() {
    let (port, _) = server(true);
    runtime().block_on(async {
        let (mut client, asked) = client(vec![HERE], 0, 0).await;
        let (poll, origin) = pool(&mut client, PollOptions::default(), port).await;
        poll.resolve(&mut client, "EXAMPLE.test", 0, &["127.0.0.1".to_owned()]).await.expect("room");
        fetch(&mut client, &poll, &origin, 1).await;
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        poll.resolve(&mut client, "example.test", 0, &[]).await.expect("room");
        fetch(&mut client, &poll, &origin, 1).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(poll.resolve(&mut client, "example.test", 0, &["nonsense".to_owned()]).await.is_err());
    });
}

#[test]
fn after_an_address_that_refuses_the_next_is_tried_at_once() {
    let (port, _) = server(false);
    runtime().block_on(async {
        let (mut client, _) = client(vec![ELSEWHERE, HERE], 0, 0).await;
        let (poll, origin) = pool(&mut client, PollOptions::default(), port).await;
        // Otherwise, none takes less than 250 ms. A slow machine may take as long for another reason, but not each time.
        for _ in 0..100 {
            if fetch(&mut client, &poll, &origin, 1).await < Duration::from_millis(240) {
                return;
            }
        }
        panic!("the second address has to wait");
    });
}

/// A listener that nobody accepts from, and whose line is full: who connects to it waits. `None`: this system lets everybody in.
fn full_listener(address: SocketAddr) -> Option<(TcpListener, Vec<TcpStream>)> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(address).expect("the port of the other address");
    let listener = socket.listen(1).expect("a listener");
    let mut waiting = Vec::new();
    for _ in 0..64 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            Ok(stream) => waiting.push(stream),
            Err(_) => return Some((listener, waiting)),
        }
    }
    None
}

#[test]
fn an_address_that_never_answers_is_overtaken_by_the_next() {
    let (port, accepted) = server(false);
    runtime().block_on(async {
        let Some(_full) = full_listener(SocketAddr::new(ELSEWHERE, port)) else {
            return sandpiper_tests::skipped("a listener whose line is full does not keep anybody waiting here");
        };
        let (mut client, _) = client(vec![ELSEWHERE, HERE], 0, 0).await;
        let (poll, origin) = pool(&mut client, PollOptions::default(), port).await;
        // It ends, although the first address never answers.
        let spent = fetch(&mut client, &poll, &origin, 1).await;
        assert!(spent >= Duration::from_millis(240), "{spent:?}");
        assert_eq!((accepted.load(Ordering::SeqCst), client.sockets_open()), (1, 1));
    });
}

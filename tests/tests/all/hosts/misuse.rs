//! Calls in any order, through the component: every one returns, and none ends the instance.
//!
//! A seed gives a whole run. `SANDPIPER_SEED` replays one; `SANDPIPER_STEPS` sets how many calls a run has.

use std::time::Duration;

use sandpiper_host::types::{Limit, RequestContent, RequestOptions, Reuse, Timer};
use sandpiper_host::{
    CallError, Client, ClientConn, ConnOptions, Exchange, HostError, Origin, Poll, PollOptions, Request, Sandbox,
};
use sandpiper_tests::random::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SEEDS: u64 = 6;
const STEPS: u64 = 1_500;
/// Handles of one kind that are kept at once.
const HANDLES_MAX: usize = 24;

/// What a server may do with a request, good and bad.
const REPLIES: [&[u8]; 9] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
    b"garbage\r\n\r\n",
    b"",
];

async fn serve(mut stream: TcpStream, mut random: Random) {
    let mut received = vec![0; 4_096];
    while let Ok(octets) = stream.read(&mut received).await {
        let requests = received[..octets].windows(4).filter(|window| window == b"\r\n\r\n").count();
        for _ in 0..requests {
            let reply = if random.chance(1, 2) { &REPLIES[0] } else { random.pick(&REPLIES) };
            if stream.write_all(reply).await.is_err() {
                return;
            }
        }
        if octets == 0 || random.chance(1, 12) {
            return;
        }
    }
}

/// Starts a server, and gives its URL.
async fn start(seed: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of the loopback interface");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move {
        let mut connections = seed;
        while let Ok((stream, _)) = listener.accept().await {
            connections += 1;
            tokio::spawn(serve(stream, Random::new(connections)));
        }
    });
    url
}

/// A caller without manners.
struct Caller {
    client: Client,
    urls: [String; 5],
    random: Random,
    conns: Vec<ClientConn>,
    exchanges: Vec<Exchange>,
    polls: Vec<Poll>,
    origins: Vec<Origin>,
    token: u64,
    /// Whole responses so far.
    answered: u32,
}

/// A call may fail as HTTP does; the instance must live.
fn check<T, E>(answer: Result<T, CallError<E>>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(CallError::Http(_)) => None,
        Err(CallError::Host(error)) => panic!("{error}"),
    }
}

fn alive<T>(answer: Result<T, HostError>) -> T {
    answer.unwrap_or_else(|error| panic!("{error}"))
}

impl Caller {
    fn deadlines(&mut self) -> Vec<(Timer, u64)> {
        let span = |random: &mut Random| [None, None, None, None, None, None, Some(0), Some(1), Some(1_000_000)][random.below(9)];
        let mut deadlines = vec![(Timer::Total, 50_000_000), (Timer::Connect, 1_000_000_000)];
        for timer in [Timer::FirstOctet, Timer::BetweenOctets, Timer::Drain, Timer::AwaitContinue] {
            deadlines.extend(span(&mut self.random).map(|span| (timer, span)));
        }
        // A deadline that no build has, and one that is none of a request.
        deadlines.extend([None, None, None, Some((Timer::Ping, 1)), Some((Timer::Idle, 1))][self.random.below(5)]);
        deadlines
    }

    fn request(&mut self) -> Request {
        if self.random.chance(1, 2) {
            return Request::get("/").with_options(RequestOptions { deadlines: self.deadlines(), ..RequestOptions::default() });
        }
        let method = *self.random.pick(&["GET", "GET", "GET", "HEAD", "POST", "PUT", "CONNECT", "TRACE", "X", "", "A B"]);
        let target = *self.random.pick(&["/", "/", "/a?b", "*", "a:1", "http://h/", "", "/#", "/ \r\n"]);
        let mut request = Request::new(method, target);
        for _ in 0..self.random.below(3) {
            let name = *self.random.pick(&[
                "A",
                "Upgrade",
                "Connection",
                "Content-Length",
                "Transfer-Encoding",
                "Host",
                "Expect",
                "",
                "a b",
            ]);
            let value: &[u8] =
                self.random.pick::<&[u8]>(&[&b"x"[..], b"close", b"2", b"chunked", b"100-continue", b"", b"\r\n", b"\0"]);
            request = request.with_field(name, value);
        }
        request.content = match self.random.below(6) {
            0 => RequestContent::Whole(vec![b'x'; self.random.below(70_000)]),
            1 => RequestContent::Length(self.random.below(9) as u64),
            2 => RequestContent::UnknownLength,
            _ => RequestContent::None,
        };
        let flag = |random: &mut Random| [None, None, Some(true), Some(false)][random.below(4)];
        let deadlines = self.deadlines();
        let random = &mut self.random;
        request.with_options(RequestOptions {
            idempotent: flag(random),
            hold_pipeline: random.chance(1, 4),
            expect_continue: random.chance(1, 4),
            limits: [None, None, None, Some(0), Some(1_000)][random.below(5)]
                .map(|octets| (*random.pick(&[Limit::ContentOctets, Limit::Memory]), octets))
                .into_iter()
                .collect(),
            deadlines,
            reuse: [Reuse::empty(), Reuse::empty(), Reuse::FRESH, Reuse::FORBID, Reuse::AWAIT_VERDICT][random.below(5)],
        })
    }

    async fn connect(&mut self) {
        let options = ConnOptions { deadlines: self.deadlines(), ..ConnOptions::default() }.limit(Limit::LogEntries, 8);
        let url = self.random.pick(&self.urls).clone();
        let conn = match self.random.chance(1, 8) {
            true => self.client.handshake(tokio::io::duplex(64).0, "h", options).await,
            false => self.client.connect(&url, options).await,
        };
        self.conns.extend(check(conn));
    }

    async fn call_conn(&mut self) {
        if self.conns.is_empty() {
            return self.connect().await;
        }
        let index = self.random.below(self.conns.len());
        let (request, other) = (self.request(), self.request());
        let Caller { client, conns, exchanges, random, token, .. } = self;
        let conn = &conns[index];
        *token += 1;
        match random.below(12) {
            0..=3 => exchanges.extend(check(conn.send(client, request, *token).await)),
            4 => exchanges.extend(alive(conn.send_all(client, &[request, other], *token).await).into_iter().flatten()),
            5 => drop(check(conn.wait_connected(client).await)),
            6 => {
                alive(conn.length(client).await);
                let (ready, closed) = (alive(conn.is_ready(client).await), alive(conn.is_closed(client).await));
                assert!(!(ready && closed));
            }
            7 => drop((alive(conn.info(client).await), alive(conn.take_log(client, 3).await))),
            8 if random.chance(1, 3) => alive(conn.shutdown(client).await),
            9 if random.chance(1, 3) => alive(conn.close(client).await),
            10 => drop(check(conn.into_parts(client).await)),
            _ => drop(conns.swap_remove(index)),
        }
    }

    async fn call_exchange(&mut self) {
        if self.exchanges.is_empty() {
            return self.call_conn().await;
        }
        let index = self.random.below(self.exchanges.len());
        let Caller { client, exchanges, random, answered, .. } = self;
        let exchange = &exchanges[index];
        let trailers = if random.chance(1, 3) { vec![("T".to_owned(), b"v".to_vec())] } else { Vec::new() };
        match random.below(11) {
            0 => drop(check(exchange.write(client, &vec![b'y'; random.below(300_000)]).await)),
            1 => drop(check(exchange.finish(client, &trailers).await)),
            2 => drop(alive(exchange.take_interim(client).await)),
            3 => drop(check(exchange.head(client).await)),
            4 | 5 => drop(check(exchange.read(client, random.number()).await)),
            6 => drop(check(exchange.collect(client, random.below(5) as u64).await)),
            7 => *answered += u32::from(check(exchange.collect(client, 1 << 20).await).is_some()),
            8 => drop((alive(exchange.take_request(client).await), alive(exchange.timing(client).await))),
            9 => alive(exchange.cancel(client).await),
            _ => drop(exchanges.swap_remove(index)),
        }
    }

    async fn call_poll(&mut self) {
        if self.polls.is_empty() || self.origins.is_empty() {
            let url = self.random.pick(&self.urls).clone();
            let options = PollOptions::default().limit(Limit::ConnectionsPerOrigin, 2).limit(Limit::Retries, 2);
            self.polls.push(alive(self.client.poll(options).await));
            return self.origins.extend(check(self.client.origin(&url, None).await));
        }
        let (request, other) = (self.request(), self.request());
        let few = [1, 2, 3, 7][self.random.below(4)];
        let Caller { client, conns, exchanges, polls, origins, random, token, .. } = self;
        let (poll, origin) = (random.below(polls.len()), random.below(origins.len()));
        let (chosen, place) = (&polls[poll], &origins[origin]);
        let conn = (!conns.is_empty()).then(|| &conns[random.below(conns.len())]);
        *token += 1;
        match (random.below(11), conn) {
            (0, Some(conn)) => drop(check(chosen.insert(client, conn, *token).await)),
            (1, Some(conn)) => alive(chosen.remove(client, conn).await),
            (2 | 3, _) => drop(alive(chosen.wait(client, Some(Duration::from_millis(1)), few).await)),
            (4, _) => exchanges.extend(check(chosen.submit(client, place, request, *token).await)),
            (5, _) => alive(chosen.fetch_all(client, place, &[request, other], *token, random.below(5) as u64).await),
            (6, _) => drop(check(chosen.cancel(client, token.saturating_sub(random.number() % 9)).await)),
            (7, _) => drop(alive(chosen.take_completions(client, few).await)),
            (8, _) => drop((alive(chosen.info(client).await), alive(chosen.next_deadline(client).await))),
            (9, _) if random.chance(1, 4) => alive(chosen.network_changed(client).await),
            (10, _) if random.chance(1, 4) => drop(polls.swap_remove(poll)),
            _ if random.chance(1, 8) => drop(origins.swap_remove(origin)),
            _ => {}
        }
    }

    /// What a caller with manners does, on a connection that may have seen everything.
    async fn fetch(&mut self) {
        if self.conns.is_empty() {
            return self.connect().await;
        }
        let (request, index) = (self.request(), self.random.below(self.conns.len()));
        let Caller { client, conns, answered, token, .. } = self;
        if let Some(exchange) = check(conns[index].send(client, request, *token).await) {
            *answered += u32::from(check(exchange.collect(client, 1 << 20).await).is_some());
        }
    }

    async fn step(&mut self) {
        match self.random.below(12) {
            10 | 11 => self.fetch().await,
            0 => self.connect().await,
            1..=3 => self.call_conn().await,
            4..=7 => self.call_exchange().await,
            _ => self.call_poll().await,
        }
        let random = &mut self.random;
        while self.conns.len() > HANDLES_MAX {
            self.conns.swap_remove(random.below(HANDLES_MAX));
        }
        while self.exchanges.len() > HANDLES_MAX {
            self.exchanges.swap_remove(random.below(HANDLES_MAX));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_order_of_calls_ends_the_instance() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = number("SANDPIPER_SEED").map_or(0..SEEDS, |seed| seed..seed + 1);
    let steps = number("SANDPIPER_STEPS").unwrap_or(STEPS);
    for seed in seeds {
        println!("seed {seed}");
        let url = start(seed << 32).await;
        let nowhere = "http://127.0.0.1:1".to_owned();
        let builder =
            Sandbox::builder().allow(url.trim_start_matches("http://")).and_then(|builder| builder.allow("127.0.0.1:1"));
        let sandbox = builder.and_then(|builder| builder.build()).expect("a sandbox");
        let client = sandbox.instantiate().await.expect("an instance");
        let urls = [url.clone(), url.clone(), url.clone(), url.clone(), nowhere];
        let none = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (conns, exchanges, polls, origins) = none;
        let mut caller =
            Caller { client, urls, random: Random::new(seed), conns, exchanges, polls, origins, token: 0, answered: 0 };
        for _ in 0..steps {
            caller.step().await;
        }
        println!("{}", caller.answered);
        assert!(caller.answered > 9, "seed {seed}: hardly anything was answered: {}", caller.answered);
        // The instance still does its work, and lets go of what it held.
        let Caller { mut client, conns, exchanges, polls, origins, .. } = caller;
        drop((conns, exchanges, polls, origins));
        client.release_dropped().await.expect("an instance that lives");
        assert_eq!(client.sockets_open(), 0, "seed {seed}: a socket outlived its handles");
        let conn = check(client.connect(&url, None).await).expect("a connection");
        assert!(conn.send(&mut client, Request::get("/"), 0).await.is_ok(), "seed {seed}");
    }
}

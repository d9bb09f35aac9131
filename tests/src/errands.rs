//! What callers commonly do with a client, each as one errand to a [`Server`](crate::peer::server::Server), and what they are told.

use crate::peer::server::BIG_OCTETS;
use crate::scenario::sandboxed::{failed, head};
use crate::scenario::story::{self, Failed};
use sandpiper_host::types::{Chunk, Limit, Persistence, RequestContent, RequestOptions, Timer, TlsOptions};
use sandpiper_host::{
    CallError, Client, ClientConn, ConnOptions, Endpoint, Exchange, ExchangeError, HostError, Origin, Poll, PollOptions, Request,
};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

/// How long an exchange may take. Whatever happens, it takes much less, unless somebody waits in vain.
const TOTAL: Duration = Duration::from_secs(20);
/// How often a caller waits for one thing, [`WAIT`] each time.
const WAITS_MAX: u32 = 60;
const WAIT: Duration = Duration::from_secs(1);
/// A name that the resolver of a test has to know.
pub const NAME: &str = "server.test";
/// Octets that are written at once.
const PIECE_OCTETS: usize = 60_000;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Method and target.
    pub request: String,
    /// The response in words, or the failure.
    pub outcome: Result<String, Failed>,
}

/// A caller: its client, the server, and what it has been told. Errors of its calls are the end of the instance.
pub struct Caller<'a> {
    client: &'a mut Client,
    server: SocketAddr,
    tls: Option<TlsOptions>,
    silence: Duration,
    told: Vec<Told>,
}

type Ended<T> = Result<T, HostError>;
type Running<'a> = Pin<Box<dyn Future<Output = Ended<()>> + 'a>>;

/// An errand.
#[derive(Clone, Copy)]
pub struct Errand {
    /// Its name.
    pub name: &'static str,
    run: for<'a, 'b> fn(&'a mut Caller<'b>) -> Running<'a>,
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Errand {
    /// Runs it: what became of each request. A peer may be silent for `silence` where it can be that it waits too, for the rest of a request
    /// or for the end of a tunnel; `None`: as long as anywhere.
    ///
    /// # Errors
    /// The instance has ended.
    pub async fn run(&self, client: &mut Client, server: SocketAddr, silence: Option<Duration>) -> Ended<Vec<Told>> {
        self.run_over(None, client, server, silence).await
    }

    /// The same, over TLS where there are options for it.
    ///
    /// # Errors
    /// The instance has ended.
    pub async fn run_over(
        &self,
        tls: Option<TlsOptions>,
        client: &mut Client,
        server: SocketAddr,
        silence: Option<Duration>,
    ) -> Ended<Vec<Told>> {
        let mut caller = Caller { client, server, tls, silence: silence.unwrap_or(TOTAL), told: Vec::new() };
        (self.run)(&mut caller).await?;
        let told = caller.told;
        client.release_dropped().await?;
        Ok(told)
    }
}

/// Gives the names of all errands to a macro.
#[macro_export]
macro_rules! every_errand {
    ($each:ident) => {
        $each! {
            get
            pipelined_eight
            interim_and_chunks
            whole_upload
            chunked_upload
            large_upload
            streamed_download
            expect_continue
            upgrade
            cancel
            shutdown
            half_close
            second_address
            name_lookup
            idle_reuse
            last_response
            wait_outside
            own_transport
            pool
            pool_one_by_one
        }
    };
}

macro_rules! errands {
    ($($name:ident)+) => {
        /// All of them.
        pub const ERRANDS: &[Errand] = &[$(Errand { name: stringify!($name), run: |caller| Box::pin(caller.$name()) }),+];
    };
}

every_errand!(errands);

fn options() -> ConnOptions {
    ConnOptions::default().deadline(Timer::Total, TOTAL).deadline(Timer::Connect, TOTAL)
}

fn assume() -> ConnOptions {
    ConnOptions { persistence: Some(Persistence::Assume), ..options() }
}

fn get(target: impl Into<String>) -> Request {
    Request::get(target)
}

fn put(target: &str, content: RequestContent) -> Request {
    Request { content, ..Request::new("PUT", target) }
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.request_target)
}

/// A failure of HTTP is an outcome; another one ends the errand.
fn http<T>(answer: Result<T, ExchangeError>) -> Ended<Result<T, Failed>> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(CallError::Host(error)) => Err(error),
        Err(error) => Ok(Err(failed(error))),
    }
}

impl Caller<'_> {
    fn tell(&mut self, request: &str, outcome: Result<String, Failed>) {
        self.told.push(Told { request: request.to_owned(), outcome });
    }

    fn endpoint(&self, addresses: &[&str]) -> Endpoint {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Endpoint { host: NAME.to_owned(), port: self.server.port(), addresses, tls: self.tls.clone() }
    }

    fn impatient(&self) -> ConnOptions {
        options().deadline(Timer::BetweenOctets, self.silence)
    }

    async fn connect_to(&mut self, endpoint: Endpoint, options: ConnOptions) -> Ended<ClientConn> {
        match self.client.connect(endpoint, options).await {
            Ok(conn) => Ok(conn),
            Err(CallError::Host(error)) => Err(error),
            Err(error) => panic!("the caller is wrong: {error}"),
        }
    }

    async fn connect(&mut self, options: ConnOptions) -> Ended<ClientConn> {
        let endpoint = self.endpoint(&["127.0.0.1"]);
        self.connect_to(endpoint, options).await
    }

    /// A poll that drives the connection.
    async fn drive(&mut self, conn: &ClientConn) -> Ended<Poll> {
        let poll = self.client.poll(None).await?;
        match poll.insert(self.client, conn, 0).await {
            Err(CallError::Host(error)) => Err(error),
            inserted => {
                inserted.expect("in no poll yet");
                Ok(poll)
            }
        }
    }

    async fn send(&mut self, conn: &ClientConn, request: &Request) -> Ended<Option<Exchange>> {
        match http(conn.send(self.client, request, 1).await)? {
            Ok(exchange) => Ok(Some(exchange)),
            Err(refusal) => {
                self.tell(&line(request), Err(refusal));
                Ok(None)
            }
        }
    }

    async fn collect(&mut self, request: &str, exchange: &Exchange) -> Ended<()> {
        let collected = http(exchange.collect(self.client, 1 << 20).await)?;
        self.tell(request, collected.map(|response| in_words(&response)));
        Ok(())
    }

    async fn exchange(&mut self, conn: &ClientConn, request: Request) -> Ended<()> {
        match self.send(conn, &request).await? {
            Some(exchange) => self.collect(&line(&request), &exchange).await,
            None => Ok(()),
        }
    }

    async fn exchange_all(&mut self, conn: &ClientConn, requests: &[Request], cancelled: Option<usize>) -> Ended<()> {
        let sent = conn.send_all(self.client, requests, 1).await?;
        if let Some(Ok(exchange)) = cancelled.and_then(|index| sent.get(index)) {
            exchange.cancel(self.client).await?;
        }
        for (request, sent) in requests.iter().zip(sent) {
            match sent {
                Ok(exchange) => self.collect(&line(request), &exchange).await?,
                Err(refusal) => self.tell(&line(request), Err(failed(CallError::Http(refusal)))),
            }
        }
        Ok(())
    }

    async fn get(&mut self) -> Ended<()> {
        let conn = self.connect(options()).await?;
        self.exchange(&conn, get("/1")).await
    }

    async fn pipelined_eight(&mut self) -> Ended<()> {
        let conn = self.connect(assume()).await?;
        let requests: Vec<Request> = (1..=8).map(|number| get(format!("/{number}"))).collect();
        self.exchange_all(&conn, &requests, None).await
    }

    async fn interim_and_chunks(&mut self) -> Ended<()> {
        let conn = self.connect(assume()).await?;
        self.exchange_all(&conn, &[get("/early"), get("/chunked"), get("/early2")], None).await
    }

    async fn whole_upload(&mut self) -> Ended<()> {
        let conn = self.connect(self.impatient()).await?;
        self.exchange(&conn, put("/1", RequestContent::Whole(vec![b'w'; BIG_OCTETS]))).await?;
        self.exchange(&conn, put("/2", RequestContent::Whole(b"little".to_vec()))).await
    }

    /// Writes content in pieces, as it is taken, and ends it.
    async fn upload(&mut self, content: RequestContent, octets: usize, trailers: &[(String, Vec<u8>)]) -> Ended<()> {
        let conn = self.connect(self.impatient()).await?;
        let poll = self.drive(&conn).await?;
        let request = put("/1", content);
        let Some(exchange) = self.send(&conn, &request).await? else { return Ok(()) };
        let (mut written, mut waits) = (0, 0);
        while written < octets && waits < WAITS_MAX {
            let piece = vec![b'u'; PIECE_OCTETS.min(octets - written)];
            match http(exchange.write(self.client, &piece).await)? {
                Ok(0) => {
                    waits += 1;
                    poll.wait(self.client, Some(WAIT), 8).await?;
                }
                Ok(more) => written += usize::try_from(more).expect("no more than was given"),
                // `collect` says why.
                Err(_) => break,
            }
        }
        if written == octets {
            let _ = http(exchange.finish(self.client, trailers).await)?;
        }
        self.collect(&line(&request), &exchange).await
    }

    async fn chunked_upload(&mut self) -> Ended<()> {
        self.upload(RequestContent::UnknownLength, 5_000, &[("Sum".to_owned(), b"1".to_vec())]).await
    }

    async fn large_upload(&mut self) -> Ended<()> {
        self.upload(RequestContent::Length(BIG_OCTETS as u64), BIG_OCTETS, &[]).await
    }

    async fn streamed_download(&mut self) -> Ended<()> {
        let conn = self.connect(options()).await?;
        let poll = self.drive(&conn).await?;
        let Some(exchange) = self.send(&conn, &get("/big")).await? else { return Ok(()) };
        let outcome = self.stream(&poll, &exchange).await?;
        self.tell("GET /big", outcome);
        self.exchange(&conn, get("/2")).await
    }

    /// Reads content in pieces, as it comes, to its end.
    async fn stream(&mut self, poll: &Poll, exchange: &Exchange) -> Ended<Result<String, Failed>> {
        let (mut content, mut waits) = (Vec::new(), 0);
        while waits < WAITS_MAX {
            match http(exchange.read(self.client, 50_000).await)? {
                Ok(Chunk::Data(octets)) => content.extend_from_slice(&octets),
                Ok(Chunk::WouldBlock) => {
                    waits += 1;
                    poll.wait(self.client, Some(WAIT), 8).await?;
                }
                Ok(Chunk::End(_)) => return Ok(Ok(story::octets(&content))),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        panic!("it never ends")
    }

    async fn expect_continue(&mut self) -> Ended<()> {
        let conn = self.connect(self.impatient()).await?;
        let expecting = RequestOptions { expect_continue: true, ..RequestOptions::default() };
        let expecting = expecting.deadline(Timer::AwaitContinue, TOTAL);
        let content = RequestContent::Whole(b"expected".to_vec());
        self.exchange(&conn, put("/1", content).with_options(expecting)).await?;
        self.exchange(&conn, get("/2")).await
    }

    async fn upgrade(&mut self) -> Ended<()> {
        let conn = self.connect(options()).await?;
        let poll = self.drive(&conn).await?;
        let soon = RequestOptions::default().deadline(Timer::Total, self.silence);
        let request = get("/upgrade").with_field("Connection", b"upgrade").with_field("Upgrade", b"echo").with_options(soon);
        let Some(exchange) = self.send(&conn, &request).await? else { return Ok(()) };
        let outcome = match self.await_switch(&poll, &exchange).await? {
            Ok(switched) => match http(exchange.write(self.client, b"ping").await)? {
                Ok(_) => match http(exchange.finish(self.client, &[]).await)? {
                    Ok(()) => self.stream(&poll, &exchange).await?.map(|echo| format!("{switched} {echo}")),
                    Err(failure) => Err(failure),
                },
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        self.tell("GET /upgrade", outcome);
        Ok(())
    }

    async fn await_switch(&mut self, poll: &Poll, exchange: &Exchange) -> Ended<Result<u16, Failed>> {
        for _ in 0..WAITS_MAX {
            match http(exchange.head(self.client).await)? {
                Ok(Some(found)) => return Ok(Ok(head(found).status)),
                Ok(None) => drop(poll.wait(self.client, Some(WAIT), 8).await?),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        panic!("it never switches")
    }

    async fn cancel(&mut self) -> Ended<()> {
        let conn = self.connect(assume()).await?;
        // So that it depends on no clock whether the second one has left.
        drop(conn.wait_connected(self.client).await);
        self.exchange_all(&conn, &[get("/1"), get("/2"), get("/3")], Some(1)).await?;
        self.exchange(&conn, get("/4")).await
    }

    async fn shutdown(&mut self) -> Ended<()> {
        self.end_with(options()).await
    }

    async fn half_close(&mut self) -> Ended<()> {
        self.end_with(ConnOptions { half_close: true, ..options() }).await
    }

    async fn end_with(&mut self, options: ConnOptions) -> Ended<()> {
        let conn = self.connect(options).await?;
        let requests = [get("/1"), get("/2")];
        let sent = conn.send_all(self.client, &requests, 1).await?;
        conn.shutdown(self.client).await?;
        for (request, sent) in requests.iter().zip(sent) {
            match sent {
                Ok(exchange) => self.collect(&line(request), &exchange).await?,
                Err(refusal) => self.tell(&line(request), Err(failed(CallError::Http(refusal)))),
            }
        }
        self.exchange(&conn, get("/late")).await
    }

    async fn second_address(&mut self) -> Ended<()> {
        // Nothing listens at the first.
        let endpoint = self.endpoint(&["127.0.0.2", "127.0.0.1"]);
        let conn = self.connect_to(endpoint, options()).await?;
        self.exchange(&conn, get("/1")).await
    }

    async fn name_lookup(&mut self) -> Ended<()> {
        let endpoint = self.endpoint(&[]);
        let conn = self.connect_to(endpoint, options()).await?;
        self.exchange(&conn, get("/1")).await
    }

    async fn idle_reuse(&mut self) -> Ended<()> {
        let conn = self.connect(options()).await?;
        for target in ["/1", "/2", "/3"] {
            self.exchange(&conn, get(target)).await?;
        }
        Ok(())
    }

    async fn last_response(&mut self) -> Ended<()> {
        let conn = self.connect(options()).await?;
        self.exchange_all(&conn, &[get("/last"), get("/2")], None).await
    }

    async fn wait_outside(&mut self) -> Ended<()> {
        let conn = self.connect(options()).await?;
        let poll = self.drive(&conn).await?;
        let Some(exchange) = self.send(&conn, &get("/1")).await? else { return Ok(()) };
        for _ in 0..WAITS_MAX {
            if !matches!(http(exchange.head(self.client).await)?, Ok(None)) {
                break;
            }
            match tokio::time::timeout(WAIT, self.client.ready(&[&conn])).await {
                Ok(Err(CallError::Host(error))) => return Err(error),
                // A connection that has ended has nothing to wait for.
                Ok(Ok(()) | Err(CallError::Http(_))) | Err(_) => {}
            }
            poll.wait(self.client, Some(Duration::ZERO), 8).await?;
        }
        self.collect("GET /1", &exchange).await
    }

    async fn own_transport(&mut self) -> Ended<()> {
        let stream = tokio::net::TcpStream::connect(self.server).await.expect("the server");
        let conn = match self.client.handshake(stream, NAME, options()).await {
            Ok(conn) => conn,
            Err(CallError::Host(error)) => return Err(error),
            Err(error) => panic!("the caller is wrong: {error}"),
        };
        self.exchange(&conn, get("/1")).await?;
        self.exchange(&conn, get("/big")).await?;
        match conn.into_parts(self.client).await {
            Err(CallError::Host(error)) => Err(error),
            // A connection that has failed has no parts.
            Ok(_) | Err(CallError::Http(_)) => Ok(()),
        }
    }

    async fn pool_and_origin(&mut self) -> Ended<(Poll, Origin)> {
        let some = PollOptions::default().limit(Limit::ConnectionsPerOrigin, 2).limit(Limit::Retries, 2);
        let poll = self.client.poll(some).await?;
        let endpoint = self.endpoint(&["127.0.0.1"]);
        match self.client.origin(endpoint, options()).await {
            Ok(origin) => Ok((poll, origin)),
            Err(CallError::Host(error)) => Err(error),
            Err(error) => panic!("the caller is wrong: {error}"),
        }
    }

    async fn pool(&mut self) -> Ended<()> {
        let (poll, origin) = self.pool_and_origin().await?;
        let requests: Vec<Request> = (0..6).map(|number| get(format!("/{number}"))).collect();
        poll.fetch_all(self.client, &origin, &requests, 0, 1 << 20).await?;
        let mut completions = Vec::new();
        for _ in 0..WAITS_MAX {
            if completions.len() == requests.len() {
                break;
            }
            poll.wait(self.client, Some(WAIT), 8).await?;
            completions.extend(poll.take_completions(self.client, 8).await?);
        }
        assert_eq!(completions.len(), requests.len(), "each ends in one completion");
        completions.sort_by_key(|completion| completion.token);
        for (request, completion) in requests.iter().zip(completions) {
            let outcome = completion.outcome.map(|response| in_words(&response));
            self.tell(&line(request), outcome.map_err(|failure| failed(CallError::Http(failure))));
        }
        Ok(())
    }

    async fn pool_one_by_one(&mut self) -> Ended<()> {
        let (poll, origin) = self.pool_and_origin().await?;
        for number in 0..3 {
            let request = get(format!("/{number}"));
            match http(poll.submit(self.client, &origin, &request, number).await)? {
                Ok(exchange) => self.collect(&line(&request), &exchange).await?,
                Err(refusal) => self.tell(&line(&request), Err(refusal)),
            }
        }
        Ok(())
    }
}

fn in_words(response: &sandpiper_host::Response) -> String {
    let interim: String = response.interim.iter().map(|head| format!("({}) ", head.status)).collect();
    let trailers = story::fields(&response.trailers);
    format!("{interim}{} {} [{trailers}]", response.head.status, story::octets(&response.content))
}

//! The component as a client of real servers, one call after the other.

use super::content::Sum;
use crate::scenario::sandboxed::{runtime, sandbox};
use sandpiper_host::types::{CloseReason, Completion, ConnInfo, Error};
use sandpiper_host::{
    CallError, Chunk, Client, ClientConn, ConnOptions, Endpoint, Exchange, ExchangeError, Failure, Limit, Origin, Poll,
    PollOptions, Request, Response, ResponseHead,
};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How many connections the pool has to one server.
pub const POOL_CONNECTIONS: u32 = 4;
/// No response that is collected is longer.
const COLLECTED_OCTETS_MAX: u64 = 1 << 20;
/// What one read may give.
const READ_OCTETS: u64 = 1 << 18;
/// How long something may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const EVENTS_MAX: u32 = 64;

/// One instance of the component, with its own poll.
pub struct Caller {
    runtime: Runtime,
    client: Client,
    poll: Poll,
}

/// How an exchange has ended that was not collected.
pub struct Streamed {
    /// The final head.
    pub head: ResponseHead,
    /// Of the content.
    pub sum: Sum,
    /// As much of the content as an error page has.
    pub start: Vec<u8>,
    /// How many octets of the request's content were accepted.
    pub written: u64,
}

/// The failure that the component reports.
///
/// # Panics
/// When it has none to report because the instance is gone.
fn failure(error: ExchangeError) -> Failure {
    match error {
        CallError::Http(failure) => failure,
        CallError::Host(error) => panic!("{error}"),
    }
}

impl Default for Caller {
    fn default() -> Caller {
        Caller::new()
    }
}

impl Caller {
    /// A new instance.
    ///
    /// # Panics
    /// When the component does not run.
    pub fn new() -> Caller {
        let runtime = runtime();
        let (client, poll) = runtime.block_on(async {
            let mut client = sandbox().instantiate().await.expect("an instance");
            let options = PollOptions::default().limit(Limit::ConnectionsPerOrigin, POOL_CONNECTIONS.into());
            let poll = client.poll(options).await.expect("a poll");
            (client, poll)
        });
        Caller { runtime, client, poll }
    }

    /// Where a server listens.
    fn endpoint(port: u16) -> Endpoint {
        Endpoint { host: "example.test".to_owned(), port, addresses: vec!["127.0.0.1".to_owned()], tls: None }
    }

    /// An established connection.
    ///
    /// # Panics
    /// When there is none.
    pub fn connect(&mut self, port: u16, options: ConnOptions) -> ClientConn {
        let Caller { runtime, client, poll } = self;
        runtime.block_on(async {
            let conn = client.connect(Caller::endpoint(port), options).await.expect("a connection");
            conn.wait_connected(client).await.expect("an established connection");
            poll.insert(client, &conn, 0).await.expect("a new connection");
            conn
        })
    }

    /// Sends requests together, with the tokens 0, 1, 2 and so on.
    pub fn send_all(&mut self, conn: &ClientConn, requests: &[Request]) -> Vec<Result<Exchange, Failure>> {
        let Caller { runtime, client, .. } = self;
        runtime.block_on(conn.send_all(client, requests, 0)).expect("alive")
    }

    /// Sends one.
    ///
    /// # Errors
    /// Why it was not accepted.
    pub fn send(&mut self, conn: &ClientConn, request: &Request) -> Result<Exchange, Failure> {
        let Caller { runtime, client, .. } = self;
        runtime.block_on(conn.send(client, request, 0)).map_err(failure)
    }

    /// Waits for the whole response.
    ///
    /// # Errors
    /// Why there is none.
    pub fn collect(&mut self, exchange: &Exchange) -> Result<Response, Failure> {
        let Caller { runtime, client, .. } = self;
        runtime.block_on(exchange.collect(client, COLLECTED_OCTETS_MAX)).map_err(failure)
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// Why there is none.
    pub fn fetch(&mut self, conn: &ClientConn, request: &Request) -> Result<Response, Failure> {
        let exchange = self.send(conn, request)?;
        self.collect(&exchange)
    }

    /// The connection as it is now.
    pub fn info(&mut self, conn: &ClientConn) -> ConnInfo {
        let Caller { runtime, client, .. } = self;
        runtime.block_on(conn.info(client)).expect("alive")
    }

    /// Lets this time pass, with connections driven.
    pub fn wait(&mut self, span: Duration) {
        let Caller { runtime, client, poll } = self;
        runtime.block_on(async {
            let until = tokio::time::Instant::now() + span;
            while tokio::time::Instant::now() < until {
                let left = until - tokio::time::Instant::now();
                poll.wait(client, Some(left), EVENTS_MAX).await.expect("alive");
            }
        });
    }

    /// Sends a request whose content is streamed, and reads its response as it comes. Stops writing when the server has answered.
    ///
    /// # Errors
    /// Why there is no whole response.
    pub fn stream(
        &mut self,
        conn: &ClientConn,
        request: &Request,
        content: impl Iterator<Item = Vec<u8>>,
    ) -> Result<Streamed, Failure> {
        let exchange = self.send(conn, request)?;
        let Caller { runtime, client, poll } = self;
        runtime.block_on(async {
            let written = upload(client, poll, &exchange, content).await?;
            let (sum, start) = download(client, poll, &exchange).await?;
            let head = exchange.head(client).await.map_err(failure)?.expect("a head before its end");
            Ok(Streamed { head, sum, start, written })
        })
    }

    /// Sends a request whose content is streamed, and reads its response meanwhile: the first block, then, when a head has come or for as long
    /// as a server takes that waits for the rest, the others. Gives whether the head came first.
    ///
    /// # Errors
    /// Why there is no whole response.
    pub fn converse(
        &mut self,
        conn: &ClientConn,
        request: &Request,
        content: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(Streamed, bool), Failure> {
        let exchange = self.send(conn, request)?;
        let Caller { runtime, client, poll } = self;
        runtime.block_on(async {
            let mut talk = Talk { sum: Sum::default(), start: Vec::new(), written: 0, ended: false };
            let mut early = false;
            for (number, block) in content.enumerate() {
                talk.write(client, poll, &exchange, &block).await?;
                let until = tokio::time::Instant::now() + HEAD_PATIENCE;
                while number == 0 && !early && tokio::time::Instant::now() < until {
                    poll.wait(client, Some(HEAD_PATIENCE / 10), EVENTS_MAX).await.expect("alive");
                    early = exchange.head(client).await.map_err(failure)?.is_some();
                }
            }
            exchange.finish(client, &[]).await.map_err(failure)?;
            while !talk.ended {
                talk.read(client, &exchange).await?;
                if !talk.ended {
                    poll.wait(client, Some(PATIENCE), EVENTS_MAX).await.expect("alive");
                }
            }
            let head = exchange.head(client).await.map_err(failure)?.expect("a head before its end");
            let Talk { sum, start, written, .. } = talk;
            Ok((Streamed { head, sum, start, written }, early))
        })
    }

    /// An origin for requests over a pool.
    pub fn origin(&mut self, port: u16, options: ConnOptions) -> Origin {
        let Caller { runtime, client, .. } = self;
        runtime.block_on(client.origin(Caller::endpoint(port), options)).expect("an origin")
    }

    /// Sends collected requests over the pool.
    pub fn submit(&mut self, origin: &Origin, requests: &[Request], first_token: u64) {
        let Caller { runtime, client, poll } = self;
        runtime.block_on(poll.fetch_all(client, origin, requests, first_token, 1 << 20)).expect("alive");
    }

    /// Moves octets on the connections of the pool for at most this long, and takes what has ended.
    pub fn completions(&mut self, span: Duration) -> Vec<Completion> {
        let Caller { runtime, client, poll } = self;
        runtime.block_on(async {
            poll.wait(client, Some(span), EVENTS_MAX).await.expect("alive");
            poll.take_completions(client, u32::MAX).await.expect("alive")
        })
    }
}

/// How long a head may take that comes before the content.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);

/// Both directions of one exchange.
struct Talk {
    sum: Sum,
    start: Vec<u8>,
    written: u64,
    ended: bool,
}

impl Talk {
    /// Writes a block, and reads what comes meanwhile.
    async fn write(&mut self, client: &mut Client, poll: &Poll, exchange: &Exchange, mut rest: &[u8]) -> Result<(), Failure> {
        while !rest.is_empty() {
            let accepted = exchange.write(client, rest).await.map_err(failure)?;
            self.written += accepted;
            rest = &rest[usize::try_from(accepted).expect("no more than was offered")..];
            self.read(client, exchange).await?;
            if accepted == 0 {
                poll.wait(client, Some(PATIENCE), EVENTS_MAX).await.expect("alive");
            }
        }
        Ok(())
    }

    /// Reads what there is.
    async fn read(&mut self, client: &mut Client, exchange: &Exchange) -> Result<(), Failure> {
        loop {
            match exchange.read(client, READ_OCTETS).await.map_err(failure)? {
                Chunk::Data(octets) => {
                    self.sum.add(&octets);
                    self.start.extend_from_slice(&octets[..octets.len().min(1_024 - self.start.len().min(1_024))]);
                }
                Chunk::WouldBlock => return Ok(()),
                Chunk::End(_) => {
                    self.ended = true;
                    return Ok(());
                }
            }
        }
    }
}

/// Is it no failure, but the answer that came before the content had left?
fn is_early_response(failure: &Failure) -> bool {
    matches!(failure.error, Error::Closed(CloseReason::EarlyResponse))
}

async fn upload(
    client: &mut Client,
    poll: &Poll,
    exchange: &Exchange,
    content: impl Iterator<Item = Vec<u8>>,
) -> Result<u64, Failure> {
    let mut written = 0;
    for block in content {
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let accepted = match exchange.write(client, rest).await.map_err(failure) {
                Ok(accepted) => accepted,
                Err(failure) if is_early_response(&failure) => return Ok(written),
                Err(failure) => return Err(failure),
            };
            if accepted == 0 {
                poll.wait(client, Some(PATIENCE), EVENTS_MAX).await.expect("alive");
            }
            written += accepted;
            rest = &rest[usize::try_from(accepted).expect("no more than was offered")..];
        }
    }
    if written == 0 {
        return Ok(0);
    }
    match exchange.finish(client, &[]).await.map_err(failure) {
        Err(failure) if !is_early_response(&failure) => Err(failure),
        _ => Ok(written),
    }
}

async fn download(client: &mut Client, poll: &Poll, exchange: &Exchange) -> Result<(Sum, Vec<u8>), Failure> {
    let (mut sum, mut start) = (Sum::default(), Vec::new());
    loop {
        match exchange.read(client, READ_OCTETS).await.map_err(failure)? {
            Chunk::Data(octets) => {
                sum.add(&octets);
                if start.len() < 1_024 {
                    start.extend_from_slice(&octets[..octets.len().min(1_024)]);
                }
            }
            Chunk::WouldBlock => {
                poll.wait(client, Some(PATIENCE), EVENTS_MAX).await.expect("alive");
            }
            Chunk::End(_) => return Ok((sum, start)),
        }
    }
}

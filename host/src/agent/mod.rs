//! Many tasks, one client: a handle that can be cloned, and the task that drives the client for all of them.
//!
//! | file | holds |
//! |---|---|
//! | this one | `Agent`: what a caller can ask for |
//! | `command` | what handles tell the driving task |
//! | `driver` | the driving task: it owns the client and one poll |
//! | `fetches` | whole responses that are awaited |
//! | `exchange`, `stream`, `relay` | a streamed exchange: in its caller's hand, in the driving task, and what is between the two |
//!
//! # Theory of operation
//!
//! The driving task repeats: take commands, [`Poll::wait`], hand out what has come. A command that comes during the wait ends it: the task
//! looks at its channel beside the wait and sets the [`Wake`] that the poll waits on besides.
//!
//! A wait reports what can be done until it is done, and so returns at once while a caller leaves content unread, or has more to upload but
//! not yet. So content is read ahead, within a bound; and when nothing but such callers is left, the task waits outside of the component,
//! with [`Client::ready_poll`]. So it does when nothing has come for long: an agent at rest costs no time.
//!
//! Why not always outside? Then nothing would have to be woken, but all that is waited for would be made and given back in every turn.
//! Measured: the processor time of an exchange with a small response on the loopback interface, as a multiple of what it is when waiting
//! inside.
//!
//! | connections | all of them busy | one of them busy |
//! |---|---|---|
//! | 1 | 1.1 times | |
//! | 100 | the same | 1.3 times |
//! | 1 000 | 0.8 times | 2.0 times |
//!
//! and most pools are idle for the most part. [`Client`] used directly, one request at a time, takes 0.8 times as much as an agent: there are no
//! commands, and no wait has to be woken.

mod command;
mod driver;
mod exchange;
mod fetches;
mod relay;
mod stream;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::client::Client;
use crate::client::origin::Origin;
use crate::client::poll::Poll;
use crate::client::wake::Wake;
use crate::error::{CallError, ConnError, ExchangeError, HostError};
use crate::sandbox::Sandbox;
use crate::types::{Completion, ConnOptions, Endpoint, OriginInfo, PollInfo, PollOptions, Request, Response, TlsInfo};
use command::{Answering, Command, Fetch, GivenUp, Queued, Work};
use driver::Driver;
pub use exchange::AgentExchange;
use relay::Relay;

/// Commands that wait for the driving task; whoever has one more waits, in turn.
const COMMANDS_MAX: usize = 1_024;

/// A client for many tasks at once: they fetch, stream and cancel on the connections of one pool. Cheap to clone; every clone is the same.
///
/// A task of the tokio runtime drives the agent. A request that is submitted while that task waits for octets is served at once.
///
/// Dropping the future of a call gives up what it asked for and nothing else: the exchange is cancelled, the others on its connection
/// live. However many are dropped together, those that had not left are never sent. When all clones and all [`AgentExchange`]s are dropped, the client ends and its sockets close.
///
/// Once the instance has ended, every call, also one that is waiting, gives the same [`HostError::Dead`]. After [`Agent::close`] they give
/// [`HostError::Closed`].
#[derive(Clone)]
pub struct Agent {
    shared: Arc<Shared>,
}

/// The shared state of the handles.
struct Shared {
    commands: mpsc::UnboundedSender<Queued>,
    places: Arc<Semaphore>,
    next_fetch: AtomicU64,
    given_up: Arc<GivenUp>,
    closed: AtomicBool,
    /// Why the driving task has ended.
    end: OnceLock<HostError>,
}

/// An agent at one moment.
#[derive(Clone, Debug)]
pub struct AgentInfo {
    /// Its connections and requests.
    pub poll: PollInfo,
    /// As [`Client::memory_octets`].
    pub memory_octets: usize,
    /// As [`Client::sockets_open`].
    pub sockets_open: usize,
}

impl Sandbox {
    /// Makes an instance of the component and an agent of it.
    ///
    /// # Errors
    /// As [`Sandbox::instantiate`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn agent(&self, options: impl Into<Option<PollOptions>>) -> Result<Agent, HostError> {
        self.instantiate().await?.into_agent(options).await
    }
}

impl Client {
    /// Gives the client to a task of its own. Its pool has these options. Connections that the client has are not driven any more.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn into_agent(mut self, options: impl Into<Option<PollOptions>>) -> Result<Agent, HostError> {
        let poll = self.poll(options).await?;
        let wake = Wake::new();
        poll.wake_on(&mut self, Some(&wake)).await?;
        let (commands, taken) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            commands,
            places: Arc::new(Semaphore::new(COMMANDS_MAX)),
            next_fetch: AtomicU64::new(0),
            given_up: Arc::default(),
            closed: AtomicBool::new(false),
            end: OnceLock::new(),
        });
        tokio::spawn(Driver::new(self, poll, wake, &shared, taken).run());
        Ok(Agent { shared })
    }
}

impl Agent {
    /// Makes an origin, to be kept for all requests that go there. `to` is as for [`Client::connect`]; `options` are those of the
    /// connections that are opened for it. Origins with equal endpoints and options share connections.
    ///
    /// # Errors
    /// As [`Client::origin`].
    pub async fn origin<E>(&self, to: E, options: impl Into<Option<ConnOptions>>) -> Result<Arc<Origin>, ConnError>
    where
        E: TryInto<Endpoint>,
        HostError: From<E::Error>,
    {
        self.origin_of(to.try_into().map_err(HostError::from)?, options.into()).await
    }

    async fn origin_of(&self, endpoint: Endpoint, options: Option<ConnOptions>) -> Result<Arc<Origin>, ConnError> {
        let origin = self.run(move |client, _| Box::pin(client.origin(endpoint, options))).await?;
        Ok(Arc::new(origin?))
    }

    /// How many octets of content [`Agent::fetch`] collects.
    pub const COLLECT_OCTETS_MAX: u64 = 1 << 20;

    /// Sends a request and waits for the whole response. The content of the request must be whole too; the content of the response may have
    /// [`Agent::COLLECT_OCTETS_MAX`] octets, and [`Agent::fetch_all`] has a limit of its own. The request is sent again within
    /// [`Limit::Retries`](crate::Limit::Retries).
    ///
    /// # Errors
    /// The failure of the exchange; [`HostError::WrongClient`]: the origin is another agent's.
    pub async fn fetch(&self, origin: &Arc<Origin>, request: Request) -> Result<Response, ExchangeError> {
        let completion = self.fetch_all(origin, vec![request], Self::COLLECT_OCTETS_MAX).await?.pop();
        match completion {
            Some(completion) => completion.outcome.map_err(CallError::Http),
            None => Err(self.shared.end().into()),
        }
    }

    /// Sends many requests to one origin, which go into the component in one call, and waits for all responses: at most
    /// `collect_octets_max` octets of content each. The completions, each with its own outcome and timing, are in the order of the
    /// requests. Their tokens are numbers of the agent's.
    ///
    /// # Errors
    /// Of the call as a whole, as [`Agent::fetch`].
    pub async fn fetch_all(
        &self,
        origin: &Arc<Origin>,
        requests: Vec<Request>,
        collect_octets_max: u64,
    ) -> Result<Vec<Completion>, HostError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let id = self.shared.next_fetch.fetch_add(1, Ordering::Relaxed);
        let (done, completions) = oneshot::channel();
        self.shared.send(Command::Fetch(Fetch { id, origin: Arc::clone(origin), requests, collect_octets_max, done })).await?;
        let mut under_way = UnderWay { agent: &self.shared, id: Some(id) };
        let completions = self.shared.answer(completions).await;
        under_way.id = None;
        completions?
    }

    /// Sends a request whose content, or whose response, is streamed; also one that asks for a tunnel (`CONNECT`, an upgrade). Returns as soon
    /// as it is queued. It is never sent again.
    ///
    /// # Errors
    /// As [`Poll::submit`]: nothing was sent.
    pub async fn open(&self, origin: &Arc<Origin>, request: Request) -> Result<AgentExchange, ExchangeError> {
        let (handle, answer) = oneshot::channel();
        let agent = Arc::clone(&self.shared);
        let opened = Box::new(move |opened: Result<(u64, Arc<Relay>), ExchangeError>| {
            // The handle is dropped, and with it the exchange given up, when nobody waits for it any more.
            let _ = handle.send(opened.map(|(token, relay)| AgentExchange::new(token, relay, agent)));
        });
        let origin = Arc::clone(origin);
        self.shared.send(Command::Open { origin, request: Box::new(request), opened }).await?;
        self.shared.answer(answer).await?
    }

    /// Counts.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn info(&self) -> Result<AgentInfo, HostError> {
        self.run(|client, poll| {
            Box::pin(async move {
                let poll = poll.info(client).await?;
                Ok(AgentInfo { poll, memory_octets: client.memory_octets(), sockets_open: client.sockets_open() })
            })
        })
        .await?
    }

    /// The pool's knowledge about an origin.
    ///
    /// # Errors
    /// Of the call only.
    pub async fn origin_info(&self, origin: &Arc<Origin>) -> Result<OriginInfo, HostError> {
        let origin = Arc::clone(origin);
        self.run(move |client, poll| Box::pin(async move { poll.origin_info(client, &origin).await })).await?
    }

    /// Has new connections use these addresses for a host, as [`Poll::resolve`].
    ///
    /// # Errors
    /// `api-misuse(invalid-endpoint)`: the host or an address is malformed, or there are too many.
    pub async fn resolve(&self, host: impl Into<String>, port: u16, addresses: Vec<String>) -> Result<(), ConnError> {
        let host = host.into();
        self.run(move |client, poll| Box::pin(async move { poll.resolve(client, &host, port, &addresses).await })).await?
    }

    /// The network changed, as [`Poll::network_changed`].
    ///
    /// # Errors
    /// Of the call only.
    pub async fn network_changed(&self) -> Result<(), HostError> {
        self.run(|client, poll| Box::pin(poll.network_changed(client))).await?
    }

    /// The handshake of a connection, by the id that completions, failures and connections have, as [`Client::tls_info`].
    ///
    /// # Errors
    /// Of the call only.
    pub async fn tls_info(&self, connection: u64) -> Result<Option<TlsInfo>, HostError> {
        self.run(move |client, _| Box::pin(client.tls_info(connection))).await?
    }

    /// Takes lines of the key log, as [`Client::take_key_log`].
    ///
    /// # Errors
    /// Of the call only.
    pub async fn take_key_log(&self, lines_max: u32) -> Result<Vec<String>, HostError> {
        self.run(move |client, _| Box::pin(client.take_key_log(lines_max))).await?
    }

    /// Takes no more requests, lets those under way end, for at most this long, and cancels the rest: each fails with
    /// `closed(cancelled)` and its delivery. Returns how many these were, once all sockets are closed. When its future is dropped, the agent
    /// closes all the same. May be called again: the shortest time holds.
    ///
    /// # Errors
    /// [`HostError::Dead`]; [`HostError::Closed`] when it was closed before.
    pub async fn close(&self, within: Duration) -> Result<usize, HostError> {
        let (closed, answer) = oneshot::channel();
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.tell(Command::Close { within, closed });
        self.shared.answer(answer).await
    }

    /// Has the driving task do something with the client between two waits.
    async fn run<R, F>(&self, call: F) -> Result<R, HostError>
    where
        R: Send + 'static,
        F: for<'a> FnOnce(&'a mut Client, &'a Poll) -> Answering<'a, R> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |client, poll| {
            Box::pin(async move {
                // Nobody is there when the caller has stopped waiting.
                let _ = reply.send(call(client, poll).await);
            })
        });
        self.shared.send(Command::Run(work)).await?;
        self.shared.answer(answer).await
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("end", &self.shared.end.get()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Sends a command, once there is a place for it.
    async fn send(&self, command: Command) -> Result<(), HostError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| self.end())?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(self.end());
        }
        self.commands.send((command, Some(place))).map_err(|_| self.end())
    }

    /// Sends a command that is about what exists already. When the driving task is gone, so is that.
    fn tell(&self, command: Command) {
        let _ = self.commands.send((command, None));
    }

    /// Gives a fetch up. Nobody waits for an answer.
    fn give_up(&self, id: u64) {
        if self.given_up.push(id) {
            self.tell(Command::GiveUp);
        }
    }

    /// Waits for the answer to a command, or until there is none any more.
    async fn answer<R>(&self, answer: oneshot::Receiver<R>) -> Result<R, HostError> {
        if let Ok(answer) = answer.await {
            return Ok(answer);
        }
        if !self.closed.load(Ordering::SeqCst) {
            // The driving task is about to say why it ends.
            self.commands.closed().await;
        }
        Err(self.end())
    }

    /// Why there is no answer.
    fn end(&self) -> HostError {
        self.end.get().cloned().unwrap_or(HostError::Closed)
    }

    /// The driving task ends.
    fn end_with(&self, end: HostError) {
        let _ = self.end.set(end);
        self.places.close();
    }
}

/// A fetch whose answer is awaited: dropped before it has come, it is given up.
struct UnderWay<'a> {
    agent: &'a Shared,
    id: Option<u64>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.agent.give_up(id);
        }
    }
}

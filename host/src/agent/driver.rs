//! The task that owns the client: it takes commands, waits, and hands out what has come.

use std::collections::HashMap;
use std::future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::Shared;
use super::command::{Command, Fetch, GivenUp, Queued};
use super::fetches::Fetches;
use super::relay::Relay;
use super::stream::Stream;
use crate::client::Client;
use crate::client::origin::Origin;
use crate::client::poll::Poll;
use crate::client::wake::Wake;
use crate::error::{CallError, ExchangeError, HostError};
use crate::limits::TICK;
use crate::types::{Event, Request};

/// Commands that are taken between two waits, so that nobody's commands hold up everybody's octets.
const TURN_COMMANDS_MAX: usize = 256;

/// How long one wait in the component lasts. While a call is under way, a thread advances the engine's epoch: an agent at rest should not
/// cost that.
const INSIDE_TIME_MAX: Duration = Duration::from_millis(100);

/// Completions that one call hands out.
const COMPLETIONS_MAX: u32 = 256;

pub(super) struct Driver {
    client: Client,
    poll: Poll,
    wake: Wake,
    agent: Weak<Shared>,
    commands: mpsc::UnboundedReceiver<Queued>,
    given_up: Arc<GivenUp>,
    next_token: u64,
    fetches: Fetches,
    streams: HashMap<u64, Stream>,
    closing: Option<Closing>,
    /// Why it ends.
    end: HostError,
}

/// The agent was closed.
struct Closing {
    until: Instant,
    closed: Vec<oneshot::Sender<usize>>,
    cut_off: usize,
}

/// Why a wait ended.
enum Next {
    /// Something came from the component.
    Turn,
    Command(Queued),
    /// All handles are gone.
    Nobody,
}

impl Next {
    fn of(command: Option<Queued>) -> Self {
        command.map_or(Self::Nobody, Self::Command)
    }
}

impl Driver {
    pub(super) fn new(
        client: Client,
        poll: Poll,
        wake: Wake,
        agent: &Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Queued>,
    ) -> Self {
        Self {
            client,
            poll,
            wake,
            agent: Arc::downgrade(agent),
            commands,
            given_up: Arc::clone(&agent.given_up),
            next_token: 1,
            fetches: Fetches::default(),
            streams: HashMap::new(),
            closing: None,
            end: HostError::Closed,
        }
    }

    /// Until the agent is closed, nobody has a handle of it, or the instance ends.
    pub(super) async fn run(mut self) {
        if let Err(error) = self.drive().await {
            self.end = error;
            self.closing = None;
        }
        let closing = self.closing.take();
        // Its sockets are closed before anybody is told so.
        drop(self);
        if let Some(Closing { closed, cut_off, .. }) = closing {
            for closed in closed {
                let _ = closed.send(cut_off);
            }
        }
    }

    async fn drive(&mut self) -> Result<(), HostError> {
        let mut first = None;
        loop {
            self.take_commands(first.take()).await?;
            if self.closing.as_ref().is_some_and(|closing| closing.until <= Instant::now()) || self.is_done() {
                return self.cut_off().await;
            }
            let (events, mut next) = self.wait().await?;
            let moved = self.serve(&events).await?;
            if !moved && matches!(next, Next::Turn) && self.commands.is_empty() {
                next = self.wait_outside().await?;
            }
            first = match next {
                Next::Turn => None,
                Next::Command(command) => Some(command),
                Next::Nobody => return Ok(()),
            };
        }
    }

    /// Whether the agent was closed and nothing is under way.
    fn is_done(&self) -> bool {
        self.closing.is_some() && self.fetches.is_empty() && self.streams.values().all(Stream::is_over)
    }

    /// Takes commands as they came, but first what was given up; fetches for one origin with one limit that stand together go into the
    /// component together.
    async fn take_commands(&mut self, first: Option<Queued>) -> Result<(), HostError> {
        self.cancel_given_up().await?;
        let mut fetches: Vec<Vec<Fetch>> = Vec::new();
        let mut next = first.or_else(|| self.commands.try_recv().ok());
        let mut taken = 1;
        while let Some((command, _place)) = next {
            match command {
                Command::Fetch(fetch) => {
                    match fetches.iter_mut().find(|together| together.first().is_some_and(|first| first.goes_with(&fetch))) {
                        Some(together) => together.push(fetch),
                        None => fetches.push(vec![fetch]),
                    }
                }
                other => {
                    self.submit(std::mem::take(&mut fetches)).await?;
                    self.obey(other).await?;
                }
            }
            next = if taken < TURN_COMMANDS_MAX { self.commands.try_recv().ok() } else { None };
            taken += 1;
        }
        self.submit(fetches).await
    }

    async fn submit(&mut self, fetches: Vec<Vec<Fetch>>) -> Result<(), HostError> {
        for fetches in fetches {
            let Some(first) = fetches.first() else { continue };
            let (origin, octets_max) = (Arc::clone(&first.origin), first.collect_octets_max);
            let mut requests: Vec<Request> = Vec::new();
            let first_token = self.next_token;
            let mut tokens = Vec::with_capacity(fetches.len());
            for fetch in fetches.into_iter().filter(|fetch| !fetch.done.is_closed() && self.closing.is_none()) {
                let token = first_token + requests.len() as u64;
                tokens.push(token);
                self.fetches.insert(token, fetch.requests.len(), fetch.id, fetch.done);
                requests.extend(fetch.requests);
            }
            self.next_token += requests.len() as u64;
            if requests.is_empty() {
                continue;
            }
            if let Err(error) = self.poll.fetch_all(&mut self.client, &origin, &requests, first_token, octets_max).await {
                self.check()?;
                for done in tokens.into_iter().filter_map(|token| self.fetches.end(token)) {
                    let _ = done.send(Err(error.clone()));
                }
            }
        }
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<(), HostError> {
        let Self { client, poll, streams, .. } = self;
        match command {
            Command::Fetch(fetch) => self.submit(vec![vec![fetch]]).await?,
            Command::GiveUp => self.cancel_given_up().await?,
            Command::Open { origin, request, opened } => {
                opened(self.open(&origin, *request).await?);
            }
            Command::Look(token) => {
                if let Some(stream) = streams.get_mut(&token) {
                    stream.look(client).await?;
                }
            }
            Command::Finish { token, trailers, finished } => {
                if let Some(stream) = streams.get_mut(&token) {
                    stream.finish(client, trailers, finished).await?;
                }
            }
            Command::Timing { token, timing } => {
                if let Some(stream) = streams.get(&token) {
                    let _ = timing.send(stream.timing(client).await?);
                }
            }
            Command::Cancel(token) => {
                if let Some(stream) = streams.get(&token) {
                    stream.cancel(client).await?;
                }
            }
            Command::Release(token) => drop(streams.remove(&token)),
            Command::Run(work) => {
                work(client, poll).await;
                self.check()?;
            }
            Command::Close { within, closed } => {
                let until = Instant::now() + within;
                let closing = self.closing.get_or_insert_with(|| Closing { until, closed: Vec::new(), cut_off: 0 });
                closing.until = closing.until.min(until);
                closing.closed.push(closed);
            }
        }
        Ok(())
    }

    /// Sends a request that its caller streams.
    async fn open(&mut self, origin: &Origin, request: Request) -> Result<Result<(u64, Arc<Relay>), ExchangeError>, HostError> {
        if self.closing.is_some() {
            return Ok(Err(HostError::Closed.into()));
        }
        let token = self.next_token;
        self.next_token += 1;
        match self.poll.submit(&mut self.client, origin, &request, token).await {
            Ok(exchange) => {
                let relay = Arc::new(Relay::default());
                self.streams.insert(token, Stream::new(exchange, Arc::clone(&relay)));
                Ok(Ok((token, relay)))
            }
            Err(error) => {
                self.check()?;
                Ok(Err(error))
            }
        }
    }

    /// Cancels all that was given up since the last time, in one call: nothing is sent between two of them.
    async fn cancel_given_up(&mut self) -> Result<(), HostError> {
        let tokens: Vec<u64> = self.given_up.take().into_iter().flat_map(|id| self.fetches.give_up(id)).collect();
        self.cancel(&tokens).await
    }

    /// Cancels requests of fetches; their completions come with the next ones.
    async fn cancel(&mut self, tokens: &[u64]) -> Result<(), HostError> {
        if !tokens.is_empty() {
            self.poll.cancel_all(&mut self.client, tokens).await?;
        }
        Ok(())
    }

    /// Waits in the component until it has something to report or there is a command.
    async fn wait(&mut self) -> Result<(Vec<Event>, Next), HostError> {
        let timeout = match self.commands.is_empty() {
            true => self.time_left().unwrap_or(INSIDE_TIME_MAX).min(INSIDE_TIME_MAX),
            false => Duration::ZERO,
        };
        let Self { client, poll, commands, wake, .. } = self;
        // A command that came before this is still in the channel, and ends the wait.
        wake.clear();
        let mut wait = pin!(poll.wait(client, Some(timeout), u32::MAX));
        tokio::select! {
            biased;
            command = commands.recv() => {
                wake.wake();
                Ok((wait.await?, Next::of(command)))
            }
            events = &mut wait => Ok((events?, Next::Turn)),
        }
    }

    /// Waits outside of the component: there, a wait would return at once, because exchanges stand ready for callers that do nothing; or
    /// nothing has come for long.
    async fn wait_outside(&mut self) -> Result<Next, HostError> {
        let deadline = self.poll.next_deadline(&mut self.client).await?;
        let time_max = deadline.into_iter().chain(self.time_left()).min();
        let Self { client, poll, commands, .. } = self;
        let over = async {
            match time_max {
                Some(time) => sleep(time).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            command = commands.recv() => Ok(Next::of(command)),
            ready = client.ready_poll(poll) => match ready {
                Ok(()) => Ok(Next::Turn),
                Err(CallError::Host(error)) => Err(error),
                Err(CallError::Http(_)) => {
                    sleep(TICK).await;
                    Ok(Next::Turn)
                }
            },
            () = over => Ok(Next::Turn),
        }
    }

    /// Until what is under way is cut off.
    fn time_left(&self) -> Option<Duration> {
        self.closing.as_ref().map(|closing| closing.until.saturating_duration_since(Instant::now()))
    }

    /// Hands out what the component has reported. False: there was nothing to be done.
    async fn serve(&mut self, events: &[Event]) -> Result<bool, HostError> {
        let mut moved = false;
        for event in events {
            match event {
                Event::Completions(_) => {
                    self.take_completions().await?;
                    moved = true;
                }
                Event::Exchange(event) => {
                    if let Some(stream) = self.streams.get_mut(&event.token) {
                        moved |= stream.serve(&mut self.client, event.ready).await?;
                    }
                }
                Event::Conn(_) | Event::Woken => {}
            }
        }
        Ok(moved)
    }

    async fn take_completions(&mut self) -> Result<(), HostError> {
        loop {
            let completions = self.poll.take_completions(&mut self.client, COMPLETIONS_MAX).await?;
            let taken = completions.len();
            for completion in completions {
                self.fetches.complete(completion);
            }
            if taken < COMPLETIONS_MAX as usize {
                return Ok(());
            }
        }
    }

    /// Ends what is still under way, each with what is known about its delivery.
    async fn cut_off(&mut self) -> Result<(), HostError> {
        let tokens = self.fetches.open_tokens();
        let mut cut_off = tokens.len();
        self.cancel(&tokens).await?;
        self.take_completions().await?;
        for stream in self.streams.values_mut().filter(|stream| !stream.is_over()) {
            cut_off += 1;
            stream.cut_off(&mut self.client).await?;
        }
        if let Some(closing) = &mut self.closing {
            closing.cut_off = cut_off;
        }
        Ok(())
    }

    /// The instance lives.
    fn check(&self) -> Result<(), HostError> {
        self.client.death().map_or(Ok(()), |death| Err(HostError::Dead(death.clone())))
    }
}

impl Drop for Driver {
    /// Also when the runtime ends: nobody waits for ever.
    fn drop(&mut self) {
        if let Some(agent) = self.agent.upgrade() {
            agent.end_with(self.end.clone());
        }
        for stream in self.streams.values() {
            stream.fail(&self.end);
        }
    }
}

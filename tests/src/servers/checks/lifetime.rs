//! Connections that the server ends: nothing is lost, nothing is doubled, and every failure says what was true.

use super::{assume, require};
use crate::servers::caller::{Caller, POOL_CONNECTIONS};
use crate::servers::capability::{Found, Scale};
use crate::servers::running::Running;
use sandpiper_host::types::Delivery;
use sandpiper_host::{ConnOptions, Failure, Request, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const REQUESTS: usize = 12;
const CONNECTIONS_MAX: usize = 8;
/// How often a request is tried at the moment at which its connection is closed.
const MOMENTS: u64 = 8;
/// How long the limited port waits for a request.
const IDLE: Duration = Duration::from_secs(1);
/// How much longer a server may take to notice.
const IDLE_MARGIN: Duration = Duration::from_millis(2_500);
/// How many requests of the pool are under way.
const UNDER_WAY: usize = 32;
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// 200, with the right content.
    Answered,
    /// 502, 503 or 504: the server does not know itself what has become of it.
    Regretted,
    /// A failure, with what it says.
    Failed(Delivery),
}

impl End {
    /// May the server have counted it, or not?
    fn is_unsure(self) -> bool {
        matches!(self, End::Regretted | End::Failed(Delivery::Unanswered | Delivery::ResponseStarted))
    }
}

/// Requests that the server counts, and what has become of them.
#[derive(Default)]
struct Ledger {
    /// By target, each attempt.
    attempts: BTreeMap<String, Vec<End>>,
}

impl Ledger {
    fn enter(&mut self, target: &str, outcome: &Result<Response, Failure>) -> Result<(), String> {
        let path = target.split('?').next().unwrap_or_default();
        let end = match outcome {
            Ok(response) if matches!(response.head.status, 502..=504) => End::Regretted,
            Ok(response) => {
                let right = response.head.status == 200 && response.content == format!("counted {path}").as_bytes();
                require!(right, "{target}: {} {}", response.head.status, response.content.escape_ascii());
                End::Answered
            }
            Err(failure) => End::Failed(failure.delivery),
        };
        self.attempts.entry(path.to_owned()).or_default().push(end);
        Ok(())
    }

    /// The server may have seen it as often before.
    fn enter_resent(&mut self, target: &str, times: u32) {
        let path = target.split('?').next().unwrap_or_default();
        let attempts = self.attempts.entry(path.to_owned()).or_default();
        attempts.extend((0..times).map(|_| End::Failed(Delivery::Unanswered)));
    }

    fn count(&self, wanted: impl Fn(End) -> bool) -> usize {
        self.attempts.values().flatten().filter(|end| wanted(**end)).count()
    }

    /// Holds the outcomes against what the server has seen.
    fn check(&self, server: &Running) -> Result<(), String> {
        let seen = server.seen();
        for (target, attempts) in &self.attempts {
            let least = attempts.iter().filter(|end| **end == End::Answered).count();
            let most = least + attempts.iter().filter(|end| end.is_unsure()).count();
            let count = seen.get(target).copied().unwrap_or(0);
            require!((least..=most).contains(&count), "{target} was seen {count} times, and its attempts were {attempts:?}");
        }
        Ok(())
    }
}

pub(in crate::servers) fn request_limit(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let mut ledger = Ledger::default();
    let mut left: Vec<String> = (0..REQUESTS).map(|number| format!("/app/count/limit{number}")).collect();
    let mut connections = 0;
    while !left.is_empty() {
        connections += 1;
        require!(connections <= CONNECTIONS_MAX, "{} of {REQUESTS} have no answer", left.len());
        let conn = caller.connect(server.limited, assume());
        let requests: Vec<Request> = left.iter().map(Request::get).collect();
        let mut unanswered = Vec::new();
        for (target, exchange) in left.into_iter().zip(caller.send_all(&conn, &requests)) {
            let outcome = exchange.and_then(|exchange| caller.collect(&exchange));
            ledger.enter(&target, &outcome)?;
            if outcome.is_err() {
                unanswered.push(target);
            }
        }
        left = unanswered;
    }
    ledger.check(server)?;
    let unsure = ledger.count(End::is_unsure);
    require!(unsure == 0, "{unsure} requests behind a `close` are not known to be unprocessed");
    match connections {
        1 => Ok(Found::Absent("one connection took them all".to_owned())),
        _ => Ok(Found::Passed(format!("on {connections} connections"))),
    }
}

pub(in crate::servers) fn list(server: &mut Running, caller: &mut Caller, scale: Scale) -> Result<Found, String> {
    let origin = caller.origin(server.limited, ConnOptions::default());
    let requests: Vec<Request> = (0..scale.list).map(|number| Request::get(format!("/app/count/list{number}"))).collect();
    caller.submit(&origin, &requests, 0);
    let (mut ended, mut resent, mut connections) = (0, 0, BTreeSet::new());
    let began = Instant::now();
    while ended < requests.len() {
        require!(began.elapsed() < PATIENCE, "{ended} of {} have ended after {PATIENCE:?}", requests.len());
        for completion in caller.completions(PAUSE) {
            let response = completion.outcome.map_err(|failure| format!("{}: {failure:?}", completion.token))?;
            let expected = format!("counted /app/count/list{}", completion.token);
            require!(response.content == expected.as_bytes(), "{expected}: {}", response.content.escape_ascii());
            connections.insert(completion.connection);
            resent += completion.retries;
            ended += 1;
        }
    }
    Ok(Found::Passed(format!("{ended} on {} connections, {resent} sent again", connections.len())))
}

pub(in crate::servers) fn idle_timeout(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let mut ledger = Ledger::default();
    let began = Instant::now();
    let mut conns = Vec::new();
    for number in 0..=MOMENTS {
        let conn = caller.connect(server.limited, ConnOptions::default());
        let target = format!("/app/count/idle{number}");
        let outcome = caller.fetch(&conn, &Request::get(&target));
        ledger.enter(&target, &outcome)?;
        conns.push(conn);
    }
    // The last one stays idle; the others are used around the moment at which they are closed.
    let idle = conns.pop();
    for (number, conn) in (0..).zip(&conns) {
        let moment = IDLE + Duration::from_millis(12 * number) - Duration::from_millis(24);
        caller.wait(moment.saturating_sub(began.elapsed()));
        let target = format!("/app/count/late{number}");
        let outcome = caller.fetch(conn, &Request::get(&target));
        ledger.enter(&target, &outcome)?;
    }
    let late = ledger.count(|end| end != End::Answered);
    let Some(idle) = idle else { return Err("no connection".to_owned()) };
    while caller.info(&idle).closed_by.is_none() && began.elapsed() < IDLE + IDLE_MARGIN {
        caller.wait(PAUSE);
    }
    if caller.info(&idle).closed_by.is_none() {
        return Ok(Found::Absent(format!("still open after {:?}", IDLE + IDLE_MARGIN)));
    }
    let target = "/app/count/closed";
    let outcome = caller.fetch(&idle, &Request::get(target));
    ledger.enter(target, &outcome)?;
    require!(matches!(outcome, Err(Failure { delivery: Delivery::NotSent, .. })), "on a closed connection: {outcome:?}");
    ledger.check(server)?;
    Ok(Found::Passed(format!("{late} of {MOMENTS} came too late")))
}

pub(in crate::servers) fn restart(server: &mut Running, caller: &mut Caller, scale: Scale) -> Result<Found, String> {
    let mut ledger = Ledger::default();
    let origin = caller.origin(server.plain, assume());
    let targets: Vec<String> = (0..scale.requests).map(|number| format!("/app/count/restart{number}?slow")).collect();
    let requests: Vec<Request> = targets.iter().map(Request::get).collect();
    let (mut sent, mut ended, mut restarted, mut after) = (0, 0, false, 0);
    let mut connections = BTreeSet::new();
    let began = Instant::now();
    while ended < requests.len() {
        require!(began.elapsed() < PATIENCE, "{ended} of {} have ended after {PATIENCE:?}", requests.len());
        let room = (UNDER_WAY + ended - sent).min(requests.len() - sent);
        caller.submit(&origin, &requests[sent..sent + room], sent as u64);
        sent += room;
        for completion in caller.completions(PAUSE) {
            let target = usize::try_from(completion.token).ok().and_then(|token| targets.get(token));
            let target = target.ok_or_else(|| format!("a completion of nothing: {completion:?}"))?;
            require!(!ledger.attempts.contains_key(target.trim_end_matches("?slow")), "{target} has ended twice");
            ledger.enter(target, &completion.outcome)?;
            ledger.enter_resent(target, completion.retries);
            connections.insert(completion.connection);
            ended += 1;
            after += usize::from(restarted && completion.outcome.is_ok_and(|response| response.head.status == 200));
        }
        if !restarted && ended >= requests.len() / 4 {
            restarted = true;
            server.restart()?;
        }
    }
    connections.remove(&0);
    require!(connections.len() > POOL_CONNECTIONS as usize, "no connection was replaced: it has not restarted");
    require!(after > requests.len() / 4, "only {after} answers after the restart");
    ledger.check(server)?;
    let answered = ledger.count(|end| end == End::Answered);
    let unsure = ledger.count(End::is_unsure);
    Ok(Found::Passed(format!("{answered} of {ended} answered, {unsure} attempts unsure")))
}

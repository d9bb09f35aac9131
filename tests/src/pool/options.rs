//! What a seed chooses for a poll, its origins and its requests.

use crate::choices::Choices;
use crate::message::{Build, Limit, Timer, Tune, ms, options, poll_options, request};
use crate::peer::requests::content_octet;
use sandpiper_guest::PollOptions;
use sandpiper_guest::poll::Origin;
use sandpiper_guest::types::{Endpoint, Persistence, Request, Reuse};
use std::rc::Rc;

/// The limits of an episode.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// As in `poll-options`.
    pub connections_max: u32,
    /// The same.
    pub per_origin_max: u32,
    /// The same.
    pub queue_max: u32,
    /// The same.
    pub idle_max: u32,
    /// The same.
    pub retries_max: u32,
    /// The same.
    pub completion_octets_max: u64,
    /// Requests on one connection at once.
    pub depth_max: u32,
    /// No peer ends, refuses or errs.
    pub calm: bool,
    /// No request asks for a connection of a certain kind, none is sent again, and nothing is held back: what can leave must leave.
    pub plain: bool,
}

impl Bounds {
    /// The limits that a seed chooses.
    pub fn new(random: &mut Choices) -> Bounds {
        let plain = random.chance(1, 4);
        Bounds {
            connections_max: *random.pick(&[1, 2, 3, 6, 20]),
            per_origin_max: *random.pick(&[1, 1, 2, 4]),
            queue_max: *random.pick(&[0, 1, 5, 1_000]),
            idle_max: *random.pick(&[0, 1, 64]),
            retries_max: if plain { 0 } else { *random.pick(&[0, 0, 1, 3]) },
            completion_octets_max: if plain { 1 << 30 } else { *random.pick(&[0, 100, 5_000, 1 << 26]) },
            depth_max: *random.pick(&[1, 2, 5, 64]),
            calm: random.chance(1, 4),
            plain,
        }
    }

    /// The same as options.
    pub fn options(&self) -> PollOptions {
        poll_options([
            (Limit::Connections, self.connections_max.into()),
            (Limit::ConnectionsPerOrigin, self.per_origin_max.into()),
            (Limit::QueueLength, self.queue_max.into()),
            (Limit::IdleConnections, self.idle_max.into()),
            (Limit::Retries, self.retries_max.into()),
            (Limit::CompletionOctets, self.completion_octets_max),
        ])
    }
}

/// An endpoint in the network of memory.
pub fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: "a.test".to_owned(), port, addresses: Vec::new(), tls: None }
}

/// An origin at this port.
pub fn origin(random: &mut Choices, bounds: &Bounds, port: u16) -> Rc<Origin> {
    let persistence = *random.pick(&[Persistence::Learn, Persistence::Learn, Persistence::Assume, Persistence::Close]);
    let persistence = if bounds.calm && persistence == Persistence::Close { Persistence::Learn } else { persistence };
    let lifetime = if bounds.calm { None } else { *random.pick(&[None, None, Some(4_000)]) };
    let idle = if bounds.calm { 3_600_000 } else { *random.pick(&[5_000, 60_000]) };
    let requests_max = if bounds.calm { None } else { *random.pick(&[None, None, Some(3)]) };
    let buffer = *random.pick(&[1_024, 262_144]);
    let mut given = options().persistence(persistence).depth(bounds.depth_max);
    given = given.deadline(Timer::Idle, idle).deadline(Timer::Connect, 10_000);
    given = given.limit(Limit::ReceiveBufferOctets, buffer).limit(Limit::DrainOctets, 2_000);
    if let Some(span) = lifetime {
        given = given.deadline(Timer::Lifetime, span);
    }
    if let Some(requests) = requests_max {
        given = given.limit(Limit::Requests, requests);
    }
    Rc::new(Origin::new(endpoint(port), Some(given)).expect("valid options"))
}

/// A request, as the caller knows it.
#[derive(Debug)]
pub struct Given {
    /// The request.
    pub request: Request,
    /// May it be repeated although the server may have acted on it?
    pub idempotent: bool,
    /// Content that the caller is to write.
    pub to_write: Option<usize>,
    /// It ends in a completion.
    pub collected: bool,
    /// It goes before the others, and behind none.
    pub ahead: bool,
    /// Nanoseconds until it must have ended, and until it must have its turn.
    pub total: Option<u64>,
    /// The same.
    pub queue: Option<u64>,
}

/// A request that names its token.
pub fn given(random: &mut Choices, bounds: &Bounds, token: u64, must_collect: bool) -> Given {
    let target = format!("/{token}");
    let content = |octets| (0..octets).map(|position| content_octet(token, position)).collect::<Vec<_>>();
    let (method, mut made, to_write) = match random.below(12) {
        0 => ("HEAD", request("HEAD", &target), None),
        1 => ("POST", request("POST", &target).content(content(7)), None),
        2 => ("POST", request("POST", &target), None),
        3 => ("PUT", request("PUT", &target).content(content(5_000)), None),
        4 if !must_collect => ("PUT", request("PUT", &target).length(3_000), Some(3_000)),
        5 if !must_collect => ("POST", request("POST", &target).streamed(), Some(2_000)),
        _ => ("GET", request("GET", &target), None),
    };
    let mut idempotent = method != "POST";
    if random.chance(1, 10) {
        idempotent = random.chance(1, 2);
        made = made.idempotent(idempotent);
    }
    let (total, queue) = match random.below(10) {
        0 => (Some(*random.pick(&[0, 500, 5_000])), None),
        1 => (None, Some(*random.pick(&[0, 500, 5_000]))),
        _ => (None, None),
    };
    let reuse = match random.below(12) {
        0 if !bounds.plain => Reuse::FRESH,
        1 if !bounds.plain && !bounds.calm => Reuse::FORBID,
        2 if !bounds.plain => Reuse::AWAIT_VERDICT,
        3 if !bounds.plain => Reuse::AHEAD,
        _ => Reuse::empty(),
    };
    let hold = random.chance(1, 12);
    made = made.options(|options| {
        options.reuse = reuse;
        options.hold_pipeline = hold;
    });
    for (timer, span) in [(Timer::Total, total), (Timer::Queue, queue)] {
        made = span.map_or(made.clone(), |span| made.deadline(timer, span));
    }
    let (total, queue) = (total.map(ms), queue.map(ms));
    Given { request: made, idempotent, to_write, collected: must_collect, ahead: reuse == Reuse::AHEAD, total, queue }
}

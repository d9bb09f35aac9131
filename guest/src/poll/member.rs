//! A connection in a poll.

use crate::conn::ClientConn;
use crate::driver::Shared;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::ConnState;

/// A connection in a poll.
#[derive(Debug)]
pub(super) struct Member<L> {
    /// The connection.
    pub(super) shared: Shared<L>,
    /// What it is there for.
    pub(super) role: Role,
    /// What it is counted as; only for those of the pool.
    pub(super) status: Status,
    /// When it comes up in the timers.
    pub(super) armed: Option<Instant>,
    /// It stands in the list of those that may have something to report.
    pub(super) reporting: bool,
    /// Where it stands in the list of those that every wait looks at.
    pub(super) watch_place: Option<usize>,
    /// The rank of that of its requests that was submitted last.
    pub(super) newest: u64,
    /// It has answered a request.
    pub(super) answered: bool,
    /// The stamp of its entry in the list of idle connections.
    pub(super) idle_stamp: Option<u64>,
}

/// What a member is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The caller inserted it, with this token.
    Inserted(u64),
    /// A connection of the pool, to this origin.
    Pooled(Id),
}

/// A member, or a request, that may have something to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reporter {
    /// A member.
    Member(Id),
    /// A request that no connection has.
    Waiting(Id),
}

/// What a connection of the pool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Its transport is being established.
    Connecting,
    /// It has no request.
    Idle,
    /// It has requests.
    Busy,
    /// It is closed.
    Closed,
}

impl<L> Member<L> {
    /// A member that nothing is known of yet.
    pub(super) fn new(shared: Shared<L>, role: Role) -> Member<L> {
        let status = Status::Connecting;
        Member {
            shared,
            role,
            status,
            armed: None,
            reporting: false,
            watch_place: None,
            newest: 0,
            answered: false,
            idle_stamp: None,
        }
    }
}

impl Status {
    /// What a connection does now.
    pub(super) fn of(conn: &ClientConn) -> Status {
        match conn.state() {
            ConnState::Closed => Status::Closed,
            _ if !conn.is_established() => Status::Connecting,
            _ if conn.length() == 0 => Status::Idle,
            _ => Status::Busy,
        }
    }
}

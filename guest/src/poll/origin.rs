//! Where requests of a pool go, and what is known about it.

use super::back_off::BackOff;
use super::gate::Gate;
use super::limits::PIPELINE_STALL_NS;
use super::line::Line;
use super::totals::Totals;
use super::trust::Trust;
use crate::endpoint::{self, bare};
use crate::settings::Settings;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{ConnOptions, Endpoint, Error, HttpVersion, PersistenceLearnt};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

/// An origin, as the caller names it.
#[derive(Debug)]
pub struct Origin {
    /// Where its connections lead; the host in lower case.
    pub endpoint: Endpoint,
    /// The authority of its requests.
    pub authority: String,
    /// The checked options of the connections of a pool.
    pub settings: Rc<Settings>,
    /// The deadline `pipeline-stall` that the caller has given.
    stall: Option<u64>,
    /// Where the poll that used it last keeps what it knows: the number of the poll, and the place.
    place: Cell<Option<(u64, Id)>>,
}

impl Origin {
    /// An origin.
    ///
    /// Errors: `api-misuse(invalid-endpoint)`, `api-misuse(invalid-option)`.
    pub fn new(mut endpoint: Endpoint, options: Option<ConnOptions>) -> Result<Origin, Error> {
        let mut settings = Settings::checked(options.as_ref())?;
        let stall = settings.deadlines.pipeline_stall;
        settings.deadlines.pipeline_stall.get_or_insert(PIPELINE_STALL_NS);
        let settings = Rc::new(settings);
        endpoint::check(&endpoint)?;
        endpoint.host.make_ascii_lowercase();
        let authority = endpoint::authority(&endpoint);
        Ok(Origin { endpoint, authority, settings, stall, place: Cell::new(None) })
    }

    /// The options of a connection of the caller's: no pool moves the requests of a pipeline that stalls.
    pub fn settings_of_own(&self) -> Settings {
        let mut settings = Settings::clone(&self.settings);
        settings.deadlines.pipeline_stall = self.stall;
        settings
    }

    /// Whether the two share connections.
    pub fn is_same(&self, other: &Origin) -> bool {
        // With TLS or without, an authority names one host and port, but for the zone of an address.
        self.authority == other.authority
            && bare(&self.endpoint.host) == bare(&other.endpoint.host)
            && self.endpoint.addresses == other.endpoint.addresses
            && self.endpoint.tls == other.endpoint.tls
            && self.settings == other.settings
    }

    pub(super) fn place_in(&self, poll: u64) -> Option<Id> {
        self.place.get().filter(|(of, _)| *of == poll).map(|(_, id)| id)
    }

    pub(super) fn set_place(&self, poll: u64, id: Id) {
        self.place.set(Some((poll, id)));
    }
}

/// What a pool knows about an origin.
#[derive(Debug)]
pub(super) struct Known {
    /// The origin.
    pub(super) origin: Rc<Origin>,
    /// Its requests that wait.
    pub(super) line: Line,
    /// Its connections that accept requests.
    pub(super) members: Vec<Id>,
    /// Those of them that have become idle, the last one last; some are not any more.
    pub(super) idle: Vec<Id>,
    /// Its connections that are not closed.
    pub(super) open: usize,
    /// Those of them whose transport is being established.
    pub(super) connecting: usize,
    /// The version of the last response.
    pub(super) version: Option<HttpVersion>,
    /// What the last connection that showed anything has shown.
    pub(super) persistence: PersistenceLearnt,
    /// After how many responses the server has declared the end of the last connection that it ended so.
    pub(super) ends_after: Option<u64>,
    /// Whether it can be trusted with pipelines.
    pub(super) trust: Trust,
    /// Connections that could not be established.
    pub(super) back_off: BackOff,
    /// How fast new connections follow each other.
    pub(super) gate: Gate,
    /// When it comes up in the timers.
    pub(super) armed: Option<Instant>,
    /// It stands in the list of those whose requests may have a turn.
    pub(super) marked: bool,
    /// It stands in the list of those that wait for room.
    pub(super) starved: bool,
    /// What its connections and requests came to.
    pub(super) counts: Totals,
    /// The higher, the later it was used.
    pub(super) used: u64,
}

impl Known {
    /// A connection has become idle.
    pub(super) fn list_idle(&mut self, conn: Id) {
        if self.idle.len() > 2 * self.members.len() {
            let members = &self.members;
            self.idle.retain(|listed| members.contains(listed));
        }
        self.idle.push(conn);
    }

    /// An origin of which nothing is known.
    pub(super) fn new(origin: Rc<Origin>) -> Known {
        Known {
            origin,
            line: Line::default(),
            members: Vec::new(),
            idle: Vec::new(),
            open: 0,
            connecting: 0,
            version: None,
            persistence: PersistenceLearnt::Unknown,
            ends_after: None,
            trust: Trust::default(),
            back_off: BackOff::default(),
            gate: Gate::default(),
            armed: None,
            marked: false,
            starved: false,
            counts: Totals::default(),
            used: 0,
        }
    }
}

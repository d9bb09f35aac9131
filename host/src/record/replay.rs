//! Reads a recording, and plays its connections.
//!
//! What the component reads comes in the recorded order and segmentation, and never before the component has written as much, and
//! looked as often in vain, as it had then; what it writes it may write as far as it had before the next read. Time is not
//! played: a wait of the server's takes none.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::difference::Difference;
use super::format::{How, Line, VERSION, Why, code_named};
use super::player::Player;
use super::recorder::{RECORDING_OCTETS_MAX, trouble};
use crate::error::HostError;

/// Random octets that are given at once: wasmtime's own bound.
const RANDOM_OCTETS_MAX: usize = 64 << 20;

/// A recording that [`SandboxBuilder::replay`](crate::SandboxBuilder::replay) plays. Clones are the same replay: each recorded
/// connection is played once.
#[derive(Clone)]
pub struct Replay(Arc<Shared>);

struct Shared {
    path: PathBuf,
    tape: Recording,
    played: Mutex<Played>,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Recording {
    connections: Vec<Arc<Connection>>,
    lookups: Vec<Lookup>,
    /// What each instance drew, and which dates it was told.
    drawn: HashMap<u64, Drawn>,
    /// Is the end of what happened missing?
    cut_off: bool,
}

/// What an instance got from chance and the calendar.
#[derive(Debug, Default)]
struct Drawn {
    random: Vec<Vec<u8>>,
    dates: Vec<(u64, u32)>,
}

#[derive(Debug)]
struct Lookup {
    name: String,
    /// `None`: the recording ends before the lookup did.
    outcome: Option<Result<Vec<IpAddr>, ErrorCode>>,
    looks: u64,
}

/// Who a connection was to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Address(SocketAddr),
    Authority(String),
}

/// One recorded connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    /// How it was established, or was not; `None`: neither is known. And the looks before.
    pub(super) opening: Option<Result<Addresses, ErrorCode>>,
    pub(super) opening_looks: u64,
    /// All octets that the component wrote.
    pub(super) written: Vec<u8>,
    /// What the component read.
    pub(super) reads: Vec<Incoming>,
    pub(super) output_end: Option<OutputEnd>,
    /// The component closed it: nothing is missing at its end.
    pub(super) closed: bool,
}

/// The addresses of an established connection: local and remote.
pub(super) type Addresses = (Option<SocketAddr>, Option<SocketAddr>);

/// Something that a read gave, once so much had been written and so many reads had given nothing.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) written: u64,
    pub(super) looks: u64,
    pub(super) since_last: Duration,
    time_ns: u64,
    pub(super) what: Result<Bytes, How>,
}

/// The end of the sending direction.
#[derive(Debug)]
pub(super) struct OutputEnd {
    pub(super) written: u64,
    pub(super) reads: u64,
    pub(super) how: How,
}

#[derive(Debug, Default)]
struct Played {
    /// Connections begun, by peer.
    begun: HashMap<Peer, usize>,
    players: Vec<Option<Arc<Player>>>,
    looked_up: HashMap<String, usize>,
    instances: u64,
    /// How many draws and dates each instance has had.
    drawn: HashMap<u64, (usize, usize)>,
    difference: Option<Difference>,
}

impl Replay {
    /// Reads a recording, of [`RECORDING_OCTETS_MAX`](crate::RECORDING_OCTETS_MAX) at most, into memory. One whose end is missing
    /// can be played as far as it goes.
    ///
    /// # Errors
    /// [`HostError::Recording`]: the file cannot be read, or is no recording, or one of another version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HostError> {
        let path = path.as_ref();
        let text = read(path).map_err(|reason| trouble(path, &reason))?;
        let tape = Recording::parse(&text).map_err(|reason| trouble(path, &reason))?;
        let players = tape.connections.iter().map(|_| None).collect();
        let played = Mutex::new(Played { players, ..Played::default() });
        Ok(Self(Arc::new(Shared { path: path.to_owned(), tape, played })))
    }

    /// The first difference so far. The connection that it is about has failed with it, inside the component, as if it had been
    /// reset.
    pub fn difference(&self) -> Option<Difference> {
        self.played().difference.clone()
    }

    /// The first difference, now that nothing more is going to happen: what was recorded and not done counts as well.
    ///
    /// # Errors
    /// The difference.
    pub fn finish(&self) -> Result<(), Difference> {
        let played = self.played();
        if let Some(difference) = &played.difference {
            return Err(difference.clone());
        }
        let recorded = self.0.tape.connections.iter().zip(&played.players).enumerate();
        recorded
            .into_iter()
            .find_map(|(index, (connection, player))| missing(index + 1, connection, player.as_deref()))
            .map_or(Ok(()), Err)
    }

    /// The next recorded connection to this address.
    pub(super) fn tcp(&self, address: SocketAddr) -> Arc<Player> {
        self.next(Peer::Address(address))
    }

    /// The next recorded transport that the caller gave for this authority.
    pub(super) fn stream(&self, authority: &str) -> Arc<Player> {
        self.next(Peer::Authority(authority.to_owned()))
    }

    fn next(&self, peer: Peer) -> Arc<Player> {
        let mut played = self.played();
        let begun = played.begun.entry(peer.clone()).or_insert(0);
        let nth = std::mem::replace(begun, *begun + 1);
        let mut same = self.0.tape.connections.iter().enumerate().filter(|(_, connection)| connection.peer == peer);
        match same.nth(nth) {
            Some((index, connection)) => {
                let player = Arc::new(Player::new(self.clone(), index + 1, Arc::clone(connection)));
                played.players[index] = Some(Arc::clone(&player));
                player
            }
            None => {
                drop(played);
                self.differ(Difference::NoConnection(peer.to_string()));
                Arc::new(Player::new(self.clone(), 0, Arc::new(Connection::refused(peer))))
            }
        }
    }

    /// What the next recorded lookup of this name gave, and after how many looks; `None`: it had not ended.
    pub(crate) fn look_up(&self, name: &str) -> (Option<Result<Vec<IpAddr>, ErrorCode>>, u64) {
        let mut played = self.played();
        let begun = played.looked_up.entry(name.to_owned()).or_insert(0);
        let nth = std::mem::replace(begun, *begun + 1);
        drop(played);
        match self.0.tape.lookups.iter().filter(|lookup| lookup.name == name).nth(nth) {
            Some(lookup) => (lookup.outcome.clone(), lookup.looks),
            None => {
                self.differ(Difference::NoLookup(name.to_owned()));
                (Some(Err(ErrorCode::PermanentResolverFailure)), 0)
            }
        }
    }

    /// Another instance was made; gives its number.
    pub(super) fn begin_instance(&self) -> u64 {
        let mut played = self.played();
        played.instances += 1;
        played.instances
    }

    /// What the instance drew next; zeros where that was something else.
    pub(super) fn random(&self, instance: u64, octets: u64) -> Vec<u8> {
        let nth = {
            let mut played = self.played();
            let (drawn, _) = played.drawn.entry(instance).or_default();
            std::mem::replace(drawn, *drawn + 1)
        };
        let octets = usize::try_from(octets).unwrap_or(usize::MAX).min(RANDOM_OCTETS_MAX);
        let recorded = self.0.tape.drawn.get(&instance).and_then(|drawn| drawn.random.get(nth));
        match recorded.filter(|recorded| recorded.len() == octets) {
            Some(recorded) => recorded.clone(),
            None => {
                self.differ(Difference::NotDrawn { instance });
                vec![0; octets]
            }
        }
    }

    /// The next date that the instance was told, or again the last one.
    pub(super) fn date(&self, instance: u64) -> (u64, u32) {
        let nth = {
            let mut played = self.played();
            let (_, told) = played.drawn.entry(instance).or_default();
            std::mem::replace(told, *told + 1)
        };
        let dates = self.0.tape.drawn.get(&instance).map_or(&[][..], |drawn| &drawn.dates);
        dates.get(nth).or(dates.last()).copied().unwrap_or_else(|| {
            self.differ(Difference::NotDrawn { instance });
            (0, 0)
        })
    }

    /// Notes a difference, if it is the first.
    pub(super) fn differ(&self, difference: Difference) {
        self.played().difference.get_or_insert(difference);
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.0.tape.cut_off
    }

    /// A panic while the lock was held cannot have left it half-changed.
    fn played(&self) -> MutexGuard<'_, Played> {
        self.0.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let difference = self.difference();
        f.debug_struct("Replay").field("path", &self.0.path).field("difference", &difference).finish_non_exhaustive()
    }
}

/// What of a recorded connection was not done.
fn missing(number: usize, connection: &Connection, player: Option<&Player>) -> Option<Difference> {
    let recorded_octets = connection.written.len() as u64;
    match player.map(Player::written) {
        None => Some(Difference::NotMade { connection: number, to: connection.peer.to_string() }),
        Some(octets) if octets < recorded_octets => Some(Difference::NotWritten { connection: number, octets, recorded_octets }),
        Some(_) => None,
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(RECORDING_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if octets.len() as u64 > RECORDING_OCTETS_MAX {
        return Err(format!("it has more than the {RECORDING_OCTETS_MAX} octets of a recording"));
    }
    String::from_utf8(octets).map_err(|_| "it is not a recording of sandpiper".to_owned())
}

impl Recording {
    /// The error is a clause.
    fn parse(text: &str) -> Result<Self, String> {
        // A line without its end is one that a crash cut off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines().enumerate();
        check_first(lines.next().map(|(_, line)| line))?;
        let mut recording = Self { cut_off: true, ..Self::default() };
        for (index, line) in lines {
            let at = |reason: &dyn fmt::Display| format!("line {} is not one of a recording: {reason}", index + 1);
            if !recording.cut_off {
                return Err(at(&"it stands behind the end"));
            }
            let line = serde_json::from_str(line).map_err(|error| at(&error))?;
            recording.add(line).map_err(|reason| at(&reason))?;
        }
        Ok(recording)
    }

    fn add(&mut self, line: Line) -> Result<(), &'static str> {
        match line {
            Line::SandpiperRecording { .. } => return Err("it stands at the beginning only"),
            Line::Lookup { lookup, name } => {
                in_order(lookup, self.lookups.len())?;
                self.lookups.push(Lookup { name, outcome: None, looks: 0 });
            }
            Line::Answers { lookup, looks, addresses, error, .. } => {
                let place = index_of(lookup).and_then(|index| self.lookups.get_mut(index)).ok_or("no such lookup")?;
                let code = error.map(|name| code_named(&name).ok_or("no such error code")).transpose()?;
                (place.outcome, place.looks) = (Some(code.map_or(Ok(addresses), Err)), looks);
            }
            Line::Random { instance, octets } => self.drawn.entry(instance).or_default().random.push(octets.0),
            Line::Date { instance, seconds, nanoseconds } => {
                self.drawn.entry(instance).or_default().dates.push((seconds, nanoseconds));
            }
            Line::Connect { connection, address } => self.begin(connection, Peer::Address(address), None)?,
            Line::Handshake { connection, authority } => {
                self.begin(connection, Peer::Authority(authority), Some(Ok((None, None))))?;
            }
            // The rest of a full recording is missing as well.
            Line::End { why } => self.cut_off = why == Why::Limit,
            other => self.add_to_connection(other)?,
        }
        Ok(())
    }

    fn begin(&mut self, number: u64, peer: Peer, opening: Option<Result<Addresses, ErrorCode>>) -> Result<(), &'static str> {
        in_order(number, self.connections.len())?;
        self.connections.push(Arc::new(Connection { opening, ..Connection::new(peer) }));
        Ok(())
    }

    fn connection(&mut self, number: u64) -> Result<&mut Connection, &'static str> {
        let place = index_of(number).and_then(|index| self.connections.get_mut(index));
        place.and_then(Arc::get_mut).ok_or("no such connection")
    }

    fn add_to_connection(&mut self, line: Line) -> Result<(), &'static str> {
        match line {
            Line::Connected { connection, looks, local, remote, .. } => {
                let place = self.connection(connection)?;
                (place.opening, place.opening_looks) = (Some(Ok((local, remote))), looks);
            }
            Line::NotConnected { connection, looks, error, .. } => {
                let code = code_named(&error).ok_or("no such error code")?;
                let place = self.connection(connection)?;
                (place.opening, place.opening_looks) = (Some(Err(code)), looks);
            }
            Line::Write { connection, octets, .. } => self.connection(connection)?.written.extend(octets.0),
            Line::Read { connection, time_ns, written, looks, octets } => {
                self.connection(connection)?.read(time_ns, written, looks, Ok(octets.0.into()))?;
            }
            Line::InputEnd { connection, time_ns, written, looks, how } => {
                self.connection(connection)?.read(time_ns, written, looks, Err(how))?;
            }
            Line::OutputEnd { connection, written, reads, how, .. } => {
                self.connection(connection)?.output_end = Some(OutputEnd { written, reads, how });
            }
            Line::Close { connection, .. } => self.connection(connection)?.closed = true,
            _ => return Err("it is not about a connection"),
        }
        Ok(())
    }
}

fn check_first(line: Option<&str>) -> Result<(), String> {
    match line.map(serde_json::from_str) {
        Some(Ok(Line::SandpiperRecording { version: VERSION })) => Ok(()),
        Some(Ok(Line::SandpiperRecording { version })) => {
            Err(format!("it is a recording of version {version}, and version {VERSION} is what can be read"))
        }
        _ => Err("it is not a recording of sandpiper".to_owned()),
    }
}

fn index_of(number: u64) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

fn in_order(number: u64, before: usize) -> Result<(), &'static str> {
    if index_of(number) == Some(before) { Ok(()) } else { Err("its number is not the next one") }
}

impl Connection {
    fn new(peer: Peer) -> Self {
        let (written, reads) = (Vec::new(), Vec::new());
        Self { peer, opening: None, opening_looks: 0, written, reads, output_end: None, closed: false }
    }

    /// One that is not in the recording: it fails.
    fn refused(peer: Peer) -> Self {
        Self { opening: Some(Err(ErrorCode::AccessDenied)), ..Self::new(peer) }
    }

    fn read(&mut self, time_ns: u64, written: u64, looks: u64, what: Result<Bytes, How>) -> Result<(), &'static str> {
        let last = self.reads.last();
        if written != self.written.len() as u64 || last.is_some_and(|last| last.what.is_err()) {
            return Err("it does not fit to what the connection has written and read before");
        }
        let since_last = Duration::from_nanos(time_ns.saturating_sub(last.map_or(0, |last| last.time_ns)));
        self.reads.push(Incoming { written, looks, since_last, time_ns, what });
        Ok(())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Authority(authority) => authority.fmt(f),
        }
    }
}

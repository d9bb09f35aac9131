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

use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::difference::{Difference, Differences};
use super::player::Player;
use super::recorder::{RECORDING_OCTETS_MAX, trouble};
use super::script::{Connection, Peer, Script};
use crate::error::HostError;

/// Random octets that are given at once: wasmtime's own bound.
const RANDOM_OCTETS_MAX: usize = 64 << 20;

/// A recording that [`SandboxBuilder::replay`](crate::SandboxBuilder::replay) plays. Clones are the same replay: each recorded
/// connection is played once.
#[derive(Clone)]
pub struct Replay(Arc<Shared>);

struct Shared {
    path: PathBuf,
    script: Script,
    differences: Differences,
    played: Mutex<Played>,
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
        let script = Script::parse(&text).map_err(|reason| trouble(path, &reason))?;
        let players = script.connections.iter().map(|_| None).collect();
        let played = Mutex::new(Played { players, ..Played::default() });
        Ok(Self(Arc::new(Shared { path: path.to_owned(), script, differences: Differences::default(), played })))
    }

    /// The first difference so far. The connection that it is about has failed with it, inside the component, as if it had been
    /// reset.
    pub fn difference(&self) -> Option<Difference> {
        self.0.differences.first()
    }

    /// The first difference, now that nothing more is going to happen: what was recorded and not done counts as well.
    ///
    /// # Errors
    /// The difference.
    pub fn finish(&self) -> Result<(), Difference> {
        if let Some(difference) = self.difference() {
            return Err(difference);
        }
        let played = self.played();
        let recorded = self.0.script.connections.iter().zip(&played.players).enumerate();
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
        let mut same = self.0.script.connections.iter().enumerate().filter(|(_, connection)| connection.peer == peer);
        match same.nth(nth) {
            Some((index, connection)) => {
                let player = Arc::new(self.player(index + 1, Arc::clone(connection)));
                played.players[index] = Some(Arc::clone(&player));
                player
            }
            None => {
                drop(played);
                self.differ(Difference::NoConnection(peer.to_string()));
                Arc::new(self.player(0, Arc::new(Connection::refused(peer))))
            }
        }
    }

    fn player(&self, number: usize, connection: Arc<Connection>) -> Player {
        Player::new(self.0.differences.clone(), number, connection, self.0.script.cut_off)
    }

    /// What the next recorded lookup of this name gave, and after how many looks; `None`: it had not ended.
    pub(super) fn look_up(&self, name: &str) -> (Option<Result<Vec<IpAddr>, ErrorCode>>, u64) {
        let mut played = self.played();
        let begun = played.looked_up.entry(name.to_owned()).or_insert(0);
        let nth = std::mem::replace(begun, *begun + 1);
        drop(played);
        match self.0.script.lookups.iter().filter(|lookup| lookup.name == name).nth(nth) {
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
        let recorded = self.0.script.drawn.get(&instance).and_then(|drawn| drawn.random.get(nth));
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
        let dates = self.0.script.drawn.get(&instance).map_or(&[][..], |drawn| &drawn.dates);
        dates.get(nth).or(dates.last()).copied().unwrap_or_else(|| {
            self.differ(Difference::NotDrawn { instance });
            (0, 0)
        })
    }

    fn differ(&self, difference: Difference) {
        self.0.differences.note(difference);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Recorder;

    #[test]
    fn each_instance_gets_what_it_got() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let recorder = Recorder::create(&path).unwrap();
        let (one, other) = (recorder.begin_instance(), recorder.begin_instance());
        recorder.random(one, b"ab");
        recorder.random(other, b"xyz");
        recorder.date(one, 5, 6);
        recorder.date(one, 7, 8);
        recorder.random(one, b"cd");
        drop(recorder);
        let replay = Replay::open(&path).unwrap();
        let (one, other) = (replay.begin_instance(), replay.begin_instance());
        assert_eq!(
            (replay.random(other, 3), replay.random(one, 2), replay.random(one, 2)),
            (b"xyz".into(), b"ab".into(), b"cd".into())
        );
        assert_eq!([replay.date(one), replay.date(one), replay.date(one)], [(5, 6), (7, 8), (7, 8)]);
        assert_eq!(replay.difference(), None);
        assert_eq!(replay.date(other), (0, 0));
        assert_eq!(replay.difference(), Some(Difference::NotDrawn { instance: other }));
    }

    #[test]
    fn another_number_of_octets_is_a_difference() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let recorder = Recorder::create(&path).unwrap();
        let instance = recorder.begin_instance();
        recorder.random(instance, b"ab");
        drop(recorder);
        for wanted in [1, 3] {
            let replay = Replay::open(&path).unwrap();
            let instance = replay.begin_instance();
            assert_eq!(replay.random(instance, wanted).len() as u64, wanted);
            assert_eq!(replay.difference(), Some(Difference::NotDrawn { instance }));
        }
    }
}

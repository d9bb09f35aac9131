//! Records what crosses the boundary between the component and the network, and plays it back without a network.
//!
//! All that an instance is told from outside comes through one trait, [`Outside`]. Recording wraps this machine (`recording`, with a `track`
//! for each connection), and what it notes goes into the file (`recorder`); a replay stands in the place of this machine (`replaying`), and
//! has it from the file (`script`, `replay`, `player`). The file is described in `docs/reference/record.md`, and by `format`.

mod difference;
mod format;
mod player;
mod recorder;
mod recording;
mod replay;
mod replaying;
mod script;
mod track;

pub use difference::Difference;
pub use recorder::{RECORDING_OCTETS_DEFAULT, RECORDING_OCTETS_MAX, Recorder};
pub use replay::Replay;

use crate::wasi::outside::Outside;
use recording::Recording;
use replaying::Replaying;

/// Where what comes from outside goes to, or comes from.
#[derive(Clone, Debug)]
pub(crate) enum Tape {
    Record(Recorder),
    Replay(Replay),
}

impl Tape {
    /// What another instance is told from outside.
    pub(crate) fn over(&self, outside: impl Outside + 'static) -> Box<dyn Outside> {
        match self {
            Self::Record(recorder) => Box::new(Recording::new(recorder.clone(), outside)),
            Self::Replay(replay) => Box::new(Replaying::new(replay.clone())),
        }
    }
}

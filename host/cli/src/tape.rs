//! `--record` and `--replay`.

use sandpiper_host::{Recorder, Replay, SandboxBuilder};

use super::args::Fetch;
use super::tell;

/// The file that the connections of a fetch go to, or come from.
#[derive(Debug)]
pub(crate) enum Tape {
    Off,
    Record(Recorder),
    Replay(Replay),
}

impl Tape {
    /// # Errors
    /// A sentence: the file cannot be written, or is no recording.
    pub(crate) fn new(fetch: &Fetch) -> Result<Self, String> {
        let tape = match (&fetch.output.record, &fetch.connection.replay) {
            (Some(file), _) => Recorder::create(file).map(Self::Record),
            (None, Some(file)) => Replay::open(file).map(Self::Replay),
            (None, None) => Ok(Self::Off),
        };
        tape.map_err(|error| error.to_string())
    }

    /// Has the sandbox record, or replay.
    pub(crate) fn attach(&self, builder: SandboxBuilder) -> SandboxBuilder {
        match self {
            Self::Off => builder,
            Self::Record(recorder) => builder.record(recorder),
            Self::Replay(replay) => builder.replay(replay),
        }
    }

    /// The exit status when the fetch ended with this one: an incomplete recording, and a difference in a replay, are failures.
    pub(crate) fn conclude(self, status: u8) -> u8 {
        let problem = match self {
            Self::Off => None,
            Self::Record(recorder) => recorder.check().err().map(|error| format!("--record: {error}")),
            Self::Replay(replay) => replay.finish().err().map(|difference| format!("--replay: {difference}")),
        };
        match problem {
            Some(problem) => {
                tell(&format!("sandpiper: {problem}\n"));
                status.max(1)
            }
            None => status,
        }
    }
}

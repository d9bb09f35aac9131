//! Response vectors: octets of a server, and what their source says a client makes of them. Those of this project are in `tests/vectors`, all
//! other folders of such files are read where they lie. `docs/evidence/vectors.md` says how to run them and what the outcome means.
//!
//! | module | holds |
//! |---|---|
//! | [`case`] | a case as its file states it |
//! | [`folder`] | the files of a folder |
//! | [`profile`] | the settings that a case asks for |
//! | [`script`] | what a case becomes: requests, and octets for them |
//! | [`play`] | a script, played in a world; what was seen of it |
//! | [`judge`] | what was seen, held against what the source says |
//! | [`second`] | the response behind the one of the case |
//! | [`stance`] | where this project differs from a source on purpose |
//! | [`trial`] | all the runs of one case |
//! | [`run`] | all cases, on every processor |
//! | [`report`] | the table and the report |

pub mod case;
pub mod folder;
pub mod judge;
pub mod play;
pub mod profile;
pub mod report;
pub mod run;
pub mod script;
pub mod second;
pub mod stance;
pub mod trial;

//! The same response octets through the core and through other clients, and every difference explained.
//!
//! | module | holds |
//! |---|---|
//! | [`case`] | the octets: seeds, their mutations, responses made by the grammar, and the vectors of other projects where these lie beside the workspace |
//! | [`outcome`] | what a client makes of a case, and what the core does |
//! | [`peers`] | the other clients |
//! | [`document`] | the page about a run |
//! | [`groups`] | differences by group, each with its reviewed explanation in `explained.json` |

pub mod case;
pub mod document;
pub mod groups;
pub mod outcome;
pub mod peers;

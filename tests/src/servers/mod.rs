//! Real servers, and what each of them can do, tried through the component.
//!
//! | module | holds |
//! |---|---|
//! | [`kind`] | the servers: how each is found, configured and restarted, and what it lacks |
//! | [`running`] | one that runs, with a site of its own |
//! | [`content`], [`origin`] | what they serve, and the application behind those that only pass on |
//! | [`caller`] | the component as their client |
//! | [`capability`] | what is tried |
//! | [`matrix`] | server by capability: the run and its table |
//!
//! Configurations and scripts are in `tests/servers`.

pub mod caller;
pub mod capability;
mod checks;
pub mod content;
pub mod kind;
pub mod matrix;
pub mod origin;
pub mod running;

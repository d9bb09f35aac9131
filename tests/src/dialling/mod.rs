//! Dialling in a made internet, with the component's own loop: connections that look names up, race addresses and end at deadlines, under one
//! virtual clock, and a table that says what must become of each.
//!
//! | module | holds |
//! |---|---|
//! | [`internet`] | names and addresses, and what becomes of look-ups and attempts |
//! | [`run`] | connections that are dialled, and the clock |
//! | [`truth`] | what must have become of a connection |
//! | [`draw`] | internets and endpoints that a seed gives |

pub mod draw;
pub mod internet;
pub mod run;
pub mod truth;

pub use run::{Dialled, Run};

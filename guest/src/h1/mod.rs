//! HTTP/1.1 on the wire.
//!
//! | file | holds |
//! |---|---|
//! | `connection` | one connection: its outstanding requests, in their order, and which of them is written and answered |
//! | `receive`, `ending`, `deadline` | the same: what is heard; requests that are not answered; deadlines of the first one |
//! | `writer`, `reader`, `persistence` | its three machines |
//! | `turn` | when the first one became the first, and what has moved since |
//! | `look` | whether an idle connection may be written to |
//! | [`state`] | table B |
//! | [`encode`], [`parse`], [`framing`], [`chunked`] | heads out and in, the end of content, the chunked transfer coding: table B2 |

pub mod chunked;
mod connection;
mod deadline;
pub mod encode;
mod ending;
pub mod framing;
mod look;
pub mod parse;
mod persistence;
mod reader;
mod receive;
pub mod state;
mod turn;
mod writer;

pub use connection::Connection;

//! HTTP/1.1 on the wire.

pub mod chunked;
pub mod encode;
pub mod framing;
pub mod parse;
pub mod state;

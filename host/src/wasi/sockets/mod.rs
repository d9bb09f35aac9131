//! TCP of the host's own, and Unix sockets in its place, behind `wasi:sockets/tcp` and `wasi:io/streams`.
//!
//! Wasmtime's streams copy each write out of the component's memory and send it in pieces of 64 KiB, clear the memory of each read, and cannot
//! say who is ready without being asked. Its sockets do not give away what they have connected, so the sockets are our own too.

mod connection;
mod io_streams;
mod option;
mod socket;
mod streams;
mod tcp;
mod transport;
mod usage;

pub(crate) use io_streams::{link, stream_answer};
pub use socket::TcpSocket;
pub(crate) use streams::Streams;

use std::io;

use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

/// As WASI says it.
fn code_of(error: io::Error) -> ErrorCode {
    wasmtime_wasi::sockets::ErrorCode::from(error).into()
}

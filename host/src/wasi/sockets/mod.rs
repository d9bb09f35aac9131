//! TCP of the host's own, and Unix sockets in its place, behind `wasi:sockets/tcp` and `wasi:io/streams`.
//!
//! Wasmtime's streams copy each write out of the component's memory and send it in pieces of 64 KiB, clear the memory of each read, and cannot
//! say who is ready without being asked. Its sockets do not give away what they have connected, so the sockets are our own too.

mod address;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod io_streams;
mod option;
pub(crate) mod socket;
pub(crate) mod streams;
mod tcp;
mod transport;
pub(crate) mod usage;

use std::io;

use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

/// As WASI says it.
fn code_of(error: io::Error) -> ErrorCode {
    wasmtime_wasi::sockets::ErrorCode::from(error).into()
}

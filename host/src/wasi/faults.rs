//! Faults: functions that the component imports answer with an error, instead of doing anything. For tests of the component, and of
//! callers of the component.

use std::sync::Arc;

use wasmtime_wasi::p2::StreamError;
pub use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

/// A function that the component imports, and that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Import {
    /// `create-tcp-socket`
    CreateTcpSocket,
    /// `tcp-socket.start-connect`
    StartConnect,
    /// `tcp-socket.finish-connect`
    FinishConnect,
    /// `tcp-socket.local-address`
    LocalAddress,
    /// `tcp-socket.remote-address`
    RemoteAddress,
    /// `tcp-socket.shutdown`
    Shutdown,
    /// `resolve-addresses`
    ResolveAddresses,
    /// `resolve-address-stream.resolve-next-address`
    ResolveNextAddress,
    /// `input-stream.read`
    Read,
    /// `output-stream.check-write`
    CheckWrite,
    /// `output-stream.write`
    Write,
    /// `poll`
    Poll,
    /// `get-random-bytes`
    GetRandomBytes,
    /// `wall-clock.now`
    Now,
    /// `future-client-streams.get`
    GetClientStreams,
}

/// The answer of a function that does nothing.
///
/// `get-random-bytes` cannot fail: the function returns no octets with `Nothing`, and one octet with `One`, for any request. `now`
/// returns 1970 with any fault. `future-client-streams.get` returns an error where a stream would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A function of `wasi:sockets` fails with the code. A function of a stream: [`Fault::Failed`].
    Code(ErrorCode),
    /// A stream answers `last-operation-failed`. A function of `wasi:sockets`: `unknown`.
    Failed,
    /// A stream answers `closed`. A function of `wasi:sockets`: `connection-aborted`.
    Closed,
    /// Nothing yet: no octets, no room, `would-block`, no streams with TLS. `poll` reports everything as ready, and nothing need be
    /// ready. `write` has no such answer, and does its work.
    Nothing,
    /// One octet, or room for one octet. Other functions do their work.
    One,
}

type Plan = Arc<dyn Fn(Import, &[u8]) -> Option<Fault> + Send + Sync>;

/// The faults of an instance, none by default. Each function asks before doing its work.
#[derive(Clone, Default)]
pub(crate) struct Faults(Option<Plan>);

impl Faults {
    /// `plan` is asked before each call of such a function, with the octets that a write hands over: `None` lets the function do its work.
    pub(crate) fn new(plan: impl Fn(Import, &[u8]) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(plan)))
    }

    /// The fault of this call.
    pub(super) fn fault(&self, import: Import, octets: &[u8]) -> Option<Fault> {
        self.0.as_ref().and_then(|plan| plan(import, octets))
    }

    /// For a function of `wasi:sockets`.
    ///
    /// # Errors
    /// The error of the fault.
    pub(super) fn check(&self, import: Import) -> Result<(), ErrorCode> {
        self.fault(import, &[]).and_then(Fault::code).map_or(Ok(()), Err)
    }

    /// For a function of a stream that is asked for octets, or for room: how many octets the function returns at most.
    ///
    /// # Errors
    /// The error of the fault.
    pub(super) fn octets_max(&self, import: Import, octets_max: u64) -> Result<u64, StreamError> {
        match self.fault(import, &[]) {
            None => Ok(octets_max),
            Some(Fault::Nothing) => Ok(0),
            Some(Fault::One) => Ok(octets_max.min(1)),
            Some(fault) => fault.stream_error().map_or(Ok(octets_max), Err),
        }
    }

    /// For `output-stream.write`.
    ///
    /// # Errors
    /// The error of the fault.
    pub(super) fn check_written(&self, octets: &[u8]) -> Result<(), StreamError> {
        self.fault(Import::Write, octets).and_then(Fault::stream_error).map_or(Ok(()), Err)
    }
}

impl Fault {
    /// The fault as a function of `wasi:sockets` reports a fault; `None`: the function does its work.
    fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Code(code) => Some(code),
            Self::Failed => Some(ErrorCode::Unknown),
            Self::Closed => Some(ErrorCode::ConnectionAborted),
            Self::Nothing => Some(ErrorCode::WouldBlock),
            Self::One => None,
        }
    }

    /// The fault as a stream reports a fault; `None`: no error.
    pub(super) fn stream_error(self) -> Option<StreamError> {
        match self {
            Self::Code(_) | Self::Failed => Some(StreamError::LastOperationFailed(wasmtime::Error::msg("a fault"))),
            Self::Closed => Some(StreamError::Closed),
            Self::Nothing | Self::One => None,
        }
    }
}

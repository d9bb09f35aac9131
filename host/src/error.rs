//! Errors of the host's side of the boundary, apart from the errors that the component returns.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::types::{Error, Failure};

/// The host cannot do what was asked, or the instance is gone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostError {
    /// A rule of the policy cannot be read.
    InvalidRule {
        /// The rule as it was given.
        rule: String,
        /// The fault, as a clause.
        reason: &'static str,
    },
    /// A URL does not say where to connect.
    InvalidUrl {
        /// The URL as it was given.
        url: String,
        /// The fault, as a clause.
        reason: &'static str,
    },
    /// The file of a component cannot be read.
    Unreadable {
        /// Its path.
        path: String,
        /// The reading's error.
        reason: Arc<str>,
    },
    /// The loaded octets are not a component in binary form.
    NotAComponent(&'static str),
    /// The component is not valid, or not for this engine.
    InvalidComponent(Arc<str>),
    /// The component imports what this host does not give; or gives, but of another type.
    ForeignImports {
        /// The interfaces.
        imports: Vec<String>,
        /// How the types differ, if the names do not.
        reason: Option<Arc<str>>,
    },
    /// A recording cannot be written or read.
    Recording {
        /// Its path.
        path: String,
        /// The fault.
        reason: Arc<str>,
    },
    /// The component takes the host's TLS, whose octets would be other ones each time: it can be neither recorded nor replayed.
    Unrecordable,
    /// The component does not export `sandpiper:http`, or exports it with other types.
    WrongExports(Arc<str>),
    /// The engine cannot be set up, or has no room for another instance.
    Engine(Arc<str>),
    /// A handle was used with a client that it is not from. Nothing was called.
    WrongClient,
    /// The client's instance has ended, with every connection in it. Each later call repeats this.
    Dead(Death),
    /// The [`Agent`](crate::Agent) was closed, and takes nothing any more. A request that is refused with this was not sent.
    Closed,
}

/// How an instance ended.
#[derive(Clone, Debug)]
pub struct Death {
    /// Why.
    pub cause: DeathCause,
    /// The runtime's own message, with the frames of the component's stack if there are any. Perhaps empty.
    pub detail: Arc<str>,
}

/// Why an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeathCause {
    /// The component trapped: a defect in it.
    Trapped,
    /// The component could not get the memory it wanted within
    /// [`memory_octets_max`](crate::ClientLimits::memory_octets_max).
    Memory {
        /// The octets it would have had.
        wanted_octets: usize,
        /// The limit.
        octets_max: usize,
    },
    /// One call used up [`fuel_per_call`](crate::ClientLimits::fuel_per_call).
    Fuel {
        /// The limit, in units of fuel.
        fuel_per_call: u64,
    },
    /// One call computed for longer than [`compute_time_max`](crate::ClientLimits::compute_time_max) without waiting
    /// for anything.
    Computing {
        /// The limit.
        compute_time_max: Duration,
    },
    /// One call took longer than [`call_time_max`](crate::ClientLimits::call_time_max).
    CallTime {
        /// The limit.
        call_time_max: Duration,
    },
    /// The future of a call was dropped before it was done.
    Cancelled,
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trapped => f.write_str("it trapped, which is a defect of the component; please report it"),
            Self::Memory { wanted_octets, octets_max } => {
                write!(f, "it wanted {wanted_octets} octets of memory and may have {octets_max} (memory_octets_max)")
            }
            Self::Fuel { fuel_per_call } => write!(f, "one call used up its fuel of {fuel_per_call} (fuel_per_call)"),
            Self::Computing { compute_time_max } => {
                write!(f, "one call computed for {compute_time_max:?} without waiting for anything (compute_time_max)")
            }
            Self::CallTime { call_time_max } => {
                write!(f, "one call took longer than {call_time_max:?} (call_time_max)")
            }
            Self::Cancelled => f.write_str("a call was given up before it was done, and what it was doing cannot be undone"),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the component's instance has ended, with every connection in it: {}", self.cause)?;
        match self.detail.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.detail),
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRule { rule, reason } => write!(f, "`{rule}` is not a rule of what may be reached: {reason}"),
            Self::InvalidUrl { url, reason } => write!(f, "`{url}` is not a URL to connect to: {reason}"),
            Self::Unreadable { path, reason } => write!(f, "cannot read the component {path}: {reason}"),
            Self::Recording { path, reason } => write!(f, "the recording {path}: {reason}"),
            Self::Unrecordable => {
                f.write_str("a component that takes the host's TLS cannot be recorded or replayed; one with TLS inside can")
            }
            Self::NotAComponent(found) => write!(f, "this is not a WebAssembly component in binary form, but {found}"),
            Self::InvalidComponent(reason) => write!(f, "the component cannot be compiled: {reason}"),
            Self::ForeignImports { imports, reason: None } => {
                write!(f, "the component imports what this host does not give it: {}", imports.join(", "))
            }
            Self::ForeignImports { imports, reason: Some(reason) } => {
                write!(f, "the component imports {} with other types than this host's: {reason}", imports.join(", "))
            }
            Self::WrongExports(reason) => {
                write!(f, "the component does not export sandpiper:http@0.2.0 as this host knows it: {reason}")
            }
            Self::Engine(reason) => write!(f, "the WebAssembly engine cannot: {reason}"),
            Self::WrongClient => f.write_str(
                "the handle is from another client: a connection, exchange or poll belongs to the client that made it",
            ),
            Self::Dead(death) => death.fmt(f),
            Self::Closed => f.write_str("the agent was closed"),
        }
    }
}

impl std::error::Error for HostError {}

impl From<Infallible> for HostError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A call into the component failed, on the host's side or on HTTP's.
///
/// Its text is a sentence for a person: what happened, and what is known about the delivery.
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The component answered with this. The client goes on.
    Http(E),
    /// The call itself failed.
    Host(HostError),
}

/// The error of a call on an exchange, or of a call that makes an exchange.
pub type ExchangeError = CallError<Failure>;

/// The error of a call on a connection or a poll.
pub type ConnError = CallError<Error>;

impl<E> From<HostError> for CallError<E> {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(failure) => f.write_str(&failure.sentence()),
            Self::Host(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ConnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => f.write_str(&error.sentence()),
            Self::Host(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExchangeError {}
impl std::error::Error for ConnError {}

/// Turns what the component returned into one level of `Result`.
pub(crate) fn flatten<T, E>(answer: Result<Result<T, E>, HostError>) -> Result<T, CallError<E>> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(CallError::Http(error)),
        Err(error) => Err(CallError::Host(error)),
    }
}

/// The text of an error with all its causes, for a field of [`HostError`].
pub(crate) fn text(error: &wasmtime::Error) -> Arc<str> {
    format!("{error:#}").into()
}

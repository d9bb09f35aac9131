//! The values of `wit/types.wit`, and those of `wit/client.wit`, `packed.wit`, `log.wit` and `tls.wit`. The WIT files document every field and case.

mod duration;
pub(crate) mod endpoint;
pub(crate) mod message;
mod options;
pub(crate) mod report;
mod text;

pub use duration::nanoseconds;

pub use crate::bindings::client::{
    Completion, ConnEvent, Event, ExchangeEvent, ExchangeInfo, OriginInfo, PollInfo, PollOptions, PoolCounts, Readiness,
};
pub use crate::bindings::log::{Entry as LogEntry, Event as LogEvent};
pub use crate::bindings::packed::{PackedCompletion, PackedHead, PackedResponse};
pub use crate::bindings::tls::{CertificateRefusal, TlsInfo};
pub use crate::bindings::types::{
    Chunk, CloseReason, ConnInfo, ConnOptions, ConnState, ConnectProblem, Delivery, Denial, DnsProblem, Ending, Endpoint, Error,
    ExchangeTiming, Failure, FieldLine, HttpVersion, Incompatibility, Leniency, Limit, Misbehaviour, Misuse, Nanoseconds,
    Persistence, PersistenceLearnt, Phase, Request, RequestContent, RequestOptions, Response, ResponseHead, Reuse, Timer,
    TlsOptions, TlsProblem, TlsVersion,
};

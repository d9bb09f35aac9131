//! HTTP client connections as a state machine without I/O, and as a WebAssembly component.
//!
//! ```text
//!   caller:  send, write, finish, read, collect, cancel      ─┐
//!            heads, content, trailers, failures               │  conn/ ─── exchange/         one exchange: table A
//!                                                             │    │
//!   transport: receive(octets), receive_end, transmitted ─────┤    └── Protocol ── h1/      the wire: table B,
//!              octets to transmit, the link's next step       │        (values: Incoming)    heads, framing, chunks
//!   clock:   now, handle_timeout, deadline                   ─┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`types`] | the values of the WIT package |
//! | [`conn`] | `ClientConn`: verbs in, octets and readiness out |
//! | [`exchange`] | one request and its response: table A; all of a connection, by id |
//! | [`request`] | a request, checked when it is sent, for any protocol |
//! | [`content`] | content that has not been read |
//! | [`protocol`] | the protocol of a connection: the one list of protocols |
//! | [`incoming`] | the events of a protocol |
//! | [`h1`] | HTTP/1.1 on the wire: table B, heads, framing, chunked coding |
//! | [`buffer`] | bounded octet queues; the only code that moves octets |
//! | [`settings`] | options, checked: limits and deadlines with their defaults |
//! | [`timer`] | moments as values |
//! | [`failure`] | how an error becomes a caller's failure, with its delivery |
//! | [`log`] | the connection's log |
//! | [`dial`] | from an endpoint to a connected peer: names, the race of addresses; what transports report |
//! | [`driver`], [`link`] | a connection with its transport, which is behind a trait; the octets between them |
//! | [`poll`] | many connections and one wait; the pool, its origins and its waiting lines |
//! | [`stream`] | what carries the octets of an established connection: one small trait |
//! | [`endpoint`], [`address`] | where a connection leads; addresses as text |
//! | [`slab`], `table` | values by id; state machines as tables |
//! | [`abnf`], [`field`], `head` | octet classes and numbers; field lines; the head of a response in one piece |
//! | `component` | the glue, in the wasm build only: the only code that names `wasi` |
//!
//! The core is behind a `#![no_std]` fence: no clock, no socket, no environment can be named in it. A panic in the component is
//! a trap that ends every connection of the instance, so none is reachable from octets or calls: a broken invariant
//! fails its own connection with `internal`.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod abnf;
pub mod address;
pub mod buffer;
pub mod conn;
pub mod content;
pub mod dial;
pub mod driver;
pub mod endpoint;
pub mod exchange;
pub mod failure;
pub mod field;
pub mod h1;
mod head;
pub mod incoming;
pub mod link;
pub mod log;
pub mod poll;
pub mod protocol;
pub mod request;
pub mod settings;
pub mod slab;
pub mod stream;
mod table;
pub mod timer;
#[cfg(feature = "tls")]
pub mod tls;
mod wit;

#[cfg(target_family = "wasm")]
mod component;

pub use wit::client::{
    Completion, ConnEvent, Event, ExchangeEvent, ExchangeInfo, OriginInfo, PollInfo, PollOptions, PoolCounts, Readiness,
};
pub use wit::types;

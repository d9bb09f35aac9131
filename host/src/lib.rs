//! Runs the sandpiper component, an HTTP client inside a WebAssembly sandbox, under a policy.
//!
//! ```no_run
//! use sandpiper_host::{ConnOptions, Request, Sandbox};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let sandbox = Sandbox::builder().allow("127.0.0.1:8080")?.memory_octets_max(64 << 20).build()?;
//! let mut client = sandbox.instantiate().await?;
//! let conn = client.connect("http://127.0.0.1:8080", ConnOptions::default()).await?;
//! let response = conn.send(&mut client, Request::get("/"), 0).await?.collect(&mut client, 1 << 20).await?;
//! println!("{} {}", response.head.status, String::from_utf8_lossy(&response.content));
//! # Ok(())
//! # }
//! ```
//!
//! Many tasks share one client by an [`Agent`], which can be cloned:
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # use sandpiper_host::{Request, Sandbox};
//! # async fn example() -> anyhow::Result<()> {
//! let agent = Sandbox::builder().allow("127.0.0.1:8080")?.build()?.agent(None).await?;
//! let origin = agent.origin("http://127.0.0.1:8080", None).await?;
//! let tasks = ["/a", "/b", "/c"].map(|target| {
//!     let (agent, origin) = (agent.clone(), Arc::clone(&origin));
//!     tokio::spawn(async move { agent.fetch(&origin, Request::get(target)).await })
//! });
//! for task in tasks {
//!     println!("{}", task.await??.head.status);
//! }
//! agent.close(Duration::from_secs(1)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is what
//!
//! | | |
//! |---|---|
//! | [`Sandbox`] | the compiled component, the policy and the limits; cheap to clone, shared by threads |
//! | [`Client`] | one instance with its own memory: connections in it share a fate, instances do not |
//! | [`ClientConn`], [`Exchange`], [`Poll`], [`Origin`] | handles into one client; every call takes the client that they are from |
//! | [`Agent`], [`AgentExchange`] | a client that a task of its own drives, for many tasks at once |
//! | [`Build`], [`HostTls`] | which build of the component: without TLS, with TLS inside, or with the host's TLS |
//! | [`types`] | the values that go in and out, as `wit/types.wit` documents them |
//!
//! # What the component can reach
//!
//! Nothing but the clock and TCP sockets, and no address that the [`Policy`] does not admit: it denies everything until
//! something is allowed. The component is given exactly the interfaces that it imports, and no file, variable or argument;
//! randomness and the date only with TLS inside.
//!
//! # TLS
//!
//! With the feature `host-tls`, a default one, there is also [`Build::HostTls`], and [`Certificate`] shows certificates to people. Who
//! needs neither builds the library without, and compiles no TLS at all.
//!
//! [`Build::Plain`], the default, refuses endpoints with TLS. [`Build::Tls`] has it inside: what the server sends, keys and
//! plaintext stay in the sandbox. [`Build::HostTls`] has this process do it. [`Client::tls_info`] tells what was agreed upon, or
//! what failed.
//!
//! # Errors
//!
//! What HTTP can answer with is a [`CallError::Http`], with the error or failure of the WIT package inside; the client
//! goes on. [`CallError::Host`] means that the call itself failed. After a [`HostError::Dead`] the client's instance is
//! gone and every call says so again; other clients, and the [`Sandbox`], are not affected.
//!
//! # Calls
//!
//! Every call is a future for a tokio runtime with I/O and time enabled. A call that computes without waiting yields to
//! the runtime every [10 ms](limits::TICK), and ends the instance after [`SandboxBuilder::compute_time_max`].
//!
//! **Dropping a call's future before it is done ends the instance**: what the component was doing cannot be undone. To
//! wait for a bounded time, use the deadlines of the request or the timeout of [`Poll::wait`]. To wait beside something
//! else, in a `select!`, use [`Client::ready`] or [`Client::ready_poll`], which wait outside of the component and may be dropped; or have
//! another task end a wait, with [`Poll::wake_on`]. The futures of an [`Agent`] may all be dropped.

mod agent;
mod bindings;
mod build;
#[cfg(feature = "host-tls")]
mod certificate;
mod client;
mod error;
#[cfg(feature = "host-tls")]
mod host_tls;
mod instance;
mod odd_host;
mod record;
mod sandbox;
mod unix_socket;
mod wasi;

pub mod limits;
pub mod policy;
pub mod types;

pub use agent::{Agent, AgentExchange, AgentInfo};
pub use build::Build;
#[cfg(feature = "host-tls")]
pub use certificate::{Certificate, Time};
pub use client::Client;
pub use client::conn::ClientConn;
pub use client::exchange::Exchange;
pub use client::origin::Origin;
pub use client::poll::Poll;
pub use client::wake::Wake;
pub use error::{CallError, ConnError, Death, DeathCause, ExchangeError, HostError};
#[cfg(feature = "host-tls")]
pub use host_tls::{HostTls, HostTlsError};
pub use limits::ClientLimits;
pub use odd_host::scoped_address;
pub use policy::{Denied, Policy, Rule};
pub use record::{Difference, RECORDING_OCTETS_DEFAULT, RECORDING_OCTETS_MAX, Recorder, Replay};
pub use sandbox::{CompiledCache, Sandbox, SandboxBuilder};
pub use types::endpoint::Location;
pub use types::message::fields_named;
pub use types::report::Report;
pub use unix_socket::UnixSocket;
pub use wasi::faults;
pub use wasi::parts::Parts;
pub use wasi::sockets::socket::TcpSocket;

pub use types::{
    Chunk, ConnOptions, Delivery, Endpoint, Failure, Limit, PollOptions, Request, RequestContent, RequestOptions, Response,
    ResponseHead, Timer, TlsOptions,
};

/// The component that is run by default, [`Build::Plain`], as a WebAssembly component in its binary form.
pub const COMPONENT: &[u8] = Build::Plain.octets();

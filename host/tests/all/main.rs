//! The library against the component that it embeds, against components that misbehave, and against servers on the
//! loopback interface.

mod agent;
mod agent_given_up;
mod agent_server;
mod agent_stream;
mod calls;
mod containment;
mod guide;
mod host_tls;
mod hostile;
mod https;
mod loading;
mod reach;
mod record;
mod server;
mod sockets;
#[path = "../tls/mod.rs"]
mod tls;

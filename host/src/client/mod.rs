//! Clients: instances of the component with typed wrappers of their resources.

/// Calls a function of the component, `resource.function(arguments)`: the value that it returns, or why the call failed.
macro_rules! call {
    ($client:ident, $resource:ident.$function:ident($($argument:expr),* $(,)?)) => {
        $client.instance.call($client.exports.$resource().$function(), ($($argument,)*)).await
    };
}

pub(crate) mod conn;
pub(crate) mod exchange;
mod handle;
pub(crate) mod origin;
pub(crate) mod poll;
mod ready;
mod tls;
pub(crate) mod wake;

use std::fmt;
use std::sync::Arc;

use crate::bindings::{ClientComponent, TlsAdminExports, TlsExports};
use crate::error::{Death, HostError};
use crate::instance::{Instance, Life, Loaded, Shared};
use crate::policy::Denied;
use crate::wasi::state::State;

/// One instance of the component: a memory of its own, and the connections in it.
///
/// It is used by one call at a time (`&mut`). Octets move only while a call runs. Dropping it closes every connection; one
/// that has octets left to send is reset.
///
/// Once its instance has ended, every call gives the same [`HostError::Dead`].
pub struct Client {
    pub(crate) instance: Instance,
    pub(crate) exports: Arc<ClientComponent>,
    /// The interface `tls`, of a component that has it.
    pub(crate) tls: Option<Arc<TlsExports>>,
    /// The interface `tls-admin`, of a component that has it.
    pub(crate) tls_admin: Option<Arc<TlsAdminExports>>,
}

impl Client {
    pub(crate) async fn new(shared: Arc<Shared>) -> Result<Self, HostError> {
        let policy = Arc::clone(&shared.policy);
        let (instance, Loaded { client: exports, tls, tls_admin }) = Instance::new(shared).await?;
        let mut client = Self { instance, exports, tls, tls_admin };
        client.allow_tls(&policy).await?;
        Ok(client)
    }

    /// Drops inside the component what was dropped outside. Every other call does this first, too.
    ///
    /// # Errors
    /// [`HostError::Dead`].
    pub async fn release_dropped(&mut self) -> Result<(), HostError> {
        self.instance.yielding().release_pending().await
    }

    /// Octets of linear memory that the instance has now. Memory never shrinks. 0 once the instance has ended.
    pub fn memory_octets(&self) -> usize {
        self.instance.state().map_or(0, |state| state.memory.octets())
    }

    /// Sockets that the instance has open; not those that it has dropped and whose last octets are still leaving.
    pub fn sockets_open(&self) -> usize {
        self.instance.state().map_or(0, State::sockets_open)
    }

    /// What the policy has refused to the instance since the last time, each thing once, at most 64: to tell a person
    /// which rule is missing.
    pub fn take_denied(&mut self) -> Vec<Denied> {
        self.instance.reach.take_denied()
    }

    /// How the instance ended; `None` while it lives. A call whose future was dropped is noticed by the next call.
    pub fn death(&self) -> Option<&Death> {
        match &self.instance.life {
            Life::Alive(_) => None,
            Life::Dead(death) => Some(death),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("memory_octets", &self.memory_octets())
            .field("death", &self.death())
            .finish_non_exhaustive()
    }
}

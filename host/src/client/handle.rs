//! Resources of the component in the hand of the caller.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::Client;
use crate::error::HostError;
use crate::instance::Dropped;

/// An owned resource of the component. When it is dropped, the client's next call drops it inside the component.
pub(crate) struct Handle {
    resource: ResourceAny,
    client: Arc<Dropped>,
}

impl Handle {
    pub(crate) fn new(resource: ResourceAny, client: &Client) -> Self {
        Self { resource, client: Arc::clone(&client.instance.dropped) }
    }

    /// The resource, for a call to this client.
    pub(crate) fn of(&self, client: &Client) -> Result<ResourceAny, HostError> {
        match Arc::ptr_eq(&self.client, &client.instance.dropped) {
            true => Ok(self.resource),
            false => Err(HostError::WrongClient),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.client.push(self.resource);
    }
}

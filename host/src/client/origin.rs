//! Origins: see `origin` in `wit/client.wit`.

use std::fmt;

use super::Client;
use super::handle::Handle;
use crate::error::{ConnError, HostError, flatten};
use crate::types::{ConnOptions, Endpoint};

/// Where requests of a pool go. Made by [`Client::origin`]; origins with equal endpoints and options share connections. Dropping it closes
/// nothing.
pub struct Origin {
    handle: Handle,
}

impl Client {
    /// Makes an origin, for [`Poll::submit`](crate::Poll::submit) and [`Client::connect_to`]. `to` is as for [`Client::connect`]; `options`
    /// are those of the connections that are opened for the origin.
    ///
    /// # Errors
    /// - [`HostError::InvalidUrl`].
    /// - `api-misuse(invalid-endpoint)`, `api-misuse(invalid-option)`; `tls(unavailable)`.
    pub async fn origin<E>(&mut self, to: E, options: impl Into<Option<ConnOptions>>) -> Result<Origin, ConnError>
    where
        E: TryInto<Endpoint>,
        HostError: From<E::Error>,
    {
        let endpoint = to.try_into().map_err(HostError::from)?;
        let resource = flatten(call!(self, origin.func_create(&endpoint, options.into().as_ref())))?;
        Ok(Origin::new(Handle::new(resource, self)))
    }
}

impl Origin {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").finish_non_exhaustive()
    }
}

//! The resource `origin`.

use crate::poll::Origin;
use crate::types::{ConnOptions, Endpoint, Error};
use crate::wit::client;
use alloc::rc::Rc;

/// The handle of an origin.
pub(crate) struct Handle(pub(super) Rc<Origin>);

impl client::GuestOrigin for Handle {
    fn create(endpoint: Endpoint, options: Option<ConnOptions>) -> Result<client::Origin, Error> {
        Ok(client::Origin::new(Handle(Rc::new(Origin::new(endpoint, options)?))))
    }
}

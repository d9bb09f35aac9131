//! The resource `origin`.

use super::secure::Plan;
use crate::poll::Origin;
use crate::types::{ConnOptions, Endpoint, Error};
use crate::wit::client;
use alloc::rc::Rc;

/// The handle of an origin.
pub(crate) struct Handle(pub(super) Rc<Origin>);

impl client::GuestOrigin for Handle {
    fn create(endpoint: Endpoint, options: Option<ConnOptions>) -> Result<client::Origin, Error> {
        // What is wrong with TLS is told here, not with every request.
        Plan::of(&endpoint)?;
        Ok(client::Origin::new(Handle(Rc::new(Origin::new(endpoint, options)?))))
    }
}

//! What the host allows, for the whole instance.

use crate::wit::tls_admin::Permissions;
use spin::Mutex;

/// `None`: nothing.
static PERMITTED: Mutex<Option<Permissions>> = Mutex::new(None);

/// `tls-admin.allow`: from now on the host allows this, and nothing else.
pub(super) fn allow(permitted: Permissions) {
    *PERMITTED.lock() = Some(permitted);
}

/// Whether the host allows it.
pub(super) fn allows(permission: Permissions) -> bool {
    PERMITTED.lock().is_some_and(|permitted| permitted & permission == permission)
}

//! The interface `tls-admin`.

use super::{Component, permitted, secure};
use crate::wit::tls_admin::{Guest, Permissions};
use alloc::string::String;
use alloc::vec::Vec;

impl Guest for Component {
    fn allow(permitted: Permissions) {
        permitted::allow(permitted);
    }

    fn take_key_log(lines_max: u32) -> Vec<String> {
        secure::KEY_LINES.take(usize::try_from(lines_max).unwrap_or(usize::MAX))
    }
}

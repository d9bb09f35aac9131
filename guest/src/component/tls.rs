//! The interface `tls`.

use super::Component;
use crate::wit::tls::{Guest, Permissions, TlsInfo};
use alloc::string::String;
use alloc::vec::Vec;

impl Guest for Component {
    fn allow(_what: Permissions) {}

    fn info(_connection: u64) -> Option<TlsInfo> {
        None
    }

    fn take_key_log(_lines_max: u32) -> Vec<String> {
        Vec::new()
    }
}

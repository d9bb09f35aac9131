//! The interface `tls`.

use super::{Component, handshakes};
use crate::wit::tls::{Guest, Permissions, TlsInfo};
use alloc::string::String;
use alloc::vec::Vec;

impl Guest for Component {
    fn allow(what: Permissions) {
        handshakes::allow(what);
    }

    fn info(connection: u64) -> Option<TlsInfo> {
        handshakes::info(connection)
    }

    #[cfg(feature = "tls")]
    fn take_key_log(lines_max: u32) -> Vec<String> {
        super::secure::KEY_LINES.take(usize::try_from(lines_max).unwrap_or(usize::MAX))
    }

    #[cfg(not(feature = "tls"))]
    fn take_key_log(_lines_max: u32) -> Vec<String> {
        Vec::new()
    }
}

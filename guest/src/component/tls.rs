//! The interface `tls`.

use super::{Component, handshakes};
use crate::wit::tls::{Guest, TlsInfo};

impl Guest for Component {
    fn info(connection: u64) -> Option<TlsInfo> {
        handshakes::info(connection)
    }
}

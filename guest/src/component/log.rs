//! The interface `log`.

use super::{Component, client_conn, poll};
use crate::types::LogEntry;
use crate::wit::log::{Guest, Source};
use alloc::vec::Vec;

impl Guest for Component {
    fn take(from: Source<'_>, entries_max: u32) -> Vec<LogEntry> {
        match from {
            Source::Conn(conn) => conn.get::<client_conn::Handle>().shared.borrow_mut().conn.take_log(entries_max),
            Source::Poll(poll) => poll.get::<poll::Handle>().poll.borrow_mut().take_log(entries_max),
        }
    }
}

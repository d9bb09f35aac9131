//! What a connection does not need any more, but may have pollables that are lent.

use super::dial::Lookup;
use super::secure::Securing;
use super::transport::Transport;
use crate::wit::wasi::sockets::tcp::TcpSocket;
use alloc::rc::Rc;

#[expect(dead_code, reason = "kept, not used")]
pub(super) enum Retired {
    /// An address that was tried.
    Socket(TcpSocket),
    /// A name that was looked up.
    Lookup(Rc<Lookup>),
    /// A transport that was to be secured.
    Securing(Securing),
    /// A transport, shut down.
    Transport(Transport),
}

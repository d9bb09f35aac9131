//! What a connection does not need any more, but may have pollables that are lent.

use super::dial::Spent;
use super::secure::Securing;
use super::transport::Transport;

#[expect(dead_code, reason = "kept, not used")]
pub(super) enum Retired {
    /// Of its dialling.
    Spent(Spent),
    /// A transport that was to be secured.
    Securing(Securing),
    /// A transport, shut down.
    Transport(Transport),
}

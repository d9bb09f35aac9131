//! The options about Unix sockets.

use std::path::PathBuf;

use clap::Args;

use sandpiper_host::UnixSocket;

use super::CONNECTION;

#[derive(Args, Debug)]
pub(crate) struct Unix {
    /// Connects to the Unix socket at PATH instead of the hosts of the URLs; the requests stay the same, and no name is looked up.
    ///
    /// With --allow, the socket must be allowed too: --allow unix:PATH.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["abstract_unix_socket", "connect_to", "resolve"], help_heading = CONNECTION)]
    unix_socket: Option<PathBuf>,

    /// The same with a socket of Linux's abstract namespace. With --allow: --allow unix:@NAME
    #[arg(long, value_name = "NAME", conflicts_with_all = ["connect_to", "resolve"], help_heading = CONNECTION)]
    abstract_unix_socket: Option<String>,
}

impl Unix {
    /// The Unix socket instead of the hosts of the URLs.
    pub(crate) fn socket(&self) -> Option<UnixSocket> {
        let named = || self.abstract_unix_socket.as_deref().map(UnixSocket::abstract_name);
        self.unix_socket.clone().map(UnixSocket::at).or_else(named)
    }
}

//! Unix sockets that stand in for TCP.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::UnixStream;

/// A Unix socket of this machine: a path, or a name of Linux's abstract namespace (unix(7)).
///
/// As text, an abstract name has `@` before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnixSocket(
    /// An abstract name has a NUL before it, as the system has it.
    PathBuf,
);

impl UnixSocket {
    /// The socket at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The socket with this name in the abstract namespace.
    pub fn abstract_name(name: &str) -> Self {
        Self(format!("\0{name}").into())
    }

    fn name(&self) -> Option<&str> {
        self.0.to_str()?.strip_prefix('\0')
    }

    /// Connects. Why it cannot is said as TCP says it: nobody listens where there is no file, and what this process may not do is not the
    /// policy's word.
    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.0).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::ErrorKind::ConnectionRefused.into(),
            io::ErrorKind::PermissionDenied => io::Error::other(error),
            _ => error,
        })
    }
}

impl FromStr for UnixSocket {
    type Err = Infallible;

    /// A path, or `@` and an abstract name; `./@name` is a path.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.strip_prefix('@').map_or_else(|| Self::at(text), Self::abstract_name))
    }
}

impl From<&Path> for UnixSocket {
    fn from(path: &Path) -> Self {
        Self::at(path)
    }
}

impl From<PathBuf> for UnixSocket {
    fn from(path: PathBuf) -> Self {
        Self::at(path)
    }
}

impl fmt::Display for UnixSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "@{name}"),
            None => self.0.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_is_written() {
        for (text, socket) in [("/run/x.sock", UnixSocket::at("/run/x.sock")), ("@name", UnixSocket::abstract_name("name"))] {
            assert_eq!(text.parse(), Ok(socket.clone()));
            assert_eq!(socket.to_string(), text);
        }
        assert_eq!("./@name".parse(), Ok(UnixSocket::at("./@name")));
    }
}

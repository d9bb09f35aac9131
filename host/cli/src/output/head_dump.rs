//! `-D`: the heads of responses, apart from their contents.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::super::standard;
use super::create_aside;
use super::place;
use super::temporary::directory;
use super::terminal::shown;

#[derive(Debug)]
pub(crate) enum HeadDump {
    Stdout,
    File(File, String),
}

impl HeadDump {
    /// # Errors
    /// A sentence: the file cannot be written.
    pub(crate) fn new(file: &Path, create_directories: bool) -> Result<Self, String> {
        if file.as_os_str() == "-" || standard::descriptor(file) == Some(1) {
            return Ok(Self::Stdout);
        }
        let name = file.display().to_string();
        if create_directories {
            place::create_directories(directory(file)).map_err(|why| format!("-D {name}: {why}"))?;
        }
        match create_aside(file) {
            Ok(file) => Ok(Self::File(file, name)),
            Err(error) => Err(format!("-D {name}: {error}")),
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    /// As a message names it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Stdout => "standard output",
            Self::File(_, name) => name,
        }
    }

    pub(crate) fn write(&self, head: &[u8]) -> io::Result<()> {
        let head = if self.is_terminal() { Cow::Owned(shown(head)) } else { Cow::Borrowed(head) };
        match self {
            Self::Stdout => io::stdout().write_all(&head),
            Self::File(file, _) => (&*file).write_all(&head),
        }
    }

    fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::File(file, _) => file.is_terminal(),
        }
    }
}

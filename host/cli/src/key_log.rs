//! `--key-log`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use sandpiper_host::{Client, HostError};

/// Lines of one call.
const TAKEN_AT_ONCE: u32 = 1024;

/// Where the secrets of connections with TLS go.
#[derive(Debug)]
pub(crate) struct KeyLog(Option<File>);

impl KeyLog {
    /// Adds to the file, which is made for its owner alone.
    ///
    /// # Errors
    /// A sentence: it cannot be written.
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, String> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let open = |file: &Path| options.open(file).map_err(|error| format!("--key-log {}: {error}", file.display()));
        file.map(open).transpose().map(Self)
    }

    /// Takes the lines that there are.
    pub(crate) async fn take(&mut self, client: &mut Client) -> Result<(), HostError> {
        let Some(file) = &mut self.0 else {
            return Ok(());
        };
        loop {
            let lines = client.take_key_log(TAKEN_AT_ONCE).await?;
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            // A full disk does not end the fetch.
            _ = file.write_all(text.as_bytes());
            if lines.len() < TAKEN_AT_ONCE as usize {
                return Ok(());
            }
        }
    }
}

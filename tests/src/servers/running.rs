//! A server that runs, with a site of its own; it ends with this value, and with the process.

use super::content::{FILES, file};
use super::kind::{Kind, Restart};
use super::origin::{Origin, write_big};
use crate::process::{Process, free_port, wait_until};
use crate::program::command;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long a server may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Another process may take a port between its choice and its use.
const ATTEMPTS: usize = 3;
/// What is asked for to see whether a server answers.
pub const PROBE: &str = "/files/1?ready";

/// A running server and what it serves.
pub struct Running {
    /// Which one.
    pub kind: &'static Kind,
    /// Its version.
    pub version: String,
    /// The port without limits that matter.
    pub plain: u16,
    /// The port that takes five requests on a connection, contents of 1 MiB, and waits one second for a request.
    pub limited: u16,
    admin: u16,
    program: PathBuf,
    origin: Origin,
    directory: TempDir,
    process: Option<Process>,
}

impl Running {
    /// Starts one, with a big file of this length.
    ///
    /// # Errors
    /// `Err(Ok(why))` when it is not here, `Err(Err(what))` when it does not run.
    pub fn start(kind: &'static Kind, big_octets: u64) -> Result<Running, Result<String, String>> {
        let (program, version) = kind.find().map_err(Ok)?;
        let mut wrong = String::new();
        for _ in 0..ATTEMPTS {
            match Running::attempt(kind, &program, &version, big_octets) {
                Ok(running) => return Ok(running),
                Err(error) => wrong = error,
            }
        }
        Err(Err(wrong))
    }

    /// Starts one for a test; `None`, and a line that says so, where there is none.
    ///
    /// # Panics
    /// When it is here and does not run.
    pub fn for_test(kind: &'static Kind, big_octets: u64) -> Option<Running> {
        match Running::start(kind, big_octets) {
            Ok(running) => Some(running),
            Err(Ok(why)) => {
                crate::skipped(&format!("{}: {why}", kind.name));
                None
            }
            Err(Err(what)) => panic!("{}: {what}", kind.name),
        }
    }

    fn attempt(kind: &'static Kind, program: &Path, version: &str, big_octets: u64) -> Result<Running, String> {
        let text = |error: std::io::Error| error.to_string();
        let directory = tempfile::tempdir().map_err(text)?;
        write_site(directory.path(), big_octets).map_err(text)?;
        let origin = Origin::start(directory.path(), big_octets).map_err(text)?;
        let mut running = Running {
            kind,
            version: version.to_owned(),
            plain: free_port()?,
            limited: free_port()?,
            admin: free_port()?,
            program: program.to_owned(),
            origin,
            directory,
            process: None,
        };
        running.write_configuration().map_err(text)?;
        running.launch()?;
        Ok(running)
    }

    /// The directory of the site, with the server's logs.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// How often each target of `/app/count` was seen.
    pub fn seen(&self) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        for line in fs::read_to_string(self.root().join("seen.log")).unwrap_or_default().lines() {
            *seen.entry(line.to_owned()).or_default() += 1;
        }
        seen
    }

    /// Restarts it the way that it has for that.
    ///
    /// # Errors
    /// What went wrong.
    pub fn restart(&mut self) -> Result<(), String> {
        match self.kind.restart {
            Restart::Signal(name) => self.process.as_ref().map_or(Ok(()), |process| process.signal(name)),
            Restart::Command(arguments) => {
                let mut reload = command(&self.program);
                let output =
                    reload.args(self.filled(arguments)).env("HOME", self.root()).output().map_err(|error| error.to_string())?;
                let said = || String::from_utf8_lossy(&output.stderr).into_owned();
                output.status.success().then_some(()).ok_or_else(said)
            }
            Restart::Successor => {
                if let Some(process) = &self.process {
                    process.signal("TERM")?;
                    wait_until(|| !process.runs()).then_some(()).ok_or("it does not end")?;
                }
                self.launch()
            }
        }
    }

    fn launch(&mut self) -> Result<(), String> {
        self.process = None;
        let process = Process::start(&self.program, &self.filled(self.kind.arguments), self.root())?;
        let ports = [self.plain, self.limited];
        let listens = wait_until(|| !process.runs() || ports.iter().all(|port| answers(*port)));
        if !listens || !process.runs() {
            return Err(format!("it does not answer: {}", self.logs()));
        }
        self.process = Some(process);
        Ok(())
    }

    fn logs(&self) -> String {
        let logs = ["output.log", "error.log"].map(|name| fs::read_to_string(self.root().join(name)).unwrap_or_default());
        logs.concat()
    }

    fn write_configuration(&self) -> std::io::Result<()> {
        let (name, text) = self.kind.config;
        fs::write(self.root().join(name), self.fill(text))?;
        self.kind.beside.iter().try_for_each(|(name, text)| fs::write(self.root().join(name), text))
    }

    fn filled(&self, arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(|argument| self.fill(argument)).collect()
    }

    fn fill(&self, text: &str) -> String {
        let is_root = fs::metadata(self.root()).is_ok_and(|metadata| metadata.uid() == 0);
        let prefix = self.program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let root = self.root();
        let values = [
            ("@ROOT@", root.display().to_string()),
            ("@CONFIG@", root.join(self.kind.config.0).display().to_string()),
            ("@PREFIX@", prefix.display().to_string()),
            ("@AS_ROOT@", if is_root { self.kind.as_root.to_owned() } else { String::new() }),
            ("@PLAIN@", self.plain.to_string()),
            ("@LIMITED@", self.limited.to_string()),
            ("@ADMIN@", self.admin.to_string()),
            ("@ORIGIN@", self.origin.port.to_string()),
        ];
        values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// The files of a site, readable by servers that give up the rights of root.
fn write_site(root: &Path, big_octets: u64) -> std::io::Result<()> {
    fs::set_permissions(root, Permissions::from_mode(0o755))?;
    for part in ["files", "included", "temporary"] {
        fs::create_dir(root.join(part))?;
    }
    fs::set_permissions(root.join("temporary"), Permissions::from_mode(0o777))?;
    for number in 0..FILES {
        fs::write(root.join(format!("files/{number}")), file(number))?;
    }
    fs::write(root.join("included/page"), "before <!--#include virtual=\"/files/3\" --> behind")?;
    write_big(&root.join("files/big"), big_octets)
}

/// Does a server of HTTP answer on this port, with a file of the site?
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = format!("GET {PROBE} HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let read = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(request.as_bytes()));
    read.and_then(|()| stream.read_to_end(&mut answer)).is_ok() && answer.ends_with(&file(1))
}

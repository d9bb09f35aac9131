//! Programs that run beside a test, and end with it.

use crate::program::environment;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a program may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(10);
const KEEP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/keep.sh");

/// A program that runs for as long as this value, and no longer than this process.
pub struct Process {
    keeper: Child,
    id: u32,
}

impl Process {
    /// Starts it in the directory `home`, where it also logs.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &Path, arguments: &[String], home: &Path) -> Result<Process, String> {
        let log = |name| fs::File::create(home.join(name)).map_err(|error| error.to_string());
        let mut keep = Command::new(KEEP);
        keep.envs(environment(program));
        keep.env("HOME", home).env("XDG_DATA_HOME", home).env("XDG_CONFIG_HOME", home).env("PYTHONDONTWRITEBYTECODE", "1");
        keep.arg(program)
            .args(arguments)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log("output.log")?);
        let mut keeper = keep.spawn().map_err(|error| format!("{KEEP}: {error}"))?;
        let mut line = String::new();
        let read = keeper.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        match (read, line.trim().parse()) {
            (Some(Ok(_)), Ok(id)) => Ok(Process { keeper, id }),
            _ => Err(format!("{KEEP} does not say what it has started: {line:?}")),
        }
    }

    /// Whether it has not ended.
    pub fn runs(&self) -> bool {
        if !Path::new("/proc/self/stat").exists() {
            return self.signal("0").is_ok();
        }
        // One that has ended stays as a zombie until its parent, the keeper, looks.
        let status = fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id)]).status();
        status.is_ok_and(|status| status.success()).then_some(()).ok_or_else(|| format!("{name} cannot be sent"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A port that nothing uses at this moment, and that nobody in this process is given again: a server that waits for its port to become free
/// would look as if it listened. Something else may take it, so that whoever starts a server on it tries again.
///
/// # Errors
/// There is no loopback network.
pub fn free_port() -> Result<u16, String> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
}

/// Looks again and again, for a bounded time.
pub fn wait_until(mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

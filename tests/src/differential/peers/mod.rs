//! Other clients, each given the same octets.

mod curl;
mod hyper;
mod script;

use super::case::Case;
use super::outcome::Outcome;
use crate::program::{find_program, version_in};
use std::path::PathBuf;
use std::process::Command;

/// A client to compare with.
#[derive(Debug)]
pub struct Peer {
    /// What people call it.
    pub name: &'static str,
    /// Which it is here.
    pub version: String,
    run: Run,
}

#[derive(Debug)]
enum Run {
    Hyper,
    Curl(PathBuf),
    Script(PathBuf, &'static str, &'static str),
}

/// Programs of other languages: name, program, what makes it say its version, and a script that runs the client.
const SCRIPTS: [(&str, &str, &[&str], &str, &str); 3] = [
    ("h11", "python", &["-c", "import h11; print(h11.__version__)"], "h11_client.py", include_str!("h11_client.py")),
    ("http.client", "python3", &["--version"], "http_client.py", include_str!("http_client.py")),
    ("Node http", "node", &["--version"], "node_client.mjs", include_str!("node_client.mjs")),
];

/// hyper, which is always here.
pub fn hyper() -> Peer {
    Peer { name: "hyper", version: hyper_version(), run: Run::Hyper }
}

/// All others: each, or why it is not here.
pub fn others() -> Vec<Result<Peer, String>> {
    let curl = installed("curl", "curl", &["--version"]).map(|(version, program)| (version, Run::Curl(program)));
    let curl = curl.map(|(version, run)| Peer { name: "curl", version, run });
    let scripts = SCRIPTS.map(|(name, program, asked, file, text)| {
        let (version, program) = installed(name, program, asked)?;
        Ok(Peer { name, version, run: Run::Script(program, file, text) })
    });
    scripts.into_iter().chain([curl]).collect()
}

fn installed(name: &str, program: &str, asked: &[&str]) -> Result<(String, PathBuf), String> {
    let path = find_program(program).ok_or_else(|| format!("{name}: there is no program {program}"))?;
    let output = Command::new(&path).args(asked).output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = version_in(&said).filter(|_| output.status.success());
    version
        .map(|version| (version.to_owned(), path.clone()))
        .ok_or_else(|| format!("{name}: {program} does not tell its version"))
}

/// The version that the lock file has.
fn hyper_version() -> String {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"hyper\""));
    entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next()).unwrap_or("of the lock file").to_owned()
}

impl Peer {
    /// What it makes of each case, in order.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn outcomes(&self, cases: &[Case]) -> Result<Vec<Outcome>, String> {
        match &self.run {
            Run::Hyper => Ok(cases.iter().map(hyper::outcome).collect()),
            Run::Curl(program) => curl::outcomes(program, cases),
            Run::Script(program, file, text) => script::outcomes(program, file, text, cases),
        }
    }
}

//! The `curl` command as a client. It tells by numbers what it tells, so only whether it answered is compared.

use super::authority::pem;
use super::client::{Answer, Library, Outcome, Problem, TlsClient, Told, Version};
use crate::program::{command, find_program, version_in};
use base64::Engine as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The program.
pub struct Curl {
    program: PathBuf,
    version: String,
}

impl Curl {
    /// The one of the system.
    ///
    /// # Errors
    /// There is none.
    pub fn find() -> Result<Curl, String> {
        let program = find_program("curl").ok_or("there is no program curl")?;
        let output = command(&program).arg("--version").output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let library = said.split(' ').find(|word| word.contains("SSL/") || word.contains("TLS/")).unwrap_or("unknown TLS");
        Ok(Curl { program, version: format!("curl {}, {library}", version_in(&said).unwrap_or("of unknown version")) })
    }

    fn arguments(visits: &[Told], home: &Path) -> Result<Vec<String>, String> {
        let Some(told) = visits.first() else { return Err("there is nothing to do".to_owned()) };
        let write = |name: &str, text: String| {
            let path = home.join(name);
            fs::write(&path, text).map_err(|error| error.to_string())?;
            Ok::<String, String>(path.display().to_string())
        };
        let roots = told.roots.iter().map(|root| pem("CERTIFICATE", root)).collect();
        let fixed = ["--disable", "--silent", "--fail-early", "--http1.1", "--noproxy", "*", "--header", "Connection: close"];
        let mut arguments: Vec<String> = fixed.iter().map(|word| (*word).to_owned()).collect();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        add("--write-out", "%{exitcode} %{http_code}\n".to_owned());
        add("--cacert", write("roots.pem", roots)?);
        add("--max-time", told.patience.as_secs().max(1).to_string());
        add("--connect-to", format!("::127.0.0.1:{}", told.address.port()));
        add("--tls-max", if told.maximum == Version::Tls12 { "1.2" } else { "1.3" }.to_owned());
        if !told.pins.is_empty() {
            let digests: Vec<String> = told
                .pins
                .iter()
                .map(|pin| format!("sha256//{}", base64::engine::general_purpose::STANDARD.encode(pin)))
                .collect();
            add("--pinnedpubkey", digests.join(";"));
        }
        if let Some(identity) = &told.identity {
            add("--cert", write("client.pem", identity.chain_pem())?);
            add("--key", write("client.key", identity.key_pem())?);
        }
        arguments.push(if told.minimum == Version::Tls12 { "--tlsv1.2" } else { "--tlsv1.3" }.to_owned());
        match told.alpn.as_slice() {
            [] => arguments.push("--no-alpn".to_owned()),
            [only] if only == "http/1.1" => {}
            other => return Err(format!("curl does not offer {other:?}")),
        }
        if told.accepts_anything {
            arguments.push("--insecure".to_owned());
        }
        for (number, visit) in visits.iter().enumerate() {
            arguments.extend(["--output".to_owned(), home.join(number.to_string()).display().to_string()]);
            arguments.push(format!("https://{}:{}/", visit.name, told.address.port()));
        }
        Ok(arguments)
    }
}

impl TlsClient for Curl {
    fn name(&self) -> String {
        self.version.clone()
    }

    fn library(&self) -> Library {
        Library::OpenSsl
    }

    fn fetch(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        // One process for those that it can be told together.
        let mut outcomes = Vec::new();
        for together in told.chunk_by(Told::is_as_but_for_the_name) {
            outcomes.extend(self.run(together)?);
        }
        Ok(outcomes)
    }

    fn tells_problems(&self) -> bool {
        false
    }
}

impl Curl {
    fn run(&self, told: &[Told]) -> Result<Vec<Outcome>, String> {
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        let arguments = Curl::arguments(told, home.path())?;
        let output = command(&self.program).args(arguments).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let read = |(number, line): (usize, &str)| {
            let (code, status) = line.split_once(' ').unwrap_or((line, ""));
            if code != "0" {
                return Outcome::Refused(Problem::Other(format!("exit {code}")), String::new());
            }
            let content = fs::read(home.path().join(number.to_string())).unwrap_or_default();
            Outcome::Answered(Answer { status: status.parse().unwrap_or_default(), content, alpn: None })
        };
        Ok(said.lines().enumerate().map(read).collect())
    }
}

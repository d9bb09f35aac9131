//! undici, the HTTP client of Node, in a process of its own.

use super::{Client, Times};
use crate::work::Work;
use anyhow::Context;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Undici {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl Undici {
    /// Fails where Node or the package is missing.
    pub fn start() -> anyhow::Result<Undici> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("undici");
        anyhow::ensure!(place.join("node_modules/undici").is_dir(), "it is not installed: npm ci in bench/undici");
        let mut process = Command::new("node")
            .arg(place.join("client.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("there is no node")?;
        let orders = process.stdin.take().context("no input")?;
        let answers = BufReader::new(process.stdout.take().context("no output")?);
        let mut undici = Undici { process, orders, answers, version: String::new() };
        undici.version = undici.read()?["version"].as_str().context("no version")?.to_owned();
        Ok(undici)
    }

    fn read(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("node has ended")?;
        if let Some(error) = answer["error"].as_str() {
            anyhow::bail!("{error}");
        }
        Ok(answer)
    }
}

impl Drop for Undici {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Client for Undici {
    fn name(&self) -> &'static str {
        "undici"
    }

    fn about(&self) -> String {
        format!("undici {}, pipelining as deep as the workload says", self.version)
    }

    fn does(&self, _: &Work) -> bool {
        true
    }

    fn is_in_this_process(&self) -> bool {
        false
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        let order = json!({
            "origin": format!("http://{server}"), "target": work.target, "upload": work.upload, "streamed": work.streamed,
            "connections": work.connections, "depth": work.depth, "exchanges": exchanges, "times": times.wanted,
        });
        writeln!(self.orders, "{order}")?;
        let answer = self.read()?;
        times.nanoseconds.extend(answer["times"].as_array().into_iter().flatten().filter_map(Value::as_u64));
        answer["octets"].as_u64().context("no octets")
    }
}

//! curl, one process and one loopback connection for each case.

use crate::differential::case::Case;
use crate::differential::outcome::{Fields, Outcome, Reading};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// For one case.
const PATIENCE: Duration = Duration::from_secs(5);
const THREADS: usize = 2;

/// What curl makes of each case.
pub(super) fn outcomes(program: &Path, cases: &[Case]) -> Result<Vec<Outcome>, String> {
    let share = cases.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let running: Vec<_> = cases.chunks(share).map(|share| scope.spawn(move || some(program, share))).collect();
        let mut outcomes = Vec::new();
        for thread in running {
            outcomes.extend(thread.join().map_err(|_| "curl: it panicked".to_owned())??);
        }
        Ok(outcomes)
    })
}

fn some(program: &Path, cases: &[Case]) -> Result<Vec<Outcome>, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let content = directory.path().join("content");
    cases.iter().map(|case| one(program, case, &content).map_err(|error| format!("curl: {}: {error}", case.id))).collect()
}

fn one(program: &Path, case: &Case, content: &Path) -> std::io::Result<Outcome> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let octets = case.octets.clone();
    let server = std::thread::spawn(move || serve(&listener, &octets));
    let _ = std::fs::remove_file(content);
    let output = Command::new(program)
        .args(["--disable", "--silent", "--verbose", "--http1.1", "--noproxy", "*", "--max-time", "5", "--write-out"])
        .arg("%{http_code} %{header_json}")
        .args(if case.method == "HEAD" { &["--head"][..] } else { &[] })
        .arg("--output")
        .arg(content)
        .arg(&url)
        .output()?;
    // One that never came would leave the listener waiting.
    let _ = TcpStream::connect(url.trim_start_matches("http://").trim_end_matches('/'));
    let _ = server.join();
    let content = if case.method == "HEAD" { Vec::new() } else { std::fs::read(content).unwrap_or_default() };
    Ok(read(&output, content))
}

/// Sends the octets behind the first request, closes, and waits until the client does.
fn serve(listener: &TcpListener, octets: &[u8]) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut request, mut piece) = (Vec::new(), [0; 4_096]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            octets => request.extend_from_slice(&piece[..octets]),
        }
    }
    stream.write_all(octets)?;
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut piece)? > 0 {}
    Ok(())
}

fn read(output: &Output, content: Vec<u8>) -> Outcome {
    let log = String::from_utf8_lossy(&output.stderr);
    let refused = |words: &str| Outcome::Refused(words.to_owned());
    match output.status.code() {
        Some(0) => {}
        Some(code) => return refused(&format!("exit {code}")),
        None => return refused("ended by a signal"),
    }
    // curl writes octets beyond ASCII as they are.
    let said: String = output.stdout.iter().copied().map(char::from).collect();
    let Some((status, fields)) = said.split_once(' ') else { return refused("nothing written out") };
    let Ok(Value::Object(fields)) = serde_json::from_str(fields) else { return refused("header_json is not JSON") };
    let status = status.parse().unwrap_or_default();
    let reusable = log.contains("left intact");
    Outcome::Accepted(Reading { status, fields: sorted(&fields), content, trailers: None, reusable, ended_by: String::new() })
}

fn sorted(fields: &serde_json::Map<String, Value>) -> Fields {
    let octets = |value: &Value| value.as_str().unwrap_or_default().chars().map(|letter| letter as u32).collect::<Vec<_>>();
    let narrow = |wide: Vec<u32>| wide.into_iter().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect::<Vec<u8>>();
    let values = |values: &Value| {
        values.as_array().into_iter().flatten().map(|value| narrow(octets(value)).trim_ascii().to_vec()).collect()
    };
    fields.iter().map(|(name, all)| (name.clone(), values(all))).collect()
}

//! Servers as others made them: nginx, `openssl s_server`, Node. Each answers with what it saw of the handshake.

use super::authority::{Identity, authority};
use super::serving::Serving;
use crate::process::{Process, free_port, wait_until};
use crate::program::find_program;
use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tempfile::TempDir;

/// Another process may take a port between its choice and its use.
const ATTEMPTS: usize = 3;

/// nginx, with these directives besides its own.
///
/// # Errors
/// It is not here.
///
/// # Panics
/// It is here and does not run.
pub fn nginx(identity: &Identity, options: &str) -> Result<Serving, String> {
    start("nginx", identity, |root, port| {
        let is_root = fs::metadata(root).is_ok_and(|metadata| metadata.uid() == 0);
        let values = [
            ("@ROOT@", root.display().to_string()),
            ("@PORT@", port.to_string()),
            ("@AS_ROOT@", if is_root { "user root;".to_owned() } else { String::new() }),
            ("@OPTIONS@", options.to_owned()),
        ];
        let text = include_str!("../../servers/tls_nginx.conf").to_owned();
        let text = values.iter().fold(text, |text, (name, value)| text.replace(name, value));
        let config = root.join("nginx.conf");
        fs::write(&config, text).map_err(|error| error.to_string())?;
        Ok(strings(&["-c", &config.display().to_string(), "-p", &root.display().to_string(), "-e", "error.log"]))
    })
}

/// Node's https server, with these options of `tls.createServer` as JSON.
///
/// # Errors
/// It is not here.
///
/// # Panics
/// It is here and does not run.
pub fn node(identity: &Identity, options: &str) -> Result<Serving, String> {
    start("node", identity, |root, port| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/tls_node.mjs");
        Ok(strings(&[script, &root.display().to_string(), &port.to_string(), options]))
    })
}

/// `openssl s_server` with these options; it answers with a page about the connection, and ends it.
///
/// # Errors
/// It is not here.
///
/// # Panics
/// It is here and does not run.
pub fn s_server(identity: &Identity, options: &[&str]) -> Result<Serving, String> {
    start("openssl", identity, |root, port| {
        let place = |name: &str| root.join(name).display().to_string();
        let address = format!("127.0.0.1:{port}");
        let (leaf, chain, key, roots) = (place("leaf.pem"), place("chain.pem"), place("key.pem"), place("root.pem"));
        let own =
            ["s_server", "-accept", &address, "-www", "-cert", &leaf, "-cert_chain", &chain, "-key", &key, "-CAfile", &roots];
        Ok(strings(&[&own[..], options].concat()))
    })
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn start(
    name: &str,
    identity: &Identity,
    arguments: impl Fn(&Path, u16) -> Result<Vec<String>, String>,
) -> Result<Serving, String> {
    let program = find_program(name).ok_or_else(|| format!("there is no program {name}"))?;
    let mut wrong = String::new();
    for _ in 0..ATTEMPTS {
        let home = write_identity(identity).map_err(|error| error.to_string())?;
        let port = free_port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let process = Process::start(&program, &arguments(home.path(), port)?, home.path())?;
        let listens = wait_until(|| !process.runs() || TcpStream::connect(address).is_ok());
        if listens && process.runs() {
            return Ok(Serving::elsewhere(address, (process, home)));
        }
        let logs = ["output.log", "error.log"].map(|log| fs::read_to_string(home.path().join(log)).unwrap_or_default());
        wrong = logs.concat();
    }
    panic!("{name} does not listen: {wrong}")
}

fn write_identity(identity: &Identity) -> std::io::Result<TempDir> {
    let home = tempfile::tempdir()?;
    fs::set_permissions(home.path(), Permissions::from_mode(0o755))?;
    fs::create_dir(home.path().join("temporary"))?;
    let leaf = Identity { chain: identity.chain[..1].to_vec(), ..identity.clone() };
    let clients = [authority().intermediate.pem(), authority().root.pem()].concat();
    let files = [
        ("leaf.pem", leaf.chain_pem()),
        ("chain.pem", identity.chain_pem()),
        ("key.pem", identity.key_pem()),
        ("root.pem", clients),
    ];
    files.into_iter().try_for_each(|(name, text)| fs::write(home.path().join(name), text))?;
    Ok(home)
}

//! The commands of the README and the guides: each snippet with the mark `shell` is run as the page has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{command, finish, scratch};
use super::server::Server;
use super::tls::{ALWAYS, Authority, Settings, TlsServer};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The texts between fences behind the mark, of all pages.
fn snippets() -> Vec<(String, String)> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "docs/concepts.md"].map(|page| root().join(page)).into();
    pages.extend(fs::read_dir(root().join("docs/guide")).unwrap().map(|entry| entry.unwrap().path()));
    let mut found = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let behind = text.split("<!-- shell -->\n```sh\n").skip(1);
        found.extend(behind.map(|rest| (page.display().to_string(), rest.split("```").next().unwrap().to_owned())));
    }
    found
}

/// A directory with what the snippets name: a list, a root, and the program.
fn prepare(directory: &Path, authority: &Authority) {
    fs::write(directory.join("urls"), "http://localhost:8000/a\n# a comment\nhttp://localhost:8000/b\n").unwrap();
    fs::write(directory.join("root.pem"), authority.pem()).unwrap();
    fs::create_dir(directory.join("bin")).unwrap();
    std::os::unix::fs::symlink(command().get_program(), directory.join("bin/sandpiper")).unwrap();
}

#[test]
fn every_command_of_the_guides_does_what_it_is_there_for() {
    let snippets = snippets();
    assert!(snippets.len() >= 5, "only {} snippets", snippets.len());
    let authority = Authority::new();
    let secured = TlsServer::start(&authority.issue(&["localhost"], ALWAYS), &Settings::default());
    let server = Server::echo();
    for (page, text) in snippets {
        let (_keep, directory) = scratch();
        prepare(&directory, &authority);
        let here = |text: &str| {
            let plain = text.replace("localhost:8000", &server.address.to_string());
            plain.replace("localhost:8443", &format!("localhost:{}", secured.address.port()))
        };
        let list = fs::read_to_string(directory.join("urls")).unwrap();
        fs::write(directory.join("urls"), here(&list)).unwrap();
        let path = format!("{}:{}", directory.join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-euc", &here(&text)]).current_dir(&directory).env("PATH", path);
        shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        println!("{page}:\n{text}");
        let run = finish(shell.spawn().unwrap(), b"").ended_with(0);
        assert!(!run.stdout.is_empty() || directory.join("page-1.html").exists(), "{page}: no output: {}", run.stderr);
    }
}

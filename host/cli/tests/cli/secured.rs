//! What is decided about TLS before anything is sent.

use std::fs;

use super::program::{Run, run, scratch};
use super::server::Server;
use super::tls::{ALWAYS, Authority};

/// Ends with 2, and nothing is sent to a server at this URL.
#[track_caller]
fn refused(arguments: &[&str], words: &[&str]) -> Run {
    let server = Server::echo();
    let url = format!("https://{}/", server.address);
    let run = run(&[&["fetch", &url], arguments].concat()).ended_with(2).complains_of(words);
    assert_eq!((server.accepted(), run.text()), (0, ""));
    run
}

#[test]
fn https_needs_a_component_with_tls() {
    refused(&["--component", "plain"], &["https://127.0.0.1:", "needs TLS, which --component plain has not", "--component tls"]);
    let (_keep, directory) = scratch();
    let file = directory.join("own.wasm");
    fs::write(&file, sandpiper_host::COMPONENT).unwrap();
    let file = file.to_str().unwrap();
    refused(&["--component", file], &["needs TLS, which", file, "has not"]);
    let server = Server::echo();
    assert_eq!(run(&["fetch", "--component", "plain", &server.url("/a")]).ended_with(0).text(), "/a");
}

/// What a component without TLS does not need, another one does without, too.
#[test]
fn every_build_fetches_http() {
    for build in sandpiper_host::Build::ALL {
        let server = Server::echo();
        assert_eq!(run(&["fetch", "--component", build.name(), &server.url("/a")]).ended_with(0).text(), "/a", "{build}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let (own, other) = (authority.issue(&["client"], ALWAYS), authority.issue(&["client"], ALWAYS));
    let file = |name: &str, content: &str| {
        let file = directory.join(name);
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (chain, key, wrong_key) = (file("chain", &own.chain_pem), file("key", &own.key_pem), file("wrong", &other.key_pem));
    let (empty, text) = (file("empty", ""), file("text", "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"));
    let missing = directory.join("missing").to_str().unwrap().to_owned();
    let named = |option: &str, file: &str| format!("sandpiper: {option} {file}: ");
    refused(&["--cacert", &missing], &[&named("--cacert", &missing), "No such file"]);
    refused(&["--cacert", &empty], &[&named("--cacert", &empty), "holds no certificate"]);
    refused(&["--cacert", &text], &[&named("--cacert", &text), "malformed PEM"]);
    refused(&["--cert", &missing], &[&named("--cert", &missing)]);
    refused(&["-E", &empty, "--key", &key], &[&named("--cert", &empty), "holds no certificate"]);
    refused(&["-E", &chain], &[&named("--cert", &chain), "holds no private key", "--key names another file"]);
    refused(&["-E", &chain, "--key", &missing], &[&named("--key", &missing)]);
    refused(&["-E", &chain, "--key", &empty], &[&named("--key", &empty), "holds no private key"]);
    refused(&["-E", &chain, "--key", &wrong_key], &[&named("--key", &wrong_key), "it is not the key of the certificate"]);
    refused(&["--key-log", directory.to_str().unwrap()], &["--key-log", "directory"]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    refused(&["--key", "/dev/null"], &["--cert"]);
    refused(&["--with-builtin-roots"], &["--cacert"]);
    refused(&["--pinnedpubkey", "sha256//AAAA"], &["no pin", "sha256//"]);
    refused(&["--tls-min", "1.1"], &["1.2", "1.3"]);
    refused(&["--alpn", "http/1.1", "--no-alpn"], &["--no-alpn"]);
}

#[test]
fn any_certificate_needs_two_options() {
    refused(&["-k"], &["-k accepts any certificate", "--allow-any-certificate", "read everything"]);
    refused(&["--insecure"], &["--allow-any-certificate"]);
}

#[test]
fn the_hosts_tls_says_what_it_has_not() {
    let pin = format!("sha256//{}=", "A".repeat(43));
    let (_keep, directory) = scratch();
    let file = directory.join("keys");
    let cases: [(&[&str], &str); 3] = [
        (&["--pinnedpubkey", &pin], "host-tls has no --pinnedpubkey"),
        (&["-k", "--allow-any-certificate"], "host-tls has no -k"),
        (&["--key-log", file.to_str().unwrap()], "host-tls has no --key-log"),
    ];
    for (arguments, words) in cases {
        refused(&[&["--component", "host-tls"], arguments].concat(), &[words, "--component tls has"]);
    }
}

#[test]
fn inspect_tells_the_builds_apart() {
    for build in sandpiper_host::Build::ALL {
        let run = run(&["inspect", "--component", build.name()]).ended_with(0);
        assert!(run.text().starts_with(&format!("{}, as this program was built", build.file_name())), "{}", run.text());
        assert_eq!(run.text().contains("sandpiper:http/tls@"), build.has_tls(), "{}", run.text());
    }
    assert!(run(&["inspect"]).ended_with(0).text().starts_with("sandpiper.wasm,"));
}

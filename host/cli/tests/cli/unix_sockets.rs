//! `--unix-socket`: servers on Unix sockets.

use std::fs;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::program::{run, scratch};
use super::server::Server;
use super::tls::{ALWAYS, Authority, Settings, TlsServer};

/// Hands on what comes over a Unix socket to a server on loopback, and back; ends with the test's process.
fn relay(listener: UnixListener, address: SocketAddr) {
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(address).unwrap());
            let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || {
                _ = std::io::copy(&mut near_in, &mut far_out);
                _ = far_out.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                let (mut far, mut near): (TcpStream, UnixStream) = (far, near);
                _ = std::io::copy(&mut far, &mut near);
                _ = near.shutdown(Shutdown::Write);
            });
        }
    });
}

fn socket_at(directory: &Path, address: SocketAddr) -> PathBuf {
    let path = directory.join("server.sock");
    relay(UnixListener::bind(&path).unwrap(), address);
    path
}

#[test]
fn urls_are_fetched_over_a_unix_socket() {
    let (_keep, directory) = scratch();
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let answer = format!("{} {};", request.field("Host").unwrap(), request.target());
            connection.answer(answer.as_bytes());
        }
    });
    let socket = socket_at(&directory, server.address);
    let socket = socket.to_str().unwrap();
    // A name that nobody knows, an address that nobody has, several origins.
    let urls = ["http://docker/v1/info", "http://docker/v1/events", "http://192.0.2.1:81/a", "http://[2001:db8::1]/b"];
    let text = run(&[&["fetch", "--unix-socket", socket], &urls[..]].concat()).ended_with(0);
    assert_eq!(text.text(), "docker /v1/info;docker /v1/events;192.0.2.1:81 /a;[2001:db8::1] /b;");
    assert_eq!(server.accepted(), 3);
}

#[test]
fn large_contents_pass_in_both_directions() {
    let (_keep, directory) = scratch();
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            connection.answer(&request.content);
        }
    });
    let socket = socket_at(&directory, server.address);
    let file = directory.join("content");
    let content: Vec<u8> = (0..251).cycle().take(20 << 20).collect();
    fs::write(&file, &content).unwrap();
    let run = run(&["fetch", "--unix-socket", socket.to_str().unwrap(), "-T", file.to_str().unwrap(), "http://h/"]).ended_with(0);
    assert!(run.stdout == content);
}

#[test]
fn https_goes_over_a_unix_socket() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let server = TlsServer::start(&authority.issue(&["server.example"], ALWAYS), &Settings::default());
    let socket = socket_at(&directory, server.address);
    let roots = directory.join("roots");
    fs::write(&roots, authority.pem()).unwrap();
    for build in ["tls", "host-tls"] {
        let (socket, roots) = (socket.to_str().unwrap(), roots.to_str().unwrap());
        let arguments =
            ["fetch", "--component", build, "--cacert", roots, "--unix-socket", socket, "https://server.example/here"];
        assert_eq!(run(&arguments).ended_with(0).text(), "/here", "{build}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_name_is_a_unix_socket_too() {
    use std::os::linux::net::SocketAddrExt;

    let server = Server::echo();
    let name = format!("sandpiper-{}", server.address);
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    relay(UnixListener::bind_addr(&address).unwrap(), server.address);
    assert_eq!(run(&["fetch", "--abstract-unix-socket", &name, "http://h/a"]).ended_with(0).text(), "/a");
}

#[test]
fn the_policy_names_the_socket() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let socket = socket_at(&directory, server.address);
    let socket = socket.to_str().unwrap();
    let denied = run(&["fetch", "--unix-socket", socket, "--allow", "h:80", "http://h/a"]).ended_with(1);
    denied.complains_of(&["[denied(connect)]", &format!("does not allow to connect to the Unix socket {socket}")]);
    assert_eq!(server.accepted(), 0);
    let rule = format!("unix:{socket}");
    assert_eq!(run(&["fetch", "--unix-socket", socket, "--allow", &rule, "http://h/a"]).ended_with(0).text(), "/a");
}

#[test]
fn what_listens_nowhere_is_refused_by_its_path() {
    let (_keep, directory) = scratch();
    let (missing, left_behind) = (directory.join("missing"), directory.join("left behind"));
    drop(UnixListener::bind(&left_behind).unwrap());
    for path in [missing, left_behind] {
        let path = path.to_str().unwrap();
        let run = run(&["fetch", "-v", "--unix-socket", path, "http://h/a"]).ended_with(1);
        let (over, connecting) = (format!("over the Unix socket {path}"), format!("* connecting to the Unix socket {path}"));
        run.complains_of(&["[connect(refused)]", &over, &connecting]);
    }
}

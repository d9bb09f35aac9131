//! Files that responses go to.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::program::{finish, names_in, run, scratch, shell, start};
use super::server::Server;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Sends half of a response, and the other half when it is told to.
fn halves() -> (Server, std::sync::mpsc::Sender<()>) {
    let (go, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
        if told.lock().unwrap().recv().is_ok() {
            connection.write(b"half");
        }
        connection.linger();
    });
    (server, go)
}

fn wait_for(file: &Path, content: &[u8]) {
    while fs::read(file).unwrap_or_default() != content {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_log_that_standard_output_is_led_to_is_added_to() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let log = directory.join("log");
    for (descriptor, name) in [("1", "/dev/stdout"), ("1", "/dev/fd/1"), ("1", "/proc/self/fd/1"), ("3", "/dev/fd/3")] {
        for direction in [">>", ">"] {
            fs::write(&log, "before\n").unwrap();
            let script =
                format!("{{ echo one >&{descriptor}; \"$@\"; echo two >&{descriptor}; }} {descriptor}{direction}{}", text(&log));
            finish(shell(&script, &["fetch", "-o", name, &server.url("/x")]), b"").ended_with(0);
            let before = if direction == ">>" { "before\n" } else { "" };
            assert_eq!(fs::read_to_string(&log).unwrap(), format!("{before}one\n/xtwo\n"), "{name} {direction}");
        }
    }
    assert_eq!(names_in(&directory), ["log"]);
}

#[test]
fn a_link_stays_a_link_also_to_a_file_that_is_not_there_yet() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let link = directory.join("link");
    symlink("file", &link).unwrap();
    for target in ["/new", "/again"] {
        run(&["fetch", "-o", text(&link), &server.url(target)]).ended_with(0);
        assert_eq!(fs::read_to_string(directory.join("file")).unwrap(), target);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    assert_eq!(names_in(&directory), ["file", "link"]);
}

#[test]
fn a_name_may_be_as_long_as_names_can_be() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    for octets in [241, 242, 250, 255] {
        let file = directory.join("n".repeat(octets));
        run(&["fetch", "-o", text(&file), &server.url("/x")]).ended_with(0);
        assert_eq!(fs::read(&file).unwrap(), b"/x");
    }
}

#[test]
fn other_names_of_a_file_stay_names_of_it() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let (file, other) = (directory.join("file"), directory.join("other"));
    fs::write(&file, "before, and longer").unwrap();
    fs::hard_link(&file, &other).unwrap();
    run(&["fetch", "-o", text(&file), &server.url("/x")]).ended_with(0);
    assert_eq!(fs::read(&other).unwrap(), b"/x");
    assert_eq!(fs::metadata(&file).unwrap().ino(), fs::metadata(&other).unwrap().ino());
}

#[test]
fn a_file_in_a_directory_that_takes_none_is_written() {
    let file = format!("/proc/{}/oom_score_adj", std::process::id());
    let Ok(before) = fs::read_to_string(&file) else {
        return; // no Linux
    };
    // More may be written by everybody.
    let value = (before.trim().parse::<i32>().unwrap() + 1).min(1000).to_string();
    let content = value.clone();
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.answer(content.as_bytes());
    });
    run(&["fetch", "-o", &file, &server.url("/")]).ended_with(0);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), value);
}

#[test]
fn a_mounted_file_is_written() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let (real, mounted) = (directory.join("real"), directory.join("mounted"));
    fs::write(&real, "before, and longer").unwrap();
    fs::write(&mounted, "").unwrap();
    // In a namespace of its own, the mount ends with the process. Only root may have one.
    let script = |then: &str| {
        let mount = format!("mount --bind '{}' '{}' || exit 77; {then}", text(&real), text(&mounted));
        ["unshare", "-m", "sh", "-c", &mount, "sh"].map(str::to_owned)
    };
    let possible = Command::new("unshare").args(&script("exit 0")[1..]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: this user may not mount");
        return;
    }
    let arguments = script("\"$@\"");
    let quoted: Vec<String> = arguments.iter().map(|argument| format!("'{}'", argument.replace('\'', "'\\''"))).collect();
    let child = shell(&format!("exec {} \"$@\"", quoted.join(" ")), &["fetch", "-o", text(&mounted), &server.url("/x")]);
    finish(child, b"").ended_with(0);
    assert_eq!((fs::read(&real).unwrap(), names_in(&directory).len()), (b"/x".to_vec(), 2));
}

#[test]
fn a_file_that_is_written_in_place_can_be_followed() {
    let (_keep, directory) = scratch();
    let (server, go) = halves();
    let file = directory.join("f");
    fs::write(&file, "before, and longer").unwrap();
    let child = start(&["fetch", "--in-place", "-o", text(&file), &server.url("/")]);
    wait_for(&file, b"half");
    go.send(()).unwrap();
    finish(child, b"").ended_with(0);
    assert_eq!((fs::read(&file).unwrap(), names_in(&directory).len()), (b"halfhalf".to_vec(), 1));
}

#[test]
fn in_place_what_came_stays_unless_it_is_to_be_removed() {
    for (option, kept) in [("--no-progress", true), ("--remove-on-error", false)] {
        let (_keep, directory) = scratch();
        let file = directory.join("f");
        let arguments = |url| ["fetch", "--in-place", option, "-o", file.to_str().unwrap(), url];
        let broken = Server::start(|_, mut connection| {
            connection.request();
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        });
        let words = if kept { "4 octets of it went to" } else { "was removed" };
        let url = broken.url("/");
        run(&arguments(&url)).ended_with(1).complains_of(&[words, text(&file)]);
        assert_eq!(fs::read(&file).ok(), kept.then(|| b"half".to_vec()));

        _ = fs::remove_file(&file);
        let (server, _go) = halves();
        let url = server.url("/");
        let child = start(&arguments(&url));
        wait_for(&file, b"half");
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        finish(child, b"").ended_with(130);
        assert_eq!(fs::read(&file).ok(), kept.then(|| b"half".to_vec()));
    }
}

fn disposition(value: &'static str) -> Server {
    Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Disposition: {value}\r\nContent-Length: {}\r\n\r\n", request.target().len());
            connection.write(format!("{head}{}", request.target()).as_bytes());
        }
    })
}

#[test]
fn files_are_called_as_urls_end() {
    let (_keep, directory) = scratch();
    let server = disposition("attachment; filename=other");
    let below = directory.join("below");
    let into = ["fetch", "--output-dir", text(&below), "--remote-name-all"];
    let urls = [server.url("/a/b.txt?c=/d"), server.url("/e%20f")];
    let arguments = [&into[..], &[urls[0].as_str(), urls[1].as_str()]].concat();
    run(&arguments).ended_with(2).complains_of(&["-O b.txt", "there is no directory"]);
    run(&[&arguments[..], &["--create-dirs"]].concat()).ended_with(0);
    assert_eq!(names_in(&below), ["b.txt", "e%20f"]);
    assert_eq!(fs::read(below.join("b.txt")).unwrap(), b"/a/b.txt?c=/d");
}

#[test]
fn files_are_called_as_the_server_says_and_never_elsewhere() {
    let (_keep, directory) = scratch();
    let server = disposition("attachment; filename=\"../../t w.txt\"");
    let url = server.url("/x");
    let run_one = || run(&["fetch", "-OJ", "-w", "%{filename_effective}", "--output-dir", text(&directory), &url]).ended_with(0);
    let first = run_one().complains_of(&["written to"]);
    assert_eq!((names_in(&directory), Path::new(first.text())), (vec!["t w.txt".to_owned()], &*directory.join("t w.txt")));
    // A file that is there is never overwritten.
    fs::write(directory.join("t w.txt"), "mine").unwrap();
    run_one();
    assert_eq!(names_in(&directory), ["t w.txt", "t w.txt.1"]);
    assert_eq!(fs::read(directory.join("t w.txt")).unwrap(), b"mine");
    let silent = Server::echo();
    run(&["fetch", "-OJ", "--output-dir", text(&directory), &silent.url("/y")]).ended_with(0);
    assert_eq!(fs::read(directory.join("y")).unwrap(), b"/y");
}

#[test]
fn nothing_is_overwritten_with_no_clobber() {
    let (_keep, directory) = scratch();
    let server = Server::echo();
    let file = directory.join("f");
    for target in ["/0", "/1", "/2"] {
        run(&["fetch", "--no-clobber", "-o", text(&file), &server.url(target)]).ended_with(0);
    }
    assert_eq!(names_in(&directory), ["f", "f.1", "f.2"]);
    assert_eq!(fs::read(directory.join("f.2")).unwrap(), b"/2");
}

//! What a server may do to a terminal: nothing.

use std::process::{Command, Stdio};

use super::server::Server;

fn server(content: &'static [u8]) -> Server {
    Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            let head = format!("HTTP/1.1 200 A\u{9b}B\r\nX: \u{85}\r\nContent-Length: {}\r\n\r\n", content.len());
            connection.write(&[head.as_bytes(), content].concat());
        }
    })
}

/// What a terminal is sent, and the exit status; `None`: this machine has no program that makes one.
pub(crate) fn on_terminal(arguments: &[&str]) -> Option<(String, i32)> {
    let program = [&[env!("CARGO_BIN_EXE_sandpiper"), "fetch"], arguments].concat();
    let command: Vec<String> = program.iter().map(|argument| format!("'{argument}'")).collect();
    let output = Command::new("script")
        .args(["-q", "-e", "-c", &command.join(" "), "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.code() != Some(127));
    if output.is_none() {
        eprintln!("SKIPPED: there is no `script` (util-linux) to make a terminal with");
    }
    let output = output?;
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code()?))
}

fn has_controls(text: &str) -> bool {
    text.chars().any(|character| character.is_control() && !"\r\n\t".contains(character))
}

#[test]
fn control_characters_are_shown_as_text() {
    let server = server(b"a\x1b]0;pwned\x07b\n");
    let Some((plain, status)) = on_terminal(&[&server.url("/")]) else {
        return;
    };
    assert!(plain.contains("a\\u{1b}]0;pwned\\u{7}b") && plain.contains("-o -"), "{plain:?}");
    assert_eq!((status, has_controls(&plain)), (0, false));
    for options in [
        &["-i"][..],
        &["-I"],
        &["-D", "-", "-o", "/dev/null"],
        &["-D", "/dev/stderr", "-o", "/dev/null"],
        &["-D", "/dev/tty", "-o", "/dev/null"],
        &["--json"],
    ] {
        let (shown, _) = on_terminal(&[options, &[&server.url("/")]].concat()).unwrap();
        assert!(!has_controls(&shown), "{options:?}: {shown:?}");
        assert!(shown.contains("9b") && !shown.contains('\u{9b}'), "{options:?}: {shown:?}");
    }
    let (written, _) = on_terminal(&["-o", "/dev/null", "-w", "%header{x}", &server.url("/")]).unwrap();
    assert!(written.contains("\\u{85}"), "{written:?}");
}

#[test]
fn octets_go_as_they_are_where_that_is_asked_for() {
    let server = server(b"a\x1b[0m\0b");
    let Some((plain, status)) = on_terminal(&["-o", "-", &server.url("/")]) else {
        return;
    };
    assert!(plain.contains("a\x1b[0m\0b"), "{plain:?}");
    assert_eq!(status, 0);
}

#[test]
fn binary_content_is_refused() {
    let server = server(b"\x7fELF\0\0");
    let Some((shown, status)) = on_terminal(&[&server.url("/")]) else {
        return;
    };
    assert!(shown.contains("-o FILE") && !shown.contains("ELF"), "{shown:?}");
    assert_eq!((status, has_controls(&shown)), (1, false));
}

//! The seam between connections and protocols: a connection has no word of HTTP/1, and one file of the core lists the protocols. Failures are made
//! in one place.

use super::sources::of_crate;
use std::fs;
use std::path::{Path, PathBuf};

/// Words that say how HTTP/1 puts messages onto a connection, wherever they stand in a word or a name. HTTP/2 does it in other ways.
const WORDS_OF_HTTP1: [&str; 20] = [
    "h1",
    "http/1",
    "http1",
    "rfc 9112",
    "pipelin",
    "chunked",
    "lastchunk",
    "contentlength",
    "transferencoding",
    "transfercoding",
    "keepalive",
    "statusline",
    "requestline",
    "startline",
    "emptyline",
    "closeoption",
    "`close`",
    "unsolicited",
    "wantslook",
    "firstoutstanding",
];

/// The only file outside of `h1` that may name `h1`.
const LIST_OF_PROTOCOLS: &str = "protocol";

/// The lines of the core that stand before the tests of their files, each with its place.
fn lines() -> Vec<(String, usize, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guest/src/lib.rs");
    let directory = root.parent().expect("a directory");
    let mut lines = Vec::new();
    for source in of_crate(&root) {
        let path = [".rs", "/mod.rs"].map(|end| directory.join(format!("{}{end}", source.name)));
        let path: &Path = path.iter().find(|path| path.is_file()).expect("a file");
        let text = fs::read_to_string(path).expect("a source");
        let before_tests = text.lines().take(source.lines).enumerate();
        lines.extend(before_tests.map(|(number, line)| (source.name.clone(), number + 1, line.to_owned())));
    }
    lines
}

/// The words of HTTP/1 in a line, however their parts are joined.
fn words_of_http1(line: &str) -> Vec<&'static str> {
    let line = line.to_lowercase();
    let joined = line.replace(['_', '-', ' '], "");
    let is_name = |word: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word);
    let is_there = |word: &&str| if *word == "h1" { is_name(word) } else { line.contains(word) || joined.contains(word) };
    WORDS_OF_HTTP1.into_iter().filter(|word| is_there(word)).collect()
}

/// Whether a line names the module `h1`, and does not declare it.
fn names_h1(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let parts = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    parts.into_iter().any(|part| part == "h1") && code.trim() != "pub mod h1;"
}

/// Whether a line makes a failure by naming its parts.
fn makes_failure(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains("Failure {") && !["-> Failure {", "impl Failure {", "struct Failure {"].iter().any(|other| code.contains(other))
}

#[test]
fn a_connection_has_no_word_of_http1_and_one_file_lists_the_protocols() {
    let mut wrong = Vec::new();
    for (file, number, line) in lines() {
        if file.starts_with("conn/") {
            let words = words_of_http1(&line);
            wrong.extend(words.into_iter().map(|word| format!("{file}:{number}: {word:?} in: {}", line.trim())));
        }
        if !file.starts_with("h1") && file != LIST_OF_PROTOCOLS && names_h1(&line) {
            wrong.push(format!("{file}:{number}: names h1: {}", line.trim()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn failures_are_made_in_one_place() {
    let made: Vec<_> = lines().into_iter().filter(|(_, _, line)| makes_failure(line)).collect();
    assert!(matches!(&made[..], [(file, ..)] if file == "failure"), "{made:?}");
}

#[test]
fn words_of_http1_are_found_however_they_are_joined() {
    for (line, words) in [
        ("    let is_chunked = false;", vec!["chunked"]),
        ("/// The first outstanding exchange (RFC 9112 §9.2).", vec!["rfc 9112", "firstoutstanding"]),
        ("    Timer::PipelineStall => {}", vec!["pipelin"]),
        ("use crate::h1;", vec!["h1"]),
        ("    Ok(Chunk::End(trailers)) // the end of what was asked for", vec![]),
        ("    let hash1 = self.wants_read_first();", vec![]),
    ] {
        assert_eq!(words_of_http1(line), words, "{line}");
    }
    assert!(names_h1("use crate::h1::state;") && !names_h1("pub mod h1;") && !names_h1("// of h1"));
    assert!(makes_failure("    Failure { error, ..last }") && !makes_failure("fn refused() -> Failure {"));
}

//! What is compared: the octets that a server sends, and the method of the request that they answer.

use crate::random::Random;
use crate::vectors::{case as vectors, folder};
use std::path::Path;

/// Where the vectors of other projects lie, if they do.
pub use crate::vectors::folder::shared as vectors_directory;

/// Our own responses: name, method and octets, one in a line.
const SEEDS: &str = include_str!("seeds.txt");
/// How many mutations are made of each.
const MUTATIONS: usize = 16;
/// How many responses are made by the grammar.
const GENERATED: usize = 600;
/// What mutations put in: what the grammar gives a meaning.
const OCTETS: [u8; 20] = *b"\r\n\t :,;=0159aX\"-\0\x01\x7f\xff";

/// One response.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// The method of the request.
    pub method: String,
    /// What the server sends before it closes.
    pub octets: Vec<u8>,
    /// Written by this project.
    pub is_ours: bool,
}

impl Case {
    /// Was it made by the grammar? Then only its content may be cut off.
    pub fn is_generated(&self) -> bool {
        self.is_ours && self.id.starts_with("generated-")
    }
}

/// Our own responses and their mutations: always the same.
///
/// # Panics
/// When a seed is not written as it must be.
pub fn own() -> Vec<Case> {
    let seeds: Vec<Case> = SEEDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(seed).collect();
    let mut cases = seeds.clone();
    for (number, seed) in seeds.iter().enumerate() {
        for attempt in 0..MUTATIONS {
            let mut random = Random::new((number * 1_000 + attempt) as u64);
            let mut octets = seed.octets.clone();
            for _ in 0..1 + random.below(2) {
                let other = random.pick(&seeds).octets.clone();
                mutate(&mut octets, &other, &mut random);
            }
            cases.push(Case { id: format!("{}~{attempt}", seed.id), octets, ..seed.clone() });
        }
    }
    cases.extend((0..GENERATED).map(generated));
    cases
}

/// A response as RFC 9112 has it, and perhaps a content that is cut off.
fn generated(number: usize) -> Case {
    let mut random = Random::new(0x0067_656e + number as u64);
    let random = &mut random;
    let method = if random.chance(1, 6) { "HEAD" } else { "GET" };
    let mut octets = Vec::new();
    for _ in 0..*random.pick(&[0, 0, 0, 1, 2]) {
        octets
            .extend_from_slice(format!("HTTP/1.1 {} x\r\n{}\r\n", random.pick(&[100, 102, 103, 150]), lines(random)).as_bytes());
    }
    let status = *random.pick(&[
        "200 OK",
        "201 ",
        "203 Non-Authoritative Information",
        "206 x",
        "301 y",
        "404 Not Found",
        "500 z",
        "599 w",
    ]);
    let status = if random.chance(1, 8) { *random.pick(&["204 No Content", "304 Not Modified"]) } else { status };
    let has_content = method == "GET" && !status.starts_with("204") && !status.starts_with("304");
    octets.extend_from_slice(format!("HTTP/1.1 {status}\r\n{}", lines(random)).as_bytes());
    let content: Vec<u8> = (0..random.below(90)).map(|_| u8::try_from(random.below(256)).unwrap_or_default()).collect();
    let body = match random.below(8) {
        0 => {
            octets.extend_from_slice(b"\r\n");
            content
        }
        1..4 => {
            octets.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            chunks(&content, random)
        }
        _ => {
            octets.extend_from_slice(format!("Content-Length: {}\r\n\r\n", content.len()).as_bytes());
            content
        }
    };
    if has_content {
        let cut = if random.chance(1, 10) { random.below(body.len() + 1) } else { body.len() };
        octets.extend_from_slice(&body[..cut]);
    }
    Case { id: format!("generated-{number}"), method: method.to_owned(), octets, is_ours: true }
}

/// Some field lines.
fn lines(random: &mut Random) -> String {
    let names = ["Server", "Date", "ETag", "X-A", "x-a", "Set-Cookie", "Vary", "Connection", "Content-Type"];
    let values = ["a", "", "b, c", "\"q;=\"", "x=1; Path=/", "Fri, 20 Nov 2026 12:00:00 GMT", "!#$%&'*+-.^_`|~ z"];
    let mut text = String::new();
    for _ in 0..random.below(5) {
        let name = *random.pick(&names);
        let value = if name == "Connection" { *random.pick(&["keep-alive", "close", "x, Close"]) } else { *random.pick(&values) };
        text.push_str(&format!("{name}:{}{value}{}\r\n", random.pick(&["", " ", "\t "]), random.pick(&["", "", " "])));
    }
    text
}

/// The content in the chunked coding.
fn chunks(content: &[u8], random: &mut Random) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(1 + random.below(rest.len()));
        let extension = *random.pick(&["", "", "", ";a", ";a=b", ";a=\"b c\""]);
        octets.extend_from_slice(format!("{}{:x}{extension}\r\n", random.pick(&["", "0", "000"]), chunk.len()).as_bytes());
        octets.extend_from_slice(chunk);
        octets.extend_from_slice(b"\r\n");
        rest = behind;
    }
    let trailer = *random.pick(&["", "", "X-Sum: 1\r\n", "X-Sum: 1\r\nX-sum: 2\r\n"]);
    octets.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
    octets
}

fn seed(line: &str) -> Case {
    let mut parts = line.splitn(3, ' ');
    let (Some(id), Some(method), Some(text)) = (parts.next(), parts.next(), parts.next()) else { panic!("no seed: {line}") };
    Case { id: id.to_owned(), method: method.to_owned(), octets: unescaped(text), is_ours: true }
}

/// The octets of a text with `\r`, `\n`, `\t`, `\\` and `\xNN`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut letters = text.bytes();
    while let Some(letter) = letters.next() {
        octets.push(match (letter, if letter == b'\\' { letters.next() } else { None }) {
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b'n')) => b'\n',
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(b'\\')) => b'\\',
            (b'\\', Some(b'x')) => {
                let mut digit = || letters.next().and_then(|digit| char::from(digit).to_digit(16)).expect("a hexadecimal digit");
                u8::try_from(digit() * 16 + digit()).expect("two digits")
            }
            (b'\\', other) => panic!("an escape of {other:?} in {text}"),
            (plain, _) => plain,
        });
    }
    octets
}

fn mutate(octets: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if octets.is_empty() {
        return;
    }
    let at = random.below(octets.len());
    match random.below(7) {
        0 => octets[at] = *random.pick(&OCTETS),
        1 => octets.insert(at, *random.pick(&OCTETS)),
        2 => {
            octets.remove(at);
        }
        3 => octets.truncate(at),
        4 => {
            let line = line_at(octets, at);
            let copy = octets[line.clone()].to_vec();
            octets.splice(line.start..line.start, copy);
        }
        5 => {
            let line = line_at(octets, at);
            octets.drain(line);
        }
        _ => {
            let line = line_at(octets, at);
            let theirs = line_at(other, random.below(other.len()));
            octets.splice(line, other[theirs].iter().copied());
        }
    }
}

/// The line around a position, with its end.
fn line_at(octets: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = octets[..at].iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
    let end = octets[at..].iter().position(|octet| *octet == b'\n').map_or(octets.len(), |end| at + end + 1);
    start..end
}

/// The responses of a folder.
///
/// # Errors
/// What cannot be read.
pub fn vectors(folder: &Path) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for case in folder::read(folder)?.sources.into_iter().flat_map(|source| source.cases) {
        cases.extend(comparable(case.map_err(|(id, why)| format!("{id}: {why}"))?));
    }
    Ok(cases)
}

/// What others make of a response is no response of its own.
fn comparable(case: vectors::Case) -> Option<Case> {
    let comparable = case.kind == vectors::Kind::Response && !case.agreement && ["GET", "HEAD"].contains(&case.method.as_str());
    comparable.then_some(Case { id: case.id, method: case.method, octets: case.octets, is_ours: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_many_named_once_and_the_same_each_time() {
        let (cases, again) = (own(), own());
        let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.len() > 1_000, "{}", cases.len());
        assert!(cases.iter().zip(&again).all(|(one, other)| one.octets == other.octets));
        assert_eq!(unescaped(r"a\r\n\x00\\"), b"a\r\n\0\\");
    }
}

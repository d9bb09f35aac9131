//! `-w`: what is written about each exchange when it has ended, in curl's words.

mod variable;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use sandpiper_host::types::{ConnInfo, ExchangeTiming, ResponseHead, TlsInfo};

use serde::{Serialize, Serializer};

use super::json::latin1;
use super::output::shown;
use super::standard;
use variable::Variable;

/// Octets of a file with a format.
const FORMAT_OCTETS_MAX: u64 = 1 << 20;

/// The facts about an exchange that has ended.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) index: usize,
    pub(crate) url: &'a str,
    /// The URL as it was requested.
    pub(crate) url_effective: String,
    pub(crate) method: &'a str,
    pub(crate) referer: Option<String>,
    pub(crate) head: Option<&'a ResponseHead>,
    /// Octets of all heads.
    pub(crate) size_header: u64,
    pub(crate) size_download: u64,
    pub(crate) size_upload: u64,
    pub(crate) timing: Option<ExchangeTiming>,
    /// Nanoseconds from the moment at which the connection had the request.
    pub(crate) time_total: u64,
    pub(crate) connection: Option<ConnInfo>,
    pub(crate) tls: Option<TlsInfo>,
    /// For the first exchange of its connection, the nanoseconds that had passed since that began to connect. Times count from then.
    pub(crate) first_after: Option<u64>,
    pub(crate) repeats: u32,
    pub(crate) file: Option<String>,
    pub(crate) error: Option<String>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Variable(Variable),
    /// `%header{Name}`.
    Field(String),
    To(Stream),
    /// `%{onerror}`.
    OnError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

#[derive(Debug)]
pub(crate) struct WriteOut(Vec<Piece>);

impl WriteOut {
    /// The second value has the names of variables that are none.
    ///
    /// # Errors
    /// A sentence: the file of the format cannot be read.
    pub(crate) fn new(argument: &str) -> Result<(Self, Vec<String>), String> {
        let (pieces, unknown) = parse(&format_of(argument).map_err(|error| format!("-w {argument}: {error}"))?);
        Ok((Self(pieces), unknown))
    }

    pub(crate) fn needs_stdout(&self) -> bool {
        let mut to = Stream::Stdout;
        self.0.iter().any(|piece| match piece {
            Piece::To(stream) => {
                to = *stream;
                false
            }
            Piece::OnError => false,
            _ => to == Stream::Stdout,
        })
    }

    /// # Errors
    /// Standard output cannot be written. That nobody reads standard error is no failure.
    pub(crate) fn write(&self, facts: &Facts<'_>) -> io::Result<()> {
        for (stream, octets) in self.render(facts, io::stdout().is_terminal(), io::stderr().is_terminal()) {
            match stream {
                Stream::Stdout => {
                    io::stdout().write_all(&octets)?;
                    io::stdout().flush()?;
                }
                Stream::Stderr => _ = io::stderr().write_all(&octets),
            }
        }
        Ok(())
    }

    /// Text of the server goes to a terminal escaped.
    fn render(&self, facts: &Facts<'_>, is_terminal: bool, is_error_terminal: bool) -> Vec<(Stream, Vec<u8>)> {
        let mut parts = vec![(Stream::Stdout, Vec::new())];
        for piece in &self.0 {
            let value = match piece {
                Piece::To(stream) => {
                    parts.push((*stream, Vec::new()));
                    continue;
                }
                Piece::OnError if facts.error.is_none() => break,
                Piece::OnError => continue,
                Piece::Text(text) => text.clone().into_bytes(),
                Piece::Variable(variable) => variable.text(facts).into_bytes(),
                Piece::Field(name) => facts.head.and_then(|head| head.field(name).next()).unwrap_or_default().to_vec(),
            };
            if let Some((stream, part)) = parts.last_mut() {
                let is_terminal = if *stream == Stream::Stdout { is_terminal } else { is_error_terminal };
                match piece {
                    Piece::Variable(_) | Piece::Field(_) if is_terminal => part.extend_from_slice(&shown(&value)),
                    _ => part.extend_from_slice(&value),
                }
            }
        }
        parts.retain(|(_, part)| !part.is_empty());
        parts
    }
}

/// As it is, or from a file, or from standard input.
fn format_of(argument: &str) -> io::Result<String> {
    let mut format = String::new();
    match argument.strip_prefix('@') {
        None => format.push_str(argument),
        Some(file) => {
            if standard::open(Path::new(file))?.take(FORMAT_OCTETS_MAX + 1).read_to_string(&mut format)? as u64
                > FORMAT_OCTETS_MAX
            {
                return Err(io::Error::other(format!("it has more than {FORMAT_OCTETS_MAX} octets")));
            }
        }
    }
    Ok(format)
}

fn parse(format: &str) -> (Vec<Piece>, Vec<String>) {
    let (mut pieces, mut unknown) = (Vec::new(), Vec::new());
    let mut text = String::new();
    let mut rest = format;
    while let Some(character) = rest.chars().next() {
        let found = match character {
            '%' => special(rest, &mut unknown),
            '\\' => Some((escaped(rest), &rest[rest.len().min(1 + rest[1..].chars().next().map_or(0, char::len_utf8))..])),
            _ => None,
        };
        let Some((special, after)) = found else {
            text.push(character);
            rest = &rest[character.len_utf8()..];
            continue;
        };
        rest = after;
        match special {
            Special::Text(plain) => text.push_str(&plain),
            Special::Piece(piece) => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(piece);
            }
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    (pieces, unknown)
}

enum Special {
    Text(String),
    Piece(Piece),
}

/// The variable behind a percent sign, and the rest; `None`: the percent sign means itself.
fn special<'a>(rest: &'a str, unknown: &mut Vec<String>) -> Option<(Special, &'a str)> {
    if let Some(after) = rest.strip_prefix("%%") {
        return Some((Special::Text("%".to_owned()), after));
    }
    if let Some(named) = rest.strip_prefix("%header{") {
        let (name, after) = named.split_once('}')?;
        return Some((Special::Piece(Piece::Field(name.to_owned())), after));
    }
    let (name, after) = rest.strip_prefix("%{")?.split_once('}')?;
    let special = match name {
        "stdout" => Special::Piece(Piece::To(Stream::Stdout)),
        "stderr" => Special::Piece(Piece::To(Stream::Stderr)),
        "onerror" => Special::Piece(Piece::OnError),
        _ => match Variable::of(name) {
            Some(variable) => Special::Piece(Piece::Variable(variable)),
            None => {
                unknown.push(name.to_owned());
                Special::Text(String::new())
            }
        },
    };
    Some((special, after))
}

/// The character that a backslash and the character behind it mean.
fn escaped(rest: &str) -> Special {
    Special::Text(match rest[1..].chars().next() {
        Some('n') => "\n".to_owned(),
        Some('r') => "\r".to_owned(),
        Some('t') => "\t".to_owned(),
        Some(other) => format!("\\{other}"),
        None => "\\".to_owned(),
    })
}

/// Names in small letters with all their values, in the order of the first ones: `%{header_json}`.
#[derive(Debug, Default)]
struct Fields(Vec<(String, Vec<String>)>);

impl Fields {
    fn new(head: &ResponseHead) -> Self {
        let mut places = HashMap::new();
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in &head.fields {
            let name = name.to_ascii_lowercase();
            let place = *places.entry(name.clone()).or_insert_with(|| {
                fields.push((name, Vec::new()));
                fields.len() - 1
            });
            fields[place].1.push(latin1(value));
        }
        Self(fields)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, values)| (name, values)))
    }
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::HttpVersion;

    use super::*;

    fn head() -> ResponseHead {
        let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let fields = vec![field("Content-Type", "text/plain"), field("A", "1"), field("a", "\x1b2"), field("Location", "../b")];
        ResponseHead { version: HttpVersion::Http11, status: 302, reason: Vec::new(), fields }
    }

    fn written(format: &str, error: Option<&str>) -> Vec<(Stream, String)> {
        let head = head();
        let facts = Facts {
            index: 3,
            url: "http://h/a/c?q",
            url_effective: "http://h/a/c?q".to_owned(),
            method: "GET",
            head: Some(&head),
            size_download: 1000,
            time_total: 2_000_000_000,
            error: error.map(str::to_owned),
            ..Facts::default()
        };
        let (pieces, _) = parse(format);
        let parts = WriteOut(pieces).render(&facts, true, false);
        parts.into_iter().map(|(stream, octets)| (stream, String::from_utf8(octets).unwrap())).collect()
    }

    #[track_caller]
    fn writes(format: &str, expected: &str) {
        assert_eq!(written(format, None), [(Stream::Stdout, expected.to_owned())]);
    }

    #[test]
    fn formats_are_those_of_curl() {
        writes("%{http_code} %{response_code}\\n", "302 302\n");
        writes("100%% \\t|\\r\\\\|\\x|%|%{|%a|\\", "100% \t|\r\\\\|\\x|%|%{|%a|\\");
        writes("%{url}|%{urlnum}|%{method}|%{scheme}|%{http_version}", "http://h/a/c?q|3|GET|http|1.1");
        writes("%{time_total} %{speed_download} %{size_download} %{time_connect}", "2.000000 500 1000 0.000000");
        writes("%header{content-type}|%{content_type}|%header{no}|", "text/plain|text/plain||");
        writes("%{redirect_url} %{num_headers} %{exitcode}|%{errormsg}", "http://h/b 4 0|");
        writes("a%{no_such}b", "ab");
        writes("ä%{num_redirects}ö", "ä0ö");
        assert_eq!(parse("%{a}%{url}%{b}").1, ["a", "b"]);
    }

    #[test]
    fn parts_go_where_they_should() {
        let to_both = written("a%{stderr}b\\n%{stdout}c%{onerror}d", None);
        let part = |stream, text: &str| (stream, text.to_owned());
        assert_eq!(to_both, [part(Stream::Stdout, "a"), part(Stream::Stderr, "b\n"), part(Stream::Stdout, "c")]);
        assert_eq!(written("%{onerror}%{errormsg} %{exitcode}", Some("why")), [part(Stream::Stdout, "why 1")]);
        let needs = |format: &str| WriteOut(parse(format).0).needs_stdout();
        assert!(needs("a") && needs("%{stderr}a%{stdout}b") && !needs("%{stderr}a") && !needs(""));
    }

    #[test]
    fn what_the_server_said_does_not_command_the_terminal() {
        writes("\x1b[1m%header{b}", "\x1b[1m");
        let (pieces, _) = parse("%{header_json}");
        let head = head();
        let facts = Facts { head: Some(&head), ..Facts::default() };
        let parts = WriteOut(pieces).render(&facts, true, true);
        let expected = r#"{"content-type":["text/plain"],"a":["1","\u001b2"],"location":["../b"]}"#;
        assert_eq!(String::from_utf8(parts[0].1.clone()).unwrap(), expected);
    }

    #[test]
    fn json_has_all_variables() {
        let value: serde_json::Value = serde_json::from_str(&written("%{json}", None)[0].1).unwrap();
        assert_eq!((&value["http_code"], &value["url"], &value["errormsg"]), (&302.into(), &"http://h/a/c?q".into(), &().into()));
        assert_eq!((&value["time_total"], &value["size_download"]), (&2.0.into(), &1000.into()));
    }
}

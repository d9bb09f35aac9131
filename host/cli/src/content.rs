//! The content of a request: read or measured before anything is sent.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::args::Fetch;
use super::args::data::{DataPart, Kind};
use super::form;
use super::pieces::{Piece, Pieces};
use super::standard::{self, is_stdin};

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    #[default]
    None,
    Whole(Vec<u8>),
    /// `-F`, or `-T FILE` of a regular file, or what is chunked although its length is known.
    Pieces(Pieces),
    /// `-T -`, or what is not a regular file: it can be read only once.
    Stream(PathBuf),
}

impl Content {
    /// The content that the command line asks for, with the media type of its own.
    ///
    /// # Errors
    /// A sentence: a file cannot be read, or the options do not go together.
    pub(crate) fn of(fetch: &Fetch, urls: usize) -> Result<(Self, Option<String>), String> {
        let data = &fetch.request.data;
        if fetch.output.head && data.is_given() && !fetch.request.get {
            return Err("-I requests with HEAD, which has no content; -G puts the data into the query".to_owned());
        }
        if !data.parts.is_empty() && !data.form.is_empty() {
            let option = data.parts[0].option();
            return Err(format!("{option} and -F are two contents, and a request has one"));
        }
        let known = |media_type: &str| Some(media_type.to_owned());
        match () {
            () if fetch.request.upload.is_some() => upload(fetch, urls).map(|content| (content, None)),
            () if !data.form.is_empty() => form(fetch, urls),
            () if data.parts.is_empty() || fetch.request.get => Ok((Self::None, None)),
            () if data.is_json() => Ok((Self::Whole(joined(&data.parts)?), known("application/json"))),
            () => Ok((Self::Whole(joined(&data.parts)?), known("application/x-www-form-urlencoded"))),
        }
    }

    /// `None`: not known.
    pub(crate) fn octets(&self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Whole(octets) => Some(octets.len() as u64),
            Self::Pieces(pieces) => pieces.octets(),
            Self::Stream(_) => None,
        }
    }

    /// The same, chunked whatever is known of it.
    pub(crate) fn chunked(self) -> Self {
        match self {
            Self::Whole(octets) => Self::Pieces(Pieces::new(vec![Piece::Octets(octets)]).without_length()),
            Self::Pieces(pieces) => Self::Pieces(pieces.without_length()),
            Self::None | Self::Stream(_) => self,
        }
    }
}

fn upload(fetch: &Fetch, urls: usize) -> Result<Content, String> {
    let path = fetch.request.upload.as_deref().unwrap_or(Path::new("-"));
    let piece = if is_stdin(path) { Ok(Piece::Pipe(path.to_owned())) } else { Piece::of_file(path) };
    match piece.map_err(|error| format!("-T {}: {error}", path.display()))? {
        file @ Piece::File { .. } => Ok(Content::Pieces(Pieces::new(vec![file]))),
        _ if urls > 1 => Err(format!("-T {}: it can be read only once, and there are {urls} URLs", path.display())),
        _ => Ok(Content::Stream(path.to_owned())),
    }
}

fn form(fetch: &Fetch, urls: usize) -> Result<(Content, Option<String>), String> {
    let boundary = form::boundary()?;
    let pieces = form::pieces(&fetch.request.data.form, &boundary)?;
    if urls > 1 && !pieces.are_regular() {
        return Err(format!("-F: a pipe can be read only once, and there are {urls} URLs"));
    }
    Ok((Content::Pieces(pieces), Some(format!("multipart/form-data; boundary={boundary}"))))
}

/// `-G`: the data as it goes into a query.
///
/// # Errors
/// A sentence: a file cannot be read, or an octet cannot stand there.
pub(crate) fn query(parts: &[DataPart]) -> Result<Option<String>, String> {
    if parts.is_empty() {
        return Ok(None);
    }
    let mut query = String::new();
    for octet in joined(parts)? {
        match octet {
            b'#' | 0..=b' ' | 0x7f => {
                let octet = char::from(octet).escape_default();
                return Err(format!("-G: `{octet}` in the data cannot stand in a query; --data-urlencode encodes it"));
            }
            0x80.. => percent(octet, &mut query),
            octet => query.push(char::from(octet)),
        }
    }
    Ok(Some(query))
}

/// As one content: with `&` between its parts, but not before JSON.
fn joined(parts: &[DataPart]) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 && part.kind != Kind::Json {
            all.push(b'&');
        }
        all.extend(octets(part)?);
    }
    Ok(all)
}

fn octets(part: &DataPart) -> Result<Vec<u8>, String> {
    let read = match part.file() {
        Some(file) => {
            let named = |error| format!("{} {}: {error}", part.option(), String::from_utf8_lossy(&part.value));
            Some(read(file).map_err(named)?)
        }
        None => None,
    };
    Ok(match (part.kind, read) {
        (Kind::Ascii, Some(octets)) => octets.into_iter().filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)).collect(),
        (Kind::UrlEncode, read) => url_encoded(&part.value, read),
        (_, Some(octets)) => octets,
        (_, None) => part.value.clone(),
    })
}

fn read(file: &OsStr) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    standard::open(Path::new(file))?.read_to_end(&mut octets)?;
    Ok(octets)
}

/// `--data-urlencode`: CONTENT, =CONTENT, NAME=CONTENT, or with the content of a file @FILE, NAME@FILE.
fn url_encoded(value: &[u8], file: Option<Vec<u8>>) -> Vec<u8> {
    let sign = if file.is_some() { b'@' } else { b'=' };
    let (name, content) = match value.iter().position(|&octet| octet == sign) {
        Some(at) => (&value[..at], &value[at + 1..]),
        None => (&b""[..], value),
    };
    let mut encoded = String::new();
    for &octet in file.as_deref().unwrap_or(content) {
        match octet {
            b' ' => encoded.push('+'),
            // RFC 3986 §2.3.
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(octet)),
            octet if octet.is_ascii_alphanumeric() => encoded.push(char::from(octet)),
            octet => percent(octet, &mut encoded),
        }
    }
    let equals: &[u8] = if name.is_empty() { b"" } else { b"=" };
    [name, equals, encoded.as_bytes()].concat()
}

fn percent(octet: u8, to: &mut String) {
    use std::fmt::Write as _;
    _ = write!(to, "%{octet:02X}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: Kind, value: &str) -> DataPart {
        DataPart { kind, value: value.into() }
    }

    fn text(kind: Kind, value: &str) -> String {
        String::from_utf8(octets(&part(kind, value)).unwrap()).unwrap()
    }

    /// The octets that curl 7.88.1 sent for the same, but for the octets behind a NUL, which newer ones send.
    #[test]
    fn each_form_of_data_is_as_in_curl() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "a\r\nb\0c\n").unwrap();
        let path = file.path().display();
        assert_eq!(text(Kind::Ascii, &format!("@{path}")), "abc");
        assert_eq!(text(Kind::Binary, &format!("@{path}")), "a\r\nb\0c\n");
        assert_eq!(text(Kind::Json, &format!("@{path}")), "a\r\nb\0c\n");
        assert_eq!(text(Kind::Raw, "@x\n"), "@x\n");
        assert_eq!(text(Kind::Ascii, "x\ny"), "x\ny");
        let encoded = |value: &str| text(Kind::UrlEncode, value);
        assert_eq!(encoded("a b&c"), "a+b%26c");
        assert_eq!(encoded("=x y"), "x+y");
        assert_eq!(encoded("a b&c=\u{e4}~"), "a b&c=%C3%A4~");
        assert_eq!(encoded("n=x=y @"), "n=x%3Dy+%40");
        assert_eq!(encoded(&format!("@{path}")), "a%0D%0Ab%00c%0A");
        assert_eq!(encoded(&format!("n@{path}")), "n=a%0D%0Ab%00c%0A");
        assert!(
            octets(&part(Kind::UrlEncode, "n@/no/such/file")).unwrap_err().starts_with("--data-urlencode n@/no/such/file: No")
        );
    }

    #[test]
    fn parts_are_joined() {
        let all = [part(Kind::Ascii, "a"), part(Kind::Raw, "@b"), part(Kind::Json, "{"), part(Kind::Json, "}")];
        assert_eq!(joined(&all).unwrap(), b"a&@b{}");
        assert_eq!(joined(&[part(Kind::Ascii, ""), part(Kind::Ascii, "")]).unwrap(), b"&");
    }

    #[test]
    fn a_query_has_no_octets_that_end_it() {
        assert_eq!(query(&[]).unwrap(), None);
        assert_eq!(query(&[part(Kind::Ascii, "a=1"), part(Kind::Raw, "\u{e4}%20/?")]).unwrap().unwrap(), "a=1&%C3%A4%20/?");
        for wrong in ["a b", "a#b", "a\nb"] {
            assert!(query(&[part(Kind::Ascii, wrong)]).unwrap_err().contains("--data-urlencode"), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_chunked_has_no_length() {
        let whole = Content::Whole(b"abc".to_vec());
        assert_eq!((whole.octets(), whole.chunked().octets()), (Some(3), None));
        assert_eq!(Content::None.chunked(), Content::None);
    }
}

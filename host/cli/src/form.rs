//! `-F`: forms (multipart/form-data, RFC 7578), written as curl writes them.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::pieces::{Piece, Pieces};
use super::standard::is_stdin;

/// One `-F` or `--form-string`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormPart {
    name: Vec<u8>,
    source: Source,
    filename: Option<Vec<u8>>,
    content_type: Option<Vec<u8>>,
    /// Further lines of its head.
    lines: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Octets(Vec<u8>),
    /// `<FILE`
    Value(PathBuf),
    /// `@FILE`
    Upload(PathBuf),
}

impl FormPart {
    /// `--form-string`.
    ///
    /// # Errors
    /// A clause that says what is wrong with it.
    pub(crate) fn literal(text: &[u8]) -> Result<Self, String> {
        let (name, value) = named(text)?;
        Ok(Self { name, source: Source::Octets(value.to_vec()), filename: None, content_type: None, lines: Vec::new() })
    }

    /// `-F`.
    ///
    /// # Errors
    /// A clause that says what is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let (name, value) = named(text)?;
        let mut part = Self { name, source: Source::Octets(Vec::new()), filename: None, content_type: None, lines: Vec::new() };
        let (of_file, value) = match value {
            [b'(', ..] | b")" => return Err("forms within forms are not made here; quote the value if this is one".to_owned()),
            [sign @ (b'@' | b'<'), rest @ ..] => (Some(*sign), rest),
            _ => (None, value),
        };
        let mut words = Words { rest: value };
        let word = words.next_word()?;
        part.source = match of_file {
            None => Source::Octets(word),
            Some(sign) => source(sign, &word, value.starts_with(b"\""))?,
        };
        while let Some(parameter) = words.next_parameter()? {
            part.set(parameter)?;
        }
        Ok(part)
    }

    fn set(&mut self, (name, value): (Vec<u8>, Vec<u8>)) -> Result<(), String> {
        if value.iter().any(|octet| octet.is_ascii_control()) && name != b"filename" {
            return Err(format!("`{}` holds a control character", String::from_utf8_lossy(&name)));
        }
        match name.as_slice() {
            b"type" if !value.contains(&b'/') => return Err("`;type=` takes a media type, such as text/plain".to_owned()),
            b"type" => self.content_type = Some(value),
            b"filename" => self.filename = Some(value),
            b"headers" if !value.contains(&b':') => return Err("`;headers=` takes a line, such as \"X-Name: value\"".to_owned()),
            b"headers" => self.lines.push(value),
            // Without the name: it can be a part of a value that is secret.
            _ => {
                return Err(
                    "what follows a `;` is none of ;type= ;filename= ;headers=; if it belongs to the value, use --form-string or quotation marks"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// Does it read standard input?
    pub(crate) fn reads_stdin(&self) -> bool {
        matches!(&self.source, Source::Value(file) | Source::Upload(file) if is_stdin(file))
    }

    /// Its head, up to the empty line.
    fn head(&self) -> Vec<u8> {
        let mut head = [&b"Content-Disposition: form-data; name=\""[..], &escaped(&self.name), b"\""].concat();
        let uploaded = match &self.source {
            Source::Upload(file) if !is_stdin(file) => Some(file.file_name().unwrap_or_default().as_bytes()),
            Source::Upload(_) => Some(&b"-"[..]),
            Source::Octets(_) | Source::Value(_) => None,
        };
        let filename = self.filename.as_deref().or(uploaded);
        if let Some(filename) = filename {
            head.extend([&b"; filename=\""[..], &escaped(filename), b"\""].concat());
        }
        let guessed = uploaded.and(filename).map(|name| media_type(name).as_bytes());
        if let Some(media_type) = self.content_type.as_deref().or(guessed) {
            head.extend([&b"\r\nContent-Type: "[..], media_type].concat());
        }
        for line in &self.lines {
            head.extend([b"\r\n", line.as_slice()].concat());
        }
        head.extend(b"\r\n\r\n");
        head
    }

    fn content(&self) -> Result<Piece, String> {
        let file = match &self.source {
            Source::Octets(octets) => return Ok(Piece::Octets(octets.clone())),
            Source::Value(file) | Source::Upload(file) => file,
        };
        let unreadable = |error| format!("-F {}: {}: {error}", String::from_utf8_lossy(&self.name), file.display());
        if is_stdin(file) {
            // As curl does: so its length is known.
            let mut octets = Vec::new();
            std::io::stdin().read_to_end(&mut octets).map_err(unreadable)?;
            return Ok(Piece::Octets(octets));
        }
        Piece::of_file(file).map_err(unreadable)
    }
}

/// The whole form, with this boundary.
///
/// # Errors
/// A sentence: a file cannot be read.
pub(crate) fn pieces(parts: &[FormPart], boundary: &str) -> Result<Pieces, String> {
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    let mut delimiter = format!("--{boundary}\r\n");
    for part in parts {
        pieces.push(Piece::Octets([delimiter.as_bytes(), &part.head()].concat()));
        pieces.push(part.content()?);
        delimiter = format!("\r\n--{boundary}\r\n");
    }
    pieces.push(Piece::Octets(format!("\r\n--{boundary}--\r\n").into_bytes()));
    Ok(Pieces::new(pieces))
}

/// A delimiter that no content holds by chance (RFC 2046 §5.1.1).
///
/// # Errors
/// A sentence: this machine gives no random numbers.
pub(crate) fn boundary() -> Result<String, String> {
    let random: ring::rand::Random<[u8; 16]> = ring::rand::generate(&ring::rand::SystemRandom::new())
        .map_err(|_| "-F: the system gives no random numbers".to_owned())?;
    let digits: String = random.expose().iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(format!("------------------------{digits}"))
}

fn named(text: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let equals = text.iter().position(|&octet| octet == b'=').ok_or("an `=` is missing: write NAME=VALUE")?;
    Ok((text[..equals].to_vec(), &text[equals + 1..]))
}

fn source(sign: u8, file: &[u8], is_quoted: bool) -> Result<Source, String> {
    if file.is_empty() {
        return Err("the name of the file is missing".to_owned());
    }
    if file.contains(&b',') && !is_quoted {
        return Err(
            "one -F takes one file: give another -F of the same name, or quote a name with a comma: '@\"a,b\"'".to_owned()
        );
    }
    let path = PathBuf::from(OsStr::from_bytes(file));
    Ok(if sign == b'@' { Source::Upload(path) } else { Source::Value(path) })
}

/// Names in quotation marks, as browsers escape them (WHATWG HTML, "multipart/form-data encoding algorithm").
fn escaped(name: &[u8]) -> Vec<u8> {
    let escape = |octet: &u8| match octet {
        b'"' => b"%22".to_vec(),
        b'\r' => b"%0D".to_vec(),
        b'\n' => b"%0A".to_vec(),
        octet => vec![*octet],
    };
    name.iter().flat_map(escape).collect()
}

/// By the end of the file's name, as curl guesses it.
fn media_type(name: &[u8]) -> &'static str {
    const TYPES: [(&str, &str); 10] = [
        ("gif", "image/gif"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("txt", "text/plain"),
        ("htm", "text/html"),
        ("html", "text/html"),
        ("pdf", "application/pdf"),
        ("xml", "application/xml"),
    ];
    let ending = Path::new(OsStr::from_bytes(name)).extension().and_then(OsStr::to_str).unwrap_or_default();
    let known = TYPES.iter().find(|(own, _)| own.eq_ignore_ascii_case(ending));
    known.map_or("application/octet-stream", |&(_, media_type)| media_type)
}

/// The name and the value of a parameter.
type Parameter = (Vec<u8>, Vec<u8>);

/// The value of `-F` and its parameters, with semicolons between them.
struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    /// Up to the next semicolon, or in quotation marks with `\"` and `\\` in them.
    fn next_word(&mut self) -> Result<Vec<u8>, String> {
        if let Some((word, rest)) = quoted(self.rest) {
            let end = rest.iter().position(|&octet| octet == b';').unwrap_or(rest.len());
            if !rest[..end].trim_ascii().is_empty() {
                return Err("something stands behind a closing quotation mark: only `;` may follow it".to_owned());
            }
            self.rest = &rest[end..];
            return Ok(word);
        }
        let end = self.rest.iter().position(|&octet| octet == b';').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word.trim_ascii().to_vec())
    }

    /// `;NAME=VALUE`. Parameters of a media type belong to it.
    fn next_parameter(&mut self) -> Result<Option<Parameter>, String> {
        let Some(rest) = self.rest.strip_prefix(b";") else {
            return Ok(None);
        };
        let rest = rest.trim_ascii_start();
        let end = rest.iter().position(|&octet| matches!(octet, b'=' | b';')).unwrap_or(rest.len());
        let name = rest[..end].trim_ascii_end().to_vec();
        self.rest = rest[end..].strip_prefix(b"=").unwrap_or(&rest[end..]).trim_ascii_start();
        let mut value = self.next_word()?;
        while name == b"type" && self.continues_type() {
            let rest = &self.rest[1..];
            let end = rest.iter().position(|&octet| octet == b';').unwrap_or(rest.len());
            value.extend([b";", rest[..end].trim_ascii_end()].concat());
            self.rest = &rest[end..];
        }
        Ok(Some((name, value)))
    }

    /// Is the next parameter one of the media type?
    fn continues_type(&self) -> bool {
        let ours = [&b"filename="[..], b"headers=", b"type=", b"encoder="];
        let next = self.rest.strip_prefix(b";").map(<[u8]>::trim_ascii_start);
        next.is_some_and(|next| !next.is_empty() && !ours.iter().any(|own| next.starts_with(own)))
    }
}

/// The text in quotation marks at the beginning, and the rest. `None`: the text does not begin with a quotation mark, or the quotation is not closed.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut word = Vec::new();
    loop {
        match rest {
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                word.push(*escaped);
                rest = after;
            }
            [b'"', after @ ..] => return Some((word, after)),
            [octet, after @ ..] => {
                word.push(*octet);
                rest = after;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[&str]) -> String {
        let parts: Vec<FormPart> = parts.iter().map(|part| FormPart::parse(part.as_bytes()).unwrap()).collect();
        let mut text = String::new();
        pieces(&parts, "B").unwrap().reader().read_to_string(&mut text).unwrap();
        text
    }

    fn head(part: &str) -> String {
        String::from_utf8(FormPart::parse(part.as_bytes()).unwrap().head()).unwrap().trim_end().to_owned()
    }

    #[test]
    fn a_form_is_written_as_curl_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.txt");
        std::fs::write(&file, "hello").unwrap();
        let file = file.display();
        let expected = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: text/x; charset=u\r\n\r\nb\
                        \r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"q%22u.png\"\r\nContent-Type: image/png\r\n\r\nhello\
                        \r\n--B\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\nhello\
                        \r\n--B\r\nContent-Disposition: form-data; name=\"h\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\
                        \r\n--B\r\nContent-Disposition: form-data; name=\"k\"\r\nX-A: b\r\n\r\nv\r\n--B--\r\n";
        let parts = [
            "a=b;type=text/x; charset=u",
            &format!("f=@{file};filename=\"q\\\"u.png\""),
            &format!("g=<{file}"),
            &format!("h=@{file}"),
            "k=v;headers=\"X-A: b\"",
        ];
        assert_eq!(written(&parts), expected);
    }

    #[test]
    fn names_and_values_are_quoted_and_escaped() {
        assert_eq!(head("na\"me\r\n=v"), "Content-Disposition: form-data; name=\"na%22me%0D%0A\"");
        assert_eq!(FormPart::parse(b"a=\"b;c\\\\\"").unwrap().source, Source::Octets(b"b;c\\".to_vec()));
        assert_eq!(FormPart::parse(b"a= b ").unwrap().source, Source::Octets(b"b".to_vec()));
        assert_eq!(FormPart::parse(b"a=\"b").unwrap().source, Source::Octets(b"\"b".to_vec()));
        assert_eq!(FormPart::parse(b"a=@\"x,y\"").unwrap().source, Source::Upload("x,y".into()));
        assert_eq!(FormPart::literal(b"a=@b;type=c").unwrap().source, Source::Octets(b"@b;type=c".to_vec()));
        assert_eq!(
            head("a=@/d/no-ending"),
            "Content-Disposition: form-data; name=\"a\"; filename=\"no-ending\"\r\nContent-Type: application/octet-stream"
        );
        assert!(head("a=b;filename=c").ends_with("; filename=\"c\""));
        assert!(FormPart::parse(b"a=@-").unwrap().reads_stdin() && !FormPart::parse(b"a=-").unwrap().reads_stdin());
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for (wrong, why) in [
            ("a", "NAME=VALUE"),
            ("a=b;secret", "follows a `;` is none of"),
            ("a=b;", "follows a `;` is none of"),
            ("a=b;encoder=base64", "follows a `;` is none of"),
            ("a=@", "file is missing"),
            ("a=@x,y", "another -F"),
            ("a=b;type=text", "media type"),
            ("a=\"b\"secret", "stands behind"),
            ("a=(", "forms within forms"),
            ("a=b;headers=X", "takes a line"),
            ("a=b;headers=\"X: y\nZ: w\"", "control character"),
        ] {
            let message = FormPart::parse(wrong.as_bytes()).unwrap_err();
            assert!(message.contains(why) && !message.contains("secret"), "{wrong}: {message}");
        }
    }

    #[test]
    fn boundaries_differ() {
        let (one, other) = (boundary().unwrap(), boundary().unwrap());
        assert!(one != other && one.len() <= 70, "{one}");
    }
}

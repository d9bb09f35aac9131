//! What a strict server reads from the wire. It shares no code with the client that it judges.

pub mod answer;
#[cfg(feature = "sandboxed")]
pub mod loopback;
pub mod requests;
pub mod scripted;
#[cfg(feature = "sandboxed")]
pub mod server;

use std::fmt;

/// A request as the peer saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its target.
    pub target: String,
    /// Its field lines.
    pub fields: Vec<(String, Vec<u8>)>,
    /// As much of its content as has come.
    pub content: Vec<u8>,
    /// Its trailer section.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// All of it has come.
    pub whole: bool,
}

impl Seen {
    /// The value of the only field line of this name; `None` when there is none.
    ///
    /// # Panics
    /// When there are several.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut found = self.fields.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| value.as_slice());
        assert!(found.next().is_none(), "more than one {name} in {self:?}");
        first
    }
}

/// `METHOD target "content" + trailer: value`, with `...` behind what is not whole. Without content, the quotes are left out.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        if !self.content.is_empty() {
            write!(f, " \"{}\"", crate::scenario::story::octets(&self.content))?;
        }
        for (name, value) in &self.trailers {
            write!(f, " + {name}: {}", value.escape_ascii())?;
        }
        if self.whole { Ok(()) } else { f.write_str(" ...") }
    }
}

/// Reads the next request from the front of `octets`: it, and how many octets it takes. `None`: not even its head is whole.
///
/// # Errors
/// What is wrong with it.
pub fn read(octets: &[u8]) -> Result<Option<(Seen, usize)>, String> {
    let Some(end) = find(octets, b"\r\n\r\n") else {
        return match octets.len() {
            0..100_000 => Ok(None),
            _ => Err("a head without an end".to_owned()),
        };
    };
    let mut lines = split_lines(&octets[..end + 2])?.into_iter();
    let (method, target) = request_line(lines.next().unwrap_or_default())?;
    let fields = lines.map(field_line).collect::<Result<Vec<_>, _>>()?;
    let mut seen = Seen { method, target, fields, ..Seen::default() };
    check_fields(&seen)?;
    let body = &octets[end + 4..];
    let taken = match framing(&seen)? {
        None => {
            seen.whole = true;
            0
        }
        Some(Framing::Length(length)) => {
            let taken = body.len().min(length);
            seen.content = body[..taken].to_vec();
            seen.whole = taken == length;
            taken
        }
        Some(Framing::Chunked) => read_chunks(body, &mut seen)?,
    };
    Ok(Some((seen, end + 4 + taken)))
}

enum Framing {
    Length(usize),
    Chunked,
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|window| window == wanted)
}

fn split_lines(octets: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut lines = Vec::new();
    let mut rest = octets;
    while let Some(end) = find(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    if let Some(line) = lines.iter().find(|line| line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))) {
        return Err(format!("CR, LF or NUL inside the line {}", line.escape_ascii()));
    }
    Ok(lines)
}

fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet))
}

fn request_line(line: &[u8]) -> Result<(String, String), String> {
    let wrong = || format!("no request line: {}", line.escape_ascii());
    let parts: Vec<&[u8]> = line.split(|octet| *octet == b' ').collect();
    let [method, target, b"HTTP/1.1"] = parts[..] else { return Err(wrong()) };
    let visible = |octet: &u8| (0x21..0x7f).contains(octet) && *octet != b'#';
    if !is_token(method) || target.is_empty() || !target.iter().all(visible) {
        return Err(wrong());
    }
    Ok((String::from_utf8_lossy(method).into_owned(), String::from_utf8_lossy(target).into_owned()))
}

fn field_line(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let wrong = || format!("no field line: {}", line.escape_ascii());
    let colon = line.iter().position(|octet| *octet == b':').ok_or_else(wrong)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let padded = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    let control = |octet: &u8| (*octet < 0x20 && *octet != b'\t') || *octet == 0x7f;
    if !is_token(name) || padded(value.first()) || padded(value.last()) || value.iter().any(control) {
        return Err(wrong());
    }
    Ok((String::from_utf8_lossy(name).into_owned(), value.to_vec()))
}

fn check_fields(seen: &Seen) -> Result<(), String> {
    let count = |name: &str| seen.fields.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).count();
    if count("host") != 1 {
        return Err(format!("{} lines of Host: {seen:?}", count("host")));
    }
    if count("content-length") + count("transfer-encoding") > 1 {
        return Err(format!("framed twice: {seen:?}"));
    }
    let names = |wanted: &str| {
        let lists = seen.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
        lists
            .flat_map(|(_, value)| value.split(|octet| *octet == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    for hop_by_hop in ["upgrade", "te"] {
        if count(hop_by_hop) > 0 && !names(hop_by_hop) {
            return Err(format!("{hop_by_hop} is not in Connection: {seen:?}"));
        }
    }
    Ok(())
}

fn framing(seen: &Seen) -> Result<Option<Framing>, String> {
    match (seen.field("content-length"), seen.field("transfer-encoding")) {
        (None, None) => Ok(None),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Some(Framing::Chunked)),
        (Some(length), None) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            let length = String::from_utf8_lossy(length).parse().map_err(|error| format!("{error}"))?;
            Ok(Some(Framing::Length(length)))
        }
        framing => Err(format!("framed by {framing:?}")),
    }
}

/// Reads as many chunks as are there; gives how many octets they take.
fn read_chunks(body: &[u8], seen: &mut Seen) -> Result<usize, String> {
    let mut at = 0;
    loop {
        let rest = &body[at..];
        let Some(line_end) = find(rest, b"\r\n") else { return Ok(body.len()) };
        let digits = &rest[..line_end];
        let size = std::str::from_utf8(digits).ok().filter(|digits| !digits.is_empty() && !digits.starts_with('+'));
        let size = size.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.ok_or_else(|| format!("no chunk size: {}", digits.escape_ascii()))?;
        let data = &rest[line_end + 2..];
        if size == 0 {
            let Some(end) = find(&rest[line_end..], b"\r\n\r\n") else { return Ok(body.len()) };
            let lines = split_lines(&rest[line_end + 2..line_end + end + 2])?;
            seen.trailers = lines.into_iter().map(field_line).collect::<Result<_, _>>()?;
            seen.whole = true;
            return Ok(at + line_end + end + 4);
        }
        seen.content.extend_from_slice(&data[..size.min(data.len())]);
        if data.len() < size + 2 {
            return Ok(body.len());
        }
        if &data[size..size + 2] != b"\r\n" {
            return Err(format!("a chunk of {size} that ends in {}", data[size..size + 2].escape_ascii()));
        }
        at += line_end + 2 + size + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(octets: &str) -> Result<String, String> {
        Ok(read(octets.as_bytes())?.map(|(seen, taken)| format!("{seen} [{taken}]")).unwrap_or_default())
    }

    #[test]
    fn requests_are_read_as_far_as_they_have_come() {
        let head = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(text("GET / HTTP/1.1\r\nHost: h\r\n"), Ok(String::new()));
        assert_eq!(text("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET").as_deref(), Ok("GET / [27]"));
        assert_eq!(text(&format!("{head}3\r\nab")).as_deref(), Ok("POST /x \"ab\" ... [62]"));
        assert_eq!(text(&format!("{head}2\r\nab\r\n0\r\nT: v\r\n\r\nX")).as_deref(), Ok("POST /x \"ab\" + T: v [75]"));
    }

    #[test]
    fn what_is_not_exactly_right_is_refused() {
        let wrong = [
            "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nA:  b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx",
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz",
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n",
        ];
        for octets in wrong {
            assert!(text(octets).is_err(), "{octets:?}");
        }
    }
}

//! What stands behind the servers that only serve files or pass on: an application, which says what it has seen.
//!
//! | target | answer |
//! |---|---|
//! | `/files/N`, `/files/big` | a file of the site |
//! | `/app/echo` | length and checksum of the content |
//! | `/app/mirror` | the content, as it comes |
//! | `/app/chunked` | [`chunked_content`] in chunks, with a trailer |
//! | `/app/hints` | 103 (Early Hints), then 200 |
//! | `/app/status/N` | that status, without content |
//! | `/app/count/N` | 200, after a line in the site's `seen.log`; `?slow` takes its time |

use super::content::{FILES, Sum, file, pattern};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long `?slow` takes: long enough for something to happen meanwhile.
const SLOW: Duration = Duration::from_millis(10);
/// A connection on which nothing comes is given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A head has no more octets.
const HEAD_OCTETS_MAX: u64 = 200_000;
const CHUNKS: usize = 40;
const BLOCK_OCTETS: usize = 65_536;

/// The content of `/app/chunked`, chunk by chunk.
fn chunks() -> impl Iterator<Item = Vec<u8>> {
    (0..CHUNKS).map(|number| pattern(number as u64 * 70_000, 1 + number * 97))
}

/// The content of `/app/chunked`.
pub fn chunked_content() -> Vec<u8> {
    chunks().flatten().collect()
}

/// A listening origin; it ends with this value.
pub struct Origin {
    /// Where it listens, on the loopback address.
    pub port: u16,
    ended: Arc<AtomicBool>,
}

impl Origin {
    /// Starts one for a site: the directory, and the length of its big file.
    ///
    /// # Errors
    /// Of the loopback network.
    pub fn start(site: &Path, big_octets: u64) -> io::Result<Origin> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let ended = Arc::new(AtomicBool::new(false));
        let (seen, flag) = (site.join("seen.log"), Arc::clone(&ended));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if flag.load(Ordering::Relaxed) {
                    break;
                }
                let seen = seen.clone();
                std::thread::spawn(move || Application { seen, big_octets }.serve(&stream));
            }
        });
        Ok(Origin { port, ended })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

struct Head {
    method: String,
    target: String,
    fields: BTreeMap<String, String>,
    /// HTTP/1.1: chunks may be sent, and the connection persists.
    current: bool,
}

struct Application {
    seen: PathBuf,
    big_octets: u64,
}

impl Application {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(head) = read_head(&mut reader)? {
            match head.target.as_str() {
                "/app/mirror" => mirror(&mut reader, &head, stream)?,
                _ => {
                    let sum = read_content(&mut reader, &head, |_| Ok(()), stream)?;
                    self.answer(&head, sum, stream)?;
                }
            }
            let persists = head.current && head.fields.get("connection").is_none_or(|options| !options.contains("close"));
            if !persists {
                break;
            }
        }
        stream.shutdown(Shutdown::Write)
    }

    fn answer(&self, head: &Head, sum: Sum, to: &TcpStream) -> io::Result<()> {
        let path = head.target.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts[..] {
            ["files", "big"] => self.answer_big(to),
            ["files", number] => match number.parse() {
                Ok(number) if number < FILES => respond(head, "200 OK", &file(number), to),
                _ => respond(head, "404 Not Found", b"none", to),
            },
            ["app", "echo"] => respond(head, "200 OK", sum.text().as_bytes(), to),
            ["app", "chunked"] => answer_chunked(head, to),
            ["app", "hints"] => {
                write(to, b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")?;
                respond(head, "200 OK", b"hinted", to)
            }
            ["app", "status", "304"] => write(to, b"HTTP/1.1 304 Not Modified\r\nETag: \"one\"\r\n\r\n"),
            ["app", "status", number] => write(to, format!("HTTP/1.1 {number} Given\r\n\r\n").as_bytes()),
            ["app", "count", _] => {
                let mut seen = OpenOptions::new().append(true).create(true).open(&self.seen)?;
                seen.write_all(format!("{path}\n").as_bytes())?;
                if head.target.ends_with("?slow") {
                    std::thread::sleep(SLOW);
                }
                respond(head, "200 OK", format!("counted {path}").as_bytes(), to)
            }
            _ => respond(head, "404 Not Found", b"none", to),
        }
    }

    fn answer_big(&self, to: &TcpStream) -> io::Result<()> {
        write(to, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", self.big_octets).as_bytes())?;
        blocks(self.big_octets).try_for_each(|block| write(to, &block))
    }
}

/// The content of a given length, in blocks.
pub fn blocks(octets: u64) -> impl Iterator<Item = Vec<u8>> {
    let starts = (0..octets).step_by(BLOCK_OCTETS);
    starts.map(move |start| pattern(start, usize::try_from(octets - start).unwrap_or(BLOCK_OCTETS).min(BLOCK_OCTETS)))
}

/// Writes the content of a given length into a file.
///
/// # Errors
/// Of the file system.
pub fn write_big(path: &Path, octets: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    blocks(octets).try_for_each(|block| file.write_all(&block))
}

fn write(mut to: &TcpStream, octets: &[u8]) -> io::Result<()> {
    to.write_all(octets)
}

fn respond(head: &Head, status: &str, content: &[u8], to: &TcpStream) -> io::Result<()> {
    let mut octets = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", content.len()).into_bytes();
    if head.method != "HEAD" {
        octets.extend_from_slice(content);
    }
    write(to, &octets)
}

fn answer_chunked(head: &Head, to: &TcpStream) -> io::Result<()> {
    if !head.current {
        write(to, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        return write(to, &chunked_content());
    }
    write(to, b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for chunk in chunks() {
        write(to, &[format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk, b"\r\n"].concat())?;
    }
    write(to, format!("0\r\nX-Sum: {}\r\n\r\n", Sum::of(&chunked_content()).text()).as_bytes())
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let octets = reader.by_ref().take(HEAD_OCTETS_MAX).read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok((octets > 0).then_some(line))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let Some(line) = read_line(reader)? else { return Ok(None) };
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(invalid("no request line"));
    };
    let mut fields = BTreeMap::new();
    while let Some(line) = read_line(reader)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("no field line"))?;
        fields.insert(name.to_ascii_lowercase(), value.trim().to_ascii_lowercase());
    }
    Ok(Some(Head { method, target, fields, current: version == "HTTP/1.1" }))
}

/// Says the content back as it comes.
fn mirror(reader: &mut impl BufRead, head: &Head, to: &TcpStream) -> io::Result<()> {
    write(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    read_content(reader, head, |part| write(to, &[format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat()), to)?;
    write(to, b"0\r\n\r\n")
}

/// Reads content, and shows each part of it as it comes.
fn read_content(
    reader: &mut impl BufRead,
    head: &Head,
    mut show: impl FnMut(&[u8]) -> io::Result<()>,
    to: &TcpStream,
) -> io::Result<Sum> {
    if head.fields.get("expect").is_some_and(|expected| expected == "100-continue") {
        write(to, b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut sum = Sum::default();
    if head.fields.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let line = read_line(reader)?.ok_or_else(|| invalid("no chunk"))?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_| invalid("no chunk size"))?;
            if size == 0 {
                while read_line(reader)?.is_some_and(|line| !line.is_empty()) {}
                return Ok(sum);
            }
            read_exactly(reader, size, &mut sum, &mut show)?;
            read_line(reader)?;
        }
    }
    let length = head.fields.get("content-length").map_or(Ok(0), |length| length.parse()).map_err(|_| invalid("no length"))?;
    read_exactly(reader, length, &mut sum, &mut show)?;
    Ok(sum)
}

fn read_exactly(
    reader: &mut impl BufRead,
    octets: u64,
    sum: &mut Sum,
    show: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut left = octets;
    while left > 0 {
        let there = reader.fill_buf()?;
        if there.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = there.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        sum.add(&there[..taken]);
        show(&there[..taken])?;
        reader.consume(taken);
        left -= taken as u64;
    }
    Ok(())
}

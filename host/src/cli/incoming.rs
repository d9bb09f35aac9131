//! The response of one exchange on its way to where it is to go.

use std::io;

use sandpiper_host::types::{Chunk, Failure, FieldLine, Readiness, ResponseHead};
use sandpiper_host::{CallError, Client, Exchange, HostError};

use super::interrupt::Unfinished;
use super::json::Collected;
use super::output::{Destination, Sink};

/// Octets of one `read`.
const READ_OCTETS: u64 = 65_536;
/// Reads of one call of `advance` at most, so that other connections have their turn.
const READS_PER_TURN: usize = 16;

/// How responses are to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// `--json`: collected, not written.
    pub(crate) json: bool,
    /// `-i`: heads before contents.
    pub(crate) heads: bool,
    /// `--fail`: the content of a status of 400 or more is thrown away.
    pub(crate) fail: bool,
    /// `--upgrade` or `-X CONNECT`: which status opens a tunnel.
    pub(crate) tunnel: Tunnel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tunnel {
    Never,
    /// 101.
    Upgrade,
    /// 2xx.
    Connect,
}

#[derive(Debug)]
pub(crate) struct Incoming {
    form: Form,
    to: To,
    index: usize,
    unfinished: Unfinished,
    discarded: bool,
    /// The final head; with `--json` the rest too.
    pub(crate) collected: Collected,
}

#[derive(Debug)]
enum To {
    /// Opened with the first octet.
    Unopened(Destination),
    Open(Sink),
    Nowhere,
}

/// What `advance` ended with.
#[derive(Debug)]
pub(crate) enum Received {
    /// More will come.
    Pending,
    /// The response is whole.
    End(Vec<FieldLine>),
    Failed(Failure),
}

/// What ends more than the exchange.
#[derive(Debug)]
pub(crate) enum Trouble {
    Output(io::Error),
    Host(HostError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// The value, or a return with the failure.
macro_rules! unless_failed {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(CallError::Http(failure)) => return Ok(Received::Failed(failure)),
            Err(CallError::Host(error)) => return Err(error.into()),
        }
    };
}

impl Incoming {
    pub(crate) fn new(form: Form, destination: Destination, index: usize, unfinished: Unfinished) -> Self {
        Self { form, to: To::Unopened(destination), index, unfinished, discarded: false, collected: Collected::default() }
    }

    /// The final head, once it is there.
    pub(crate) fn head(&self) -> Option<&ResponseHead> {
        self.collected.head.as_ref()
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        let status = self.head().map_or(0, |head| head.status);
        match self.form.tunnel {
            Tunnel::Never => false,
            Tunnel::Upgrade => status == 101,
            Tunnel::Connect => (200..300).contains(&status),
        }
    }

    /// Is a part of it on standard output, where it cannot be taken back?
    pub(crate) fn is_written(&self) -> bool {
        matches!(&self.to, To::Open(sink) if sink.is_written())
    }

    /// With `--fail`.
    pub(crate) fn is_refused(&self) -> bool {
        self.form.fail && self.head().is_some_and(|head| head.status >= 400)
    }

    /// What comes of it is thrown away: the request is going to be sent again.
    pub(crate) fn discard(&mut self) {
        self.abandon();
        self.discarded = true;
    }

    /// Why a response that is whole counts as a failure all the same.
    pub(crate) fn objection(&self) -> Option<String> {
        let head = self.head()?;
        let status = format!("status {} {}", head.status, head.reason_text());
        match self.form.tunnel {
            _ if self.is_refused() => Some(format!("{status}; --fail counts it as a failure")),
            Tunnel::Upgrade | Tunnel::Connect if !self.is_tunnel() => {
                Some(format!("{status}: no tunnel was opened, and nothing of standard input was sent"))
            }
            _ => None,
        }
    }

    /// Takes what has arrived, a bounded amount, and at most `octets_max` octets of content; calls `count` with their number.
    pub(crate) async fn advance(
        &mut self,
        client: &mut Client,
        exchange: &Exchange,
        ready: Readiness,
        octets_max: u64,
        mut count: impl FnMut(u64),
    ) -> Result<Received, Trouble> {
        if self.head().is_none() {
            let head = unless_failed!(exchange.head(client).await);
            // Also when no event told of them: they can have arrived with the head.
            if head.is_some() || ready.contains(Readiness::INTERIM) {
                self.take_interim(exchange.interim(client).await?)?;
            }
            match head {
                None => return Ok(Received::Pending),
                Some(head) => self.take_head(head)?,
            }
        }
        let mut left = octets_max;
        for _ in 0..READS_PER_TURN {
            if left == 0 {
                self.flush()?;
                break;
            }
            match unless_failed!(exchange.read(client, left.min(READ_OCTETS)).await) {
                Chunk::Data(octets) => {
                    left = left.saturating_sub(octets.len() as u64);
                    count(octets.len() as u64);
                    self.take_content(octets)?;
                }
                Chunk::WouldBlock => {
                    self.flush()?;
                    return Ok(Received::Pending);
                }
                Chunk::End(trailers) => return Ok(Received::End(trailers)),
            }
        }
        Ok(Received::Pending)
    }

    fn take_interim(&mut self, heads: Vec<ResponseHead>) -> io::Result<()> {
        if self.form.json {
            self.collected.interim.extend(heads);
            return Ok(());
        }
        if self.form.heads {
            heads.iter().try_for_each(|head| self.write(&on_the_wire(head)))?;
        }
        Ok(())
    }

    fn take_head(&mut self, head: ResponseHead) -> io::Result<()> {
        let wire = (self.form.heads && !self.form.json).then(|| on_the_wire(&head));
        // What is there already is still right (RFC 9110 §15.4.5).
        if head.status == 304 && wire.is_none() && matches!(self.to, To::Unopened(_)) {
            self.to = To::Nowhere;
        }
        self.collected.head = Some(head);
        if self.is_refused() && !self.form.json {
            self.abandon();
        }
        wire.map_or(Ok(()), |wire| self.write(&wire))
    }

    fn take_content(&mut self, octets: Vec<u8>) -> io::Result<()> {
        if self.discarded {
            return Ok(());
        }
        match (self.form.json, self.collected.content.is_empty()) {
            (true, true) => self.collected.content = octets,
            (true, false) => self.collected.content.extend_from_slice(&octets),
            (false, _) => self.write(&octets)?,
        }
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.open()?.map_or(Ok(()), |sink| sink.write(octets))
    }

    fn open(&mut self) -> io::Result<Option<&mut Sink>> {
        if let To::Unopened(destination) = &self.to {
            let sink = Sink::open(destination)?;
            self.unfinished.keep_in_mind(self.index, sink.temporary());
            self.to = To::Open(sink);
        }
        Ok(match &mut self.to {
            To::Open(sink) => Some(sink),
            _ => None,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Open(sink) => sink.flush(),
            _ => Ok(()),
        }
    }

    /// The response is whole: its file, even if empty, takes its name.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.form.json {
            return Ok(());
        }
        self.open()?;
        match std::mem::replace(&mut self.to, To::Nowhere) {
            To::Open(sink) => sink.finish(),
            _ => Ok(()),
        }
    }

    /// It will not be whole. Says what became of what was written, if anything was.
    pub(crate) fn abandon(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.to, To::Nowhere) {
            To::Open(sink) => sink.abandon(),
            _ => None,
        }
    }
}

/// A head as the wire had it.
pub(crate) fn on_the_wire(head: &ResponseHead) -> Vec<u8> {
    let mut octets = format!("{} {} ", head.version.text(), head.status).into_bytes();
    octets.extend_from_slice(&head.reason);
    octets.extend_from_slice(b"\r\n");
    for (name, value) in &head.fields {
        octets.extend_from_slice(name.as_bytes());
        octets.extend_from_slice(b": ");
        octets.extend_from_slice(value);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b"\r\n");
    octets
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::HttpVersion;

    use super::*;

    fn head(status: u16) -> ResponseHead {
        let fields = vec![("A".to_owned(), b"\xff".to_vec()), ("a".to_owned(), Vec::new())];
        ResponseHead { version: HttpVersion::Http11, status, reason: b"Why".to_vec(), fields }
    }

    fn incoming(form: Form, file: &std::path::Path) -> Incoming {
        Incoming::new(form, Destination::File(file.to_owned()), 0, Unfinished::new(std::sync::Arc::from([])))
    }

    const PLAIN: Form = Form { json: false, heads: false, fail: false, tunnel: Tunnel::Never };

    #[test]
    fn heads_are_written_as_they_came() {
        assert_eq!(on_the_wire(&head(200)), b"HTTP/1.1 200 Why\r\nA: \xff\r\na: \r\n\r\n");
    }

    #[test]
    fn contents_go_where_they_should() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let write = |form: Form, status: u16| {
            _ = std::fs::remove_file(&file);
            let mut incoming = incoming(form, &file);
            incoming.take_interim(vec![head(103)]).unwrap();
            incoming.take_head(head(status)).unwrap();
            incoming.take_content(b"content".to_vec()).unwrap();
            incoming.finish().unwrap();
            std::fs::read(&file).ok()
        };
        assert_eq!(write(PLAIN, 404).unwrap(), b"content");
        assert_eq!(write(Form { fail: true, ..PLAIN }, 404), None);
        assert_eq!(write(Form { fail: true, ..PLAIN }, 399).unwrap(), b"content");
        assert_eq!(write(Form { json: true, ..PLAIN }, 200), None);
        let whole = [on_the_wire(&head(103)), on_the_wire(&head(200)), b"content".to_vec()].concat();
        assert_eq!(write(Form { heads: true, ..PLAIN }, 200).unwrap(), whole);
    }

    #[test]
    fn a_content_that_has_not_changed_leaves_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "before").unwrap();
        let mut incoming = incoming(PLAIN, file.path());
        incoming.take_head(head(304)).unwrap();
        incoming.finish().unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"before");
    }

    #[test]
    fn an_empty_response_makes_an_empty_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let mut incoming = incoming(PLAIN, &file);
        incoming.take_head(head(200)).unwrap();
        incoming.finish().unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"");
    }
}

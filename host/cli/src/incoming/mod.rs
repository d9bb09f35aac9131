//! The response of one exchange on its way to where it is to go.

use std::io;
use std::sync::Arc;

use sandpiper_host::types::{Chunk, Failure, FieldLine, Readiness, ResponseHead};
use sandpiper_host::{CallError, Client, Exchange, HostError};

use super::interrupt::Unfinished;
use super::json::Collected;
use super::output::{Destination, Finished, HeadDump, Resume, Sink, Start};
use super::spool::Spooled;

/// Octets of one `read`.
pub(crate) const READ_OCTETS: u64 = 65_536;
/// Reads of one call of `advance` at most, so that other connections have their turn.
pub(crate) const READS_PER_TURN: usize = 16;

/// How responses are to be written.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// `--json`: collected, not written.
    pub(crate) json: bool,
    /// `-i`: heads before contents.
    pub(crate) heads: bool,
    /// The meaning of a status of 400 or more.
    pub(crate) errors: Errors,
    /// `--remove-on-error`.
    pub(crate) remove: bool,
    /// `-D`.
    pub(crate) dump: Option<Arc<HeadDump>>,
    /// `--upgrade` or `-X CONNECT`: which status opens a tunnel.
    pub(crate) tunnel: Tunnel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    /// An answer like others.
    Written,
    /// `--fail`: a failure, whose content is thrown away.
    Discarded,
    /// `--fail-with-body`: a failure, whose content is written.
    Failed,
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
    destination: Destination,
    /// `-C`.
    resume: Option<Box<Resume>>,
    to: To,
    index: usize,
    unfinished: Unfinished,
    discarded: bool,
    /// The final head; with `--json` the rest too.
    pub(crate) collected: Collected,
    /// Octets of heads.
    pub(crate) head_octets: u64,
    /// Octets of content.
    pub(crate) content_octets: u64,
    /// With `-C`, the octets of content that must come.
    expected: Option<u64>,
    /// Why the response is of no use, which is said when it has ended.
    refusal: Option<String>,
    /// The outcome for the destination.
    pub(crate) finished: Finished,
}

#[derive(Debug)]
enum To {
    /// Opened with the first octet; the response begins there.
    Unopened(Option<Start>),
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

/// Why a response is not received to its end, although it comes.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Standard output cannot be written, which all exchanges write to.
    Stdout(io::Error),
    /// This one is given up.
    Refused(String),
    Host(HostError),
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// As curl says it.
const BINARY: &str = "the content is binary and would upset the terminal: write it to a file with -o FILE, or as it is with -o -";

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
    pub(crate) fn new(
        form: Form,
        destination: Destination,
        resume: Option<Box<Resume>>,
        index: usize,
        unfinished: Unfinished,
    ) -> Self {
        Self {
            form,
            destination,
            resume,
            to: To::Unopened(None),
            index,
            unfinished,
            discarded: false,
            collected: Collected::default(),
            head_octets: 0,
            content_octets: 0,
            expected: None,
            refusal: None,
            finished: Finished::default(),
        }
    }

    /// The final head, once it is there.
    pub(crate) fn head(&self) -> Option<&ResponseHead> {
        self.collected.head.as_ref()
    }

    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
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

    /// With `--fail` or `--fail-with-body`; the option.
    pub(crate) fn refused_by(&self) -> Option<&'static str> {
        // 416 is the answer to who has everything already.
        let is_error = self.resume.is_none() && self.head().is_some_and(|head| head.status >= 400);
        match self.form.errors {
            Errors::Discarded if is_error => Some("--fail"),
            Errors::Failed if is_error => Some("--fail-with-body"),
            _ => None,
        }
    }

    /// The response is thrown away: the request is going to be sent again.
    pub(crate) fn discard(&mut self) {
        self.abandon();
        self.discarded = true;
    }

    /// Why a response that is whole counts as a failure all the same.
    pub(crate) fn objection(&self) -> Option<String> {
        let head = self.head()?;
        let status = format!("status {} {}", head.status, head.reason_text());
        match self.form.tunnel {
            _ if self.refused_by().is_some() => {
                let option = self.refused_by().unwrap_or_default();
                Some(format!("{status}; {option} counts it as a failure"))
            }
            Tunnel::Upgrade | Tunnel::Connect if !self.is_tunnel() => {
                Some(format!("{status}: no tunnel was opened, and nothing of standard input was sent"))
            }
            _ => None,
        }
    }

    /// Takes what has arrived, a bounded amount: first the content that was spooled, then at most `octets_max` octets; adds the number of the
    /// latter to `moved`, also where there is trouble.
    pub(crate) async fn advance(
        &mut self,
        client: &mut Client,
        exchange: &Exchange,
        spooled: &mut Spooled,
        ready: Readiness,
        octets_max: u64,
        moved: &mut u64,
    ) -> Result<Received, Trouble> {
        if self.head().is_none() {
            let head = unless_failed!(exchange.packed_head(client).await);
            // Also when no event told of them: they can have arrived with the head.
            if head.is_some() || ready.contains(Readiness::INTERIM) {
                self.take_interim(exchange.take_interim(client).await?)?;
            }
            match head {
                None => return Ok(Received::Pending),
                Some(head) => self.take_head(head.unpacked(), &head.octets)?,
            }
        }
        for _ in 0..READS_PER_TURN {
            match spooled.take().map_err(|error| Trouble::Refused(format!("cannot read what came before its turn: {error}")))? {
                Some(Chunk::Data(octets)) => {
                    self.take_content(octets)?;
                    continue;
                }
                Some(Chunk::End(trailers)) => return Ok(Received::End(trailers)),
                _ => {}
            }
            let left = octets_max.saturating_sub(*moved);
            if left == 0 {
                self.flush()?;
                break;
            }
            match unless_failed!(exchange.read(client, left.min(READ_OCTETS)).await) {
                Chunk::Data(octets) => {
                    *moved += octets.len() as u64;
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

    fn take_interim(&mut self, heads: Vec<ResponseHead>) -> Result<(), Trouble> {
        for wire in heads.iter().map(on_the_wire) {
            self.take_wire(&wire)?;
        }
        if self.form.json {
            self.collected.interim.extend(heads);
        }
        Ok(())
    }

    /// The octets of a head.
    fn take_wire(&mut self, wire: &[u8]) -> Result<(), Trouble> {
        self.head_octets += wire.len() as u64;
        if let Some(dump) = &self.form.dump {
            dump.write(wire).map_err(|error| match dump.is_stdout() {
                true => Trouble::Stdout(error),
                false => Trouble::Refused(format!("cannot write {}: {error}", dump.name())),
            })?;
        }
        if self.form.heads && !self.form.json { self.write(wire) } else { Ok(()) }
    }

    fn take_head(&mut self, head: ResponseHead, wire: &[u8]) -> Result<(), Trouble> {
        self.destination.named_by(&head);
        // The file that is there is still right (RFC 9110 §15.4.5).
        if head.status == 304 && !self.form.heads && matches!(self.to, To::Unopened(_)) {
            self.to = To::Nowhere;
        }
        self.collected.head = Some(head);
        if self.refused_by().is_some() && self.form.errors == Errors::Discarded && !self.form.json {
            self.abandon();
        }
        self.take_wire(wire)?;
        self.resume()
    }

    /// With `-C`: what the response means for the file.
    fn resume(&mut self) -> Result<(), Trouble> {
        let (Some(resume), Some(head)) = (self.resume.clone(), self.collected.head.clone()) else {
            return Ok(());
        };
        let verdict = match resume.judge(&head) {
            Ok(verdict) => verdict,
            // The request may be repeated, and the content is short.
            Err(why) if head.status >= 400 => {
                (self.to, self.refusal) = (To::Nowhere, Some(why));
                return Ok(());
            }
            Err(why) => return Err(Trouble::Refused(why)),
        };
        self.expected = verdict.octets;
        if verdict.start == Start::Whole {
            self.to = To::Nowhere;
        } else {
            self.to = To::Unopened(Some(verdict.start));
            self.open()?;
            // Not before the file is empty, in the case that it is written anew.
            resume.remember(&head, verdict.start).map_err(|error| self.trouble(error))?;
        }
        Ok(())
    }

    fn take_content(&mut self, octets: Vec<u8>) -> Result<(), Trouble> {
        if self.discarded {
            return Ok(());
        }
        let before = self.content_octets;
        self.content_octets += octets.len() as u64;
        if self.form.json {
            match self.collected.content.is_empty() {
                true => self.collected.content = octets,
                false => self.collected.content.extend_from_slice(&octets),
            }
            return Ok(());
        }
        if self.open()?.is_some_and(|sink| sink.refuses(&octets, before)) {
            return Err(Trouble::Refused(BINARY.to_owned()));
        }
        self.write(&octets)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        let written = self.open()?.map_or(Ok(()), |sink| sink.write(octets));
        written.map_err(|error| self.trouble(error))
    }

    fn open(&mut self) -> Result<Option<&mut Sink>, Trouble> {
        if let To::Unopened(start) = self.to {
            let sink = Sink::open(&self.destination, start, self.form.remove).map_err(|error| self.trouble(error))?;
            self.unfinished.keep_in_mind(self.index, sink.doomed());
            self.to = To::Open(sink);
        }
        Ok(match &mut self.to {
            To::Open(sink) => Some(sink),
            _ => None,
        })
    }

    fn trouble(&self, error: io::Error) -> Trouble {
        match self.destination.is_stdout() {
            true => Trouble::Stdout(error),
            false => Trouble::Refused(format!("cannot write {}: {error}", self.destination.name())),
        }
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        match &mut self.to {
            To::Open(sink) => sink.flush().map_err(|error| self.trouble(error)),
            _ => Ok(()),
        }
    }

    /// The response is whole: its file, even if empty, takes its name.
    pub(crate) fn finish(&mut self) -> Result<(), Trouble> {
        if self.form.json {
            return Ok(());
        }
        if let Some(why) = self.refusal.take() {
            return Err(Trouble::Refused(why));
        }
        if let Some(expected) = self.expected.filter(|&expected| expected != self.content_octets) {
            let came = self.content_octets;
            return Err(Trouble::Refused(format!("{came} octets came of the {expected} that the file lacks")));
        }
        self.open()?;
        if let To::Open(sink) = std::mem::replace(&mut self.to, To::Nowhere) {
            self.finished = sink.finish().map_err(|error| self.trouble(error))?;
            // A signal that comes now finds a whole file, which stays.
            self.unfinished.forget(self.index);
        }
        if let Some(resume) = &self.resume {
            resume.forget();
        }
        Ok(())
    }

    /// The content will not be whole. Says what became of the written octets, if any were written.
    pub(crate) fn abandon(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.to, To::Nowhere) {
            To::Open(sink) => {
                let advice = self.resume.as_ref().map_or("", |resume| resume.advice());
                sink.abandon().map(|what| what + advice)
            }
            _ => None,
        }
    }
}

/// A head whose octets are not known, as the wire had it but for white space.
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
mod tests;
